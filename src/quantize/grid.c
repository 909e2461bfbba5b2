// SPDX-License-Identifier: Apache-2.0
// Exact arithmetic in units of the smallest half float, 2^-24: half floats and what a few of them
// make by adding and multiplying with small integers are whole numbers of units below 2^53. The
// greatest common divisor of the values bounds the scale from above; the largest half float that
// divides it and leaves integers in range is the scale.
#include "quantize/grid.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"

#include <math.h>

enum { GROUP = 16, N_GROUPS = BLOCK_SUPER / GROUP };

// False if a value is no whole number of units.
static bool count_units(const float *x, int n, int64_t *units) {
    for (int i = 0; i < n; i++) {
        double scaled = (double)x[i] * 0x1p24; // exact
        if (!(fabs(scaled) < 0x1p53)) return false;
        units[i] = (int64_t)scaled;
        if ((double)units[i] != scaled) return false;
    }
    return true;
}

static bool half_from_units(int64_t units, uint16_t *half) {
    double value = (double)units * 0x1p-24;
    if (!(fabs(value) <= 65504)) return false;
    *half = float_to_f16((float)value);
    return (double)float_from_f16(*half) == value;
}

static uint64_t magnitude(int64_t value) {
    return value < 0 ? (uint64_t)-value : (uint64_t)value;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

// What the units have in common, 0 if all are 0. Gives up (false) when it is certain that the
// largest would need an integer above `reach`.
static bool divide_all(const int64_t *units, int n, uint64_t reach, uint64_t *divisor) {
    uint64_t most = 0, common = 0;
    for (int i = 0; i < n; i++) {
        if (magnitude(units[i]) > most) most = magnitude(units[i]);
    }
    for (int i = 0; i < n; i++) {
        uint64_t value = magnitude(units[i]);
        if (value == 0 || (common != 0 && value % common == 0)) continue;
        common = common_divisor(value, common);
        if (most / common > reach) return false;
    }
    *divisor = common;
    return common == 0 || most / common <= reach;
}

// units[i] = units[i] / divisor, which leaves no rest: exact in floating point, and in vectors.
static void divide(int64_t *units, int n, int64_t divisor) {
    for (int i = 0; i < n; i++) {
        units[i] = (int64_t)((double)units[i] / (double)divisor);
    }
}

struct range {
    int64_t least, most;
};

static struct range range_of(const int64_t *units, int n) {
    struct range range = {units[0], units[0]};
    for (int i = 1; i < n; i++) {
        if (units[i] < range.least) range.least = units[i];
        if (units[i] > range.most) range.most = units[i];
    }
    return range;
}

static bool fits(struct range range, int64_t factor, int64_t lo, int64_t hi) {
    int64_t a = range.least * factor, b = range.most * factor;
    return factor > 0 ? a >= lo && b <= hi : b >= lo && a <= hi;
}

bool grid_find_scale(const float *x, int lo, int hi, uint16_t *d, int *q) {
    int64_t units[BLOCK_SMALL];
    uint64_t common;
    if (!count_units(x, BLOCK_SMALL, units)) return false;
    if (!divide_all(units, BLOCK_SMALL, (uint64_t)-lo, &common)) return false;
    const int64_t divisor = common == 0 ? 1 : (int64_t)common;
    divide(units, BLOCK_SMALL, divisor);
    if (common == 0) {
        *d = 0;
        memset(q, 0, BLOCK_SMALL * sizeof *q);
        return true;
    }
    const struct range range = range_of(units, BLOCK_SMALL);
    for (int64_t times = 1;; times++) {
        bool positive = fits(range, times, lo, hi);
        if (!positive && !fits(range, -times, lo, hi)) return false;
        if (divisor % times != 0 || !half_from_units(divisor / times, d)) continue;
        if (!positive) *d ^= 0x8000;
        for (int i = 0; i < BLOCK_SMALL; i++) {
            q[i] = (int)(positive ? units[i] * times : -units[i] * times);
        }
        return true;
    }
}

// The half float at or below value, which is a whole number of units within the halves' range.
static uint16_t half_below(float value) {
    uint16_t half = float_to_f16(value);
    if (float_from_f16(half) > value) half = (uint16_t)(value > 0 ? half - 1 : half + 1);
    return half;
}

void grid_constant(float value, uint16_t *d, uint16_t *m) {
    value = value > 65504 ? 65504 : value < -65504 ? -65504 : value;
    *m = half_below(value);
    *d = float_to_f16(value - float_from_f16(*m));
}

// Values all alike: a half float, or one and its rest.
static bool find_constant(int64_t units, uint16_t *d, uint16_t *m, int *q) {
    double value = (double)units * 0x1p-24;
    if (!(fabs(value) <= 65504)) return false;
    *m = half_below((float)value);
    int64_t rest = units - (int64_t)((double)float_from_f16(*m) * 0x1p24);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        q[i] = rest != 0;
    }
    return half_from_units(rest, d);
}

bool grid_find_affine(const float *x, int hi, uint16_t *d, uint16_t *m, int *q) {
    int64_t units[BLOCK_SMALL];
    uint64_t common;
    if (!count_units(x, BLOCK_SMALL, units)) return false;
    const struct range range = range_of(units, BLOCK_SMALL);
    if (range.least == range.most) return find_constant(range.least, d, m, q);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        units[i] -= range.least;
    }
    if (!divide_all(units, BLOCK_SMALL, (uint64_t)hi, &common)) return false;
    const int64_t divisor = (int64_t)common, steps = (range.most - range.least) / divisor;
    divide(units, BLOCK_SMALL, divisor);
    for (int64_t times = 1; times * steps <= hi; times++) {
        if (divisor % times != 0 || !half_from_units(divisor / times, d)) continue;
        for (int64_t first = 0; times * steps + first <= hi; first++) {
            if (!half_from_units(range.least - first * (divisor / times), m)) continue;
            for (int i = 0; i < BLOCK_SMALL; i++) {
                q[i] = (int)(units[i] * times + first);
            }
            return true;
        }
    }
    return false;
}

static uint16_t round_to(uint16_t half, double grain) {
    return float_to_f16((float)(nearbyint((double)float_from_f16(half) / grain) * grain));
}

void grid_align(int hi, uint16_t *d, uint16_t *m) {
    double scale = float_from_f16(*d), offset = float_from_f16(*m);
    double top = fmax(fabs(offset), fabs(offset + hi * scale));
    if (top < 1) return; // whole numbers of units below 2^24
    int exponent;
    frexp(top, &exponent);
    double grain = ldexp(1, exponent - 23); // one bit to spare
    *d = round_to(*d, grain);
    *m = round_to(*m, grain);
}

// ---- Scales of groups ---------------------------------------------------------------------------

// A group's values as integers without a common divisor, times that divisor.
struct group {
    int64_t divisor; // 0: all values are 0
    struct range range;
};

// scale * repeat = divisor / d, repeat * (values without divisor) in -32..31: the first of both
// that is in range. False if there is none.
static bool choose_group(const struct group *group, int64_t d, int64_t *scale, int64_t *repeat) {
    const int64_t ratio = group->divisor / d; // negative with d
    *scale = *repeat = 0;
    if (group->divisor == 0) return true;
    for (int64_t times = 1; times <= 32; times++) {
        if (ratio % times != 0) continue;
        for (int64_t sign = 1; sign >= -1; sign -= 2) {
            int64_t candidate = sign * ratio / times;
            if (candidate < -128 || candidate > 127) continue;
            if (!fits(group->range, sign * times, -32, 31)) continue;
            *scale = candidate, *repeat = sign * times;
            return true;
        }
    }
    return false;
}

static bool choose_groups(const struct group groups[N_GROUPS], int64_t d, int64_t repeats[N_GROUPS],
                          struct grid_groups *found) {
    for (int g = 0; g < N_GROUPS; g++) {
        int64_t scale;
        if (!choose_group(&groups[g], d, &scale, &repeats[g])) return false;
        found->scale[g] = (int8_t)scale;
    }
    return true;
}

// Leaves the integers without their divisors in units.
static bool split_groups(int64_t *units, struct group groups[N_GROUPS]) {
    for (int g = 0; g < N_GROUPS; g++) {
        int64_t *own = units + GROUP * g;
        uint64_t divisor;
        if (!divide_all(own, GROUP, 32, &divisor)) return false;
        if (divisor != 0) divide(own, GROUP, (int64_t)divisor);
        groups[g] = (struct group){(int64_t)divisor, range_of(own, GROUP)};
    }
    return true;
}

bool grid_find_groups(const float *x, struct grid_groups *found) {
    enum { REACH = 128 * 32 };
    int64_t units[BLOCK_SUPER], repeats[N_GROUPS];
    struct group groups[N_GROUPS];
    uint64_t common;
    *found = (struct grid_groups){0};
    if (!count_units(x, BLOCK_SUPER, units)) return false;
    if (!divide_all(units, BLOCK_SUPER, REACH, &common)) return false;
    if (common == 0) return true;
    if (!split_groups(units, groups)) return false;
    for (int64_t times = 1; times <= REACH; times++) {
        if ((int64_t)common % times != 0) continue;
        int64_t d = (int64_t)common / times;
        if (!half_from_units(d, &found->d)) continue;
        for (int sign = 0; sign < 2; sign++, d = -d, found->d ^= 0x8000) {
            if (!choose_groups(groups, d, repeats, found)) continue;
            for (int e = 0; e < BLOCK_SUPER; e++) {
                found->q[e] = (int8_t)(units[e] * repeats[e / GROUP]);
            }
            return true;
        }
    }
    return false;
}
