// SPDX-License-Identifier: Apache-2.0
// Checks a drafted text against an episode: every sentence gets its sources, and each number, date,
// drug, dose, side, negation and diagnosis in it is looked up in the record in its context. Knows
// nothing of who wrote the text. Same text, same episode: same result.
#ifndef XL_CLINIC_VERIFIER_H
#define XL_CLINIC_VERIFIER_H

#include "clinic/record/source.h"

enum claim_kind {
    CLAIM_NUMBER,
    CLAIM_DATE,
    CLAIM_DRUG,
    CLAIM_DOSE, // dose, route or frequency of a drug
    CLAIM_SIDE,
    CLAIM_NEGATION, // something is there, or is not
    CLAIM_DIAGNOSIS,
    CLAIM_PATIENT,  // sex, age, a person's name
    CLAIM_STATEMENT // words that nothing in the record is like
};

enum verdict {
    VERDICT_SUPPORTED,
    VERDICT_PLAIN, // nothing to check and a source was found, or formal words
    VERDICT_UNSUPPORTED,
    VERDICT_ACCEPTED // by the doctor; never set here
};

struct claim {
    enum claim_kind kind;
    size_t start, end; // bytes in the text
    bool is_supported;
    bool has_source;
    struct source source;
    char why[160]; // Chinese, "记录中为 4.5 g"; "" if supported
};

#define SENTENCE_SOURCES 4

struct sentence_check {
    size_t start, end; // bytes in the text
    enum verdict verdict;
    struct claim *claims;
    int n_claims;
    struct source sources[SENTENCE_SOURCES]; // best first
    int n_sources;
};

struct text_check {
    struct sentence_check *sentences;
    int n_sentences;
    int n_claims, n_supported; // over all sentences
};

#define VERIFIER_TEXT_BYTES_MAX 65536

struct verifier;

// Reads the whole episode once; the episode must outlive it. NULL: no memory.
struct verifier *verifier_create(const struct episode *episode, struct clinic_error *error);
void verifier_free(struct verifier *verifier);

// field_id ("discharge_condition", …; NULL: any text) says which time of the stay a text is about.
// Any bytes up to VERIFIER_TEXT_BYTES_MAX are a text. Not thread-safe: one check at a time.
bool verifier_check(struct verifier *verifier, const char *field_id, const char *text, size_t bytes,
                    struct text_check *check, struct clinic_error *error);
void text_check_deinit(struct text_check *check);

const char *claim_kind_name(enum claim_kind kind); // "number", …, "patient", "statement"
const char *verdict_name(enum verdict verdict);    // "supported", …

// {"sentences": […], "verified": {"ok", "all"}} as the pages and the store know it (offsets are
// characters). NULL: no memory.
json_t *text_check_to_json(const struct episode *episode, const char *text,
                           const struct text_check *check);

#endif
