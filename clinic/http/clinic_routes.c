// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/clinic_routes.h"

#include "clinic/http/audit_routes.h"
#include "clinic/http/cds_routes.h"
#include "clinic/http/clinic_pages.h"
#include "clinic/http/draft_routes.h"
#include "clinic/http/episode_routes.h"
#include "clinic/http/form_routes.h"
#include "clinic/http/import_routes.h"
#include "clinic/http/session_routes.h"
#include "clinic/http/user_routes.h"

#include <string.h>

#define API "/clinic/api/"
#define CLINICAL (ROLE_DOCTOR | ROLE_QC)
#define ANYBODY (ROLE_DOCTOR | ROLE_QC | ROLE_ADMIN | ROLE_AUDITOR)
#define PAGE(path_, summary_)                                                                      \
    { .method = "GET", .path = path_, .summary = summary_, .handle = clinic_pages_handle }
#define BODY(name) name##_tables, &name##_n_tables
#define NO_BODY NULL, NULL

const struct clinic_row clinic_rows[] = {
    PAGE("/clinic", "the clinic's pages"),
    PAGE("/clinic/ui/{file}", "their files"),
    PAGE("/clinic/embed", "the draft window alone, for an iframe of a host"),
    PAGE("/clinic/bridge.js", "what a host's page loads to speak with it"),
    PAGE("/clinic/mock-host", "a host to try it with"),
    {"POST", "/clinic/mock-host/launch", ACCESS_OPEN, 0, ABOUT_NOTHING, mock_launch_run, NULL,
     BODY(mock_launch), "a launch token of the mock host", NULL, PACE_QUICK},

    {"POST", API "login", ACCESS_OPEN, 0, ABOUT_NOTHING, login_run, NULL, BODY(login),
     "open a session", NULL, PACE_PASSWORD},
    {"POST", API "launch", ACCESS_OPEN, 0, ABOUT_NOTHING, launch_run, NULL, BODY(launch),
     "open a session with a host's token", NULL, PACE_QUICK},
    {"POST", API "logout", ACCESS_LAUNCHED, ANYBODY, ABOUT_NOTHING, logout_run, NULL, BODY(nothing),
     "end the session", NULL, PACE_QUICK},
    {"GET", API "me", ACCESS_LAUNCHED, ANYBODY, ABOUT_NOTHING, me_run, NULL, NO_BODY,
     "who is logged in, what there is", NULL, PACE_QUICK},

    {"POST", "/clinic/episodes", ACCESS_KEY_OR_ADMIN, ROLE_ADMIN, ABOUT_NOTHING, episode_push_run,
     NULL, BODY(any_object), "push an episode: canonical JSON or a FHIR Bundle", NULL, PACE_QUICK},
    {"POST", "/clinic/documents", ACCESS_KEY_OR_ADMIN, ROLE_ADMIN, ABOUT_EPISODE_IN_BODY,
     document_push_run, NULL, BODY(any_object), "push one document of an episode", NULL,
     PACE_QUICK},

    {"POST", API "episodes/search", ACCESS_SESSION, CLINICAL, ABOUT_NOTHING, search_run, NULL,
     BODY(search), "the patients of one's departments", NULL, PACE_QUICK},
    {"GET", API "episodes/{id}", ACCESS_LAUNCHED, CLINICAL, ABOUT_EPISODE, episode_run, "read",
     NO_BODY, "an episode and its drafts", NULL, PACE_QUICK},
    {"GET", API "episodes/{id}/conflicts", ACCESS_LAUNCHED, CLINICAL, ABOUT_EPISODE, conflicts_run,
     "read", NO_BODY, "where the record contradicts itself", NULL, PACE_QUICK},
    {"GET", API "episodes/{id}/fhir/{template}", ACCESS_LAUNCHED, CLINICAL, ABOUT_EPISODE,
     composition_run, "export", NO_BODY, "the form as a FHIR Composition", NULL, PACE_QUICK},

    {"POST", API "drafts", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_EPISODE_IN_BODY, draft_create_run,
     NULL, BODY(draft_create), "begin a draft", NULL, PACE_QUICK},
    {"GET", API "drafts/{id}", ACCESS_LAUNCHED, CLINICAL, ABOUT_DRAFT, draft_get_run, "read",
     NO_BODY, "a draft as it is", NULL, PACE_QUICK},
    {"GET", API "drafts/{id}/events", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT,
     draft_events_run, "read", NO_BODY, "a draft as it becomes (server-sent events)", NULL,
     PACE_QUICK},
    {"POST", API "drafts/{id}/stop", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT, draft_stop_run,
     NULL, BODY(nothing), "stop it", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/regenerate", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT,
     draft_regenerate_run, NULL, BODY(draft_regenerate), "write one field again", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/lock", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT, draft_lock_run,
     NULL, BODY(draft_lock), "keep a field as it is", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/edit", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT, draft_edit_run,
     NULL, BODY(draft_edit), "another text of a field", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/accept", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT,
     draft_accept_run, NULL, BODY(draft_accept), "answer for an unsupported sentence", NULL,
     PACE_QUICK},
    {"POST", API "drafts/{id}/insert", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT,
     draft_insert_run, NULL, BODY(draft_insert), "put in what was left out", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/dismiss", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT,
     draft_dismiss_run, NULL, BODY(draft_dismiss), "leave it out", NULL, PACE_QUICK},
    {"POST", API "drafts/{id}/fill", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_OWN_DRAFT, draft_fill_run,
     NULL, BODY(draft_fill), "fill fields back into the form", NULL, PACE_QUICK},

    {"GET", API "forms/{episode}/{template}", ACCESS_LAUNCHED, CLINICAL, ABOUT_EPISODE,
     form_get_run, "read", NO_BODY, "the form", NULL, PACE_QUICK},
    {"POST", API "forms/{episode}/{template}", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_EPISODE,
     form_type_run, NULL, BODY(form_type), "type into a field", NULL, PACE_QUICK},
    {"POST", API "forms/{episode}/{template}/undo", ACCESS_LAUNCHED, ROLE_DOCTOR, ABOUT_EPISODE,
     form_undo_run, NULL, BODY(form_undo), "the text before the last change", NULL, PACE_QUICK},

    {"POST", API "audit/search", ACCESS_SESSION, ROLE_AUDITOR | ROLE_ADMIN, ABOUT_NOTHING,
     audit_search_run, "read", BODY(audit_search), "lines of the audit", NULL, PACE_QUICK},
    {"POST", API "audit/verify", ACCESS_SESSION, ROLE_AUDITOR | ROLE_ADMIN, ABOUT_NOTHING,
     audit_verify_run, "read", BODY(nothing), "prove the whole chain", NULL, PACE_PROOF},
    {"GET", API "users", ACCESS_SESSION, ROLE_ADMIN, ABOUT_NOTHING, user_list_run, "read", NO_BODY,
     "the users", NULL, PACE_QUICK},
    {"POST", API "users", ACCESS_SESSION, ROLE_ADMIN, ABOUT_NOTHING, user_put_run, NULL,
     BODY(user_put), "make or change a user", NULL, PACE_PASSWORD},

    {"GET", "/clinic/cds-services", ACCESS_OPEN, 0, ABOUT_NOTHING, cds_discovery_run, NULL, NO_BODY,
     "CDS Hooks 2.0: discovery", NULL, PACE_QUICK},
    {"POST", "/clinic/cds-services/xinglin-discharge", ACCESS_CLIENT, 0, ABOUT_NOTHING,
     cds_discharge_run, "read", BODY(any_object), "CDS Hooks 2.0: encounter-discharge", NULL,
     PACE_QUICK},
    {"POST", "/clinic/cds-services/xinglin-discharge/feedback", ACCESS_CLIENT, 0, ABOUT_NOTHING,
     cds_feedback_run, NULL, BODY(any_object), "CDS Hooks 2.0: what became of a card", NULL,
     PACE_QUICK},
};

#undef NO_BODY
#undef BODY
#undef PAGE
#undef ANYBODY
#undef CLINICAL
#undef API

const size_t n_clinic_rows = sizeof clinic_rows / sizeof clinic_rows[0];

static bool is_of_demo(const struct clinic_row *row) {
    return strncmp(row->path, "/clinic/mock-host", 17) == 0;
}

static void begin(struct exchange *exchange) {
    const struct clinic_row *row = clinic_rows;
    while (row->path != exchange->route->path || row->method != exchange->route->method)
        row++; // every route that is handled here was made of a row
    clinic_call_begin(exchange, row);
}

size_t clinic_routes_fill(struct route routes[CLINIC_ROWS_MAX], bool is_demo) {
    size_t n = 0;
    for (size_t i = 0; i < n_clinic_rows && n < CLINIC_ROWS_MAX; i++) {
        const struct clinic_row *row = &clinic_rows[i];
        if (is_of_demo(row) && !is_demo) continue;
        // Sessions are not the gate's business, so every row is public to it.
        routes[n++] =
            (struct route){.method = row->method,
                           .path = row->path,
                           .is_public = true,
                           .scope = SCOPE_CLINIC,
                           .handle = row->handle ? row->handle : begin,
                           .tables = row->tables,
                           .n_tables = row->n_tables,
                           .summary = row->summary,
                           .content_type = row->handle ? "text/html" : "application/json"};
    }
    return n;
}
