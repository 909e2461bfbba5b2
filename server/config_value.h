// SPDX-License-Identifier: Apache-2.0
// Texts to values of options and back to their names, for the parts of config.h.
#ifndef XL_SERVER_CONFIG_VALUE_H
#define XL_SERVER_CONFIG_VALUE_H

#include "server/config.h"

#include <stdarg.h>

// The row of a name with n characters; n_config_options if there is none.
size_t config_row(const char *name, size_t n);
// What was probably meant, among options and (if asked) flags; NULL: nothing is near.
const char *config_nearest(const char *name, size_t n, bool also_flags);
// Gives option `row` the value of `text`, which must live as long as the config (lists are copied).
// A list is added to if it has this origin already. False with a reason in config->message.
bool config_set(struct config *config, size_t row, const char *text, enum config_origin origin);
// Sets the message; false.
bool config_fail(struct config *config, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Reads config->file. False with a message that names file and line.
bool config_read_file(struct config *config);

#endif
