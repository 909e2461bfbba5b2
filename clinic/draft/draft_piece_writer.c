// SPDX-License-Identifier: Apache-2.0
// A field as the model writes it, piece by piece. What of an answer only smooths its piece is put
// into the piece's own words: no answer makes a field worse than its outline. A template may let an
// answer's own words stand: those that lose nothing; what they say beyond the piece is marked, with
// the piece's words offered instead. Where nobody answered the piece is the text.
#include "clinic/draft/draft_piece_writer.h"

#include "clinic/draft/draft_compare.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/draft_prompt.h"
#include "clinic/draft/draft_words.h"
#include "clinic/draft/text_buffer.h"

#include <stdlib.h>
#include <string.h>

struct field_writing {
    struct draft_run *run;
    const struct template_field *field;
    json_t *json;
    struct text_buffer text; // of the whole field so far
    size_t piece_start;
    struct draft_mark *marks;
    int n_marks;
    int n_model_pieces;
    bool has_lost_memory;
};

struct judgement {
    struct draft_comparison comparison; // spans in the answer
    // Claims that the record does not bear, and sentences of which it knows nothing; a doubt that
    // the piece's own words leave is not the model's.
    int n_refused, n_idle;
};

// ---- Text as it comes --------------------------------------------------------------------------

static void hear_text(void *user, const char *text, size_t text_bytes) {
    struct field_writing *writing = user;
    struct draft_run *run = writing->run;
    struct clinic_error ignored;
    if (run->first_token_s <= 0) run->first_token_s = draft_run_seconds();
    text_buffer_add_bytes(&writing->text, text, text_bytes);
    json_t *piece = json_stringn(text, text_bytes);
    if (!draft_run_tell(run, "text",
                        json_pack("{s:s,s:o}", "field", writing->field->id, "append", piece),
                        &ignored))
        writing->has_lost_memory = true;
}

static bool hear_stop(void *user) {
    const struct field_writing *writing = user;
    return writing->has_lost_memory || draft_run_is_stopped(writing->run);
}

// The field as it stands, with everything checked, to whoever follows.
static bool tell_so_far(struct field_writing *writing, struct clinic_error *error) {
    return draft_form_set(writing->run->request->ground, writing->json,
                          text_buffer_text(&writing->text), writing->marks, writing->n_marks,
                          error) &&
           draft_run_tell_field(writing->run, writing->json, error);
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

// Sentences end; pieces are put one behind the other.
static void close_sentence(struct field_writing *writing) {
    while (writing->text.bytes > writing->piece_start &&
           strchr(" ", writing->text.text[writing->text.bytes - 1]))
        text_buffer_cut(&writing->text, writing->text.bytes - 1);
    const char *text = text_buffer_text(&writing->text);
    if (writing->text.bytes == writing->piece_start || ends_with(text, "。") ||
        ends_with(text, "！") || ends_with(text, "？"))
        return;
    if (ends_with(text, "；") || ends_with(text, "，") || ends_with(text, "："))
        text_buffer_cut(&writing->text, writing->text.bytes - strlen("；"));
    text_buffer_add(&writing->text, "。");
}

// ---- Judging -----------------------------------------------------------------------------------

static const char *written(const struct field_writing *writing) {
    return text_buffer_text(&writing->text) + writing->piece_start;
}

static bool count_claims(struct field_writing *writing, const char *text, int *n_refused,
                         int *n_idle, struct clinic_error *error) {
    struct text_check check = {0};
    struct verifier *verifier = writing->run->request->ground->verifier;
    *n_refused = *n_idle = 0;
    if (!verifier_check(verifier, writing->field->id, text, strlen(text), &check, error))
        return false;
    for (int i = 0; i < check.n_sentences; i++) {
        int n = 0;
        for (int k = 0; k < check.sentences[i].n_claims; k++)
            n += !check.sentences[i].claims[k].is_supported;
        *n_refused += n;
        *n_idle += n == 0 && check.sentences[i].verdict == VERDICT_UNSUPPORTED;
    }
    text_check_deinit(&check);
    return true;
}

static bool judge(struct field_writing *writing, const struct draft_piece *piece,
                  struct judgement *judgement, struct clinic_error *error) {
    int own_refused, own_idle;
    *judgement = (struct judgement){.n_refused = 0};
    if (!draft_compare(writing->run->request->ground->lexicon, piece->text, written(writing),
                       &judgement->comparison, error) ||
        !count_claims(writing, written(writing), &judgement->n_refused, &judgement->n_idle,
                      error) ||
        !count_claims(writing, piece->text, &own_refused, &own_idle, error))
        return false;
    judgement->n_refused -= own_refused < judgement->n_refused ? own_refused : judgement->n_refused;
    judgement->n_idle -= own_idle < judgement->n_idle ? own_idle : judgement->n_idle;
    return true;
}

// Whether all that the piece says is there, once, in sentences that the record knows.
static bool is_whole(const struct judgement *judgement) {
    return judgement->comparison.n_lost == 0 && judgement->comparison.n_repeated == 0 &&
           judgement->n_idle == 0;
}

static bool says_more(const struct judgement *judgement) {
    return judgement->n_refused > 0 || judgement->comparison.n_strangers > 0;
}

// A field that is made anew is asked for in other words: the same question has the same answer.
static const char *variation_of(const struct field_writing *writing) {
    static const char *const wishes[] = {"换一种说法写，内容不变。", "用更简短的句子写，内容不变。",
                                         "用更连贯的长句写，内容不变。"};
    json_int_t revision = json_integer_value(json_object_get(writing->json, "revision"));
    if (!writing->run->request->only_field || revision < 2) return NULL;
    return wishes[(revision - 2) % 3];
}

// ---- Pieces ------------------------------------------------------------------------------------

static bool add_mark(struct field_writing *writing, const struct draft_mark *mark) {
    size_t n = (size_t)writing->n_marks + 1;
    struct draft_mark *grown = realloc(writing->marks, n * sizeof *grown);
    if (!grown) return false;
    writing->marks = grown;
    grown[writing->n_marks++] = *mark;
    return true;
}

static bool mark_piece(struct field_writing *writing, const struct draft_piece *piece,
                       const struct judgement *judgement, struct clinic_error *error) {
    const struct draft_comparison *comparison = &judgement->comparison;
    struct draft_mark mark = {
        .start = writing->piece_start, .end = writing->text.bytes, .suggestion = piece->text};
    bool is_done = add_mark(writing, &mark);
    for (int i = 0; is_done && i < comparison->n_strangers && i < STRANGERS_MAX; i++) {
        mark.strange_start = writing->piece_start + comparison->strangers[i].start;
        mark.strange_end = writing->piece_start + comparison->strangers[i].end;
        is_done = add_mark(writing, &mark);
    }
    return is_done || clinic_fail_memory(error);
}

static void use_rule(struct field_writing *writing, const struct draft_piece *piece) {
    text_buffer_cut(&writing->text, writing->piece_start);
    text_buffer_add(&writing->text, piece->text);
}

// One answer, behind what the field has. *is_written false: the model failed, or was stopped.
static bool ask(struct field_writing *writing, const struct draft_piece *piece, const char *hint,
                bool *is_written, bool *is_complete, struct clinic_error *error) {
    const struct draft_request *request = writing->run->request;
    const struct writing_listener listener = {writing, hear_text, hear_stop};
    struct draft_prompt prompt = {0};
    struct writing_result result = {0};
    struct clinic_error own = {CLINIC_OK, ""};
    *is_written = *is_complete = false;
    if (!draft_prompt_make(request->ground, request->record, writing->field, piece, hint,
                           request->writer, &prompt, &own)) {
        writing->run->is_model_lost = true;
    } else if (prompt.fits) {
        prompt.task.user = request->user;
        *is_written =
            request->writer->write(request->writer->user, &prompt.task, &listener, &result, &own);
        *is_complete = result.is_complete;
        writing->run->is_model_lost = !*is_written && !draft_run_is_stopped(writing->run);
    }
    draft_prompt_deinit(&prompt);
    if (writing->has_lost_memory || writing->text.has_failed) return clinic_fail_memory(error);
    if (writing->run->is_model_lost &&
        !draft_form_put(writing->json, "error", json_string(own.message)))
        return clinic_fail_memory(error);
    return true;
}

// The piece with what of the answer only smooths it; the piece as it is if that is nothing.
static bool use_smoothed(struct field_writing *writing, const struct draft_piece *piece,
                         struct clinic_error *error) {
    struct judgement judgement;
    struct text_buffer merged = {0};
    bool is_good = false;
    bool is_done = draft_words_merge(piece->text, written(writing), &merged, error);
    if (is_done && strcmp(text_buffer_text(&merged), piece->text) != 0) {
        text_buffer_cut(&writing->text, writing->piece_start);
        text_buffer_add_bytes(&writing->text, merged.text, merged.bytes);
        is_done = judge(writing, piece, &judgement, error);
        is_good = is_done && is_whole(&judgement) && !says_more(&judgement);
    }
    writing->n_model_pieces += is_good;
    if (!is_good) use_rule(writing, piece);
    text_buffer_deinit(&merged);
    return is_done;
}

static bool settle_answer(struct field_writing *writing, const struct draft_piece *piece,
                          struct clinic_error *error) {
    struct judgement judgement;
    close_sentence(writing);
    if (strcmp(written(writing), piece->text) == 0) {
        writing->n_model_pieces++;
        return true;
    }
    if (writing->field->wording == WORDING_OUTLINE) return use_smoothed(writing, piece, error);
    if (!judge(writing, piece, &judgement, error)) return false;
    if (!is_whole(&judgement)) return use_smoothed(writing, piece, error);
    writing->n_model_pieces++;
    return !says_more(&judgement) || mark_piece(writing, piece, &judgement, error);
}

static bool write_piece(struct field_writing *writing, const struct draft_piece *piece,
                        struct clinic_error *error) {
    bool is_written, is_complete;
    writing->piece_start = writing->text.bytes;
    if (!ask(writing, piece, variation_of(writing), &is_written, &is_complete, error)) return false;
    if (draft_run_is_stopped(writing->run)) {
        text_buffer_cut(&writing->text, writing->piece_start); // half a sentence is no text
        return true;
    }
    if (!is_written || !is_complete || !*written(writing))
        use_rule(writing, piece);
    else if (!settle_answer(writing, piece, error))
        return false;
    return tell_so_far(writing, error);
}

static bool write_pieces(struct field_writing *writing, const struct draft_material *material,
                         struct clinic_error *error) {
    struct draft_run *run = writing->run;
    for (int i = 0; i < material->n_pieces; i++) {
        if (draft_run_is_stopped(run)) return true;
        if (run->is_model_lost) {
            writing->piece_start = writing->text.bytes;
            use_rule(writing, &material->pieces[i]);
        } else if (!write_piece(writing, &material->pieces[i], error)) {
            return false;
        }
    }
    return !writing->text.has_failed || clinic_fail_memory(error);
}

static bool begin_field(struct field_writing *writing, struct clinic_error *error) {
    json_t *data = json_pack("{s:s,s:s}", "field", writing->field->id, "state", "writing");
    if (!draft_run_set_state(writing->json, "writing")) {
        json_decref(data);
        return clinic_fail_memory(error);
    }
    return draft_run_tell(writing->run, "field", data, error);
}

static bool end_field(struct field_writing *writing, struct clinic_error *error) {
    bool is_stopped = draft_run_is_stopped(writing->run);
    const char *by = writing->n_model_pieces ? "model" : "rule";
    return ((draft_run_set_state(writing->json, is_stopped ? "stopped" : "done") &&
             draft_form_put(writing->json, "by", json_string(by))) ||
            clinic_fail_memory(error)) &&
           tell_so_far(writing, error);
}

bool draft_piece_writer_run(struct draft_run *run, const struct template_field *field,
                            json_t *field_json, struct clinic_error *error) {
    struct field_writing writing = {.run = run, .field = field, .json = field_json};
    struct draft_material material = {0};
    if (!draft_material_make(run->request->ground, field, &material, error)) return false;
    bool is_done = begin_field(&writing, error) && write_pieces(&writing, &material, error) &&
                   end_field(&writing, error);
    text_buffer_deinit(&writing.text);
    free(writing.marks);
    draft_material_deinit(&material); // marks borrow its texts until here
    return is_done;
}
