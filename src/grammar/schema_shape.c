// SPDX-License-Identifier: Apache-2.0
// Gathers the keywords of all members of a set that say something about the value itself.
#include "grammar/schema_compiler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE_MAX = 9 };
static const double DIGITS_MAX = 1e17;

static const int64_t powers_of_ten[SCALE_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

// ---- Types -------------------------------------------------------------------------------------

unsigned schema_type_of(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_NULL:
        return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return TYPE_BOOLEAN;
    case JSON_INTEGER:
        return TYPE_INTEGER;
    case JSON_REAL:
        return floor(json_real_value(value)) == json_real_value(value) ? TYPE_INTEGER
                                                                       : TYPE_FRACTION;
    case JSON_STRING:
        return TYPE_STRING;
    case JSON_ARRAY:
        return TYPE_ARRAY;
    case JSON_OBJECT:
        return TYPE_OBJECT;
    }
    return 0;
}

static unsigned type_named(const char *name) {
    static const struct {
        const char *name;
        unsigned types;
    } table[] = {{"null", TYPE_NULL},       {"boolean", TYPE_BOOLEAN},
                 {"integer", TYPE_INTEGER}, {"number", TYPE_INTEGER | TYPE_FRACTION},
                 {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
                 {"object", TYPE_OBJECT}};
    for (size_t i = 0; name && i < sizeof table / sizeof *table; i++)
        if (strcmp(name, table[i].name) == 0) return table[i].types;
    return 0;
}

static enum status read_types(const struct schema_compiler *c, uint32_t value, uint32_t at,
                              unsigned *types) {
    const struct schema_value *v = &c->document.values[at];
    *types = type_named(schema_plain_text(v->json));
    for (uint32_t i = 0; json_is_array(v->json) && i < v->n; i++) {
        unsigned type = type_named(schema_plain_text(c->document.values[v->first + i].json));
        if (type == 0) return schema_wrong(c, value, "type", "an unknown type");
        *types |= type;
    }
    if (*types == 0) return schema_wrong(c, value, "type", "an unknown type");
    return STATUS_OK;
}

// "not" is understood where it excludes everything, nothing or whole types.
static enum status read_not(const struct schema_compiler *c, uint32_t value, uint32_t at,
                            struct schema_shape *shape) {
    const struct schema_value *v = &c->document.values[at];
    unsigned types;
    if (json_is_false(v->json)) return STATUS_OK;
    if (json_is_true(v->json) || (json_is_object(v->json) && v->n == 0)) {
        shape->types = 0;
        return STATUS_OK;
    }
    uint32_t type = schema_child(&c->document, at, "type");
    if (type == SCHEMA_NONE || v->n != 1)
        return schema_refuse(c, value, "not",
                             "only {}, true, false and {\"type\": …} are enforced");
    TRY(read_types(c, at, type, &types));
    if (types & TYPE_INTEGER && !(types & TYPE_FRACTION) && shape->types & TYPE_FRACTION)
        return schema_refuse(c, value, "not", "numbers that are no integers cannot be enforced");
    shape->types &= ~types;
    return STATUS_OK;
}

// ---- Counts ------------------------------------------------------------------------------------

static enum status read_count(const struct schema_compiler *c, uint32_t value, uint32_t at,
                              uint32_t *count) {
    const struct schema_value *v = &c->document.values[at];
    double number = json_number_value(v->json);
    if (!json_is_number(v->json) || number < 0 || floor(number) != number)
        return schema_wrong(c, value, v->key, "no whole number from 0");
    *count = number < GRAMMAR_NO_LIMIT - 1 ? (uint32_t)number : GRAMMAR_NO_LIMIT - 1;
    return STATUS_OK;
}

static enum status raise_min(const struct schema_compiler *c, uint32_t value, uint32_t at,
                             uint32_t *min) {
    uint32_t count = 0;
    TRY(read_count(c, value, at, &count));
    if (count > *min) *min = count;
    return STATUS_OK;
}

static enum status lower_max(const struct schema_compiler *c, uint32_t value, uint32_t at,
                             uint32_t *max) {
    uint32_t count = 0;
    TRY(read_count(c, value, at, &count));
    if (count < *max) *max = count;
    return STATUS_OK;
}

// ---- Bounds ------------------------------------------------------------------------------------

int schema_compare_bounds(const struct schema_bound *a, const struct schema_bound *b) {
    __int128 x = (__int128)a->digits * powers_of_ten[b->scale];
    __int128 y = (__int128)b->digits * powers_of_ten[a->scale];
    return (x > y) - (x < y);
}

// The decimal number with the fewest digits that means the same double.
static bool decimal_of(const json_t *number, struct schema_bound *bound) {
    char text[40];
    bound->scale = 0;
    bound->digits = json_integer_value(number);
    if (json_is_integer(number))
        return bound->digits > INT64_MIN / 8 && bound->digits < INT64_MAX / 8;
    double real = json_real_value(number);
    if (!(fabs(real) < DIGITS_MAX)) return false;
    for (int scale = 0; scale <= SCALE_MAX; scale++) {
        double scaled = real * (double)powers_of_ten[scale];
        if (fabs(scaled) >= DIGITS_MAX) return false;
        bound->digits = (int64_t)llround(scaled);
        bound->scale = scale;
        // What is written with these digits must be read as the same double.
        snprintf(text, sizeof text, "%.*f", scale, real);
        if (strtod(text, NULL) == real) return true;
    }
    return false;
}

// A bound beyond all numbers that are ever written says nothing.
static bool says_nothing(const json_t *number, bool is_upper) {
    double value = json_number_value(number);
    return is_upper ? value >= DIGITS_MAX : value <= -DIGITS_MAX;
}

static enum status read_bound(const struct schema_compiler *c, uint32_t value, uint32_t at,
                              bool is_upper, bool excludes, struct schema_bound *kept) {
    const struct schema_value *v = &c->document.values[at];
    struct schema_bound bound = {.is_set = true, .excludes = excludes};
    if (!json_is_number(v->json)) return schema_wrong(c, value, v->key, "no number");
    if (json_is_real(v->json) && says_nothing(v->json, is_upper)) {
        bound.digits = is_upper ? (int64_t)DIGITS_MAX : -(int64_t)DIGITS_MAX; // a part of it
        bound.excludes = false;
    } else if (!decimal_of(v->json, &bound)) {
        return schema_refuse(c, value, v->key, "a bound with too many digits");
    }
    if (kept->is_set) {
        int order = schema_compare_bounds(&bound, kept);
        if (order == 0) kept->excludes |= excludes;
        if (is_upper ? order >= 0 : order <= 0) return STATUS_OK;
    }
    *kept = bound;
    return STATUS_OK;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static enum status read_multiple(const struct schema_compiler *c, uint32_t value, uint32_t at,
                                 struct schema_shape *shape) {
    const json_t *json = c->document.values[at].json;
    double number = json_number_value(json);
    if (!json_is_number(json) || number <= 0)
        return schema_wrong(c, value, "multipleOf", "no number above 0");
    if (floor(number) != number || number > 1e9)
        return schema_refuse(c, value, "multipleOf", "only whole numbers up to 10^9 are enforced");
    uint64_t multiple = (uint64_t)number;
    if (shape->multiple) multiple *= shape->multiple / common_divisor(multiple, shape->multiple);
    if (multiple > 1000000000)
        return schema_refuse(c, value, "multipleOf", "together with another one too large");
    shape->multiple = multiple;
    return STATUS_OK;
}

bool schema_number_fits(const struct schema_shape *shape, const json_t *number) {
    struct schema_bound n = {0};
    if (!shape->lower.is_set && !shape->upper.is_set && !shape->multiple) return true;
    if (!decimal_of(number, &n)) return false;
    if (shape->lower.is_set) {
        int order = schema_compare_bounds(&n, &shape->lower);
        if (order < 0 || (order == 0 && shape->lower.excludes)) return false;
    }
    if (shape->upper.is_set) {
        int order = schema_compare_bounds(&n, &shape->upper);
        if (order > 0 || (order == 0 && shape->upper.excludes)) return false;
    }
    if (!shape->multiple) return true;
    if (n.digits % powers_of_ten[n.scale] != 0) return false;
    return n.digits / powers_of_ten[n.scale] % (int64_t)shape->multiple == 0;
}

// ---- All of it ---------------------------------------------------------------------------------

static enum status read_pattern(const struct schema_compiler *c, uint32_t value, uint32_t at,
                                uint32_t *kept) {
    const struct schema_value *v = &c->document.values[at];
    if (!schema_plain_text(v->json)) return schema_wrong(c, value, v->key, "no text");
    if (*kept != SCHEMA_NONE && !json_equal(v->json, c->document.values[*kept].json))
        return schema_refuse(c, value, v->key, "two different ones for one value");
    *kept = at;
    return STATUS_OK;
}

static enum status read_unique(const struct schema_compiler *c, uint32_t value, uint32_t at,
                               struct schema_shape *shape) {
    const json_t *json = c->document.values[at].json;
    if (!json_is_boolean(json))
        return schema_wrong(c, value, "uniqueItems", "neither true nor false");
    if (json_is_true(json)) shape->is_unique = true;
    return STATUS_OK;
}

struct keyword {
    const char *name;
    unsigned types; // what it is about; 0: read elsewhere or an annotation
};

static const struct keyword keywords[] = {{"minLength", TYPE_STRING},
                                          {"maxLength", TYPE_STRING},
                                          {"pattern", TYPE_STRING},
                                          {"format", TYPE_STRING},
                                          {"minimum", 12},
                                          {"maximum", 12},
                                          {"exclusiveMinimum", 12},
                                          {"exclusiveMaximum", 12},
                                          {"multipleOf", 12},
                                          {"minItems", TYPE_ARRAY},
                                          {"maxItems", TYPE_ARRAY},
                                          {"uniqueItems", TYPE_ARRAY},
                                          {"items", TYPE_ARRAY},
                                          {"prefixItems", TYPE_ARRAY},
                                          {"properties", TYPE_OBJECT},
                                          {"required", TYPE_OBJECT},
                                          {"minProperties", TYPE_OBJECT},
                                          {"maxProperties", TYPE_OBJECT},
                                          {"additionalProperties", TYPE_OBJECT}};
_Static_assert((TYPE_INTEGER | TYPE_FRACTION) == 12, "numbers in the table above");

static enum status read_number_keyword(const struct schema_compiler *c, uint32_t value, uint32_t at,
                                       const char *key, struct schema_shape *s) {
    if (strcmp(key, "minimum") == 0) return read_bound(c, value, at, false, false, &s->lower);
    if (strcmp(key, "maximum") == 0) return read_bound(c, value, at, true, false, &s->upper);
    if (strcmp(key, "exclusiveMinimum") == 0)
        return read_bound(c, value, at, false, true, &s->lower);
    if (strcmp(key, "exclusiveMaximum") == 0)
        return read_bound(c, value, at, true, true, &s->upper);
    if (strcmp(key, "multipleOf") == 0) return read_multiple(c, value, at, s);
    return STATUS_OK;
}

static enum status read_keyword(const struct schema_compiler *c, uint32_t value, uint32_t at,
                                const char *key, struct schema_shape *s) {
    unsigned types;
    if (strcmp(key, "type") == 0) {
        TRY(read_types(c, value, at, &types));
        s->types &= types;
        s->types_meant |= 0x80;
    }
    if (strcmp(key, "not") == 0) return read_not(c, value, at, s);
    if (strcmp(key, "minLength") == 0) return raise_min(c, value, at, &s->length_min);
    if (strcmp(key, "maxLength") == 0) return lower_max(c, value, at, &s->length_max);
    if (strcmp(key, "minItems") == 0) return raise_min(c, value, at, &s->items_min);
    if (strcmp(key, "maxItems") == 0) return lower_max(c, value, at, &s->items_max);
    if (strcmp(key, "minProperties") == 0) return raise_min(c, value, at, &s->keys_min);
    if (strcmp(key, "maxProperties") == 0) return lower_max(c, value, at, &s->keys_max);
    if (strcmp(key, "pattern") == 0) return read_pattern(c, value, at, &s->pattern);
    if (strcmp(key, "format") == 0) return read_pattern(c, value, at, &s->format);
    if (strcmp(key, "uniqueItems") == 0) return read_unique(c, value, at, s);
    if (strcmp(key, "enum") == 0 || strcmp(key, "const") == 0) {
        if (strcmp(key, "enum") == 0 && !json_is_array(c->document.values[at].json))
            return schema_wrong(c, value, "enum", "no list");
        s->values = at;
    }
    return read_number_keyword(c, value, at, key, s);
}

enum status schema_shape_of(struct schema_compiler *c, const struct schema_set *set,
                            struct schema_shape *shape) {
    *shape = (struct schema_shape){.types = set->is_nothing ? 0 : TYPE_ALL,
                                   .values = SCHEMA_NONE,
                                   .pattern = SCHEMA_NONE,
                                   .format = SCHEMA_NONE,
                                   .length_max = GRAMMAR_NO_LIMIT,
                                   .items_max = GRAMMAR_NO_LIMIT,
                                   .keys_max = GRAMMAR_NO_LIMIT};
    unsigned about = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        const struct schema_value *v = &c->document.values[set->members[i].value];
        TRY(schema_spend(c, v->n));
        for (uint32_t at = v->first; at < v->first + v->n; at++) {
            const char *key = c->document.values[at].key;
            TRY(read_keyword(c, set->members[i].value, at, key, shape));
            for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
                if (strcmp(key, keywords[k].name) == 0) about |= keywords[k].types;
        }
    }
    bool has_type = (shape->types_meant & 0x80) != 0 || shape->values != SCHEMA_NONE;
    shape->types_meant =
        has_type || (about & shape->types) == 0 ? shape->types : about & shape->types;
    return STATUS_OK;
}
