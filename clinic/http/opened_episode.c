// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/opened_episode.h"

#include "clinic/draft/draft.h"
#include "clinic/store/store_episodes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_WEIGHT = 256 };

struct shelved_chart {
    struct opened_episode opened;
    size_t weight;
};

struct chart_shelf {
    struct store *store;
    pthread_mutex_t mutex;
    struct shelved_chart charts[SHELF_CHARTS]; // the longest unused first
    int n_charts;
    size_t weight;
};

struct chart_shelf *chart_shelf_create(struct store *store) {
    struct chart_shelf *shelf = calloc(1, sizeof *shelf);
    if (!shelf) return NULL;
    shelf->store = store;
    pthread_mutex_init(&shelf->mutex, NULL);
    return shelf;
}

static void close_chart(struct opened_episode *opened) {
    draft_ground_close(opened->ground);
    episode_free(opened->episode);
    json_decref(opened->canonical);
    *opened = (struct opened_episode){0};
}

void chart_shelf_destroy(struct chart_shelf *shelf) {
    if (!shelf) return;
    for (int i = 0; i < shelf->n_charts; i++)
        close_chart(&shelf->charts[i].opened);
    pthread_mutex_destroy(&shelf->mutex);
    free(shelf);
}

// What a chart takes in memory goes with its texts and rows.
static size_t weigh(const struct episode *episode) {
    size_t weight = ROW_WEIGHT * (size_t)(episode->n_orders + episode->n_labs + episode->n_vitals +
                                          episode->n_reports + episode->n_docs);
    for (int i = 0; i < episode->n_docs; i++)
        for (int k = 0; k < episode->docs[i].n_sections; k++)
            weight += episode->docs[i].sections[k].text_bytes;
    for (int i = 0; i < episode->n_reports; i++)
        weight +=
            episode->reports[i].findings.text_bytes + episode->reports[i].conclusion.text_bytes;
    return weight;
}

// With the mutex held.
static struct opened_episode take_at(struct chart_shelf *shelf, int at) {
    struct opened_episode opened = shelf->charts[at].opened;
    shelf->weight -= shelf->charts[at].weight;
    shelf->n_charts--;
    memmove(&shelf->charts[at], &shelf->charts[at + 1],
            (size_t)(shelf->n_charts - at) * sizeof shelf->charts[0]);
    return opened;
}

static int find(const struct chart_shelf *shelf, const char *id, int64_t version) {
    for (int i = 0; i < shelf->n_charts; i++) {
        const struct opened_episode *opened = &shelf->charts[i].opened;
        if (opened->version == version && strcmp(opened->episode->encounter.id, id) == 0) return i;
    }
    return -1;
}

static bool take(struct chart_shelf *shelf, const char *id, int64_t version,
                 struct opened_episode *opened) {
    pthread_mutex_lock(&shelf->mutex);
    int at = find(shelf, id, version);
    if (at >= 0) *opened = take_at(shelf, at);
    pthread_mutex_unlock(&shelf->mutex);
    return at >= 0;
}

static bool read_chart(struct opened_episode *opened, struct chart_shelf *shelf, const char *id,
                       int64_t version, struct clinic_error *error) {
    *opened = (struct opened_episode){.shelf = shelf};
    if (store_get_episode(shelf->store, id, version, &opened->canonical, &opened->version, error))
        opened->episode = episode_read(opened->canonical, error);
    if (opened->episode) opened->ground = draft_ground_open(opened->episode, error);
    if (opened->ground) return true;
    close_chart(opened);
    return false;
}

bool opened_episode_init(struct opened_episode *opened, struct chart_shelf *shelf, const char *id,
                         int64_t version, struct clinic_error *error) {
    *opened = (struct opened_episode){0};
    if (version == 0 && !store_episode_version(shelf->store, id, &version, error)) return false;
    return take(shelf, id, version, opened) || read_chart(opened, shelf, id, version, error);
}

void opened_episode_deinit(struct opened_episode *opened) {
    struct opened_episode gone[SHELF_CHARTS];
    struct chart_shelf *shelf = opened->shelf;
    int n_gone = 0;
    if (!shelf) return;
    struct shelved_chart chart = {.opened = *opened, .weight = weigh(opened->episode)};
    *opened = (struct opened_episode){0};
    pthread_mutex_lock(&shelf->mutex);
    bool is_kept = chart.weight <= SHELF_WEIGHT_MAX &&
                   find(shelf, chart.opened.episode->encounter.id, chart.opened.version) < 0;
    while (is_kept &&
           (shelf->n_charts == SHELF_CHARTS || shelf->weight + chart.weight > SHELF_WEIGHT_MAX))
        gone[n_gone++] = take_at(shelf, 0);
    if (is_kept) {
        shelf->charts[shelf->n_charts++] = chart;
        shelf->weight += chart.weight;
    }
    pthread_mutex_unlock(&shelf->mutex);
    if (!is_kept) close_chart(&chart.opened);
    for (int i = 0; i < n_gone; i++)
        close_chart(&gone[i]);
}
