// SPDX-License-Identifier: Apache-2.0
// Drafts for tests: an episode of examples/ with its ground, and a writer that is no model but does
// what a test wants: copies the piece, changes it, loses something, never ends, fails.
#ifndef XL_TESTS_DRAFT_FIXTURE_H
#define XL_TESTS_DRAFT_FIXTURE_H

#include "clinic/draft/draft.h"

enum fake_mode {
    FAKE_COPY,      // the piece as it is
    FAKE_WRONG,     // "2.0 g" becomes "20.0 g" in every answer
    FAKE_OTHER_DAY, // every answer ends with a value of another day of the record
    FAKE_SHORT,     // the piece up to its first comma
    FAKE_DROP_LAST, // without the last clause of a piece that has several
    FAKE_ENDLESS,   // is cut
    FAKE_FAIL       // cannot write
};

struct fake_writer {
    struct text_writer interface;
    enum fake_mode mode;
    int context; // "tokens" (bytes) that it holds; 0: any
    int n_asked, n_warmed;
    int n_too_long; // prompts that were longer than the context
    int stop_after; // asks the listener to stop after so many answers; 0: never
    bool wants_stop;
    char last_prompt[1 << 20]; // system, parts and instruction of the last task
};

struct draft_fixture {
    struct episode *episode;
    struct draft_ground *ground;
    struct template_set *templates;
    struct fake_writer writer;
    struct draft_request request;
    struct record_template *own_wording; // NULL: the template is the built-in one
};

// Episode "01-pneumonia" …; with `change` the JSON is changed first (NULL: as it is). False:
// failed.
bool draft_fixture_open(struct draft_fixture *fixture, const char *name,
                        bool (*change)(json_t *root));
// From now on the model's own words may stand in the course.
bool draft_fixture_allow_own_wording(struct draft_fixture *fixture);
void draft_fixture_close(struct draft_fixture *fixture);
void fake_writer_init(struct fake_writer *writer, enum fake_mode mode);
// Composes what the request says; NULL: failed.
json_t *draft_fixture_compose(struct draft_fixture *fixture, const struct draft_events *events);
const char *draft_fixture_text(const json_t *draft, const char *field); // "" if there is none
const char *draft_fixture_member(const json_t *object, const char *member);

#endif
