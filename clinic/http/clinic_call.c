// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/clinic_call.h"

#include "clinic/draft/record_template.h"
#include "clinic/http/cds_clients.h"
#include "clinic/http/event_stream.h"
#include "clinic/http/login_limit.h"
#include "clinic/record/plain_text.h"
#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "server/api_keys.h"
#include "server/clock_seconds.h"
#include "server/host_check.h"
#include "server/http_gate.h"
#include "server/http_server.h"
#include "server/json_dump.h"
#include "server/json_memory.h"
#include "server/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Records are many small objects: as many as the operator's --body-kib can hold of them.
enum { RECORD_BYTES_PER_CONTAINER = 32 };

static bool more(void *work) {
    struct clinic_call *call = work;
    return call->follower && event_stream_more(call->follower, &call->exchange->out);
}

static void cancel(void *work) {
    struct clinic_call *call = work;
    if (call->follower) event_stream_leave(call->follower);
}

static void give_place(struct clinic_call *call) {
    if (call->has_place) session_places_leave(call->context->places, call->token);
    call->has_place = false;
}

static void release(void *work) {
    struct clinic_call *call = work;
    give_place(call);
    if (call->follower) event_stream_close(call->follower);
    if (call->has_session) store_session_deinit(&call->session);
    json_decref(call->body);
    json_decref(call->draft);
    json_decref(call->reply);
    explicit_bzero(call->token, sizeof call->token);
    free(call->client_token); // has been used, or never will be: it is for one call
    free(call);
}

static const struct exchange_work call_work = {more, cancel, release};

bool clinic_call_refuse(struct clinic_call *call, int http_status, const char *code,
                        const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return openai_error_set(&call->exchange->error, http_status, code, NULL, "%s", message);
}

const char *clinic_call_part(const struct clinic_call *call, int which) {
    return call->exchange->path_parts[which];
}

struct store *clinic_call_store(const struct clinic_call *call) {
    return call->context->supply.store;
}

bool clinic_call_may_write(const struct clinic_call *call, const char *template) {
    const char *only = call->session.template;
    return !call->has_session || !*only || (template && strcmp(only, template) == 0);
}

const struct record_template *clinic_call_template(struct clinic_call *call, const char *id) {
    const struct record_template *record = NULL;
    if (clinic_call_may_write(call, id))
        record = template_set_find(call->context->supply.templates, id);
    if (!record) clinic_call_refuse(call, 404, "not_found", "there is no such record type");
    return record;
}

json_t *clinic_call_error_json(const char *code, const char *message) {
    return json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message);
}

// ---- In the I/O thread: what the request carries

// The cookie comes by itself, so a page of another origin could use it; SameSite=Strict keeps it
// from other sites, this keeps it from other origins of the same site.
static bool is_own_page(struct exchange *exchange) {
    const char *origin = exchange_header(exchange, "Origin"),
               *site = exchange_header(exchange, "Sec-Fetch-Site");
    if (origin && !host_check_same(origin, exchange_header(exchange, "Host"))) return false;
    return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

static void take_token(struct clinic_call *call, const char *token) {
    if (strlen(token) < sizeof call->token) snprintf(call->token, sizeof call->token, "%s", token);
}

static bool take_key(struct clinic_call *call) {
    struct exchange *exchange = call->exchange;
    if (!http_gate_check_key(exchange, SCOPE_CLINIC) || !http_gate_admit(exchange)) return false;
    call->key = exchange->key->name;
    return true;
}

// Its signature is for the job to check.
static bool take_client_token(struct clinic_call *call, const char *secret) {
    call->client_token = strdup(secret);
    return call->client_token || openai_error_no_memory(&call->exchange->error);
}

static bool take_credentials(struct clinic_call *call) {
    struct exchange *exchange = call->exchange;
    const char *secret = http_gate_secret(exchange),
               *cookie = exchange_cookie(exchange, CLINIC_COOKIE);
    bool is_key = secret && strncmp(secret, "xl-", 3) == 0;
    enum clinic_access access = call->row->access;
    if (access == ACCESS_OPEN) return true;
    if (access == ACCESS_CLIENT && secret && !is_key && call->context->cds_clients)
        return take_client_token(call, secret);
    if (access == ACCESS_CLIENT || (access == ACCESS_KEY_OR_ADMIN && is_key)) return take_key(call);
    if (secret) {
        take_token(call, secret);
    } else if (cookie) {
        if (!is_own_page(exchange))
            return clinic_call_refuse(call, 403, "origin_not_allowed",
                                      "a session's cookie serves the clinic's own pages only");
        take_token(call, cookie);
    }
    return true;
}

static void note_base(struct clinic_call *call) {
    const char *host = exchange_header(call->exchange, "Host"),
               *url = call->context->settings->clinic_url;
    if (url)
        snprintf(call->base, sizeof call->base, "%s", url);
    else
        snprintf(call->base, sizeof call->base, "%s://%s",
                 call->context->settings->tls_cert ? "https" : "http", host ? host : "localhost");
}

// ---- In the job: who it is, what it is about

static unsigned role_of(const char *name) {
    static const char *const names[] = {"doctor", "qc", "admin", "auditor"};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return 1u << i;
    return 0;
}

static bool find_session(struct clinic_call *call) {
    struct store *store = clinic_call_store(call);
    struct clinic_error error;
    if (!call->token[0]) return clinic_call_refuse(call, 401, "no_session", "log in first");
    call->has_session = store_session_find(store, call->token, &call->session, &error);
    if (!call->has_session) {
        if (error.failure != CLINIC_DENIED) {
            call->error = error;
            return false;
        }
        return clinic_call_refuse(call, 401, "no_session", "the session has ended; log in again");
    }
    call->actor = store_session_actor(&call->session, call->exchange->address);
    return true;
}

static bool check_role(struct clinic_call *call) {
    bool is_launched = call->session.episode[0] != '\0';
    bool may = (role_of(call->session.role) & call->row->roles) != 0 &&
               (!is_launched || call->row->access == ACCESS_LAUNCHED);
    return may ||
           clinic_call_refuse(call, 403, "role_not_allowed", "users of this role may not do this");
}

static bool take_system(struct clinic_call *call, const char *kind, const char *name) {
    snprintf(call->system_actor, sizeof call->system_actor, "%s:%s", kind, name);
    call->actor = (struct actor){
        .user = call->system_actor, .role = "key", .address = call->exchange->address};
    call->is_system = true;
    return true;
}

// The audit keeps why, the caller learns only that it failed; who tries often is not written down
// each time.
static bool refuse_client(struct clinic_call *call, const char *why) {
    struct login_limit *limit = call->context->client_limit;
    struct actor actor = {.address = call->exchange->address};
    double now_s = clock_seconds();
    if (login_limit_wait(limit, actor.address, now_s) == 0) {
        struct clinic_error error;
        json_t *after = json_pack("{s:s}", "why", why);
        store_audit(clinic_call_store(call), &actor, "login.failed", NULL, "cds-services", NULL,
                    after, &error);
        json_decref(after);
    }
    login_limit_fail(limit, actor.address, now_s);
    return clinic_call_refuse(call, 401, "client_not_trusted",
                              "this token is not of a client that this server trusts, for this "
                              "address, now, and for the first time");
}

static bool check_client(struct clinic_call *call) {
    struct cds_caller caller;
    struct jwt_refusal refusal;
    struct clinic_error error;
    char audience[sizeof call->base + 128];
    snprintf(audience, sizeof audience, "%s%s", call->base, call->row->path);
    if (!cds_clients_check(call->context->cds_clients, call->client_token, audience,
                           (int64_t)time(NULL), &caller, &refusal))
        return refuse_client(call, refusal.why);
    if (store_use_once(clinic_call_store(call), caller.issuer, caller.nonce, caller.expires_s,
                       &error))
        return take_system(call, "cds", caller.issuer);
    if (error.failure == CLINIC_DENIED) return refuse_client(call, error.message);
    call->error = error;
    return false;
}

static bool check_caller(struct clinic_call *call) {
    if (call->row->access == ACCESS_OPEN) {
        call->actor = (struct actor){.address = call->exchange->address};
        return true;
    }
    if (call->key) return take_system(call, "key", call->key);
    if (call->client_token) return check_client(call);
    return find_session(call) && check_role(call);
}

static bool refuse_unseen(struct clinic_call *call) {
    return clinic_call_refuse(call, 404, "not_found", "there is no such %s",
                              call->row->subject >= ABOUT_DRAFT ? "draft" : "episode");
}

static bool check_episode(struct clinic_call *call, const char *id) {
    char department[256];
    if (!id || !*id || strlen(id) >= sizeof call->episode) return refuse_unseen(call);
    snprintf(call->episode, sizeof call->episode, "%s", id);
    if (call->is_system)
        return true; // pushes know no departments; the store says if it is not there
    if (!store_episode_department(clinic_call_store(call), id, department, sizeof department,
                                  &call->error))
        return call->error.failure == CLINIC_NOT_FOUND ? refuse_unseen(call) : false;
    if (role_of(call->session.role) == ROLE_ADMIN) return true; // imports; reads nothing
    return store_session_sees(&call->session, id, department) || refuse_unseen(call);
}

static bool check_draft(struct clinic_call *call) {
    const char *id = clinic_call_part(call, 0);
    if (strlen(id) >= STORE_ID_BYTES) return refuse_unseen(call);
    if (!store_get_draft(clinic_call_store(call), id, &call->draft, &call->error))
        return call->error.failure == CLINIC_NOT_FOUND ? refuse_unseen(call) : false;
    if (!check_episode(call, json_string_value(json_object_get(call->draft, "episode"))))
        return false;
    if (!clinic_call_may_write(call, json_string_value(json_object_get(call->draft, "template"))))
        return refuse_unseen(call);
    const char *by = json_string_value(json_object_get(call->draft, "by"));
    if (call->row->subject == ABOUT_DRAFT || (by && strcmp(by, call->session.user) == 0))
        return true;
    return clinic_call_refuse(call, 403, "not_your_draft",
                              "only the doctor who made a draft works with it");
}

static bool check_subject(struct clinic_call *call) {
    switch (call->row->subject) {
    case ABOUT_NOTHING:
        return true;
    case ABOUT_EPISODE:
        return check_episode(call, clinic_call_part(call, 0));
    case ABOUT_EPISODE_IN_BODY:
        return check_episode(call, json_string_value(json_object_get(call->body, "episode")));
    default:
        return check_draft(call);
    }
}

bool clinic_call_read(struct clinic_call *call, void *target) {
    return json_reader_read(call->body, call->row->tables, *call->row->n_tables, target, "",
                            &call->exchange->error);
}

static bool read_body(struct clinic_call *call) {
    if (!call->row->tables) return true;
    struct request_body *body = &call->exchange->body;
    size_t n_max = body->max / RECORD_BYTES_PER_CONTAINER;
    if (call->row->tables != any_object_tables || n_max < BODY_CONTAINERS_MAX)
        n_max = BODY_CONTAINERS_MAX;
    call->body = request_body_parse_within(body, n_max, n_max * 10, &call->exchange->error);
    request_body_free(&call->exchange->body);
    bool is_empty = call->row->tables == nothing_tables;
    return call->body && (!is_empty || clinic_call_read(call, NULL));
}

const struct field_table nothing_tables[] = {{NULL, 0, 0}};
const size_t nothing_n_tables = 1;
const struct field_table any_object_tables[] = {{NULL, 0, 0}};
const size_t any_object_n_tables = 0;

bool clinic_call_need(struct clinic_call *call, const char *field, const char *value) {
    if (value && *value) return true;
    return openai_error_set(&call->exchange->error, 400, "missing_value", field, "%s is missing",
                            field);
}

bool clinic_call_is_plain(struct clinic_call *call, const char *field, const char *text) {
    if (plain_text_is(text, strlen(text))) return true;
    return openai_error_set(&call->exchange->error, 400, "invalid_value", field,
                            "%s has characters that show nothing or turn the direction of others",
                            field);
}

// Ids as records have them; what else stands in a path may be anything.
static bool is_plain_id(const char *id) {
    size_t n = strlen(id);
    return n > 0 && n <= 64 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

// The route's path with its ids, without "/clinic/api/": "episodes/E-1". No text of the request.
static void name_object(const struct clinic_call *call, char object[STORE_OBJECT_BYTES]) {
    const char *at = call->row->path + strlen("/clinic/");
    if (strncmp(at, "api/", 4) == 0) at += 4;
    size_t n = 0;
    for (int which = 0; *at; at++) {
        char one[2] = {*at, '\0'};
        const char *text = one;
        if (*at == '{') {
            text = clinic_call_part(call, which++);
            if (!is_plain_id(text)) text = "?";
            at += strcspn(at, "}");
        }
        int written = snprintf(object + n, STORE_OBJECT_BYTES - n, "%s", text);
        n += (size_t)written;
        if (n >= STORE_OBJECT_BYTES) return;
    }
}

bool clinic_call_audit(struct clinic_call *call, const char *action, const json_t *after) {
    char object[STORE_OBJECT_BYTES];
    name_object(call, object);
    if (store_audit(clinic_call_store(call), &call->actor, action,
                    is_plain_id(call->episode) ? call->episode : NULL, object, NULL, after,
                    &call->error))
        return true;
    return clinic_call_refuse(call, 503, "audit_unavailable",
                              "the clinic cannot write its audit, so it does no work");
}

static void tell_failure(struct clinic_call *call) {
    static const struct {
        int status;
        const char *code;
    } kinds[] = {[CLINIC_OK] = {500, "internal_error"}, [CLINIC_BAD_INPUT] = {400, "invalid_value"},
                 [CLINIC_DENIED] = {403, "denied"},     [CLINIC_NOT_FOUND] = {404, "not_found"},
                 [CLINIC_CONFLICT] = {409, "conflict"}, [CLINIC_BLOCKED] = {409, "blocked"},
                 [CLINIC_BUSY] = {503, "busy"},         [CLINIC_NO_MEMORY] = {503, "out_of_memory"},
                 [CLINIC_STORAGE] = {500, "storage"}};
    enum clinic_failure failure = call->error.failure;
    if (call->exchange->error.http_status == 0)
        clinic_call_refuse(call, kinds[failure].status, kinds[failure].code, "%s",
                           failure == CLINIC_OK ? "the request could not be answered"
                                                : call->error.message);
    exchange_fail(call->exchange);
}

static void tell_reply(struct clinic_call *call) {
    struct exchange *exchange = call->exchange;
    char *text = call->reply ? json_dump(call->reply) : NULL;
    if (!text || json_memory_is_lost()) {
        free(text);
        openai_error_no_memory(&exchange->error);
        exchange_fail(exchange);
        return;
    }
    size_t n_bytes = strlen(text);
    put_raw(&exchange->out, text, n_bytes);
    explicit_bzero(text, n_bytes);
    free(text);
    exchange_reply(exchange, call->status, "application/json");
}

// Who tries what is not theirs is what auditors look for. The refusal stays what it is.
static void note_denial(struct clinic_call *call) {
    int status = call->exchange->error.http_status;
    struct openai_error refusal = call->exchange->error;
    if (!call->has_session || (status != 403 && status != 404)) return;
    if (clinic_call_audit(call, "denied", NULL)) call->exchange->error = refusal;
}

static void answer(struct clinic_call *call) {
    bool ok = check_caller(call) && read_body(call) && check_subject(call);
    if (!ok) note_denial(call);
    ok = ok && call->row->run(call);
    if (ok && call->row->reads) ok = clinic_call_audit(call, call->row->reads, NULL);
    if (!ok)
        tell_failure(call);
    else if (call->follower)
        exchange_stream(call->exchange);
    else
        tell_reply(call);
}

static struct job_pool *pool_of(const struct clinic_call *call) {
    switch (call->row->pace) {
    case PACE_PASSWORD:
        return call->context->logins;
    case PACE_PROOF:
        return call->context->proofs;
    default:
        return call->context->jobs;
    }
}

// One impatient page must not keep a ward waiting.
static bool take_place(struct clinic_call *call) {
    if (!call->token[0]) return true;
    call->has_place = session_places_enter(call->context->places, call->token);
    return call->has_place || clinic_call_refuse(call, 429, "too_many_requests",
                                                 "too many requests of this session are waiting");
}

static void run(struct exchange *exchange) {
    struct clinic_call *call = exchange->work;
    answer(call);
    give_place(call);
}

void clinic_call_begin(struct exchange *exchange, const struct clinic_row *row) {
    struct clinic_call *call = calloc(1, sizeof *call);
    if (!call) {
        openai_error_no_memory(&exchange->error);
        exchange_fail(exchange);
        return;
    }
    call->context = exchange->server->extension->user;
    call->exchange = exchange;
    call->row = row;
    call->status = 200;
    exchange->work = call;
    exchange->work_kind = &call_work;
    note_base(call);
    if (http_server_is_draining(exchange->server))
        clinic_call_refuse(call, 503, "shutting_down", "the server is shutting down");
    else if (take_credentials(call) && take_place(call)) {
        exchange_start_job(exchange, pool_of(call), run);
        return;
    }
    exchange_fail(exchange);
}
