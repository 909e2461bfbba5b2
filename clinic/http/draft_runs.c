// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/draft_runs.h"

#include "clinic/draft/draft.h"
#include "clinic/draft/draft_findings.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/draft_supply.h"
#include "clinic/http/event_stream.h"
#include "clinic/http/host_writer.h"
#include "clinic/http/opened_episode.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_users.h"
#include "server/clock_seconds.h"
#include "server/job_pool.h"
#include "server/json_memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SESSION_LOOK_SECONDS 0.25

enum { RUN_THREADS = 4, RUNS_WAITING_MAX = 32, STOP_WAIT_SECONDS = 10 };

struct live_draft {
    struct draft_runs *runs;
    char id[STORE_ID_BYTES], episode[129], template[65], field[65]; // field "": all
    char user[65], role[16], address[48], session[17];
    int64_t version;             // of the episode
    struct draft_ground *ground; // of the thread
    double looked_s;             // of the thread: when sessions were looked at
    const struct record_template *record;
    pthread_mutex_t mutex; // of the four below, and of what is said in the feed
    json_t *draft;         // up to date
    bool has_ended;        // its end was told
    bool has_changes;      // a doctor changed what was finished while the rest was written
    struct event_feed *feed;
    int is_stopped; // atomic
    int references; // atomic: the list and the thread
    struct live_draft *next;
};

struct draft_runs {
    const struct draft_supply *supply;
    struct job_pool *pool;
    pthread_mutex_t mutex;
    pthread_cond_t changed; // a run left the list
    struct live_draft *first;
    bool is_stopping;
};

struct draft_runs *draft_runs_create(const struct draft_supply *supply) {
    struct draft_runs *runs = calloc(1, sizeof *runs);
    if (!runs) return NULL;
    runs->supply = supply;
    pthread_mutex_init(&runs->mutex, NULL);
    pthread_cond_init(&runs->changed, NULL);
    runs->pool = job_pool_create(RUN_THREADS, RUNS_WAITING_MAX);
    if (runs->pool) return runs;
    draft_runs_destroy(runs);
    return NULL;
}

void draft_runs_join(struct draft_runs *runs) {
    job_pool_destroy(runs->pool);
    runs->pool = NULL;
}

void draft_runs_destroy(struct draft_runs *runs) {
    if (!runs) return;
    draft_runs_join(runs);
    pthread_cond_destroy(&runs->changed);
    pthread_mutex_destroy(&runs->mutex);
    free(runs);
}

static void ask_stop(void *user) {
    struct live_draft *run = user;
    __atomic_store_n(&run->is_stopped, 1, __ATOMIC_RELAXED);
}

static bool is_stopped(void *user) {
    const struct live_draft *run = user;
    return __atomic_load_n(&run->is_stopped, __ATOMIC_RELAXED) != 0;
}

static void release(struct live_draft *run) {
    if (__atomic_sub_fetch(&run->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    event_feed_release(run->feed);
    json_decref(run->draft);
    pthread_mutex_destroy(&run->mutex);
    free(run);
}

// A reference to a run in the list.
static struct live_draft *take(struct draft_runs *runs, const char *id) {
    pthread_mutex_lock(&runs->mutex);
    struct live_draft *run = runs->first;
    while (run && strcmp(run->id, id) != 0)
        run = run->next;
    if (run) __atomic_add_fetch(&run->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&runs->mutex);
    return run;
}

static void leave_list(struct live_draft *run) {
    struct draft_runs *runs = run->runs;
    pthread_mutex_lock(&runs->mutex);
    for (struct live_draft **link = &runs->first; *link; link = &(*link)->next)
        if (*link == run) {
            *link = run->next;
            break;
        }
    pthread_cond_broadcast(&runs->changed);
    pthread_mutex_unlock(&runs->mutex);
}

// ---- In the run's thread

// `field` (or NULL) is the one that was finished: the audit shows what was written before a doctor
// changed it.
static bool save(struct live_draft *run, const char *action, const json_t *field,
                 struct clinic_error *error) {
    struct store *store = run->runs->supply->store;
    struct actor actor = {
        .user = run->user, .role = run->role, .address = run->address, .session = run->session};
    json_t *after = field ? json_pack("{s:O,s:O?}", "field", json_object_get(field, "id"), "text",
                                      json_object_get(field, "text"))
                          : NULL;
    struct draft_change change = {.action = action, .after = after};
    int64_t revision = json_integer_value(json_object_get(run->draft, "revision"));
    bool ok = store_save_draft(store, &actor, run->id, run->draft, revision, &change, error);
    json_decref(after);
    return ok;
}

static void tell_failure(struct live_draft *run, const char *message) {
    json_t *data = json_pack("{s:s}", "message", message);
    json_object_set_new(run->draft, "state", json_string("failed"));
    if (data) event_feed_add(run->feed, "failed", data);
    json_decref(data);
    run->has_ended = true;
}

static bool is_finished_field(const json_t *event) {
    const char *state = json_string_value(
        json_object_get(json_object_get(json_object_get(event, "data"), "field"), "state"));
    return state && strcmp(state, "writing") != 0 && strcmp(state, "waiting") != 0;
}

// What is told must already be in the store: fields that are finished, and the end.
static bool keep(struct live_draft *run, const char *name, const json_t *event,
                 struct clinic_error *error) {
    if (strcmp(name, "done") == 0 || strcmp(name, "failed") == 0) {
        run->has_ended = true;
        return save(run, is_stopped(run) ? "draft.stop" : "draft.write", NULL, error);
    }
    if (strcmp(name, "checked") == 0 && is_finished_field(event))
        return save(run, "draft.write", json_object_get(json_object_get(event, "data"), "field"),
                    error);
    return true;
}

// The composer does not know what a doctor changed meanwhile: what it counts and misses is found
// again in the run's own copy.
static bool recount(struct live_draft *run, const char *name, json_t *data,
                    struct clinic_error *error) {
    bool is_end = strcmp(name, "done") == 0, is_list = strcmp(name, "omissions") == 0;
    if (!run->has_changes || (!is_end && !is_list)) return true;
    const char *member = is_end ? "verified" : "omissions";
    bool ok = is_end ? draft_form_count(run->draft)
                     : draft_findings_omissions(run->ground, run->record, run->draft, error);
    return ok && json_object_set(data, member, json_object_get(run->draft, member)) == 0;
}

static bool take_event(struct live_draft *run, const char *name, const json_t *event,
                       struct clinic_error *error) {
    json_t *data = json_deep_copy(json_object_get(event, "data"));
    bool ok = data && draft_apply(run->draft, event, error) && recount(run, name, data, error) &&
              keep(run, name, event, error) && event_feed_add(run->feed, name, data);
    json_decref(data);
    return ok;
}

static bool is_over(void *user, const char *session) {
    return !store_session_lives(user, session);
}

// Who was logged out, or shut out, is told nothing more of the patient.
static void drop_ended_sessions(struct live_draft *run) {
    double now_s = clock_seconds();
    if (now_s < run->looked_s + SESSION_LOOK_SECONDS) return;
    run->looked_s = now_s;
    if (!event_feed_drop(run->feed, is_over, run->runs->supply->store)) ask_stop(run);
}

static bool on_event(void *user, const json_t *event) {
    struct live_draft *run = user;
    struct clinic_error error = {.failure = CLINIC_OK};
    const char *name = json_string_value(json_object_get(event, "event"));
    if (!name) return false;
    drop_ended_sessions(run);
    pthread_mutex_lock(&run->mutex);
    bool ok = take_event(run, name, event, &error) && !json_memory_is_lost();
    if (!ok) {
        tell_failure(run, error.failure != CLINIC_OK ? error.message : "too much was written");
        ask_stop(run);
    }
    pthread_mutex_unlock(&run->mutex);
    return ok && !is_stopped(run);
}

static bool compose(struct live_draft *run, json_t *kept, json_t **draft,
                    struct clinic_error *error) {
    const struct draft_supply *supply = run->runs->supply;
    struct opened_episode opened;
    if (!opened_episode_init(&opened, supply->charts, run->episode, run->version, error))
        return false;
    run->ground = opened.ground;
    run->record = template_set_find(supply->templates, run->template);
    struct draft_request request = {.ground = opened.ground,
                                    .record = run->record,
                                    .writer = host_writer_interface(supply->writer),
                                    .kept = kept,
                                    .only_field = run->field[0] ? run->field : NULL,
                                    .user = run->user};
    struct draft_events events = {.user = run, .on_event = on_event, .is_stopped = is_stopped};
    bool ok = draft_compose(&request, &events, draft, error);
    opened_episode_deinit(&opened);
    return ok;
}

// The end if the composer said none.
static void finish(struct live_draft *run, const json_t *draft, struct clinic_error *error) {
    pthread_mutex_lock(&run->mutex);
    if (!run->has_ended) {
        struct clinic_error problem;
        json_t *state = json_object_get(draft, "state");
        if (draft && state) {
            json_object_set(run->draft, "state", state);
            json_t *data = json_pack("{s:O}", "state", state);
            if (save(run, "draft.write", NULL, &problem) && data)
                event_feed_add(run->feed, "done", data);
            json_decref(data);
        } else {
            json_object_set_new(run->draft, "state", json_string("failed"));
            save(run, "draft.write", NULL, &problem);
            tell_failure(run, error->message);
        }
    }
    run->has_ended = true;
    pthread_mutex_unlock(&run->mutex);
}

static void work(void *argument) {
    struct live_draft *run = argument;
    struct clinic_error error = {.message = "the draft could not be made"};
    json_t *draft = NULL;
    json_memory_begin();
    pthread_mutex_lock(&run->mutex);
    json_t *kept = json_deep_copy(run->draft);
    pthread_mutex_unlock(&run->mutex);
    if (kept && is_stopped(run)) { // before its turn came
        draft = json_pack("{s:s}", "state", "stopped");
    } else if (!kept || !compose(run, kept, &draft, &error)) {
        json_decref(draft);
        draft = NULL;
    }
    finish(run, draft, &error);
    json_decref(draft);
    json_decref(kept);
    leave_list(run);
    event_feed_end(run->feed);
    release(run);
}

// ---- From the routes

static void copy_text(char *to, size_t bytes, const char *from) {
    snprintf(to, bytes, "%s", from ? from : "");
}

static struct live_draft *make(struct draft_runs *runs, const struct actor *actor,
                               const json_t *draft, const char *only_field) {
    struct live_draft *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    pthread_mutex_init(&run->mutex, NULL);
    run->runs = runs;
    run->references = 1;
    copy_text(run->id, sizeof run->id, json_string_value(json_object_get(draft, "id")));
    copy_text(run->episode, sizeof run->episode,
              json_string_value(json_object_get(draft, "episode")));
    copy_text(run->template, sizeof run->template,
              json_string_value(json_object_get(draft, "template")));
    copy_text(run->field, sizeof run->field, only_field);
    copy_text(run->user, sizeof run->user, actor->user);
    copy_text(run->role, sizeof run->role, actor->role);
    copy_text(run->address, sizeof run->address, actor->address);
    copy_text(run->session, sizeof run->session, actor->session);
    run->version = json_integer_value(json_object_get(draft, "episode_version"));
    run->draft = json_deep_copy(draft);
    run->feed = event_feed_create(ask_stop, run);
    if (run->draft && run->feed) return run;
    release(run);
    return NULL;
}

static bool enter_list(struct draft_runs *runs, struct live_draft *run,
                       struct clinic_error *error) {
    bool is_free = !runs->is_stopping;
    if (!is_free) return clinic_fail(error, CLINIC_BUSY, "the server is shutting down");
    for (const struct live_draft *other = runs->first; other; other = other->next)
        if (strcmp(other->id, run->id) == 0)
            return clinic_fail(error, CLINIC_CONFLICT, "this draft is being written already");
    run->references = 2;
    run->next = runs->first;
    runs->first = run;
    return true;
}

bool draft_runs_start(struct draft_runs *runs, const struct actor *actor, const json_t *draft,
                      const char *only_field, struct clinic_error *error) {
    struct live_draft *run = make(runs, actor, draft, only_field);
    if (!run) return clinic_fail_memory(error);
    pthread_mutex_lock(&runs->mutex);
    bool is_in = enter_list(runs, run, error);
    pthread_mutex_unlock(&runs->mutex);
    // The thread releases one reference at the end; this function holds the other.
    bool ok = is_in && job_pool_add(runs->pool, work, run);
    if (is_in && !ok) {
        clinic_fail(error, CLINIC_BUSY, "too many drafts are being written; try again");
        leave_list(run);
        event_feed_end(run->feed);
        release(run);
    }
    release(run);
    return ok;
}

json_t *draft_runs_find(struct draft_runs *runs, const char *user, const char *episode,
                        const char *template) {
    char id[STORE_ID_BYTES] = "";
    pthread_mutex_lock(&runs->mutex);
    for (const struct live_draft *run = runs->first; run; run = run->next)
        if (!run->field[0] && strcmp(run->user, user) == 0 && strcmp(run->episode, episode) == 0 &&
            strcmp(run->template, template) == 0)
            copy_text(id, sizeof id, run->id);
    pthread_mutex_unlock(&runs->mutex);
    return id[0] ? draft_runs_get(runs, id) : NULL;
}

json_t *draft_runs_get(struct draft_runs *runs, const char *id) {
    struct live_draft *run = take(runs, id);
    if (!run) return NULL;
    pthread_mutex_lock(&run->mutex);
    json_t *copy = json_deep_copy(run->draft);
    pthread_mutex_unlock(&run->mutex);
    release(run);
    return copy;
}

static bool is_listed(const struct draft_runs *runs, const char *id) {
    const struct live_draft *run = runs->first;
    while (run && strcmp(run->id, id) != 0)
        run = run->next;
    return run != NULL;
}

bool draft_runs_stop(struct draft_runs *runs, const char *id) {
    struct live_draft *run = take(runs, id);
    if (!run) return false;
    ask_stop(run);
    release(run);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_SECONDS;
    pthread_mutex_lock(&runs->mutex);
    while (is_listed(runs, id))
        if (pthread_cond_timedwait(&runs->changed, &runs->mutex, &until) != 0) break;
    pthread_mutex_unlock(&runs->mutex);
    return true;
}

// ---- Changes by a doctor

struct live_draft *draft_runs_hold(struct draft_runs *runs, const char *id, json_t **draft) {
    struct live_draft *run = take(runs, id);
    if (!run) return NULL;
    pthread_mutex_lock(&run->mutex);
    *draft = run->has_ended ? NULL : json_deep_copy(run->draft);
    if (*draft) return run;
    pthread_mutex_unlock(&run->mutex);
    release(run);
    return NULL;
}

void draft_runs_let_go(struct live_draft *run) {
    pthread_mutex_unlock(&run->mutex);
    release(run);
}

void draft_runs_change(struct live_draft *run, json_t *draft, const char *field) {
    json_t *now = field ? draft_field(draft, field) : NULL;
    json_decref(run->draft);
    run->draft = json_incref(draft);
    run->has_changes = true;
    json_t *checked = now ? json_pack("{s:O}", "field", now) : NULL;
    json_t *omissions = json_pack("{s:O}", "omissions", json_object_get(draft, "omissions"));
    if (checked) event_feed_add(run->feed, "checked", checked);
    if (omissions) event_feed_add(run->feed, "omissions", omissions);
    json_decref(checked);
    json_decref(omissions);
}

void draft_runs_ask_stop(struct draft_runs *runs) {
    pthread_mutex_lock(&runs->mutex);
    runs->is_stopping = true;
    for (struct live_draft *run = runs->first; run; run = run->next)
        ask_stop(run);
    pthread_mutex_unlock(&runs->mutex);
}

struct stream_follower *draft_runs_follow(struct draft_runs *runs, const char *id,
                                          struct exchange *exchange, const char *session,
                                          struct clinic_error *error) {
    struct live_draft *run = take(runs, id);
    if (!run) {
        clinic_fail(error, CLINIC_NOT_FOUND, "this draft is not being written");
        return NULL;
    }
    pthread_mutex_lock(&run->mutex);
    json_t *snapshot = json_pack("{s:O}", "draft", run->draft);
    struct stream_follower *follower =
        snapshot ? event_stream_follow(run->feed, exchange, session, snapshot) : NULL;
    json_decref(snapshot);
    pthread_mutex_unlock(&run->mutex);
    release(run);
    if (!follower) clinic_fail_memory(error);
    return follower;
}

void draft_runs_tell_version(struct draft_runs *runs, const char *episode, int64_t version) {
    pthread_mutex_lock(&runs->mutex);
    for (struct live_draft *run = runs->first; run; run = run->next) {
        if (strcmp(run->episode, episode) != 0 || run->version >= version) continue;
        json_t *data = json_pack("{s:s,s:s,s:I}", "draft", run->id, "state", "running",
                                 "newer_version", (json_int_t)version);
        if (data) event_feed_add(run->feed, "state", data);
        json_decref(data);
    }
    pthread_mutex_unlock(&runs->mutex);
}
