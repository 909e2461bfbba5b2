// SPDX-License-Identifier: Apache-2.0
// Storing keys and values: every byte of the tiles against the layout of numeric/kv_tiles.h,
// spelled out here once more; what belongs to other positions must stay.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/float16.h"

#include <math.h>
#include <string.h>

enum { TRIALS = 400, POSITIONS_MAX = 150, HEAD_MAX = 260 };

static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};

// Element i of a vector as stored: the low bytes of the result, as many as the type has.
static uint32_t stored(enum dtype dtype, const float *x, int n, int i, float scale) {
    if (i >= n) return 0;
    if (dtype == DTYPE_F32) return float_to_bits(x[i]);
    if (dtype == DTYPE_F16) return float_to_f16(x[i]);
    if (dtype == DTYPE_BF16) return float_to_bf16(x[i]);
    return (uint8_t)(int8_t)(scale > 0 ? rintf(x[i] * (1.0f / scale)) : 0.0f);
}

static float expected_scale(const float *x, int n) {
    float largest = 0;
    bool is_finite = true;
    for (int i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
        is_finite = is_finite && isfinite(x[i]);
    }
    if (!is_finite) return NAN;
    return largest < 0x1p-120f ? 0.0f : largest / 127.0f;
}

static void put(uint8_t *memory, size_t index, size_t size, uint32_t value) {
    memcpy(memory + index * size, &value, size); // little-endian, like every machine we run on
}

// What a correct kv_store makes of the copy in `kv`.
static void store_expected(const struct kv_store_args *args, const struct kv_page *kv) {
    enum dtype dtype = args->kv.dtype;
    size_t size = dtype == DTYPE_F32 ? 4 : dtype == DTYPE_I8 ? 1 : 2;
    size_t unit = dtype == DTYPE_BF16 ? 2 : dtype == DTYPE_I8 ? 4 : 1; // elements side by side
    size_t dim = (size_t)args->head_dim, lines = (dim + unit - 1) / unit;
    size_t position = (size_t)args->position % 64, tile = position / 16, lane = position % 16;
    float rotated[HEAD_MAX];
    const float *keys = dtype == DTYPE_I8 ? rotated : args->keys;
    kv_rotate(args->keys, rotated, args->head_dim, kv_rotation_size(args->head_dim));
    float key_scale = expected_scale(keys, args->head_dim);
    float value_scale = expected_scale(args->values, args->head_dim);
    for (size_t i = 0; i < lines * unit; i++)
        put(kv->keys, ((tile * lines + i / unit) * 16 + lane) * unit + i % unit, size,
            stored(dtype, keys, args->head_dim, (int)i, key_scale));
    for (size_t i = 0; i < dim; i++) {
        size_t at =
            dtype == DTYPE_BF16 ? (position / 2 * dim + i) * 2 + position % 2 : position * dim + i;
        put(kv->values, at, size, stored(dtype, args->values, args->head_dim, (int)i, value_scale));
    }
    if (dtype != DTYPE_I8) return;
    kv->key_scales[position] = key_scale;
    kv->value_scales[position] = value_scale;
}

// The page that is written and what it should become; there is no other.
struct memory {
    enum dtype dtype;
    size_t page_bytes;
    uint8_t *pages[POSITIONS_MAX / KV_PAGE + 1];
    struct kv_head tested;
    struct kv_page expected;
};

static void place_memory(struct memory *memory, enum dtype dtype, int head_dim, int position) {
    bool at_end = random_between(0, 1);
    const size_t sizes[KV_PARTS] = {
        kv_keys_bytes(dtype, head_dim, KV_PAGE), kv_values_bytes(dtype, head_dim, KV_PAGE),
        kv_scales_bytes(dtype, KV_PAGE), kv_scales_bytes(dtype, KV_PAGE)};
    memset(memory, 0, sizeof *memory);
    for (int part = 0; part < KV_PARTS; part++) {
        memory->tested.offsets[part] = memory->page_bytes;
        memory->page_bytes += (sizes[part] + 63) / 64 * 64;
    }
    uint8_t *page = guarded_new(memory->page_bytes, at_end);
    uint8_t *copy = guarded_new(memory->page_bytes, at_end);
    for (size_t i = 0; i < memory->page_bytes; i++)
        page[i] = copy[i] = (uint8_t)random_bits();
    memory->tested.dtype = dtype;
    memory->tested.pages = memory->pages;
    memory->pages[position / KV_PAGE] = copy;
    memory->expected = kv_page_at(&memory->tested, position);
    memory->pages[position / KV_PAGE] = page;
}

// NaN has many patterns; any will do where one is expected.
static void forgive_nan(const struct kv_page *tested, const struct kv_page *expected,
                        int position) {
    if (isnan(expected->key_scales[position]) && isnan(tested->key_scales[position]))
        tested->key_scales[position] = expected->key_scales[position];
    if (isnan(expected->value_scales[position]) && isnan(tested->value_scales[position]))
        tested->value_scales[position] = expected->value_scales[position];
}

static bool run_trial(const struct check_context *context, int trial) {
    static const enum data_mode modes[] = {DATA_RANDOM,   DATA_RANDOM, DATA_EXTREME, DATA_ZERO,
                                           DATA_DENORMAL, DATA_HUGE,   DATA_DAMAGED};
    enum dtype dtype = types[trial % 4];
    enum data_mode mode = modes[trial / 4 % 7];
    int head_dim = trial % 3 ? 8 * random_between(1, 32) : random_between(1, HEAD_MAX);
    int position = random_between(0, POSITIONS_MAX - 1);
    struct memory memory;
    place_memory(&memory, dtype, head_dim, position);
    float *keys = guarded_new((size_t)head_dim * sizeof(float), random_between(0, 1));
    float *values = guarded_new((size_t)head_dim * sizeof(float), random_between(0, 1));
    random_activations(keys, head_dim, mode);
    random_activations(values, head_dim, mode);
    if (trial % 11 == 0) values[random_between(0, head_dim - 1)] = -INFINITY;
    struct kv_store_args args = {memory.tested, keys, values, position, head_dim};
    context->tested.kv_store(&args);
    store_expected(&args, &memory.expected);
    struct kv_page stored_page = kv_page_at(&memory.tested, position);
    if (dtype == DTYPE_I8) forgive_nan(&stored_page, &memory.expected, position % KV_PAGE);
    bool same = memcmp(stored_page.keys, memory.expected.keys, memory.page_bytes) == 0;
    if (!guarded_release()) return check_failed("wrote outside its buffers");
    if (same) return true;
    return check_failed("%s, head_dim %d, position %d, %s data: wrong bytes",
                        dtype_info(dtype)->name, head_dim, position, data_mode_names[mode]);
}

bool check_kv_store(const struct check_context *context) {
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++)
        if (!run_trial(context, trial)) return false;
    return true;
}
