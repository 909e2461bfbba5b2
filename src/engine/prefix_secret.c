// SPDX-License-Identifier: Apache-2.0
// The public way to make the key file of a prefix store; what it is for is in cache/.
#include "cache/prefix_cipher.h"
#include "engine/engine.h"

xl_status xl_prefix_key_create(const char *path, xl_error *error) {
    struct error err = {0};
    enum status status = path && *path
                             ? prefix_key_create(path, &err)
                             : error_set(&err, STATUS_USAGE, "a prefix key needs a file name");
    return engine_report(error, status, &err);
}
