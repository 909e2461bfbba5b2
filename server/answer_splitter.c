// SPDX-License-Identifier: Apache-2.0
#include "server/answer_splitter.h"

#include "server/json_dump.h"
#include "server/json_memory.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char think_begin[] = "<think>", think_end[] = "</think>";
static const char call_begin[] = "<tool_call>", call_end[] = "</tool_call>";

static void drop(struct answer_splitter *s, size_t n_bytes) {
    s->pending.size -= n_bytes;
    memmove(s->pending.data, s->pending.data + n_bytes, s->pending.size);
}

static void give(struct answer_splitter *s, enum answer_part part, size_t n_bytes) {
    if (n_bytes == 0) return;
    s->on_part(s->user, part, s->pending.data, n_bytes, NULL);
    drop(s, n_bytes);
}

// Where the mark is in what is pending, or (size_t)-1. *certain: bytes in front of the mark, or of
// what may become one.
static size_t find(const struct answer_splitter *s, const char *mark, size_t *certain) {
    size_t length = strlen(mark), size = s->pending.size;
    const char *data = s->pending.data;
    for (size_t i = 0; i < size; i++) {
        size_t n = size - i < length ? size - i : length;
        if (data[i] != mark[0] || memcmp(data + i, mark, n) != 0) continue;
        *certain = i;
        return n == length ? i : (size_t)-1;
    }
    *certain = size;
    return (size_t)-1;
}

static void skip_space(struct answer_splitter *s) {
    size_t n = 0;
    while (n < s->pending.size && isspace((unsigned char)s->pending.data[n]))
        n++;
    drop(s, n);
    if (s->pending.size > 0) s->skips_space = false;
}

static bool step_thinking(struct answer_splitter *s) {
    size_t certain, at = find(s, think_end, &certain);
    give(s, PART_REASONING, certain);
    if (at == (size_t)-1) return false;
    drop(s, strlen(think_end));
    s->is_thinking = s->thinks = false;
    s->skips_space = true;
    return true;
}

// The call's JSON, complete or cut off. What is no call is given as what the model said.
static void give_call(struct answer_splitter *s, size_t n_bytes) {
    json_memory_begin();
    json_t *call = json_loadb(s->pending.data ? s->pending.data : "", n_bytes, 0, NULL);
    const char *name = json_string_value(json_object_get(call, "name"));
    json_t *arguments = json_object_get(call, "arguments");
    char *text = name && arguments ? json_dump(arguments) : NULL;
    if (text && !json_memory_is_lost()) {
        s->n_calls++;
        s->on_part(s->user, PART_TOOL_CALL, text, strlen(text), name);
        drop(s, n_bytes);
    } else {
        s->on_part(s->user, PART_CONTENT, call_begin, strlen(call_begin), NULL);
        give(s, PART_CONTENT, n_bytes);
    }
    free(text);
    json_decref(call);
}

static bool step_calling(struct answer_splitter *s) {
    size_t certain, at = find(s, call_end, &certain);
    if (at == (size_t)-1) return false;
    give_call(s, at);
    drop(s, strlen(call_end));
    s->is_calling = false;
    s->skips_space = true;
    return true;
}

// At the very beginning <think> may come, behind white space.
static bool step_beginning(struct answer_splitter *s) {
    size_t space = 0, length = strlen(think_begin);
    while (space < s->pending.size && isspace((unsigned char)s->pending.data[space]))
        space++;
    size_t rest = s->pending.size - space, n = rest < length ? rest : length;
    if (memcmp(s->pending.data + space, think_begin, n) != 0) {
        s->has_begun = true;
        return true;
    }
    if (n < length) return false;
    drop(s, space + length);
    s->has_begun = s->is_thinking = s->skips_space = true;
    return true;
}

static bool step_content(struct answer_splitter *s) {
    size_t certain = s->pending.size, at = (size_t)-1;
    if (s->thinks && !s->has_begun && s->pending.size > 0) return step_beginning(s);
    if (s->calls_tools) at = find(s, call_begin, &certain);
    give(s, PART_CONTENT, certain);
    if (at == (size_t)-1) return false;
    drop(s, strlen(call_begin));
    s->is_calling = true;
    return true;
}

void answer_splitter_add(struct answer_splitter *s, const char *text, size_t text_bytes) {
    put_raw(&s->pending, text, text_bytes);
    for (bool again = s->pending.size > 0; again && s->pending.size > 0;) {
        if (s->skips_space) skip_space(s);
        if (s->pending.size == 0) return;
        again = s->is_thinking  ? step_thinking(s)
                : s->is_calling ? step_calling(s)
                                : step_content(s);
    }
}

void answer_splitter_end(struct answer_splitter *s) {
    if (s->pending.failed) return;
    if (s->is_calling)
        give_call(s, s->pending.size);
    else
        give(s, s->is_thinking ? PART_REASONING : PART_CONTENT, s->pending.size);
}

void answer_splitter_free(struct answer_splitter *splitter) {
    writer_free(&splitter->pending);
}
