// SPDX-License-Identifier: Apache-2.0
// See stay_size.h.
#include "clinic/facts/stay_size.h"

static bool check_table(const char *table, int n, int n_max, struct clinic_error *error) {
    if (n <= n_max) return true;
    return clinic_fail(error, CLINIC_BAD_INPUT,
                       "the record has %d rows in \"%s\"; a record can be drafted from up to %d", n,
                       table, n_max);
}

static size_t text_bytes(const struct episode *episode) {
    size_t bytes = 0;
    for (int i = 0; i < episode->n_docs; i++) {
        for (int s = 0; s < episode->docs[i].n_sections; s++)
            bytes += episode->docs[i].sections[s].text_bytes;
    }
    for (int i = 0; i < episode->n_reports; i++)
        bytes +=
            episode->reports[i].findings.text_bytes + episode->reports[i].conclusion.text_bytes;
    return bytes;
}

bool stay_size_check(const struct episode *episode, struct clinic_error *error) {
    if (!check_table("orders", episode->n_orders, STAY_ORDERS_MAX, error) ||
        !check_table("labs", episode->n_labs, STAY_LABS_MAX, error) ||
        !check_table("vitals", episode->n_vitals, STAY_VITALS_MAX, error) ||
        !check_table("reports", episode->n_reports, STAY_REPORTS_MAX, error) ||
        !check_table("diagnoses", episode->n_diagnoses, STAY_DIAGNOSES_MAX, error) ||
        !check_table("operations", episode->n_operations, STAY_OPERATIONS_MAX, error) ||
        !check_table("events", episode->n_events, STAY_EVENTS_MAX, error) ||
        !check_table("allergies", episode->patient.n_allergies, STAY_ALLERGIES_MAX, error))
        return false;
    size_t bytes = text_bytes(episode);
    if (bytes <= STAY_TEXT_BYTES_MAX) return true;
    return clinic_fail(
        error, CLINIC_BAD_INPUT,
        "the record's documents have %zu bytes of text; a record can be drafted from "
        "up to %d",
        bytes, STAY_TEXT_BYTES_MAX);
}
