// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_form.h"

#include <string.h>

bool draft_form_put(json_t *object, const char *member, json_t *value) {
    return json_object_set_new(object, member, value) == 0;
}

json_t *draft_field(const json_t *draft, const char *field) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(draft, "fields"), i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));
        if (id && field && strcmp(id, field) == 0) return item;
    }
    return NULL;
}

bool draft_form_is_kept(const json_t *field, const char *only_field) {
    const char *id = json_string_value(json_object_get(field, "id"));
    if (only_field) return !id || strcmp(id, only_field) != 0;
    return json_is_true(json_object_get(field, "locked"));
}

// ---- A draft before it is composed -------------------------------------------------------------

static json_t *verified(int n_ok, int n_all) {
    return json_pack("{s:i,s:i}", "ok", n_ok, "all", n_all);
}

static json_t *new_field(const struct template_field *field, json_int_t revision) {
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:I,s:[],s:o,s:n,s:n}", "id", field->id,
                     "name", field->name, "from", field_origin_name(field->origin), "state",
                     "waiting", "text", "", "locked", 0, "edited", 0, "blocked", 0, "revision",
                     revision, "sentences", "verified", verified(0, 0), "by", "error");
}

static json_t *next_field(const struct template_field *field, const json_t *kept,
                          const char *only_field) {
    json_t *old = kept ? draft_field(kept, field->id) : NULL;
    if (old && draft_form_is_kept(old, only_field)) return json_deep_copy(old);
    json_t *made = new_field(field, old ? json_integer_value(json_object_get(old, "revision")) : 0);
    if (made && old && json_is_true(json_object_get(old, "locked")))
        json_object_set_new(made, "locked", json_true());
    return made;
}

static json_t *make_fields(const struct record_template *record, const json_t *kept,
                           const char *only_field) {
    json_t *fields = json_array();
    for (int i = 0; fields && i < record->n_fields; i++) {
        json_t *field = next_field(&record->fields[i], kept, only_field);
        if (field && json_array_append_new(fields, field) == 0) continue;
        json_decref(fields);
        return NULL;
    }
    return fields;
}

// What belongs to the store and to users goes on from the earlier round.
static bool keep_members(json_t *draft, const json_t *kept) {
    static const char *const members[] = {"id",       "episode_version", "created",  "by",
                                          "revision", "omissions",       "conflicts"};
    const char *name;
    json_t *value;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *old = json_object_get(kept, members[i]);
        if (old && json_object_set_new(draft, members[i], json_deep_copy(old)) != 0) return false;
    }
    json_object_foreach((json_t *)kept, name, value) {
        if (!json_object_get(draft, name) &&
            json_object_set_new(draft, name, json_deep_copy(value)) != 0)
            return false;
    }
    return true;
}

json_t *draft_form_create(const struct record_template *record, const json_t *kept,
                          const char *only_field, const char *model, struct clinic_error *error) {
    json_t *fields = make_fields(record, kept, only_field);
    json_t *draft =
        fields
            ? json_pack("{s:n,s:n,s:n,s:s,s:s,s:s,s:s?,s:n,s:n,s:i,s:o,s:[],s:[],s:o,s:n,s:n,s:s}",
                        "id", "episode", "episode_version", "template", record->id, "template_name",
                        record->name, "state", "running", "model", model, "created", "by",
                        "revision", 0, "fields", fields, "omissions", "conflicts", "verified",
                        verified(0, 0), "first_token_ms", "total_ms", "label", DRAFT_LABEL)
            : NULL;
    if (draft && (!kept || keep_members(draft, kept))) return draft;
    json_decref(draft);
    clinic_fail_memory(error);
    return NULL;
}

// ---- A field's text ----------------------------------------------------------------------------

static bool set_verdict(json_t *sentence, enum verdict verdict) {
    return draft_form_put(sentence, "verdict", json_string(verdict_name(verdict)));
}

static const char strange_why[] = "不在这一段的要点中";

// The stranger as a claim that does not hold: the verifier's own claim there, or one more. Start
// and end are characters of the field's text. Takes the reference of quote.
static bool refuse_claim(json_t *sentence, json_int_t start, json_int_t end, json_t *quote) {
    json_t *claims = json_object_get(sentence, "claims"), *claim;
    size_t i;
    json_array_foreach(claims, i, claim) {
        bool overlaps = json_integer_value(json_object_get(claim, "start")) < end &&
                        json_integer_value(json_object_get(claim, "end")) > start;
        if (!overlaps) continue;
        json_decref(quote);
        if (!json_is_true(json_object_get(claim, "ok"))) return true;
        return draft_form_put(claim, "ok", json_false()) &&
               draft_form_put(claim, "why", json_string(strange_why));
    }
    claim = json_pack("{s:s,s:I,s:I,s:o,s:b,s:s,s:n}", "kind", "number", "start", start, "end", end,
                      "text", quote, "ok", 0, "why", strange_why, "source");
    return claim && json_array_append_new(claims, claim) == 0;
}

static bool refuse_mark(json_t *sentence, const char *text, const struct draft_mark *mark) {
    size_t start = mark->strange_start, end = mark->strange_end;
    return refuse_claim(sentence, (json_int_t)characters_before(text, start),
                        (json_int_t)characters_before(text, end),
                        json_stringn(text + start, end - start)) &&
           set_verdict(sentence, VERDICT_UNSUPPORTED);
}

static bool apply_marks(json_t *sentence, const char *text, const struct sentence_check *check,
                        const struct draft_mark *marks, int n_marks) {
    bool is_refused = check->verdict == VERDICT_UNSUPPORTED;
    const char *suggestion = NULL;
    for (int i = 0; i < n_marks; i++) {
        const struct draft_mark *mark = &marks[i];
        if (mark->start >= check->end || mark->end <= check->start) continue;
        if (mark->suggestion) suggestion = mark->suggestion;
        bool is_strange = mark->strange_start < mark->strange_end &&
                          mark->strange_start >= check->start && mark->strange_start < check->end;
        if (!is_strange) continue;
        is_refused = true;
        if (!refuse_mark(sentence, text, mark)) return false;
    }
    return !is_refused || !suggestion ||
           draft_form_put(sentence, "suggestion", json_string(suggestion));
}

static bool has_verdict(const json_t *sentence, enum verdict verdict) {
    const char *name = json_string_value(json_object_get(sentence, "verdict"));
    return name && strcmp(name, verdict_name(verdict)) == 0;
}

static bool is_strange(const json_t *claim) {
    const char *why = json_string_value(json_object_get(claim, "why"));
    return why && strcmp(why, strange_why) == 0;
}

// The strangers of a sentence, in the same sentence of a newer text.
static bool carry_strangers(const json_t *old, json_t *sentence) {
    json_int_t moved = json_integer_value(json_object_get(sentence, "start")) -
                       json_integer_value(json_object_get(old, "start"));
    size_t i;
    json_t *claim;
    json_array_foreach(json_object_get(old, "claims"), i, claim) {
        if (!is_strange(claim)) continue;
        if (!refuse_claim(sentence, json_integer_value(json_object_get(claim, "start")) + moved,
                          json_integer_value(json_object_get(claim, "end")) + moved,
                          json_copy(json_object_get(claim, "text"))) ||
            !set_verdict(sentence, VERDICT_UNSUPPORTED))
            return false;
    }
    json_t *suggestion = json_object_get(old, "suggestion");
    if (!json_is_string(suggestion) || !has_verdict(sentence, VERDICT_UNSUPPORTED)) return true;
    return json_object_set(sentence, "suggestion", suggestion) == 0;
}

static bool is_same_text(const json_t *a, const json_t *b) {
    const char *x = json_string_value(json_object_get(a, "text"));
    const char *y = json_string_value(json_object_get(b, "text"));
    return x && y && strcmp(x, y) == 0;
}

static bool accept_first(const json_t *old, json_t *sentences) {
    size_t i;
    json_t *sentence;
    json_array_foreach(sentences, i, sentence) {
        if (!is_same_text(old, sentence) || !has_verdict(sentence, VERDICT_UNSUPPORTED)) continue;
        return set_verdict(sentence, VERDICT_ACCEPTED) &&
               json_object_set(sentence, "reason", json_object_get(old, "reason")) == 0;
    }
    return true;
}

// What was found in a sentence besides the verifier goes on wherever its text stands; what a doctor
// has accepted, once for each time that it was accepted.
static bool carry_sentences(const json_t *old_sentences, json_t *sentences) {
    size_t i, k;
    json_t *old, *sentence;
    json_array_foreach((json_t *)old_sentences, i, old) {
        json_array_foreach(sentences, k, sentence) {
            if (is_same_text(old, sentence) && !carry_strangers(old, sentence)) return false;
        }
    }
    json_array_foreach((json_t *)old_sentences, i, old) {
        if (has_verdict(old, VERDICT_ACCEPTED) && !accept_first(old, sentences)) return false;
    }
    return true;
}

static bool take_sentences(json_t *field, const char *text, const struct text_check *check,
                           json_t *checked, const struct draft_mark *marks, int n_marks) {
    json_t *sentences = json_object_get(checked, "sentences");
    if (json_array_size(sentences) != (size_t)check->n_sentences) return false;
    for (int i = 0; i < check->n_sentences; i++)
        if (!apply_marks(json_array_get(sentences, (size_t)i), text, &check->sentences[i], marks,
                         n_marks))
            return false;
    return carry_sentences(json_object_get(field, "sentences"), sentences) &&
           json_object_set(field, "sentences", sentences) == 0 &&
           draft_form_put(field, "text", json_string(text)) && draft_form_count_field(field);
}

bool draft_form_set(struct draft_ground *ground, json_t *field, const char *text,
                    const struct draft_mark *marks, int n_marks, struct clinic_error *error) {
    struct text_check check = {0};
    const char *id = json_string_value(json_object_get(field, "id"));
    if (!verifier_check(ground->verifier, id, text, strlen(text), &check, error)) return false;
    json_t *checked = text_check_to_json(ground->episode, text, &check);
    bool is_set = checked && take_sentences(field, text, &check, checked, marks, n_marks);
    json_decref(checked);
    text_check_deinit(&check);
    return is_set || clinic_fail_memory(error);
}

// ---- Counts ------------------------------------------------------------------------------------

static void count_sentence(const json_t *sentence, int *n_ok, int *n_all, bool *is_blocked) {
    const json_t *claims = json_object_get(sentence, "claims");
    const char *verdict = json_string_value(json_object_get(sentence, "verdict"));
    bool is_unsupported = verdict && strcmp(verdict, verdict_name(VERDICT_UNSUPPORTED)) == 0;
    bool has_refused = false;
    size_t i;
    json_t *claim;
    json_array_foreach((json_t *)claims, i, claim) {
        bool is_ok = json_is_true(json_object_get(claim, "ok"));
        *n_ok += is_ok;
        ++*n_all;
        has_refused = has_refused || !is_ok;
    }
    if (is_unsupported) *is_blocked = true;
    if (is_unsupported && !has_refused) ++*n_all;
}

bool draft_form_count_field(json_t *field) {
    int n_ok = 0, n_all = 0;
    bool is_blocked = false;
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(field, "sentences"), i, sentence)
        count_sentence(sentence, &n_ok, &n_all, &is_blocked);
    return draft_form_put(field, "verified", verified(n_ok, n_all)) &&
           draft_form_put(field, "blocked", json_boolean(is_blocked));
}

bool draft_form_count(json_t *draft) {
    json_int_t n_ok = 0, n_all = 0;
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        const json_t *counts = json_object_get(field, "verified");
        n_ok += json_integer_value(json_object_get(counts, "ok"));
        n_all += json_integer_value(json_object_get(counts, "all"));
    }
    return draft_form_put(draft, "verified", verified((int)n_ok, (int)n_all));
}
