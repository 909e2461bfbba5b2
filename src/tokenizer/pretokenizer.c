// SPDX-License-Identifier: Apache-2.0
// Runs the steps depth first, so that no list of pieces is ever kept. The byte-level alphabet is
// only spelled out when another step follows it; the model always sees plain bytes.
#include "tokenizer/pretokenizer.h"

#include "base/buffer.h"
#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"

#include <stdlib.h>
#include <string.h>

const char pretokenizer_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct run {
    const struct pretokenizer *pretokenizer;
    struct split_scratch **scratch;
    pretokenizer_sink sink;
    void *context;
    struct error *err;
};

// A piece on its way through the steps.
struct piece {
    const char *text;
    size_t text_bytes;
    bool at_start; // of the whole input
    bool spelled;  // in the byte-level alphabet
    bool goes_on;  // follows malformed bytes of the same text: no space is put in front
};

static enum status run_step(struct run *run, int index, const struct piece *piece);

void pretokenizer_deinit(struct pretokenizer *pretokenizer) {
    for (int i = 0; i < pretokenizer->n_steps; i++)
        split_regex_destroy(pretokenizer->steps[i].regex);
    memset(pretokenizer, 0, sizeof *pretokenizer);
}

enum status pretokenizer_add_step(struct pretokenizer *pretokenizer,
                                  const struct pretokenizer_step *step, struct error *err) {
    if (pretokenizer->n_steps == PRETOKENIZER_STEPS_MAX)
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer: more than %d pre-tokenizer steps",
                         PRETOKENIZER_STEPS_MAX);
    pretokenizer->steps[pretokenizer->n_steps++] = *step;
    if (step->kind == PRETOKENIZER_BYTE_LEVEL) pretokenizer->byte_level = true;
    return STATUS_OK;
}

enum status pretokenizer_add_split(struct pretokenizer *pretokenizer, const char *pattern,
                                   size_t pattern_bytes, bool literal, enum split_behavior behavior,
                                   bool invert, struct error *err) {
    struct pretokenizer_step step = {
        .kind = PRETOKENIZER_SPLIT, .behavior = behavior, .invert = invert};
    TRY(split_regex_compile(&step.regex, pattern, pattern_bytes, literal, err));
    enum status status = pretokenizer_add_step(pretokenizer, &step, err);
    if (status != STATUS_OK) split_regex_destroy(step.regex);
    return status;
}

// Joins the segments between and on matches as the behavior says; `pending` is a piece that may
// still grow.
struct joiner {
    struct run *run;
    int next_index;
    const struct piece *piece;
    enum split_behavior behavior;
    size_t begin, end; // pending piece
    bool has_pending;
    bool pending_match; // what the last segment was
};

static enum status emit(struct joiner *joiner, size_t begin, size_t end) {
    if (begin >= end) return STATUS_OK;
    struct piece part = *joiner->piece;
    part.text += begin;
    part.text_bytes = end - begin;
    part.at_start = part.at_start && begin == 0;
    return run_step(joiner->run, joiner->next_index, &part);
}

static bool joins_pending(const struct joiner *joiner, bool is_match) {
    if (!joiner->has_pending) return false;
    switch (joiner->behavior) {
    case SPLIT_CONTIGUOUS:
        return is_match == joiner->pending_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !joiner->pending_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !is_match && joiner->pending_match;
    default:
        return false;
    }
}

static enum status add_segment(struct joiner *joiner, size_t begin, size_t end, bool is_match) {
    if (joiner->behavior == SPLIT_REMOVED && is_match) return STATUS_OK;
    if (joins_pending(joiner, is_match)) {
        joiner->end = end;
    } else {
        size_t old_begin = joiner->begin, old_end = joiner->end;
        bool had_pending = joiner->has_pending;
        joiner->begin = begin;
        joiner->end = end;
        joiner->has_pending = true;
        if (had_pending) TRY(emit(joiner, old_begin, old_end));
    }
    joiner->pending_match = is_match;
    return STATUS_OK;
}

static size_t next_character(const struct piece *piece, size_t offset) {
    uint32_t code;
    if (offset >= piece->text_bytes) return offset + 1;
    return offset + utf8_decode(piece->text + offset, piece->text_bytes - offset, &code);
}

static enum status run_split(struct run *run, int index, const struct piece *piece) {
    const struct pretokenizer_step *step = &run->pretokenizer->steps[index];
    if (*run->scratch == NULL) TRY(split_scratch_create(run->scratch, run->err));
    struct joiner joiner = {
        .run = run, .next_index = index + 1, .piece = piece, .behavior = step->behavior};
    size_t done = 0, search = 0;
    while (search <= piece->text_bytes && done < piece->text_bytes) {
        bool found;
        size_t begin, end;
        TRY(split_regex_find(step->regex, *run->scratch, piece->text, piece->text_bytes, search,
                             &found, &begin, &end, run->err));
        if (!found) break;
        if (begin > done) TRY(add_segment(&joiner, done, begin, step->invert));
        TRY(add_segment(&joiner, begin, end, !step->invert));
        done = end;
        search = end > begin ? end : next_character(piece, end);
    }
    if (done < piece->text_bytes) TRY(add_segment(&joiner, done, piece->text_bytes, step->invert));
    return joiner.has_pending ? emit(&joiner, joiner.begin, joiner.end) : STATUS_OK;
}

// Adds the prefix space; spells the bytes if a later step must see the alphabet.
static enum status run_byte_level(struct run *run, int index, const struct piece *piece) {
    const struct pretokenizer_step *step = &run->pretokenizer->steps[index];
    bool add_space =
        step->add_prefix_space && !piece->goes_on && piece->text_bytes > 0 && piece->text[0] != ' ';
    bool spell = index + 1 < run->pretokenizer->n_steps && !piece->spelled && !step->only_prefix;
    if (!add_space && !spell) return run_step(run, index + 1, piece);
    char *copy = malloc(2 * piece->text_bytes + 2);
    if (copy == NULL) return error_no_memory(run->err, "text", 2 * piece->text_bytes);
    struct piece changed = *piece;
    changed.text = copy;
    changed.text_bytes = 0;
    if (add_space && !spell) copy[changed.text_bytes++] = ' ';
    if (add_space && spell) changed.text_bytes = byte_alphabet_spell(" ", 1, copy);
    if (spell) {
        changed.text_bytes +=
            byte_alphabet_spell(piece->text, piece->text_bytes, copy + changed.text_bytes);
        changed.spelled = true;
    } else {
        memcpy(copy + changed.text_bytes, piece->text, piece->text_bytes);
        changed.text_bytes += piece->text_bytes;
    }
    enum status status = run_step(run, index + 1, &changed);
    free(copy);
    return status;
}

// Cuts before each mark.
static enum status split_at_marks(struct run *run, int index, const struct piece *piece,
                                  const char *mark, size_t mark_bytes) {
    size_t begin = 0;
    for (size_t i = 1; i <= piece->text_bytes; i++) {
        bool is_mark =
            i + mark_bytes <= piece->text_bytes && memcmp(piece->text + i, mark, mark_bytes) == 0;
        if (!is_mark && i < piece->text_bytes) continue;
        struct piece part = *piece;
        part.text += begin;
        part.text_bytes = i - begin;
        part.at_start = piece->at_start && begin == 0;
        TRY(run_step(run, index + 1, &part));
        begin = i;
    }
    return STATUS_OK;
}

static enum status run_metaspace(struct run *run, int index, const struct piece *piece) {
    const struct pretokenizer_step *step = &run->pretokenizer->steps[index];
    size_t mark_bytes = strlen(step->mark);
    struct buffer text;
    buffer_init(&text, (piece->text_bytes + 1) * PRETOKENIZER_MARK_BYTES);
    bool starts_marked =
        piece->text_bytes > 0 &&
        (piece->text[0] == ' ' ||
         (piece->text_bytes >= mark_bytes && memcmp(piece->text, step->mark, mark_bytes) == 0));
    bool prepend =
        step->prepend == METASPACE_ALWAYS || (step->prepend == METASPACE_FIRST && piece->at_start);
    if (prepend && !piece->goes_on && !starts_marked && piece->text_bytes > 0)
        buffer_append_text(&text, step->mark);
    for (size_t i = 0; i < piece->text_bytes; i++) {
        if (piece->text[i] == ' ')
            buffer_append(&text, step->mark, mark_bytes);
        else
            buffer_append(&text, &piece->text[i], 1);
    }
    if (text.status != STATUS_OK) {
        buffer_deinit(&text);
        return error_no_memory(run->err, "text", piece->text_bytes * PRETOKENIZER_MARK_BYTES);
    }
    struct piece changed = *piece;
    changed.text = text.data;
    changed.text_bytes = text.size_bytes;
    enum status status = STATUS_OK;
    if (step->split)
        status = split_at_marks(run, index, &changed, step->mark, mark_bytes);
    else
        status = run_step(run, index + 1, &changed);
    buffer_deinit(&text);
    return status;
}

static enum status finish(struct run *run, const struct piece *piece) {
    if (!piece->spelled) return run->sink(run->context, piece->text, piece->text_bytes, run->err);
    char *bytes = malloc(piece->text_bytes);
    if (bytes == NULL) return error_no_memory(run->err, "text", piece->text_bytes);
    size_t n_bytes = 0;
    enum status status = STATUS_OK;
    if (byte_alphabet_read(piece->text, piece->text_bytes, bytes, &n_bytes))
        status = run->sink(run->context, bytes, n_bytes, run->err);
    free(bytes);
    return status;
}

static enum status run_step(struct run *run, int index, const struct piece *piece) {
    if (piece->text_bytes == 0) return STATUS_OK;
    if (index == run->pretokenizer->n_steps) return finish(run, piece);
    switch (run->pretokenizer->steps[index].kind) {
    case PRETOKENIZER_SPLIT:
        return run_split(run, index, piece);
    case PRETOKENIZER_BYTE_LEVEL:
        return run_byte_level(run, index, piece);
    case PRETOKENIZER_METASPACE:
        return run_metaspace(run, index, piece);
    }
    return error_set(run->err, STATUS_FAILED, "tokenizer: unknown pre-tokenizer step");
}

enum status pretokenizer_run(const struct pretokenizer *pretokenizer,
                             struct split_scratch **scratch, const char *text, size_t text_bytes,
                             bool at_start, pretokenizer_sink sink, void *context,
                             struct error *err) {
    struct run run = {pretokenizer, scratch, sink, context, err};
    if (pretokenizer->n_steps == 0) return sink(context, text, text_bytes, err);
    size_t begin = 0;
    while (begin < text_bytes) {
        uint32_t code;
        size_t end = begin, used = utf8_decode(text + begin, text_bytes - begin, &code);
        bool is_valid = code != UTF8_INVALID;
        while (end < text_bytes && (code != UTF8_INVALID) == is_valid) {
            end += used;
            if (end < text_bytes) used = utf8_decode(text + end, text_bytes - end, &code);
        }
        if (is_valid) {
            struct piece piece = {text + begin, end - begin, at_start && begin == 0, false,
                                  begin > 0};
            TRY(run_step(&run, 0, &piece));
        } else {
            TRY(sink(context, text + begin, end - begin, err));
        }
        begin = end;
    }
    return STATUS_OK;
}
