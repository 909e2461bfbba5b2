// SPDX-License-Identifier: Apache-2.0
// Damage with knowledge of structure: a document is bytes plus a map of its fields (numbers) and
// spans (records, tokens, opcodes); mutations work on those, not on random bytes alone.
#ifndef XL_TESTS_MUTATION_H
#define XL_TESTS_MUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOCUMENT_BYTES_MAX = 1 << 16, FIELDS_MAX = 4096, SPANS_MAX = 4096 };

struct field { // a little-endian number
    uint32_t offset, width;
};

// Spans of one kind can stand in for each other without breaking the grammar.
enum span_kind {
    SPAN_RECORD,  // an entry of a directory
    SPAN_NAME,    // the bytes of a string
    SPAN_VALUE,   // a bracketed JSON value
    SPAN_TEXT,    // a JSON string
    SPAN_DECIMAL, // a JSON number
    SPAN_SIGN,    // JSON punctuation
    SPAN_OPCODE,  // a pickle opcode that pushes something, with its argument
    SPAN_ACTION,  // a pickle opcode that works on the stack
    SPAN_WHOLE    // a whole pickle or header
};

struct span {
    uint32_t begin, end;
    enum span_kind kind;
};

struct document {
    uint8_t *bytes; // [DOCUMENT_BYTES_MAX]
    size_t size;
    struct field *fields; // [FIELDS_MAX]
    size_t n_fields;
    struct span *spans; // [SPANS_MAX]
    size_t n_spans;
};

struct mutator {
    uint64_t state;
    const struct document *donor; // where foreign spans come from; NULL: none
};

// Memory once for the whole run; false without it.
bool document_init(struct document *document);
void document_deinit(struct document *document);
void document_clear(struct document *document);
void document_copy(struct document *to, const struct document *from);
// Appends bytes; a field or span can be noted with the offset before.
void document_put(struct document *document, const void *bytes, size_t size);
void document_put_number(struct document *document, uint64_t number, uint32_t width); // as a field
void document_note_field(struct document *document, size_t offset, uint32_t width);
void document_note_span(struct document *document, size_t begin, size_t end, enum span_kind kind);

uint64_t mutator_random(struct mutator *mutator);
uint64_t mutator_below(struct mutator *mutator, uint64_t n); // 0 .. n-1; n > 0
// One to four mutations. Afterwards the map no longer fits the bytes.
void mutator_damage(struct mutator *mutator, struct document *document);

#endif
