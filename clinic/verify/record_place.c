// SPDX-License-Identifier: Apache-2.0
// Rows are put into words as a doctor would write them, so that one finder of mentions serves texts
// and tables. The day of a mention is the last date told before it in its sentence, else the day of
// its document (昨日: the day before).
#include "clinic/verify/record_place.h"

#include "clinic/text/evidence_document.h"
#include "clinic/text/instruction_text.h"
#include "clinic/text/sentence.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 200000

struct row_words {
    char text[1024];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct row_words *words, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof words->text - words->used;
    int n = vsnprintf(words->text + words->used, room, format, arguments);
    va_end(arguments);
    if (n > 0) {
        words->used += (size_t)n < room ? (size_t)n : room - 1;
    }
}

int64_t day_of_date(int year, int month, int day, int64_t near_day) {
    int64_t best = DAY_UNKNOWN;
    int first = year, last = year;
    if (year == 0) {
        struct moment near = {near_day * 86400, 0};
        first = moment_day(near).year - 1;
        last = first + 2;
    }
    for (int y = first; y <= last; y++) {
        int shifted = y - (month <= 2);
        int era_year = shifted % 400, months = (month + 9) % 12;
        int64_t days = (int64_t)(shifted / 400) * 146097 + era_year * 365 + era_year / 4 -
                       era_year / 100 + (153 * months + 2) / 5 + day - 1 - 719468;
        if (best == DAY_UNKNOWN || llabs(days - near_day) < llabs(best - near_day)) {
            best = days;
        }
    }
    return best;
}

void day_words(int64_t day, int64_t near_day, char *text, size_t text_size) {
    struct calendar_day date = moment_day((struct moment){day * 86400, 0});
    struct calendar_day near = moment_day((struct moment){near_day * 86400, 0});
    if (date.year != near.year) {
        snprintf(text, text_size, "%d年%d月%d日", date.year, date.month, date.day);
    } else {
        snprintf(text, text_size, "%d月%d日", date.month, date.day);
    }
}

// A word that makes what follows it only possible; far: beyond commas, to the sentence's end.
struct condition {
    const char *word;
    bool is_far;
};

static bool starts_condition(const struct folded_text *text, size_t at, size_t to, bool is_far) {
    if (is_far) { // 如再发热, but not 增大如孕3个月
        return at == 0 || !character_is_han(text->chars[at - 1]);
    }
    for (size_t k = at; k < to; k++) {
        if (text->chars[k] == ',') {
            return false;
        }
    }
    return true;
}

bool stands_in_condition(const struct folded_text *text, size_t at) {
    static const struct condition words[] = {
        {"如", true},      {"若", true},      {"警惕", false}, {"可能", false},   {"排除", false},
        {"除外", false},   {"风险", false},   {"预防", false}, {"防止", false},   {"避免", false},
        {"注意", false},   {"观察", false},   {"鉴别", false}, {"必要时", false}, {"目标", false},
        {"可引起", false}, {"可出现", false}, {"易", false},   {"防", false},     {"待", false},
        {"可致", false},   {"交代", false},   {"告知", false}, {"说明", false},   {"识别", false},
        {"宣教", false},   {"嘱", false},     {"不得", false}, {"不可", false},   {"低于", false},
        {"超过", false}};
    size_t from = at;
    while (from > 0 && at - from < 64 && !character_ends_sentence(text->chars[from - 1])) {
        from--;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t found = folded_find(text, from, at, words[i].word);
        if (found < at && starts_condition(text, found, at, words[i].is_far)) {
            return true;
        }
    }
    size_t end = at;
    while (end < text->n && end - at < 64 && !character_ends_sentence(text->chars[end])) {
        end++;
    }
    if (folded_find(text, at, end, "就诊") < end && folded_find(text, at, end, "立即") < end) {
        return true; // 突发胸痛、咯血，立即就诊
    }
    size_t behind = at + 6 < text->n ? at + 6 : text->n;
    return folded_find(text, at, behind, "风险") < behind ||
           folded_find(text, at, behind, "可能") < behind;
}

static struct place *add_place(struct place_set *set) {
    if (set->count == PLACES_MAX) {
        return NULL;
    }
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 512;
        struct place *places = realloc(set->places, capacity * sizeof *places);
        if (!places) {
            return NULL;
        }
        set->places = places;
        set->capacity = capacity;
    }
    struct place *place = &set->places[set->count];
    *place = (struct place){.day = DAY_UNKNOWN, .last_day = DAY_UNKNOWN, .is_trusted = true};
    return place;
}

// Days of the mentions that were just found in a place.
static bool add_days(struct place_set *set, const struct place *place) {
    if (set->mentions.count > set->days_capacity) {
        size_t capacity = set->mentions.count * 2;
        int64_t *grown = realloc(set->mention_days, capacity * sizeof *grown);
        if (!grown) {
            return false;
        }
        set->mention_days = grown;
        set->days_capacity = capacity;
    }
    int64_t *days = set->mention_days, day = place->day;
    for (size_t i = place->first_mention; i < set->mentions.count; i++) {
        const struct mention *m = &set->mentions.items[i];
        if (m->kind == MENTION_DATE && m->day) {
            day = day_of_date(m->year, m->month, m->day,
                              place->day == DAY_UNKNOWN ? set->admit_day : place->day);
        } else if (m->kind == MENTION_RELATIVE && place->day != DAY_UNKNOWN) {
            day = place->day + m->day_offset;
        }
        days[i] = day;
    }
    return true;
}

static bool fill_place(struct place_set *set, struct place *place, const char *text, size_t bytes) {
    if (!folded_init(&place->folded, text, bytes)) {
        return false;
    }
    set->count++; // from here on the set frees it
    place->first_mention = set->mentions.count;
    if (!mentions_scan(set->lexicon, &place->folded, &set->mentions)) {
        return false;
    }
    place->n_mentions = set->mentions.count - place->first_mention;
    return add_days(set, place);
}

// All sentences of one section.
static bool add_section(struct place_set *set, struct source source, const struct section *section,
                        int64_t day, int64_t last_day, bool is_warning) {
    const char *text = section->text;
    size_t bytes = section->text_bytes, first = set->count;
    size_t trusted = text_trusted_bytes(text, bytes);
    int tainted_lines = 0;
    for (size_t start = 0; start < bytes;) {
        size_t end = sentence_end(text, bytes, start);
        bool order = text_is_instruction(text + start, end - start, NULL);
        // What follows an order to the end of its line, and the line behind, belong to it.
        tainted_lines -= tainted_lines > 0 && start > 0 && text[start - 1] == '\n';
        tainted_lines = order ? 2 : tainted_lines;
        if (order && set->count > first && instruction_looks_back(text + start, end - start)) {
            set->places[set->count - 1].is_trusted = false;
        }
        if (!sentence_is_empty(text + start, end - start)) {
            struct place *place = add_place(set);
            if (!place) {
                return false;
            }
            place->source = source;
            place->source.start = start;
            place->source.end = end;
            while (place->source.end > start &&
                   (text[place->source.end - 1] == '\n' || text[place->source.end - 1] == ' ')) {
                place->source.end--;
            }
            place->day = day;
            place->last_day = last_day;
            place->is_trusted = tainted_lines == 0 && start < trusted;
            place->is_warning = is_warning;
            if (!fill_place(set, place, text + start, end - start)) {
                return false;
            }
        }
        start = end;
    }
    return true;
}

static bool add_row(struct place_set *set, enum source_kind kind, int row, int64_t day,
                    int64_t last_day, const struct row_words *words) {
    struct place *place = add_place(set);
    if (!place) {
        return false;
    }
    place->source = (struct source){.kind = kind, .row = row};
    place->day = day;
    place->last_day = last_day;
    place->is_order = kind == SOURCE_ORDER;
    place->is_trusted = !text_is_instruction(words->text, words->used, NULL);
    place->row_text = strndup(words->text, words->used);
    if (!place->row_text) {
        return false;
    }
    bool ok = fill_place(set, place, words->text, words->used);
    if (!ok && set->places + set->count == place) {
        free(place->row_text); // the set does not have it yet
    }
    return ok;
}

const char *place_text(const struct episode *episode, const struct place *place, size_t *bytes) {
    if (place->row_text) {
        *bytes = strlen(place->row_text);
        return place->row_text;
    }
    const struct section *section = source_section(episode, &place->source);
    *bytes = place->source.end - place->source.start;
    return section->text + place->source.start;
}

static bool add_docs(struct place_set *set, const struct episode *episode) {
    for (int d = 0; d < episode->n_docs; d++) {
        const struct document *doc = &episode->docs[d];
        int64_t day = moment_day_number(doc->event);
        bool warns = strstr(doc->local_title, "同意书") || strstr(doc->local_title, "告知") ||
                     strstr(doc->local_title, "沟通") || strstr(doc->local_title, "宣教") ||
                     strstr(doc->local_title, "健康教育");
        for (int s = 0; s < doc->n_sections && document_is_evidence(doc); s++) {
            struct source source = {.kind = SOURCE_DOC, .row = d, .section = s};
            if (!add_section(set, source, &doc->sections[s], day, day, warns)) {
                return false;
            }
        }
    }
    return true;
}

static bool add_reports(struct place_set *set, const struct episode *episode) {
    for (int r = 0; r < episode->n_reports; r++) {
        const struct report *report = &episode->reports[r];
        int64_t day = moment_day_number(report->exam), last = moment_day_number(report->report);
        struct row_words words = {.used = 0};
        say(&words, "%s", report->name);
        struct source source = {.kind = SOURCE_REPORT, .row = r, .section = 0};
        if (!add_section(set, source, &report->findings, day, last, false)) {
            return false;
        }
        source.section = 1;
        if (!add_section(set, source, &report->conclusion, day, last, false)) {
            return false;
        }
        if (!add_row(set, SOURCE_REPORT, r, day, last, &words)) {
            return false;
        }
        set->places[set->count - 1].source.section = 1;
    }
    return true;
}

static bool add_orders(struct place_set *set, const struct episode *episode) {
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *order = &episode->orders[i];
        struct row_words words = {.used = 0};
        say(&words, "%s", order->name);
        if (order->has_dose) {
            say(&words, " %.10g %s", order->dose, order->dose_unit ? order->dose_unit : "");
        }
        say(&words, " %s %s", order->route ? order->route : "",
            order->frequency ? order->frequency : "");
        if (order->course_days > 0) {
            say(&words, " %d天", order->course_days);
        }
        say(&words, " %s %s", order->purpose ? order->purpose : "",
            order->result ? order->result : "");
        say(&words, "%s", order->is_discharge_drug ? " 出院带药" : "");
        if (order->is_pending) {
            say(&words, " %s未回报", order->pending_name ? order->pending_name : order->name);
        }
        int64_t day = moment_day_number(order->start), stop = moment_day_number(order->stop);
        if (!add_row(set, SOURCE_ORDER, i, day, stop == DAY_UNKNOWN ? day : stop, &words)) {
            return false;
        }
    }
    return true;
}

static bool add_labs(struct place_set *set, const struct episode *episode) {
    for (int i = 0; i < episode->n_labs; i++) {
        const struct lab *lab = &episode->labs[i];
        struct row_words words = {.used = 0};
        say(&words, "%s%s%s%s%s", lab->name, lab->is_number ? "" : " ", lab->text,
            lab->unit && (unsigned char)lab->unit[0] == 0xC3 ? "" : " ",
            lab->unit ? lab->unit : "");
        if (!add_row(set, SOURCE_LAB, i, moment_day_number(lab->collect),
                     moment_day_number(lab->report), &words)) {
            return false;
        }
    }
    return true;
}

static bool add_vitals(struct place_set *set, const struct episode *episode) {
    for (int i = 0; i < episode->n_vitals; i++) {
        const struct vital *vital = &episode->vitals[i];
        struct row_words words = {.used = 0};
        if (!isnan(vital->temperature_c)) {
            say(&words, "体温%.10g℃，", vital->temperature_c);
        }
        if (!isnan(vital->pulse_per_min)) {
            say(&words, "脉搏%.10g次/分，心率%.10g次/分，", vital->pulse_per_min,
                vital->pulse_per_min);
        }
        if (!isnan(vital->respiration_per_min)) {
            say(&words, "呼吸%.10g次/分，", vital->respiration_per_min);
        }
        if (!isnan(vital->systolic_mmhg) && !isnan(vital->diastolic_mmhg)) {
            say(&words, "血压%.10g/%.10g mmHg，", vital->systolic_mmhg, vital->diastolic_mmhg);
        }
        if (!isnan(vital->oxygen_l_per_min) && vital->oxygen_l_per_min > 0) {
            say(&words, "吸氧%.10g L/min，", vital->oxygen_l_per_min);
        }
        if (!isnan(vital->spo2_percent)) {
            say(&words, "%s指脉氧饱和度%.10g%%", vital->oxygen_l_per_min > 0 ? "" : "未吸氧",
                vital->spo2_percent);
        }
        int64_t day = moment_day_number(vital->at);
        if (!add_row(set, SOURCE_VITAL, i, day, day, &words)) {
            return false;
        }
    }
    return true;
}

static void say_implants(struct row_words *words, const json_t *row) {
    size_t i;
    const json_t *implant;
    json_array_foreach(json_object_get(row, "implants"), i, implant) {
        const char *name = json_string_value(json_object_get(implant, "name"));
        const char *size = json_string_value(json_object_get(implant, "specification"));
        const char *code = json_string_value(json_object_get(implant, "barcode"));
        say(words, "，植入%s1枚（%s）%s", name ? name : "", size ? size : "", code ? code : "");
    }
}

static bool add_tables(struct place_set *set, const struct episode *episode) {
    for (int i = 0; i < episode->n_diagnoses; i++) {
        struct row_words words = {.used = 0};
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        bool at_end = strcmp(diagnosis->stage, "discharge") == 0;
        say(&words, "%s诊断 %s %s", at_end ? "出院" : "入院", diagnosis->name,
            diagnosis->outcome ? diagnosis->outcome : "");
        int64_t day = moment_day_number(diagnosis->at);
        if (!add_row(set, SOURCE_DIAGNOSIS, i, day, day, &words)) {
            return false;
        }
    }
    for (int i = 0; i < episode->n_operations; i++) {
        struct row_words words = {.used = 0};
        const struct operation *operation = &episode->operations[i];
        say(&words, "%s在%s下%s行%s", "", operation->anaesthesia ? operation->anaesthesia : "",
            operation->is_emergency ? "急诊" : "", operation->name);
        say_implants(&words, operation->json);
        if (!add_row(set, SOURCE_OPERATION, i, moment_day_number(operation->start),
                     moment_day_number(operation->end), &words)) {
            return false;
        }
    }
    return true;
}

static bool add_stay(struct place_set *set, const struct episode *episode) {
    static const struct {
        const char *type, *name;
    } names[] = {
        {"admit", "入院"}, {"discharge", "出院"}, {"transfer", "转科"}, {"surgery", "手术"}};
    for (int i = 0; i < episode->n_events; i++) {
        const struct encounter_event *event = &episode->events[i];
        struct row_words words = {.used = 0};
        const char *name = "";
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            name = strcmp(names[k].type, event->type) == 0 ? names[k].name : name;
        }
        int64_t day = moment_day_number(event->at);
        char date[40];
        day_words(day, day, date, sizeof date);
        say(&words, "%s%s %s", date, name, event->detail ? event->detail : "");
        if (!add_row(set, SOURCE_EVENT, i, day, day, &words)) {
            return false;
        }
    }
    struct row_words words = {.used = 0};
    const struct patient *patient = &episode->patient;
    say(&words, "患者%s，%s性，%d岁", patient->name, patient->sex, episode_age_years(episode));
    if (patient->weight_kg > 0) {
        say(&words, "，体重%.10g kg", patient->weight_kg);
    }
    for (int i = 0; i < patient->n_allergies; i++) {
        say(&words, "，%s过敏（%s）", patient->allergies[i].substance,
            patient->allergies[i].reaction);
    }
    say(&words, "，%s", patient->blood_type ? patient->blood_type : "");
    if (episode_stay_days(episode) >= 0) {
        say(&words, "，住院%d天", episode_stay_days(episode));
    }
    say(&words, "，%s入院，%s", episode->encounter.route ? episode->encounter.route : "",
        episode->encounter.disposition ? episode->encounter.disposition : "");
    return add_row(set, SOURCE_PATIENT, 0, set->admit_day, set->admit_day, &words);
}

bool place_set_init(struct place_set *set, const struct episode *episode,
                    const struct lexicon *lexicon) {
    *set = (struct place_set){.lexicon = lexicon};
    set->admit_day = moment_day_number(episode->encounter.admit);
    return add_docs(set, episode) && add_reports(set, episode) && add_orders(set, episode) &&
           add_labs(set, episode) && add_vitals(set, episode) && add_tables(set, episode) &&
           add_stay(set, episode);
}

void place_set_deinit(struct place_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        folded_deinit(&set->places[i].folded);
        free(set->places[i].row_text);
    }
    free(set->places);
    free(set->mention_days);
    mention_list_deinit(&set->mentions);
    *set = (struct place_set){0};
}
