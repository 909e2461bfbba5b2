// SPDX-License-Identifier: Apache-2.0
// The KV cache and its pool: layout, rewind, sharing, wiping, and sizes that make no sense.
#include "harness.h"

#include "cache/kv_cache.h"

#include <limits.h>
#include <string.h>

static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
enum { N_LAYERS = 3, N_HEADS = 2, HEAD_DIM = 21, N_POSITIONS = 150 };

static int fill_number(int page, int layer, int head, int part) {
    return 1 + ((page * N_LAYERS + layer) * N_HEADS + head) * KV_PARTS + part;
}

// Fills every part of every page (write), or looks whether it holds what was filled in.
static bool visit_parts(const struct kv_cache *cache, bool write) {
    for (int page = 0; page < cache->n_pages; page++)
        for (int i = 0; i < N_LAYERS * N_HEADS * KV_PARTS; i++) {
            size_t n;
            int layer = i / KV_PARTS / N_HEADS, head = i / KV_PARTS % N_HEADS, part = i % KV_PARTS;
            uint8_t *bytes =
                kv_cache_part(cache, page, layer, head, (enum kv_part)part, KV_PAGE, &n);
            struct kv_head one = kv_cache_head(cache, layer, head);
            struct kv_page at = kv_page_at(&one, page * KV_PAGE + 3);
            const void *places[] = {at.keys, at.values, at.key_scales, at.value_scales};
            if ((uintptr_t)bytes % 64 != 0 || places[part] != bytes) return false;
            if ((n > 0) != (cache->layout.dtype == DTYPE_I8 || part <= KV_VALUES)) return false;
            if (write) memset(bytes, fill_number(page, layer, head, part), n);
            for (size_t byte = 0; byte < n; byte++)
                if (bytes[byte] != fill_number(page, layer, head, part)) return false;
        }
    return true;
}

static enum test_result check_layout(enum dtype dtype) {
    struct kv_cache cache;
    struct error err;
    uint64_t n_bytes;
    CHECK(kv_cache_init(&cache, dtype, N_LAYERS, N_HEADS, HEAD_DIM, N_POSITIONS, &err) ==
          STATUS_OK);
    CHECK(cache.n_pages == 0 && kv_cache_pages_wanted(&cache, N_POSITIONS) == 3);
    CHECK(kv_cache_reserve(&cache, N_POSITIONS, &err) == STATUS_OK && cache.n_pages == 3);
    // Every part of every head has room of its own: fill each with its number, then look.
    CHECK(visit_parts(&cache, true) && visit_parts(&cache, false));
    CHECK(kv_cache_bytes(dtype, N_LAYERS, N_HEADS, HEAD_DIM, N_POSITIONS, &n_bytes) &&
          n_bytes == cache.pool->memory_bytes);
    kv_cache_deinit(&cache);
    CHECK(cache.pages == NULL && cache.pool == NULL);
    return TEST_PASS;
}

static enum test_result layout(void) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        CHECK(check_layout(types[i]) == TEST_PASS);
    return TEST_PASS;
}

// Every byte of every block.
static void fill_page(const struct kv_layout *layout, uint8_t *page, int value) {
    for (size_t at = 0; at < layout->page_bytes; at += layout->block_bytes)
        memset(page + at / layout->block_bytes * layout->plane_bytes, value, layout->block_bytes);
}

static size_t count_bytes(const struct kv_layout *layout, const uint8_t *page, int value) {
    size_t n = 0;
    for (size_t at = 0; at < layout->page_bytes; at++)
        n += page[at / layout->block_bytes * layout->plane_bytes + at % layout->block_bytes] ==
             value;
    return n;
}

static size_t count_zero_bytes(const uint8_t *bytes, size_t size_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < size_bytes; i++)
        n += bytes[i] == 0;
    return n;
}

// Bytes of a whole part of the only page that are zero.
static size_t count_zeros(const struct kv_cache *cache, enum kv_part part) {
    size_t n, zeros = 0;
    const uint8_t *bytes = kv_cache_part(cache, 0, 0, 0, part, KV_PAGE, &n);
    for (size_t i = 0; i < n; i++)
        zeros += bytes[i] == 0;
    return zeros;
}

static enum test_result clearing(void) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct kv_cache cache;
        struct error err;
        CHECK(kv_cache_init(&cache, types[i], 1, 1, HEAD_DIM, KV_PAGE, &err) == STATUS_OK);
        CHECK(kv_cache_reserve(&cache, KV_PAGE, &err) == STATUS_OK);
        fill_page(&cache.layout, cache.pages[0], 0xff);
        cache.n_used = 32; // no rest
        CHECK(kv_cache_clear_rest(&cache, &err) == STATUS_OK);
        CHECK(count_zeros(&cache, KV_KEYS) == 0 && count_zeros(&cache, KV_VALUES) == 0);
        cache.n_used = 21; // 11 positions behind it in their tile
        CHECK(kv_cache_clear_rest(&cache, &err) == STATUS_OK);
        CHECK(count_zeros(&cache, KV_KEYS) == kv_keys_bytes(types[i], HEAD_DIM, 16) / 16 * 11);
        CHECK(count_zeros(&cache, KV_VALUES) == kv_values_bytes(types[i], HEAD_DIM, 16) / 16 * 11);
        CHECK(count_zeros(&cache, KV_KEY_SCALES) == kv_scales_bytes(types[i], 16) / 16 * 11);
        kv_cache_deinit(&cache);
    }
    return TEST_PASS;
}

// Pages are handed out until there are none, and come back wiped when nobody refers to them.
static enum test_result pool_pages(void) {
    struct kv_layout plan;
    struct kv_pool pool;
    struct error err;
    uint8_t *pages[3];
    CHECK(kv_layout_init(&plan, DTYPE_F16, N_LAYERS, N_HEADS, HEAD_DIM, &err) == STATUS_OK);
    CHECK(kv_pool_init(&pool, &plan, 0, &err) == STATUS_USAGE);
    CHECK(kv_pool_init(&pool, &plan, 3, &err) == STATUS_OK);
    for (int i = 0; i < 3; i++) {
        pages[i] = kv_pool_take(&pool);
        CHECK(pages[i] && kv_pool_references(&pool, pages[i]) == 1);
        fill_page(&pool.layout, pages[i], 7);
    }
    CHECK(kv_pool_take(&pool) == NULL && kv_pool_used(&pool) == 3);
    kv_pool_retain(&pool, pages[1]);
    kv_pool_release(&pool, pages[1]);
    CHECK(pool.n_free == 0 && pages[1][0] == 7);
    kv_pool_release(&pool, pages[1]);
    CHECK(pool.n_free == 1 && count_bytes(&pool.layout, pages[1], 0) == plan.page_bytes &&
          count_bytes(&pool.layout, pages[0], 7) == plan.page_bytes &&
          count_bytes(&pool.layout, pages[2], 7) == plan.page_bytes);
    CHECK(kv_pool_take(&pool) == pages[1]);
    kv_pool_deinit(&pool);
    CHECK(pool.memory == NULL && pool.n_pages == 0);
    return TEST_PASS;
}

// Two timelines on one pool: whole pages are shared, a page used in part is copied by whoever
// writes first, and only what the writer may see.
static enum test_result sharing(void) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct kv_layout plan;
        struct kv_pool pool;
        struct kv_cache one, other;
        struct error err;
        CHECK(kv_layout_init(&plan, types[i], N_LAYERS, N_HEADS, HEAD_DIM, &err) == STATUS_OK);
        CHECK(kv_pool_init(&pool, &plan, 4, &err) == STATUS_OK);
        CHECK(kv_cache_init_on(&one, &pool, 3 * KV_PAGE, &err) == STATUS_OK);
        CHECK(kv_cache_init_on(&other, &pool, 3 * KV_PAGE, &err) == STATUS_OK);
        CHECK(kv_cache_reserve(&one, 100, &err) == STATUS_OK);
        CHECK(visit_parts(&one, true));
        one.n_used = 100;
        kv_cache_fork(&other, &one, 64 + 21);
        CHECK(other.n_used == 85 && kv_pool_used(&pool) == 2);
        CHECK(kv_pool_references(&pool, one.pages[0]) == 2);
        CHECK(kv_cache_pages_wanted(&other, 1) == 1 && kv_cache_pages_wanted(&one, 1) == 1);
        CHECK(kv_cache_reserve(&other, 1, &err) == STATUS_OK);
        CHECK(other.pages[0] == one.pages[0] && other.pages[1] != one.pages[1]);
        CHECK(kv_cache_pages_wanted(&one, 1) == 0 && visit_parts(&one, false));
        // 32 positions were copied; 11 of them are nobody's business.
        size_t n, zeros = 0, used = kv_keys_bytes(types[i], HEAD_DIM, 16) / 16 * 21;
        const uint8_t *keys = kv_cache_part(&other, 1, 1, 1, KV_KEYS, KV_PAGE, &n);
        for (size_t byte = 0; byte < n; byte++)
            zeros += keys[byte] == 0;
        CHECK(zeros == n - used);
        CHECK(kv_cache_reserve(&one, 80, &err) == STATUS_OK); // the last page
        CHECK(kv_cache_reserve(&other, 80, &err) == STATUS_NO_MEMORY && other.n_pages == 2);
        CHECK(kv_cache_reserve(&other, 108, &err) == STATUS_CONTEXT_FULL);
        kv_cache_trim(&one);
        CHECK(pool.n_free == 1 && one.n_pages == 2);
        kv_cache_deinit(&one);
        CHECK(kv_pool_used(&pool) == 2 && other.pages[0][0] == 1);
        kv_cache_deinit(&other);
        CHECK(kv_pool_used(&pool) == 0 &&
              count_zero_bytes(pool.memory, pool.memory_bytes) == pool.memory_bytes);
        kv_pool_deinit(&pool);
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
    CHECK(kv_cache_reserve(&cache, 7, &err) == STATUS_OK);
    cache.n_used = 7;
    kv_cache_rewind(&cache, 9);
    CHECK(cache.n_used == 7);
    kv_cache_rewind(&cache, 4);
    CHECK(cache.n_used == 4 && cache.n_pages == 1);
    kv_cache_rewind(&cache, -3);
    kv_cache_trim(&cache);
    CHECK(cache.n_used == 0 && cache.n_pages == 0);
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
    CHECK(cache.pages == NULL && cache.pool == NULL);
    kv_cache_deinit(&cache);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"layout", "parts, heads and layers do not overlap, in all types", layout},
    {"clearing", "what is left behind the last position is cleared, nothing else", clearing},
    {"pool_pages", "pages are handed out once and come back wiped", pool_pages},
    {"sharing", "timelines share pages; writing copies what the writer may see", sharing},
    {"rotation", "the rotation of 8-bit keys is its own inverse and spreads outliers", rotation},
    {"rewinding", "rewind lowers n_used only, trim frees what is behind", rewinding},
    {"refused", "impossible sizes and types are refused", refused},
};

int main(int argc, char **argv) {
    return harness_main("kv_cache", tests, sizeof tests / sizeof tests[0], argc, argv);
}
