// SPDX-License-Identifier: Apache-2.0
// Arrays: prefixItems one by one, then items counted by a loop. Where the schema says nothing of
// items behind prefixItems, none are written beyond what minItems wants.
#include "grammar/schema_compiler.h"

#include <stdlib.h>
#include <string.h>

enum { UNIQUE_MAX = 64, PREFIX_MAX = 4096 };

static const struct schema_value *list_of(const struct schema_compiler *c, uint32_t member,
                                          const char *keyword) {
    uint32_t at = schema_child(&c->document, member, keyword);
    return at == SCHEMA_NONE ? NULL : &c->document.values[at];
}

// Longest prefixItems; *open: does a member say that more may come (or all say nothing)?
static enum status survey(struct schema_compiler *c, const struct schema_set *set,
                          uint32_t *n_prefix, bool *open) {
    bool has_items = false;
    *n_prefix = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t member = set->members[i].value;
        const struct schema_value *prefix = list_of(c, member, "prefixItems");
        if (list_of(c, member, "items")) has_items = true;
        if (!prefix) continue;
        if (!json_is_array(prefix->json) || prefix->n == 0 || prefix->n > PREFIX_MAX)
            return schema_wrong(c, member, "prefixItems", "no list of 1 to 4096 schemas");
        if (prefix->n > *n_prefix) *n_prefix = prefix->n;
    }
    *open = has_items || *n_prefix == 0;
    return STATUS_OK;
}

// What the item at `place` must satisfy.
static enum status item_set(struct schema_compiler *c, const struct schema_set *set, uint32_t place,
                            struct schema_set *item) {
    item->n = 0;
    item->is_nothing = false;
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t member = set->members[i].value;
        const struct schema_value *prefix = list_of(c, member, "prefixItems");
        uint32_t items = schema_child(&c->document, member, "items");
        TRY(schema_spend(c, 2));
        if (prefix && place < prefix->n)
            TRY(schema_set_add(c, item, prefix->first + place, SCHEMA_NONE));
        else if (items != SCHEMA_NONE)
            TRY(schema_set_add(c, item, items, SCHEMA_NONE));
    }
    return STATUS_OK;
}

static struct fragment comma(struct schema_compiler *c) {
    return build_join(&c->builder, build_text(&c->builder, ",", 1), schema_space(c));
}

// The way into the items from number n_prefix on, up to the bracket at `close`.
static enum status build_tail(struct schema_compiler *c, const struct schema_set *set,
                              const struct schema_shape *s, uint32_t n_prefix, uint32_t close,
                              uint32_t *way) {
    struct grammar_builder *b = &c->builder;
    struct schema_set item;
    struct fragment value, first, more;
    uint32_t min = s->items_min > n_prefix ? s->items_min - n_prefix : 0;
    uint32_t max = s->items_max == GRAMMAR_NO_LIMIT ? s->items_max : s->items_max - n_prefix;
    TRY(item_set(c, set, n_prefix, &item));
    TRY(schema_call(c, &item, &value));
    if (n_prefix > 0) {
        more = build_repeat(b, build_join(b, comma(c), value), min, max);
        *way = build_before(b, build_join(b, more, schema_space(c)), close);
        return b->status;
    }
    TRY(schema_call(c, &item, &first));
    if (max == 0) {
        *way = close;
        return b->status;
    }
    more = build_repeat(b, build_join(b, comma(c), value), min > 0 ? min - 1 : 0,
                        max == GRAMMAR_NO_LIMIT ? max : max - 1);
    first = build_join(b, schema_space(c), first);
    uint32_t full =
        build_before(b, build_join(b, build_join(b, first, more), schema_space(c)), close);
    const uint32_t ways[2] = {full, close};
    *way = min > 0 ? full : build_fork(b, ways, 2);
    return b->status;
}

// Unequal items of a short list: each at most once, in the list's order. `left[n]` is the way from
// behind item i when n were written.
static enum status build_unique(struct schema_compiler *c, const struct schema_shape *s,
                                json_t *values, uint32_t close, uint32_t *way) {
    struct grammar_builder *b = &c->builder;
    uint32_t n_values = (uint32_t)json_array_size(values), ways[2];
    uint32_t left[UNIQUE_MAX + 1], next[UNIQUE_MAX + 1];
    for (uint32_t n = 0; n <= n_values; n++)
        left[n] = n >= s->items_min && n <= s->items_max ? close : GRAMMAR_FAIL;
    for (uint32_t i = n_values; i-- > 0;) {
        for (uint32_t n = 0; n <= i; n++) {
            struct fragment value;
            json_t *one = json_pack("[O]", json_array_get(values, i));
            if (!one) return error_no_memory(c->err, "a JSON Schema", 0);
            enum status status = schema_build_values(c, one, &value);
            json_decref(one);
            TRY(status);
            if (n > 0) value = build_join(b, comma(c), value);
            ways[0] = build_before(b, value, left[n + 1]);
            ways[1] = left[n];
            next[n] = build_fork(b, ways, 2);
        }
        memcpy(left, next, (i + 1) * sizeof *left);
    }
    *way = left[0];
    return b->status;
}

static enum status unique_values(struct schema_compiler *c, const struct schema_set *set,
                                 uint32_t n_prefix, json_t **values) {
    struct schema_set item;
    struct schema_shape shape;
    *values = NULL;
    if (n_prefix > 0) return STATUS_OK;
    TRY(item_set(c, set, 0, &item));
    TRY(schema_set_complete(c, &item));
    if (item.is_nothing || schema_set_branching(c, &item, "anyOf", SEEN_ANY_OF) != SCHEMA_NONE ||
        schema_set_branching(c, &item, "oneOf", SEEN_ONE_OF) != SCHEMA_NONE)
        return STATUS_OK;
    TRY(schema_shape_of(c, &item, &shape));
    return schema_values_of(c, &item, &shape, values);
}

// Removes values that equal an earlier one.
static void remove_equals(json_t *values) {
    for (size_t i = 0; i < json_array_size(values); i++)
        for (size_t k = json_array_size(values); k-- > i + 1;)
            if (schema_equal(json_array_get(values, i), json_array_get(values, k)))
                json_array_remove(values, k);
}

static enum status build_unique_items(struct schema_compiler *c, const struct schema_set *set,
                                      const struct schema_shape *s, uint32_t n_prefix,
                                      uint32_t close, uint32_t *way) {
    json_t *values;
    TRY(unique_values(c, set, n_prefix, &values));
    if (values && json_array_size(values) <= UNIQUE_MAX) {
        remove_equals(values);
        enum status status = build_unique(c, s, values, close, way);
        json_decref(values);
        return status;
    }
    json_decref(values);
    for (uint32_t i = 0; i < set->n; i++)
        if (schema_child(&c->document, set->members[i].value, "uniqueItems") != SCHEMA_NONE)
            return schema_refuse(c, set->members[i].value, "uniqueItems",
                                 "enforced only for items out of a short enum");
    return STATUS_OK;
}

static enum status build_items(struct schema_compiler *c, const struct schema_set *set,
                               const struct schema_shape *s, uint32_t close, uint32_t *way) {
    struct grammar_builder *b = &c->builder;
    struct schema_set item;
    struct fragment value;
    uint32_t n_prefix = 0, ways[2];
    bool open = false;
    TRY(survey(c, set, &n_prefix, &open));
    if (s->is_unique && s->items_max > 1)
        return build_unique_items(c, set, s, n_prefix, close, way);
    if (n_prefix >= s->items_max) {
        n_prefix = s->items_max;
        open = false;
    }
    if (open || s->items_min > n_prefix)
        TRY(build_tail(c, set, s, n_prefix, close, way));
    else
        *way = build_before(b, schema_space(c), close);
    for (uint32_t i = n_prefix; i-- > 0;) {
        TRY(item_set(c, set, i, &item));
        TRY(schema_call(c, &item, &value));
        value = build_join(b, i > 0 ? comma(c) : schema_space(c), value);
        ways[0] = build_before(b, value, *way);
        ways[1] = i == 0 ? close : build_before(b, schema_space(c), close);
        *way = i >= s->items_min ? build_fork(b, ways, 2) : ways[0];
    }
    return b->status;
}

enum status schema_build_array(struct schema_compiler *c, const struct schema_set *set,
                               const struct schema_shape *shape, struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    uint32_t end = build_place(b), way = GRAMMAR_FAIL;
    *fragment = (struct fragment){GRAMMAR_FAIL, end};
    if (shape->items_min > shape->items_max) return b->status;
    uint32_t close = build_before(b, build_text(b, "]", 1), end);
    TRY(build_items(c, set, shape, close, &way));
    fragment->start = build_before(b, build_text(b, "[", 1), way);
    return b->status;
}
