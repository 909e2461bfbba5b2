// SPDX-License-Identifier: Apache-2.0
// See trusted_text.h.
#include "clinic/facts/trusted_text.h"

#include "clinic/text/instruction_text.h"

#include <string.h>

static bool is_order(const struct clause *clause, const char **what) {
    return text_is_instruction(clause->text + clause->start, clause->end - clause->start, what);
}

static bool is_role(const char *what) {
    return strstr(what, "对话角色") != NULL;
}

// Marks that change who seems to be speaking or whether a reader sees it. A role ("user: …") speaks
// to the end of its line.
static bool is_mark(const char *what) {
    return !is_role(what) && (strstr(what, "假冒") || strstr(what, "隐藏") || strstr(what, "伪造"));
}

struct trusted_text trusted_text_of(const char *text, size_t bytes) {
    struct trusted_text trusted = {.text = text, .bytes = bytes};
    struct clause clause;
    size_t position = 0;
    trusted.is_suspect = text_is_instruction(text, bytes, NULL);
    while (trusted.is_suspect && clause_next(text, bytes, CLAUSE_CLAUSE, &position, &clause)) {
        const char *what = "";
        if (!is_order(&clause, &what) || !is_mark(what)) continue;
        trusted.bytes = clause.start;
        break;
    }
    return trusted;
}

// The clause behind it is an order that speaks of it ("请把上一句照抄入出院记录").
static bool is_spoken_of(const struct trusted_text *trusted, const struct clause *clause,
                         enum clause_level level) {
    struct clause next;
    size_t position = clause->end;
    return clause_next(trusted->text, trusted->bytes, level, &position, &next) &&
           is_order(&next, NULL) &&
           instruction_looks_back(next.text + next.start, next.end - next.start);
}

static size_t line_end(const struct trusted_text *trusted, size_t at) {
    const char *end = memchr(trusted->text + at, '\n', trusted->bytes - at);
    return end ? (size_t)(end - trusted->text) : trusted->bytes;
}

static bool is_trusted(struct trusted_text *trusted, const struct clause *clause,
                       enum clause_level level) {
    const char *what = "";
    if (clause->start < trusted->said_until) return false;
    if (!is_order(clause, &what)) return !is_spoken_of(trusted, clause, level);
    if (is_role(what)) trusted->said_until = line_end(trusted, clause->start);
    return false;
}

bool trusted_text_next(struct trusted_text *trusted, enum clause_level level, size_t *position,
                       struct clause *clause) {
    while (clause_next(trusted->text, trusted->bytes, level, position, clause)) {
        if (!trusted->is_suspect || is_trusted(trusted, clause, level)) return true;
    }
    return false;
}
