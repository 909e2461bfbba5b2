// SPDX-License-Identifier: Apache-2.0
// How functions fail. A status says which kind of failure (and so the program's exit status);
// a struct error adds one line for a person: what happened, where, and what to do.
#ifndef XL_BASE_STATUS_H
#define XL_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// The order is public: xinglin.h repeats it and the engine checks that both agree.
enum status {
    STATUS_OK = 0,
    STATUS_FAILED,       // went wrong while running (I/O error, internal limit)
    STATUS_USAGE,        // the caller asked for something that makes no sense
    STATUS_BAD_INPUT,    // a file or text from outside is damaged, hostile or not what it claims
    STATUS_UNSUPPORTED,  // well-formed, but of a kind we do not handle
    STATUS_NOT_FOUND,    // no such file, tensor or name
    STATUS_NO_MEMORY,    // allocation failed or a memory budget would be exceeded
    STATUS_NO_SPACE,     // the disk is full
    STATUS_CONTEXT_FULL, // more tokens than the context holds
    STATUS_CANCELLED,    // the caller's callback asked to stop
    STATUS_VERIFY,       // a check of results failed
    STATUS_COUNT
};

#define ERROR_MESSAGE_MAX 512

// Filled by the function that understands the failure; callers add context or hand it on.
struct error {
    enum status status;
    char message[ERROR_MESSAGE_MAX]; // one line of UTF-8, always terminated, truncated if long
};

// Fixed English name of a status, e.g. "bad input".
const char *status_name(enum status status);

// Writes the message (printf style) and returns `status`, so `return error_set(...)` reads well.
// `err` may be NULL. Control characters in the result are replaced by '?'.
enum status error_set(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "prefix: " before the message already there (to add a file name, say). Returns its status.
enum status error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Out of memory while allocating size_bytes for `what`.
enum status error_no_memory(struct error *err, const char *what, unsigned long long size_bytes);

#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum status try_status_ = (expression);                                                    \
        if (try_status_ != STATUS_OK) return try_status_;                                          \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
