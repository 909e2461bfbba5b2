// SPDX-License-Identifier: Apache-2.0
// One request to the clinic, from the gate to the answer. Who may ask what is one table
// (clinic_routes.c): a row names the roles, how the caller is known and what the request is about;
// clinic_call.c, which does not know the table, holds every request to its row before the row's
// function sees it, and writes the audit line of a read before the answer is given. A function so
// never asks for a role.
//
// Threads: clinic_call_begin in the I/O thread, everything else in a job.
#ifndef XL_CLINIC_CLINIC_CALL_H
#define XL_CLINIC_CLINIC_CALL_H

#include "clinic/http/clinic_context.h"
#include "clinic/record/clinic_error.h"
#include "clinic/store/store_users.h"
#include "server/exchange.h"
#include "server/route_table.h"

#include <jansson.h>

#define CLINIC_COOKIE "xinglin_clinic"

// Bodies without a member, and bodies that a route looks at itself.
extern const struct field_table nothing_tables[], any_object_tables[];
extern const size_t nothing_n_tables, any_object_n_tables;

enum clinic_role { ROLE_DOCTOR = 1, ROLE_QC = 2, ROLE_ADMIN = 4, ROLE_AUDITOR = 8 };

enum clinic_access {
    ACCESS_OPEN,         // nobody is known yet: login, launch, discovery
    ACCESS_SESSION,      // a session of a user with one of the roles
    ACCESS_LAUNCHED,     // the same, and sessions of a launch may, too
    ACCESS_KEY_OR_ADMIN, // an API key with the scope `clinic`, or a session with one of the roles
    ACCESS_CLIENT        // such a key, or a token that a client of CDS Hooks has signed
};

// What the request is about. Whoever may not see its episode is told that there is none.
enum clinic_subject {
    ABOUT_NOTHING,
    ABOUT_EPISODE,         // {…} number 0 of the path
    ABOUT_EPISODE_IN_BODY, // "episode"
    ABOUT_DRAFT,           // {…} number 0 is a draft
    ABOUT_OWN_DRAFT        // and the caller made it
};

// Which threads answer: what takes long on purpose or by size keeps nobody else waiting.
enum clinic_pace { PACE_QUICK, PACE_PASSWORD, PACE_PROOF };

struct clinic_call;
struct record_template;

struct clinic_row {
    const char *method, *path;
    enum clinic_access access;
    unsigned roles; // of sessions
    enum clinic_subject subject;
    bool (*run)(struct clinic_call *call); // false: call->error or exchange->error says why
    const char *reads;                     // audit: "read", or "export"; NULL: the store audits it
    const struct field_table *tables;      // of the body, as struct route has them
    const size_t *n_tables;
    const char *summary;
    void (*handle)(struct exchange *exchange); // pages: instead of all the above
    enum clinic_pace pace;
};

struct stream_follower;

struct clinic_call {
    const struct clinic_context *context;
    struct exchange *exchange;
    const struct clinic_row *row;
    char token[STORE_TOKEN_BYTES]; // of the session; "" for none
    const char *key;               // name of the API key that let it in; NULL: none
    char *client_token;            // of CDS Hooks; NULL: none
    bool is_system;                // one of the two let it in, no user
    char system_actor[160];        // "key:NAME", "cds:ISSUER"
    char base[300];                // scheme and host that the client called
    bool has_session;
    struct store_session session;
    struct actor actor;
    json_t *body;
    char episode[129]; // what it is about, if it is about one
    json_t *draft;     // and of drafts: as it is in the store
    json_t *reply;     // what is answered; a new reference of the function
    int status;        // 200
    struct clinic_error error;
    struct stream_follower *follower; // the answer is a stream
    bool has_place;                   // among the requests of its session
};

// Begins the request that came for the row: of all rows but pages.
void clinic_call_begin(struct exchange *exchange, const struct clinic_row *row);

// ---- For the rows' functions
// The body by the row's tables into `target`.
bool clinic_call_read(struct clinic_call *call, void *target);
// False with a 400 that names the field if `value` is NULL or empty.
bool clinic_call_need(struct clinic_call *call, const char *field, const char *value);
// False with a 400 if the text has characters that show nothing or turn what follows: a doctor
// would read something else than what is checked and filled.
bool clinic_call_is_plain(struct clinic_call *call, const char *field, const char *text);
// A line of the audit for what the store does not see; false fills call->error.
bool clinic_call_audit(struct clinic_call *call, const char *action, const json_t *after);
// Fills exchange->error; returns false.
bool clinic_call_refuse(struct clinic_call *call, int http_status, const char *code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
const char *clinic_call_part(const struct clinic_call *call, int which); // {…} of the path
struct store *clinic_call_store(const struct clinic_call *call);
// Whether the session is for this record type: a launch may be for one alone.
bool clinic_call_may_write(const struct clinic_call *call, const char *template);
// Such a record type by its id, or NULL with a 404.
const struct record_template *clinic_call_template(struct clinic_call *call, const char *id);
// {"error": {"code", "message"}} that a route adds to; NULL: no memory.
json_t *clinic_call_error_json(const char *code, const char *message);

#endif
