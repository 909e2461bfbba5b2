// SPDX-License-Identifier: Apache-2.0
// The text of an HTML document or fragment as a reader sees it, tag by tag from front to back: no
// tree, no stack, so neither depth nor missing end tags cost anything; every byte is looked at a
// fixed number of times. Scripts, styles, comments, struck-out text and choices that were not made
// are no text. Nothing of the markup is left in the result.
#ifndef XL_CLINIC_HTML_TEXT_H
#define XL_CLINIC_HTML_TEXT_H

#include "clinic/record/text_gather.h"

// Stands in the text wherever an element inside a line begins or ends: a label may be there.
#define HTML_TEXT_MARK '\x1e'

// `html` is valid UTF-8. Lines end with '\n'; spaces are single; superscript digits become ¹²³⁹⁺.
void html_text_read(const char *html, size_t bytes, struct text_gather *text);
// Entities: "&lt;", "&#8451;", "&#x2103;" at text[0] == '&'. Returns the bytes that it takes; 0: it
// is no entity.
size_t html_entity_read(const char *text, size_t bytes, uint32_t *character);

#endif
