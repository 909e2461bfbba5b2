// SPDX-License-Identifier: Apache-2.0
// Stretches of a note: sentences (up to 。or a line's end), clauses (up to ；) and parts (up to
// ，), none of them cut inside parentheses. A list's number ("3. ") is not part of its item.
#ifndef XL_CLINIC_CLAUSE_H
#define XL_CLINIC_CLAUSE_H

#include <stdbool.h>
#include <stddef.h>

struct clause {
    const char *text; // the whole text
    size_t start, end;
};

enum clause_level { CLAUSE_SENTENCE, CLAUSE_CLAUSE, CLAUSE_PART };

// The next stretch at or behind *position, without its end mark; false at the end of the text.
bool clause_next(const char *text, size_t text_bytes, enum clause_level level, size_t *position,
                 struct clause *stretch);

bool clause_has(const struct clause *stretch, const char *needle);
// Any of a NULL-terminated list.
bool clause_has_any(const struct clause *stretch, const char *const *needles);
bool clause_starts(const struct clause *stretch, const char *start);
bool clause_starts_any(const struct clause *stretch, const char *const *starts);
// Where the needle starts inside the stretch; its end if it does not.
size_t clause_find(const struct clause *stretch, const char *needle);

// Bytes of a decimal number at the start of the text: "4.5", "128", "0.25"; 0: none.
size_t number_length(const char *text);
// Bytes of the UTF-8 character that starts here (1 for a stray byte, 0 at the end).
size_t character_length(const char *text);

#endif
