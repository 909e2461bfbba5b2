// SPDX-License-Identifier: Apache-2.0
// One HTTP request and its answer, from the last byte of its body on. Routes see this and no
// sockets. A route replies at once, or hands the exchange to a job; a job replies, or leaves work
// behind whose pieces the I/O thread fetches when exchange_wake() says that there are new ones.
//
// Threads: everything belongs to the I/O thread, but between exchange_start_job and the job's end
// `out`, `error` and `work` belong to the job.
#ifndef XL_SERVER_EXCHANGE_H
#define XL_SERVER_EXCHANGE_H

#include "server/json_writer.h"
#include "server/openai_error.h"
#include "server/request_body.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct api_key;
struct connection_state;
struct http_server;
struct job_pool;
struct route;
struct MHD_Connection;

enum exchange_state {
    EXCHANGE_READING,   // headers and body come in
    EXCHANGE_WORKING,   // a job has it
    EXCHANGE_FOLLOWING, // work is fetched until it replies
    EXCHANGE_STREAMING, // work is fetched and sent piece by piece
    EXCHANGE_REPLYING   // http_status and out are the reply
};

// What the I/O thread does with work that goes on after its job. `more` writes what is new to
// exchange->out; a stream ends when it returns false; without a stream it calls exchange_reply at
// the end (what it returns is not looked at). `cancel`: the client is gone or the server ends;
// more is not called again. `release` is the last call, in any thread.
struct exchange_work {
    bool (*more)(void *work);
    void (*cancel)(void *work);
    void (*release)(void *work);
};

// What the logs and the metrics count; filled by routes.
struct exchange_usage {
    int prompt_tokens, cached_tokens, generated_tokens;
    const char *finish;     // static: "stop", "length", "cancelled", "error", …; NULL: none
    char prompt_digest[65]; // for the audit log; empty: none
};

enum { PATH_PARTS_MAX = 2, PATH_PART_BYTES = 132, SET_COOKIE_BYTES = 256 };

struct exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct connection_state *socket;
    const struct route *route; // NULL: none is named so
    struct api_key *key;       // NULL: no keys are in use
    char id[28];               // "req_…", told to the client and to both logs
    char address[48];          // of the client
    const char *method;        // static
    char path_end[128];        // what stands for the * of the route's path
    char path_parts[PATH_PARTS_MAX][PATH_PART_BYTES]; // for the {…} of it, decoded
    struct request_body body;
    struct openai_error error;
    struct json_writer out;
    const char *content_type;             // static
    const char *etag, *security_policy;   // static; NULL: no such header
    const char *location;                 // static; of a redirection
    bool is_frameable;                    // security_policy says by whom
    char set_cookie[SET_COOKIE_BYTES];    // empty: none
    const char *allowed_methods, *origin; // for headers; origin belongs to the connection
    int http_status;
    struct exchange_usage usage;
    int state; // enum exchange_state, atomic
    int gone;  // atomic: the client is away
    const struct exchange_work *work_kind;
    void *work;
    void (*job)(struct exchange *);
    size_t sent; // of out, in a stream
    uint64_t sent_bytes;
    double began_s, touched_s;
    bool suspended, in_wake_list, counted, admitted, refuses_body, work_cancelled, stream_ended,
        owes_comment, settled;
    int references; // atomic
    struct exchange *next_woken;
};

// What the client sent, decoded; NULL: nothing of that name. In route->handle only.
const char *exchange_header(const struct exchange *exchange, const char *name);
const char *exchange_cookie(const struct exchange *exchange, const char *name);
const char *exchange_query(const struct exchange *exchange, const char *name);

struct exchange *exchange_create(struct http_server *server);
void exchange_acquire(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

static inline int exchange_get_state(const struct exchange *exchange) {
    return __atomic_load_n(&exchange->state, __ATOMIC_ACQUIRE);
}

static inline void exchange_set_state(struct exchange *exchange, enum exchange_state state) {
    __atomic_store_n(&exchange->state, (int)state, __ATOMIC_RELEASE);
}

static inline bool exchange_is_gone(const struct exchange *exchange) {
    return __atomic_load_n(&exchange->gone, __ATOMIC_RELAXED) != 0;
}

// The reply is `error`.
void exchange_fail(struct exchange *exchange);
// The reply is what was written to `out`.
void exchange_reply(struct exchange *exchange, int http_status, const char *content_type);
// Runs `job` in the pool, or replies 503 if the pool is full. The job ends with one of
// exchange_fail, exchange_reply, exchange_follow and exchange_stream.
void exchange_start_job(struct exchange *exchange, struct job_pool *pool,
                        void (*job)(struct exchange *));
// For a job whose reply is one JSON object: parses the body, lets `fill` write to `out`, and
// replies with that, or with the error that fill (false) left.
void exchange_answer_body(struct exchange *exchange,
                          bool (*fill)(struct exchange *, const json_t *body));
void exchange_follow(struct exchange *exchange);
void exchange_stream(struct exchange *exchange); // as text/event-stream
// From any thread: the I/O thread should look at the exchange.
void exchange_wake(struct exchange *exchange);

#endif
