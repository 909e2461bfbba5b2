// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/event_stream.h"

#include "server/exchange.h"
#include "server/json_memory.h"
#include "server/sse_stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEED_BYTES_MAX = 32 << 20 };

struct event_feed {
    pthread_mutex_t mutex;
    struct json_writer said; // all events so far
    bool has_ended;
    struct stream_follower *followers;
    void (*on_deserted)(void *user);
    void *user;
    int references; // atomic
};

struct stream_follower {
    struct event_feed *feed;
    struct exchange *exchange;
    struct json_writer first; // the snapshot, until it is sent
    size_t offset;            // in feed->said
    char session[FOLLOWER_SESSION_BYTES];
    bool has_left, is_over; // its session has ended
    struct stream_follower *next, **link;
};

struct event_feed *event_feed_create(void (*on_deserted)(void *user), void *user) {
    struct event_feed *feed = calloc(1, sizeof *feed);
    if (!feed) return NULL;
    pthread_mutex_init(&feed->mutex, NULL);
    feed->on_deserted = on_deserted;
    feed->user = user;
    feed->references = 1;
    return feed;
}

void event_feed_release(struct event_feed *feed) {
    if (!feed || __atomic_sub_fetch(&feed->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    pthread_mutex_destroy(&feed->mutex);
    writer_free(&feed->said);
    free(feed);
}

static bool put_event(struct json_writer *writer, const char *event, const json_t *data) {
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (!text || json_memory_is_lost()) {
        free(text);
        return false;
    }
    size_t n_bytes = strlen(text);
    sse_begin(writer, event);
    put_raw(writer, text, n_bytes);
    sse_end(writer);
    explicit_bzero(text, n_bytes);
    free(text);
    return !writer->failed;
}

static void wake_all(const struct event_feed *feed) {
    for (const struct stream_follower *f = feed->followers; f; f = f->next)
        exchange_wake(f->exchange);
}

bool event_feed_add(struct event_feed *feed, const char *event, const json_t *data) {
    pthread_mutex_lock(&feed->mutex);
    bool ok = feed->said.size < FEED_BYTES_MAX && put_event(&feed->said, event, data);
    wake_all(feed);
    pthread_mutex_unlock(&feed->mutex);
    return ok;
}

void event_feed_end(struct event_feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    feed->has_ended = true;
    wake_all(feed);
    pthread_mutex_unlock(&feed->mutex);
}

typedef char session_name[FOLLOWER_SESSION_BYTES];

// Copies of the followers' sessions, so that they can be asked about without the lock. free().
static session_name *list_sessions(struct event_feed *feed, size_t *n) {
    *n = 0;
    pthread_mutex_lock(&feed->mutex);
    for (const struct stream_follower *f = feed->followers; f; f = f->next)
        *n += 1;
    session_name *names = calloc(*n ? *n : 1, sizeof *names);
    size_t i = 0;
    for (const struct stream_follower *f = feed->followers; names && f; f = f->next)
        memcpy(names[i++], f->session, sizeof *names);
    pthread_mutex_unlock(&feed->mutex);
    return names;
}

static void end_session(struct event_feed *feed, const char *session) {
    pthread_mutex_lock(&feed->mutex);
    for (struct stream_follower *f = feed->followers; f; f = f->next)
        if (strcmp(f->session, session) == 0) {
            f->is_over = true;
            exchange_wake(f->exchange);
        }
    pthread_mutex_unlock(&feed->mutex);
}

bool event_feed_drop(struct event_feed *feed, bool (*is_over)(void *user, const char *session),
                     void *user) {
    size_t n;
    session_name *names = list_sessions(feed, &n);
    for (size_t i = 0; names && i < n; i++)
        if (is_over(user, names[i])) end_session(feed, names[i]);
    if (names) explicit_bzero(names, n * sizeof *names);
    free(names);
    return names != NULL;
}

struct stream_follower *event_stream_follow(struct event_feed *feed, struct exchange *exchange,
                                            const char *session, const json_t *snapshot) {
    struct stream_follower *follower = calloc(1, sizeof *follower);
    if (!follower) return NULL;
    if (!put_event(&follower->first, "snapshot", snapshot)) {
        writer_free(&follower->first);
        free(follower);
        return NULL;
    }
    follower->feed = feed;
    follower->exchange = exchange;
    snprintf(follower->session, sizeof follower->session, "%s", session);
    __atomic_add_fetch(&feed->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&feed->mutex);
    follower->offset = feed->said.size;
    follower->next = feed->followers;
    if (follower->next) follower->next->link = &follower->next;
    follower->link = &feed->followers;
    feed->followers = follower;
    pthread_mutex_unlock(&feed->mutex);
    return follower;
}

bool event_stream_more(struct stream_follower *follower, struct json_writer *out) {
    struct event_feed *feed = follower->feed;
    pthread_mutex_lock(&feed->mutex);
    if (follower->is_over) {
        pthread_mutex_unlock(&feed->mutex);
        return false;
    }
    if (follower->first.size > 0) {
        put_raw(out, follower->first.data, follower->first.size);
        writer_free(&follower->first);
    }
    put_raw(out, feed->said.data + follower->offset, feed->said.size - follower->offset);
    follower->offset = feed->said.size;
    bool goes_on = !feed->has_ended && !feed->said.failed;
    pthread_mutex_unlock(&feed->mutex);
    return goes_on;
}

void event_stream_leave(struct stream_follower *follower) {
    struct event_feed *feed = follower->feed;
    pthread_mutex_lock(&feed->mutex);
    if (!follower->has_left) {
        follower->has_left = true;
        *follower->link = follower->next;
        if (follower->next) follower->next->link = follower->link;
        if (!feed->followers && !feed->has_ended && feed->on_deserted)
            feed->on_deserted(feed->user);
    }
    pthread_mutex_unlock(&feed->mutex);
}

void event_stream_close(struct stream_follower *follower) {
    event_stream_leave(follower);
    event_feed_release(follower->feed);
    writer_free(&follower->first);
    explicit_bzero(follower->session, sizeof follower->session);
    free(follower);
}
