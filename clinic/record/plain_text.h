// SPDX-License-Identifier: Apache-2.0
// Running text as it is kept: line breaks and tabs, and otherwise only what is seen. What shows
// nothing, or turns the direction of what follows, would let a doctor read another text than the
// one that is checked.
#ifndef XL_CLINIC_PLAIN_TEXT_H
#define XL_CLINIC_PLAIN_TEXT_H

#include "clinic/record/clinic_error.h"
#include "clinic/record/text_gather.h"

#include <jansson.h>

// Adds the text; CR and CR LF become LF.
void plain_text_add(struct text_gather *gather, const char *text, size_t bytes);
// Whether plain_text_add() would add exactly this.
bool plain_text_is(const char *text, size_t bytes);
// Sections of documents, findings and conclusions of a canonical episode, which need not be valid
// yet, are made plain in place. False: no memory.
bool plain_text_clean_episode(json_t *canonical, struct clinic_error *error);

#endif
