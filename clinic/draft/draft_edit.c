// SPDX-License-Identifier: Apache-2.0
// What a doctor does with a draft. Whatever changes a text is checked anew; a sentence is accepted
// only as it was seen.
#include "clinic/draft/draft.h"
#include "clinic/draft/draft_findings.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/text_buffer.h"
#include "clinic/text/mention.h"
#include "clinic/text/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_BYTES_MAX = 500 };

static bool fail_field(struct clinic_error *error) {
    return clinic_fail(error, CLINIC_NOT_FOUND, "the draft has no such field");
}

static bool raise_revision(json_t *object) {
    json_int_t revision = json_integer_value(json_object_get(object, "revision"));
    return draft_form_put(object, "revision", json_integer(revision + 1));
}

static bool finish_edit(json_t *draft, json_t *field, struct clinic_error *error) {
    return ((!field || raise_revision(field)) && raise_revision(draft) &&
            draft_form_count(draft)) ||
           clinic_fail_memory(error);
}

static bool set_text(struct draft_ground *ground, const struct record_template *record,
                     json_t *draft, json_t *field, const char *text, struct clinic_error *error) {
    return draft_form_set(ground, field, text, NULL, 0, error) &&
           (draft_form_put(field, "edited", json_true()) || clinic_fail_memory(error)) &&
           (draft_form_put(field, "state", json_string("done")) || clinic_fail_memory(error)) &&
           draft_findings_omissions(ground, record, draft, error) &&
           finish_edit(draft, field, error);
}

bool draft_edit(struct draft_ground *ground, const struct record_template *record, json_t *draft,
                const char *field_id, const char *text, struct clinic_error *error) {
    json_t *field = draft_field(draft, field_id);
    if (!field) return fail_field(error);
    if (strlen(text) > VERIFIER_TEXT_BYTES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the text has more than %d bytes",
                           VERIFIER_TEXT_BYTES_MAX);
    return set_text(ground, record, draft, field, text, error);
}

bool draft_lock(json_t *draft, const char *field_id, bool is_locked, struct clinic_error *error) {
    json_t *field = draft_field(draft, field_id);
    if (!field) return fail_field(error);
    if (!draft_form_put(field, "locked", json_boolean(is_locked))) return clinic_fail_memory(error);
    return finish_edit(draft, NULL, error);
}

static bool check_reason(const char *reason, struct clinic_error *error) {
    if (reason && *reason && strlen(reason) <= REASON_BYTES_MAX) return true;
    return clinic_fail(error, CLINIC_BAD_INPUT, "a reason of 1 to %d bytes is needed",
                       REASON_BYTES_MAX);
}

bool draft_accept(json_t *draft, const char *field_id, size_t sentence, const char *text,
                  const char *reason, struct clinic_error *error) {
    json_t *field = draft_field(draft, field_id);
    json_t *item = json_array_get(json_object_get(field, "sentences"), sentence);
    const char *seen = json_string_value(json_object_get(item, "text"));
    const char *verdict = json_string_value(json_object_get(item, "verdict"));
    if (!field) return fail_field(error);
    if (!seen || !verdict)
        return clinic_fail(error, CLINIC_NOT_FOUND, "the field has no such sentence");
    if (!text || strcmp(seen, text) != 0)
        return clinic_fail(error, CLINIC_CONFLICT,
                           "the sentence is no longer what was shown; read it again");
    if (strcmp(verdict, verdict_name(VERDICT_UNSUPPORTED)) != 0)
        return clinic_fail(error, CLINIC_CONFLICT, "the sentence needs no acceptance");
    if (!check_reason(reason, error)) return false;
    return ((draft_form_put(item, "verdict", json_string(verdict_name(VERDICT_ACCEPTED))) &&
             draft_form_put(item, "reason", json_string(reason)) &&
             draft_form_count_field(field)) ||
            clinic_fail_memory(error)) &&
           finish_edit(draft, field, error);
}

// ---- Omissions ---------------------------------------------------------------------------------

static json_t *find_omission(const json_t *draft, const char *omission,
                             struct clinic_error *error) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(draft, "omissions"), i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));
        if (id && omission && strcmp(id, omission) == 0) return item;
    }
    clinic_fail(error, CLINIC_NOT_FOUND, "the draft has no such omission");
    return NULL;
}

bool draft_dismiss(json_t *draft, const char *omission, const char *reason,
                   struct clinic_error *error) {
    json_t *item = find_omission(draft, omission, error);
    if (!item || !check_reason(reason, error)) return false;
    return ((draft_form_put(item, "state", json_string("dismissed")) &&
             draft_form_put(item, "reason", json_string(reason))) ||
            clinic_fail_memory(error)) &&
           finish_edit(draft, NULL, error);
}

// The last item's number of "1. … 2. …"; 0: the text is no list.
static int last_item(const char *text) {
    size_t n = strlen(text), start = 0;
    int last = 0;
    while (start < n) {
        char *end;
        long number = strtol(text + start, &end, 10);
        if (end > text + start && *end == '.' && number == last + 1) last = (int)number;
        start = sentence_end(text, n, start);
    }
    return last;
}

// Month and day of the first date in a text as one number; 0: none.
static int first_day(const struct lexicon *lexicon, const char *text, size_t bytes) {
    struct mention_list list = {0};
    int day = 0;
    if (mentions_find(lexicon, text, bytes, &list, NULL))
        for (size_t i = 0; i < list.count && !day; i++)
            if (list.items[i].kind == MENTION_DATE && list.items[i].month && list.items[i].day)
                day = list.items[i].month * 100 + list.items[i].day;
    mention_list_deinit(&list);
    return day;
}

// Where a sentence of a day belongs among sentences of days; the end if that cannot be told. A stay
// over New Year is told by its gap: days do not go back by half a year.
static size_t find_place(const struct lexicon *lexicon, const char *text, const char *sentence) {
    size_t n = strlen(text), start = 0;
    int wanted = first_day(lexicon, sentence, strlen(sentence));
    while (wanted && start < n) {
        size_t end = sentence_end(text, n, start);
        int day = first_day(lexicon, text + start, end - start);
        if (day > wanted && day - wanted < 600) return start;
        start = end;
    }
    return n;
}

static char *insert_sentence(const struct lexicon *lexicon, const char *text,
                             const char *sentence) {
    struct text_buffer joined = {0};
    char number[16] = "";
    int last = last_item(text);
    size_t at = last ? strlen(text) : find_place(lexicon, text, sentence);
    if (last) snprintf(number, sizeof number, "%d. ", last + 1);
    text_buffer_add_bytes(&joined, text, at);
    text_buffer_add(&joined, number);
    text_buffer_add(&joined, sentence);
    text_buffer_add(&joined, text + at);
    char *taken = text_buffer_take(&joined);
    text_buffer_deinit(&joined);
    return taken;
}

bool draft_insert(struct draft_ground *ground, const struct record_template *record, json_t *draft,
                  const char *omission, struct clinic_error *error) {
    json_t *item = find_omission(draft, omission, error);
    if (!item) return false;
    const char *state = json_string_value(json_object_get(item, "state"));
    const char *sentence = json_string_value(json_object_get(item, "sentence"));
    json_t *field = draft_field(draft, json_string_value(json_object_get(item, "field")));
    const char *text = json_string_value(json_object_get(field, "text"));
    if (!sentence || !field || !text) return fail_field(error);
    if (state && strcmp(state, "inserted") == 0)
        return clinic_fail(error, CLINIC_CONFLICT, "it was inserted already");
    if (json_is_true(json_object_get(field, "locked")))
        return clinic_fail(error, CLINIC_CONFLICT, "the field is locked; unlock it first");
    char *joined = insert_sentence(ground->lexicon, text, sentence);
    if (!joined) return clinic_fail_memory(error);
    bool is_done =
        (draft_form_put(item, "state", json_string("inserted")) || clinic_fail_memory(error)) &&
        set_text(ground, record, draft, field, joined, error);
    free(joined);
    return is_done;
}
