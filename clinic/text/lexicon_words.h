// SPDX-License-Identifier: Apache-2.0
// The built-in words as tables: each row is one concept, its words parted by '|', first the name
// for people; in folded form (lower case, half width). A NULL ends a table.
#ifndef XL_CLINIC_LEXICON_WORDS_H
#define XL_CLINIC_LEXICON_WORDS_H

extern const char *const LEXICON_DRUGS[];
extern const char *const LEXICON_QUANTITIES[];
extern const char *const LEXICON_DIAGNOSES[];
extern const char *const LEXICON_FINDINGS[];
extern const char *const LEXICON_MEASURES[];  // what is done to a patient, and how it ends
extern const char *const LEXICON_ORGANISMS[]; // what cultures grow

// Salts before and behind a drug's stem, and the forms it is given in.
extern const char *const DRUG_SALTS_BEFORE[];
extern const char *const DRUG_SALTS_BEHIND[];
extern const char *const DRUG_FORMS[];
// Endings of names that are drugs even if the lexicon lacks them: 沙星, 西林, 他汀, …
extern const char *const DRUG_ENDINGS[];

#endif
