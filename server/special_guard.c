// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // memmem
#include "server/special_guard.h"

#include "server/random_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARK_BYTES = 33, SPELLING_BYTES_MIN = 2 };

struct spelling {
    char *text;
    size_t size;
};

struct special_guard {
    char mark[MARK_BYTES]; // letters only, so that no template and no JSON changes it
    size_t mark_bytes;
    struct spelling *spellings; // of control tokens, sorted: some models have thousands
    size_t n_spellings;
    bool begins[256]; // a spelling begins with this byte
};

static void add_spelling(struct special_guard *guard, const xl_engine *engine, const json_t *id) {
    char *text;
    size_t size;
    if (xl_token_text(engine, (int32_t)json_integer_value(id), &text, &size, NULL) != XL_OK) return;
    if (size < SPELLING_BYTES_MIN) {
        xl_free(text);
        return;
    }
    guard->spellings[guard->n_spellings++] = (struct spelling){text, size};
    guard->begins[(unsigned char)text[0]] = true;
}

static int compare(const void *a, const void *b) {
    const struct spelling *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

struct special_guard *special_guard_create(const xl_engine *engine, const json_t *tokenizer) {
    const json_t *control = json_object_get(tokenizer, "control");
    size_t n = json_array_size(control);
    struct special_guard *guard = calloc(1, sizeof *guard);
    if (guard) guard->spellings = calloc(n ? n : 1, sizeof *guard->spellings);
    if (!guard || !guard->spellings) {
        free(guard);
        return NULL;
    }
    random_id_write(guard->mark, sizeof guard->mark, "Q");
    guard->mark_bytes = strlen(guard->mark);
    for (size_t i = 0; i < n; i++)
        add_spelling(guard, engine, json_array_get(control, i));
    if (guard->n_spellings)
        qsort(guard->spellings, guard->n_spellings, sizeof *guard->spellings, compare);
    return guard;
}

void special_guard_destroy(struct special_guard *guard) {
    if (!guard) return;
    for (size_t i = 0; i < guard->n_spellings; i++)
        xl_free(guard->spellings[i].text);
    free(guard->spellings);
    free(guard);
}

// The first of the spellings low .. high - 1 whose byte at `depth` is not below `byte`.
static size_t first_from(const struct special_guard *guard, size_t low, size_t high, size_t depth,
                         int byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)guard->spellings[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Does the text begin with a spelling? Narrows them byte by byte; a shorter one comes first.
static bool is_special(const struct special_guard *guard, const char *text, size_t size) {
    size_t low = 0, high = guard->n_spellings;
    if (!guard->begins[(unsigned char)text[0]]) return false;
    for (size_t depth = 0; depth < size; depth++) {
        int byte = (unsigned char)text[depth];
        low = first_from(guard, low, high, depth, byte);
        high = first_from(guard, low, high, depth, byte + 1);
        if (low == high) return false;
        if (guard->spellings[low].size == depth + 1) return true;
    }
    return false;
}

json_t *special_guard_mark(const struct special_guard *guard, const json_t *value) {
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), from = 0;
    struct json_writer marked = {0};
    for (size_t i = 0; i < size; i++) {
        if (!is_special(guard, text + i, size - i)) continue;
        put_raw(&marked, text + from, i + 1 - from);
        put_raw(&marked, guard->mark, guard->mark_bytes);
        from = i + 1;
    }
    if (from == 0 && !marked.failed) return json_incref((json_t *)value);
    put_raw(&marked, text + from, size - from);
    json_t *result = marked.failed ? NULL : json_stringn(marked.data, marked.size);
    writer_free(&marked);
    return result;
}

// The member under its marked name; two names cannot become one, since marks only add.
static bool mark_member(const struct special_guard *guard, json_t *to, const char *name,
                        const json_t *value) {
    json_t *plain = json_string(name), *marked = plain ? special_guard_mark(guard, plain) : NULL;
    const char *key = json_string_value(marked);
    bool is_set = key && json_object_set_new(to, key, special_guard_mark_all(guard, value)) == 0;
    json_decref(plain);
    json_decref(marked);
    return is_set;
}

json_t *special_guard_mark_all(const struct special_guard *guard, const json_t *value) {
    const char *name;
    json_t *each;
    size_t i;
    bool is_whole = true;
    if (json_is_string(value)) return special_guard_mark(guard, value);
    if (!json_is_array(value) && !json_is_object(value)) return json_incref((json_t *)value);
    json_t *all = json_is_array(value) ? json_array() : json_object();
    json_array_foreach((json_t *)value, i, each) {
        is_whole = is_whole && json_array_append_new(all, special_guard_mark_all(guard, each)) == 0;
    }
    json_object_foreach((json_t *)value, name, each) {
        is_whole = is_whole && mark_member(guard, all, name, each);
    }
    if (is_whole) return all;
    json_decref(all);
    return NULL;
}

// The piece up to the next mark or the end; *next is where the one after it begins.
static size_t cut(const struct special_guard *guard, const char *text, size_t size, size_t *next) {
    const char *mark = size ? memmem(text, size, guard->mark, guard->mark_bytes) : NULL;
    size_t length = mark ? (size_t)(mark - text) : size;
    *next = mark ? length + guard->mark_bytes : size;
    return length;
}

void special_guard_unmark(const struct special_guard *guard, const char *text, size_t text_bytes,
                          struct json_writer *writer) {
    for (size_t at = 0, next; at < text_bytes; at += next) {
        size_t length = cut(guard, text + at, text_bytes - at, &next);
        put_raw(writer, text + at, length);
    }
}

xl_status special_guard_tokenize(const struct special_guard *guard, const xl_engine *engine,
                                 const char *text, size_t text_bytes, int32_t **tokens,
                                 size_t *n_tokens, xl_error *error) {
    size_t next, length = cut(guard, text, text_bytes, &next);
    xl_status status = xl_tokenize(engine, text, length, false, true, tokens, n_tokens, error);
    for (size_t at = next; status == XL_OK && at < text_bytes; at += next) {
        int32_t *more;
        size_t n_more;
        length = cut(guard, text + at, text_bytes - at, &next);
        status = xl_tokenize(engine, text + at, length, false, true, &more, &n_more, error);
        if (status != XL_OK) break;
        int32_t *grown = realloc(*tokens, (*n_tokens + n_more + 1) * sizeof *grown);
        if (grown) {
            memcpy(grown + *n_tokens, more, n_more * sizeof *more);
            *tokens = grown;
            *n_tokens += n_more;
        } else {
            snprintf(error->message, sizeof error->message,
                     "out of memory for the prompt's tokens");
            status = error->status = XL_NO_MEMORY;
        }
        xl_free(more);
    }
    if (status != XL_OK) {
        xl_free(*tokens);
        *tokens = NULL;
    }
    return status;
}
