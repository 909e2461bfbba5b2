// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/session_routes.h"

#include "clinic/draft/draft.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/host_writer.h"
#include "clinic/http/json_web_token.h"
#include "clinic/http/launch_token.h"
#include "clinic/http/login_limit.h"
#include "clinic/store/store_audit.h"
#include "server/clock_seconds.h"
#include "server/random_id.h"
#include "server/settings.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LAUNCH_SECONDS_MAX = 300, PASSWORD_BYTES_MAX = 1024 };

struct login_input {
    const char *user, *password;
};

static const struct json_field login_fields[] = {
    {"user", FIELD_TEXT, offsetof(struct login_input, user), 0, 64, NULL, "the user's name", NULL},
    {"password", FIELD_TEXT, offsetof(struct login_input, password), 0, PASSWORD_BYTES_MAX, NULL,
     "the password", NULL},
};
const struct field_table login_tables[] = {{login_fields, 2, 0}};
const size_t login_n_tables = 1;

struct launch_input {
    const char *token;
};

static const struct json_field launch_fields[] = {
    {"token", FIELD_TEXT, offsetof(struct launch_input, token), 0, JWT_BYTES_MAX, NULL,
     "a JSON Web Token of the host (HS256)", NULL},
};
const struct field_table launch_tables[] = {{launch_fields, 1, 0}};
const size_t launch_n_tables = 1;

static json_t *user_json(const struct store_session *session) {
    return json_pack("{s:s,s:s,s:s,s:O}", "name", session->user, "display", session->display,
                     "role", session->role, "departments", session->departments);
}

static void set_cookie(struct clinic_call *call, const char *token, const char *more) {
    bool is_tls = strncmp(call->base, "https:", 6) == 0;
    snprintf(call->exchange->set_cookie, sizeof call->exchange->set_cookie,
             "%s=%s; Path=/clinic; HttpOnly; SameSite=Strict%s%s", CLINIC_COOKIE, token,
             is_tls ? "; Secure" : "", more);
}

static bool check_login_limit(struct clinic_call *call) {
    int wait_s =
        login_limit_wait(call->context->login_limit, call->exchange->address, clock_seconds());
    if (wait_s == 0) return true;
    clinic_call_refuse(call, 429, "too_many_logins", "too many logins failed; wait %d seconds",
                       wait_s);
    call->exchange->error.retry_after = wait_s;
    return false;
}

// A wrong password is 401, a locked name 429, whether it exists or not; what the store says about
// it is the same for every reason.
static bool refuse_login(struct clinic_call *call) {
    bool is_locked = call->error.failure == CLINIC_BLOCKED;
    if (!is_locked && call->error.failure != CLINIC_DENIED) return false;
    login_limit_fail(call->context->login_limit, call->exchange->address, clock_seconds());
    if (is_locked) {
        clinic_call_refuse(call, 429, "too_many_logins", "%s", call->error.message);
        call->exchange->error.retry_after = STORE_LOCK_SECONDS; // at most; the message is exact
        return false;
    }
    return clinic_call_refuse(call, 401, "login_failed", "%s", call->error.message);
}

static bool find_new_session(struct clinic_call *call, const char *token) {
    call->has_session =
        store_session_find(clinic_call_store(call), token, &call->session, &call->error);
    return call->has_session;
}

bool login_run(struct clinic_call *call) {
    struct login_input input = {0};
    char token[STORE_TOKEN_BYTES];
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "user", input.user) ||
        !clinic_call_need(call, "password", input.password) || !check_login_limit(call))
        return false;
    if (!store_login(clinic_call_store(call), input.user, input.password, call->exchange->address,
                     token, &call->error))
        return refuse_login(call);
    bool ok = find_new_session(call, token);
    if (ok) {
        set_cookie(call, token, "");
        call->reply = json_pack("{s:o}", "user", user_json(&call->session));
    }
    explicit_bzero(token, sizeof token);
    return ok;
}

// The audit keeps why, the caller learns only that it failed.
static bool refuse_launch(struct clinic_call *call, const char *why) {
    struct clinic_error error;
    json_t *after = json_pack("{s:s}", "why", why);
    store_audit(clinic_call_store(call), &call->actor, "login.failed", NULL, "launch", NULL, after,
                &error);
    json_decref(after);
    login_limit_fail(call->context->login_limit, call->exchange->address, clock_seconds());
    return clinic_call_refuse(call, 401, "launch_failed",
                              "this launch token opens nothing; start again from your system");
}

static json_t *messaging_json(const struct launch_claims *claims) {
    if (!claims->messaging_handle || !claims->messaging_origin) return json_null();
    return json_pack("{s:s,s:s}", "handle", claims->messaging_handle, "origin",
                     claims->messaging_origin);
}

static bool open_launch(struct clinic_call *call, const struct launch_claims *claims) {
    char token[STORE_TOKEN_BYTES];
    struct launch launch = {.user = claims->user,
                            .display = claims->display,
                            .role = claims->role,
                            .departments = claims->departments,
                            .n_departments = claims->n_departments,
                            .episode = claims->episode,
                            .template = claims->template,
                            .nonce = claims->nonce,
                            .expires_s = claims->expires_s,
                            .address = call->exchange->address};
    if (!store_open_launch_session(clinic_call_store(call), &launch, token, &call->error)) {
        enum clinic_failure failure = call->error.failure;
        bool is_ours = failure == CLINIC_NO_MEMORY || failure == CLINIC_STORAGE ||
                       failure == CLINIC_BUSY || failure == CLINIC_OK;
        return is_ours ? false : refuse_launch(call, call->error.message);
    }
    bool ok = find_new_session(call, token);
    if (ok)
        call->reply = json_pack("{s:s,s:o,s:s,s:s?,s:o}", "session", token, "user",
                                user_json(&call->session), "episode", claims->episode, "template",
                                claims->template, "messaging", messaging_json(claims));
    explicit_bzero(token, sizeof token);
    return ok;
}

bool launch_run(struct clinic_call *call) {
    struct launch_input input = {0};
    struct launch_claims claims;
    struct jwt_refusal refusal;
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "token", input.token) ||
        !check_login_limit(call))
        return false;
    if (!launch_token_read(input.token, store_launch_key(clinic_call_store(call)), STORE_KEY_BYTES,
                           (int64_t)time(NULL), &claims, &refusal))
        return refuse_launch(call, refusal.why);
    const struct template_set *templates = call->context->supply.templates;
    bool is_known = !claims.template || template_set_find(templates, claims.template);
    bool ok = is_known ? open_launch(call, &claims)
                       : refuse_launch(call, "template is no record type of this clinic");
    launch_claims_deinit(&claims);
    return ok;
}

bool logout_run(struct clinic_call *call) {
    if (!store_logout(clinic_call_store(call), call->token, call->exchange->address, &call->error))
        return false;
    set_cookie(call, "", "; Max-Age=0");
    call->reply = json_object();
    return true;
}

static json_t *template_list(const struct clinic_call *call) {
    const struct template_set *templates = call->context->supply.templates;
    json_t *list = json_array();
    for (int i = 0; list && i < template_set_count(templates); i++) {
        const struct record_template *record = template_set_at(templates, i);
        if (clinic_call_may_write(call, record->id))
            json_array_append_new(list,
                                  json_pack("{s:s,s:s}", "id", record->id, "name", record->name));
    }
    return list;
}

bool me_run(struct clinic_call *call) {
    const struct draft_supply *supply = &call->context->supply;
    call->reply =
        json_pack("{s:o,s:I,s:{s:s,s:s?},s:o,s:s,s:s?,s:s?}", "user", user_json(&call->session),
                  "session_seconds", (json_int_t)call->session.seconds_left, "model", "state",
                  host_writer_state(supply->writer), "name", host_writer_name(supply->writer),
                  "templates", template_list(call), "label", DRAFT_LABEL, "episode",
                  call->session.episode[0] ? call->session.episode : NULL, "template",
                  call->session.template[0] ? call->session.template : NULL);
    return call->reply != NULL;
}

struct mock_launch_input {
    const char *episode, *template, *origin, *handle;
};

static const struct json_field mock_launch_fields[] = {
    {"episode", FIELD_TEXT, offsetof(struct mock_launch_input, episode), 0, 128, NULL,
     "id of the episode", NULL},
    {"template", FIELD_TEXT, offsetof(struct mock_launch_input, template), 0, 64, NULL,
     "id of the record type", NULL},
    {"origin", FIELD_TEXT, offsetof(struct mock_launch_input, origin), 0, 256, NULL,
     "of the page that holds the iframe", NULL},
    {"handle", FIELD_TEXT, offsetof(struct mock_launch_input, handle), 0, 128, NULL,
     "of SMART Web Messaging", NULL},
};
const struct field_table mock_launch_tables[] = {{mock_launch_fields, 4, 0}};
const size_t mock_launch_n_tables = 1;

bool mock_launch_run(struct clinic_call *call) {
    struct mock_launch_input input = {0};
    char nonce[28];
    int64_t now_s = (int64_t)time(NULL);
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "episode", input.episode))
        return false;
    random_id_write(nonce, sizeof nonce, "mock-");
    json_t *claims = json_pack(
        "{s:s,s:s,s:s,s:s,s:[s],s:s,s:s?,s:I,s:I,s:s,s:s?,s:s?}", "aud", LAUNCH_AUDIENCE, "sub",
        "mock-doctor", "name", "示范医师", "role", "doctor", "departments", "*", "episode",
        input.episode, "template", input.template, "iat", (json_int_t)now_s, "exp",
        (json_int_t)(now_s + LAUNCH_SECONDS_MAX), "jti", nonce, "smart_web_messaging_handle",
        input.handle, "smart_web_messaging_origin", input.origin);
    char token[JWT_BYTES_MAX];
    bool ok = claims && launch_token_sign(claims, store_launch_key(clinic_call_store(call)),
                                          STORE_KEY_BYTES, token, sizeof token);
    json_decref(claims);
    if (!ok) return clinic_call_refuse(call, 400, "invalid_value", "the claims are too long");
    call->reply = json_pack("{s:s}", "token", token);
    return true;
}
