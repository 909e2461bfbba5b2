// SPDX-License-Identifier: Apache-2.0
// safetensors: headers by hand, good ones and every way in which one can lie.
#include "harness.h"

#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

struct header {
    const char *name, *json;
    size_t data_bytes;
    enum status status;
    const char *phrase; // of the message; NULL for a good file
};

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define B "\"b\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[8,12]}"

static const struct header headers[] = {
    {"empty", "{}", 0, STATUS_OK, NULL},
    {"two", "{" A "," B "}", 12, STATUS_OK, NULL},
    {"order is free", "{" B "," A "}", 12, STATUS_OK, NULL},
    {"padding", "{" A "}   ", 8, STATUS_OK, NULL},
    {"metadata", "{\"__metadata__\":{\"format\":\"pt\"}," A "}", 8, STATUS_OK, NULL},
    {"scalar", "{\"s\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8, STATUS_OK,
     NULL},
    {"zero size", "{" A ",\"z\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[8,8]}}", 8,
     STATUS_OK, NULL},
    {"not JSON", "{" A ",}", 8, STATUS_BAD_INPUT, "bad JSON"},
    {"not an object", "[1]", 0, STATUS_BAD_INPUT, "does not begin with '{'"},
    {"garbage behind", "{" A "}x", 8, STATUS_BAD_INPUT, "bad JSON"},
    {"bad UTF-8", "{\"\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "bad JSON"},
    {"lone surrogate", "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "bad JSON"},
    {"NUL in a name", "{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "bad JSON"},
    {"duplicate name", "{" A "," A "}", 8, STATUS_BAD_INPUT, "bad JSON"},
    {"duplicate field",
     "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[2],"
     "\"data_offsets\":[0,8]}}",
     8, STATUS_BAD_INPUT, "bad JSON"},
    {"NaN", "{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "bad JSON"},
    {"unknown field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
     STATUS_BAD_INPUT, "expected an object"},
    {"missing field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, STATUS_BAD_INPUT,
     "expected an object"},
    {"empty name", "{\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "the name is empty"},
    {"unknown dtype", "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8,
     STATUS_UNSUPPORTED, "tensor 'a' has dtype 'F8_E4M3'"},
    {"five dimensions", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}",
     8, STATUS_UNSUPPORTED, "more than 4 dimensions"},
    {"negative shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "shape has a size"},
    {"real shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "shape has a size"},
    {"huge shape",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
     "\"data_offsets\":[0,8]}}",
     8, STATUS_BAD_INPUT, "shape has a size"},
    {"zero hides overflow",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],"
     "\"data_offsets\":[0,0]}}",
     0, STATUS_BAD_INPUT, "shape has a size"},
    {"bytes overflow",
     "{\"a\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],"
     "\"data_offsets\":[0,8]}}",
     8, STATUS_BAD_INPUT, "shape overflows"},
    {"number too large",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],"
     "\"data_offsets\":[0,8]}}",
     8, STATUS_BAD_INPUT, "shape has a size"},
    {"offsets not a list", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":8}}", 8,
     STATUS_BAD_INPUT, "not a list of two"},
    {"offsets reversed", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
     STATUS_BAD_INPUT, "reach outside"},
    {"offsets negative", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8,
     STATUS_BAD_INPUT, "not a list of two"},
    {"offsets too long", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
     STATUS_BAD_INPUT, "data_offsets span 8 bytes"},
    {"past the end", "{" A "," B "}", 11, STATUS_BAD_INPUT, "damaged or truncated"},
    {"hole", "{" A ",\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[10,14]}}", 14,
     STATUS_BAD_INPUT, "tensor 'b': data_offsets leave a hole"},
    {"hole in front", "{\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[2,6]}}", 6,
     STATUS_BAD_INPUT, "leave a hole"},
    {"overlap", "{" A ",\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[6,10]}}", 10,
     STATUS_BAD_INPUT, "overlap another tensor"},
    {"same bytes twice", "{" A ",\"c\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
     8, STATUS_BAD_INPUT, "overlap another tensor"},
    {"bytes behind", "{" A "}", 9, STATUS_BAD_INPUT, "no tensor's data_offsets cover"},
    {"metadata not text", "{\"__metadata__\":{\"n\":1}," A "}", 8, STATUS_BAD_INPUT,
     "__metadata__ entry 'n'"},
    {"metadata no object", "{\"__metadata__\":[]," A "}", 8, STATUS_BAD_INPUT,
     "__metadata__ is not"},
};
enum { N_HEADERS = sizeof headers / sizeof *headers };

// Exactly as large as the file, so that a sanitizer sees the end.
static uint8_t *build(const char *json, uint64_t header_bytes, size_t data_bytes, size_t *size) {
    size_t length = strlen(json);
    *size = 8 + length + data_bytes;
    uint8_t *file = calloc(1, *size);
    if (!file) return NULL;
    memcpy(file, &header_bytes, 8);
    memcpy(file + 8, json, length);
    return file;
}

static enum test_result by_hand(void) {
    for (int i = 0; i < N_HEADERS; i++) {
        const struct header *h = &headers[i];
        struct safetensors *file;
        struct error err = {0};
        size_t size;
        uint8_t *bytes = build(h->json, strlen(h->json), h->data_bytes, &size);
        CHECK(bytes);
        enum status status = safetensors_open_memory(&file, "hand.safetensors", bytes, size, &err);
        CHECK_MESSAGE(status == h->status, "%s: %s: %s", h->name, status_name(status), err.message);
        if (h->phrase)
            CHECK_MESSAGE(strstr(err.message, h->phrase) &&
                              strstr(err.message, "hand.safetensors: at byte "),
                          "%s: %s", h->name, err.message);
        safetensors_close(file);
        free(bytes);
    }
    return TEST_PASS;
}

static enum test_result lengths(void) {
    static const uint64_t lies[] = {0, 1, 60, 1000, (uint64_t)1 << 40, UINT64_MAX, UINT64_MAX - 8};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct safetensors *file;
        struct error err = {0};
        size_t size;
        uint8_t *bytes = build("{" A "}", lies[i], 8, &size);
        CHECK(bytes);
        CHECK_MESSAGE(safetensors_open_memory(&file, "x", bytes, size, &err) == STATUS_BAD_INPUT,
                      "length %llu", (unsigned long long)lies[i]);
        free(bytes);
    }
    return TEST_PASS;
}

static enum test_result truncation(void) {
    size_t size, json_bytes = strlen("{" A "," B "}");
    uint8_t *bytes = build("{" A "," B "}", json_bytes, 12, &size);
    CHECK(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        struct safetensors *file;
        struct error err = {0};
        uint8_t *copy = malloc(cut ? cut : 1);
        CHECK(copy);
        memcpy(copy, bytes, cut);
        CHECK(safetensors_open_memory(&file, "x", copy, cut, &err) == STATUS_BAD_INPUT);
        free(copy);
    }
    free(bytes);
    return TEST_PASS;
}

// A million brackets must neither overflow a stack nor take long.
static enum test_result nesting(void) {
    enum { DEPTH = 1000000 };
    char *json = malloc(DEPTH + 8);
    CHECK(json);
    memcpy(json, "{\"a\":", 5);
    memset(json + 5, '[', DEPTH);
    json[5 + DEPTH] = '\0';
    struct safetensors *file;
    struct error err = {0};
    size_t size;
    uint8_t *bytes = build(json, strlen(json), 0, &size);
    CHECK(bytes);
    CHECK(safetensors_open_memory(&file, "x", bytes, size, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "nested deeper"), "%s", err.message);
    free(bytes);
    free(json);
    return TEST_PASS;
}

static enum test_result views(void) {
    size_t size;
    struct safetensors *file;
    struct error err = {0};
    uint8_t *bytes = build("{" B "," A "}", strlen("{" B "," A "}"), 12, &size);
    CHECK(bytes);
    for (int i = 0; i < 12; i++)
        bytes[size - 12 + (size_t)i] = (uint8_t)i;
    CHECK(safetensors_open_memory(&file, "x", bytes, size, &err) == STATUS_OK);
    CHECK(safetensors_n_tensors(file) == 2);
    const struct checkpoint_tensor *b = safetensors_tensor_at(file, 0);
    CHECK(strcmp(b->name, "b") == 0 && b->dtype == DTYPE_F16 && b->n_dims == 2);
    CHECK(b->shape[0] == 2 && b->shape[1] == 1 && b->size_bytes == 4 && b->data[0] == 8);
    safetensors_close(file);
    free(bytes);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"by_hand", "headers that tell the truth and headers that lie", by_hand},
    {"lengths", "header lengths that cannot be", lengths},
    {"truncation", "every prefix of a file is refused", truncation},
    {"nesting", "a million brackets", nesting},
    {"views", "names, shapes and bytes come out right", views},
};

int main(int argc, char **argv) {
    return harness_main("safetensors", tests, sizeof tests / sizeof *tests, argc, argv);
}
