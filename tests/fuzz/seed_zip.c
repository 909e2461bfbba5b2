// SPDX-License-Identifier: Apache-2.0
// See seed_map.h: a zip archive of stored entries taken apart and put together.
#include "seed_map.h"

#include <string.h>

static uint64_t number_at(const struct document *document, size_t at, uint32_t width) {
    uint64_t number = 0;
    if (at + width <= document->size) memcpy(&number, document->bytes + at, width);
    return number;
}

// Walks the local headers from the start; the golden archives have no data descriptors between.
static size_t find_central(const struct document *archive) {
    for (size_t at = 0; at + 4 <= archive->size; at++)
        if (memcmp(archive->bytes + at, "PK\1\2", 4) == 0) return at;
    return archive->size;
}

bool seed_open_zip(struct zip_seed *seed, struct document *archive) {
    size_t at = find_central(archive);
    seed->archive = archive;
    seed->n_entries = 0;
    seed->pickle = ZIP_ENTRIES_MAX;
    while (seed->n_entries < ZIP_ENTRIES_MAX && at + 46 <= archive->size &&
           memcmp(archive->bytes + at, "PK\1\2", 4) == 0) {
        uint32_t name_bytes = (uint32_t)number_at(archive, at + 28, 2);
        size_t local = number_at(archive, at + 42, 4);
        size_t i = seed->n_entries++;
        seed->entries[i].name = (uint32_t)at + 46;
        seed->entries[i].name_bytes = name_bytes;
        seed->entries[i].data_bytes = (uint32_t)number_at(archive, at + 20, 4);
        seed->entries[i].data = (uint32_t)(local + 30 + number_at(archive, local + 26, 2) +
                                           number_at(archive, local + 28, 2));
        if (name_bytes > 9 &&
            memcmp(archive->bytes + at + 46 + name_bytes - 9, "/data.pkl", 9) == 0)
            seed->pickle = i;
        at += 46 + name_bytes + number_at(archive, at + 30, 2) + number_at(archive, at + 32, 2);
    }
    return seed->pickle < seed->n_entries;
}

// What local header and central directory have in common, from "version needed" on.
static void put_header(struct document *document, uint64_t name_bytes, uint64_t data_bytes) {
    document_put_number(document, 20, 2); // version needed
    document_put_number(document, 0, 2);  // flags
    document_put_number(document, 0, 2);  // method
    document_put_number(document, 0, 4);  // time and date
    document_put_number(document, 0, 4);  // CRC
    document_put_number(document, data_bytes, 4);
    document_put_number(document, data_bytes, 4);
    document_put_number(document, name_bytes, 2);
    document_put_number(document, 0, 2); // extra
}

void seed_build_zip(struct document *document, const struct zip_seed *seed, const uint8_t *pickle,
                    size_t pickle_bytes, const size_t *order, size_t n_order) {
    const uint8_t *source = seed->archive->bytes;
    size_t places[ZIP_ENTRIES_MAX];
    document_clear(document);
    for (size_t k = 0; k < n_order; k++) {
        size_t i = order[k], size = i == seed->pickle ? pickle_bytes : seed->entries[i].data_bytes;
        places[k] = document->size;
        document_put(document, "PK\3\4", 4);
        put_header(document, seed->entries[i].name_bytes, size);
        document_put(document, source + seed->entries[i].name, seed->entries[i].name_bytes);
        document_put(document, i == seed->pickle ? pickle : source + seed->entries[i].data, size);
        document_note_span(document, places[k], document->size, SPAN_WHOLE);
    }
    size_t central = document->size;
    for (size_t k = 0; k < n_order; k++) {
        size_t i = order[k], begin = document->size;
        document_put(document, "PK\1\2", 4);
        document_put_number(document, 20, 2); // made by
        put_header(document, seed->entries[i].name_bytes,
                   i == seed->pickle ? pickle_bytes : seed->entries[i].data_bytes);
        document_put_number(document, 0, 2); // comment
        document_put_number(document, 0, 2); // disk
        document_put_number(document, 0, 2); // internal attributes
        document_put_number(document, 0, 4); // external attributes
        document_put_number(document, places[k], 4);
        document_put(document, source + seed->entries[i].name, seed->entries[i].name_bytes);
        document_note_span(document, begin, document->size, SPAN_RECORD);
    }
    size_t end = document->size;
    document_put(document, "PK\5\6", 4);
    document_put_number(document, 0, 2);
    document_put_number(document, 0, 2);
    document_put_number(document, n_order, 2);
    document_put_number(document, n_order, 2);
    document_put_number(document, end - central, 4);
    document_put_number(document, central, 4);
    document_put_number(document, 0, 2);
}

// Notes a record's fields from a list of widths; 0 ends it.
static void note_record(struct document *document, size_t at, const uint8_t *widths) {
    size_t begin = at;
    for (; *widths; at += *widths++)
        document_note_field(document, at, *widths);
    document_note_span(document, begin, at, SPAN_RECORD);
}

void seed_map_zip(struct document *document) {
    static const struct {
        const char *magic;
        uint8_t widths[20];
    } records[] = {
        {"PK\3\4", {4, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2}},
        {"PK\1\2", {4, 2, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4}},
        {"PK\5\6", {4, 2, 2, 2, 2, 4, 4, 2}},
        {"PK\6\6", {4, 8, 2, 2, 4, 4, 8, 8, 8, 8}},
        {"PK\6\7", {4, 4, 8, 4}},
    };
    for (size_t at = 0; at + 22 <= document->size; at++)
        for (size_t i = 0; i < sizeof records / sizeof *records; i++)
            if (memcmp(document->bytes + at, records[i].magic, 4) == 0)
                note_record(document, at, records[i].widths);
}
