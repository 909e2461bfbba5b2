// SPDX-License-Identifier: Apache-2.0
// What Python's str does, on UTF-8: white space, case, search, splitting.
#ifndef XL_TEMPLATE_JINJA_TEXT_H
#define XL_TEMPLATE_JINJA_TEXT_H

#include "base/buffer.h"
#include "template/jinja_value.h"

#ifdef __cplusplus
extern "C" {
#endif

bool code_is_space(uint32_t code);      // str.isspace
bool code_is_line_end(uint32_t code);   // where str.splitlines splits
bool code_is_identifier(uint32_t code); // may stand in a name
// Case of one code point (simple mappings; "ß" is the caller's business).
uint32_t code_upper(uint32_t code);
uint32_t code_lower(uint32_t code);
bool code_is_cased(uint32_t code);
bool code_is_upper(uint32_t code);
bool code_is_lower(uint32_t code);
bool code_is_alpha(uint32_t code);
bool code_is_digit(uint32_t code);
bool code_is_printable(uint32_t code); // shown as itself by repr()

// The code point that ends at `end` (> 0) of valid UTF-8; *start receives where it begins.
uint32_t utf8_last(const char *data, size_t end, size_t *start);

enum strip_sides { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
// Narrows [*begin, *end) of data. chars NULL: white space; else any of its code points.
void text_strip_range(const char *data, size_t *begin, size_t *end, const struct text *chars,
                      int sides);
// Byte offset of the first / last occurrence in [from, size); SIZE_MAX if there is none.
size_t text_find(const struct text *text, const struct text *part, size_t from_bytes);
size_t text_find_last(const struct text *text, const struct text *part, size_t end_bytes);

enum text_case { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE, CASE_TITLE_WORDS, CASE_SWAP };
// TITLE: str.title(); TITLE_WORDS: the title filter, whose words are separated by -\s({[<.
struct text *text_change_case(struct arena *arena, const struct text *text, enum text_case how);

// Builds a text in an arena. After a failed append it stays failed.
struct text_builder {
    struct arena *arena;
    char *data;
    size_t size_bytes, capacity_bytes, max_bytes;
    bool failed;
};
void builder_init(struct text_builder *builder, struct arena *arena, size_t max_bytes);
bool builder_append(struct text_builder *builder, const char *data, size_t size_bytes);
bool builder_append_text(struct text_builder *builder, const struct text *text);
bool builder_append_literal(struct text_builder *builder, const char *literal);
bool builder_append_code(struct text_builder *builder, uint32_t code);
struct text *builder_text(struct text_builder *builder); // NULL if failed

#ifdef __cplusplus
}
#endif
#endif
