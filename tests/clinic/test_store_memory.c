// SPDX-License-Identifier: Apache-2.0
// The store when memory runs out in the middle: each allocation of JSON fails once. A call then
// fails and has changed nothing, or succeeds and has kept every letter.
#include "harness.h"
#include "store_fixture.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"
#include "clinic/store/store_users.h"

#include <stdlib.h>
#include <string.h>

static const struct actor doctor = {"chen", "doctor", NULL, NULL};
static const char template[] = "discharge-record";
static struct clinic_error error;
static long n_left = -1; // allocations until one fails; < 0: none fails

static void *allocate(size_t n_bytes) {
    return n_left >= 0 && n_left-- == 0 ? NULL : malloc(n_bytes);
}

void *__real_realloc(void *memory, size_t n_bytes);
void *__wrap_realloc(void *memory, size_t n_bytes);
void *__wrap_realloc(void *memory, size_t n_bytes) { // the store's own buffers
    return n_left >= 0 && n_left-- == 0 ? NULL : __real_realloc(memory, n_bytes);
}

struct scene {
    struct store *store;
    json_t *document, *draft; // with a mark that changes each time
    char draft_id[STORE_ID_BYTES], mark[64];
    int64_t revision, form_version;
    json_t *found; // what a reading call gave
};

static bool put_document(struct scene *scene) {
    struct put_result result;
    return store_put_document(scene->store, &doctor, "E-1", scene->document, &result, &error);
}

static bool save_draft(struct scene *scene) {
    static const struct draft_change change = {.action = "draft.edit"};
    return store_save_draft(scene->store, &doctor, scene->draft_id, scene->draft, scene->revision,
                            &change, &error);
}

static bool fill(struct scene *scene) {
    struct form_field field = {"course", NULL, scene->mark, -1};
    struct form_fill one = {"E-1", template, &field, 1, NULL};
    return store_fill_form(scene->store, &doctor, &one, NULL, &error);
}

static bool read_episode(struct scene *scene) {
    return store_get_episode(scene->store, "E-1", 0, &scene->found, NULL, &error);
}

static bool read_draft(struct scene *scene) {
    return store_get_draft(scene->store, scene->draft_id, &scene->found, &error);
}

static bool read_list(struct scene *scene) {
    struct episode_query query = {.n_departments = -1, .limit = 10};
    return store_list_episodes(scene->store, &query, &scene->found, NULL, &error);
}

static bool read_audit(struct scene *scene) {
    struct audit_query query = {.limit = 3, .action = "form.", .with_texts = false};
    return store_read_audit(scene->store, &query, &scene->found, &error);
}

static bool read_form(struct scene *scene) {
    return store_get_form(scene->store, "E-1", template, &scene->found, &error);
}

static bool read_users(struct scene *scene) {
    return store_list_users(scene->store, &scene->found, &error);
}

static bool open_scene(struct scene *scene) {
    char folder[512];
    static const char *const all[] = {"*"};
    struct user_data user = {.name = "chen",
                             .role = "doctor",
                             .departments = all,
                             .n_departments = 1,
                             .password = "correct horse battery"};
    scene->store = fixture_store(folder, sizeof folder);
    if (!scene->store || fixture_put(scene->store, "01-pneumonia", "E-1") != 1) return false;
    json_t *episode = fixture_episode("01-pneumonia", "E-1");
    scene->document = json_deep_copy(json_array_get(json_object_get(episode, "docs"), 0));
    json_decref(episode);
    scene->draft = json_pack("{s:s, s:s}", "state", "done", "text", "患者治愈出院");
    snprintf(scene->mark, sizeof scene->mark, "第零次");
    scene->revision = 1;
    return fill(scene) && store_put_user(scene->store, &doctor, &user, &error) &&
           store_create_draft(scene->store, &doctor, "E-1", template, scene->draft, scene->draft_id,
                              &error);
}

static void close_scene(struct scene *scene) {
    json_decref(scene->document);
    json_decref(scene->draft);
    store_close(scene->store);
}

static void set_mark(struct scene *scene, long round) {
    snprintf(scene->mark, sizeof scene->mark, "第%ld次", round);
    json_t *section = json_array_get(json_object_get(scene->document, "sections"), 0);
    json_object_set_new(section, "text", json_string(scene->mark));
    json_object_set_new(scene->draft, "text", json_string(scene->mark));
}

// What a call that said it was good must have left.
static bool is_kept(struct scene *scene, bool (*call)(struct scene *)) {
    json_t *found = NULL;
    bool is_good = true;
    if (call == put_document && store_get_episode(scene->store, "E-1", 0, &found, NULL, NULL)) {
        json_t *original = fixture_episode("01-pneumonia", "E-1");
        json_array_set(json_object_get(original, "docs"), 0, scene->document);
        is_good = json_equal(original, found);
        json_decref(original);
    } else if (call == save_draft && store_get_draft(scene->store, scene->draft_id, &found, NULL)) {
        is_good = json_equal(scene->draft, found);
        scene->revision++;
    } else if (call == fill && store_get_form(scene->store, "E-1", template, &found, NULL)) {
        const json_t *field = json_array_get(json_object_get(found, "fields"), 0);
        is_good = strcmp(json_string_value(json_object_get(field, "text")), scene->mark) == 0;
    }
    is_good = is_good && found;
    json_decref(found);
    return is_good;
}

// Lets one allocation after the other fail until a call meets none that does.
static enum test_result fail_each(bool (*call)(struct scene *), bool is_reading) {
    struct scene scene = {0};
    json_t *expected = NULL;
    long n_failures = 0, step = call == put_document || call == read_episode ? 7 : 1;
    CHECK_MESSAGE(open_scene(&scene), "%s", error.message);
    if (is_reading) {
        CHECK(call(&scene));
        expected = scene.found;
    }
    for (long round = 0, n = 0;; round++, n += step) {
        set_mark(&scene, round);
        scene.found = NULL;
        n_left = n;
        bool is_good = call(&scene);
        bool has_failed = n_left < 0;
        n_left = -1;
        n_failures += has_failed;
        CHECK_MESSAGE(is_good || error.failure == CLINIC_NO_MEMORY ||
                          (is_reading && error.failure == CLINIC_STORAGE),
                      "allocation %ld: %s", n, error.message);
        if (is_good && is_reading) CHECK_MESSAGE(json_equal(scene.found, expected), "at %ld", n);
        if (is_good && !is_reading) CHECK_MESSAGE(is_kept(&scene, call), "at %ld", n);
        json_decref(scene.found);
        if (is_good && !has_failed) break;
    }
    json_decref(expected);
    CHECK_MESSAGE(n_failures >= 10, "only %ld", n_failures);
    CHECK(fixture_is_whole(scene.store, NULL));
    close_scene(&scene);
    return TEST_PASS;
}

static enum test_result test_put_document(void) {
    return fail_each(put_document, false);
}

static enum test_result test_save_draft(void) {
    return fail_each(save_draft, false);
}

static enum test_result test_fill(void) {
    return fail_each(fill, false);
}

static enum test_result test_readings(void) {
    static bool (*const calls[])(struct scene *) = {read_episode, read_draft, read_list,
                                                    read_audit,   read_form,  read_users};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        enum test_result result = fail_each(calls[i], true);
        CHECK_MESSAGE(result == TEST_PASS, "reading %zu", i);
    }
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"put_document", "a document into an episode that is read and written again",
         test_put_document},
        {"save_draft", "a revision", test_save_draft},
        {"fill", "a field of a form", test_fill},
        {"readings", "whatever is read is whole or an error", test_readings},
    };
    json_set_alloc_funcs(allocate, free);
    return harness_main("store_memory", tests, sizeof tests / sizeof *tests, argc, argv);
}
