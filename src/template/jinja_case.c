// SPDX-License-Identifier: Apache-2.0
// Changing case as Python does. Full mappings beyond one code point: "ß" and the final sigma, which
// occur in text; the rare ligatures keep their simple mapping.
#include "base/utf8.h"
#include "template/jinja_text.h"

#include <utf8proc.h>

enum { SHARP_S = 0xdf, SIGMA_UPPER = 0x3a3, SIGMA_FINAL = 0x3c2, SIGMA = 0x3c3, I_DOT = 0x130 };

static void append_upper(struct text_builder *builder, uint32_t code, bool title) {
    if (code == SHARP_S)
        builder_append_literal(builder, title ? "Ss" : "SS");
    else if (title)
        builder_append_code(builder, (uint32_t)utf8proc_totitle((utf8proc_int32_t)code));
    else
        builder_append_code(builder, code_upper(code));
}

// A capital sigma at the end of a word becomes the final form.
static bool is_final_sigma(const struct text *text, size_t at, size_t next) {
    bool before = false;
    if (at > 0) {
        size_t start;
        before = code_is_cased(utf8_last(text->data, at, &start));
    }
    if (!before) return false;
    if (next >= text->size_bytes) return true;
    uint32_t code;
    utf8_decode(text->data + next, text->size_bytes - next, &code);
    return !code_is_cased(code);
}

static void append_lower(struct text_builder *builder, const struct text *text, size_t at,
                         size_t next, uint32_t code) {
    if (code == SIGMA_UPPER)
        builder_append_code(builder, is_final_sigma(text, at, next) ? SIGMA_FINAL : SIGMA);
    else if (code == I_DOT)
        builder_append_literal(builder, "i\xcc\x87");
    else
        builder_append_code(builder, code_lower(code));
}

// Separators of the title filter: [-\s({\[<]
static bool separates_title_words(uint32_t code) {
    return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
           code_is_space(code);
}

struct text *text_change_case(struct arena *arena, const struct text *text, enum text_case how) {
    struct text_builder builder;
    builder_init(&builder, arena, SIZE_MAX / 2);
    bool at_start = true;
    for (size_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        size_t next = i + utf8_decode(text->data + i, text->size_bytes - i, &code);
        bool upper = how == CASE_UPPER || (how != CASE_LOWER && at_start);
        if (how == CASE_SWAP) upper = code_is_lower(code);
        if (how == CASE_SWAP && !code_is_upper(code) && !code_is_lower(code))
            builder_append_code(&builder, code);
        else if (upper)
            append_upper(&builder, code, how == CASE_TITLE || how == CASE_CAPITALIZE);
        else
            append_lower(&builder, text, i, next, code);
        if (how == CASE_TITLE)
            at_start = !code_is_cased(code);
        else if (how == CASE_TITLE_WORDS)
            at_start = separates_title_words(code);
        else
            at_start = false;
        i = next;
    }
    return builder_text(&builder);
}
