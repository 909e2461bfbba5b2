// SPDX-License-Identifier: Apache-2.0
// See turn_order.h.
#include "engine/turn_order.h"

#include <string.h>

uint64_t turn_order_round(const struct turn_order *order, const struct turn *newcomer,
                          const struct turn *const *waiting, int n_waiting) {
    uint64_t round = order->rounds[newcomer->priority];
    for (int i = 0; i < n_waiting; i++)
        if (waiting[i]->priority == newcomer->priority && waiting[i]->round >= round &&
            strcmp(waiting[i]->user, newcomer->user) == 0)
            round = waiting[i]->round + 1;
    return round;
}

static bool is_before(const struct turn *a, const struct turn *b) {
    return a->round != b->round ? a->round < b->round : a->arrival < b->arrival;
}

int turn_order_next(const struct turn_order *order, const struct turn *const *waiting,
                    int n_waiting) {
    int first[2] = {-1, -1};
    for (int i = 0; i < n_waiting; i++) {
        int *best = &first[waiting[i]->priority];
        if (*best < 0 || is_before(waiting[i], waiting[*best])) *best = i;
    }
    if (first[XL_INTERACTIVE] < 0) return first[XL_BACKGROUND];
    if (first[XL_BACKGROUND] < 0) return first[XL_INTERACTIVE];
    return first[order->n_interactive >= BACKGROUND_SHARE - 1 ? XL_BACKGROUND : XL_INTERACTIVE];
}

void turn_order_took(struct turn_order *order, const struct turn *turn, bool background_waits) {
    if (turn->round > order->rounds[turn->priority]) order->rounds[turn->priority] = turn->round;
    if (turn->priority == XL_BACKGROUND || !background_waits)
        order->n_interactive = 0;
    else
        order->n_interactive++;
}
