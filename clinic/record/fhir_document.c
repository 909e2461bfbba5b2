// SPDX-License-Identifier: Apache-2.0
// DocumentReference and Composition as documents with sections.
#include "clinic/record/document_sections.h"
#include "clinic/record/episode_budget.h"
#include "clinic/record/fhir_attachment.h"
#include "clinic/record/fhir_import_parts.h"

#include <stdlib.h>
#include <string.h>

enum { NESTED_MAX = 8 };

// The type by its C-code, if the resource has one, else by title.
static const struct document_type *type_of(const struct fhir_bundle *bundle, const json_t *resource,
                                           const char *title) {
    const json_t *codings = fhir_find(resource, "type");
    codings = json_object_get(codings, "coding");
    const struct document_type *by_title = title_map_type(bundle->map, title);
    for (size_t i = 0; i < json_array_size(codings); i++) {
        const char *code = fhir_string(json_array_get(codings, i), "code");
        const struct document_type *type = code ? title_map_code(bundle->map, code) : NULL;
        if (type) return strcmp(by_title->c_code, type->c_code) == 0 ? by_title : type;
    }
    return by_title;
}

static json_t *add_document(struct fhir_bundle *bundle, const json_t *resource, const char *title,
                            const struct document_type *type, json_t *sections) {
    json_t *row = fhir_add_row(bundle, "docs", fhir_id(bundle, resource));
    if (!row) {
        json_decref(sections);
        clinic_fail_memory(bundle->error);
        return NULL;
    }
    fhir_put_string(bundle, row, "c_code", type->c_code);
    fhir_put_string(bundle, row, "type", type->type);
    fhir_put_string(bundle, row, "local_title", title);
    fhir_put_string(bundle, row, "format", "text");
    fhir_put(bundle, row, "sections", sections);
    fhir_put_string(bundle, row, "author",
                    fhir_person(bundle, fhir_find(resource, "author"), resource));
    return row;
}

bool fhir_read_document(struct fhir_bundle *bundle, const json_t *resource) {
    bool is_readable;
    const json_t *value =
        fhir_attachment_pick(json_object_get(resource, "content"), "attachment", &is_readable);
    const char *title = fhir_string(value, "title");
    if (!title) title = fhir_string(resource, "description");
    if (!title) title = fhir_concept(fhir_find(resource, "type"));
    if (!title) return fhir_fail(bundle, resource, "content.attachment.title", "is missing");
    struct attachment attachment;
    if (!fhir_attachment_read(bundle, resource, value, &attachment)) return false;
    const struct document_type *type = type_of(bundle, resource, title);
    json_t *sections = document_sections_from(attachment.content, attachment.bytes,
                                              attachment.format, title, type, bundle->error);
    free(attachment.content);
    if (!sections && bundle->error && bundle->error->failure == CLINIC_NO_MEMORY) return false;
    if (!sections)
        return fhir_fail(bundle, resource, "content.attachment.data",
                         "has no text, is no UTF-8, or is too large");
    json_t *row = add_document(bundle, resource, title, type, sections);
    if (!row) return false;
    const json_t *signer = fhir_find(resource, "authenticator");
    fhir_put_string(bundle, row, "cosigner", fhir_person(bundle, signer, resource));
    bool is_final =
        fhir_is(resource, "docStatus", "final") || fhir_is(resource, "docStatus", "amended");
    static const char events[] = "context.period.start|content.attachment.creation|date";
    if (!fhir_put_time(bundle, row, "event_time", resource, events) ||
        !fhir_put_time(bundle, row, "create_time", resource, "content.attachment.creation|date") ||
        (is_final && !fhir_put_time(bundle, row, "sign_time", resource, "date")))
        return false;
    return json_object_get(row, "event_time") || fhir_fail(bundle, resource, "date", "is missing");
}

// The sections of a Composition, as they are read.
struct section_walk {
    struct fhir_bundle *bundle;
    const json_t *resource;
    json_t *sections;
    size_t n_read;
};

// One section a name: what is there twice is joined.
static bool add_text(struct section_walk *walk, const char *name, const char *text) {
    for (size_t i = 0; i < json_array_size(walk->sections); i++) {
        json_t *row = json_array_get(walk->sections, i);
        if (!fhir_is(row, "name", name)) continue;
        fhir_put(walk->bundle, row, "text",
                 json_sprintf("%s\n%s", json_string_value(json_object_get(row, "text")), text));
        return true;
    }
    json_t *row = json_pack("{s:s, s:s}", "name", name, "text", text);
    return json_array_append_new(walk->sections, row) == 0 ||
           clinic_fail_memory(walk->bundle->error);
}

static bool add_narrative(struct section_walk *walk, const char *name, const char *html) {
    static const struct document_type plain = {.c_code = "X", .type = "x", .body = "x"};
    struct clinic_error ignored = {0}; // an empty narrative is no section
    json_t *found = document_sections_from(html, strlen(html), "html", "", &plain, &ignored);
    const char *text = fhir_string(json_array_get(found, 0), "text");
    bool is_added = !text || add_text(walk, name, text);
    json_decref(found);
    if (ignored.failure == CLINIC_NO_MEMORY) walk->bundle->has_no_memory = true;
    return is_added;
}

// A section's narrative, and those inside it behind it.
static bool read_section(struct section_walk *walk, const json_t *section, const char *name,
                         int depth) {
    const char *title = fhir_string(section, "title"), *html = fhir_string(section, "text.div");
    const json_t *inner = json_object_get(section, "section");
    if (!title) title = fhir_concept(fhir_find(section, "code"));
    if (title) name = title;
    if (++walk->n_read > EPISODE_SECTIONS_MAX)
        return fhir_fail(walk->bundle, walk->resource, "section", "there are more than 200");
    if (depth > NESTED_MAX)
        return fhir_fail(walk->bundle, walk->resource, "section", "is nested more than 8 deep");
    if (html && !add_narrative(walk, name, html)) return false;
    for (size_t i = 0; i < json_array_size(inner); i++) {
        if (!read_section(walk, json_array_get(inner, i), name, depth + 1)) return false;
    }
    return true;
}

static bool put_attesters(struct fhir_bundle *bundle, json_t *row, const json_t *resource) {
    const json_t *rows = json_object_get(resource, "attester");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *attester = json_array_get(rows, i);
        const char *person = fhir_person(bundle, fhir_find(attester, "party"), resource);
        if (person && !fhir_is(row, "author", person))
            fhir_put_string(bundle, row, "cosigner", person);
        if (!fhir_put_time(bundle, row, "sign_time", attester, "time")) return false;
    }
    return true;
}

bool fhir_read_composition(struct fhir_bundle *bundle, const json_t *resource) {
    const char *title = fhir_string(resource, "title");
    if (!title) title = fhir_concept(fhir_find(resource, "type"));
    if (!title) return fhir_fail(bundle, resource, "title", "is missing");
    const struct document_type *type = type_of(bundle, resource, title);
    json_t *sections = json_array();
    const json_t *rows = json_object_get(resource, "section");
    struct section_walk walk = {.bundle = bundle, .resource = resource, .sections = sections};
    if (!sections) return clinic_fail_memory(bundle->error);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (read_section(&walk, json_array_get(rows, i), type->body, 1)) continue;
        json_decref(sections);
        return false;
    }
    json_t *row = add_document(bundle, resource, title, type, sections);
    if (!row || !put_attesters(bundle, row, resource)) return false;
    if (fhir_is(resource, "status", "final") && !json_object_get(row, "sign_time") &&
        !fhir_put_time(bundle, row, "sign_time", resource, "date"))
        return false;
    return fhir_put_time(bundle, row, "event_time", resource, "event.period.start|date") &&
           (json_object_get(row, "event_time") ||
            fhir_fail(bundle, resource, "date", "is missing"));
}
