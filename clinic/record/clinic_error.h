// SPDX-License-Identifier: Apache-2.0
// How parts of the clinic fail: a kind for programs, one line for people (what, where, what to do),
// never patient text. Functions that can fail return bool and fill the error on false.
#ifndef XL_CLINIC_CLINIC_ERROR_H
#define XL_CLINIC_CLINIC_ERROR_H

#include <stdbool.h>

enum clinic_failure {
    CLINIC_OK,
    CLINIC_BAD_INPUT, // 400: what came is not what it should be
    CLINIC_DENIED,    // 403: this user may not
    CLINIC_NOT_FOUND, // 404
    CLINIC_CONFLICT,  // 409: it was changed meanwhile
    CLINIC_BLOCKED,   // 409: something unsupported would be filled back
    CLINIC_BUSY,      // 503: later
    CLINIC_NO_MEMORY, // 503
    CLINIC_STORAGE    // 500: disk or database
};

struct clinic_error {
    enum clinic_failure failure;
    char message[256];
};

// Fills the error (which may be NULL) and returns false.
bool clinic_fail(struct clinic_error *error, enum clinic_failure failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool clinic_fail_memory(struct clinic_error *error);

#endif
