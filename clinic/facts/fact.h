// SPDX-License-Identifier: Apache-2.0
// A fact of a stay that a discharge record has to (or may) tell: one finding, drug, operation …, in
// words that can stand in the record, with the places that it was read from.
#ifndef XL_CLINIC_FACT_H
#define XL_CLINIC_FACT_H

#include "clinic/record/source.h"

#define FACT_SOURCES_MAX 4
#define FACTS_MAX 4000 // of one episode: more is no summary, and no honest record comes near

enum fact_class {
    FACT_OPERATION,
    FACT_DIAGNOSIS,
    FACT_POSITIVE, // abnormal or decisive results, examinations
    FACT_DRUG,
    FACT_COMPLICATION,
    FACT_CONSULT,
    FACT_PENDING, // a result that is still out at discharge
    FACT_FOLLOWUP,
    FACT_EVENT, // admission, transfer, oxygen stopped, tube removed …
    FACT_CLASSES
};

struct fact {
    enum fact_class fact_class;
    bool is_must;     // a record without it is incomplete
    char *text;       // a clause without a date and without a full stop
    char *value;      // what must not change: "4.5 g 每8小时1次"; NULL: nothing
    struct moment at; // when it happened or was reported; MOMENT_UNKNOWN: no single time
    struct source sources[FACT_SOURCES_MAX]; // [n_sources]
    int n_sources;
};

// A list owns its facts. Zero it before use.
struct fact_list {
    struct fact *facts;
    int n_facts, capacity;
};

// Copies text and value. False: no memory, or FACTS_MAX facts.
bool fact_list_add(struct fact_list *list, const struct fact *fact, struct clinic_error *error);
void fact_list_deinit(struct fact_list *list); // empty lists, too

// Another place of the same fact; ignored when it is there already or the row is full.
void fact_add_source(struct fact *fact, const struct source *source);

// "op", "dx", "positive", "drug", "complication", "consult", "pending", "followup", "event".
const char *fact_class_name(enum fact_class fact_class);

// {"class", "need": "must|may", "text", "value": text|null, "at": time|null, "sources": [...]}.
// NULL: no memory.
json_t *fact_to_json(const struct episode *episode, const struct fact *fact);
json_t *fact_list_to_json(const struct episode *episode, const struct fact_list *list);
// The way back, for facts that were kept with a document's version. False: not such a list, or its
// sources are not in this episode. The list is emptied first.
bool fact_list_from_json(const struct episode *episode, const json_t *array, struct fact_list *list,
                         struct clinic_error *error);

#endif
