// SPDX-License-Identifier: Apache-2.0
// Sets of schemas to rules. Rules wait in a list until they are built, so that nested schemas cost
// no depth. A set's branches are sets with one member more.
#include "grammar/grammar_schema.h"

#include "grammar/schema_compiler.h"

#include <stdlib.h>
#include <string.h>

enum { RULE_SLOTS = GRAMMAR_RULES_MAX * 2, INDENT_MAX = 24, BRANCHES_MAX = 1000 };

// ---- Errors ------------------------------------------------------------------------------------

enum status schema_refuse(const struct schema_compiler *c, uint32_t value, const char *keyword,
                          const char *why) {
    char pointer[160];
    return error_set(c->err, STATUS_UNSUPPORTED, "JSON Schema: \"%.60s\" at %s: %s", keyword,
                     schema_pointer(&c->document, value, pointer), why);
}

enum status schema_wrong(const struct schema_compiler *c, uint32_t value, const char *keyword,
                         const char *why) {
    char pointer[160];
    return error_set(c->err, STATUS_BAD_INPUT, "JSON Schema: \"%.60s\" at %s: %s", keyword,
                     schema_pointer(&c->document, value, pointer), why);
}

enum status schema_spend(struct schema_compiler *c, uint32_t work) {
    if (work > SCHEMA_WORK_MAX - c->work)
        return error_set(c->err, STATUS_UNSUPPORTED,
                         "JSON Schema: its combinations are too many to compile");
    c->work += work;
    return STATUS_OK;
}

// ---- Rules -------------------------------------------------------------------------------------

static int compare_keys(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum status reserve_rule(struct schema_compiler *c, uint32_t n_keys) {
    if (c->n_rules == c->rules_capacity) {
        uint32_t capacity = c->rules_capacity ? c->rules_capacity * 2 : 64;
        struct schema_rule *rules = realloc(c->rules, capacity * sizeof *rules);
        if (!rules) return error_no_memory(c->err, "a JSON Schema", capacity * sizeof *rules);
        c->rules = rules;
        c->rules_capacity = capacity;
    }
    if (n_keys > c->keys_capacity - c->n_keys) {
        uint32_t capacity = c->keys_capacity ? c->keys_capacity * 2 : 1024;
        uint32_t *keys = realloc(c->keys, capacity * sizeof *keys);
        if (!keys) return error_no_memory(c->err, "a JSON Schema", capacity * sizeof *keys);
        c->keys = keys;
        c->keys_capacity = capacity;
    }
    return STATUS_OK;
}

enum status schema_rule_of(struct schema_compiler *c, const struct schema_set *set,
                           uint32_t *rule) {
    uint32_t keys[SCHEMA_SET_MAX], hash = set->n;
    for (uint32_t i = 0; i < set->n; i++)
        keys[i] = set->members[i].value << SEEN_BITS | set->members[i].seen;
    qsort(keys, set->n, sizeof *keys, compare_keys);
    for (uint32_t i = 0; i < set->n; i++)
        hash = (hash ^ keys[i]) * 0x9e3779b1u;
    hash ^= hash >> 15;
    uint32_t slot = hash & (RULE_SLOTS - 1);
    for (; c->slots[slot]; slot = (slot + 1) & (RULE_SLOTS - 1)) {
        const struct schema_rule *known = &c->rules[c->slots[slot] - 1];
        if (known->hash != hash || known->n != set->n) continue;
        if (set->n > 0 && memcmp(c->keys + known->first, keys, set->n * sizeof *keys) != 0)
            continue;
        *rule = known->rule;
        return STATUS_OK;
    }
    TRY(schema_spend(c, 8 + set->n));
    TRY(reserve_rule(c, set->n));
    *rule = build_rule(&c->builder);
    if (c->builder.status != STATUS_OK) return c->builder.status;
    if (set->n > 0) memcpy(c->keys + c->n_keys, keys, set->n * sizeof *keys);
    c->rules[c->n_rules++] =
        (struct schema_rule){.first = c->n_keys, .n = set->n, .rule = *rule, .hash = hash};
    c->n_keys += set->n;
    c->slots[slot] = c->n_rules;
    return STATUS_OK;
}

enum status schema_call(struct schema_compiler *c, const struct schema_set *set,
                        struct fragment *fragment) {
    uint32_t rule = 0;
    if (set->is_nothing) {
        *fragment = build_nothing(&c->builder);
        return c->builder.status;
    }
    TRY(schema_rule_of(c, set, &rule));
    *fragment = build_call(&c->builder, rule);
    return c->builder.status;
}

// Nothing, a space, or a line's end and an indent: a model cannot write white space for ever.
struct fragment schema_space(struct schema_compiler *c) {
    struct grammar_builder *b = &c->builder;
    if (c->space != SCHEMA_NONE) return build_call(b, c->space);
    struct fragment ways[3];
    ways[0] = build_empty(b);
    ways[1] = build_text(b, " ", 1);
    ways[2] = build_join(b, build_text(b, "\n", 1),
                         build_repeat(b, build_text(b, " ", 1), 0, INDENT_MAX));
    c->space = build_rule(b);
    build_define(b, c->space, build_choice(b, ways, 3));
    return build_call(b, c->space);
}

// ---- One set -----------------------------------------------------------------------------------

static enum status refuse_overlaps(struct schema_compiler *c, const struct schema_set *set,
                                   uint32_t member, uint32_t seen,
                                   const struct schema_value *list) {
    struct schema_set a, b;
    for (uint32_t i = 0; i < list->n; i++)
        for (uint32_t k = i + 1; k < list->n; k++) {
            bool apart = false;
            TRY(schema_spend(c, 64));
            a = *set;
            b = *set;
            a.members[member].seen |= seen;
            b.members[member].seen |= seen;
            TRY(schema_set_add(c, &a, list->first + i, member));
            TRY(schema_set_add(c, &b, list->first + k, member));
            TRY(schema_set_complete(c, &a));
            TRY(schema_set_complete(c, &b));
            TRY(schema_are_apart(c, &a, &b, 0, &apart));
            if (!apart)
                return schema_refuse(c, set->members[member].value, "oneOf",
                                     "two of its schemas are not plainly exclusive; use anyOf");
        }
    return STATUS_OK;
}

static enum status build_branches(struct schema_compiler *c, const struct schema_set *set,
                                  uint32_t member, const char *keyword, uint32_t seen,
                                  struct fragment *fragment) {
    struct fragment choices[BRANCHES_MAX];
    uint32_t value = set->members[member].value;
    const struct schema_value *list =
        &c->document.values[schema_child(&c->document, value, keyword)];
    if (!json_is_array(list->json) || list->n == 0)
        return schema_wrong(c, value, keyword, "no list of schemas");
    if (list->n > BRANCHES_MAX) return schema_refuse(c, value, keyword, "more than 1000 schemas");
    if (seen == SEEN_ONE_OF) TRY(refuse_overlaps(c, set, member, seen, list));
    for (uint32_t i = 0; i < list->n; i++) {
        struct schema_set branch = *set;
        branch.members[member].seen |= seen;
        TRY(schema_set_add(c, &branch, list->first + i, member));
        TRY(schema_call(c, &branch, &choices[i]));
    }
    *fragment = build_choice(&c->builder, choices, list->n);
    return c->builder.status;
}

static enum status build_types(struct schema_compiler *c, const struct schema_set *set,
                               const struct schema_shape *shape, struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    struct fragment choices[8];
    unsigned types = shape->types_meant;
    uint32_t n = 0;
    // What a reader expects first comes first; the order has no other meaning.
    if (types & TYPE_OBJECT) TRY(schema_build_object(c, set, shape, &choices[n++]));
    if (types & TYPE_ARRAY) TRY(schema_build_array(c, set, shape, &choices[n++]));
    if (types & TYPE_STRING) TRY(schema_build_string(c, shape, &choices[n++]));
    if (types & (TYPE_INTEGER | TYPE_FRACTION))
        TRY(schema_build_number(c, set, shape, types, &choices[n++]));
    if (types & TYPE_BOOLEAN) {
        choices[n++] = build_text(b, "true", 4);
        choices[n++] = build_text(b, "false", 5);
    }
    if (types & TYPE_NULL) choices[n++] = build_text(b, "null", 4);
    *fragment = n > 0 ? build_choice(b, choices, n) : build_nothing(b);
    return b->status;
}

static enum status build_set(struct schema_compiler *c, struct schema_set *set,
                             struct fragment *fragment) {
    struct schema_shape shape;
    json_t *values;
    TRY(schema_set_complete(c, set));
    if (set->is_nothing) {
        *fragment = build_nothing(&c->builder);
        return c->builder.status;
    }
    uint32_t member = schema_set_branching(c, set, "anyOf", SEEN_ANY_OF);
    if (member != SCHEMA_NONE)
        return build_branches(c, set, member, "anyOf", SEEN_ANY_OF, fragment);
    member = schema_set_branching(c, set, "oneOf", SEEN_ONE_OF);
    if (member != SCHEMA_NONE)
        return build_branches(c, set, member, "oneOf", SEEN_ONE_OF, fragment);
    TRY(schema_shape_of(c, set, &shape));
    TRY(schema_values_of(c, set, &shape, &values));
    if (!values) return build_types(c, set, &shape, fragment);
    enum status status = schema_build_values(c, values, fragment);
    json_decref(values);
    return status;
}

// ---- All of them -------------------------------------------------------------------------------

static enum status build_waiting(struct schema_compiler *c) {
    for (; c->n_defined < c->n_rules; c->n_defined++) {
        struct schema_rule rule = c->rules[c->n_defined];
        struct schema_set set = {.n = rule.n};
        struct fragment body;
        for (uint32_t i = 0; i < rule.n; i++) {
            uint32_t key = c->keys[rule.first + i];
            set.members[i] = (struct schema_member){key >> SEEN_BITS, key & ((1u << SEEN_BITS) - 1),
                                                    SCHEMA_NONE};
        }
        enum status status = build_set(c, &set, &body);
        if (status == STATUS_OK) build_define(&c->builder, rule.rule, body);
        if (c->builder.status == STATUS_UNSUPPORTED)
            return schema_refuse(c, rule.n > 0 ? set.members[0].value : 0, "schema",
                                 "the whole needs too many states up to here");
        TRY(status);
    }
    return c->builder.status;
}

static enum status compile(struct schema_compiler *c, struct grammar_program **program) {
    struct schema_set set = {0};
    uint32_t root = 0, to_blame = 0;
    char pointer[160];
    TRY(schema_set_add(c, &set, 0, SCHEMA_NONE));
    if (set.is_nothing) return schema_wrong(c, 0, "false", "no value satisfies it");
    TRY(schema_rule_of(c, &set, &root));
    TRY(build_waiting(c));
    enum status status = grammar_builder_finish(&c->builder, root, program, &to_blame);
    if (status != STATUS_BAD_INPUT) return status;
    for (uint32_t i = 0; i < c->n_rules; i++)
        if (c->rules[i].rule == to_blame && c->rules[i].n > 0)
            return error_prefix(
                c->err, "JSON Schema: %s",
                schema_pointer(&c->document, c->keys[c->rules[i].first] >> SEEN_BITS, pointer));
    return status;
}

enum status grammar_from_schema(struct grammar_program **program, const char *text,
                                size_t text_bytes, struct error *err) {
    struct schema_compiler c = {.character = SCHEMA_NONE,
                                .integer = SCHEMA_NONE,
                                .number = SCHEMA_NONE,
                                .space = SCHEMA_NONE,
                                .err = err};
    *program = NULL;
    TRY(schema_document_init(&c.document, text, text_bytes, err));
    c.slots = calloc(RULE_SLOTS, sizeof *c.slots);
    enum status status = c.slots ? grammar_builder_init(&c.builder, err)
                                 : error_no_memory(err, "a JSON Schema", RULE_SLOTS * 4);
    if (status == STATUS_OK) {
        status = compile(&c, program);
        grammar_builder_deinit(&c.builder);
    }
    free(c.rules);
    free(c.keys);
    free(c.slots);
    schema_document_deinit(&c.document);
    return status;
}
