// SPDX-License-Identifier: Apache-2.0
// Number formats, bit for bit against numeric/float16.h: all 65,536 halves, and floats of every
// exponent. A NaN must stay a NaN; its payload is free.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/float16.h"

#include <math.h>

enum { FLOATS = 40000 };

typedef void (*narrow_function)(const float *x, uint16_t *out, int n);
typedef void (*widen_function)(const uint16_t *x, float *out, int n);

static bool check_narrow(narrow_function narrow, uint16_t (*expected)(float),
                         float (*back)(uint16_t)) {
    for (int length = 0, done = 0; done < FLOATS; length++) {
        int n = length < 70 ? length : 4000 + length;
        float *x = guarded_new((size_t)n * sizeof *x, length % 2);
        uint16_t *out = guarded_new((size_t)n * sizeof *out, length % 2);
        for (int i = 0; i < n; i++) {
            x[i] = float_from_bits(random_bits());
            // half of them near the places where rounding decides
            if (i % 2)
                x[i] = float_from_bits((float_to_bits(x[i]) & 0xfffff000u) + random_bits() % 3);
            if (i % 4 == 3) x[i] = random_float(-70000, 70000);
        }
        narrow(x, out, n);
        for (int i = 0; i < n; i++) {
            if (isnan(x[i]) ? isnan(back(out[i])) : out[i] == expected(x[i])) continue;
            return check_failed("%a: 0x%04x, not 0x%04x", (double)x[i], out[i], expected(x[i]));
        }
        if (!guarded_release()) return check_failed("wrote outside its buffers, n %d", n);
        done += n;
    }
    return true;
}

static bool check_widen(widen_function widen, float (*expected)(uint16_t)) {
    for (int first = 0, length = 0; first < 65536; length++) {
        int n = length < 70 ? length : 3001;
        if (n > 65536 - first) n = 65536 - first;
        uint16_t *x = guarded_new((size_t)n * sizeof *x, length % 2);
        float *out = guarded_new((size_t)n * sizeof *out, length % 2);
        for (int i = 0; i < n; i++)
            x[i] = (uint16_t)(first + i);
        widen(x, out, n);
        for (int i = 0; i < n; i++) {
            float value = expected(x[i]);
            if (isnan(value) ? isnan(out[i]) : float_to_bits(out[i]) == float_to_bits(value))
                continue;
            return check_failed("0x%04x: %a, not %a", x[i], (double)out[i], (double)value);
        }
        if (!guarded_release()) return check_failed("wrote outside its buffers, n %d", n);
        first += n;
    }
    return true;
}

bool check_to_f16(const struct check_context *context) {
    return check_narrow(context->tested.to_f16, float_to_f16, float_from_f16);
}

bool check_from_f16(const struct check_context *context) {
    return check_widen(context->tested.from_f16, float_from_f16);
}

bool check_to_bf16(const struct check_context *context) {
    return check_narrow(context->tested.to_bf16, float_to_bf16, float_from_bf16);
}

bool check_from_bf16(const struct check_context *context) {
    return check_widen(context->tested.from_bf16, float_from_bf16);
}
