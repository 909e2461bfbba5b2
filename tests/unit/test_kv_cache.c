// SPDX-License-Identifier: Apache-2.0
// The KV cache: layout, rewind, wiping, and sizes that make no sense.
#include "harness.h"

#include "cache/kv_cache.h"

#include <limits.h>
#include <string.h>

static enum test_result layout(void) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16};
    for (size_t i = 0; i < 2; i++) {
        struct kv_cache cache;
        struct error err;
        CHECK(kv_cache_init(&cache, types[i], 3, 2, 20, 50, &err) == STATUS_OK);
        size_t stride = kv_cache_stride_bytes(&cache);
        CHECK(stride == 20 * (types[i] == DTYPE_F16 ? 2 : 4));
        // Every head of every layer has room of its own: fill each with its number, then look.
        for (int layer = 0; layer < 3; layer++)
            for (int head = 0; head < 2; head++) {
                memset(kv_cache_keys(&cache, layer, head), 1 + layer * 4 + head, 50 * stride);
                memset(kv_cache_values(&cache, layer, head), 3 + layer * 4 + head, 50 * stride);
            }
        for (int layer = 0; layer < 3; layer++)
            for (int head = 0; head < 2; head++) {
                const uint8_t *keys = kv_cache_keys(&cache, layer, head);
                const uint8_t *values = kv_cache_values(&cache, layer, head);
                CHECK(keys[0] == 1 + layer * 4 + head && keys[50 * stride - 1] == keys[0]);
                CHECK(values[0] == 3 + layer * 4 + head && values[50 * stride - 1] == values[0]);
                CHECK(keys >= cache.memory &&
                      values + 50 * stride <= cache.memory + cache.size_bytes);
            }
        CHECK((uintptr_t)cache.memory % 64 == 0);
        cache.n_written = 50;
        kv_cache_deinit(&cache);
        CHECK(cache.memory == NULL && cache.size_bytes == 0);
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
    {"layout", "heads and layers do not overlap, in f32 and f16", layout},
    {"rewinding", "rewind lowers n_used only", rewinding},
    {"refused", "impossible sizes and types are refused", refused},
};

int main(int argc, char **argv) {
    return harness_main("kv_cache", tests, sizeof tests / sizeof tests[0], argc, argv);
}
