// SPDX-License-Identifier: Apache-2.0
// What the clinic's routes are given: every part of it that is open, and nothing that opens or
// closes one (clinic_service.h does). The parts do not know this file.
#ifndef XL_CLINIC_CLINIC_CONTEXT_H
#define XL_CLINIC_CLINIC_CONTEXT_H

#include "clinic/http/draft_supply.h"
#include "clinic/http/page_policies.h"
#include "clinic/http/session_places.h"

struct cds_clients;
struct draft_runs;
struct draft_warmer;
struct job_pool;
struct login_limit;
struct server_settings;
struct title_map;

struct clinic_context {
    const struct server_settings *settings;
    struct draft_supply supply;
    struct title_map *titles;
    struct job_pool *jobs, *logins, *proofs; // in general; what is slow on purpose; of the audit
    struct session_places *places;
    struct login_limit *login_limit, *client_limit; // of logins; of CDS Hooks clients' failures
    struct cds_clients *cds_clients;                // NULL: no tokens of theirs are taken
    struct draft_runs *runs;
    struct draft_warmer *warmer;
    struct page_policies policies;
};

#endif
