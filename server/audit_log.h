// SPDX-License-Identifier: Apache-2.0
// Who asked which model when, for how much, with which result: a JSON line when the model begins
// with a request, one when a request ends, and one for a refused key, appended and never changed.
// The prompt appears as a digest only, keyed if there is a key, because short texts can be guessed.
// Each line carries the digest of the one before it, so that a line that was changed or taken away
// shows. If a line cannot be written, the server takes no more work until one can: what is not on
// record does not happen.
#ifndef XL_SERVER_AUDIT_LOG_H
#define XL_SERVER_AUDIT_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct audit_log;
struct exchange;

// key_path NULL: digests without a key. NULL with a message on failure.
struct audit_log *audit_log_open(const char *path, const char *key_path, char *message,
                                 size_t message_bytes);
void audit_log_close(struct audit_log *log);
// Before the model works, so that a killed server leaves a trace of what ran. Any thread; false
// with the exchange's error if the line cannot be written. True without a log.
bool audit_log_begin(struct exchange *exchange);
void audit_log_end(struct audit_log *log, const struct exchange *exchange, bool is_cut);
// A refused key. Only so many a minute have a line of their own; the next one counts the others.
void audit_log_refuse(struct audit_log *log, const struct exchange *exchange);
// False: the last line could not be written.
bool audit_log_is_well(struct audit_log *log);
// From any thread; `hex` has room for 65 bytes.
void audit_log_digest(const struct audit_log *log, const void *bytes, size_t n_bytes, char *hex);

#endif
