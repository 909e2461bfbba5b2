// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/text_gather.h"

#include "clinic/record/utf8_text.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct text_gather *gather, size_t bytes) {
    if (gather->has_no_memory) return false;
    if (gather->capacity - gather->bytes > bytes) return true; // one more for NUL
    if (bytes > SIZE_MAX / 4 - gather->bytes) {
        gather->has_no_memory = true;
        return false;
    }
    size_t capacity = (gather->bytes + bytes) * 2 + 256;
    char *text = realloc(gather->text, capacity);
    if (!text) {
        gather->has_no_memory = true;
        return false;
    }
    gather->text = text;
    gather->capacity = capacity;
    return true;
}

void text_gather_add(struct text_gather *gather, const char *text, size_t bytes) {
    if (!make_room(gather, bytes)) return;
    if (bytes > 0) memcpy(gather->text + gather->bytes, text, bytes);
    gather->bytes += bytes;
    gather->text[gather->bytes] = '\0';
}

void text_gather_character(struct text_gather *gather, uint32_t character) {
    char out[4];
    text_gather_add(gather, out, utf8_text_write(character, out));
}

void text_gather_deinit(struct text_gather *gather) {
    free(gather->text);
    *gather = (struct text_gather){0};
}
