// SPDX-License-Identifier: Apache-2.0
// Numbers: any (of a bounded length), within bounds digit by digit, or multiples.
#include "grammar/schema_compiler.h"
#include "grammar/text_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MULTIPLES_MAX = 10000, // that are listed
    RESIDUES_MAX = 100,    // of a multiple without bounds
    DIGITS_FREE = 15,      // of a number without bounds: exact in a double
    DIGITS_MAX = 19,
    SCALE_SHOWN = 2 // digits behind the point at least, where bounds allow any
};

static const uint64_t ten_to[DIGITS_MAX + 1] = {1u,
                                                10u,
                                                100u,
                                                1000u,
                                                10000u,
                                                100000u,
                                                1000000u,
                                                10000000u,
                                                100000000u,
                                                1000000000u,
                                                10000000000u,
                                                100000000000u,
                                                1000000000000u,
                                                10000000000000u,
                                                100000000000000u,
                                                1000000000000000u,
                                                10000000000000000u,
                                                100000000000000000u,
                                                1000000000000000000u,
                                                10000000000000000000u};

// ---- Any number --------------------------------------------------------------------------------

static struct fragment digit_range(struct grammar_builder *b, char first, char last) {
    struct byte_set set = {{0}};
    byte_set_add(&set, (uint8_t)first, (uint8_t)last);
    return build_byte_set(b, &set);
}

static uint32_t integer_rule(struct schema_compiler *c) {
    struct grammar_builder *b = &c->builder;
    if (c->integer != SCHEMA_NONE) return c->integer;
    struct fragment ways[2];
    ways[0] = build_text(b, "0", 1);
    ways[1] = build_join(b, digit_range(b, '1', '9'),
                         build_repeat(b, digit_range(b, '0', '9'), 0, DIGITS_FREE - 1));
    c->integer = build_rule(b);
    // "-0" is 0 to some and a number of its own to others.
    struct fragment negative =
        build_join(b, build_text(b, "-", 1),
                   build_join(b, digit_range(b, '1', '9'),
                              build_repeat(b, digit_range(b, '0', '9'), 0, DIGITS_FREE - 1)));
    struct fragment signs[2] = {build_choice(b, ways, 2), negative};
    build_define(b, c->integer, build_choice(b, signs, 2));
    return c->integer;
}

static uint32_t number_rule(struct schema_compiler *c) {
    struct grammar_builder *b = &c->builder;
    if (c->number != SCHEMA_NONE) return c->number;
    struct byte_set letters = {{0}}, signs = {{0}};
    byte_set_add(&letters, 'e', 'e');
    byte_set_add(&letters, 'E', 'E');
    byte_set_add(&signs, '+', '+');
    byte_set_add(&signs, '-', '-');
    uint32_t integer = integer_rule(c);
    struct fragment point = build_join(b, build_text(b, ".", 1),
                                       build_repeat(b, digit_range(b, '0', '9'), 1, DIGITS_FREE));
    struct fragment power = build_join(b,
                                       build_join(b, build_byte_set(b, &letters),
                                                  build_repeat(b, build_byte_set(b, &signs), 0, 1)),
                                       build_repeat(b, digit_range(b, '0', '9'), 1, 2));
    struct fragment whole[2] = {build_call(b, integer), build_text(b, "-0.", 3)};
    whole[0] = build_join(b, whole[0], build_repeat(b, point, 0, 1));
    whole[1] = build_join(b, whole[1], build_repeat(b, digit_range(b, '0', '9'), 1, DIGITS_FREE));
    c->number = build_rule(b);
    build_define(b, c->number,
                 build_join(b, build_choice(b, whole, 2), build_repeat(b, power, 0, 1)));
    return c->number;
}

// ---- Ranges ------------------------------------------------------------------------------------

// The ways on after some digits: both bounds' digits so far, the lower's, the upper's, neither's.
struct digit_ways {
    uint32_t both, low, high, free;
};

static uint32_t before_digit(struct grammar_builder *b, unsigned first, unsigned last,
                             uint32_t next) {
    if (first > last) return GRAMMAR_FAIL;
    return build_before(b, digit_range(b, (char)('0' + first), (char)('0' + last)), next);
}

static uint32_t fork3(struct grammar_builder *b, uint32_t x, uint32_t y, uint32_t z) {
    const uint32_t ways[3] = {x, y, z};
    return build_fork(b, ways, 3);
}

// Numbers of n digits from low to high, the last `scale` of them behind a point.
static uint32_t digits_between(struct grammar_builder *b, uint64_t low, uint64_t high, int n,
                               int scale, uint32_t next) {
    struct digit_ways w = {next, next, next, next};
    for (int place = 0; place < n; place++) { // from the last digit
        unsigned x = (unsigned)(low / ten_to[place] % 10),
                 y = (unsigned)(high / ten_to[place] % 10);
        struct digit_ways v;
        v.free = before_digit(b, 0, 9, w.free);
        v.low =
            fork3(b, before_digit(b, x, x, w.low), before_digit(b, x + 1, 9, w.free), GRAMMAR_FAIL);
        v.high = fork3(b, before_digit(b, y, y, w.high),
                       y > 0 ? before_digit(b, 0, y - 1, w.free) : GRAMMAR_FAIL, GRAMMAR_FAIL);
        v.both = x == y ? before_digit(b, x, x, w.both)
                        : fork3(b, before_digit(b, x, x, w.low),
                                x + 1 < y ? before_digit(b, x + 1, y - 1, w.free) : GRAMMAR_FAIL,
                                before_digit(b, y, y, w.high));
        w = v;
        if (place + 1 != scale) continue;
        w.both = build_before(b, build_text(b, ".", 1), w.both);
        w.low = build_before(b, build_text(b, ".", 1), w.low);
        w.high = build_before(b, build_text(b, ".", 1), w.high);
        w.free = build_before(b, build_text(b, ".", 1), w.free);
    }
    return w.both;
}

// low to high without superfluous zeros in front.
static uint32_t magnitudes_between(struct grammar_builder *b, uint64_t low, uint64_t high,
                                   int scale, uint32_t next) {
    uint32_t way = GRAMMAR_FAIL;
    for (int n = scale + 1; n <= DIGITS_MAX && low <= high; n++) {
        uint64_t last = high < ten_to[n] - 1 ? high : ten_to[n] - 1;
        if (low > last) continue;
        way = fork3(b, way, digits_between(b, low, last, n, scale, next), GRAMMAR_FAIL);
        low = last + 1;
    }
    return way;
}

// digits / 10^scale from low to high.
static uint32_t numbers_between(struct grammar_builder *b, int64_t low, int64_t high, int scale,
                                uint32_t next) {
    uint32_t positive = GRAMMAR_FAIL, negative = GRAMMAR_FAIL;
    if (high >= 0)
        positive = magnitudes_between(b, low > 0 ? (uint64_t)low : 0, (uint64_t)high, scale, next);
    if (low < 0 && low <= high)
        negative = build_before(
            b, build_text(b, "-", 1),
            magnitudes_between(b, high < 0 ? (uint64_t)-high : 1, (uint64_t)-low, scale, next));
    return fork3(b, positive, negative, GRAMMAR_FAIL);
}

// The bounds in units of 10^-scale, rounded inwards; a missing one is far away. false: they need
// more digits than a number here has.
static bool bounds_at(const struct schema_shape *s, int scale, int64_t *low, int64_t *high) {
    const int64_t far = (int64_t)ten_to[DIGITS_FREE] - 1, limit = (int64_t)ten_to[18];
    const struct schema_bound *bounds[2] = {&s->lower, &s->upper};
    __int128 at[2];
    for (int i = 0; i < 2; i++) {
        int64_t outwards = i == 0 ? -1 : 1;
        at[i] = (__int128)outwards * far;
        if (!bounds[i]->is_set) continue;
        int64_t divisor = bounds[i]->scale > scale ? (int64_t)ten_to[bounds[i]->scale - scale] : 1;
        int64_t factor = bounds[i]->scale < scale ? (int64_t)ten_to[scale - bounds[i]->scale] : 1;
        __int128 scaled = (__int128)bounds[i]->digits * factor;
        __int128 quotient = scaled / divisor, rest = scaled % divisor;
        at[i] = quotient;
        bool beyond = i == 0 ? rest > 0 : rest < 0; // division goes towards 0
        if (beyond || (rest == 0 && bounds[i]->excludes)) at[i] -= outwards;
    }
    // One bound beyond what a missing one would be: some room behind it.
    if (!s->upper.is_set && at[0] > at[1]) at[1] = at[0] + far;
    if (!s->lower.is_set && at[1] < at[0]) at[0] = at[1] - far;
    *low = (int64_t)at[0];
    *high = (int64_t)at[1];
    return at[0] > -limit && at[0] < limit && at[1] > -limit && at[1] < limit;
}

static enum status refuse(const struct schema_compiler *c, const struct schema_set *set,
                          const char *keyword, const char *why) {
    for (uint32_t i = 0; i < set->n; i++)
        if (schema_child(&c->document, set->members[i].value, keyword) != SCHEMA_NONE)
            return schema_refuse(c, set->members[i].value, keyword, why);
    return schema_refuse(c, set->members[0].value, "minimum or maximum", why);
}

// ---- Multiples ---------------------------------------------------------------------------------

static enum status build_listed(struct schema_compiler *c, int64_t low, int64_t high, int64_t step,
                                struct fragment *fragment) {
    struct text_tree tree;
    char text[32];
    int64_t first = low / step * step;
    text_tree_init(&tree);
    if (first < low) first += step;
    for (int64_t i = first; i <= high; i += step)
        text_tree_add(&tree, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)i));
    uint32_t end = build_place(&c->builder);
    *fragment = (struct fragment){text_tree_build_any(&tree, &c->builder, end), end};
    text_tree_deinit(&tree);
    return c->builder.status;
}

// Multiples of any size from 0, and below it if `signs`: what is left over so far decides. Digits
// are bounded by layers.
static void build_residues(struct grammar_builder *b, uint32_t m, bool with_zero, bool signs,
                           struct fragment *fragment) {
    uint32_t end = build_place(b), layers[2][RESIDUES_MAX], ways[12], n = 0;
    for (uint32_t r = 0; r < m; r++)
        layers[0][r] = r == 0 ? end : GRAMMAR_FAIL;
    for (int layer = 1; layer < DIGITS_FREE; layer++)
        for (uint32_t r = 0; r < m; r++) {
            n = 0;
            for (uint32_t digit = 0; digit < 10; digit++)
                ways[n++] = before_digit(b, digit, digit, layers[~layer & 1][(r * 10 + digit) % m]);
            if (r == 0) ways[n++] = end;
            layers[layer & 1][r] = build_fork(b, ways, n);
        }
    n = 0;
    for (uint32_t digit = 1; digit < 10; digit++)
        ways[n++] = before_digit(b, digit, digit, layers[~DIGITS_FREE & 1][digit % m]);
    uint32_t positive = build_fork(b, ways, n);
    uint32_t zero = with_zero ? build_before(b, build_text(b, "0", 1), end) : GRAMMAR_FAIL;
    uint32_t negative = signs ? build_before(b, build_text(b, "-", 1), positive) : GRAMMAR_FAIL;
    *fragment = (struct fragment){fork3(b, zero, positive, negative), end};
}

static enum status build_multiples(struct schema_compiler *c, const struct schema_set *set,
                                   const struct schema_shape *s, struct fragment *fragment) {
    int64_t low, high, step = (int64_t)s->multiple;
    if (!bounds_at(s, 0, &low, &high)) return refuse(c, set, "multipleOf", "with such bounds");
    if (high / step - low / step <= MULTIPLES_MAX)
        return build_listed(c, low, high, step, fragment);
    bool from_zero = s->lower.is_set && low <= step && low >= 0;
    if (step > RESIDUES_MAX || s->upper.is_set || (s->lower.is_set && !from_zero))
        return refuse(c, set, "multipleOf", "too many values; minimum and maximum are needed");
    build_residues(&c->builder, (uint32_t)step, !from_zero || low == 0, !from_zero, fragment);
    return c->builder.status;
}

// ---- All of it ---------------------------------------------------------------------------------

static enum status build_bounded(struct schema_compiler *c, const struct schema_set *set,
                                 const struct schema_shape *s, unsigned types,
                                 struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    int scale = s->lower.scale > s->upper.scale ? s->lower.scale : s->upper.scale;
    int64_t low, high;
    uint32_t end = build_place(b), way = GRAMMAR_FAIL;
    if (!bounds_at(s, 0, &low, &high)) return refuse(c, set, "minimum", "too many digits");
    if (types & TYPE_INTEGER && low <= high) way = numbers_between(b, low, high, 0, end);
    if (scale < SCALE_SHOWN) scale = SCALE_SHOWN;
    for (int digits = 1; digits <= scale && types & TYPE_FRACTION; digits++)
        if (bounds_at(s, digits, &low, &high) && low <= high)
            way = fork3(b, way, numbers_between(b, low, high, digits, end), GRAMMAR_FAIL);
    *fragment = (struct fragment){way, end};
    return b->status;
}

enum status schema_build_number(struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *s, unsigned types,
                                struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    if (!(types & TYPE_INTEGER))
        return refuse(c, set, "not", "numbers that are no integers cannot be enforced");
    if (s->multiple > 1) return build_multiples(c, set, s, fragment);
    if (s->multiple == 1) types = TYPE_INTEGER;
    if (s->lower.is_set || s->upper.is_set) return build_bounded(c, set, s, types, fragment);
    *fragment = build_call(b, types & TYPE_FRACTION ? number_rule(c) : integer_rule(c));
    return b->status;
}
