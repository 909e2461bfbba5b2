// SPDX-License-Identifier: Apache-2.0
// What of a section may be quoted. An order to a program is never quoted; behind a control token
// or hidden markup nothing is, up to the section's end, and behind a faked chat role nothing of its
// line: whoever planted the mark wrote what follows it, too.
#ifndef XL_CLINIC_TRUSTED_TEXT_H
#define XL_CLINIC_TRUSTED_TEXT_H

#include "clinic/facts/clause.h"
#include "clinic/record/episode.h"

struct trusted_text {
    const char *text;
    size_t bytes;      // that may be quoted, as far as they are not orders
    bool is_suspect;   // there is an order somewhere
    size_t said_until; // of a faked role's line, as far as it was read
};

struct trusted_text trusted_text_of(const char *text, size_t bytes);
// Clauses, sentences or parts of it, one by one, without those that are orders or belong to one.
bool trusted_text_next(struct trusted_text *trusted, enum clause_level level, size_t *position,
                       struct clause *clause);

#endif
