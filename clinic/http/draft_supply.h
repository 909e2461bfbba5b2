// SPDX-License-Identifier: Apache-2.0
// What drafts are made of: records, charts that are ready, record types and
// whoever writes. Runs and background reading
// are given this and nothing else of the clinic.
#ifndef XL_CLINIC_DRAFT_SUPPLY_H
#define XL_CLINIC_DRAFT_SUPPLY_H

struct chart_shelf;
struct host_writer;
struct store;
struct template_set;

struct draft_supply {
    struct store *store;
    struct chart_shelf *charts;
    struct template_set *templates;
    struct host_writer *writer;
};

#endif
