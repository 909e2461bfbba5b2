// SPDX-License-Identifier: Apache-2.0
// One draft while it is composed: what was asked, the draft so far, who listens. Knows neither what
// fields are made of nor in which order.
#ifndef XL_CLINIC_DRAFT_RUN_H
#define XL_CLINIC_DRAFT_RUN_H

#include "clinic/draft/draft_ground.h"

struct draft_run {
    const struct draft_request *request;
    const struct draft_events *events;
    json_t *draft;
    double begun_s, first_token_s; // of a clock that only goes forward; first 0: none yet
    bool is_stopped;
    bool is_model_lost; // it failed: the rest of the draft does without
};

double draft_run_seconds(void); // of that clock
bool draft_run_is_stopped(struct draft_run *run);
// Takes the reference of data. False: no memory (a listener that wants no more stops the run).
bool draft_run_tell(struct draft_run *run, const char *event, json_t *data,
                    struct clinic_error *error);
bool draft_run_tell_field(struct draft_run *run, json_t *field, struct clinic_error *error);
bool draft_run_set_state(json_t *field, const char *state);

#endif
