// SPDX-License-Identifier: Apache-2.0
// Who is next. Interactive requests go before background ones, but every BACKGROUND_SHARE-th turn
// is a background request's if one waits; inside a priority users take turns, however many requests
// each has; a user's own requests go in the order in which they came.
//
// Taking turns needs no table of users (start-time fair queueing, Goyal 1996): a request gets a
// round when it comes, the current one or the one behind its user's last waiting request, and the
// lowest round is next.
#ifndef XL_ENGINE_TURN_ORDER_H
#define XL_ENGINE_TURN_ORDER_H

#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BACKGROUND_SHARE = 8 };

struct xl_request;

// What is compared of a request.
struct turn {
    struct xl_request *request; // whose turn it is
    const char *user;
    xl_priority priority;
    uint64_t round, arrival; // arrival: counts requests
};

struct turn_order {
    uint64_t rounds[2]; // the current one of each priority
    int n_interactive;  // turns since the last of a background request
};

// The round of a request that comes now; waiting[n] are the turns of those that wait.
uint64_t turn_order_round(const struct turn_order *order, const struct turn *newcomer,
                          const struct turn *const *waiting, int n_waiting);
// Whose turn it is of waiting[n]; -1: nobody waits. Changes nothing.
int turn_order_next(const struct turn_order *order, const struct turn *const *waiting,
                    int n_waiting);
// `turn` got its turn; did background requests wait, too?
void turn_order_took(struct turn_order *order, const struct turn *turn, bool background_waits);

#ifdef __cplusplus
}
#endif
#endif
