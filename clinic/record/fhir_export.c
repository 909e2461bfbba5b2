// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/fhir_export.h"

#include "clinic/record/text_gather.h"
#include "clinic/record/utf8_text.h"

#include <stdio.h>
#include <string.h>

static const char loinc_system[] = "http://loinc.org";
static const char type_system[] = "urn:oid:2.16.156.10011.2.4";
static const char user_system[] = "urn:xinglin:user";
static const char field_system[] = "urn:xinglin:field";
static const char element_system[] = "urn:xinglin:data-element";
static const char label_system[] = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
static const char act_system[] = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
static const char inline_label[] =
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";

static json_t *make_coding(const char *system, const char *code, const char *display) {
    json_t *coding = json_pack("{s:s, s:s}", "system", system, "code", code);
    if (coding && display && json_object_set_new(coding, "display", json_string(display)) != 0) {
        json_decref(coding);
        return NULL;
    }
    return coding;
}

static json_t *make_ai_label(void) {
    return make_coding(label_system, "AIAST", "Artificial Intelligence asserted");
}

static const char *escape_of(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\n':
        return "</p><p>";
    default:
        return NULL;
    }
}

// XHTML of plain text, a paragraph a line; control characters and what is no character of XML
// become blanks.
static json_t *make_div(const char *text) {
    static const char begin[] = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>";
    static const char end[] = "</p></div>";
    struct text_gather div = {0};
    text_gather_add(&div, begin, strlen(begin));
    size_t bytes = strlen(text), length;
    for (size_t at = 0; at < bytes; at += length) {
        uint32_t character = utf8_text_read(text + at, bytes - at, &length);
        const char *escape = escape_of(text[at]);
        bool is_control = character < ' ' || (character >= 0x7F && character < 0xA0);
        if (text[at] == '\r' && text[at + length] == '\n') continue;
        if (escape)
            text_gather_add(&div, escape, strlen(escape));
        else if (is_control || (character & 0xFFFE) == 0xFFFE)
            text_gather_add(&div, " ", 1);
        else
            text_gather_add(&div, text + at, length);
    }
    text_gather_add(&div, end, strlen(end));
    json_t *value = div.has_no_memory ? NULL : json_stringn(div.text, div.bytes);
    text_gather_deinit(&div);
    return value;
}

static bool append(json_t *array, json_t *value) {
    return json_array_append_new(array, value) == 0;
}

static json_t *make_section(const struct composition_field *field) {
    json_t *div = make_div(field->text);
    json_t *section =
        json_pack("{s:s, s:{s:[], s:s}, s:{s:s, s:o}}", "title", field->name, "code", "coding",
                  "text", field->name, "text", "status", "additional", "div", div);
    json_t *codings = json_object_get(json_object_get(section, "code"), "coding");
    bool is_made = section != NULL;
    if (is_made && field->loinc)
        is_made = append(codings, make_coding(loinc_system, field->loinc, NULL));
    if (is_made) is_made = append(codings, make_coding(field_system, field->id, field->name));
    if (is_made && field->element)
        is_made = append(codings, make_coding(element_system, field->element, NULL));
    if (is_made && field->is_from_draft) {
        json_t *extension =
            json_pack("[{s:s, s:o}]", "url", inline_label, "valueCoding", make_ai_label());
        is_made = json_object_set_new(section, "extension", extension) == 0;
    }
    if (is_made) return section;
    json_decref(section);
    return NULL;
}

// Who filled or typed the form, each once, in the order of the fields.
static bool add_people(json_t *authors, const struct composition_field *fields, int n_fields) {
    for (int i = 0; i < n_fields; i++) {
        const char *by = fields[i].text && fields[i].text[0] != '\0' ? fields[i].by : NULL;
        for (int k = 0; by && k < i; k++) {
            if (fields[k].by && strcmp(fields[k].by, by) == 0) by = NULL;
        }
        if (by && !append(authors, json_pack("{s:s, s:{s:s, s:s}, s:s}", "type", "Practitioner",
                                             "identifier", "system", user_system, "value", by,
                                             "display", by)))
            return false;
    }
    return true;
}

// People, and the software if a section is a draft's or nobody is named.
static json_t *list_authors(const struct composition_field *fields, int n_fields) {
    json_t *authors = json_array();
    bool is_made = authors && add_people(authors, fields, n_fields);
    bool has_draft = false;
    for (int i = 0; i < n_fields; i++)
        has_draft = has_draft || fields[i].is_from_draft;
    if (is_made && (has_draft || json_array_size(authors) == 0))
        is_made =
            append(authors, json_pack("{s:s, s:s}", "type", "Device", "display", "杏林 Xinglin"));
    if (is_made) return authors;
    json_decref(authors);
    return NULL;
}

// Everything but the sections.
static json_t *make_head(const struct episode *episode, const struct composition_head *head,
                         const struct composition_field *fields, int n_fields) {
    char date[32];
    moment_write(head->date, date);
    json_t *codings = json_array();
    bool is_made =
        append(codings, make_coding(loinc_system, head->loinc ? head->loinc : "18842-5", NULL));
    if (is_made && head->c_code)
        is_made = append(codings, make_coding(type_system, head->c_code, head->title));
    json_t *composition =
        json_pack("{s:s, s:s, s:s, s:{s:o, s:s}, s:{s:o}, s:{s:o}, s:s, s:o, s:s, s:[]}",
                  "resourceType", "Composition", "language", "zh-CN", "status", "preliminary",
                  "type", "coding", codings, "text", head->title, "subject", "reference",
                  json_sprintf("Patient/%s", episode->patient.id), "encounter", "reference",
                  json_sprintf("Encounter/%s", episode->encounter.id), "date", date, "author",
                  list_authors(fields, n_fields), "title", head->title, "section");
    if (is_made && composition && head->identifier) {
        json_t *identifier =
            json_pack("{s:s, s:s}", "system", "urn:xinglin:form", "value", head->identifier);
        is_made = json_object_set_new(composition, "identifier", identifier) == 0;
    }
    if (is_made) return composition;
    json_decref(composition);
    return NULL;
}

// PROCESSINLINELABEL tells a reader that sections carry labels of their own.
static bool set_labels(json_t *composition) {
    json_t *inside = make_coding(act_system, "PROCESSINLINELABEL", NULL);
    json_t *meta = json_pack("{s:[o, o]}", "security", make_ai_label(), inside);
    return json_object_set_new(composition, "meta", meta) == 0;
}

static bool is_usable(const struct composition_head *head, const struct composition_field *fields,
                      int n_fields, struct clinic_error *error) {
    bool has_text = false;
    for (int i = 0; i < n_fields; i++) {
        const char *text = fields[i].text;
        has_text = has_text || (text && utf8_text_shows(text, strlen(text)));
        if (text && !utf8_text_is_valid(text, strlen(text)))
            return clinic_fail(error, CLINIC_BAD_INPUT, "Composition: a field is no UTF-8");
    }
    if (!has_text)
        return clinic_fail(error, CLINIC_NOT_FOUND, "Composition: no field has been filled");
    return head->date.seconds != MOMENT_UNKNOWN ||
           clinic_fail(error, CLINIC_BAD_INPUT, "Composition: there is no date");
}

json_t *composition_from_fields(const struct episode *episode, const struct composition_head *head,
                                const struct composition_field *fields, int n_fields,
                                struct clinic_error *error) {
    if (!is_usable(head, fields, n_fields, error)) return NULL;
    json_t *composition = make_head(episode, head, fields, n_fields);
    json_t *sections = json_object_get(composition, "section");
    bool is_made = composition != NULL, has_label = false;
    for (int i = 0; is_made && i < n_fields; i++) {
        if (!fields[i].text || !utf8_text_shows(fields[i].text, strlen(fields[i].text))) continue;
        is_made = append(sections, make_section(&fields[i]));
        if (is_made && fields[i].is_from_draft && !has_label)
            is_made = has_label = set_labels(composition);
    }
    if (is_made) return composition;
    json_decref(composition);
    clinic_fail_memory(error);
    return NULL;
}
