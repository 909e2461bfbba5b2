// SPDX-License-Identifier: Apache-2.0
// Checkpoints: files written by the formats' own libraries (tests/golden/make_formats.py) come out
// tensor by tensor as those libraries say; directories are understood; refusals name the reason.
#include "harness.h"

#include "format/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t crc32_of(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return ~crc;
}

static void format_dims(const struct checkpoint_tensor *tensor, char *text, size_t size) {
    size_t at = 0;
    snprintf(text, size, "-");
    for (int d = 0; d < tensor->n_dims; d++)
        at += (size_t)snprintf(text + at, size - at, d ? "x%llu" : "%llu",
                               (unsigned long long)tensor->shape[d]);
}

// One line of tensors.txt against the open checkpoint.
static bool tensor_matches(const struct checkpoint *checkpoint, const char *name, const char *dtype,
                           const char *dims, uint32_t crc) {
    char found[64];
    struct error err = {0};
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    if (!tensor) return false;
    uint8_t *bytes = malloc(tensor->size_bytes ? tensor->size_bytes : 1);
    bool read = bytes && checkpoint_read(checkpoint, tensor, bytes, &err) == STATUS_OK;
    bool same = read && crc32_of(bytes, tensor->size_bytes) == crc;
    if (same && tensor->data && tensor->size_bytes)
        same = memcmp(tensor->data, bytes, tensor->size_bytes) == 0;
    checkpoint_release(checkpoint, tensor);
    free(bytes);
    format_dims(tensor, found, sizeof found);
    return same && strcmp(found, dims) == 0 &&
           strcmp(dtype_info((uint32_t)tensor->dtype)->name, dtype) == 0;
}

static enum test_result golden_tensors(void) {
    char path[1024], line[512], name[64] = "", file[64], tensor[128], dtype[16], dims[64];
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    size_t n_left = 0, n_lines = 0;
    unsigned crc;
    CHECK(harness_repo_path("tests/golden/formats/tensors.txt", path, sizeof path));
    FILE *list = fopen(path, "r");
    CHECK(list);
    while (fgets(line, sizeof line, list)) {
        CHECK(sscanf(line, "%63s %127s %15s %63s %x", file, tensor, dtype, dims, &crc) == 5);
        if (strcmp(file, name) != 0) {
            CHECK_MESSAGE(n_left == 0, "%s holds tensors that nobody wrote", name);
            snprintf(line, sizeof line, "tests/golden/formats/%s", file);
            CHECK(harness_repo_path(line, path, sizeof path));
            checkpoint_close(checkpoint);
            CHECK_MESSAGE(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK,
                          "%s", err.message);
            n_left = checkpoint_n_tensors(checkpoint);
            snprintf(name, sizeof name, "%s", file);
        }
        CHECK_MESSAGE(tensor_matches(checkpoint, tensor, dtype, dims, crc), "%s %s", file, tensor);
        n_left--;
        n_lines++;
    }
    CHECK(n_left == 0 && n_lines > 100);
    checkpoint_close(checkpoint);
    fclose(list);
    return TEST_PASS;
}

static enum test_result golden_refusals(void) {
    char path[1024], line[512], file[64], status_text[32], phrase[256];
    CHECK(harness_repo_path("tests/golden/formats/refused.txt", path, sizeof path));
    FILE *list = fopen(path, "r");
    CHECK(list);
    while (fgets(line, sizeof line, list)) {
        struct checkpoint *checkpoint;
        struct error err = {0};
        CHECK(sscanf(line, "%63s %31s %255[^\n]", file, status_text, phrase) == 3);
        char *underscore = strchr(status_text, '_');
        if (underscore) *underscore = ' ';
        snprintf(line, sizeof line, "tests/golden/formats/%s", file);
        CHECK(harness_repo_path(line, path, sizeof path));
        enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err);
        CHECK_MESSAGE(strcmp(status_name(status), status_text) == 0 &&
                          strstr(err.message, phrase) && strstr(err.message, file),
                      "%s: %s: %s", file, status_name(status), err.message);
        CHECK(checkpoint == NULL);
    }
    fclose(list);
    return TEST_PASS;
}

static char scratch_path[1024];

static const char *scratch(const char *name) {
    snprintf(scratch_path, sizeof scratch_path, "%s/%s", harness_scratch(), name);
    return scratch_path;
}

static bool write_file(const char *name, const void *data, size_t size) {
    FILE *file = fopen(scratch(name), "wb");
    bool written = file && fwrite(data, 1, size, file) == size;
    if (file) fclose(file);
    return written;
}

static bool write_text(const char *name, const char *text) {
    return write_file(name, text, strlen(text));
}

static bool write_safetensors(const char *name, const char *tensor) {
    char file[256];
    uint64_t n = (uint64_t)snprintf(file + 8, sizeof file - 8,
                                    "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],"
                                    "\"data_offsets\":[0,4]}}",
                                    tensor);
    memcpy(file, &n, 8);
    memcpy(file + 8 + n, "\0\0\200\77", 4);
    return write_file(name, file, 8 + (size_t)n + 4);
}

static enum status try_open(const char *path, enum checkpoint_format format, size_t *n_tensors,
                            struct error *err) {
    struct checkpoint *checkpoint;
    enum status status = checkpoint_open(&checkpoint, path, format, err);
    *n_tensors = status == STATUS_OK ? checkpoint_n_tensors(checkpoint) : 0;
    checkpoint_close(checkpoint);
    return status;
}

static enum test_result directories(void) {
    size_t n;
    struct error err = {0};
    CHECK(mkdir(scratch("dir"), 0700) == 0);
    CHECK(try_open(scratch("dir"), CHECKPOINT_AUTO, &n, &err) == STATUS_NOT_FOUND);
    CHECK_MESSAGE(strstr(err.message, "model.safetensors.index.json") &&
                      strstr(err.message, "*.gguf"),
                  "%s", err.message);
    CHECK(write_text("dir/training_args.bin", "nothing that holds weights"));
    CHECK(write_safetensors("dir/odd name.safetensors", "only"));
    CHECK_MESSAGE(try_open(scratch("dir"), CHECKPOINT_AUTO, &n, &err) == STATUS_OK && n == 1, "%s",
                  err.message);
    CHECK(try_open(scratch("dir"), CHECKPOINT_GGUF, &n, &err) == STATUS_NOT_FOUND);
    CHECK(write_safetensors("dir/second.safetensors", "other"));
    CHECK(try_open(scratch("dir"), CHECKPOINT_AUTO, &n, &err) == STATUS_USAGE);
    CHECK_MESSAGE(strstr(err.message, "name one of them"), "%s", err.message);
    CHECK(write_safetensors("dir/model.safetensors", "proper"));
    CHECK(try_open(scratch("dir"), CHECKPOINT_AUTO, &n, &err) == STATUS_OK && n == 1);
    CHECK(try_open(scratch("none"), CHECKPOINT_AUTO, &n, &err) == STATUS_NOT_FOUND);
    CHECK(write_text("text.safetensors", "no tensors here"));
    CHECK(try_open(scratch("text.safetensors"), CHECKPOINT_AUTO, &n, &err) == STATUS_BAD_INPUT);
    CHECK(try_open(scratch("text.safetensors"), CHECKPOINT_SAFETENSORS, &n, &err) ==
          STATUS_BAD_INPUT);
    CHECK(try_open(scratch("text.safetensors"), CHECKPOINT_TORCH, &n, &err) == STATUS_BAD_INPUT);
    CHECK(write_text("empty.gguf", ""));
    CHECK(try_open(scratch("empty.gguf"), CHECKPOINT_GGUF, &n, &err) == STATUS_BAD_INPUT);
    return TEST_PASS;
}

static enum test_result shards(void) {
    static const struct {
        const char *index, *phrase;
        enum status status;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"a.safetensors\",\"b\":\"b.safetensors\"}}", NULL, STATUS_OK},
        {"{\"weight_map\":{\"a\":\"a.safetensors\"}}", NULL, STATUS_OK},
        {"{\"weight_map\":{\"a\":\"b.safetensors\"}}", "'a' is not in b.safetensors",
         STATUS_BAD_INPUT},
        {"{\"weight_map\":{\"a\":\"c.safetensors\"}}", "shard c.safetensors is missing",
         STATUS_NOT_FOUND},
        {"{\"weight_map\":{\"a\":\"../a.safetensors\"}}", "weight_map['a'] is not the plain name",
         STATUS_BAD_INPUT},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "weight_map['a'] is not", STATUS_BAD_INPUT},
        {"{\"weight_map\":{\"a\":7}}", "weight_map['a'] is not", STATUS_BAD_INPUT},
        {"{\"weight_map\":{}}", "weight_map is missing or empty", STATUS_BAD_INPUT},
        {"{\"weight_map\":[]}", "weight_map is missing or empty", STATUS_BAD_INPUT},
        {"{}", "weight_map is missing or empty", STATUS_BAD_INPUT},
        {"{\"weight_map\":{\"a\":\"a.safetensors\",\"a\":\"b.safetensors\"}}", "bad JSON",
         STATUS_BAD_INPUT},
        {"", "bad JSON", STATUS_BAD_INPUT},
    };
    CHECK(mkdir(scratch("shards"), 0700) == 0);
    CHECK(write_safetensors("shards/a.safetensors", "a"));
    CHECK(write_safetensors("shards/b.safetensors", "b"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n;
        struct error err = {0};
        CHECK(write_text("shards/model.safetensors.index.json", cases[i].index));
        enum status status = try_open(scratch("shards"), CHECKPOINT_AUTO, &n, &err);
        CHECK_MESSAGE(status == cases[i].status, "case %zu: %s", i, err.message);
        if (cases[i].phrase)
            CHECK_MESSAGE(strstr(err.message, cases[i].phrase), "case %zu: %s", i, err.message);
    }
    return TEST_PASS;
}

static enum test_result companions(void) {
    char path[1024];
    struct checkpoint *checkpoint;
    struct error err = {0};
    CHECK(harness_repo_path("tests/golden/formats/hf-torch", path, sizeof path));
    CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(checkpoint_kind(checkpoint) == CHECKPOINT_TORCH && !checkpoint_gguf(checkpoint));
    CHECK(checkpoint_hf(checkpoint) && checkpoint_hf(checkpoint)->config);
    CHECK(strstr(checkpoint_path(checkpoint), "pytorch_model.bin.index.json"));
    checkpoint_close(checkpoint);
    CHECK(harness_repo_path("tests/golden/formats/types.gguf", path, sizeof path));
    CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(checkpoint_kind(checkpoint) == CHECKPOINT_GGUF && checkpoint_gguf(checkpoint));
    CHECK(!checkpoint_hf(checkpoint) && !checkpoint_find(checkpoint, "absent"));
    checkpoint_close(checkpoint);
    CHECK(harness_repo_path("tests/golden/formats/zip.pth", path, sizeof path));
    CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(!checkpoint_hf(checkpoint) && !checkpoint_gguf(checkpoint));
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"golden_tensors", "every tensor of every format is what its own library wrote",
     golden_tensors},
    {"golden_refusals", "code, views and ambiguity are refused by name", golden_refusals},
    {"directories", "what is chosen in a directory, and what is said if nothing is", directories},
    {"shards", "indexes that lie", shards},
    {"companions", "the metadata that belongs to each kind", companions},
};

int main(int argc, char **argv) {
    return harness_main("checkpoint", tests, sizeof tests / sizeof *tests, argc, argv);
}
