// SPDX-License-Identifier: Apache-2.0
// Text that grows at its end. Want of memory is remembered and asked for once, at the end.
#ifndef XL_CLINIC_TEXT_GATHER_H
#define XL_CLINIC_TEXT_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_gather { // all zero: empty
    char *text;      // ends with NUL once something was added; free() by text_gather_deinit
    size_t bytes, capacity;
    bool has_no_memory;
};

void text_gather_add(struct text_gather *gather, const char *text, size_t bytes);
void text_gather_character(struct text_gather *gather, uint32_t character);
void text_gather_deinit(struct text_gather *gather);

#endif
