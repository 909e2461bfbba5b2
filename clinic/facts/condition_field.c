// SPDX-License-Identifier: Apache-2.0
// See condition_field.h. The first note's 病例特点 is a doctor's own summary of the admission;
// where it is missing, the admission note's sections are drawn upon.
#include "clinic/facts/condition_field.h"

#include "clinic/facts/document_facts.h"
#include "clinic/facts/trusted_text.h"
#include "clinic/text/evidence_document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void source_list_add(struct source_list *sources, const struct source *source) {
    if (sources && sources->n_sources < DATA_FIELD_SOURCES_MAX)
        sources->sources[sources->n_sources++] = *source;
}

int document_last_of_type(const struct episode *episode, const char *type) {
    for (int i = episode->n_docs - 1; i >= 0; i--) {
        if (strcmp(episode->docs[i].type, type) == 0 && document_is_evidence(&episode->docs[i]))
            return i;
    }
    return -1;
}

const struct section *document_section(const struct document *doc, const char *name, int *index) {
    for (int i = 0; i < doc->n_sections; i++) {
        if (strcmp(doc->sections[i].name, name) == 0) {
            *index = i;
            return &doc->sections[i];
        }
    }
    return NULL;
}

#define FEATURES_BYTES 210 // a summary of the admission that is shorter leaves the findings out

struct place {
    int doc_row, section;
    const struct section *text;
};

static bool find_place(const struct episode *episode, const char *type, const char *name,
                       struct place *place) {
    place->doc_row = document_last_of_type(episode, type);
    if (place->doc_row < 0) return false;
    place->text = document_section(&episode->docs[place->doc_row], name, &place->section);
    return place->text != NULL && place->text->text_bytes > 0;
}

// The section of any signed document, the first in time: hospitals have forms of their own.
static bool find_anywhere(const struct episode *episode, const char *name, struct place *place) {
    for (int i = 0; i < episode->n_docs; i++) {
        place->doc_row = i;
        place->text = document_is_evidence(&episode->docs[i])
                          ? document_section(&episode->docs[i], name, &place->section)
                          : NULL;
        if (place->text && place->text->text_bytes) return true;
    }
    place->text = NULL;
    return false;
}

static void add_stretch(struct wording *wording, const struct place *place,
                        const struct clause *stretch, struct source_list *sources) {
    wording_add_bytes(wording, stretch->text + stretch->start, stretch->end - stretch->start);
    source_list_add(sources, &(struct source){.kind = SOURCE_DOC,
                                              .row = place->doc_row,
                                              .section = place->section,
                                              .start = stretch->start,
                                              .end = stretch->end});
}

static void end_sentence(struct wording *wording) {
    if (wording->bytes && !wording_ends_with(wording, "。")) wording_add(wording, "。");
}

static void add_sentences(struct wording *wording, const struct place *place, int n_max,
                          struct source_list *sources) {
    struct trusted_text trusted = trusted_text_of(place->text->text, place->text->text_bytes);
    struct clause sentence;
    size_t position = 0;
    for (int i = 0; i < n_max && trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence);
         i++) {
        add_stretch(wording, place, &sentence, sources);
        end_sentence(wording);
    }
}

static void add_complaint(struct wording *wording, const struct place *complaint,
                          struct source_list *sources) {
    struct trusted_text trusted =
        trusted_text_of(complaint->text->text, complaint->text->text_bytes);
    struct clause sentence;
    size_t position = 0;
    if (!trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence)) return;
    wording_add(wording, "患者因“");
    add_stretch(wording, complaint, &sentence, sources);
    wording_add(wording, "”入院。");
}

// Items of 病例特点 that only repeat who the patient is and what brought them.
static bool is_repetition(const struct clause *sentence, const struct place *complaint) {
    static const char *const PERSON[] = {"男性", "女性",   "患儿，男", "患儿，女", "男，",
                                         "女，", "患儿男", "患儿女",   NULL};
    if (clause_starts_any(sentence, PERSON) || clause_has(sentence, "起病形式")) return true;
    if (!complaint->text) return false;
    struct clause part, whole = {.text = complaint->text->text, .end = complaint->text->text_bytes};
    size_t position = 0;
    int n = 0, same = 0;
    while (clause_next(whole.text, whole.end, CLAUSE_PART, &position, &part)) {
        char words[96];
        size_t bytes = part.end - part.start;
        if (bytes >= sizeof words) continue;
        memcpy(words, whole.text + part.start, bytes);
        words[bytes] = '\0';
        n++;
        same += clause_has(sentence, words);
    }
    return n > 0 && same * 2 >= n && sentence->end - sentence->start < whole.end + 60;
}

static bool add_features(struct wording *wording, const struct episode *episode,
                         const struct place *complaint, struct source_list *sources) {
    struct place features;
    struct clause sentence;
    size_t position = 0, begun = wording->bytes;
    if (!find_place(episode, "first_progress_note", "病例特点", &features)) return false;
    struct trusted_text trusted = trusted_text_of(features.text->text, features.text->text_bytes);
    while (trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence)) {
        if (is_repetition(&sentence, complaint)) continue;
        add_stretch(wording, &features, &sentence, sources);
        end_sentence(wording);
    }
    return wording->bytes > begun;
}

void condition_add_admission(struct wording *wording, const struct episode *episode,
                             struct source_list *sources) {
    struct place complaint = {0}, place;
    if (find_place(episode, "admission_note", "主诉", &complaint) ||
        find_anywhere(episode, "主诉", &complaint))
        add_complaint(wording, &complaint, sources);
    else
        complaint.text = NULL;
    size_t begun = wording->bytes;
    if (add_features(wording, episode, &complaint, sources) &&
        wording->bytes - begun >= FEATURES_BYTES)
        return;
    bool is_thin = wording->bytes > begun; // the doctor's summary is a sentence; the rest is added
    if (!is_thin && find_anywhere(episode, "入院情况", &place)) {
        add_sentences(wording, &place, 6, sources);
        return;
    }
    if (find_place(episode, "admission_note", "既往史", &place))
        add_sentences(wording, &place, is_thin ? 2 : 1, sources);
    if (find_place(episode, "admission_note", "体格检查", &place))
        add_sentences(wording, &place, is_thin ? 3 : 1, sources);
    if (find_place(episode, "admission_note", "专科情况", &place))
        add_sentences(wording, &place, 3, sources);
    if (find_place(episode, "admission_note", "辅助检查", &place))
        add_sentences(wording, &place, 3, sources);
}

// --- at discharge
// ---------------------------------------------------------------------------------

// Of a patient with several diagnoses that are only better, "治愈" is said of the main one alone.
static bool is_healed(const struct episode *episode) {
    int better = 0;
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        better += strcmp(diagnosis->stage, "discharge") == 0 && diagnosis->outcome &&
                  strcmp(diagnosis->outcome, "好转") == 0;
    }
    return better < 2;
}

static void add_outcome(struct wording *wording, const struct episode *episode,
                        struct source_list *sources) {
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        if (diagnosis->rank != 1 || strcmp(diagnosis->stage, "discharge") != 0 ||
            !diagnosis->outcome || !diagnosis->outcome[0])
            continue;
        bool is_better = strcmp(diagnosis->outcome, "治愈") == 0 && !is_healed(episode);
        wording_add(wording, is_better ? "好转" : diagnosis->outcome);
        wording_add(wording, "。");
        source_list_add(sources, &(struct source){.kind = SOURCE_DIAGNOSIS, .row = i});
        return;
    }
}

// The note of the last day that tells how the patient is.
static bool find_last_note(const struct episode *episode, struct place *place) {
    for (int i = episode->n_docs - 1; i >= 0; i--) {
        const struct document *doc = &episode->docs[i];
        if (!document_is_evidence(doc) ||
            (strcmp(doc->type, "progress_note") != 0 && strcmp(doc->type, "ward_round") != 0))
            continue;
        place->doc_row = i;
        place->text = document_section(doc, "病程", &place->section);
        if (!place->text && doc->n_sections) {
            place->section = 0;
            place->text = &doc->sections[0];
        }
        return place->text != NULL;
    }
    return false;
}

// Advice, consent and results of tests belong to other fields.
static bool is_condition(const struct clause *clause) {
    static const char *const OTHER[] = {
        "同意今日出院", "同意出院", "交代",   "立即就诊", "病理",       "周后",   "个月后",
        "个月内",       "随诊",     "已告知", "门诊",     "疼痛时可服", "予出院", "办理出院",
        "理解",         "复述",     "时出院", "拆除",     "转康复",     "教会",   "已发放",
        "已掌握",       "每日测",   "时口服", "维护1次",  "带药",       NULL};
    return !clause_has_any(clause, OTHER);
}

// A clause without its parts that belong elsewhere. Behind "已交代…" a sentence is advice.
static void add_condition_clause(struct wording *wording, const struct place *place,
                                 const struct clause *clause, size_t begun, bool *is_told,
                                 struct source_list *sources) {
    struct clause part;
    size_t inside = clause->start, before = wording->bytes;
    while (!*is_told && clause_next(clause->text, clause->end, CLAUSE_PART, &inside, &part)) {
        *is_told = clause_has(&part, "交代") || clause_has(&part, "告知");
        if (!is_condition(&part)) break; // what follows it belongs to it
        if (wording->bytes > before)
            wording_add(wording, "，");
        else if (wording->bytes > begun && !wording_ends_with(wording, "。"))
            wording_add(wording, "；");
        int days;
        note_words(wording, &part, &days);
    }
    if (wording->bytes == before) return;
    source_list_add(sources, &(struct source){.kind = SOURCE_DOC,
                                              .row = place->doc_row,
                                              .section = place->section,
                                              .start = clause->start,
                                              .end = clause->end});
}

// Behind "今日出院，" a note tells what was said for home.
static bool is_leaving(const struct clause *clause) {
    static const char *const LEAVING[] = {"今日出院", "同意出院", "予出院",
                                          "办理出院", "嘱：",     NULL};
    return clause_has_any(clause, LEAVING);
}

static bool tells_examination(const struct clause *clause) {
    static const char *const SIGNS[] = {"查体", "℃",      "mmHg", "次/分",
                                        "神志", "呼吸音", "切口", NULL};
    static const char *const GOALS[] = {"目标", "监测", "饮食", NULL};
    return clause_has_any(clause, SIGNS) && !clause_has_any(clause, GOALS);
}

static void add_note_condition(struct wording *wording, const struct place *place,
                               struct source_list *sources) {
    struct clause clause;
    size_t position = 0, begun = wording->bytes;
    bool is_told = false, has_left = false;
    struct trusted_text trusted = trusted_text_of(place->text->text, place->text->text_bytes);
    while (trusted_text_next(&trusted, CLAUSE_CLAUSE, &position, &clause)) {
        if (is_leaving(&clause)) has_left = true;
        if (has_left && !tells_examination(&clause)) continue;
        add_condition_clause(wording, place, &clause, begun, &is_told, sources);
        if (strncmp(clause.text + clause.end, "。", strlen("。")) != 0) continue;
        end_sentence(wording);
        is_told = false;
    }
    end_sentence(wording);
}

static void add_number(struct wording *wording, const char *words, double value, const char *unit) {
    char text[48];
    if (isnan(value)) return;
    snprintf(text, sizeof text, "%.10g", value);
    wording_add(wording, wording->bytes && !wording_ends_with(wording, "。") ? "，" : "");
    wording_add(wording, words);
    wording_add(wording, text);
    wording_add(wording, unit);
}

static void add_last_vitals(struct wording *wording, const struct episode *episode,
                            struct source_list *sources) {
    if (episode->n_vitals == 0) return;
    const struct vital *vital = &episode->vitals[episode->n_vitals - 1];
    size_t begun = wording->bytes;
    if (!isnan(vital->temperature_c)) {
        wording_add(wording, "体温");
        wording_add_temperature(wording, vital->temperature_c);
    }
    add_number(wording, "脉搏", vital->pulse_per_min, "次/分");
    add_number(wording, "呼吸", vital->respiration_per_min, "次/分");
    if (!isnan(vital->systolic_mmhg) && !isnan(vital->diastolic_mmhg)) {
        add_number(wording, "血压", vital->systolic_mmhg, "/");
        char text[48];
        snprintf(text, sizeof text, "%.10g mmHg", vital->diastolic_mmhg);
        wording_add(wording, text);
    }
    if (wording->bytes == begun) return;
    wording_add(wording, "。");
    source_list_add(sources, &(struct source){.kind = SOURCE_VITAL, .row = episode->n_vitals - 1});
}

void condition_add_discharge(struct wording *wording, const struct episode *episode,
                             struct source_list *sources) {
    struct place place;
    add_outcome(wording, episode, sources);
    bool has_note = find_last_note(episode, &place);
    if (has_note) add_note_condition(wording, &place, sources);
    // "T 36.6℃，P 76次/分" tells them, too.
    bool is_measured =
        has_note && (strstr(place.text->text, "体温") || strstr(place.text->text, "℃"));
    if (!is_measured) add_last_vitals(wording, episode, sources);
}
