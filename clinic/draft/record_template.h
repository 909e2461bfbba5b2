// SPDX-License-Identifier: Apache-2.0
// A type of record as data: which fields it has and where each comes from. The program knows no
// type by name: a new one is a JSON file (clinic/templates/*.json are in the binary; a folder may
// add types or replace them). docs/CLINIC.md describes the form.
#ifndef XL_CLINIC_RECORD_TEMPLATE_H
#define XL_CLINIC_RECORD_TEMPLATE_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    TEMPLATE_FIELDS_MAX = 40,
    TEMPLATE_LIST_MAX = 32,
    TEMPLATES_MAX = 64,
    TEMPLATE_CHARACTERS_MAX = 8000
};

enum field_origin {
    ORIGIN_DATA, // `value` names what clinic/facts takes from the tables, word for word
    ORIGIN_COPY, // sections of documents, word for word
    ORIGIN_RULE, // `value` names what clinic/facts composes; "outline": the course of the stay
    ORIGIN_MODEL // a model writes it from `value`; without a model `value` itself is the text
};

// What of the chart a model sees besides the piece that it rewrites.
enum field_context {
    CONTEXT_CHART,     // all documents in order of signing: one prefix for all fields
    CONTEXT_DOCUMENTS, // the documents that the piece comes from
    CONTEXT_NONE       // the piece alone
};

// How far a model's words may go from the outline's.
enum field_wording {
    WORDING_OUTLINE, // the outline's words, joined as the model joins them
    WORDING_OWN      // any words that lose nothing and that the record bears
};

struct template_example {
    const char *piece, *text; // a worked example of another patient
};

struct template_field {
    const char *id, *name, *value, *prompt;   // value, prompt may be NULL
    const char *loinc, *element;              // for export; may be NULL
    const char *documents[TEMPLATE_LIST_MAX]; // c_codes that feed it; none: all
    const char *sections[TEMPLATE_LIST_MAX];  // ORIGIN_COPY: their names, in order
    int n_documents, n_sections;
    unsigned fact_classes; // 1u << enum fact_class; 0: all
    struct template_example examples[8];
    int n_examples;
    int max_characters; // of the whole field
    enum field_origin origin;
    enum field_context context;
    enum field_wording wording;
    const json_t *schema; // of what a model answers, with a text member "text"; NULL: just that
};

struct record_template {
    json_t *root;                                    // all strings are its
    const char *id, *name, *c_code, *loinc, *system; // c_code, loinc, system may be NULL
    struct template_field fields[TEMPLATE_FIELDS_MAX];
    int n_fields;
};

// Checks strictly (unknown members are refused by name) and takes a reference. NULL on failure;
// `where` (a file's name) stands in the message.
struct record_template *record_template_read(json_t *root, const char *where,
                                             struct clinic_error *error);
void record_template_free(struct record_template *record);
// NULL: it has no such field.
const struct template_field *record_template_field(const struct record_template *record,
                                                   const char *id);
const char *field_origin_name(enum field_origin origin); // "data", "copy", "rule", "model"

// All types of this process: those of the binary, then those of `folder` (*.json; one with an id
// that is known replaces it). folder NULL: none. NULL on failure, which names the file.
struct template_set;
struct template_set *template_set_open(const char *folder, struct clinic_error *error);
void template_set_close(struct template_set *set);
int template_set_count(const struct template_set *set);
const struct record_template *template_set_at(const struct template_set *set, int index);
const struct record_template *template_set_find(const struct template_set *set, const char *id);

#endif
