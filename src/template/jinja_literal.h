// SPDX-License-Identifier: Apache-2.0
// Numbers and string escapes as Python writes them, and numbers back to text.
#ifndef XL_TEMPLATE_JINJA_LITERAL_H
#define XL_TEMPLATE_JINJA_LITERAL_H

#include "template/jinja_value.h"

#ifdef __cplusplus
extern "C" {
#endif

struct number_literal {
    bool is_float;
    int64_t integer;
    double real;
    size_t size_bytes; // of the literal
};

// Both return NULL, or what is wrong.
const char *literal_number(const char *source, size_t source_bytes, size_t at,
                           struct number_literal *number);
const char *literal_unescape(struct arena *arena, const char *source, size_t source_bytes,
                             struct text *text);

enum { FLOAT_TEXT_MAX = 40 };
// repr() of a float: the shortest digits that read back as the same number.
void float_to_text(double real, char text[FLOAT_TEXT_MAX]);
// int(text, base) and float(text); false where Python raises ValueError.
bool text_to_int(const struct text *text, int base, int64_t *integer);
bool text_to_float(const struct text *text, double *real);

#ifdef __cplusplus
}
#endif
#endif
