// SPDX-License-Identifier: Apache-2.0
// Whether a text tells a fact, in whatever wording: what must not change (doses, values, names,
// spans of time) has to stand there, and enough of the other words in the same one or two
// sentences.
#ifndef XL_CLINIC_FACT_TOLD_H
#define XL_CLINIC_FACT_TOLD_H

#include "clinic/facts/fact.h"

#define TOLD_BYTES_MAX (256u << 10) // of a text; what is behind it is not looked at

// A text made ready for many questions.
struct told_text {
    char *text;   // without blanks
    size_t *ends; // [n_sentences] behind each sentence
    int n_sentences;
};

bool told_text_init(struct told_text *told, const char *text, struct clinic_error *error);
void told_text_deinit(struct told_text *told);
bool told_text_has(const struct told_text *told, const struct episode *episode,
                   const struct fact *fact);
// Whether it names the drugs of a fact, with whatever dose.
bool told_text_names_drug(const struct told_text *told, const struct episode *episode,
                          const struct fact *fact);

// The same for one question; false, too, when memory is short.
bool fact_is_told(const struct episode *episode, const struct fact *fact, const char *text);

#endif
