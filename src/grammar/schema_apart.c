// SPDX-License-Identifier: Apache-2.0
// oneOf wants exactly one branch to hold. That is enforced where no value can satisfy two of them,
// for a reason that is easy to see: types, lists of values, bounds, a property that both need and
// of which the same is true, or one that the other forbids.
#include "grammar/schema_compiler.h"

#include <string.h>

enum { APART_DEPTH_MAX = 3 };

static bool lists_apart(const json_t *a, const json_t *b) {
    for (size_t i = 0; i < json_array_size(a); i++)
        for (size_t k = 0; k < json_array_size(b); k++)
            if (schema_equal(json_array_get(a, i), json_array_get(b, k))) return false;
    return true;
}

// Do all listed values fail the other shape's types and bounds?
static bool list_fails(const json_t *values, const struct schema_shape *shape) {
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        unsigned type = schema_type_of(value);
        if (!(type & shape->types)) continue;
        if (!json_is_number(value) || schema_number_fits(shape, value)) return false;
    }
    return true;
}

static bool bounds_cross(const struct schema_bound *lower, const struct schema_bound *upper) {
    if (!lower->is_set || !upper->is_set) return false;
    int order = schema_compare_bounds(lower, upper);
    return order > 0 || (order == 0 && (lower->excludes || upper->excludes));
}

// Types that both can be, without those whose bounds keep them apart.
static unsigned shared_types(const struct schema_shape *a, const struct schema_shape *b) {
    unsigned types = a->types & b->types;
    if (bounds_cross(&a->lower, &b->upper) || bounds_cross(&b->lower, &a->upper))
        types &= ~(unsigned)(TYPE_INTEGER | TYPE_FRACTION);
    if (a->length_min > b->length_max || b->length_min > a->length_max)
        types &= ~(unsigned)TYPE_STRING;
    if (a->items_min > b->items_max || b->items_min > a->items_max) types &= ~(unsigned)TYPE_ARRAY;
    return types;
}

// ---- Objects -----------------------------------------------------------------------------------

static bool requires(const struct schema_compiler *c, const struct schema_set *set,
                     const char *name) {
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t at = schema_child(&c->document, set->members[i].value, "required");
        if (at == SCHEMA_NONE) continue;
        const struct schema_value *v = &c->document.values[at];
        for (uint32_t k = v->first; k < v->first + v->n; k++) {
            const char *text = schema_plain_text(c->document.values[k].json);
            if (text && strcmp(text, name) == 0) return true;
        }
    }
    return false;
}

// What the set asks of a property.
static enum status property_set(struct schema_compiler *c, const struct schema_set *set,
                                const char *name, struct schema_set *property) {
    property->n = 0;
    property->is_nothing = false;
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t member = set->members[i].value, at = SCHEMA_NONE;
        uint32_t properties = schema_child(&c->document, member, "properties");
        if (properties != SCHEMA_NONE) at = schema_child(&c->document, properties, name);
        if (at == SCHEMA_NONE) at = schema_child(&c->document, member, "additionalProperties");
        if (at != SCHEMA_NONE) TRY(schema_set_add(c, property, at, SCHEMA_NONE));
        TRY(schema_spend(c, 4));
    }
    return schema_set_complete(c, property);
}

// Does a property that `a` needs keep the two apart?
static enum status property_apart(struct schema_compiler *c, const struct schema_set *a,
                                  const struct schema_set *b, const char *name, unsigned depth,
                                  bool *apart) {
    struct schema_set of_a, of_b;
    TRY(property_set(c, a, name, &of_a));
    TRY(property_set(c, b, name, &of_b));
    return schema_are_apart(c, &of_a, &of_b, depth + 1, apart);
}

// One side: every name that `a` needs.
static enum status needed_apart(struct schema_compiler *c, const struct schema_set *a,
                                const struct schema_set *b, unsigned depth, bool *apart) {
    for (uint32_t i = 0; i < a->n && !*apart; i++) {
        uint32_t at = schema_child(&c->document, a->members[i].value, "required");
        if (at == SCHEMA_NONE) continue;
        const struct schema_value *v = &c->document.values[at];
        for (uint32_t k = v->first; k < v->first + v->n && !*apart; k++) {
            const char *name = schema_plain_text(c->document.values[k].json);
            struct schema_set of_b;
            if (!name) continue;
            TRY(schema_spend(c, 16));
            if (requires(c, b, name)) {
                TRY(property_apart(c, a, b, name, depth, apart));
            } else {
                // Absent there, or satisfying both: apart only if it cannot be present.
                TRY(property_set(c, b, name, &of_b));
                *apart = of_b.is_nothing;
                if (!*apart) TRY(property_apart(c, a, b, name, depth, apart));
            }
        }
    }
    return STATUS_OK;
}

enum status schema_are_apart(struct schema_compiler *c, const struct schema_set *a,
                             const struct schema_set *b, unsigned depth, bool *apart) {
    struct schema_shape of_a, of_b;
    json_t *values_a = NULL, *values_b = NULL;
    *apart = a->is_nothing || b->is_nothing;
    if (*apart || depth > APART_DEPTH_MAX) return STATUS_OK;
    TRY(schema_shape_of(c, a, &of_a));
    TRY(schema_shape_of(c, b, &of_b));
    TRY(schema_values_of(c, a, &of_a, &values_a));
    enum status status = schema_values_of(c, b, &of_b, &values_b);
    unsigned shared = shared_types(&of_a, &of_b);
    size_t pairs = json_array_size(values_a) * json_array_size(values_b);
    if (status == STATUS_OK)
        status = schema_spend(c, pairs < UINT32_MAX ? (uint32_t)pairs : UINT32_MAX);
    if (status != STATUS_OK)
        *apart = false;
    else if (values_a && values_b)
        *apart = lists_apart(values_a, values_b);
    else if (values_a)
        *apart = list_fails(values_a, &of_b);
    else if (values_b)
        *apart = list_fails(values_b, &of_a);
    else
        *apart = shared == 0;
    bool objects_only = !values_a && !values_b && shared == TYPE_OBJECT;
    json_decref(values_a);
    json_decref(values_b);
    if (status != STATUS_OK || *apart || !objects_only) return status;
    TRY(needed_apart(c, a, b, depth, apart));
    return *apart ? STATUS_OK : needed_apart(c, b, a, depth, apart);
}
