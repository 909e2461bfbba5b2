// SPDX-License-Identifier: Apache-2.0
// See stop_filter.h. `waiting` never holds much more than the longest stop string and one token, so
// plain searching is enough.
#include "engine/stop_filter.h"

#include "base/utf8.h"

#include <string.h>

enum { WAITING_BYTES_MAX = 1 << 20, STOP_BYTES_MAX = 1 << 16 };

enum status stop_filter_init(struct stop_filter *filter, const char *const *stops, size_t n_stops,
                             struct error *err) {
    *filter = (struct stop_filter){.stops = stops, .n_stops = n_stops};
    buffer_init(&filter->waiting, WAITING_BYTES_MAX);
    if (n_stops > 0 && !stops)
        return error_set(err, STATUS_USAGE, "%zu stop strings announced, none given", n_stops);
    for (size_t i = 0; i < n_stops; i++) {
        size_t size = stops[i] ? strlen(stops[i]) : 0;
        if (size == 0 || size > STOP_BYTES_MAX || !utf8_is_valid(stops[i], size))
            return error_set(err, STATUS_USAGE, "stop string %zu is empty, too long or not UTF-8",
                             i + 1);
    }
    return STATUS_OK;
}

void stop_filter_deinit(struct stop_filter *filter) {
    if (filter->waiting.data) explicit_bzero(filter->waiting.data, filter->waiting.capacity_bytes);
    buffer_deinit(&filter->waiting);
}

// Does `stop` begin at text, as far as text goes? *whole: all of it is there.
static bool begins_here(const char *text, size_t size_bytes, const char *stop, bool *whole) {
    size_t stop_bytes = strlen(stop);
    *whole = size_bytes >= stop_bytes;
    return memcmp(text, stop, *whole ? stop_bytes : size_bytes) == 0;
}

size_t stop_filter_ready(const struct stop_filter *filter, bool last, bool *stopped) {
    const struct buffer *waiting = &filter->waiting;
    size_t ready = waiting->size_bytes;
    *stopped = false;
    for (size_t at = 0; at < waiting->size_bytes; at++) {
        for (size_t i = 0; i < filter->n_stops; i++) {
            bool whole;
            if (!begins_here(waiting->data + at, waiting->size_bytes - at, filter->stops[i],
                             &whole))
                continue;
            if (whole) {
                // A beginning further left may still be waiting for its end, but this one is here.
                *stopped = true;
                return at;
            }
            if (!last && at < ready) ready = at;
        }
    }
    return ready;
}

void stop_filter_drop(struct stop_filter *filter, size_t n_bytes) {
    struct buffer *waiting = &filter->waiting;
    if (n_bytes == 0) return;
    memmove(waiting->data, waiting->data + n_bytes, waiting->size_bytes - n_bytes);
    waiting->size_bytes -= n_bytes;
    waiting->data[waiting->size_bytes] = '\0';
}
