// SPDX-License-Identifier: Apache-2.0
// Runs the steps between two buffers. The Unicode tables are in normalize_unicode.c; here are the
// steps that are about strings.
#include "tokenizer/normalizer.h"

#include "base/utf8.h"
#include "tokenizer/normalize_unicode.h"

#include <stdlib.h>
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81"; // U+2581, stands for a space in SentencePiece

void normalizer_step_deinit(struct normalizer_step *step) {
    split_regex_destroy(step->regex);
    free(step->pattern);
    free(step->content);
    free(step->charsmap_data);
    memset(step, 0, sizeof *step);
}

void normalizer_deinit(struct normalizer *normalizer) {
    for (int i = 0; i < normalizer->n_steps; i++)
        normalizer_step_deinit(&normalizer->steps[i]);
    memset(normalizer, 0, sizeof *normalizer);
}

enum status normalizer_add(struct normalizer *normalizer, const struct normalizer_step *step,
                           struct error *err) {
    if (normalizer->n_steps == NORMALIZER_STEPS_MAX) {
        struct normalizer_step dropped = *step;
        normalizer_step_deinit(&dropped);
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer: more than %d normalizer steps",
                         NORMALIZER_STEPS_MAX);
    }
    normalizer->steps[normalizer->n_steps++] = *step;
    return STATUS_OK;
}

static void strip(const struct normalizer_step *step, const char *text, size_t text_bytes,
                  struct buffer *out) {
    size_t begin = text_bytes, end = 0;
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        if (!unicode_is_space(code)) {
            if (begin == text_bytes) begin = i;
            end = i + used;
        }
        i += used;
    }
    if (!step->left) begin = 0;
    if (!step->right) end = text_bytes;
    if (begin < end) buffer_append(out, text + begin, end - begin);
}

static void replace_literal(const struct normalizer_step *step, const char *text, size_t text_bytes,
                            struct buffer *out) {
    size_t done = 0;
    for (size_t i = 0; step->pattern_bytes > 0 && i + step->pattern_bytes <= text_bytes;) {
        const char *first = memchr(text + i, step->pattern[0], text_bytes - i);
        if (first == NULL) break;
        i = (size_t)(first - text);
        if (i + step->pattern_bytes > text_bytes) break;
        if (memcmp(first, step->pattern, step->pattern_bytes) != 0) {
            i++;
            continue;
        }
        buffer_append(out, text + done, i - done);
        buffer_append(out, step->content, step->content_bytes);
        done = i = i + step->pattern_bytes;
    }
    buffer_append(out, text + done, text_bytes - done);
}

static enum status replace_regex(const struct normalizer_step *step, struct split_scratch **scratch,
                                 const char *text, size_t text_bytes, struct buffer *out,
                                 struct error *err) {
    if (!utf8_is_valid(text, text_bytes)) return buffer_append(out, text, text_bytes);
    if (*scratch == NULL) TRY(split_scratch_create(scratch, err));
    size_t done = 0, search = 0;
    while (search <= text_bytes) {
        bool found;
        size_t begin, end;
        TRY(split_regex_find(step->regex, *scratch, text, text_bytes, search, &found, &begin, &end,
                             err));
        if (!found) break;
        buffer_append(out, text + done, begin - done);
        buffer_append(out, step->content, step->content_bytes);
        done = search = end;
        if (begin == end) {
            uint32_t code;
            search += end < text_bytes ? utf8_decode(text + end, text_bytes - end, &code) : 1;
        }
    }
    return buffer_append(out, text + done, text_bytes - done);
}

static void clean_bert(const struct normalizer_step *step, const char *text, size_t text_bytes,
                       struct buffer *out) {
    struct buffer a, b;
    buffer_init(&a, out->max_bytes);
    buffer_init(&b, out->max_bytes);
    if (step->clean_text)
        unicode_clean(text, text_bytes, &a);
    else
        buffer_append(&a, text, text_bytes);
    if (step->chinese_chars) {
        unicode_separate_ideographs(a.data, a.size_bytes, &b);
        buffer_reset(&a);
        buffer_append(&a, b.data, b.size_bytes);
    }
    if (step->strip_accents) {
        buffer_reset(&b);
        unicode_normalize(UNICODE_NFD, a.data, a.size_bytes, &b);
        buffer_reset(&a);
        unicode_strip_marks(b.data, b.size_bytes, true, &a);
    }
    if (step->lowercase)
        unicode_lowercase(a.data, a.size_bytes, out);
    else
        buffer_append(out, a.data, a.size_bytes);
    if (a.status != STATUS_OK || b.status != STATUS_OK) out->status = STATUS_NO_MEMORY;
    buffer_deinit(&a);
    buffer_deinit(&b);
}

static size_t map_shortest(const struct charsmap *map, const char *text, size_t size,
                           struct buffer *out) {
    const char *form;
    size_t form_bytes;
    size_t length = charsmap_match(map, text, size, false, &form, &form_bytes);
    if (length > 0) buffer_append(out, form, form_bytes);
    return length;
}

// Hugging Face looks a whole grapheme up if it is short, else each character.
static void map_graphemes(const struct charsmap *map, const char *text, size_t text_bytes,
                          struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        size_t size = unicode_grapheme(text + i, text_bytes - i);
        if (size < 6 && map_shortest(map, text + i, size, out) > 0) {
            i += size;
            continue;
        }
        for (size_t end = i + size; i < end;) {
            uint32_t code;
            size_t used = utf8_decode(text + i, end - i, &code);
            if (map_shortest(map, text + i, used, out) == 0) buffer_append(out, text + i, used);
            i += used;
        }
    }
}

// What the next character(s) of SentencePiece input become; returns how many bytes were read.
static size_t map_prefix(const struct normalizer_step *step, const char *text, size_t text_bytes,
                         const char **form, size_t *form_bytes) {
    size_t length = 0;
    if (step->whole != NULL && byte_trie_longest(step->whole, text, text_bytes, &length) >= 0) {
        *form = text;
        *form_bytes = length;
        return length;
    }
    length = charsmap_match(&step->charsmap, text, text_bytes, true, form, form_bytes);
    if (length > 0) return length;
    uint32_t code;
    length = utf8_decode(text, text_bytes, &code);
    *form = text;
    *form_bytes = length;
    return length;
}

static void append_escaped(const struct normalizer_step *step, const char *form, size_t form_bytes,
                           struct buffer *out) {
    for (size_t i = 0; i < form_bytes; i++) {
        if (form[i] == ' ' && step->escape)
            buffer_append_text(out, space_mark);
        else
            buffer_append(out, &form[i], 1);
    }
}

static void map_sentencepiece(const struct normalizer_step *step, const char *text,
                              size_t text_bytes, struct buffer *out) {
    const char *form;
    size_t form_bytes, i = 0, start = out->size_bytes;
    while (step->remove_extra_whitespaces && i < text_bytes) {
        size_t used = map_prefix(step, text + i, text_bytes - i, &form, &form_bytes);
        if (form_bytes != 1 || form[0] != ' ') break;
        i += used;
    }
    if (i == text_bytes) return;
    if (step->add_space_prefix) append_escaped(step, " ", 1, out);
    bool after_space = step->remove_extra_whitespaces;
    while (i < text_bytes) {
        i += map_prefix(step, text + i, text_bytes - i, &form, &form_bytes);
        while (after_space && form_bytes > 0 && form[0] == ' ') {
            form++;
            form_bytes--;
        }
        if (form_bytes > 0) {
            append_escaped(step, form, form_bytes, out);
            after_space = form[form_bytes - 1] == ' ';
        }
        if (!step->remove_extra_whitespaces) after_space = false;
    }
    // Only spaces at the end are dropped; the prefix goes too if nothing else is left.
    size_t mark_bytes = step->escape ? 3 : 1;
    const char *mark = step->escape ? space_mark : " ";
    while (step->remove_extra_whitespaces && out->status == STATUS_OK &&
           out->size_bytes - start >= mark_bytes &&
           memcmp(out->data + out->size_bytes - mark_bytes, mark, mark_bytes) == 0)
        out->size_bytes -= mark_bytes;
}

static enum status run_step(const struct normalizer_step *step, struct split_scratch **scratch,
                            const char *text, size_t size, struct buffer *out, struct error *err) {
    switch (step->kind) {
    case NORMALIZER_NFC:
    case NORMALIZER_NFD:
    case NORMALIZER_NFKC:
    case NORMALIZER_NFKD:
        unicode_normalize((enum unicode_form)(UNICODE_NFC + (step->kind - NORMALIZER_NFC)), text,
                          size, out);
        return STATUS_OK;
    case NORMALIZER_LOWERCASE:
        unicode_lowercase(text, size, out);
        return STATUS_OK;
    case NORMALIZER_STRIP_ACCENTS:
        unicode_strip_marks(text, size, false, out);
        return STATUS_OK;
    case NORMALIZER_STRIP:
        strip(step, text, size, out);
        return STATUS_OK;
    case NORMALIZER_PREPEND:
        if (size > 0) buffer_append(out, step->content, step->content_bytes);
        buffer_append(out, text, size);
        return STATUS_OK;
    case NORMALIZER_REPLACE:
        if (step->regex != NULL) return replace_regex(step, scratch, text, size, out, err);
        replace_literal(step, text, size, out);
        return STATUS_OK;
    case NORMALIZER_BERT:
        clean_bert(step, text, size, out);
        return STATUS_OK;
    case NORMALIZER_NMT:
        unicode_clean_nmt(text, size, out);
        return STATUS_OK;
    case NORMALIZER_PRECOMPILED:
        map_graphemes(&step->charsmap, text, size, out);
        return STATUS_OK;
    case NORMALIZER_SENTENCEPIECE:
        map_sentencepiece(step, text, size, out);
        return STATUS_OK;
    }
    return error_set(err, STATUS_FAILED, "tokenizer: unknown normalizer step");
}

enum status normalizer_run(const struct normalizer *normalizer, struct split_scratch **scratch,
                           const char *text, size_t text_bytes, struct buffer *out,
                           struct error *err) {
    struct buffer buffers[2];
    buffer_init(&buffers[0], out->max_bytes);
    buffer_init(&buffers[1], out->max_bytes);
    enum status status = STATUS_OK;
    for (int i = 0; i < normalizer->n_steps && status == STATUS_OK; i++) {
        struct buffer *target = &buffers[i % 2];
        buffer_reset(target);
        status = run_step(&normalizer->steps[i], scratch, text, text_bytes, target, err);
        if (status == STATUS_OK && target->status != STATUS_OK)
            status = error_no_memory(err, "normalised text", text_bytes);
        text = target->data == NULL ? "" : target->data;
        text_bytes = target->size_bytes;
    }
    if (status == STATUS_OK && buffer_append(out, text, text_bytes) != STATUS_OK)
        status = error_no_memory(err, "normalised text", text_bytes);
    buffer_deinit(&buffers[0]);
    buffer_deinit(&buffers[1]);
    return status;
}
