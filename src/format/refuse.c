// SPDX-License-Identifier: Apache-2.0
#include "format/refuse.h"

#include <stdarg.h>
#include <stdio.h>

enum status refuse_at(struct error *err, enum status status, const char *label,
                      uint64_t offset_bytes, const char *format, ...) {
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(err, status, "%s: at byte %llu: %s", label, (unsigned long long)offset_bytes,
                     text);
}
