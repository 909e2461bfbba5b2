// SPDX-License-Identifier: Apache-2.0
// The public face of errors: xl_status repeats enum status, and this file checks that it does.
#include "engine/engine.h"

#include "model/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME(public_name, internal_name)                                                           \
    _Static_assert((int)(public_name) == (int)(internal_name), #public_name)
SAME(XL_OK, STATUS_OK);
SAME(XL_FAILED, STATUS_FAILED);
SAME(XL_USAGE, STATUS_USAGE);
SAME(XL_BAD_INPUT, STATUS_BAD_INPUT);
SAME(XL_UNSUPPORTED, STATUS_UNSUPPORTED);
SAME(XL_NOT_FOUND, STATUS_NOT_FOUND);
SAME(XL_NO_MEMORY, STATUS_NO_MEMORY);
SAME(XL_NO_SPACE, STATUS_NO_SPACE);
SAME(XL_CONTEXT_FULL, STATUS_CONTEXT_FULL);
SAME(XL_CANCELLED, STATUS_CANCELLED);
SAME(XL_VERIFY, STATUS_VERIFY);
_Static_assert((int)XL_VERIFY + 1 == (int)STATUS_COUNT, "a status has no public name");
_Static_assert(sizeof(((xl_error *)0)->message) == ERROR_MESSAGE_MAX, "messages fit");

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *xl_version(void) {
    return VERSION_TEXT(XL_VERSION_MAJOR, XL_VERSION_MINOR, XL_VERSION_PATCH);
}

const char *xl_status_name(xl_status status) {
    return status_name((enum status)status);
}

int xl_status_exit_code(xl_status status) {
    switch (status) {
    case XL_OK:
        return 0;
    case XL_USAGE:
        return 2;
    case XL_BAD_INPUT:
    case XL_UNSUPPORTED:
    case XL_NOT_FOUND:
        return 3;
    case XL_NO_MEMORY:
    case XL_NO_SPACE:
        return 4;
    case XL_VERIFY:
        return 5;
    default:
        return 1;
    }
}

const char *const *xl_families(void) {
    return family_name_list();
}

void xl_free(void *memory) {
    free(memory);
}

xl_status engine_report(xl_error *error, enum status status, const struct error *err) {
    if (!error) return (xl_status)status;
    error->status = (xl_status)status;
    if (status == STATUS_OK)
        error->message[0] = '\0';
    else if (err && err->status == status)
        memcpy(error->message, err->message, sizeof error->message);
    else // a function failed without saying why
        snprintf(error->message, sizeof error->message, "%s", status_name(status));
    return (xl_status)status;
}
