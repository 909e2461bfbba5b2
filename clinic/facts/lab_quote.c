// SPDX-License-Identifier: Apache-2.0
// See lab_quote.h. A quotation is the plain name, then the number; another value behind the name is
// a different result.
#include "clinic/facts/lab_quote.h"

#include "clinic/facts/clause.h"
#include "clinic/text/evidence_document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE_SECONDS (3 * 86400)
#define QUOTE_BYTES_MAX (256u << 10) // notes of three days

static const char *const WEIGHING[] = {"上级医师意见", "会诊意见", "拟诊讨论",   "分析与处理",
                                       "诊断依据",     "术后评估", "治疗后评估", NULL};

static bool is_weighing(const char *section) {
    for (int i = 0; WEIGHING[i]; i++) {
        if (strcmp(section, WEIGHING[i]) == 0) return true;
    }
    return false;
}

// What was decided stands in the clause of the number.
static bool is_decision(const struct section *section, size_t at) {
    static const char *const DECISIONS[] = {"诊断", "输血", "输悬浮", "输注", "贫血",
                                            "危急", "证实", "指征",   "提示", NULL};
    struct clause clause = {.text = section->text, .start = at, .end = at};
    size_t position = 0;
    while (clause_next(section->text, section->text_bytes, CLAUSE_CLAUSE, &position, &clause)) {
        if (clause.end >= at) return clause_has_any(&clause, DECISIONS);
    }
    return false;
}

static bool find_text_result(const char *text, const char *name, const struct lab *lab,
                             struct lab_quote *quote) {
    size_t name_bytes = strlen(name), bytes = strlen(lab->text);
    for (const char *at = text; bytes && (at = strstr(at, name)); at += name_bytes) {
        if (strncmp(at + name_bytes, lab->text, bytes) != 0) continue;
        quote->source.start = (size_t)(at - text);
        quote->source.end = quote->source.start + name_bytes + bytes;
        quote->number = at + name_bytes;
        quote->number_bytes = bytes;
        return true;
    }
    return false;
}

static bool find_in_text(const char *text, const char *name, double value,
                         struct lab_quote *quote) {
    size_t name_bytes = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += name_bytes) {
        const char *from = at + name_bytes;
        while (*from == ' ')
            from++;
        size_t length = number_length(from);
        if (length && fabs(strtod(from, NULL) - value) < 1e-9) {
            quote->source.start = (size_t)(at - text);
            quote->source.end = (size_t)(from - text) + length;
            quote->number = from;
            quote->number_bytes = length;
            return true;
        }
    }
    return false;
}

static bool find_in_document(const struct episode *episode, int doc_row, const char *name,
                             const struct lab *lab, bool *found, struct lab_quote *quote) {
    const struct document *doc = &episode->docs[doc_row];
    for (int s = 0; s < doc->n_sections; s++) {
        struct lab_quote place = {
            .source = {.kind = SOURCE_DOC, .row = doc_row, .section = s},
        };
        const char *text = doc->sections[s].text;
        if (lab->is_number ? !find_in_text(text, name, lab->value, &place)
                           : !find_text_result(text, name, lab, &place))
            continue;
        place.is_weighed = is_weighing(doc->sections[s].name) &&
                           is_decision(&doc->sections[s], place.source.start);
        if (!*found) *quote = place;
        quote->is_weighed = quote->is_weighed || place.is_weighed;
        *found = true;
    }
    return *found && quote->is_weighed;
}

// Documents are in time order: the first one at or behind a moment.
static int first_document(const struct episode *episode, struct moment moment) {
    int low = 0, high = episode->n_docs;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (episode->docs[middle].event.seconds < moment.seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool take_bytes(const struct document *doc, size_t *left) {
    for (int s = 0; s < doc->n_sections; s++) {
        if (doc->sections[s].text_bytes > *left) return false;
        *left -= doc->sections[s].text_bytes;
    }
    return true;
}

bool lab_quote_find(const struct episode *episode, int lab_row, struct lab_quote *quote) {
    const struct lab *lab = &episode->labs[lab_row];
    char name[128];
    const char *open = strstr(lab->name, "（");
    size_t bytes = open && open > lab->name ? (size_t)(open - lab->name) : strlen(lab->name);
    *quote = (struct lab_quote){0};
    if (!bytes || bytes >= sizeof name) return false;
    memcpy(name, lab->name, bytes);
    name[bytes] = '\0';
    bool found = false;
    size_t left = QUOTE_BYTES_MAX;
    for (int i = first_document(episode, lab->collect); i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        if (!document_is_evidence(doc) || doc->event.seconds < lab->collect.seconds) continue;
        if (doc->event.seconds > lab->report.seconds + QUOTE_SECONDS) break;
        if (!take_bytes(doc, &left) || find_in_document(episode, i, name, lab, &found, quote))
            break;
    }
    return found;
}
