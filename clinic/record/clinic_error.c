// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/clinic_error.h"

#include <stdarg.h>
#include <stdio.h>

bool clinic_fail(struct clinic_error *error, enum clinic_failure failure, const char *format, ...) {
    if (!error) return false;
    va_list arguments;
    va_start(arguments, format);
    error->failure = failure;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

bool clinic_fail_memory(struct clinic_error *error) {
    return clinic_fail(error, CLINIC_NO_MEMORY, "out of memory");
}
