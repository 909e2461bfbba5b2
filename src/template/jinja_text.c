// SPDX-License-Identifier: Apache-2.0
// Texts are valid UTF-8 throughout: sources and contexts are checked on the way in, and every
// operation here cuts between code points.
#define _GNU_SOURCE // memmem, whose time is linear whatever the texts are
#include "template/jinja_text.h"

#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

bool code_is_space(uint32_t code) {
    if (code < 0x80) return (code >= 9 && code <= 13) || (code >= 28 && code <= 32);
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool code_is_line_end(uint32_t code) {
    return (code >= 10 && code <= 13) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

static utf8proc_category_t category_of(uint32_t code) {
    return utf8proc_category((utf8proc_int32_t)code);
}

bool code_is_alpha(uint32_t code) {
    utf8proc_category_t category = category_of(code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool code_is_digit(uint32_t code) {
    return category_of(code) == UTF8PROC_CATEGORY_ND;
}

bool code_is_identifier(uint32_t code) {
    if (code < 0x80)
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
               (code >= 'A' && code <= 'Z') || code == '_';
    utf8proc_category_t category = category_of(code);
    return code_is_alpha(code) || category == UTF8PROC_CATEGORY_ND ||
           category == UTF8PROC_CATEGORY_NL;
}

uint32_t code_upper(uint32_t code) {
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
}
uint32_t code_lower(uint32_t code) {
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

bool code_is_upper(uint32_t code) {
    return category_of(code) == UTF8PROC_CATEGORY_LU;
}
bool code_is_lower(uint32_t code) {
    return category_of(code) == UTF8PROC_CATEGORY_LL || code == 0xaa || code == 0xba;
}
bool code_is_cased(uint32_t code) {
    return code_is_upper(code) || code_is_lower(code) || category_of(code) == UTF8PROC_CATEGORY_LT;
}

bool code_is_printable(uint32_t code) {
    if (code == ' ') return true;
    switch (category_of(code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

uint32_t utf8_last(const char *data, size_t end, size_t *start) {
    size_t at = end - 1;
    while (at > 0 && ((unsigned char)data[at] & 0xc0) == 0x80)
        at--;
    uint32_t code;
    utf8_decode(data + at, end - at, &code);
    *start = at;
    return code;
}

bool text_equal(const struct text *a, const struct text *b) {
    return a->size_bytes == b->size_bytes &&
           (a->data == b->data || memcmp(a->data, b->data, a->size_bytes) == 0);
}

bool text_equals(const struct text *text, const char *literal) {
    size_t size_bytes = strlen(literal);
    return text->size_bytes == size_bytes && memcmp(text->data, literal, size_bytes) == 0;
}

// UTF-8 sorts as its code points do.
int text_compare(const struct text *a, const struct text *b) {
    size_t n = a->size_bytes < b->size_bytes ? a->size_bytes : b->size_bytes;
    int order = n ? memcmp(a->data, b->data, n) : 0;
    if (order) return order;
    return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

size_t text_chars(struct text *text) {
    if (text->n_chars == TEXT_CHARS_UNKNOWN) {
        size_t n = 0;
        for (size_t i = 0; i < text->size_bytes; i++)
            n += ((unsigned char)text->data[i] & 0xc0) != 0x80;
        text->n_chars = n;
    }
    return text->n_chars;
}

size_t text_offset(struct text *text, size_t index) {
    if (text_chars(text) == text->size_bytes) return index;
    size_t offset = 0;
    while (index > 0 && offset < text->size_bytes) {
        offset++;
        while (offset < text->size_bytes && ((unsigned char)text->data[offset] & 0xc0) == 0x80)
            offset++;
        index--;
    }
    return offset;
}

struct text *text_wrap(struct arena *arena, const char *data, size_t size_bytes) {
    struct text *text = arena_alloc(arena, sizeof *text);
    if (!text) return NULL;
    *text = (struct text){.data = data, .size_bytes = size_bytes, .n_chars = TEXT_CHARS_UNKNOWN};
    return text;
}

struct text *text_create(struct arena *arena, const char *data, size_t size_bytes) {
    char *copy = arena_alloc(arena, size_bytes + 1);
    if (!copy) return NULL;
    if (size_bytes) memcpy(copy, data, size_bytes);
    return text_wrap(arena, copy, size_bytes);
}

static struct text_storage *storage_create(struct arena *arena, const struct text *left,
                                           size_t needed_bytes) {
    struct text_storage *storage = arena_alloc(arena, sizeof *storage);
    if (!storage) return NULL;
    storage->capacity_bytes = needed_bytes + needed_bytes / 2 + 16;
    storage->data = arena_alloc(arena, storage->capacity_bytes);
    if (!storage->data) return NULL;
    if (left->size_bytes) memcpy(storage->data, left->data, left->size_bytes);
    storage->used_bytes = left->size_bytes;
    return storage;
}

struct text *text_concat(struct arena *arena, const struct text *left, const struct text *right) {
    size_t size_bytes = left->size_bytes + right->size_bytes;
    struct text_storage *storage = left->storage;
    if (!storage || storage->used_bytes != left->size_bytes ||
        storage->capacity_bytes - storage->used_bytes < right->size_bytes)
        storage = storage_create(arena, left, size_bytes);
    if (!storage) return NULL;
    if (right->size_bytes) memcpy(storage->data + left->size_bytes, right->data, right->size_bytes);
    storage->used_bytes = size_bytes;
    struct text *text = text_wrap(arena, storage->data, size_bytes);
    if (!text) return NULL;
    text->storage = storage;
    if (left->n_chars != TEXT_CHARS_UNKNOWN && right->n_chars != TEXT_CHARS_UNKNOWN)
        text->n_chars = left->n_chars + right->n_chars;
    return text;
}

static bool is_stripped(uint32_t code, const struct text *chars) {
    if (!chars) return code_is_space(code);
    for (size_t i = 0; i < chars->size_bytes;) {
        uint32_t one;
        i += utf8_decode(chars->data + i, chars->size_bytes - i, &one);
        if (one == code) return true;
    }
    return false;
}

void text_strip_range(const char *data, size_t *begin, size_t *end, const struct text *chars,
                      int sides) {
    uint32_t code;
    while ((sides & STRIP_LEFT) && *begin < *end) {
        size_t used = utf8_decode(data + *begin, *end - *begin, &code);
        if (!is_stripped(code, chars)) break;
        *begin += used;
    }
    while ((sides & STRIP_RIGHT) && *begin < *end) {
        size_t start;
        code = utf8_last(data, *end, &start);
        if (!is_stripped(code, chars)) break;
        *end = start;
    }
}

size_t text_find(const struct text *text, const struct text *part, size_t from_bytes) {
    if (from_bytes > text->size_bytes) return SIZE_MAX;
    if (part->size_bytes == 0) return from_bytes;
    const char *at = memmem(text->data + from_bytes, text->size_bytes - from_bytes, part->data,
                            part->size_bytes);
    return at ? (size_t)(at - text->data) : SIZE_MAX;
}

size_t text_find_last(const struct text *text, const struct text *part, size_t end_bytes) {
    if (part->size_bytes > end_bytes) return SIZE_MAX;
    for (size_t at = end_bytes - part->size_bytes + 1; at-- > 0;)
        if (memcmp(text->data + at, part->data, part->size_bytes) == 0) return at;
    return SIZE_MAX;
}

void builder_init(struct text_builder *builder, struct arena *arena, size_t max_bytes) {
    *builder = (struct text_builder){.arena = arena, .max_bytes = max_bytes};
}

bool builder_append(struct text_builder *builder, const char *data, size_t size_bytes) {
    if (builder->failed) return false;
    if (size_bytes > builder->max_bytes - builder->size_bytes) return !(builder->failed = true);
    size_t needed = builder->size_bytes + size_bytes;
    if (needed > builder->capacity_bytes) {
        size_t capacity = needed + needed / 2 + 32;
        char *grown = arena_grow(builder->arena, builder->data, builder->size_bytes, capacity);
        if (!grown) return !(builder->failed = true);
        builder->data = grown;
        builder->capacity_bytes = capacity;
    }
    if (size_bytes) memcpy(builder->data + builder->size_bytes, data, size_bytes);
    builder->size_bytes = needed;
    return true;
}

bool builder_append_text(struct text_builder *builder, const struct text *text) {
    return builder_append(builder, text->data, text->size_bytes);
}

bool builder_append_literal(struct text_builder *builder, const char *literal) {
    return builder_append(builder, literal, strlen(literal));
}

bool builder_append_code(struct text_builder *builder, uint32_t code) {
    char bytes[4];
    return builder_append(builder, bytes, utf8_write(code, bytes));
}

struct text *builder_text(struct text_builder *builder) {
    if (builder->failed) return NULL;
    return text_wrap(builder->arena, builder->data ? builder->data : "", builder->size_bytes);
}
