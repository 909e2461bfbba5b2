// SPDX-License-Identifier: Apache-2.0
// One line a request: when, which route, what came of it, how long. Never text, never a path or a
// query as the client sent it: the route's pattern only.
#ifndef XL_SERVER_ACCESS_LOG_H
#define XL_SERVER_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct access_log;
struct exchange;

// "-": standard error. NULL with a message if the file cannot be opened for appending.
struct access_log *access_log_open(const char *path, char *message, size_t message_bytes);
void access_log_close(struct access_log *log);
void access_log_write(struct access_log *log, const struct exchange *exchange, bool is_cut);

// UTC, "2026-01-31T12:34:56.789Z".
enum { LOG_TIME_BYTES = 32 };
void log_time_write(char text[LOG_TIME_BYTES]);

#endif
