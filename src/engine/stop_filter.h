// SPDX-License-Identifier: Apache-2.0
// Stop strings in a stream: text that could be the beginning of one waits until it is clear. Knows
// bytes only; whoever pushes whole characters gets whole characters.
#ifndef XL_ENGINE_STOP_FILTER_H
#define XL_ENGINE_STOP_FILTER_H

#include "base/buffer.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stop_filter {
    const char *const *stops; // [n_stops], not owned
    size_t n_stops;
    struct buffer waiting; // text not shown yet
};

// Each stop must be non-empty UTF-8 (STATUS_USAGE).
enum status stop_filter_init(struct stop_filter *filter, const char *const *stops, size_t n_stops,
                             struct error *err);
void stop_filter_deinit(struct stop_filter *filter); // wipes what waits

// Appends text (append to filter->waiting directly, then call): how many bytes at the front of
// `waiting` may be shown now. *stopped: a stop string follows them. `last`: nothing more will come,
// so nothing needs to wait.
size_t stop_filter_ready(const struct stop_filter *filter, bool last, bool *stopped);
// Drops n bytes from the front.
void stop_filter_drop(struct stop_filter *filter, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
