// SPDX-License-Identifier: Apache-2.0
// Whether jansson was out of memory while this thread worked on a request. Its parser does not say:
// it drops the byte that it could not keep and goes on, so a prompt or a schema would lose a
// letter. Every result of jansson for a request is believed only after this was asked.
#ifndef XINGLIN_SERVER_JSON_MEMORY_H
#define XINGLIN_SERVER_JSON_MEMORY_H

#include <stdbool.h>

void json_memory_watch(void); // once, for the whole process
void json_memory_begin(void); // this thread begins with a request
bool json_memory_is_lost(void);

#endif
