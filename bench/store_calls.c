// SPDX-License-Identifier: Apache-2.0
// What calls of the clinic's store take, by bench/clinic_store.py: fills a store with variants of
// one episode, then times each kind of call and prints one JSON object: for each the median and the
// slowest in milliseconds. Usage: store_calls EPISODE N_EPISODES ROUNDS FOLDER
#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"
#include "clinic/store/store_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 1000, DRAFT_BYTES = 40000 };

static const struct actor actor = {"bench", "doctor", NULL, NULL};
static const char template[] = "discharge-record";

struct bench {
    struct store *store;
    json_t *episode, *draft;
    int n_episodes, round;
    int64_t revision;
    char draft_id[STORE_ID_BYTES];
    struct clinic_error error;
};

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static bool put(struct bench *bench, int number) {
    char id[32];
    struct put_result result;
    snprintf(id, sizeof id, "B-%06d", number);
    json_object_set_new(json_object_get(bench->episode, "encounter"), "id", json_string(id));
    return store_put_episode(bench->store, &actor, bench->episode, "json", &result, &bench->error);
}

static bool import_new(struct bench *bench) {
    return put(bench, bench->n_episodes + bench->round);
}

static bool import_same(struct bench *bench) {
    return put(bench, bench->n_episodes + bench->round);
}

static bool list(struct bench *bench, const char *text, int offset) {
    struct episode_query query = {
        .n_departments = -1, .text = text, .limit = 50, .offset = offset, .template_fields = 9};
    json_t *entries;
    int64_t total;
    bool is_good = store_list_episodes(bench->store, &query, &entries, &total, &bench->error);
    if (is_good) json_decref(entries);
    return is_good;
}

static bool list_first(struct bench *bench) {
    return list(bench, NULL, 0);
}

static bool list_last(struct bench *bench) {
    return list(bench, NULL, bench->n_episodes - 50);
}

static bool search(struct bench *bench) {
    char text[32];
    snprintf(text, sizeof text, "b-%06d", bench->round * 7 % bench->n_episodes);
    return list(bench, text, 0);
}

static bool get(struct bench *bench) {
    char id[32];
    json_t *episode;
    snprintf(id, sizeof id, "B-%06d", bench->round * 13 % bench->n_episodes);
    bool is_good = store_get_episode(bench->store, id, 0, &episode, NULL, &bench->error);
    if (is_good) json_decref(episode);
    return is_good;
}

static bool save_draft(struct bench *bench) {
    static const struct draft_change change = {.action = "draft.edit"};
    if (bench->revision == 0)
        return ++bench->revision &&
               store_create_draft(bench->store, &actor, "B-000000", template, bench->draft,
                                  bench->draft_id, &bench->error);
    return store_save_draft(bench->store, &actor, bench->draft_id, bench->draft, bench->revision++,
                            &change, &bench->error);
}

static bool fill(struct bench *bench) {
    struct form_field fields[9];
    char ids[9][24];
    for (int i = 0; i < 9; i++) {
        snprintf(ids[i], sizeof ids[i], "field-%d", i);
        fields[i] = (struct form_field){ids[i], NULL, "患者一般情况良好，予以出院。", -1};
    }
    struct form_fill all = {"B-000000", template, fields, 9, NULL};
    return store_fill_form(bench->store, &actor, &all, NULL, &bench->error);
}

static bool audit(struct bench *bench) {
    return store_audit(bench->store, &actor, "read", "B-000000", "episode/B-000000", NULL, NULL,
                       &bench->error);
}

static bool login(struct bench *bench) {
    char token[STORE_TOKEN_BYTES];
    return store_login(bench->store, "bench", "correct horse battery", NULL, token, &bench->error);
}

static bool verify(struct bench *bench) {
    struct audit_report report;
    return store_verify_audit(bench->store, NULL, &report, &bench->error) && !report.why[0];
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool time_calls(struct bench *bench, const char *name, bool (*call)(struct bench *),
                       int rounds, bool is_last) {
    static double times[ROUNDS_MAX];
    for (bench->round = 0; bench->round < rounds; bench->round++) {
        double begin = now_ms();
        if (!call(bench)) return false;
        times[bench->round] = now_ms() - begin;
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    printf("\"%s\": [%.3f, %.3f]%s", name, times[rounds / 2], times[rounds - 1],
           is_last ? "}\n" : ", ");
    return true;
}

static bool prepare(struct bench *bench, const char *folder) {
    static const char *const all[] = {"*"};
    struct user_data user = {.name = "bench",
                             .role = "doctor",
                             .departments = all,
                             .n_departments = 1,
                             .password = "correct horse battery"};
    bench->store = store_open(folder, true, &bench->error);
    if (!bench->store || !store_put_user(bench->store, &actor, &user, &bench->error)) return false;
    for (int i = 0; i < bench->n_episodes; i++)
        if (!put(bench, i)) return false;
    static const char sentence[] = "患者体温正常，切口愈合良好，予以出院。";
    char text[DRAFT_BYTES + 1] = "";
    for (size_t used = 0; used + sizeof sentence <= DRAFT_BYTES; used += sizeof sentence - 1)
        memcpy(text + used, sentence, sizeof sentence);
    bench->draft = json_pack("{s:s, s:s}", "state", "running", "text", text);
    return bench->draft != NULL;
}

static bool measure(struct bench *bench, int rounds) {
    printf("{\"episodes\": %d, ", bench->n_episodes);
    return time_calls(bench, "list the first 50", list_first, rounds, false) &&
           time_calls(bench, "list the last 50", list_last, rounds, false) &&
           time_calls(bench, "search, one of all", search, rounds, false) &&
           time_calls(bench, "read an episode", get, rounds, false) &&
           time_calls(bench, "import an episode", import_new, rounds, false) &&
           time_calls(bench, "import it again, unchanged", import_same, rounds, false) &&
           time_calls(bench, "save a draft of 40 kB", save_draft, rounds, false) &&
           time_calls(bench, "fill nine fields", fill, rounds, false) &&
           time_calls(bench, "one audit line", audit, rounds, false) &&
           time_calls(bench, "login", login, rounds < 5 ? rounds : 5, false) &&
           time_calls(bench, "verify the whole audit", verify, 3, true);
}

int main(int argc, char **argv) {
    struct bench bench = {0};
    if (argc != 5) return 2;
    int rounds = (int)strtol(argv[3], NULL, 10);
    bench.n_episodes = (int)strtol(argv[2], NULL, 10);
    bench.episode = json_load_file(argv[1], 0, NULL);
    if (!bench.episode || rounds < 1 || rounds > ROUNDS_MAX || bench.n_episodes < 50) return 2;
    bool is_good = prepare(&bench, argv[4]) && measure(&bench, rounds);
    if (!is_good) fprintf(stderr, "store_calls: %s\n", bench.error.message);
    store_close(bench.store);
    json_decref(bench.episode);
    json_decref(bench.draft);
    return is_good ? 0 : 1;
}
