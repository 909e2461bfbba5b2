// SPDX-License-Identifier: Apache-2.0
// The loop itself. libmicrohttpd's epoll descriptor is one of ours, so that a disconnect of a
// suspended connection, which libmicrohttpd does not watch, and the wishes of other threads come in
// at the same place.
#include "server/io_loop.h"

#include "server/clock_seconds.h"
#include "server/model_host.h"
#include "server/route_table.h"
#include "server/service_notify.h"

#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, TICK_MS = 250, SILENCE_SECONDS = 15, BODY_DRAIN_SECONDS = 5 };

void io_loop_enter(struct connection_state *state, enum connection_phase phase, double seconds) {
    state->phase = phase;
    state->deadline_s = clock_seconds() + seconds;
}

// A connection that is neither read nor written: only its end is waited for.
static void watch(struct io_loop *loop, struct connection_state *state) {
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = state};
    if (!state->watched && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, state->fd, &event) == 0)
        state->watched = true;
}

void io_loop_unwatch(struct io_loop *loop, struct connection_state *state) {
    if (state->watched) epoll_ctl(loop->epoll, EPOLL_CTL_DEL, state->fd, NULL);
    state->watched = false;
}

void io_loop_suspend(struct exchange *exchange) {
    watch(exchange->server->loop, exchange->socket);
    MHD_suspend_connection(exchange->connection);
    exchange->suspended = true;
}

static void resume(struct exchange *exchange) {
    if (!exchange->suspended || !exchange->connection) return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

void io_loop_let_go(struct exchange *exchange) {
    __atomic_store_n(&exchange->gone, 1, __ATOMIC_RELAXED);
    if (exchange_get_state(exchange) == EXCHANGE_WORKING || exchange->work_cancelled) return;
    if (!exchange->work) return;
    exchange->work_cancelled = true;
    exchange->work_kind->cancel(exchange->work);
}

static void abandon(struct exchange *exchange) {
    io_loop_let_go(exchange);
    resume(exchange);
}

static void drop(struct io_loop *loop, struct connection_state *state) {
    io_loop_unwatch(loop, state);
    shutdown(state->fd, SHUT_RDWR);
    if (state->exchange) abandon(state->exchange);
}

void http_server_wake(struct http_server *server, struct exchange *exchange) {
    struct io_loop *loop = server->loop;
    pthread_mutex_lock(&loop->mutex);
    bool was_empty = !loop->woken && !loop->nudged;
    if (exchange && !exchange->in_wake_list) {
        exchange_acquire(exchange);
        exchange->in_wake_list = true;
        exchange->next_woken = loop->woken;
        loop->woken = exchange;
    }
    if (!exchange) loop->nudged = true;
    pthread_mutex_unlock(&loop->mutex);
    uint64_t one = 1;
    if (was_empty && write(loop->wake, &one, sizeof one) < 0) return; // full: it is awake
}

void http_server_nudge(struct http_server *server) {
    http_server_wake(server, NULL);
}

static void look_at_woken(struct io_loop *loop) {
    pthread_mutex_lock(&loop->mutex);
    loop->nudged = false;
    while (loop->woken) {
        struct exchange *exchange = loop->woken;
        loop->woken = exchange->next_woken;
        exchange->in_wake_list = false; // from here on it may be listed again
        pthread_mutex_unlock(&loop->mutex);
        resume(exchange);
        if (!exchange->connection) { // its client went while its job ran
            io_loop_let_go(exchange);
            http_gate_settle(exchange, true);
        }
        exchange_release(exchange);
        pthread_mutex_lock(&loop->mutex);
    }
    pthread_mutex_unlock(&loop->mutex);
}

// A body that still comes is answered with 503 at its end; what has been read of it is not needed.
static void refuse_bodies(struct http_server *server) {
    for (struct connection_state *state = server->loop->connections; state; state = state->next)
        if (state->exchange) http_gate_refuse_body(state->exchange);
}

// Requests whose body or reply is under way without being work.
static bool has_requests(const struct io_loop *loop) {
    for (struct connection_state *state = loop->connections; state; state = state->next)
        if (state->exchange) return true;
    return false;
}

static void begin_drain(struct http_server *server) {
    struct io_loop *loop = server->loop;
    loop->n_signals++;
    if (loop->n_signals == 1) {
        loop->drain_until_s = clock_seconds() + server->settings->drain_seconds;
        loop->bodies_until_s = clock_seconds() + BODY_DRAIN_SECONDS;
        refuse_bodies(server);
        if (server->extension) server->extension->drain(server->extension->user);
        service_notify("STOPPING=1");
    }
}

static void read_signal(struct http_server *server) {
    struct signalfd_siginfo info;
    while (read(server->loop->signals, &info, sizeof info) == sizeof info)
        begin_drain(server);
}

static void take_event(struct http_server *server, const struct epoll_event *event) {
    struct io_loop *loop = server->loop;
    uint64_t count;
    if (event->data.ptr == &loop->signals)
        read_signal(server);
    else if (event->data.ptr == &loop->wake) {
        if (read(loop->wake, &count, sizeof count) < 0) return;
    } else if (event->data.ptr != loop)
        drop(loop, event->data.ptr);
}

// True if a stream's client takes nothing although there is something.
static bool is_stalled(const struct exchange *exchange, double now_s, int write_seconds) {
    return exchange && exchange_get_state(exchange) == EXCHANGE_STREAMING && !exchange->suspended &&
           now_s > exchange->touched_s + write_seconds;
}

// A stream that has been silent for long says so: proxies in between would close it.
static void keep_awake(struct exchange *exchange, double now_s) {
    if (!exchange || exchange_get_state(exchange) != EXCHANGE_STREAMING || !exchange->suspended ||
        now_s < exchange->touched_s + SILENCE_SECONDS)
        return;
    exchange->owes_comment = true;
    resume(exchange);
}

static void sweep(struct http_server *server, double now_s) {
    struct io_loop *loop = server->loop;
    struct connection_state *next;
    for (struct connection_state *state = loop->connections; state; state = next) {
        next = state->next;
        bool is_late = state->phase != CONNECTION_WORKING && now_s > state->deadline_s;
        if (state->phase == CONNECTION_WORKING)
            is_late = is_stalled(state->exchange, now_s, server->settings->write_seconds);
        if (is_late)
            drop(loop, state);
        else
            keep_awake(state->exchange, now_s);
    }
    loop->next_sweep_s = now_s + TICK_MS / 1000.0;
    service_notify_alive(now_s);
}

static void cut_what_runs(struct io_loop *loop) {
    for (struct connection_state *state = loop->connections; state; state = state->next)
        if (state->exchange) drop(loop, state);
}

static int timeout_ms(struct io_loop *loop) {
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(loop->daemon, &ms) == MHD_YES && ms < TICK_MS) return (int)ms;
    return TICK_MS;
}

static void announce(struct http_server *server) {
    struct io_loop *loop = server->loop;
    enum model_state state = model_host_state(server->host);
    if (loop->announced || (state != MODEL_READY && state != MODEL_OFF)) return;
    loop->announced = true;
    service_notify("READY=1\nSTATUS=serving");
}

bool http_server_run(struct http_server *server) {
    struct io_loop *loop = server->loop;
    struct epoll_event events[EVENTS_MAX];
    double cut_s = 0;
    for (;;) {
        int n = epoll_wait(loop->epoll, events, EVENTS_MAX, timeout_ms(loop));
        for (int i = 0; i < n; i++)
            take_event(server, &events[i]);
        look_at_woken(loop);
        MHD_run(loop->daemon);
        double now_s = clock_seconds();
        if (now_s >= loop->next_sweep_s) sweep(server, now_s);
        announce(server);
        if (model_host_state(server->host) == MODEL_FAILED || loop->n_signals > 1) return false;
        if (loop->n_signals == 0) continue;
        bool waits = now_s < loop->bodies_until_s && now_s < loop->drain_until_s;
        if (loop->n_active == 0 && !(waits && has_requests(loop))) return true;
        if (cut_s == 0 && now_s > loop->drain_until_s) {
            cut_what_runs(loop);
            cut_s = now_s;
        }
        if (cut_s > 0 && now_s > cut_s + 2) return true;
    }
}

bool http_server_is_draining(const struct http_server *server) {
    return server->loop->n_signals > 0;
}

size_t http_server_connections(const struct http_server *server) {
    return server->loop->n_connections;
}

size_t http_server_active(const struct http_server *server) {
    return server->loop->n_active;
}
