// SPDX-License-Identifier: Apache-2.0
// How many requests of one session wait or are answered at a time. Any thread.
#ifndef XL_CLINIC_SESSION_PLACES_H
#define XL_CLINIC_SESSION_PLACES_H

#include <stdbool.h>

enum { SESSION_PLACES = 1024, SESSION_REQUESTS_MAX = 16 };

struct session_places {
    int busy[SESSION_PLACES]; // by a hash of the sessions' tokens; atomic
};

// A place among the requests of one session; false: it has too many.
bool session_places_enter(struct session_places *places, const char *token);
void session_places_leave(struct session_places *places, const char *token);

#endif
