// SPDX-License-Identifier: Apache-2.0
// What a draft leaves out: facts that none of its fields tells. A fact counts as told when its
// values and enough of its words stand in the text, in whatever wording.
#ifndef XL_CLINIC_OMISSION_H
#define XL_CLINIC_OMISSION_H

#include "clinic/facts/fact.h"

struct omission {
    int fact;             // index in the fact list
    bool is_must;         // else it may stay untold, also where the fact is a must (see omission.c)
    const char *field_id; // where the sentence belongs: "course", "discharge_orders", …
    char *sentence;       // ready to insert, with its full stop; own
};

// Owns its sentences. Zero it before use.
struct omission_list {
    struct omission *omissions;
    int n_omissions, capacity;
};

// field_texts: [n_texts] the texts of all fields of the draft (NULL entries are empty fields). The
// list must be empty; on failure it is. Must-facts come
// first; among them what happened before what was found and single values, each in time order.
bool omissions_find(const struct episode *episode, const struct fact_list *facts,
                    const char *const *field_texts, int n_texts, struct omission_list *omissions,
                    struct clinic_error *error);
void omission_list_deinit(struct omission_list *omissions);

// {"id": "m1" (place in the list), "class", "need", "text", "field", "sentence", "sources",
// "state": "open"}; id by place. NULL: no memory.
json_t *omission_to_json(const struct episode *episode, const struct fact_list *facts,
                         const struct omission_list *omissions, int index);
json_t *omission_list_to_json(const struct episode *episode, const struct fact_list *facts,
                              const struct omission_list *omissions);

#endif
