// SPDX-License-Identifier: Apache-2.0
#include "episode_probe.h"

#include "clinic/record/episode.h"
#include "clinic/record/episode_document.h"
#include "clinic/record/fhir_export.h"
#include "clinic/record/fhir_import.h"
#include "clinic/record/source.h"
#include "clinic/record/utf8_text.h"

#include <string.h>

static struct title_map *titles;

bool episode_probe_open(void) {
    titles = title_map_open(NULL, 0, NULL);
    return titles != NULL;
}

void episode_probe_close(void) {
    title_map_close(titles);
}

static const char *touch_source(const struct episode *e, enum source_kind kind, int row) {
    struct source source = {.kind = kind, .row = row}, back;
    json_t *json = source_to_json(e, &source);
    bool is_same = json && source_from_json(e, json, &back) && back.kind == kind;
    json_decref(json);
    return is_same ? NULL : "a source that does not come back";
}

// Every text of every row is looked at: a sanitizer sees one that is not there.
static const char *touch_rows(const struct episode *e) {
    size_t n = strlen(e->patient.name) + strlen(e->patient.sex) + strlen(e->encounter.department);
    const char *wrong = touch_source(e, SOURCE_PATIENT, 0);
    for (int i = 0; i < e->n_docs; i++) {
        n += strlen(e->docs[i].local_title) + strlen(e->docs[i].author);
        for (int k = 0; k < e->docs[i].n_sections; k++) {
            const struct section *section = &e->docs[i].sections[k];
            if (strlen(section->text) != section->text_bytes) wrong = "a section's length";
        }
        if (e->docs[i].n_sections > 0 && touch_source(e, SOURCE_DOC, i))
            wrong = touch_source(e, SOURCE_DOC, i);
    }
    for (int i = 0; i < e->n_orders; i++) {
        n += e->orders[i].has_dose ? strlen(e->orders[i].dose_unit) : 0;
        if (!wrong) wrong = touch_source(e, SOURCE_ORDER, i);
    }
    for (int i = 0; i < e->n_labs && !wrong; i++) {
        n += strlen(e->labs[i].text) + strlen(e->labs[i].flag);
        wrong = touch_source(e, SOURCE_LAB, i);
    }
    for (int i = 0; i < e->n_vitals && !wrong; i++)
        wrong = touch_source(e, SOURCE_VITAL, i);
    for (int i = 0; i < e->n_events && !wrong; i++)
        wrong = touch_source(e, SOURCE_EVENT, i);
    for (int i = 0; i < e->n_reports && !wrong; i++)
        wrong = touch_source(e, SOURCE_REPORT, i);
    for (int i = 0; i < e->n_diagnoses && !wrong; i++)
        wrong = touch_source(e, SOURCE_DIAGNOSIS, i);
    for (int i = 0; i < e->n_operations && !wrong; i++)
        wrong = touch_source(e, SOURCE_OPERATION, i);
    return n == 0 ? "an episode without any text" : wrong;
}

static void look_at_episode(struct episode *episode, struct answer *answer) {
    if (!episode) return;
    answer->complaint = touch_rows(episode);
    answer->result = json_incref(episode->root);
    episode_free(episode);
}

void probe_episode(const char *text, size_t bytes, struct answer *answer) {
    look_at_episode(episode_parse(text, bytes, &answer->error), answer);
}

// Out again, too: as a Composition.
void probe_episode_json(json_t *root, struct answer *answer) {
    static const struct composition_field fields[] = {
        {.id = "a",
         .name = "甲",
         .text = "一<二\n三",
         .loinc = "8648-8",
         .by = "li",
         .is_from_draft = true},
        {.id = "b", .name = "乙"},
        {.id = "c", .name = "丙", .text = "四", .element = "DE06.00.092.00"}};
    struct episode *episode = episode_read(root, &answer->error);
    struct composition_head head = {.title = "出院记录", .c_code = "C0049", .identifier = "f"};
    if (episode) {
        head.date = episode->encounter.admit;
        answer->result = composition_from_fields(episode, &head, fields, 3, &answer->error);
    }
    episode_free(episode);
}

void probe_fhir(const char *text, size_t bytes, struct answer *answer) {
    json_t *bundle = json_loadb(text, bytes, 0, NULL);
    if (!bundle) clinic_fail(&answer->error, CLINIC_BAD_INPUT, "no valid JSON");
    if (bundle) probe_fhir_json(bundle, answer);
    json_decref(bundle);
}

void probe_fhir_json(json_t *root, struct answer *answer) {
    answer->result = episode_from_fhir(root, titles, NULL, &answer->error);
}

// Plain text in sections of different names, without anything of the markup's machinery.
static const char *look_at_sections(const json_t *document) {
    size_t i;
    const json_t *sections = json_object_get(document, "sections");
    if (json_array_size(sections) == 0) return "no sections";
    for (i = 0; i < json_array_size(sections); i++) {
        const json_t *text = json_object_get(json_array_get(sections, i), "text");
        const char *at = json_string_value(text);
        if (!at || !utf8_text_is_valid(at, json_string_length(text))) return "bad text";
        for (; *at != '\0'; at++) {
            bool is_control = (unsigned char)*at < ' ' && *at != '\n' && *at != '\t';
            if (is_control || *at == 0x7F) return "a control character";
        }
    }
    return NULL;
}

static void probe_as(const char *text, size_t bytes, const char *format, struct answer *answer) {
    document_from_text(text, bytes, format, "入院记录", titles, &answer->result, &answer->error);
    if (answer->result) answer->complaint = look_at_sections(answer->result);
}

void probe_html(const char *text, size_t bytes, struct answer *answer) {
    probe_as(text, bytes, "html", answer);
}

void probe_text(const char *text, size_t bytes, struct answer *answer) {
    probe_as(text, bytes, "text", answer);
}
