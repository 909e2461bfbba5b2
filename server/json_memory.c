// SPDX-License-Identifier: Apache-2.0
#include "server/json_memory.h"

#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool is_lost;

static void *allocate(size_t n_bytes) {
    void *memory = malloc(n_bytes);
    if (!memory) is_lost = true;
    return memory;
}

void json_memory_watch(void) {
    json_set_alloc_funcs(allocate, free);
}

void json_memory_begin(void) {
    is_lost = false;
}

bool json_memory_is_lost(void) {
    return is_lost;
}
