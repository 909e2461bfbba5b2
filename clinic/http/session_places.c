// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/session_places.h"

#include <stdint.h>

// Two sessions may share a counter; the bound leaves room for that.
static int *place_of(struct session_places *places, const char *token) {
    uint32_t hash = 2166136261u;
    for (; *token; token++)
        hash = (hash ^ (unsigned char)*token) * 16777619u;
    return &places->busy[hash % SESSION_PLACES];
}

bool session_places_enter(struct session_places *places, const char *token) {
    int *busy = place_of(places, token);
    if (__atomic_add_fetch(busy, 1, __ATOMIC_RELAXED) <= SESSION_REQUESTS_MAX) return true;
    __atomic_sub_fetch(busy, 1, __ATOMIC_RELAXED);
    return false;
}

void session_places_leave(struct session_places *places, const char *token) {
    __atomic_sub_fetch(place_of(places, token), 1, __ATOMIC_RELAXED);
}
