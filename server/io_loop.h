// SPDX-License-Identifier: Apache-2.0
// Inside of http_server: connections with their deadlines, the list of exchanges to look at, and
// the loop. Only the I/O thread touches any of it, but for `woken` and `nudged` under the mutex.
#ifndef XL_SERVER_IO_LOOP_H
#define XL_SERVER_IO_LOOP_H

#include "server/exchange.h"
#include "server/http_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum connection_phase {
    CONNECTION_HEADERS, // a request's headers come in
    CONNECTION_BODY,
    CONNECTION_WORKING, // no deadline: the engine's turn
    CONNECTION_SENDING,
    CONNECTION_IDLE // between requests
};

struct connection_state {
    struct connection_state *next, *previous;
    struct exchange *exchange; // NULL: none
    double deadline_s;
    int fd;
    enum connection_phase phase;
    bool watched; // for a disconnect while suspended
};

struct io_loop {
    struct MHD_Daemon *daemon;
    int epoll, wake, signals; // descriptors; -1: none
    char *tls_cert, *tls_key; // PEM
    pthread_mutex_t mutex;
    struct exchange *woken;
    bool nudged;
    struct connection_state *connections;
    size_t n_connections, n_active;
    int n_signals, connections_max;
    double drain_until_s, bodies_until_s, next_sweep_s;
    bool announced, is_closing;
};

// libmicrohttpd's callbacks.
enum MHD_Result http_gate_access(void *server, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_bytes, void **exchange);
void http_gate_completed(void *server, struct MHD_Connection *connection, void **exchange,
                         enum MHD_RequestTerminationCode how);

// Counts and logs an exchange that is over, once. One whose job still runs is over when that ends.
void http_gate_settle(struct exchange *exchange, bool is_cut);

// The server ends: a body that still comes for the model is answered with 503.
void http_gate_refuse_body(struct exchange *exchange);

// Sends what the exchange's state asks for, or suspends the connection until it is woken.
enum MHD_Result http_reply_proceed(struct exchange *exchange);
// Starts the clock of a phase.
void io_loop_enter(struct connection_state *state, enum connection_phase phase, double seconds);
// Nobody waits for the exchange any more: cancels its work, which must happen before the last
// reference goes. Work that a job still makes is cancelled when the job ends.
void io_loop_let_go(struct exchange *exchange);
void io_loop_suspend(struct exchange *exchange);
void io_loop_unwatch(struct io_loop *loop, struct connection_state *state);

#endif
