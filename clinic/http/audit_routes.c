// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/audit_routes.h"

#include "clinic/record/episode.h"
#include "clinic/store/store_audit.h"

#include <string.h>

struct audit_input {
    const char *episode, *user, *action, *from, *to;
    int64_t limit, before;
};

#define AT(member) offsetof(struct audit_input, member)

static const struct json_field audit_search_fields[] = {
    {"episode", FIELD_TEXT, AT(episode), 0, 128, NULL, "lines about this episode", NULL},
    {"user", FIELD_TEXT, AT(user), 0, 80, NULL, "lines of this user", NULL},
    {"action", FIELD_TEXT, AT(action), 0, 64, NULL, "\"form.\": all that begin so", NULL},
    {"from", FIELD_TEXT, AT(from), 0, 32, NULL, "not before this time (ISO 8601 with offset)",
     NULL},
    {"to", FIELD_TEXT, AT(to), 0, 32, NULL, "not after this time", NULL},
    {"limit", FIELD_INT, AT(limit), 1, 1000, NULL, "lines wanted (100)", NULL},
    {"before", FIELD_INT, AT(before), 0, 9e15, NULL, "older than the line of this number", NULL},
};

#undef AT

const struct field_table audit_search_tables[] = {{audit_search_fields, 7, 0}};
const size_t audit_search_n_tables = 1;

static const char *given(const char *text) {
    return text && *text ? text : NULL;
}

static bool read_time(struct clinic_call *call, const char *name, const char *text, int64_t *ms) {
    struct moment moment;
    if (!given(text)) return true;
    if (!moment_parse(text, &moment))
        return openai_error_set(&call->exchange->error, 400, "invalid_value", name,
                                "%s is no time like 2026-01-31T08:00:00+08:00", name);
    *ms = moment.seconds * 1000;
    return true;
}

bool audit_search_run(struct clinic_call *call) {
    struct audit_input input = {.limit = 100};
    json_t *rows = NULL;
    if (!clinic_call_read(call, &input)) return false;
    struct audit_query query = {.episode = given(input.episode),
                                .user = given(input.user),
                                .action = given(input.action),
                                .before_seq = input.before,
                                .limit = (int)input.limit,
                                .departments = call->session.departments,
                                .with_texts = true};
    if (!read_time(call, "from", input.from, &query.from_ms) ||
        !read_time(call, "to", input.to, &query.to_ms) ||
        !store_read_audit(clinic_call_store(call), &query, &rows, &call->error))
        return false;
    call->reply = json_pack("{s:o}", "rows", rows);
    return call->reply != NULL;
}

bool audit_verify_run(struct clinic_call *call) {
    struct audit_report report;
    if (!store_verify_audit(clinic_call_store(call), NULL, &report, &call->error)) return false;
    bool is_whole = report.first_bad == 0 && !report.why[0];
    json_t *first_bad = report.first_bad ? json_integer(report.first_bad) : json_null();
    call->reply = json_pack("{s:b,s:I,s:I,s:o,s:b,s:s,s:s}", "ok", is_whole, "lines",
                            (json_int_t)report.n_lines, "contents", (json_int_t)report.n_contents,
                            "first_bad", first_bad, "anchored", report.is_anchored, "head",
                            report.head, "why", report.why);
    return call->reply != NULL;
}
