// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_material.h"

#include "clinic/draft/text_buffer.h"
#include "clinic/facts/data_field.h"
#include "clinic/facts/outline.h"

#include <stdlib.h>
#include <string.h>

// ---- Pieces ------------------------------------------------------------------------------------

static struct draft_piece *add_piece(struct draft_material *material, const char *text,
                                     struct clinic_error *error) {
    size_t n = (size_t)material->n_pieces;
    struct draft_piece *grown = realloc(material->pieces, (n + 1) * sizeof *grown);
    if (grown) material->pieces = grown;
    char *own = grown ? strdup(text) : NULL;
    if (!own) {
        clinic_fail_memory(error);
        return NULL;
    }
    material->n_pieces++;
    grown[n] = (struct draft_piece){.text = own};
    return &grown[n];
}

void draft_material_deinit(struct draft_material *material) {
    for (int i = 0; i < material->n_pieces; i++) {
        free(material->pieces[i].text);
        free(material->pieces[i].pages);
    }
    free(material->pieces);
    *material = (struct draft_material){0};
}

static bool is_fed_by(const struct template_field *field, const struct document *document) {
    for (int i = 0; i < field->n_documents; i++)
        if (strcmp(field->documents[i], document->c_code) == 0) return true;
    return field->n_documents == 0;
}

static bool is_source(const struct source *sources, int n_sources, int doc_row) {
    for (int i = 0; i < n_sources; i++)
        if (sources[i].kind == SOURCE_DOC && sources[i].row == doc_row) return true;
    return false;
}

// The documents of the piece's days, and those that its sources name.
static bool find_pages(const struct draft_ground *ground, const struct template_field *field,
                       const struct source *sources, int n_sources, int64_t day, int64_t last_day,
                       struct draft_piece *piece, struct clinic_error *error) {
    piece->pages = calloc((size_t)ground->n_pages + 1, sizeof *piece->pages);
    if (!piece->pages) return clinic_fail_memory(error);
    for (int i = 0; i < ground->n_pages; i++) {
        int row = ground->pages[i].doc_row;
        const struct document *document = &ground->episode->docs[row];
        int64_t at = moment_day_number(document->event);
        bool is_near = (at >= day && at <= last_day) || is_source(sources, n_sources, row);
        if (is_near && is_fed_by(field, document)) piece->pages[piece->n_pages++] = i;
    }
    return true;
}

// ---- The outline of the course -----------------------------------------------------------------

static bool is_of_documents(const struct draft_ground *ground, const struct template_field *field,
                            const struct fact *fact) {
    if (!field->n_documents) return true;
    for (int i = 0; i < fact->n_sources; i++)
        if (fact->sources[i].kind == SOURCE_DOC &&
            is_fed_by(field, &ground->episode->docs[fact->sources[i].row]))
            return true;
    return false;
}

// The facts that the field asks for: rows of the ground's list, which keeps their texts.
static bool choose_facts(const struct draft_ground *ground, const struct template_field *field,
                         struct fact_list *chosen, struct clinic_error *error) {
    size_t n = (size_t)ground->facts.n_facts;
    *chosen = (struct fact_list){.facts = calloc(n ? n : 1, sizeof *chosen->facts)};
    if (!chosen->facts) return clinic_fail_memory(error);
    for (int i = 0; i < ground->facts.n_facts; i++) {
        const struct fact *fact = &ground->facts.facts[i];
        bool is_asked = !field->fact_classes || field->fact_classes & 1u << fact->fact_class;
        if (is_asked && is_of_documents(ground, field, fact))
            chosen->facts[chosen->n_facts++] = *fact;
    }
    chosen->capacity = chosen->n_facts;
    return true;
}

static bool take_lines(const struct draft_ground *ground, const struct template_field *field,
                       const struct outline *outline, struct draft_material *material,
                       struct clinic_error *error) {
    bool is_done = true;
    for (int i = 0; is_done && i < outline->n_lines; i++) {
        const struct outline_line *line = &outline->lines[i];
        if (!*line->text) continue;
        struct draft_piece *piece = add_piece(material, line->text, error);
        is_done = piece && find_pages(ground, field, line->sources, line->n_sources, line->day,
                                      line->last_day, piece, error);
    }
    return is_done;
}

// A course that is longer than the field leaves out what is least missed; what a record must tell
// and has no room is listed as an omission.
static bool make_course(const struct draft_ground *ground, const struct template_field *field,
                        struct draft_material *material, struct clinic_error *error) {
    struct outline outline = {0};
    struct fact_list chosen;
    bool is_done = choose_facts(ground, field, &chosen, error) &&
                   outline_make_within(ground->episode, &chosen, (size_t)field->max_characters,
                                       &outline, error) &&
                   take_lines(ground, field, &outline, material, error);
    free(chosen.facts);
    outline_deinit(&outline);
    return is_done;
}

// ---- Values and copies -------------------------------------------------------------------------

static bool make_value(const struct draft_ground *ground, const struct template_field *field,
                       struct draft_material *material, struct clinic_error *error) {
    struct source_list sources = {.n_sources = 0};
    char *text;
    if (!data_field(ground->episode, field->value, &text, &sources, error)) return false;
    bool is_done = true;
    if (*text) {
        struct draft_piece *piece = add_piece(material, text, error);
        is_done = piece &&
                  find_pages(ground, field, sources.sources, sources.n_sources, 1, 0, piece, error);
    }
    free(text);
    return is_done;
}

// The named sections of the last signed document that has one of them.
static bool make_copy(const struct draft_ground *ground, const struct template_field *field,
                      struct draft_material *material, struct clinic_error *error) {
    struct text_buffer text = {0};
    for (int i = ground->n_pages - 1; i >= 0 && !text.bytes; i--) {
        const struct document *document = &ground->episode->docs[ground->pages[i].doc_row];
        if (!is_fed_by(field, document)) continue;
        for (int s = 0; s < field->n_sections; s++)
            for (int k = 0; k < document->n_sections; k++)
                if (strcmp(document->sections[k].name, field->sections[s]) == 0)
                    text_buffer_add(&text, document->sections[k].text);
    }
    bool is_done = !text.has_failed || clinic_fail_memory(error);
    if (is_done && text.bytes) is_done = add_piece(material, text.text, error) != NULL;
    text_buffer_deinit(&text);
    return is_done;
}

bool draft_material_make(const struct draft_ground *ground, const struct template_field *field,
                         struct draft_material *material, struct clinic_error *error) {
    bool is_made;
    if (field->origin == ORIGIN_COPY)
        is_made = make_copy(ground, field, material, error);
    else if (strcmp(field->value, "outline") == 0)
        is_made = make_course(ground, field, material, error);
    else
        is_made = make_value(ground, field, material, error);
    if (!is_made) draft_material_deinit(material);
    return is_made;
}
