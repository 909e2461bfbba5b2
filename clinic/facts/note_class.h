// SPDX-License-Identifier: Apache-2.0
// What a part of a note tells, by the words that notes use for it: a drug changed, a complication,
// advice for after discharge … Plans that may not have come true and risks are not facts.
#ifndef XL_CLINIC_NOTE_CLASS_H
#define XL_CLINIC_NOTE_CLASS_H

#include "clinic/facts/clause.h"
#include "clinic/facts/fact.h"

#define NOTE_DRUGS_MAX 256

struct note_drug {
    char stem[64];
    bool is_home; // taken before the stay, by what the history tells; it need not be ordered
};

// What the classes of a document's parts depend on besides the part.
struct note_context {
    const struct episode *episode;
    const struct document *doc;
    const struct note_drug *drugs; // [n_drugs] stems of what was ordered
    int n_drugs;
    bool is_last; // written on the last day, or the patient is still here
};

struct note_view {
    enum fact_class fact_class; // FACT_CLASSES: nothing that counts
    bool is_must;
};

// Consents, talks, notices and discussions before an operation tell what might happen.
bool document_tells_facts(const struct document *doc);
struct note_view note_classify(const struct note_context *context, const char *section,
                               const struct clause *part);
// "4至6周后", "3个月": days, the longer one of a range; 0: no span of time stands there.
int clause_days(const struct clause *part);
// "用至12月上旬": only with the name of a drug.
bool advice_needs_drug(const char *text);
// Not plainly said to a patient who goes home: how it was given in hospital, what waits for
// something, what was said again, of which drug. It is left to the doctor (see omission.h).
bool advice_is_doubtful(const char *text);
bool part_names_drug(const struct note_context *context, const struct clause *part);

#endif
