// SPDX-License-Identifier: Apache-2.0
// Status names and one-line error messages.
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *status_name(enum status status) {
    static const char *const names[STATUS_COUNT] = {
        [STATUS_OK] = "ok",
        [STATUS_FAILED] = "failed",
        [STATUS_USAGE] = "usage",
        [STATUS_BAD_INPUT] = "bad input",
        [STATUS_UNSUPPORTED] = "unsupported",
        [STATUS_NOT_FOUND] = "not found",
        [STATUS_NO_MEMORY] = "out of memory",
        [STATUS_NO_SPACE] = "no space left",
        [STATUS_CONTEXT_FULL] = "context full",
        [STATUS_CANCELLED] = "cancelled",
        [STATUS_VERIFY] = "verification failed",
    };
    return (unsigned)status < STATUS_COUNT ? names[status] : "unknown status";
}

// A message may quote names from a hostile file: keep it one printable line and valid at its end.
static void clean(char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f) text[i] = '?';
    }
    if (length == ERROR_MESSAGE_MAX - 1) {
        // Truncated: do not end in the middle of a UTF-8 sequence.
        size_t end = length;
        while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
            end--;
        if (end > 0 && (unsigned char)text[end - 1] >= 0xc0) text[end - 1] = '\0';
    }
}

enum status error_set(struct error *err, enum status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        clean(err->message);
    }
    return status;
}

enum status error_prefix(struct error *err, const char *format, ...) {
    if (!err) return STATUS_FAILED;
    char prefix[ERROR_MESSAGE_MAX], joined[2 * ERROR_MESSAGE_MAX + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "%s: %s", prefix, err->message);
    return error_set(err, err->status, "%s", joined);
}

enum status error_no_memory(struct error *err, const char *what, unsigned long long size_bytes) {
    return error_set(err, STATUS_NO_MEMORY, "cannot allocate %llu bytes for %s", size_bytes, what);
}
