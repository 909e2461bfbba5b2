// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_compiler.h"

#include <stdio.h>
#include <string.h>

// Every keyword that is understood; what any other one asks for cannot be promised.
static const char *const known_keywords[] = {"type",
                                             "enum",
                                             "const",
                                             "properties",
                                             "required",
                                             "additionalProperties",
                                             "minProperties",
                                             "maxProperties",
                                             "items",
                                             "prefixItems",
                                             "minItems",
                                             "maxItems",
                                             "uniqueItems",
                                             "minLength",
                                             "maxLength",
                                             "pattern",
                                             "format",
                                             "minimum",
                                             "maximum",
                                             "exclusiveMinimum",
                                             "exclusiveMaximum",
                                             "multipleOf",
                                             "anyOf",
                                             "oneOf",
                                             "allOf",
                                             "not",
                                             "$ref",
                                             "$defs",
                                             "definitions",
                                             "title",
                                             "description",
                                             "default",
                                             "examples",
                                             "deprecated",
                                             "readOnly",
                                             "writeOnly",
                                             "$comment",
                                             "$schema",
                                             "$id"};

static const char *const known_drafts[] = {
    "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-06/schema"};

static bool is_listed(const char *text, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, list[i]) == 0) return true;
    return false;
}

static enum status check_draft(const struct schema_compiler *c, uint32_t at, const char *draft) {
    char text[64];
    size_t n = draft ? strlen(draft) : 0;
    if (n > 0 && draft[n - 1] == '#') n--;
    if (n >= sizeof text) n = sizeof text - 1;
    if (n > 0) memcpy(text, draft, n);
    text[n] = '\0';
    if (is_listed(text, known_drafts, sizeof known_drafts / sizeof *known_drafts)) return STATUS_OK;
    return schema_refuse(c, at, "$schema", "not a draft that is known here (2020-12)");
}

static enum status check_keywords(const struct schema_compiler *c, uint32_t value) {
    const struct schema_value *v = &c->document.values[value];
    for (uint32_t i = v->first; i < v->first + v->n; i++) {
        const char *key = c->document.values[i].key;
        if (!is_listed(key, known_keywords, sizeof known_keywords / sizeof *known_keywords))
            return schema_refuse(c, value, key, "this keyword cannot be enforced");
        if (strcmp(key, "$schema") == 0)
            TRY(check_draft(c, value, schema_plain_text(c->document.values[i].json)));
        if (strcmp(key, "$id") == 0 && value != 0)
            return schema_refuse(c, value, key, "only the whole schema may have one");
    }
    return STATUS_OK;
}

// Does `value` stand on the way that led to member `from`?
static bool leads_back(const struct schema_set *set, uint32_t from, uint32_t value) {
    for (; from != SCHEMA_NONE; from = set->members[from].because)
        if (set->members[from].value == value) return true;
    return false;
}

enum status schema_set_add(const struct schema_compiler *c, struct schema_set *set, uint32_t value,
                           uint32_t because) {
    const json_t *json = c->document.values[value].json;
    if (json_is_false(json)) set->is_nothing = true;
    if (json_is_boolean(json)) return STATUS_OK;
    if (!json_is_object(json))
        return schema_wrong(c, value, "schema", "neither an object nor true or false");
    if (leads_back(set, because, value))
        return schema_refuse(c, value, "$ref", "leads back to itself without anything between");
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->members[i].value != value) continue;
        if (!(set->members[i].seen & (SEEN_ANY_OF | SEEN_ONE_OF))) return STATUS_OK;
        return schema_refuse(c, value, "$ref", "leads back to itself without anything between");
    }
    if (set->n == SCHEMA_SET_MAX)
        return schema_refuse(c, value, "allOf", "too many schemas for one value");
    set->members[set->n++] = (struct schema_member){value, 0, because};
    return STATUS_OK;
}

static enum status add_reference(struct schema_compiler *c, struct schema_set *set, uint32_t i) {
    uint32_t value = set->members[i].value, at = schema_child(&c->document, value, "$ref");
    if (at == SCHEMA_NONE) return STATUS_OK;
    const char *reference = schema_plain_text(c->document.values[at].json);
    uint32_t target = reference ? schema_resolve(&c->document, reference) : SCHEMA_NONE;
    if (target != SCHEMA_NONE) return schema_set_add(c, set, target, i);
    return schema_refuse(c, value, "$ref", "only #/… to a place in the same schema is followed");
}

static enum status add_all_of(struct schema_compiler *c, struct schema_set *set, uint32_t i) {
    uint32_t value = set->members[i].value, at = schema_child(&c->document, value, "allOf");
    if (at == SCHEMA_NONE) return STATUS_OK;
    const struct schema_value *list = &c->document.values[at];
    if (!json_is_array(list->json)) return schema_wrong(c, value, "allOf", "no list of schemas");
    for (uint32_t k = 0; k < list->n; k++)
        TRY(schema_set_add(c, set, list->first + k, i));
    return STATUS_OK;
}

enum status schema_set_complete(struct schema_compiler *c, struct schema_set *set) {
    for (uint32_t i = 0; i < set->n; i++) {
        TRY(schema_spend(c, 1 + c->document.values[set->members[i].value].n));
        TRY(check_keywords(c, set->members[i].value));
        if (set->members[i].seen & SEEN_FOLLOWED) continue;
        set->members[i].seen |= SEEN_FOLLOWED;
        TRY(add_reference(c, set, i));
        TRY(add_all_of(c, set, i));
    }
    return STATUS_OK;
}

uint32_t schema_set_branching(const struct schema_compiler *c, const struct schema_set *set,
                              const char *keyword, uint32_t seen) {
    for (uint32_t i = 0; i < set->n; i++)
        if (!(set->members[i].seen & seen) &&
            schema_child(&c->document, set->members[i].value, keyword) != SCHEMA_NONE)
            return i;
    return SCHEMA_NONE;
}
