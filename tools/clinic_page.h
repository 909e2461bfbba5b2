// SPDX-License-Identifier: Apache-2.0
// A plain terminal as a page of a record: a column of field names, a column of wrapped text.
#ifndef XL_TOOLS_CLINIC_PAGE_H
#define XL_TOOLS_CLINIC_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clinic_page { // zero it, then clinic_page_init()
    bool has_colour;
    int column;
    char word[256]; // ASCII that is not cut: a number and its unit
    size_t word_bytes;
    int word_columns;
};

void clinic_page_init(struct clinic_page *page);
void clinic_page_rule(const char *mark); // "─"
void clinic_page_centre(const struct clinic_page *page, const char *text);
// Begins a line with a field's name; code: an SGR colour ("1", "33"), NULL: plain.
void clinic_page_name(struct clinic_page *page, const char *name, const char *code);
// Text in the right column, wrapped; may come in pieces.
void clinic_page_write(struct clinic_page *page, const char *text, size_t bytes);
void clinic_page_break(struct clinic_page *page); // a new line in the right column
void clinic_page_end(struct clinic_page *page);
void clinic_page_colour(const struct clinic_page *page, const char *code); // NULL: plain again

#endif
