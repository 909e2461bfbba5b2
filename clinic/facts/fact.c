// SPDX-License-Identifier: Apache-2.0
// See fact.h.
#include "clinic/facts/fact.h"

#include <stdlib.h>
#include <string.h>

static const char *const CLASS_NAMES[FACT_CLASSES] = {[FACT_OPERATION] = "op",
                                                      [FACT_DIAGNOSIS] = "dx",
                                                      [FACT_POSITIVE] = "positive",
                                                      [FACT_DRUG] = "drug",
                                                      [FACT_COMPLICATION] = "complication",
                                                      [FACT_CONSULT] = "consult",
                                                      [FACT_PENDING] = "pending",
                                                      [FACT_FOLLOWUP] = "followup",
                                                      [FACT_EVENT] = "event"};

const char *fact_class_name(enum fact_class fact_class) {
    return (unsigned)fact_class < FACT_CLASSES ? CLASS_NAMES[fact_class] : "event";
}

static bool grow(struct fact_list *list, struct clinic_error *error) {
    if (list->n_facts >= FACTS_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "the record has more than %d facts: too many for one stay", FACTS_MAX);
    if (list->n_facts < list->capacity) return true;
    int capacity = list->capacity ? list->capacity * 2 : 64;
    struct fact *facts = realloc(list->facts, (size_t)capacity * sizeof *facts);
    if (!facts) return clinic_fail_memory(error);
    list->facts = facts;
    list->capacity = capacity;
    return true;
}

bool fact_list_add(struct fact_list *list, const struct fact *fact, struct clinic_error *error) {
    if (!grow(list, error)) return false;
    struct fact copy = *fact;
    copy.text = strdup(fact->text ? fact->text : "");
    copy.value = fact->value ? strdup(fact->value) : NULL;
    if (!copy.text || (fact->value && !copy.value)) {
        free(copy.text);
        free(copy.value);
        return clinic_fail_memory(error);
    }
    list->facts[list->n_facts++] = copy;
    return true;
}

void fact_list_deinit(struct fact_list *list) {
    for (int i = 0; i < list->n_facts; i++) {
        free(list->facts[i].text);
        free(list->facts[i].value);
    }
    free(list->facts);
    *list = (struct fact_list){0};
}

static bool is_same_place(const struct source *a, const struct source *b) {
    return a->kind == b->kind && a->row == b->row && a->section == b->section &&
           a->start == b->start && a->end == b->end;
}

void fact_add_source(struct fact *fact, const struct source *source) {
    for (int i = 0; i < fact->n_sources; i++) {
        if (is_same_place(&fact->sources[i], source)) return;
    }
    if (fact->n_sources < FACT_SOURCES_MAX) fact->sources[fact->n_sources++] = *source;
}

static json_t *sources_to_json(const struct episode *episode, const struct fact *fact) {
    json_t *array = json_array();
    for (int i = 0; array && i < fact->n_sources; i++) {
        json_t *source = source_to_json(episode, &fact->sources[i]);
        if (!source || json_array_append_new(array, source) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *fact_to_json(const struct episode *episode, const struct fact *fact) {
    char at[32];
    if (fact->at.seconds != MOMENT_UNKNOWN) moment_write(fact->at, at);
    json_t *sources = sources_to_json(episode, fact);
    if (!sources) return NULL;
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o}", "class", fact_class_name(fact->fact_class),
                     "need", fact->is_must ? "must" : "may", "text", fact->text, "value",
                     fact->value, "at", fact->at.seconds != MOMENT_UNKNOWN ? at : NULL, "sources",
                     sources);
}

json_t *fact_list_to_json(const struct episode *episode, const struct fact_list *list) {
    json_t *array = json_array();
    for (int i = 0; array && i < list->n_facts; i++) {
        json_t *fact = fact_to_json(episode, &list->facts[i]);
        if (!fact || json_array_append_new(array, fact) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool class_of_name(const char *name, enum fact_class *fact_class) {
    for (int i = 0; name && i < FACT_CLASSES; i++) {
        if (strcmp(name, CLASS_NAMES[i]) == 0) {
            *fact_class = (enum fact_class)i;
            return true;
        }
    }
    return false;
}

static bool fact_from_json(const struct episode *episode, const json_t *value, struct fact *fact) {
    const char *need = json_string_value(json_object_get(value, "need"));
    const char *at = json_string_value(json_object_get(value, "at"));
    const json_t *sources = json_object_get(value, "sources");
    *fact = (struct fact){.at = {.seconds = MOMENT_UNKNOWN}};
    fact->text = (char *)json_string_value(json_object_get(value, "text"));
    fact->value = (char *)json_string_value(json_object_get(value, "value"));
    if (!class_of_name(json_string_value(json_object_get(value, "class")), &fact->fact_class) ||
        !fact->text || !need || (at && !moment_parse(at, &fact->at)) ||
        json_array_size(sources) > FACT_SOURCES_MAX)
        return false;
    fact->is_must = strcmp(need, "must") == 0;
    for (size_t i = 0; i < json_array_size(sources); i++) {
        if (!source_from_json(episode, json_array_get(sources, i),
                              &fact->sources[fact->n_sources++]))
            return false;
    }
    return true;
}

bool fact_list_from_json(const struct episode *episode, const json_t *array, struct fact_list *list,
                         struct clinic_error *error) {
    fact_list_deinit(list);
    if (!json_is_array(array))
        return clinic_fail(error, CLINIC_BAD_INPUT, "kept facts: not a list");
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct fact fact;
        if (!fact_from_json(episode, json_array_get(array, i), &fact)) {
            fact_list_deinit(list);
            return clinic_fail(error, CLINIC_BAD_INPUT,
                               "kept facts: row %zu is not a fact of this episode", i);
        }
        if (!fact_list_add(list, &fact, error)) {
            fact_list_deinit(list);
            return false;
        }
    }
    return true;
}
