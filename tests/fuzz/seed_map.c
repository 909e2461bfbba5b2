// SPDX-License-Identifier: Apache-2.0
// See seed_map.h: GGUF, JSON, safetensors and pickles. Zip archives: seed_zip.c.
#include "seed_map.h"

#include <string.h>

struct walk {
    struct document *document;
    size_t at, end;
};

static uint64_t peek(const struct walk *walk, uint32_t width) {
    uint64_t number = 0;
    if (walk->at + width <= walk->end) memcpy(&number, walk->document->bytes + walk->at, width);
    return number;
}

static uint64_t take(struct walk *walk, uint32_t width) {
    uint64_t number = peek(walk, width);
    document_note_field(walk->document, walk->at, width);
    walk->at += width;
    return number;
}

static void take_string(struct walk *walk) {
    uint64_t size = take(walk, 8);
    document_note_span(walk->document, walk->at, walk->at + size, SPAN_NAME);
    walk->at += size;
}

static void take_value(struct walk *walk, uint64_t type) {
    static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8) {
        take_string(walk);
    } else if (type == 9) {
        uint64_t item = take(walk, 4), n = take(walk, 8);
        for (uint64_t i = 0; i < n; i++)
            take_value(walk, item);
    } else {
        take(walk, widths[type]);
    }
}

void seed_map_gguf(struct document *document) {
    struct walk walk = {document, 0, document->size};
    take(&walk, 4);
    take(&walk, 4);
    uint64_t n_tensors = take(&walk, 8), n_values = take(&walk, 8);
    for (uint64_t i = 0; i < n_values; i++) {
        size_t begin = walk.at;
        take_string(&walk);
        take_value(&walk, take(&walk, 4));
        document_note_span(document, begin, walk.at, SPAN_RECORD);
    }
    for (uint64_t i = 0; i < n_tensors; i++) {
        size_t begin = walk.at;
        take_string(&walk);
        uint64_t n_dims = take(&walk, 4);
        for (uint64_t d = 0; d < n_dims; d++)
            take(&walk, 8);
        take(&walk, 4);
        take(&walk, 8);
        document_note_span(document, begin, walk.at, SPAN_RECORD);
    }
}

// Tokens, and for every bracket the whole value up to its partner.
void seed_map_json(struct document *document, size_t begin, size_t end) {
    size_t open[64], depth = 0;
    for (size_t i = begin; i < end; i++) {
        uint8_t c = document->bytes[i];
        size_t token = i;
        enum span_kind kind = SPAN_SIGN;
        if (c == '"') {
            kind = SPAN_TEXT;
            for (i++; i < end && document->bytes[i] != '"'; i++)
                if (document->bytes[i] == '\\') i++;
        } else if (c == '{' || c == '[') {
            if (depth < 64) open[depth++] = i;
        } else if (c == '}' || c == ']') {
            if (depth > 0) document_note_span(document, open[--depth], i + 1, SPAN_VALUE);
        } else if (c >= '0' && c <= '9') {
            kind = SPAN_DECIMAL;
            while (i + 1 < end && document->bytes[i + 1] >= '0' && document->bytes[i + 1] <= '9')
                i++;
        }
        document_note_span(document, token, i + 1, kind);
    }
}

void seed_map_safetensors(struct document *document) {
    struct walk walk = {document, 0, document->size};
    uint64_t header_bytes = take(&walk, 8);
    seed_map_json(document, 8, 8 + header_bytes);
}

// Bytes of an opcode's fixed argument; 1, 4 or 8 with text behind for the counted ones.
static uint32_t argument_width(uint8_t code, bool *counted) {
    *counted = strchr("UXBCT\x8c\x8d\x8e\x8a\x8b", code) != NULL;
    if (strchr("KhqUC\x80\x8a\x8c", code)) return 1;
    if (code == 'M') return 2;
    if (strchr("JXBTjr\x8b", code)) return 4;
    if (strchr("G\x8d\x8e\x95", code)) return 8;
    return 0;
}

size_t seed_map_pickle(struct document *document, size_t begin, size_t end) {
    struct walk walk = {document, begin, end};
    while (walk.at < end) {
        size_t at = walk.at;
        bool counted = false;
        uint8_t code = document->bytes[walk.at];
        take(&walk, 1);
        uint32_t width = code ? argument_width(code, &counted) : 0;
        uint64_t argument = width ? take(&walk, width) : 0;
        if (counted) walk.at += argument;
        for (int lines = 0; code == 'c' && lines < 2 && walk.at < end;)
            lines += document->bytes[walk.at++] == '\n';
        bool pushes = width > 0 || strchr("N)]}\x88\x89", code ? code : 'x');
        document_note_span(document, at, walk.at, pushes ? SPAN_OPCODE : SPAN_ACTION);
        if (code == '.') break;
    }
    return walk.at;
}

void seed_map_torch_legacy(struct document *document) {
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        size_t begin = at;
        at = seed_map_pickle(document, at, document->size);
        document_note_span(document, begin, at, SPAN_WHOLE);
    }
    document_note_field(document, at, 8); // elements of the first storage
}
