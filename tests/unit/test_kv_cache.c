// SPDX-License-Identifier: Apache-2.0
// The KV cache: layout, rewind, wiping, and sizes that make no sense.
#include "harness.h"

#include "cache/kv_cache.h"

#include <limits.h>
#include <string.h>

static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
enum { N_LAYERS = 3, N_HEADS = 2, HEAD_DIM = 21, N_POSITIONS = 50 };

static enum test_result check_layout(enum dtype dtype) {
    struct kv_cache cache;
    struct error err;
    size_t n;
    CHECK(kv_cache_init(&cache, dtype, N_LAYERS, N_HEADS, HEAD_DIM, N_POSITIONS, &err) ==
          STATUS_OK);
    CHECK((uintptr_t)cache.memory % 64 == 0);
    // Every part of every head has room of its own: fill each with its number, then look.
    for (int i = 0; i < N_LAYERS * N_HEADS * KV_PARTS; i++) {
        int layer = i / KV_PARTS / N_HEADS, head = i / KV_PARTS % N_HEADS;
        uint8_t *part =
            kv_cache_part(&cache, layer, head, (enum kv_part)(i % KV_PARTS), N_POSITIONS, &n);
        CHECK((uintptr_t)part % 64 == 0 && part + n <= cache.memory + cache.size_bytes);
        memset(part, i + 1, n);
    }
    for (int i = 0; i < N_LAYERS * N_HEADS * KV_PARTS; i++) {
        int layer = i / KV_PARTS / N_HEADS, head = i / KV_PARTS % N_HEADS;
        const uint8_t *part =
            kv_cache_part(&cache, layer, head, (enum kv_part)(i % KV_PARTS), N_POSITIONS, &n);
        CHECK((n > 0) == (dtype == DTYPE_I8 || i % KV_PARTS <= KV_VALUES));
        for (size_t at = 0; at < n; at++)
            CHECK(part[at] == i + 1);
        struct kv_head one = kv_cache_head(&cache, layer, head);
        const void *places[] = {one.keys, one.values, one.key_scales, one.value_scales};
        CHECK(n == 0 ? places[i % KV_PARTS] == NULL : places[i % KV_PARTS] == part);
    }
    cache.n_written = N_POSITIONS;
    kv_cache_deinit(&cache);
    CHECK(cache.memory == NULL && cache.size_bytes == 0);
    return TEST_PASS;
}

static enum test_result layout(void) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        CHECK(check_layout(types[i]) == TEST_PASS);
    return TEST_PASS;
}

// Bytes of a whole part that are zero.
static size_t count_zeros(const struct kv_cache *cache, enum kv_part part) {
    size_t n, zeros = 0;
    const uint8_t *bytes = kv_cache_part(cache, 0, 0, part, cache->n_positions_max, &n);
    for (size_t i = 0; i < n; i++)
        zeros += bytes[i] == 0;
    return zeros;
}

static enum test_result clearing(void) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct kv_cache cache;
        struct error err;
        CHECK(kv_cache_init(&cache, types[i], 1, 1, HEAD_DIM, N_POSITIONS, &err) == STATUS_OK);
        memset(cache.memory, 0xff, cache.size_bytes);
        cache.n_written = N_POSITIONS;
        cache.n_used = 32; // no rest
        kv_cache_clear_rest(&cache);
        CHECK(count_zeros(&cache, KV_KEYS) == 0 && count_zeros(&cache, KV_VALUES) == 0);
        cache.n_used = 21; // 11 positions behind it in their tile
        kv_cache_clear_rest(&cache);
        CHECK(count_zeros(&cache, KV_KEYS) == kv_keys_bytes(types[i], HEAD_DIM, 16) / 16 * 11);
        CHECK(count_zeros(&cache, KV_VALUES) == kv_values_bytes(types[i], HEAD_DIM, 16) / 16 * 11);
        CHECK(count_zeros(&cache, KV_KEY_SCALES) == kv_scales_bytes(types[i], 16) / 16 * 11);
        kv_cache_deinit(&cache);
    }
    return TEST_PASS;
}

// Rotating twice gives `size` times the vector, and one that is far out in a single channel is
// spread over all of its piece.
static enum test_result rotation(void) {
    static const int dims[] = {1, 7, 64, 80, 96, 128, 256, 320, 512};
    static const int sizes[] = {1, 1, 64, 16, 32, 128, 256, 64, 256};
    float x[512], once[512], twice[512];
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        int n = dims[i], size = kv_rotation_size(n);
        CHECK(size == sizes[i]);
        for (int j = 0; j < n; j++)
            x[j] = (float)(j * 37 % 101 - 50);
        kv_rotate(x, once, n, size);
        kv_rotate(once, twice, n, size);
        for (int j = 0; j < n; j++)
            CHECK(twice[j] == x[j] * (float)size);
        memset(x, 0, sizeof x);
        x[n / 2] = -3;
        kv_rotate(x, once, n, size);
        for (int j = 0; j < n; j++)
            CHECK((once[j] == 3 || once[j] == -3) == (j / size == n / 2 / size));
    }
    return TEST_PASS;
}

static enum test_result rewinding(void) {
    struct kv_cache cache;
    struct error err;
    CHECK(kv_cache_init(&cache, DTYPE_F16, 1, 1, 8, 10, &err) == STATUS_OK);
    cache.n_used = cache.n_written = 7;
    kv_cache_rewind(&cache, 9);
    CHECK(cache.n_used == 7);
    kv_cache_rewind(&cache, 4);
    CHECK(cache.n_used == 4 && cache.n_written == 7);
    kv_cache_rewind(&cache, -3);
    CHECK(cache.n_used == 0);
    kv_cache_deinit(&cache);
    kv_cache_deinit(&cache); // harmless twice
    return TEST_PASS;
}

static enum test_result refused(void) {
    struct kv_cache cache;
    struct error err;
    CHECK(kv_cache_init(&cache, DTYPE_Q8_0, 1, 1, 8, 10, &err) == STATUS_UNSUPPORTED);
    CHECK(kv_cache_init(&cache, DTYPE_F32, 0, 1, 8, 10, &err) == STATUS_USAGE);
    CHECK(kv_cache_init(&cache, DTYPE_F32, 1, 1, 8, -1, &err) == STATUS_USAGE);
    CHECK(kv_cache_init(&cache, DTYPE_F32, INT_MAX, INT_MAX, INT_MAX, INT_MAX, &err) ==
          STATUS_NO_MEMORY);
    CHECK(kv_cache_init(&cache, DTYPE_F32, 512, 4096, 4096, INT_MAX, &err) == STATUS_NO_MEMORY);
    CHECK(cache.memory == NULL);
    kv_cache_deinit(&cache);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"layout", "parts, heads and layers do not overlap, in all types", layout},
    {"clearing", "what is left behind the last position is cleared, nothing else", clearing},
    {"rotation", "the rotation of 8-bit keys is its own inverse and spreads outliers", rotation},
    {"rewinding", "rewind lowers n_used only", rewinding},
    {"refused", "impossible sizes and types are refused", refused},
};

int main(int argc, char **argv) {
    return harness_main("kv_cache", tests, sizeof tests / sizeof tests[0], argc, argv);
}
