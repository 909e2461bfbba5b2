// SPDX-License-Identifier: Apache-2.0
// Server-sent events of something that happens once and is watched by any number of exchanges: all
// that was said is kept, in one buffer with a bound, and every follower reads on in it at its own
// pace. A follower that comes late is given a snapshot instead of what it missed.
//
// Whoever adds to the feed must hold its own lock while it makes a snapshot and follows, so that
// nothing lies between the two.
#ifndef XL_CLINIC_EVENT_STREAM_H
#define XL_CLINIC_EVENT_STREAM_H

#include "server/json_writer.h"

#include <jansson.h>
#include <stdbool.h>

struct exchange;
struct event_feed; // counted: one reference for its maker, one for each follower
struct stream_follower;

// on_deserted (or NULL) is called when the last follower leaves before the end; any thread.
struct event_feed *event_feed_create(void (*on_deserted)(void *user), void *user);
void event_feed_release(struct event_feed *feed); // NULL is allowed
// False: no memory, or more was said than anything may say.
bool event_feed_add(struct event_feed *feed, const char *event, const json_t *data);
void event_feed_end(struct event_feed *feed); // on_deserted is not called any more

// Ends the streams of those whose `is_over` (asked without a lock) says so: nothing more is told
// them. False: no memory to ask.
bool event_feed_drop(struct event_feed *feed, bool (*is_over)(void *user, const char *session),
                     void *user);

enum { FOLLOWER_SESSION_BYTES = 48 };
// Its first event is `snapshot`, then what is added from now on. `session`: a secret that names the
// follower's, or "". NULL: no memory.
struct stream_follower *event_stream_follow(struct event_feed *feed, struct exchange *exchange,
                                            const char *session, const json_t *snapshot);
// Moves what is new to `out`; false at the end. I/O thread.
bool event_stream_more(struct stream_follower *follower, struct json_writer *out);
void event_stream_leave(struct stream_follower *follower); // the client is gone, or all was sent
void event_stream_close(struct stream_follower *follower);

#endif
