// SPDX-License-Identifier: Apache-2.0
// What a doctor does with a draft: edit, accept, insert what was left out, dismiss it, lock.
#include "tests/clinic/draft_fixture.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

static struct draft_fixture fixture; // its prompt is too large for a stack

// A draft of episode 1 with 头孢曲松钠20.0 g in the course: nothing of the record bears it.
static json_t *wrong_draft(void) {
    struct clinic_error error;
    char text[16384];
    if (!draft_fixture_open(&fixture, "01-pneumonia", NULL)) return NULL;
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    const char *right = draft ? draft_fixture_text(draft, "course") : "",
               *at = strstr(right, "2.0 g");
    snprintf(text, sizeof text, "%.*s0%s", at ? (int)(at - right) + 1 : 0, right, at ? at + 1 : "");
    if (at && draft_edit(fixture.ground, fixture.request.record, draft, "course", text, &error))
        return draft;
    json_decref(draft);
    return NULL;
}

// The sentence with this text in it; *index is its place. NULL: there is none.
static json_t *find_sentence(const json_t *draft, const char *field, const char *text,
                             size_t *index) {
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(draft_field(draft, field), "sentences"), i, sentence) {
        *index = i;
        if (strstr(draft_fixture_member(sentence, "text"), text)) return sentence;
    }
    return NULL;
}

static bool is_blocked(const json_t *draft, const char *field) {
    return json_is_true(json_object_get(draft_field(draft, field), "blocked"));
}

static json_int_t revision_of(const json_t *object) {
    return json_integer_value(json_object_get(object, "revision"));
}

// Accepts every sentence of a field that is not supported.
static bool accept_all(json_t *draft, const char *field) {
    struct clinic_error error;
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(draft_field(draft, field), "sentences"), i, sentence) {
        if (strcmp(draft_fixture_member(sentence, "verdict"), "unsupported") == 0 &&
            !draft_accept(draft, field, i, draft_fixture_member(sentence, "text"), "已核对纸质记录",
                          &error))
            return false;
    }
    return true;
}

static enum test_result test_accept(void) {
    struct clinic_error error;
    json_t *draft = wrong_draft();
    size_t at, other;
    CHECK(draft && is_blocked(draft, "course"));
    json_t *sentence = find_sentence(draft, "course", "20.0 g", &at);
    CHECK(sentence);
    const char *text = draft_fixture_member(sentence, "text");
    json_int_t before = revision_of(draft);
    // Not what was seen, no reason, no such sentence: refused, nothing changed.
    CHECK(!draft_accept(draft, "course", at, "别的话。", "已核对", &error));
    CHECK(error.failure == CLINIC_CONFLICT);
    CHECK(!draft_accept(draft, "course", at, text, "", &error));
    CHECK(error.failure == CLINIC_BAD_INPUT);
    CHECK(!draft_accept(draft, "course", 10000, text, "已核对", &error));
    CHECK(error.failure == CLINIC_NOT_FOUND);
    CHECK(!draft_accept(draft, "no_such_field", 0, text, "已核对", &error));
    CHECK(revision_of(draft) == before && is_blocked(draft, "course"));
    CHECK(find_sentence(draft, "admit_date", "2025", &other));
    CHECK(!draft_accept(draft, "admit_date", other, draft_fixture_text(draft, "admit_date"),
                        "已核对",
                        &error)); // a supported sentence needs none
    CHECK(accept_all(draft, "course"));
    CHECK(!is_blocked(draft, "course") && revision_of(draft) > before);
    CHECK(strcmp(draft_fixture_member(sentence, "reason"), "已核对纸质记录") == 0);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result test_edit(void) {
    struct clinic_error error;
    json_t *draft = wrong_draft();
    size_t at;
    CHECK(draft);
    // A wrong dose that the doctor types is caught as one that a model wrote.
    CHECK(draft_edit(fixture.ground, fixture.request.record, draft, "discharge_orders",
                     "1. 左氧氟沙星片5.0 g，口服，每日1次，5天。", &error));
    CHECK(is_blocked(draft, "discharge_orders"));
    CHECK(json_is_true(json_object_get(draft_field(draft, "discharge_orders"), "edited")));
    CHECK(draft_edit(fixture.ground, fixture.request.record, draft, "discharge_orders",
                     "1. 左氧氟沙星片0.5 g，口服，每日1次，5天。", &error));
    CHECK(!is_blocked(draft, "discharge_orders"));
    // The drugs that are gone from the orders are told as omissions now.
    json_t *omission;
    size_t i;
    bool is_missed = false;
    json_array_foreach(json_object_get(draft, "omissions"), i, omission) {
        is_missed = is_missed || strstr(draft_fixture_member(omission, "text"), "尿白蛋白");
    }
    CHECK(is_missed);
    // What was accepted stays accepted where its text is the same, and only there.
    CHECK(accept_all(draft, "course"));
    json_t *sentence = find_sentence(draft, "course", "20.0 g", &at);
    char text[16384];
    snprintf(text, sizeof text, "%s患者好转。", draft_fixture_text(draft, "course"));
    CHECK(sentence &&
          draft_edit(fixture.ground, fixture.request.record, draft, "course", text, &error));
    sentence = find_sentence(draft, "course", "20.0 g", &at);
    CHECK(sentence && strcmp(draft_fixture_member(sentence, "verdict"), "accepted") == 0);
    memcpy(strstr(text, "20.0 g"), "30.0 g", 6);
    CHECK(draft_edit(fixture.ground, fixture.request.record, draft, "course", text, &error));
    CHECK(is_blocked(draft, "course"));
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// A value of another day, which the verifier alone would let pass, stays marked when something else
// of the field changes, and when the draft is made anew around the locked field.
static enum test_result test_marks_stay(void) {
    struct clinic_error error;
    char text[16384];
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    CHECK(draft_fixture_allow_own_wording(&fixture));
    fixture.writer.mode = FAKE_OTHER_DAY;
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && is_blocked(draft, "course"));
    snprintf(text, sizeof text, "患者好转。%s", draft_fixture_text(draft, "course"));
    CHECK(draft_edit(fixture.ground, fixture.request.record, draft, "course", text, &error));
    CHECK(is_blocked(draft, "course"));
    CHECK(draft_lock(draft, "course", true, &error));
    fixture.request.kept = draft;
    json_t *again = draft_fixture_compose(&fixture, NULL);
    CHECK(again && is_blocked(again, "course"));
    CHECK(strcmp(draft_fixture_text(again, "course"), text) == 0);
    // Looked at and accepted, it is free; changed, it is judged as it then is.
    CHECK(accept_all(again, "course") && !is_blocked(again, "course"));
    json_decref(again);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// A locked field is judged by the record as it is now, not as it was when it was written.
static bool change_dose(json_t *root) {
    size_t i, n = 0;
    json_t *order;
    json_array_foreach(json_object_get(root, "orders"), i, order) {
        const char *name = json_string_value(json_object_get(order, "name"));
        const char *kind = json_string_value(json_object_get(order, "kind"));
        if (!name || !kind || strcmp(kind, "出院带药") != 0 || !strstr(name, "氨溴索")) continue;
        json_object_set_new(json_object_get(order, "dose"), "value", json_integer(60));
        n++;
    }
    return n == 1;
}

static enum test_result test_locked_field_and_new_record(void) {
    static const char locked[] = "1. 盐酸氨溴索片30 mg，口服，每日3次，7天。";
    struct clinic_error error;
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && draft_edit(fixture.ground, fixture.request.record, draft, "discharge_orders",
                              locked, &error));
    CHECK(!is_blocked(draft, "discharge_orders"));
    CHECK(draft_lock(draft, "discharge_orders", true, &error));
    draft_fixture_close(&fixture);
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", change_dose));
    fixture.request.kept = draft;
    json_t *again = draft_fixture_compose(&fixture, NULL);
    CHECK(again && strcmp(draft_fixture_text(again, "discharge_orders"), locked) == 0);
    CHECK(is_blocked(again, "discharge_orders"));
    json_decref(again);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static const json_t *omission_of(const json_t *draft, const char *text) {
    size_t i;
    json_t *omission;
    json_array_foreach(json_object_get(draft, "omissions"), i, omission) {
        if (strstr(draft_fixture_member(omission, "text"), text)) return omission;
    }
    return NULL;
}

static enum test_result test_omissions(void) {
    static const char *const missed = "尿白蛋白";
    struct clinic_error error;
    char id[64], field[64];
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && draft_edit(fixture.ground, fixture.request.record, draft, "discharge_orders",
                              "1. 左氧氟沙星片0.5 g，口服，每日1次，5天。", &error));
    const json_t *omission = omission_of(draft, missed);
    CHECK(omission && strcmp(draft_fixture_member(omission, "state"), "open") == 0);
    snprintf(id, sizeof id, "%s", draft_fixture_member(omission, "id"));
    snprintf(field, sizeof field, "%s", draft_fixture_member(omission, "field"));
    CHECK(draft_insert(fixture.ground, fixture.request.record, draft, id, &error));
    CHECK(strstr(draft_fixture_text(draft, field), missed));
    omission = omission_of(draft, missed);
    CHECK(omission && strcmp(draft_fixture_member(omission, "state"), "inserted") == 0);
    CHECK(!draft_insert(fixture.ground, fixture.request.record, draft, id, &error));
    CHECK(error.failure == CLINIC_CONFLICT);
    // Inserted into a list it is the next item.
    if (strcmp(field, "discharge_orders") == 0)
        CHECK(strstr(draft_fixture_text(draft, field), "2. "));
    // Another one is dismissed, and stays so when the draft is made anew.
    json_t *other = NULL;
    size_t i;
    json_array_foreach(json_object_get(draft, "omissions"), i, other) {
        if (strcmp(draft_fixture_member(other, "state"), "open") == 0) break;
    }
    CHECK(i < json_array_size(json_object_get(draft, "omissions")));
    snprintf(id, sizeof id, "%s", draft_fixture_member(other, "id"));
    CHECK(!draft_dismiss(draft, id, "", &error));
    CHECK(draft_dismiss(draft, id, "与本次住院无关", &error));
    CHECK(draft_edit(fixture.ground, fixture.request.record, draft, "admission_condition",
                     draft_fixture_text(draft, "admission_condition"), &error));
    bool is_dismissed = false;
    json_array_foreach(json_object_get(draft, "omissions"), i, other) {
        if (strcmp(draft_fixture_member(other, "id"), id) == 0)
            is_dismissed = strcmp(draft_fixture_member(other, "state"), "dismissed") == 0;
    }
    CHECK(is_dismissed);
    CHECK(!draft_insert(fixture.ground, fixture.request.record, draft, "m-none", &error));
    CHECK(error.failure == CLINIC_NOT_FOUND);
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// A sentence of a day goes among the sentences of days, not behind them.
static enum test_result test_insert_in_time_order(void) {
    struct clinic_error error;
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && draft_edit(fixture.ground, fixture.request.record, draft, "course",
                              "11月3日入院。11月10日，C反应蛋白9.2 mg/L。", &error));
    const json_t *omission = omission_of(draft, "哌拉西林钠他唑巴坦钠");
    CHECK(omission && strcmp(draft_fixture_member(omission, "field"), "course") == 0);
    CHECK(draft_insert(fixture.ground, fixture.request.record, draft,
                       draft_fixture_member(omission, "id"), &error));
    const char *text = draft_fixture_text(draft, "course");
    const char *drug = strstr(text, "哌拉西林"), *last = strstr(text, "11月10日，C反应蛋白");
    CHECK(drug && last && drug < last);
    CHECK(draft_lock(draft, "course", true, &error));
    omission = omission_of(draft, "痰");
    if (omission && strcmp(draft_fixture_member(omission, "state"), "open") == 0)
        CHECK(!draft_insert(fixture.ground, fixture.request.record, draft,
                            draft_fixture_member(omission, "id"), &error));
    json_decref(draft);
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"accept", "a sentence is accepted as it was seen, with a reason", test_accept},
    {"edit", "what is typed is checked; acceptance stays with its text", test_edit},
    {"marks_stay", "what is marked stays so until it is looked at", test_marks_stay},
    {"locked", "a locked field is checked against the newer record",
     test_locked_field_and_new_record},
    {"omissions", "inserted and dismissed", test_omissions},
    {"time_order", "inserted where its day is", test_insert_in_time_order},
};

int main(int argc, char **argv) {
    return harness_main("draft_edit", tests, sizeof tests / sizeof tests[0], argc, argv);
}
