// SPDX-License-Identifier: Apache-2.0
// Conflicts inside a record: places that cannot both be right. What is found is shown to the
// doctor, never corrected.
#ifndef XL_CLINIC_CONFLICT_H
#define XL_CLINIC_CONFLICT_H

#include "clinic/record/source.h"

#define CONFLICT_SOURCES_MAX 4
#define CONFLICTS_MAX 200 // of one record; what is beyond is not looked for

enum conflict_kind {
    CONFLICT_SIDE,        // X06: 左 and 右 of the same site
    CONFLICT_VALUE,       // X17: a value in a text differs from the result
    CONFLICT_VITAL,       // X24, X28: temperature … differs from the chart, or cannot be
    CONFLICT_DRUG,        // X20: dose or frequency in a text differs from the order
    CONFLICT_ALLERGY,     // X21: an allergen is ordered; statements contradict each other
    CONFLICT_SEX,         // X04
    CONFLICT_AGE,         // X03, X05
    CONFLICT_TIME,        // X08: dates out of order
    CONFLICT_PERSON,      // X01, B02: the name of another person
    CONFLICT_BLOOD,       // X32: blood groups differ
    CONFLICT_DIAGNOSIS,   // X16: diagnoses before and in the operation, pathology
    CONFLICT_OPERATION,   // X15: operations in texts and in the table differ
    CONFLICT_PENDING,     // X44: a result is out and no note says so
    CONFLICT_INSTRUCTION, // text that gives orders to a program
    CONFLICT_KINDS
};

enum conflict_severity { SEVERITY_VETO, SEVERITY_HIGH, SEVERITY_MIDDLE, SEVERITY_LOW };

struct conflict {
    enum conflict_kind kind;
    enum conflict_severity severity;
    char *text; // one sentence that tells both sides; own
    struct source sources[CONFLICT_SOURCES_MAX];
    int n_sources;
};

// Owns its texts. Zero it before use.
struct conflict_list {
    struct conflict *conflicts;
    int n_conflicts, capacity;
};

// The list must be empty; on failure it is. Worst first.
bool conflicts_find(const struct episode *episode, struct conflict_list *conflicts,
                    struct clinic_error *error);
void conflict_list_deinit(struct conflict_list *conflicts);

const char *conflict_kind_name(enum conflict_kind kind); // "side", "value", …, also in JSON

// {"id": "c1", "kind", "text", "severity": "V|H|M|L", "sources": []}; NULL: no memory.
json_t *conflict_to_json(const struct episode *episode, const struct conflict_list *conflicts,
                         int index);
json_t *conflict_list_to_json(const struct episode *episode, const struct conflict_list *conflicts);

#endif
