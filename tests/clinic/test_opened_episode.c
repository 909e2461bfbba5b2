// SPDX-License-Identifier: Apache-2.0
// The shelf of opened charts: what is used again is not read again, a new version is another chart,
// nobody shares one, and neither many nor heavy ones stay.
#include "harness.h"
#include "store_fixture.h"

#include "clinic/draft/draft.h"
#include "clinic/http/opened_episode.h"
#include "clinic/store/store_episodes.h"

#include <stdio.h>
#include <string.h>

static char folder[256];
static struct clinic_error error;

static enum test_result test_again(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct chart_shelf *shelf = chart_shelf_create(store);
    struct opened_episode first, second;
    CHECK(store && shelf && fixture_put(store, "01-pneumonia", "E-1") == 1);
    CHECK(opened_episode_init(&first, shelf, "E-1", 0, &error) && first.version == 1);
    const struct draft_ground *ground = first.ground;
    CHECK(opened_episode_init(&second, shelf, "E-1", 1, &error));
    CHECK(second.ground != ground && second.episode != first.episode); // it is in use
    opened_episode_deinit(&first);
    CHECK(!first.ground && !first.shelf);
    opened_episode_deinit(&second); // one is enough
    CHECK(opened_episode_init(&first, shelf, "E-1", 0, &error) && first.ground == ground);
    opened_episode_deinit(&first);
    opened_episode_deinit(&first);
    CHECK(!opened_episode_init(&first, shelf, "E-2", 0, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    CHECK(!opened_episode_init(&first, shelf, "E-1", 2, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    opened_episode_deinit(&first);
    chart_shelf_destroy(shelf);
    store_close(store);
    return TEST_PASS;
}

static json_t *conflicts_of(struct chart_shelf *shelf, int64_t version, int64_t *found) {
    struct opened_episode opened;
    if (!opened_episode_init(&opened, shelf, "E-1", version, &error)) return NULL;
    json_t *conflicts = draft_conflicts(opened.ground, &error);
    *found = opened.version;
    opened_episode_deinit(&opened);
    return conflicts;
}

// Each version is what it was, from the shelf as well as read anew.
static enum test_result test_versions(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct chart_shelf *shelf = chart_shelf_create(store), *fresh = chart_shelf_create(store);
    struct actor actor = {.user = "admin", .role = "admin"};
    struct put_result result;
    int64_t version;
    CHECK(store && shelf && fresh && fixture_put(store, "01-pneumonia", "E-1") == 1);
    json_t *before = conflicts_of(shelf, 0, &version);
    CHECK(before && version == 1);
    json_t *episode = fixture_episode("01-pneumonia", "E-1");
    json_t *event =
        json_array_get(json_object_get(json_object_get(episode, "encounter"), "events"), 0);
    json_object_set_new(event, "time", json_string("2031-01-01T00:00:00+08:00")); // after the stay
    CHECK(store_put_episode(store, &actor, episode, "json", &result, &error));
    json_t *now = conflicts_of(shelf, 0, &version);
    CHECK(now && version == 2 && !json_equal(before, now));
    for (int i = 0; i < 2; i++) {
        json_t *same = conflicts_of(shelf, 1, &version), *anew = conflicts_of(fresh, 2, &version);
        CHECK(json_equal(same, before) && json_equal(anew, now));
        json_decref(same);
        json_decref(anew);
    }
    json_decref(before);
    json_decref(now);
    json_decref(episode);
    chart_shelf_destroy(shelf);
    chart_shelf_destroy(fresh);
    store_close(store);
    return TEST_PASS;
}

static bool is_kept(struct chart_shelf *shelf, const char *id, const struct draft_ground *ground) {
    struct opened_episode opened;
    if (!opened_episode_init(&opened, shelf, id, 0, &error)) return false;
    bool is_same = opened.ground == ground;
    opened_episode_deinit(&opened);
    return is_same;
}

static enum test_result test_bounds(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct chart_shelf *shelf = chart_shelf_create(store);
    struct opened_episode opened[SHELF_CHARTS + 1];
    const struct draft_ground *grounds[SHELF_CHARTS + 1];
    char id[16];
    CHECK(store && shelf);
    for (int i = 0; i <= SHELF_CHARTS; i++) { // all are out at once, so that none is another's
        snprintf(id, sizeof id, "E-%d", i);
        CHECK(fixture_put(store, "01-pneumonia", id) == 1);
        CHECK(opened_episode_init(&opened[i], shelf, id, 0, &error));
        grounds[i] = opened[i].ground;
    }
    for (int i = 0; i <= SHELF_CHARTS; i++)
        opened_episode_deinit(&opened[i]);
    for (int i = 1; i <= SHELF_CHARTS; i++) { // the first had to go
        snprintf(id, sizeof id, "E-%d", i);
        CHECK_MESSAGE(is_kept(shelf, id, grounds[i]), "%s", id);
    }
    chart_shelf_destroy(shelf);
    store_close(store);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"again", "what is used again is not read again, and nobody shares it", test_again},
        {"versions", "each version is what it was", test_versions},
        {"bounds", "the longest unused goes", test_bounds},
    };
    return harness_main("opened_episode", tests, sizeof tests / sizeof *tests, argc, argv);
}
