// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/import_routes.h"

#include "clinic/http/draft_runs.h"
#include "clinic/http/draft_warmer.h"
#include "clinic/record/base64_text.h"
#include "clinic/record/encoded_text.h"
#include "clinic/record/episode_document.h"
#include "clinic/record/fhir_import.h"
#include "clinic/store/store_episodes.h"
#include "server/file_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_BYTES_MAX = 256 };

// What follows from a new version: drafts that are being written hear of it, the chart is read
// again in the background.
static bool tell_put(struct clinic_call *call, const struct put_result *result) {
    if (result->changed) {
        draft_runs_tell_version(call->context->runs, result->id, result->version);
        draft_warmer_add(call->context->warmer, result->id);
    }
    call->reply =
        json_pack("{s:s,s:I,s:b,s:b}", "id", result->id, "version", (json_int_t)result->version,
                  "created", result->created, "changed", result->changed);
    return call->reply != NULL;
}

bool episode_push_run(struct clinic_call *call) {
    const char *kind = json_string_value(json_object_get(call->body, "resourceType"));
    struct put_result result;
    int n_left_out = 0;
    json_t *canonical =
        kind ? episode_from_fhir(call->body, call->context->titles, &n_left_out, &call->error)
             : json_incref(call->body);
    if (!canonical) return false;
    bool ok = store_put_episode(clinic_call_store(call), &call->actor, canonical,
                                kind ? "fhir" : "json", &result, &call->error);
    json_decref(canonical);
    if (!ok || !tell_put(call, &result)) return false;
    return n_left_out == 0 ||
           json_object_set_new(call->reply, "left_out", json_integer(n_left_out)) == 0;
}

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

// The same title and time name the same document, so that pushing it again replaces it.
static void name_document(const json_t *body, const char *time, char id[32]) {
    char text[TITLE_BYTES_MAX + 64], hex[DIGEST_HEX_BYTES];
    snprintf(text, sizeof text, "%s|%s", text_of(body, "local_title"), time);
    text_digest(text, strlen(text), hex);
    snprintf(id, 32, "t-%.16s", hex);
}

static bool is_known_member(const char *name) {
    static const char *const names[] = {"episode",  "id",         "local_title", "format",
                                        "content",  "data",       "charset",     "author",
                                        "cosigner", "event_time", "create_time", "sign_time"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool check_members(struct clinic_call *call) {
    const char *name;
    json_t *value;
    json_object_foreach(call->body, name, value) {
        if (!is_known_member(name))
            return clinic_call_refuse(
                call, 400, "unknown_field",
                "a pushed text has episode, id, local_title, format, "
                "content or data and charset, author, cosigner, event_time, create_time, "
                "sign_time and nothing else");
        if (!json_is_string(value))
            return clinic_call_refuse(call, 400, "invalid_value", "%.20s must be a text", name);
    }
    return true;
}

static bool is_plain_id(const char *id) {
    size_t n = strlen(id);
    return n > 0 && n <= 64 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static void set_member(json_t *document, const char *name, const char *value) {
    if (value) json_object_set_new(document, name, json_string(value));
}

// "content" is the text; "data" its bytes in base64, in "charset" or what the document says itself.
// The text is the caller's to free.
static bool read_content(struct clinic_call *call, char **text, size_t *text_bytes) {
    const json_t *content = json_object_get(call->body, "content"),
                 *data = json_object_get(call->body, "data");
    if (!content == !data)
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "content or data is needed, not both");
    if (content) {
        *text_bytes = json_string_length(content);
        if (*text_bytes == 0) return clinic_call_need(call, "content", NULL);
        *text = strdup(json_string_value(content));
        return *text || clinic_fail_memory(&call->error);
    }
    size_t n_bytes = 0;
    char *bytes = malloc(json_string_length(data) / 4 * 3 + 4);
    if (!bytes) return clinic_fail_memory(&call->error);
    bool ok = base64_text_decode(json_string_value(data), json_string_length(data), bytes, &n_bytes)
                  ? encoded_text_read(bytes, n_bytes, text_of(call->body, "charset"), text,
                                      text_bytes, &call->error)
                  : clinic_call_refuse(call, 400, "invalid_value", "data is no base64");
    free(bytes);
    return ok;
}

static bool check_document(struct clinic_call *call) {
    const char *title = text_of(call->body, "local_title"), *id = text_of(call->body, "id");
    if (!check_members(call) || !clinic_call_need(call, "local_title", title) ||
        !clinic_call_need(call, "format", text_of(call->body, "format")) ||
        !clinic_call_need(call, "event_time", text_of(call->body, "event_time")))
        return false;
    if (strlen(title) > TITLE_BYTES_MAX)
        return clinic_call_refuse(call, 400, "invalid_value", "local_title is too long");
    return !id || is_plain_id(id) ||
           clinic_call_refuse(call, 400, "invalid_value",
                              "id has 1 to 64 letters, digits, dots, - and _");
}

static json_t *document_of_text(struct clinic_call *call) {
    const json_t *body = call->body;
    const char *time = text_of(body, "event_time"), *id = text_of(body, "id");
    char own_id[32], *text = NULL;
    size_t text_bytes = 0;
    json_t *document = NULL;
    bool ok =
        check_document(call) && read_content(call, &text, &text_bytes) &&
        document_from_text(text, text_bytes, text_of(body, "format"), text_of(body, "local_title"),
                           call->context->titles, &document, &call->error);
    free(text);
    if (!ok) return NULL;
    name_document(body, time, own_id);
    set_member(document, "id", id ? id : own_id);
    set_member(document, "event_time", time);
    set_member(document, "create_time",
               text_of(body, "create_time") ? text_of(body, "create_time") : time);
    set_member(document, "sign_time", text_of(body, "sign_time"));
    set_member(document, "author", text_of(body, "author") ? text_of(body, "author") : "");
    set_member(document, "cosigner", text_of(body, "cosigner"));
    return document;
}

bool document_push_run(struct clinic_call *call) {
    json_t *given = json_object_get(call->body, "document");
    struct put_result result;
    if (given && (!json_is_object(given) || json_object_size(call->body) != 2))
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "beside document there is only episode");
    json_t *document = given ? json_incref(given) : document_of_text(call);
    if (!document) return false;
    bool ok = store_put_document(clinic_call_store(call), &call->actor, call->episode, document,
                                 &result, &call->error);
    json_decref(document);
    return ok && tell_put(call, &result);
}
