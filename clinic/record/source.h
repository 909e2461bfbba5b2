// SPDX-License-Identifier: Apache-2.0
// Where something stands in an episode: a stretch of a document's or report's text, or a row of a
// table. Offsets are bytes inside this program and Unicode characters in every JSON that leaves it.
#ifndef XL_CLINIC_SOURCE_H
#define XL_CLINIC_SOURCE_H

#include "clinic/record/episode.h"

enum source_kind {
    SOURCE_DOC,    // row of docs, section index, bytes start..end of its text
    SOURCE_REPORT, // row of reports, section 0 findings or 1 conclusion
    SOURCE_ORDER,  // tables: only the row
    SOURCE_LAB,
    SOURCE_VITAL,
    SOURCE_DIAGNOSIS,
    SOURCE_OPERATION,
    SOURCE_EVENT,
    SOURCE_PATIENT
};

struct source {
    enum source_kind kind;
    int row, section;
    size_t start, end; // of a text; 0, 0 for a table's row
};

// {"kind": "doc", "id": "d01", "section": "现病史", "start": 3, "end": 20, "quote": "…",
//  "label": "入院记录 2025-11-03"}; of a table's row id (vitals: the time), label and quote (the
// row in words: "白细胞 15.62×10⁹/L（2025-11-03）"). NULL: no memory.
json_t *source_to_json(const struct episode *episode, const struct source *source);
// From an id and a section name back to a source; false: there is no such place.
bool source_from_json(const struct episode *episode, const json_t *value, struct source *source);

// The text that a SOURCE_DOC or SOURCE_REPORT points into; NULL for tables.
const struct section *source_section(const struct episode *episode, const struct source *source);

// Characters (code points) before a byte offset, and back. Text must be valid UTF-8.
size_t characters_before(const char *text, size_t byte_offset);
size_t bytes_before(const char *text, size_t text_bytes, size_t character_offset);

#endif
