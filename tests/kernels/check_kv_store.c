// SPDX-License-Identifier: Apache-2.0
// Storing keys and values: every byte of the tiles against the layout of numeric/kv_tiles.h,
// spelled out here once more; what belongs to other positions must stay.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/float16.h"

#include <math.h>
#include <string.h>

enum { TRIALS = 400, POSITIONS_MAX = 70, HEAD_MAX = 260 };

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
static void store_expected(const struct kv_store_args *args, const struct kv_head *kv) {
    enum dtype dtype = kv->dtype;
    size_t size = dtype == DTYPE_F32 ? 4 : dtype == DTYPE_I8 ? 1 : 2;
    size_t unit = dtype == DTYPE_BF16 ? 2 : dtype == DTYPE_I8 ? 4 : 1; // elements side by side
    size_t dim = (size_t)args->head_dim, lines = (dim + unit - 1) / unit;
    size_t position = (size_t)args->position, tile = position / 16, lane = position % 16;
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

struct memory {
    size_t keys_bytes, values_bytes, scales_bytes;
    struct kv_head tested, expected;
};

static void *random_copy(void **expected, size_t size_bytes, bool at_end) {
    uint8_t *memory = guarded_new(size_bytes, at_end);
    uint8_t *copy = guarded_new(size_bytes, at_end);
    for (size_t i = 0; i < size_bytes; i++)
        memory[i] = copy[i] = (uint8_t)random_bits();
    *expected = copy;
    return memory;
}

static struct memory new_memory(enum dtype dtype, int head_dim, int n_positions) {
    struct memory memory = {.keys_bytes = kv_keys_bytes(dtype, head_dim, n_positions),
                            .values_bytes = kv_values_bytes(dtype, head_dim, n_positions),
                            .scales_bytes = kv_scales_bytes(dtype, n_positions)};
    bool at_end = random_between(0, 1);
    void *copy;
    memory.tested.dtype = memory.expected.dtype = dtype;
    memory.tested.keys = random_copy(&memory.expected.keys, memory.keys_bytes, at_end);
    memory.tested.values = random_copy(&memory.expected.values, memory.values_bytes, at_end);
    if (dtype != DTYPE_I8) return memory;
    memory.tested.key_scales = random_copy(&copy, memory.scales_bytes, at_end);
    memory.expected.key_scales = copy;
    memory.tested.value_scales = random_copy(&copy, memory.scales_bytes, at_end);
    memory.expected.value_scales = copy;
    return memory;
}

// NaN has many patterns; any will do where one is expected.
static void forgive_nan(struct kv_head *tested, const struct kv_head *expected, int position) {
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
    int n_positions = random_between(1, POSITIONS_MAX),
        position = random_between(0, n_positions - 1);
    struct memory memory = new_memory(dtype, head_dim, n_positions);
    float *keys = guarded_new((size_t)head_dim * sizeof(float), random_between(0, 1));
    float *values = guarded_new((size_t)head_dim * sizeof(float), random_between(0, 1));
    random_activations(keys, head_dim, mode);
    random_activations(values, head_dim, mode);
    if (trial % 11 == 0) values[random_between(0, head_dim - 1)] = -INFINITY;
    struct kv_store_args args = {memory.tested, keys, values, position, head_dim};
    context->tested.kv_store(&args);
    store_expected(&args, &memory.expected);
    if (dtype == DTYPE_I8) forgive_nan(&memory.tested, &memory.expected, position);
    bool same = memcmp(memory.tested.keys, memory.expected.keys, memory.keys_bytes) == 0 &&
                memcmp(memory.tested.values, memory.expected.values, memory.values_bytes) == 0;
    if (same && dtype == DTYPE_I8)
        same = memcmp(memory.tested.key_scales, memory.expected.key_scales, memory.scales_bytes) ==
                   0 &&
               memcmp(memory.tested.value_scales, memory.expected.value_scales,
                      memory.scales_bytes) == 0;
    if (!guarded_release()) return check_failed("wrote outside its buffers");
    if (same) return true;
    return check_failed("%s, head_dim %d, position %d of %d, %s data: wrong bytes",
                        dtype_info(dtype)->name, head_dim, position, n_positions,
                        data_mode_names[mode]);
}

bool check_kv_store(const struct check_context *context) {
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++)
        if (!run_trial(context, trial)) return false;
    return true;
}
