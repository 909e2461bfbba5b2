// SPDX-License-Identifier: Apache-2.0
// Where sentences of clinical Chinese end: behind 。！？； and a newline, not inside brackets or
// quotation marks, not at the dot of 4.5; a numbered list ("1. … 2. …") is cut at its numbers; what
// does not end within 2,400 bytes is cut there.
#ifndef XL_CLINIC_SENTENCE_H
#define XL_CLINIC_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>

// Byte behind the sentence that begins at `start` (blanks that follow it belong to it); `bytes` at
// the end of the text, never `start` before it. Linear over a whole text: brackets that do not
// close within 400 bytes do not count.
size_t sentence_end(const char *text, size_t bytes, size_t start);

// Nothing in it but blanks, punctuation and an item's number.
bool sentence_is_empty(const char *text, size_t bytes);

#endif
