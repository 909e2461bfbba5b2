// SPDX-License-Identifier: Apache-2.0
// Sources to JSON and back. A row of a table is told in words here, and only here.
#include "clinic/record/source.h"

#include "clinic/record/source_words.h"

#include <string.h>

static const char *const kind_names[] = {
    [SOURCE_DOC] = "doc",
    [SOURCE_REPORT] = "report",
    [SOURCE_ORDER] = "order",
    [SOURCE_LAB] = "lab",
    [SOURCE_VITAL] = "vital",
    [SOURCE_DIAGNOSIS] = "diagnosis",
    [SOURCE_OPERATION] = "operation",
    [SOURCE_EVENT] = "event",
    [SOURCE_PATIENT] = "patient",
};
enum { N_KINDS = sizeof kind_names / sizeof *kind_names };

size_t characters_before(const char *text, size_t byte_offset) {
    size_t n = 0;
    for (size_t i = 0; i < byte_offset && text[i] != '\0'; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

size_t bytes_before(const char *text, size_t text_bytes, size_t character_offset) {
    size_t at = 0;
    for (; at < text_bytes; at++) {
        bool begins = ((unsigned char)text[at] & 0xC0) != 0x80;
        if (begins && character_offset-- == 0) break;
    }
    return at;
}

static int count_rows(const struct episode *e, enum source_kind kind) {
    switch (kind) {
    case SOURCE_DOC:
        return e->n_docs;
    case SOURCE_REPORT:
        return e->n_reports;
    case SOURCE_ORDER:
        return e->n_orders;
    case SOURCE_LAB:
        return e->n_labs;
    case SOURCE_VITAL:
        return e->n_vitals;
    case SOURCE_DIAGNOSIS:
        return e->n_diagnoses;
    case SOURCE_OPERATION:
        return e->n_operations;
    case SOURCE_EVENT:
        return e->n_events;
    case SOURCE_PATIENT:
        return 1;
    }
    return 0;
}

// The id of a row; of vitals and events, which have none, it is made of type and time in `made`.
static const char *row_id(const struct episode *e, enum source_kind kind, int row,
                          char made[ROW_ID_BYTES]) {
    switch (kind) {
    case SOURCE_DOC:
        return e->docs[row].id;
    case SOURCE_REPORT:
        return e->reports[row].id;
    case SOURCE_ORDER:
        return e->orders[row].id;
    case SOURCE_LAB:
        return e->labs[row].id;
    case SOURCE_DIAGNOSIS:
        return e->diagnoses[row].id;
    case SOURCE_OPERATION:
        return e->operations[row].id;
    case SOURCE_PATIENT:
        return e->patient.id;
    case SOURCE_VITAL:
        source_made_id("", e->vitals[row].at, made);
        return made;
    case SOURCE_EVENT:
        source_made_id(e->events[row].type, e->events[row].at, made);
        return made;
    }
    return "";
}

const struct section *source_section(const struct episode *e, const struct source *source) {
    if (source->row < 0 || source->row >= count_rows(e, source->kind) || source->section < 0)
        return NULL;
    if (source->kind == SOURCE_DOC) {
        const struct document *doc = &e->docs[source->row];
        return source->section < doc->n_sections ? &doc->sections[source->section] : NULL;
    }
    if (source->kind != SOURCE_REPORT || source->section > 1) return NULL;
    const struct report *report = &e->reports[source->row];
    return source->section == 0 ? &report->findings : &report->conclusion;
}

static bool set_text(json_t *object, const struct section *section, const struct source *source) {
    size_t end = source->end < section->text_bytes ? source->end : section->text_bytes;
    size_t start = source->start < end ? source->start : end;
    json_int_t first = (json_int_t)characters_before(section->text, start);
    json_int_t last = first + (json_int_t)characters_before(section->text + start, end - start);
    json_t *quote = json_stringn(section->text + start, end - start);
    return json_object_set_new(object, "section", json_string(section->name)) == 0 &&
           json_object_set_new(object, "start", json_integer(first)) == 0 &&
           json_object_set_new(object, "end", json_integer(last)) == 0 &&
           json_object_set_new(object, "quote", quote) == 0;
}

json_t *source_to_json(const struct episode *e, const struct source *source) {
    char made[ROW_ID_BYTES];
    json_t *object = json_object();
    if (!object || source->row < 0 || source->row >= count_rows(e, source->kind)) {
        json_decref(object);
        return NULL;
    }
    const char *id = row_id(e, source->kind, source->row, made);
    bool is_made =
        json_object_set_new(object, "kind", json_string(kind_names[source->kind])) == 0 &&
        json_object_set_new(object, "id", json_string(id)) == 0 &&
        json_object_set_new(object, "label", source_label(e, source)) == 0;
    const struct section *section = source_section(e, source);
    if (section) {
        is_made = is_made && set_text(object, section, source);
    } else {
        is_made = is_made && json_object_set_new(object, "quote", source_quote(e, source)) == 0;
    }
    if (is_made) return object;
    json_decref(object);
    return NULL;
}

static bool find_section(const struct episode *e, const char *name, struct source *source) {
    int n = source->kind == SOURCE_DOC ? e->docs[source->row].n_sections : 2;
    for (source->section = 0; source->section < n; source->section++) {
        const struct section *section = source_section(e, source);
        if (name && section && strcmp(section->name, name) == 0) return true;
    }
    return false;
}

// Without start and end: the whole section.
static bool read_span(const struct episode *e, const json_t *value, struct source *source) {
    const struct section *section = source_section(e, source);
    const json_t *start = json_object_get(value, "start"), *end = json_object_get(value, "end");
    source->end = section->text_bytes;
    if (!start && !end) return true;
    json_int_t first = json_integer_value(start), last = json_integer_value(end);
    if (!json_is_integer(start) || !json_is_integer(end) || first < 0 || last < first) return false;
    if ((size_t)last > characters_before(section->text, section->text_bytes)) return false;
    source->start = bytes_before(section->text, section->text_bytes, (size_t)first);
    source->end = bytes_before(section->text, section->text_bytes, (size_t)last);
    return true;
}

bool source_from_json(const struct episode *e, const json_t *value, struct source *source) {
    const char *kind = json_string_value(json_object_get(value, "kind"));
    const char *id = json_string_value(json_object_get(value, "id"));
    *source = (struct source){.kind = SOURCE_DOC};
    if (!kind || !id) return false;
    int at = 0;
    while (at < N_KINDS && strcmp(kind_names[at], kind) != 0)
        at++;
    if (at == N_KINDS) return false;
    source->kind = (enum source_kind)at;
    int n_rows = count_rows(e, source->kind);
    char made[ROW_ID_BYTES];
    while (source->row < n_rows && strcmp(row_id(e, source->kind, source->row, made), id) != 0)
        source->row++;
    if (source->row == n_rows) return false;
    if (source->kind != SOURCE_DOC && source->kind != SOURCE_REPORT) return true;
    return find_section(e, json_string_value(json_object_get(value, "section")), source) &&
           read_span(e, value, source);
}
