// SPDX-License-Identifier: Apache-2.0
// Drafts as they are composed: without a model, with a good one, with every kind of bad one; what
// followers see; what a stop leaves.
#include "clinic/draft/draft_compare.h"
#include "clinic/draft/draft_ground.h"
#include "tests/clinic/draft_fixture.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct draft_fixture fixture; // its prompt is too large for a stack

struct follower {
    json_t *copy;
    int n_events, n_text, n_checked;
    bool is_broken;
    char first_checked[48], last_event[16];
};

static bool follow(void *user, const json_t *event) {
    struct follower *follower = user;
    struct clinic_error error;
    const char *name = draft_fixture_member(event, "event");
    const json_t *data = json_object_get(event, "data");
    follower->n_events++;
    follower->n_text += strcmp(name, "text") == 0;
    if (strcmp(name, "checked") == 0 && follower->n_checked++ == 0)
        snprintf(follower->first_checked, sizeof follower->first_checked, "%s",
                 draft_fixture_member(json_object_get(data, "field"), "id"));
    snprintf(follower->last_event, sizeof follower->last_event, "%s", name);
    if (follower->copy && !draft_apply(follower->copy, event, &error)) follower->is_broken = true;
    return true;
}

static bool fake_stop(void *user) {
    (void)user;
    return fixture.writer.wants_stop;
}

static const char *state_of(const json_t *draft, const char *field) {
    return draft_fixture_member(draft_field(draft, field), "state");
}

// ---- Without a model ---------------------------------------------------------------------------

static enum test_result test_without_model(void) {
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    fixture.request.writer = NULL;
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft);
    CHECK(strcmp(draft_fixture_text(draft, "admit_date"), "2025年11月3日") == 0);
    CHECK(strcmp(draft_fixture_text(draft, "discharge_date"), "2025年11月11日") == 0);
    CHECK(strcmp(draft_fixture_text(draft, "stay_days"), "8天") == 0);
    CHECK(strstr(draft_fixture_text(draft, "course"), "哌拉西林钠他唑巴坦钠4.5 g"));
    CHECK(strcmp(draft_fixture_member(draft_field(draft, "course"), "by"), "rule") == 0);
    CHECK(strcmp(draft_fixture_member(draft_field(draft, "course"), "from"), "model") == 0);
    CHECK(json_is_null(json_object_get(draft, "model")));
    CHECK(json_is_null(json_object_get(draft, "first_token_ms")));
    CHECK(strcmp(draft_fixture_member(draft, "state"), "done") == 0);
    CHECK(strcmp(draft_fixture_member(draft, "label"), DRAFT_LABEL) == 0);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_other_types(void) {
    static const char *const types[] = {"discharge-summary", "stage-summary"};
    CHECK(draft_fixture_open(&fixture, "03-stroke", NULL));
    for (size_t i = 0; i < 2; i++) {
        fixture.request.record = template_set_find(fixture.templates, types[i]);
        CHECK(fixture.request.record);
        json_t *draft = draft_fixture_compose(&fixture, NULL);
        CHECK(draft && *draft_fixture_text(draft, "course"));
        CHECK(*draft_fixture_text(draft, "admission_diagnoses"));
        json_decref(draft);
    }
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// ---- With a writer -----------------------------------------------------------------------------

static enum test_result test_events(void) {
    struct follower follower = {.n_events = 0};
    struct clinic_error error;
    const struct draft_events events = {&follower, follow, NULL};
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    follower.copy = draft_begin(&fixture.request, &error);
    CHECK(follower.copy && strcmp(draft_fixture_member(follower.copy, "state"), "running") == 0);
    CHECK(strcmp(state_of(follower.copy, "course"), "waiting") == 0);
    json_t *draft = draft_fixture_compose(&fixture, &events);
    CHECK(draft && !follower.is_broken);
    CHECK(strcmp(follower.first_checked, "admit_date") == 0);
    CHECK(strcmp(follower.last_event, "done") == 0);
    CHECK(follower.n_text >= fixture.writer.n_asked && fixture.writer.n_asked > 3);
    CHECK(json_is_integer(json_object_get(draft, "first_token_ms")));
    // What a follower put together from the events is the draft, but for members that no event has:
    // fields kept by others.
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        CHECK(json_equal(field, json_array_get(json_object_get(follower.copy, "fields"), i)));
    }
    CHECK(json_equal(json_object_get(draft, "omissions"),
                     json_object_get(follower.copy, "omissions")));
    CHECK(
        json_equal(json_object_get(draft, "verified"), json_object_get(follower.copy, "verified")));
    json_decref(follower.copy);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_copying_writer(void) {
    CHECK(draft_fixture_open(&fixture, "02-stemi-pci", NULL));
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    fixture.request.writer = NULL;
    json_t *plain = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && plain);
    CHECK(strcmp(draft_fixture_text(draft, "course"), draft_fixture_text(plain, "course")) == 0);
    CHECK(strcmp(draft_fixture_member(draft_field(draft, "course"), "by"), "model") == 0);
    CHECK(strcmp(draft_fixture_member(draft, "model"), "fake") == 0);
    // The model was shown the chart, and nothing that was not signed belongs to it.
    CHECK(strstr(fixture.writer.last_prompt, "【日常病程记录"));
    json_decref(draft);
    json_decref(plain);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// Neither a wrong dose nor a value of another day is taken from an answer; the rest of it is.
static enum test_result test_wrong_is_taken_back(void) {
    static const enum fake_mode modes[] = {FAKE_WRONG, FAKE_OTHER_DAY};
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    json_t *copied = draft_fixture_compose(&fixture, NULL);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        int n_asked = fixture.writer.n_asked;
        fake_writer_init(&fixture.writer, modes[i]);
        json_t *draft = draft_fixture_compose(&fixture, NULL);
        CHECK(draft && copied && fixture.writer.n_asked == n_asked); // nobody is asked twice
        CHECK(strcmp(draft_fixture_text(draft, "course"), draft_fixture_text(copied, "course")) ==
              0);
        CHECK(!json_is_true(json_object_get(draft_field(draft, "course"), "blocked")));
        json_decref(draft);
    }
    json_decref(copied);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// Where a model's own words may stand, a value of another day is marked, and blocks: the verifier
// may know it, the piece does not. A dose in another's place is taken back there, too.
static enum test_result test_own_wording(void) {
    size_t i, k;
    json_t *sentence, *claim;
    bool is_found = false;
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    CHECK(draft_fixture_allow_own_wording(&fixture));
    fixture.writer.mode = FAKE_OTHER_DAY;
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    json_t *course = draft_field(draft, "course");
    CHECK(draft && json_is_true(json_object_get(course, "blocked")));
    json_array_foreach(json_object_get(course, "sentences"), i, sentence) {
        if (!strstr(draft_fixture_member(sentence, "text"), "15.62")) continue;
        CHECK(strcmp(draft_fixture_member(sentence, "verdict"), "unsupported") == 0);
        CHECK(*draft_fixture_member(sentence, "suggestion"));
        json_array_foreach(json_object_get(sentence, "claims"), k, claim) {
            bool is_ok = json_is_true(json_object_get(claim, "ok"));
            is_found = is_found || (!is_ok && strstr(draft_fixture_member(claim, "text"), "15.62"));
        }
    }
    CHECK(is_found);
    // Of everything else nothing is blocked, and the counts say so.
    CHECK(!json_is_true(json_object_get(draft_field(draft, "admit_date"), "blocked")));
    const json_t *verified = json_object_get(draft, "verified");
    CHECK(json_integer_value(json_object_get(verified, "ok")) <
          json_integer_value(json_object_get(verified, "all")));
    json_decref(draft);
    fixture.writer.mode = FAKE_WRONG;
    draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && !strstr(draft_fixture_text(draft, "course"), "20.0 g"));
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_bad_writers_give_the_rules(void) {
    static const enum fake_mode modes[] = {FAKE_SHORT, FAKE_ENDLESS, FAKE_FAIL};
    CHECK(draft_fixture_open(&fixture, "02-stemi-pci", NULL));
    fixture.request.writer = NULL;
    json_t *plain = draft_fixture_compose(&fixture, NULL);
    fixture.request.writer = &fixture.writer.interface;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fake_writer_init(&fixture.writer, modes[i]);
        json_t *draft = draft_fixture_compose(&fixture, NULL);
        CHECK(draft && plain);
        CHECK_MESSAGE(
            strcmp(draft_fixture_text(draft, "course"), draft_fixture_text(plain, "course")) == 0,
            "writer %d: %s", (int)modes[i], draft_fixture_text(draft, "course"));
        CHECK(strcmp(draft_fixture_member(draft_field(draft, "course"), "by"), "rule") == 0);
        // One that fails is not asked again, and says why.
        if (modes[i] == FAKE_FAIL) {
            CHECK(fixture.writer.n_asked == 1);
            CHECK(*draft_fixture_member(draft_field(draft, "course"), "error"));
        }
        json_decref(draft);
    }
    json_decref(plain);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// A text says what it says itself: nothing of any outline is strange to it, lost or told again.
static enum test_result test_same_as_itself(void) {
    static const char *const episodes[] = {"01-pneumonia", "09-lung-cancer-chemo", "12-polytrauma"};
    for (size_t i = 0; i < sizeof episodes / sizeof episodes[0]; i++) {
        struct draft_comparison comparison;
        struct clinic_error error;
        CHECK(draft_fixture_open(&fixture, episodes[i], NULL));
        fixture.request.writer = NULL;
        json_t *draft = draft_fixture_compose(&fixture, NULL);
        const char *course = draft_fixture_text(draft, "course");
        CHECK(draft && draft_compare(fixture.ground->lexicon, course, course, &comparison, &error));
        const struct text_span first = comparison.strangers[0];
        CHECK_MESSAGE(comparison.n_strangers == 0, "%s: %.*s", episodes[i],
                      (int)(first.end - first.start), course + first.start);
        CHECK(comparison.n_repeated == 0 && comparison.n_lost == 0);
        json_decref(draft);
        draft_fixture_close(&fixture);
    }
    return TEST_PASS;
}

// What an answer left out is where it was.
static enum test_result test_left_out_clauses(void) {
    CHECK(draft_fixture_open(&fixture, "05-gallstones", NULL));
    json_t *whole = draft_fixture_compose(&fixture, NULL);
    int n_asked = fixture.writer.n_asked;
    fake_writer_init(&fixture.writer, FAKE_DROP_LAST);
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(whole && draft && fixture.writer.n_asked == n_asked);
    CHECK(strcmp(draft_fixture_text(draft, "course"), draft_fixture_text(whole, "course")) == 0);
    json_decref(whole);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_same_draft_twice(void) {
    char *texts[2] = {NULL, NULL};
    CHECK(draft_fixture_open(&fixture, "02-stemi-pci", NULL));
    for (int i = 0; i < 2; i++) {
        json_t *draft = draft_fixture_compose(&fixture, NULL);
        CHECK(draft);
        texts[i] = json_dumps(json_object_get(draft, "fields"), JSON_SORT_KEYS);
        json_decref(draft);
    }
    CHECK(texts[0] && texts[1] && strcmp(texts[0], texts[1]) == 0);
    free(texts[0]);
    free(texts[1]);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// ---- Stopping, keeping, making one field anew --------------------------------------------------

static enum test_result test_stop(void) {
    const struct draft_events events = {.is_stopped = fake_stop};
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    fixture.writer.stop_after = 3;
    json_t *draft = draft_fixture_compose(&fixture, &events);
    CHECK(draft && strcmp(draft_fixture_member(draft, "state"), "stopped") == 0);
    CHECK(strcmp(state_of(draft, "admit_date"), "done") == 0);
    CHECK(strcmp(state_of(draft, "course"), "stopped") == 0);
    CHECK(fixture.writer.n_asked == 3);
    // Two pieces are there, whole; the third is not.
    const char *course = draft_fixture_text(draft, "course");
    CHECK(strstr(course, "11月3日") && strstr(course, "11月4日") && !strstr(course, "11月5日"));
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_kept_and_single_fields(void) {
    struct clinic_error error;
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    json_t *first = draft_fixture_compose(&fixture, NULL);
    CHECK(first);
    json_object_set_new(first, "id", json_string("d-1"));
    json_object_set_new(first, "created", json_string("2025-11-11T10:00:00+08:00"));
    CHECK(draft_edit(fixture.ground, fixture.request.record, first, "discharge_condition", "好转。",
                     &error));
    CHECK(draft_lock(first, "discharge_condition", true, &error));
    fixture.request.kept = first;
    json_t *second = draft_fixture_compose(&fixture, NULL);
    CHECK(second && strcmp(draft_fixture_text(second, "discharge_condition"), "好转。") == 0);
    CHECK(strcmp(draft_fixture_member(second, "id"), "d-1") == 0);
    CHECK(*draft_fixture_member(second, "created"));
    // One field alone: the others stay, edited or not; a locked one is refused.
    CHECK(draft_edit(fixture.ground, fixture.request.record, second, "admission_condition",
                     "见入院记录。", &error));
    fixture.request.kept = second;
    fixture.request.only_field = "course";
    int n_before = fixture.writer.n_asked;
    json_t *third = draft_fixture_compose(&fixture, NULL);
    CHECK(third && fixture.writer.n_asked > n_before);
    CHECK(strstr(fixture.writer.last_prompt, "内容不变")); // it is asked for in other words
    CHECK(strcmp(draft_fixture_text(third, "admission_condition"), "见入院记录。") == 0);
    fixture.request.only_field = "discharge_condition";
    json_t *none;
    CHECK(!draft_compose(&fixture.request, NULL, &none, &error) && !none);
    CHECK(error.failure == CLINIC_CONFLICT);
    fixture.request.only_field = "no_such_field";
    CHECK(!draft_compose(&fixture.request, NULL, &none, &error));
    CHECK(error.failure == CLINIC_NOT_FOUND);
    json_decref(first);
    json_decref(second);
    json_decref(third);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// ---- Contexts ----------------------------------------------------------------------------------

static enum test_result test_small_context(void) {
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    fixture.writer.context = 9000; // bytes: less than the documents of the day of admission
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && fixture.writer.n_asked > 3);
    CHECK(fixture.writer.n_too_long == 0);
    json_decref(draft);
    // Nothing fits: the rules write, and nobody is asked.
    fake_writer_init(&fixture.writer, FAKE_COPY);
    fixture.writer.context = 100;
    draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && fixture.writer.n_asked == 0);
    CHECK(*draft_fixture_text(draft, "course"));
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_warm(void) {
    struct clinic_error error;
    CHECK(draft_fixture_open(&fixture, "02-stemi-pci", NULL));
    CHECK(draft_warm(&fixture.request, &error));
    int n_warmed = fixture.writer.n_warmed;
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && n_warmed > 3 && fixture.writer.n_asked == n_warmed);
    json_decref(draft);
    fixture.request.writer = NULL;
    CHECK(draft_warm(&fixture.request, &error));
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"without_model", "data fields, outline, label", test_without_model},
    {"other_types", "two more types by data alone", test_other_types},
    {"events", "followers can put the draft together from the events", test_events},
    {"copying_writer", "a faithful writer gives the outline", test_copying_writer},
    {"wrong", "a wrong dose and a value of another day are taken back", test_wrong_is_taken_back},
    {"own_wording", "own words beyond the piece are marked and block", test_own_wording},
    {"bad_writers", "short, endless and failing writers give the rules' text",
     test_bad_writers_give_the_rules},
    {"itself", "a text has nothing that is strange to it", test_same_as_itself},
    {"left_out", "clauses that were left out are where they were", test_left_out_clauses},
    {"twice", "the same draft twice", test_same_draft_twice},
    {"stop", "a stop leaves whole sentences and finished fields", test_stop},
    {"kept", "locked fields stay; one field is made anew", test_kept_and_single_fields},
    {"small_context", "prompts stay within the context", test_small_context},
    {"warm", "what is read in the background is what is asked", test_warm},
};

int main(int argc, char **argv) {
    return harness_main("draft", tests, sizeof tests / sizeof tests[0], argc, argv);
}
