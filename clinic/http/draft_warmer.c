// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/draft_warmer.h"

#include "clinic/draft/draft.h"
#include "clinic/http/draft_supply.h"
#include "clinic/http/host_writer.h"
#include "clinic/http/opened_episode.h"
#include "clinic/store/store_episodes.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WISHES_MAX = 32, CHARTS_MAX = 256, EPISODE_BYTES = 129, LOAD_LOOK_MS = 200 };

#define SETTLE_SECONDS 0.25 // between looks at whether the server ends

struct read_chart {
    char episode[EPISODE_BYTES];
    int64_t version;
};

struct draft_warmer {
    const struct draft_supply *supply;
    pthread_t thread;
    bool has_thread, is_stopping;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char wishes[WISHES_MAX][EPISODE_BYTES]; // a stack: the last is the newest
    int n_wishes;
    struct read_chart charts[CHARTS_MAX]; // a ring
    unsigned n_charts;
};

static void drop(struct draft_warmer *warmer, int at) {
    warmer->n_wishes--;
    memmove(warmer->wishes[at], warmer->wishes[at + 1],
            (size_t)(warmer->n_wishes - at) * EPISODE_BYTES);
}

static void add(struct draft_warmer *warmer, const char *episode) {
    pthread_mutex_lock(&warmer->mutex);
    for (int i = 0; i < warmer->n_wishes; i++)
        if (strcmp(warmer->wishes[i], episode) == 0) {
            drop(warmer, i);
            break;
        }
    if (warmer->n_wishes == WISHES_MAX) drop(warmer, 0);
    snprintf(warmer->wishes[warmer->n_wishes++], EPISODE_BYTES, "%s", episode);
    pthread_cond_signal(&warmer->changed);
    pthread_mutex_unlock(&warmer->mutex);
}

static bool take_wish(struct draft_warmer *warmer, char episode[EPISODE_BYTES]) {
    pthread_mutex_lock(&warmer->mutex);
    while (warmer->n_wishes == 0 && !warmer->is_stopping)
        pthread_cond_wait(&warmer->changed, &warmer->mutex);
    bool goes_on = !warmer->is_stopping;
    if (goes_on) memcpy(episode, warmer->wishes[--warmer->n_wishes], EPISODE_BYTES);
    pthread_mutex_unlock(&warmer->mutex);
    return goes_on;
}

static bool is_stopping(struct draft_warmer *warmer) {
    pthread_mutex_lock(&warmer->mutex);
    bool stops = warmer->is_stopping;
    pthread_mutex_unlock(&warmer->mutex);
    return stops;
}

static void note_read(struct draft_warmer *warmer, const char *episode, int64_t version) {
    pthread_mutex_lock(&warmer->mutex);
    struct read_chart *chart = &warmer->charts[warmer->n_charts++ % CHARTS_MAX];
    snprintf(chart->episode, sizeof chart->episode, "%s", episode);
    chart->version = version;
    pthread_mutex_unlock(&warmer->mutex);
}

bool draft_warmer_has_read(struct draft_warmer *warmer, const char *episode, int64_t version) {
    bool is_found = false;
    pthread_mutex_lock(&warmer->mutex);
    for (int i = 0; i < CHARTS_MAX && !is_found; i++)
        is_found =
            warmer->charts[i].version == version && strcmp(warmer->charts[i].episode, episode) == 0;
    pthread_mutex_unlock(&warmer->mutex);
    return is_found;
}

// Facts first: they are there when somebody comes, with or without a model. A chart that cannot be
// read now is read when it is drafted; nobody waits for this.
static void warm(struct draft_warmer *warmer, const char *id) {
    const struct draft_supply *supply = warmer->supply;
    const struct text_writer *writer = host_writer_interface(supply->writer);
    const struct template_set *templates = supply->templates;
    struct clinic_error error;
    struct opened_episode opened;
    if (!opened_episode_init(&opened, supply->charts, id, 0, &error)) return;
    const struct record_template *record = template_set_find(templates, "discharge-record");
    if (!record && template_set_count(templates) > 0) record = template_set_at(templates, 0);
    struct draft_request request = {.ground = opened.ground, .record = record, .writer = writer};
    bool is_read = writer && record && draft_warm(&request, &error);
    int64_t version = opened.version;
    opened_episode_deinit(&opened);
    while (!is_stopping(warmer) && !host_writer_is_settled(supply->writer, SETTLE_SECONDS))
        continue;
    if (is_read && !is_stopping(warmer)) note_read(warmer, id, version);
}

static bool is_loading(const struct draft_supply *supply) {
    return strcmp(host_writer_state(supply->writer), "loading") == 0;
}

// The model is there: what is still to be written is read, the newest first.
static void wish_open_episodes(struct draft_warmer *warmer) {
    struct episode_query query = {.n_departments = -1, .state = "open", .limit = WISHES_MAX};
    struct clinic_error error;
    json_t *list = NULL;
    if (!host_writer_interface(warmer->supply->writer) ||
        !store_list_episodes(warmer->supply->store, &query, &list, NULL, &error))
        return;
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *entry = json_array_get(list, i - 1);
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (id) add(warmer, id);
    }
    json_decref(list);
}

static void *run(void *argument) {
    struct draft_warmer *warmer = argument;
    char episode[EPISODE_BYTES];
    struct timespec pause = {.tv_nsec = LOAD_LOOK_MS * 1000000L};
    while (is_loading(warmer->supply) && !is_stopping(warmer))
        nanosleep(&pause, NULL);
    wish_open_episodes(warmer);
    while (take_wish(warmer, episode))
        warm(warmer, episode);
    return NULL;
}

struct draft_warmer *draft_warmer_create(const struct draft_supply *supply) {
    struct draft_warmer *warmer = calloc(1, sizeof *warmer);
    if (!warmer) return NULL;
    warmer->supply = supply;
    pthread_mutex_init(&warmer->mutex, NULL);
    pthread_cond_init(&warmer->changed, NULL);
    warmer->has_thread = pthread_create(&warmer->thread, NULL, run, warmer) == 0;
    if (warmer->has_thread) return warmer;
    draft_warmer_destroy(warmer);
    return NULL;
}

void draft_warmer_stop(struct draft_warmer *warmer) {
    pthread_mutex_lock(&warmer->mutex);
    warmer->is_stopping = true;
    pthread_cond_signal(&warmer->changed);
    pthread_mutex_unlock(&warmer->mutex);
    if (warmer->has_thread) pthread_join(warmer->thread, NULL);
    warmer->has_thread = false;
}

void draft_warmer_destroy(struct draft_warmer *warmer) {
    if (!warmer) return;
    draft_warmer_stop(warmer);
    pthread_cond_destroy(&warmer->changed);
    pthread_mutex_destroy(&warmer->mutex);
    free(warmer);
}

void draft_warmer_add(struct draft_warmer *warmer, const char *episode) {
    add(warmer, episode);
}
