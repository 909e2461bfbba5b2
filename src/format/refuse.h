// SPDX-License-Identifier: Apache-2.0
// The one shape of a reader's refusal: "FILE: at byte N: what is wrong with which field".
#ifndef XL_FORMAT_REFUSE_H
#define XL_FORMAT_REFUSE_H

#include "base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How much of a name from a file an error message quotes: printf("%.*s", refuse_quote(size), name).
enum { REFUSE_QUOTE_MAX = 96 };

static inline int refuse_quote(uint64_t size_bytes) {
    return size_bytes < REFUSE_QUOTE_MAX ? (int)size_bytes : REFUSE_QUOTE_MAX;
}

// Returns `status`. `label` names the file.
enum status refuse_at(struct error *err, enum status status, const char *label,
                      uint64_t offset_bytes, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#ifdef __cplusplus
}
#endif
#endif
