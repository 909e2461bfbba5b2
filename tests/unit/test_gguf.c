// SPDX-License-Identifier: Apache-2.0
// GGUF: what another writer wrote reads back, what we write reads back, and every kind of damage is
// refused with words that name the place.
#include "harness.h"

#include "base/buffer.h"
#include "format/gguf_writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static void put(struct buffer *file, const void *data, size_t size) {
    buffer_append(file, data, size);
}

static void put_u32(struct buffer *file, uint32_t value) {
    put(file, &value, 4);
}

static void put_u64(struct buffer *file, uint64_t value) {
    put(file, &value, 8);
}

static void put_string(struct buffer *file, const char *text) {
    put_u64(file, strlen(text));
    put(file, text, strlen(text));
}

static void put_key(struct buffer *file, const char *key, uint32_t type) {
    put_string(file, key);
    put_u32(file, type);
}

// A file is made of these parts; a damage replaces some.
struct recipe {
    const char *name;
    const char *magic;
    uint32_t version;
    uint64_t n_tensors, n_values; // 0: what is really there
    uint64_t key_bytes;           // length claimed by the first key
    const char *keys[2];
    uint32_t value_type, item_type;
    uint64_t n_items;
    uint64_t text_bytes; // length claimed by the string value
    uint8_t boolean;
    uint32_t alignment_type, alignment; // 0: no general.alignment
    const char *names[2];
    uint32_t n_dims;
    uint64_t dims[5];
    uint32_t dtype;
    uint64_t offsets[2]; // second one 0: where it belongs
    size_t cut_bytes;    // from the end
    enum status status;
    const char *phrase; // NULL: the file is good
};

static const struct recipe good = {
    .magic = "GGUF",
    .version = 3,
    .keys = {"my.key", "my.text"},
    .value_type = GGUF_U32,
    .names = {"first", "second"},
    .n_dims = 2,
    .dims = {32, 2},
    .status = STATUS_OK,
};

static void put_values(struct buffer *file, const struct recipe *r) {
    put_u64(file, r->key_bytes ? r->key_bytes : strlen(r->keys[0]));
    put(file, r->keys[0], strlen(r->keys[0]));
    put_u32(file, r->value_type);
    if (r->value_type == GGUF_ARRAY) {
        put_u32(file, r->item_type);
        put_u64(file, r->n_items);
    }
    uint8_t payload[4] = {r->boolean, 0, 0, 0};
    put(file, payload, r->value_type == GGUF_BOOL ? 1 : 4);
    put_key(file, r->keys[1], GGUF_STRING);
    put_u64(file, r->text_bytes ? r->text_bytes : 4);
    put(file, "text", 4);
    if (!r->alignment_type) return;
    put_key(file, "general.alignment", r->alignment_type);
    put_u32(file, r->alignment);
}

static void build(struct buffer *file, const struct recipe *r) {
    uint64_t alignment = r->alignment_type == GGUF_U32 && r->alignment == 1 ? 1 : 32;
    static const char zeros[4096];
    buffer_init(file, FILE_BYTES_MAX);
    put(file, r->magic, 4);
    put_u32(file, r->version);
    put_u64(file, r->n_tensors ? r->n_tensors : 2);
    put_u64(file, r->n_values ? r->n_values : 2 + (r->alignment_type != 0));
    put_values(file, r);
    for (int i = 0; i < 2; i++) {
        put_string(file, r->names[i]);
        put_u32(file, r->n_dims);
        for (uint32_t d = 0; d < r->n_dims && d < 5; d++)
            put_u64(file, r->dims[d]);
        put_u32(file, r->dtype);
        uint64_t place = i ? r->dims[0] * r->dims[1] * 4 : 0;
        put_u64(file, r->offsets[i] ? r->offsets[i] : place > 4096 ? 0 : place);
    }
    put(file, zeros, (size_t)((alignment - file->size_bytes % alignment) % alignment));
    put(file, zeros, 2 * 32 * 2 * 4);
    file->size_bytes -= r->cut_bytes < file->size_bytes ? r->cut_bytes : file->size_bytes;
}

#define LONG_NAME "a_tensor_with_a_name_that_is_much_longer_than_the_sixty_four_bytes_allowed_here"

// The kinds of damage that llama.cpp's own test writes, and some more. Fields not named are those
// of `good`.
#define DAMAGE(...)                                                                                \
    {                                                                                              \
        .magic = "GGUF", .version = 3, .keys = {"my.key", "my.text"}, .value_type = GGUF_U32,      \
        .names = {"first", "second"}, .n_dims = 2, .dims = {32, 2}, .status = STATUS_BAD_INPUT,    \
        __VA_ARGS__                                                                                \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct recipe damages[] = {
    DAMAGE(.name = "magic", .magic = "FUGG", .phrase = "at byte 0: the magic number"),
    DAMAGE(.name = "version 0", .version = 0, .phrase = "version 0"),
    DAMAGE(.name = "version 1", .version = 1, .status = STATUS_UNSUPPORTED, .phrase = "version 1"),
    DAMAGE(.name = "version 4", .version = 4, .status = STATUS_UNSUPPORTED, .phrase = "version 4"),
    DAMAGE(.name = "big-endian", .version = 0x03000000, .status = STATUS_UNSUPPORTED,
           .phrase = "big-endian"),
    DAMAGE(.name = "tensor count", .n_tensors = UINT64_MAX, .phrase = "the number of tensors"),
    DAMAGE(.name = "value count", .n_values = UINT64_MAX, .phrase = "the number of metadata"),
    DAMAGE(.name = "too few values", .n_values = 1, .phrase = "at byte"),
    DAMAGE(.name = "key length", .key_bytes = UINT64_MAX, .phrase = "a key claims"),
    DAMAGE(.name = "empty key", .keys = {"", "my.text"}, .phrase = "a key is empty"),
    DAMAGE(.name = "key is no text", .keys = {"\xff\xfe", "my.text"}, .phrase = "a key is not"),
    DAMAGE(.name = "value type", .value_type = 13, .phrase = "unknown value type 13"),
    DAMAGE(.name = "string length", .text_bytes = (uint64_t)1 << 62, .phrase = "a string value"),
    DAMAGE(.name = "string length overflow", .text_bytes = UINT64_MAX - 7,
           .phrase = "a string value"),
    DAMAGE(.name = "duplicate key", .keys = {"my.key", "my.key"}, .phrase = "'my.key' appears"),
    DAMAGE(.name = "boolean", .value_type = GGUF_BOOL, .boolean = 2, .phrase = "neither 0 nor 1"),
    DAMAGE(.name = "array length", .value_type = GGUF_ARRAY, .item_type = GGUF_F64,
           .n_items = (uint64_t)1 << 61, .phrase = "key 'my.key' claims"),
    DAMAGE(.name = "array of strings", .value_type = GGUF_ARRAY, .item_type = GGUF_STRING,
           .n_items = (uint64_t)1 << 60, .phrase = "an array of strings"),
    DAMAGE(.name = "array of arrays", .value_type = GGUF_ARRAY, .item_type = GGUF_ARRAY,
           .status = STATUS_UNSUPPORTED, .phrase = "array of arrays"),
    DAMAGE(.name = "array of unknown", .value_type = GGUF_ARRAY, .item_type = 99,
           .phrase = "unknown value type 99"),
    DAMAGE(.name = "alignment 13", .alignment_type = GGUF_U32, .alignment = 13,
           .phrase = "general.alignment is 13"),
    DAMAGE(.name = "alignment 0", .alignment_type = GGUF_U32, .phrase = "general.alignment is 0"),
    DAMAGE(.name = "alignment 2^31", .alignment_type = GGUF_U32, .alignment = 1u << 31,
           .phrase = "general.alignment is"),
    DAMAGE(.name = "alignment type", .alignment_type = GGUF_I32, .alignment = 32,
           .phrase = "general.alignment is not"),
    DAMAGE(.name = "name length", .names = {LONG_NAME, "second"}, .phrase = "a tensor name has"),
    DAMAGE(.name = "empty name", .names = {"", "second"}, .phrase = "a tensor name is empty"),
    DAMAGE(.name = "duplicate name", .names = {"same", "same"}, .phrase = "'same' appears twice"),
    DAMAGE(.name = "dimensions", .n_dims = 5, .phrase = "has 5 dimensions"),
    DAMAGE(.name = "negative shape", .dims = {UINT64_MAX, UINT64_MAX}, .phrase = "dimension 0"),
    DAMAGE(.name = "elements", .dims = {(uint64_t)1 << 33, (uint64_t)1 << 33},
           .phrase = "dimension 1"),
    DAMAGE(.name = "bytes", .dims = {(uint64_t)1 << 31, (uint64_t)1 << 31}, .dtype = DTYPE_I64,
           .phrase = "overflows"),
    DAMAGE(.name = "zero hides overflow", .n_dims = 3,
           .dims = {(uint64_t)1 << 40, (uint64_t)1 << 40, 0}, .phrase = "dimension 1"),
    DAMAGE(.name = "type", .dtype = 777, .status = STATUS_UNSUPPORTED,
           .phrase = "'first' has type 777"),
    DAMAGE(.name = "removed type", .dtype = 4, .status = STATUS_UNSUPPORTED,
           .phrase = "'first' has type 4"),
    DAMAGE(.name = "block", .dims = {33, 2}, .dtype = DTYPE_Q8_0, .phrase = "block of 32"),
    DAMAGE(.name = "offset", .offsets = {UINT64_MAX, 0}, .phrase = "is no multiple"),
    DAMAGE(.name = "offset past the end", .offsets = {UINT64_MAX - 31, 0}, .phrase = "past the"),
    DAMAGE(.name = "offset alignment", .offsets = {0, 260}, .phrase = "is no multiple"),
    DAMAGE(.name = "overlap", .offsets = {0, 32}, .phrase = "'first' and 'second' overlap"),
    DAMAGE(.name = "data one short", .cut_bytes = 1, .phrase = "data of tensor 'second'"),
    DAMAGE(.name = "data missing", .cut_bytes = 512, .phrase = "tensor 'first'"),
    DAMAGE(.name = "sum overflow", .n_dims = 1, .dims = {0x7FFFFFFFFFFFFFC0, 1}, .dtype = DTYPE_I8,
           .phrase = "past the file's end"),
    DAMAGE(.name = "padding overflow", .n_dims = 1, .dims = {0x3fffffffffffffff, 1},
           .phrase = "past the file's end"),
    DAMAGE(.name = "header cut", .cut_bytes = 700, .phrase = "at byte"),
};
#pragma GCC diagnostic pop
enum { N_DAMAGES = sizeof damages / sizeof *damages };

static enum test_result damage(void) {
    for (int i = 0; i < N_DAMAGES; i++) {
        struct buffer file;
        struct gguf *gguf;
        struct error err = {0};
        build(&file, &damages[i]);
        enum status status =
            gguf_open_memory(&gguf, "damaged.gguf", file.data, file.size_bytes, &err);
        CHECK_MESSAGE(status == damages[i].status && strstr(err.message, damages[i].phrase) &&
                          strstr(err.message, "damaged.gguf: at byte "),
                      "%s: %s: %s", damages[i].name, status_name(status), err.message);
        CHECK(gguf == NULL);
        buffer_deinit(&file);
    }
    return TEST_PASS;
}

static enum test_result good_files(void) {
    struct recipe variants[5] = {good, good, good, good, good};
    variants[1].alignment_type = GGUF_U32, variants[1].alignment = 1;
    variants[2].version = 2;
    variants[3].dims[1] = 0; // no elements at all
    variants[4].value_type = GGUF_ARRAY, variants[4].item_type = GGUF_U16, variants[4].n_items = 2;
    for (int i = 0; i < 5; i++) {
        struct buffer file;
        struct gguf *gguf;
        struct error err = {0};
        build(&file, &variants[i]);
        enum status status = gguf_open_memory(&gguf, "good.gguf", file.data, file.size_bytes, &err);
        CHECK_MESSAGE(status == STATUS_OK, "variant %d: %s", i, err.message);
        CHECK(gguf_n_tensors(gguf) == 2 && gguf_find_tensor(gguf, "second"));
        CHECK(gguf_find_tensor(gguf, "second")->n_elements == (i == 3 ? 0 : 64));
        gguf_close(gguf);
        buffer_deinit(&file);
    }
    return TEST_PASS;
}

// Every prefix of a file must be refused without reading past its end.
static enum test_result truncation(void) {
    struct buffer file;
    build(&file, &good);
    for (size_t size = 0; size < file.size_bytes; size++) {
        struct gguf *gguf;
        struct error err = {0};
        char *copy = malloc(size ? size : 1); // so that a sanitizer sees the exact end
        CHECK(copy);
        memcpy(copy, file.data, size);
        CHECK(gguf_open_memory(&gguf, "cut.gguf", copy, size, &err) == STATUS_BAD_INPUT);
        free(copy);
    }
    buffer_deinit(&file);
    return TEST_PASS;
}

static bool u64_is(const struct gguf *gguf, const char *key, uint64_t expected) {
    uint64_t value;
    return gguf_get_u64(gguf, key, &value) && value == expected;
}

static bool f64_is(const struct gguf *gguf, const char *key, double expected) {
    double value;
    return gguf_get_f64(gguf, key, &value) && value == expected;
}

// types.gguf was written by the Python package `gguf` (tests/golden/make_formats.py).
static enum test_result foreign_values(void) {
    char path[1024];
    struct gguf *gguf;
    struct error err;
    struct gguf_string text;
    uint64_t item;
    double real;
    bool boolean;
    CHECK(harness_repo_path("tests/golden/formats/types.gguf", path, sizeof path));
    CHECK_MESSAGE(gguf_open(&gguf, path, &err) == STATUS_OK, "%s", err.message);
    CHECK(gguf_version(gguf) == 3 && strcmp(gguf_path(gguf), path) == 0);
    CHECK(u64_is(gguf, "t.u8", 250) && u64_is(gguf, "t.u16", 65535));
    CHECK(u64_is(gguf, "t.u32", 4000000000u) && u64_is(gguf, "t.u64", (uint64_t)1 << 63));
    CHECK(!gguf_get_u64(gguf, "t.i8", &item) && !gguf_get_u64(gguf, "t.i64", &item));
    CHECK(!gguf_get_u64(gguf, "t.f32", &item) && !gguf_get_u64(gguf, "absent", &item));
    CHECK(f64_is(gguf, "t.i8", -5) && f64_is(gguf, "t.i16", -300) && f64_is(gguf, "t.i32", -70000));
    CHECK(f64_is(gguf, "t.i64", -(double)((int64_t)1 << 40)) && f64_is(gguf, "t.f32", 0.5));
    CHECK(f64_is(gguf, "t.f64", -0.1) && f64_is(gguf, "t.u64", 0x1p63));
    CHECK(gguf_get_bool(gguf, "t.bool", &boolean) && boolean);
    CHECK(!gguf_get_bool(gguf, "t.u8", &boolean) && !gguf_get_f64(gguf, "t.string", &real));
    static const char expected[] = "杏林 \0 ok";
    CHECK(gguf_get_string(gguf, "t.string", &text) && text.size_bytes == sizeof expected - 1 &&
          memcmp(text.data, expected, text.size_bytes) == 0);
    CHECK(!gguf_get_string(gguf, "t.strings", &text));
    const struct gguf_value *strings = gguf_find(gguf, "t.strings");
    CHECK(strings && strings->n_items == 3 && strings->strings[1].size_bytes == 0 &&
          memcmp(strings->strings[2].data, "杏林", 6) == 0);
    const struct gguf_value *ints = gguf_find(gguf, "t.ints");
    CHECK(ints && gguf_item_u64(ints, 2, &item) && item == 3 && !gguf_item_u64(ints, 1, &item));
    CHECK(gguf_item_f64(ints, 1, &real) && real == -2 && !gguf_item_f64(ints, 3, &real));
    CHECK(!gguf_item_u64(strings, 0, &item) && !gguf_item_f64(strings, 0, &real));
    gguf_close(gguf);
    return TEST_PASS;
}

static enum status copy_file(const char *from, const char *to, struct error *err) {
    struct gguf *gguf;
    struct gguf_writer *writer;
    TRY(gguf_open(&gguf, from, err));
    TRY(gguf_writer_create(&writer, to, err));
    for (size_t i = 0; i < gguf_n_values(gguf); i++)
        gguf_writer_copy(writer, gguf_value_at(gguf, i));
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        TRY(gguf_writer_declare(writer, t->name, t->dtype, t->n_dims, t->dims, err));
    }
    TRY(gguf_writer_begin_data(writer, err));
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(gguf, i);
        size_t half = (size_t)t->size_bytes / 2; // in pieces
        TRY(gguf_writer_data(writer, t->data, half, err));
        TRY(gguf_writer_data(writer, t->data + half, (size_t)t->size_bytes - half, err));
        TRY(gguf_writer_end_tensor(writer, err));
    }
    gguf_close(gguf);
    return gguf_writer_commit(writer, err);
}

static bool same_files(const char *a, const char *b) {
    FILE *left = fopen(a, "rb"), *right = fopen(b, "rb");
    bool same = left && right;
    int c = 0;
    while (same && c != EOF)
        same = (c = fgetc(left)) == fgetc(right);
    if (left) fclose(left);
    if (right) fclose(right);
    return same;
}

// The Python package lays files out as we do, so a copy must be the same bytes.
static enum test_result copy(void) {
    char from[1024], to[1024];
    struct error err = {0};
    CHECK(harness_repo_path("tests/golden/formats/types.gguf", from, sizeof from));
    snprintf(to, sizeof to, "%s/copy.gguf", harness_scratch());
    CHECK_MESSAGE(copy_file(from, to, &err) == STATUS_OK, "%s", err.message);
    CHECK(same_files(from, to));
    return TEST_PASS;
}

static enum test_result writer_values(void) {
    char path[1024];
    struct gguf_writer *writer;
    struct gguf *gguf;
    struct error err = {0};
    struct gguf_string items[2] = {{"x", 1}, {"", 0}}, text;
    int32_t numbers[2] = {-1, 7};
    bool boolean;
    snprintf(path, sizeof path, "%s/values.gguf", harness_scratch());
    CHECK(gguf_writer_create(&writer, path, &err) == STATUS_OK);
    gguf_writer_u32(writer, "a.u32", 1);
    gguf_writer_u64(writer, "a.u64", (uint64_t)1 << 40);
    gguf_writer_f32(writer, "a.f32", 0.25f);
    gguf_writer_bool(writer, "a.bool", false);
    gguf_writer_text(writer, "a.text", "text");
    gguf_writer_bytes(writer, "a.bytes", "\0\xff", 2);
    gguf_writer_strings(writer, "a.strings", items, 2);
    gguf_writer_array(writer, "a.array", GGUF_I32, numbers, 2);
    CHECK(access(path, F_OK) != 0);
    CHECK(gguf_writer_begin_data(writer, &err) == STATUS_OK);
    CHECK(gguf_writer_commit(writer, &err) == STATUS_OK);
    CHECK_MESSAGE(gguf_open(&gguf, path, &err) == STATUS_OK, "%s", err.message);
    CHECK(gguf_n_values(gguf) == 8 && gguf_n_tensors(gguf) == 0);
    CHECK(u64_is(gguf, "a.u32", 1) && u64_is(gguf, "a.u64", (uint64_t)1 << 40));
    CHECK(f64_is(gguf, "a.f32", 0.25) && gguf_get_bool(gguf, "a.bool", &boolean) && !boolean);
    CHECK(gguf_get_string(gguf, "a.bytes", &text) && text.size_bytes == 2);
    CHECK(gguf_find(gguf, "a.strings")->n_items == 2 && gguf_find(gguf, "a.array")->n_items == 2);
    gguf_close(gguf);
    return TEST_PASS;
}

static enum status misuse(int kind, struct gguf_writer *writer, struct error *err) {
    uint64_t dims[2] = {32, 1};
    float data[64] = {0};
    if (kind == 0) gguf_writer_u32(writer, "key", 1), gguf_writer_u32(writer, "key", 2);
    if (kind == 1) gguf_writer_u32(writer, "", 1);
    if (kind == 2) gguf_writer_array(writer, "key", GGUF_ARRAY, data, 1);
    TRY(gguf_writer_declare(writer, kind == 3 ? LONG_NAME : "t", DTYPE_F32, kind == 4 ? 5 : 2, dims,
                            err));
    if (kind == 5) TRY(gguf_writer_declare(writer, "t", DTYPE_F32, 2, dims, err));
    dims[0] = 33;
    if (kind == 6) TRY(gguf_writer_declare(writer, "u", DTYPE_Q4_0, 2, dims, err));
    TRY(gguf_writer_begin_data(writer, err));
    TRY(gguf_writer_data(writer, data, kind == 7 ? 132 : kind == 8 ? 124 : 128, err));
    TRY(gguf_writer_end_tensor(writer, err));
    if (kind == 9) TRY(gguf_writer_data(writer, data, 4, err));
    return STATUS_OK;
}

static enum test_result writer_misuse(void) {
    char path[1024];
    snprintf(path, sizeof path, "%s/misuse.gguf", harness_scratch());
    for (int kind = 0; kind <= 10; kind++) {
        struct gguf_writer *writer;
        struct error err = {0};
        CHECK(gguf_writer_create(&writer, path, &err) == STATUS_OK);
        enum status status = misuse(kind, writer, &err);
        CHECK_MESSAGE(kind == 10 ? status == STATUS_OK : status == STATUS_FAILED, "misuse %d: %s",
                      kind, err.message);
        gguf_writer_abort(writer);
        CHECK(access(path, F_OK) != 0);
    }
    return TEST_PASS;
}

// A sparse file of more than 4 GiB: offsets and sizes need all their bits.
static enum test_result beyond_4_gib(void) {
    char path[1024];
    struct gguf *gguf;
    struct error err = {0};
    struct recipe large = good;
    struct buffer head;
    large.dtype = DTYPE_I8;
    large.dims[0] = (uint64_t)1 << 32, large.dims[1] = 1;
    large.offsets[1] = (uint64_t)1 << 32;
    build(&head, &large);
    size_t begin = (head.size_bytes - 2 * 32 * 2 * 4); // of the data
    snprintf(path, sizeof path, "%s/large.gguf", harness_scratch());
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(head.data, 1, begin, file) == begin);
    CHECK(fflush(file) == 0);
    if (ftruncate(fileno(file), (off_t)(begin + ((uint64_t)2 << 32))) != 0)
        return harness_skip("no sparse file of 8 GiB in %s", harness_scratch());
    CHECK(fseeko(file, (off_t)(begin + ((uint64_t)1 << 32)), SEEK_SET) == 0);
    CHECK(fputc(42, file) == 42 && fclose(file) == 0);
    CHECK_MESSAGE(gguf_open(&gguf, path, &err) == STATUS_OK, "%s", err.message);
    const struct gguf_tensor *second = gguf_find_tensor(gguf, "second");
    CHECK(second && second->size_bytes == (uint64_t)1 << 32 && second->data[0] == 42);
    gguf_close(gguf);
    CHECK(truncate(path, (off_t)(begin + ((uint64_t)2 << 32) - 1)) == 0);
    CHECK(gguf_open(&gguf, path, &err) == STATUS_BAD_INPUT && strstr(err.message, "'second'"));
    unlink(path);
    buffer_deinit(&head);
    return TEST_PASS;
}

static enum status write_part(const char *path, unsigned number, unsigned count, int32_t n_tensors,
                              const char *name, struct error *err) {
    struct gguf_writer *writer;
    uint64_t dims[1] = {4};
    float data[4] = {1, 2, 3, 4};
    struct gguf_value value = {.type = GGUF_I32, .data = (const uint8_t *)&n_tensors};
    TRY(gguf_writer_create(&writer, path, err));
    gguf_writer_u32(writer, "split.no", number);
    gguf_writer_u32(writer, "split.count", count);
    value.key = (struct gguf_string){"total", 5};
    gguf_writer_copy(writer, &value);
    gguf_writer_u32(writer, "split.tensors.count", (uint32_t)n_tensors);
    TRY(gguf_writer_declare(writer, name, DTYPE_F32, 1, dims, err));
    TRY(gguf_writer_begin_data(writer, err));
    TRY(gguf_writer_data(writer, data, sizeof data, err));
    TRY(gguf_writer_end_tensor(writer, err));
    return gguf_writer_commit(writer, err);
}

static enum test_result split_damage(void) {
    static const struct {
        unsigned number, count;
        int32_t n_tensors;
        const char *name, *phrase; // of part 2
        enum status status;
    } cases[] = {
        {1, 2, 2, "b", NULL, STATUS_OK},
        {0, 2, 2, "b", "belongs to another model", STATUS_BAD_INPUT},
        {1, 3, 2, "b", "belongs to another model", STATUS_BAD_INPUT},
        {1, 2, 5, "b", "split.tensors.count differs", STATUS_BAD_INPUT},
        {1, 2, 2, "a", "'a' is in another part", STATUS_BAD_INPUT},
        {1, 2, 2, NULL, "part 2 of 2 is missing", STATUS_NOT_FOUND},
    };
    char first[1024], second[1024];
    snprintf(first, sizeof first, "%s/m-00001-of-00002.gguf", harness_scratch());
    snprintf(second, sizeof second, "%s/m-00002-of-00002.gguf", harness_scratch());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gguf *gguf;
        struct error err = {0};
        CHECK(write_part(first, 0, 2, 2, "a", &err) == STATUS_OK);
        unlink(second);
        if (cases[i].name)
            CHECK(write_part(second, cases[i].number, cases[i].count, cases[i].n_tensors,
                             cases[i].name, &err) == STATUS_OK);
        enum status status = gguf_open(&gguf, first, &err);
        CHECK_MESSAGE(status == cases[i].status &&
                          (!cases[i].phrase || strstr(err.message, cases[i].phrase)),
                      "case %zu: %s", i, err.message);
        if (status == STATUS_OK) CHECK(gguf_n_tensors(gguf) == 2 && gguf_find_tensor(gguf, "b"));
        gguf_close(gguf);
    }
    return TEST_PASS;
}

static enum test_result split_names(void) {
    char path[1024];
    struct gguf *gguf;
    struct error err = {0};
    CHECK(harness_repo_path("tests/golden/formats/split-00002-of-00003.gguf", path, sizeof path));
    CHECK(gguf_open(&gguf, path, &err) == STATUS_USAGE && strstr(err.message, "part 2 of 3"));
    snprintf(path, sizeof path, "%s/renamed.gguf", harness_scratch());
    CHECK(write_part(path, 0, 2, 2, "a", &err) == STATUS_OK);
    CHECK(gguf_open(&gguf, path, &err) == STATUS_BAD_INPUT && strstr(err.message, "name does not"));
    CHECK(gguf_open(&gguf, "/nonexistent/x.gguf", &err) == STATUS_NOT_FOUND);
    CHECK(gguf_open(&gguf, harness_scratch(), &err) == STATUS_BAD_INPUT);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"damage", "every kind of damage is refused by name and place", damage},
    {"good_files", "versions 2 and 3, alignment 1, empty tensors, arrays", good_files},
    {"truncation", "every prefix of a file is refused", truncation},
    {"foreign_values", "metadata of every type from the Python package", foreign_values},
    {"copy", "a file copied value by value is the same bytes", copy},
    {"writer_values", "what is written reads back", writer_values},
    {"writer_misuse", "the writer refuses nonsense and leaves no file", writer_misuse},
    {"beyond_4_gib", "offsets of more than 32 bits", beyond_4_gib},
    {"split_damage", "missing and foreign parts are told apart", split_damage},
    {"split_names", "parts opened by themselves, renamed, absent", split_names},
};

int main(int argc, char **argv) {
    return harness_main("gguf", tests, sizeof tests / sizeof *tests, argc, argv);
}
