// SPDX-License-Identifier: Apache-2.0
// Objects: the properties in the schema's order, each at most once, the required ones always; then,
// if additionalProperties asks for them, others with names of plain characters. Where a schema
// lists properties and says nothing of others, none are written.
#include "base/hash64.h"
#include "grammar/schema_compiler.h"
#include "grammar/text_tree.h"

#include <stdlib.h>
#include <string.h>

enum { PROPERTIES_MAX = 4000 };

struct property {
    const char *name;
    uint64_t hash;
    bool required;
};

struct object_plan {
    struct property *properties; // in order; those that are only required come last
    uint32_t n, capacity;
    bool open; // others may follow
};

static struct property *find_property(const struct object_plan *plan, const char *name,
                                      uint64_t hash) {
    for (uint32_t i = 0; i < plan->n; i++)
        if (plan->properties[i].hash == hash && strcmp(plan->properties[i].name, name) == 0)
            return &plan->properties[i];
    return NULL;
}

static enum status add_property(struct schema_compiler *c, struct object_plan *plan,
                                uint32_t member, const char *name, bool required) {
    TRY(schema_spend(c, 1 + plan->n / 16));
    uint64_t hash = hash64(name, strlen(name), 0);
    struct property *known = find_property(plan, name, hash);
    if (known) {
        known->required |= required;
        return STATUS_OK;
    }
    if (plan->n == PROPERTIES_MAX)
        return schema_refuse(c, member, "properties", "more than 4000 of them");
    if (plan->n == plan->capacity) {
        uint32_t capacity = plan->capacity ? plan->capacity * 2 : 32;
        struct property *properties = realloc(plan->properties, capacity * sizeof *properties);
        if (!properties)
            return error_no_memory(c->err, "a JSON Schema", capacity * sizeof *properties);
        plan->properties = properties;
        plan->capacity = capacity;
    }
    plan->properties[plan->n++] = (struct property){name, hash, required};
    return STATUS_OK;
}

static enum status add_properties(struct schema_compiler *c, struct object_plan *plan,
                                  uint32_t member, bool *lists) {
    uint32_t at = schema_child(&c->document, member, "properties");
    if (at == SCHEMA_NONE) return STATUS_OK;
    const struct schema_value *v = &c->document.values[at];
    if (!json_is_object(v->json)) return schema_wrong(c, member, "properties", "no object");
    *lists = true;
    for (uint32_t i = v->first; i < v->first + v->n; i++)
        TRY(add_property(c, plan, member, c->document.values[i].key, false));
    return STATUS_OK;
}

static enum status add_required(struct schema_compiler *c, struct object_plan *plan,
                                uint32_t member, bool *lists) {
    uint32_t at = schema_child(&c->document, member, "required");
    if (at == SCHEMA_NONE) return STATUS_OK;
    const struct schema_value *v = &c->document.values[at];
    if (!json_is_array(v->json)) return schema_wrong(c, member, "required", "no list");
    for (uint32_t i = v->first; i < v->first + v->n; i++) {
        const json_t *json = c->document.values[i].json;
        const char *name = schema_plain_text(json);
        if (!name) return schema_wrong(c, member, "required", "a name that is no text");
        *lists = true;
        TRY(add_property(c, plan, member, name, true));
    }
    return STATUS_OK;
}

static enum status make_plan(struct schema_compiler *c, const struct schema_set *set,
                             struct object_plan *plan) {
    bool lists = false, open = false, closed = false;
    for (uint32_t i = 0; i < set->n; i++)
        TRY(add_properties(c, plan, set->members[i].value, &lists));
    for (uint32_t i = 0; i < set->n; i++)
        TRY(add_required(c, plan, set->members[i].value, &lists));
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t at = schema_child(&c->document, set->members[i].value, "additionalProperties");
        if (at == SCHEMA_NONE) continue;
        if (json_is_false(c->document.values[at].json))
            closed = true;
        else
            open = true;
    }
    plan->open = !closed && (open || !lists);
    return STATUS_OK;
}

// What a property of this name must satisfy; name NULL: one that no member lists.
static enum status value_set(struct schema_compiler *c, const struct schema_set *set,
                             const char *name, struct schema_set *value) {
    value->n = 0;
    value->is_nothing = false;
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t member = set->members[i].value, at = SCHEMA_NONE;
        uint32_t properties = schema_child(&c->document, member, "properties");
        if (name && properties != SCHEMA_NONE) {
            at = schema_child(&c->document, properties, name);
            TRY(schema_spend(c, 1 + c->document.values[properties].n / 16));
        }
        if (at == SCHEMA_NONE) at = schema_child(&c->document, member, "additionalProperties");
        if (at != SCHEMA_NONE) TRY(schema_set_add(c, value, at, SCHEMA_NONE));
    }
    return STATUS_OK;
}

// ":" and the value that belongs to the name.
static enum status build_value(struct schema_compiler *c, const struct schema_set *set,
                               const char *name, struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    struct schema_set value;
    struct fragment call;
    TRY(value_set(c, set, name, &value));
    TRY(schema_call(c, &value, &call));
    struct fragment colon =
        build_join(b, build_text(b, ":", 1), build_repeat(b, build_text(b, " ", 1), 0, 1));
    *fragment = build_join(b, colon, call);
    return b->status;
}

static enum status build_property(struct schema_compiler *c, const struct schema_set *set,
                                  const char *name, struct fragment *fragment) {
    json_t *json = json_string(name);
    char *text = json ? schema_text_of(json) : NULL;
    json_decref(json);
    if (!text) return error_no_memory(c->err, "a JSON Schema", strlen(name));
    struct fragment key = build_text(&c->builder, text, strlen(text)), value;
    free(text);
    TRY(build_value(c, set, name, &value));
    *fragment = build_join(&c->builder, key, value);
    return STATUS_OK;
}

// The ways at one point of the object's order: a name must come now; a value has just ended.
struct object_ways {
    uint32_t name, after;
};

// Behind a value: a comma and another name, or the end (white space and the bracket).
static uint32_t way_after(struct schema_compiler *c, uint32_t name, bool may_close,
                          uint32_t close) {
    struct grammar_builder *b = &c->builder;
    uint32_t ways[2];
    struct fragment comma = build_join(b, build_text(b, ",", 1), schema_space(c));
    ways[0] = build_before(b, comma, name);
    ways[1] = may_close ? close : GRAMMAR_FAIL;
    return build_fork(b, ways, 2);
}

// Any number of properties that are not listed.
static enum status build_others(struct schema_compiler *c, const struct schema_set *set,
                                const struct object_plan *plan, uint32_t close,
                                struct object_ways *ways) {
    struct grammar_builder *b = &c->builder;
    struct text_tree tree;
    struct fragment value;
    TRY(build_value(c, set, NULL, &value));
    uint32_t name = build_place(b);
    text_tree_init(&tree);
    ways->after = way_after(c, name, true, close);
    uint32_t quote = build_before(b, build_join(b, build_text(b, "\"", 1), value), ways->after);
    for (uint32_t i = 0; i < plan->n; i++)
        text_tree_add(&tree, plan->properties[i].name, strlen(plan->properties[i].name));
    uint32_t other = text_tree_build_other(&tree, b, quote);
    text_tree_deinit(&tree);
    ways->name = build_before(b, build_text(b, "\"", 1), other);
    build_link(b, name, ways->name);
    return b->status;
}

static enum status build_plan(struct schema_compiler *c, const struct schema_set *set,
                              const struct object_plan *plan, uint32_t close, uint32_t *way) {
    struct grammar_builder *b = &c->builder;
    struct object_ways ways = {GRAMMAR_FAIL, GRAMMAR_FAIL};
    struct fragment property;
    bool may_close = true;
    uint32_t at_once = close;
    close = build_before(b, schema_space(c), close);
    if (plan->open)
        TRY(build_others(c, set, plan, close, &ways));
    else
        ways.after = close;
    for (uint32_t i = plan->n; i-- > 0;) {
        TRY(build_property(c, set, plan->properties[i].name, &property));
        uint32_t forks[2] = {build_before(b, property, ways.after), ways.name};
        ways.name = plan->properties[i].required ? forks[0] : build_fork(b, forks, 2);
        may_close = may_close && !plan->properties[i].required;
        ways.after = way_after(c, ways.name, may_close, close);
    }
    uint32_t forks[2] = {build_before(b, schema_space(c), ways.name), at_once};
    *way = may_close ? build_fork(b, forks, 2) : forks[0];
    return b->status;
}

// Limits on the number of properties are enforced where the plan keeps them anyway.
static enum status check_counts(struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *shape, const struct object_plan *plan) {
    uint32_t n_required = 0;
    for (uint32_t i = 0; i < plan->n; i++)
        n_required += plan->properties[i].required;
    bool at_least = shape->keys_min <= n_required;
    bool at_most =
        shape->keys_max == GRAMMAR_NO_LIMIT || (!plan->open && plan->n <= shape->keys_max);
    if (at_least && at_most) return STATUS_OK;
    for (uint32_t i = 0; i < set->n; i++) {
        const char *keyword = at_least ? "maxProperties" : "minProperties";
        if (schema_child(&c->document, set->members[i].value, keyword) != SCHEMA_NONE)
            return schema_refuse(c, set->members[i].value, keyword,
                                 "not implied by properties and required");
    }
    return STATUS_OK;
}

enum status schema_build_object(struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *shape, struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    struct object_plan plan = {0};
    uint32_t end = build_place(b), way = GRAMMAR_FAIL;
    uint32_t close = build_before(b, build_text(b, "}", 1), end);
    enum status status = make_plan(c, set, &plan);
    if (status == STATUS_OK) status = check_counts(c, set, shape, &plan);
    if (status == STATUS_OK) status = build_plan(c, set, &plan, close, &way);
    free(plan.properties);
    *fragment = (struct fragment){build_before(b, build_text(b, "{", 1), way), end};
    return status;
}
