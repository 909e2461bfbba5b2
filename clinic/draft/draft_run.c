// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_run.h"

#include "clinic/draft/draft_form.h"

#include <time.h>

double draft_run_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool draft_run_is_stopped(struct draft_run *run) {
    const struct draft_events *events = run->events;
    if (!run->is_stopped && events->is_stopped && events->is_stopped(events->user))
        run->is_stopped = true;
    return run->is_stopped;
}

bool draft_run_tell(struct draft_run *run, const char *event, json_t *data,
                    struct clinic_error *error) {
    json_t *object = data ? json_pack("{s:s,s:o}", "event", event, "data", data) : NULL;
    if (!object) return clinic_fail_memory(error);
    if (run->events->on_event && !run->events->on_event(run->events->user, object))
        run->is_stopped = true;
    json_decref(object);
    return true;
}

bool draft_run_tell_field(struct draft_run *run, json_t *field, struct clinic_error *error) {
    return draft_run_tell(run, "checked", json_pack("{s:O}", "field", field), error);
}

bool draft_run_set_state(json_t *field, const char *state) {
    return draft_form_put(field, "state", json_string(state));
}
