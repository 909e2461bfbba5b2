// SPDX-License-Identifier: Apache-2.0
// See mutation.h. Numbers first, in place; then spans from back to front, so that the map stays
// true for what is still to come.
#include "mutation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool document_init(struct document *document) {
    memset(document, 0, sizeof *document);
    document->bytes = calloc(1, DOCUMENT_BYTES_MAX + 1); // ends with a NUL
    document->fields = calloc(FIELDS_MAX, sizeof *document->fields);
    document->spans = calloc(SPANS_MAX, sizeof *document->spans);
    return document->bytes && document->fields && document->spans;
}

void document_deinit(struct document *document) {
    free(document->bytes);
    free(document->fields);
    free(document->spans);
}

void document_clear(struct document *document) {
    document->size = document->n_fields = document->n_spans = 0;
}

void document_copy(struct document *to, const struct document *from) {
    memcpy(to->bytes, from->bytes, from->size);
    memcpy(to->fields, from->fields, from->n_fields * sizeof *from->fields);
    memcpy(to->spans, from->spans, from->n_spans * sizeof *from->spans);
    to->size = from->size;
    to->n_fields = from->n_fields;
    to->n_spans = from->n_spans;
}

void document_put(struct document *document, const void *bytes, size_t size) {
    if (size > DOCUMENT_BYTES_MAX - document->size) size = DOCUMENT_BYTES_MAX - document->size;
    if (size) memcpy(document->bytes + document->size, bytes, size);
    document->size += size;
}

void document_note_field(struct document *document, size_t offset, uint32_t width) {
    if (document->n_fields < FIELDS_MAX && offset + width <= document->size)
        document->fields[document->n_fields++] = (struct field){(uint32_t)offset, width};
}

void document_put_number(struct document *document, uint64_t number, uint32_t width) {
    size_t offset = document->size;
    document_put(document, &number, width);
    document_note_field(document, offset, width);
}

void document_note_span(struct document *document, size_t begin, size_t end, enum span_kind kind) {
    if (document->n_spans < SPANS_MAX && begin < end && end <= document->size)
        document->spans[document->n_spans++] = (struct span){(uint32_t)begin, (uint32_t)end, kind};
}

uint64_t mutator_random(struct mutator *mutator) { // splitmix64
    uint64_t x = mutator->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t mutator_below(struct mutator *mutator, uint64_t n) {
    return mutator_random(mutator) % n;
}

// Numbers that readers trip over.
static uint64_t awkward_number(struct mutator *mutator, const struct document *document,
                               uint64_t old) {
    static const uint64_t values[] = {
        0,
        1,
        2,
        3,
        7,
        8,
        31,
        32,
        63,
        64,
        127,
        128,
        255,
        256,
        32767,
        65535,
        65536,
        INT32_MAX,
        (uint64_t)INT32_MAX + 1,
        UINT32_MAX,
        (uint64_t)UINT32_MAX + 1,
        (uint64_t)1 << 40,
        (uint64_t)1 << 60,
        (uint64_t)1 << 61,
        (uint64_t)1 << 62,
        INT64_MAX,
        (uint64_t)INT64_MAX + 1,
        UINT64_MAX - 31,
        UINT64_MAX - 7,
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    switch (mutator_below(mutator, 8)) {
    case 0:
    case 1:
        return values[mutator_below(mutator, sizeof values / sizeof *values)];
    case 2:
        return old + 1;
    case 3:
        return old - 1;
    case 4:
        return old ^ (uint64_t)1 << mutator_below(mutator, 64);
    case 5:
        return document->size - mutator_below(mutator, 64);
    case 6:
        return mutator_below(mutator, document->size + 1);
    default:
        return mutator_below(mutator, 48); // a type id, a small count
    }
}

static void damage_field(struct mutator *mutator, struct document *document) {
    if (document->n_fields == 0) return;
    const struct field *field = &document->fields[mutator_below(mutator, document->n_fields)];
    uint64_t number = 0;
    memcpy(&number, document->bytes + field->offset, field->width);
    if (mutator_below(mutator, 3) == 0) { // the value of another field
        const struct field *other = &document->fields[mutator_below(mutator, document->n_fields)];
        memcpy(&number, document->bytes + other->offset, other->width);
    } else {
        number = awkward_number(mutator, document, number);
    }
    memcpy(document->bytes + field->offset, &number, field->width);
}

// Replaces [begin, end) by other bytes, moving what follows.
static void replace(struct document *document, size_t begin, size_t end, const uint8_t *bytes,
                    size_t size) {
    if (document->size - (end - begin) + size > DOCUMENT_BYTES_MAX) return;
    memmove(document->bytes + begin + size, document->bytes + end, document->size - end);
    if (size) memcpy(document->bytes + begin, bytes, size);
    document->size = document->size - (end - begin) + size;
}

// Mostly a span of the same kind, from this document or from the donor.
static const struct span *choose_other(struct mutator *mutator, const struct document *source,
                                       enum span_kind kind) {
    const struct span *other = &source->spans[mutator_below(mutator, source->n_spans)];
    bool any = mutator_below(mutator, 6) == 0;
    for (int i = 0; i < 32 && !any && other->kind != kind; i++)
        other = &source->spans[mutator_below(mutator, source->n_spans)];
    return other;
}

static void damage_decimal(struct mutator *mutator, struct document *document,
                           const struct span *span) {
    char text[32];
    uint64_t old = strtoull((const char *)document->bytes + span->begin, NULL, 10);
    int n = snprintf(text, sizeof text, mutator_below(mutator, 4) ? "%llu" : "-%llu",
                     (unsigned long long)awkward_number(mutator, document, old));
    replace(document, span->begin, span->end, (const uint8_t *)text, (size_t)n);
}

static void damage_span(struct mutator *mutator, struct document *document,
                        const struct span *span) {
    static uint8_t held[DOCUMENT_BYTES_MAX];
    const struct document *source = document;
    if (mutator->donor && mutator->donor->n_spans && mutator_below(mutator, 3) == 0)
        source = mutator->donor;
    const struct span *other = choose_other(mutator, source, span->kind);
    size_t size = 0;
    if (span->kind == SPAN_DECIMAL && mutator_below(mutator, 2)) {
        damage_decimal(mutator, document, span);
        return;
    }
    if (other->end <= source->size) {
        size = other->end - other->begin;
        memcpy(held, source->bytes + other->begin, size);
    }
    switch (mutator_below(mutator, 6)) {
    case 0: // gone
        replace(document, span->begin, span->end, NULL, 0);
        break;
    case 1: // twice
        size = span->end - span->begin;
        memcpy(held, document->bytes + span->begin, size);
        replace(document, span->begin, span->begin, held, size);
        break;
    case 2: // another before it
        replace(document, span->begin, span->begin, held, size);
        break;
    case 3: // another in its place
    case 4:
        replace(document, span->begin, span->end, held, size);
        break;
    default: // noise in it
        for (size_t i = span->begin; i < span->end; i++)
            if (mutator_below(mutator, 4) == 0)
                document->bytes[i] = (uint8_t)mutator_random(mutator);
    }
}

static void damage_whole(struct mutator *mutator, struct document *document) {
    size_t at = mutator_below(mutator, document->size + 1);
    switch (mutator_below(mutator, 4)) {
    case 0:
        document->size = at;
        break;
    case 1: // at a boundary
        if (document->n_spans) at = document->spans[mutator_below(mutator, document->n_spans)].end;
        if (at < document->size) document->size = at;
        break;
    case 2:
        replace(document, at, at, (const uint8_t *)"\0\0\0\0\0\0\0\0", 1 + at % 8);
        break;
    default:
        if (at < document->size) document->bytes[at] ^= (uint8_t)(1 << (at % 8));
    }
}

void mutator_damage(struct mutator *mutator, struct document *document) {
    uint64_t n_fields = mutator_below(mutator, 3), n_spans = mutator_below(mutator, 3);
    if (mutator_below(mutator, 2)) { // half of the time one mutation only: it gets furthest
        n_fields = document->n_fields ? mutator_below(mutator, 2) : 0;
        n_spans = 1 - n_fields;
    }
    for (uint64_t i = 0; i < n_fields; i++)
        damage_field(mutator, document);
    size_t limit = document->size;
    for (uint64_t i = 0; i < n_spans && document->n_spans; i++) {
        struct span span = document->spans[mutator_below(mutator, document->n_spans)];
        if (span.end > limit) continue;
        damage_span(mutator, document, &span);
        limit = span.begin;
    }
    if (mutator_below(mutator, 8) == 0) damage_whole(mutator, document);
}
