// SPDX-License-Identifier: Apache-2.0
// See consult_facts.h.
#include "clinic/facts/consult_facts.h"

#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/trusted_text.h"

#include <string.h>

#define ANSWER_BYTES 180 // of a consultation
#define ANSWER_BYTES_MIN 12
#define PURPOSE_BYTES 90  // of its request
#define SHORT_BYTES 100   // an answer that needs no choice
#define LONG_STAY_DAYS 20 // its consultations are told without what was asked

struct place {
    const struct note_context *context;
    int doc_row, section;
    struct fact_list *facts;
    struct clinic_error *error;
};

// Of a long answer only what it judges: scores, risks, what it is.
static void add_answer(struct wording *wording, const struct clause *sentence) {
    static const char *const JUDGING[] = {"诊断", "考虑", "风险", "禁忌", "指征", "符合", "不佳",
                                          "评分", "指数", "阳性", "试验", "心律", "颤动", NULL};
    // What is advised, without a mark that says so.
    static const char *const ADVISING[] = {"同意", "建议", "恢复", "加用", "停用", "暂",
                                           "改用", "拟行", "继续", "调整", "无需", NULL};
    struct clause part;
    size_t position = sentence->start, begun = wording->bytes;
    if (clause_has(sentence, "到场")) return;
    size_t bytes = sentence->end - sentence->start;
    if (bytes < ANSWER_BYTES_MIN) return; // "建议"
    bool is_opinion = clause_has_any(sentence, JUDGING) || clause_has_any(sentence, ADVISING);
    if ((bytes <= SHORT_BYTES && (is_opinion || bytes >= SHORT_BYTES / 2)) ||
        (bytes <= ANSWER_BYTES && clause_has_any(sentence, JUDGING))) {
        wording_add_bytes(wording, sentence->text + sentence->start,
                          sentence->end - sentence->start);
        return;
    }
    while (clause_next(sentence->text, sentence->end, CLAUSE_PART, &position, &part)) {
        if ((!clause_has_any(&part, JUDGING) && !clause_has_any(&part, ADVISING)) ||
            clause_has(&part, "诊断性") || part.end - part.start > ANSWER_BYTES)
            continue;
        wording_add(wording, wording->bytes == begun ? "" : "，");
        wording_add_bytes(wording, part.text + part.start, part.end - part.start);
        if (wording->bytes - begun > ANSWER_BYTES) break;
    }
}

// Why the other department was asked: "请协助调整降糖方案" of the request.
static void add_purpose(struct wording *wording, const struct document *doc) {
    for (int s = 0; s < doc->n_sections; s++) {
        const struct section *section = &doc->sections[s];
        struct clause part;
        size_t position = 0;
        if (!strstr(section->name, "理由") && !strstr(section->name, "目的")) continue;
        struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
        while (trusted_text_next(&trusted, CLAUSE_PART, &position, &part)) {
            size_t bytes = part.end - part.start;
            if (!clause_starts(&part, "请") || bytes <= strlen("请") || bytes > PURPOSE_BYTES ||
                clause_has(&part, "会诊"))
                continue;
            wording_add(wording, "（");
            wording_add_bytes(wording, part.text + part.start + strlen("请"), bytes - strlen("请"));
            wording_add(wording, "）");
            return;
        }
    }
}

// What is advised first, where the answer says so after what was found.
static bool find_advised(const struct section *section, struct clause *advised) {
    static const char MARK[] = "意见：";
    const char *mark = strstr(section->text, MARK);
    struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
    size_t position = 0, start = mark ? (size_t)(mark - section->text) + strlen(MARK) : 0;
    while (mark && trusted_text_next(&trusted, CLAUSE_CLAUSE, &position, advised)) {
        if (advised->end <= start) continue;
        if (advised->start < start) {
            size_t digits = number_length(section->text + start);
            advised->start = start + digits;
            while (digits &&
                   (section->text[advised->start] == '.' || section->text[advised->start] == ' '))
                advised->start++;
        }
        return advised->end > advised->start && advised->end - advised->start <= ANSWER_BYTES;
    }
    return false;
}

// How long a treatment is to go on, behind what was told already.
static bool find_course(const struct section *section, size_t behind, struct clause *course) {
    static const char *const COURSES[] = {"总疗程",   "抗凝至少", "疗程", // the first one there
                                          "服用至少", "治疗至少", NULL};
    static const char *const SPANS[] = {"周", "个月", "天", NULL};
    for (int i = 0; COURSES[i]; i++) {
        struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
        size_t position = 0;
        while (trusted_text_next(&trusted, CLAUSE_PART, &position, course)) {
            if (course->start >= behind && clause_has(course, COURSES[i]) &&
                clause_has_any(course, SPANS) && clause_days(course) > 0 &&
                course->end - course->start <= PURPOSE_BYTES)
                return true;
        }
    }
    return false;
}

static void add_course(struct place *place, const struct section *section, struct fact_entry *entry,
                       size_t behind) {
    struct clause course;
    if (!find_course(section, behind, &course)) return;
    wording_add(&entry->text, "，");
    wording_add_bytes(&entry->text, course.text + course.start, course.end - course.start);
    fact_entry_span(entry, SOURCE_DOC, place->doc_row, place->section, course.start, course.end);
}

// "15 mg以上须随餐": what begins with a number speaks of something before it.
static bool is_fragment(const struct clause *sentence) {
    return number_length(sentence->text + sentence->start) > 0;
}

// What was answered: the first advice where there is one, else the first sentence that judges.
static size_t add_judgement(struct place *place, const struct section *section,
                            struct fact_entry *entry) {
    struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
    struct clause sentence;
    size_t position = 0, named = entry->text.bytes;
    if (find_advised(section, &sentence)) {
        wording_add_bytes(&entry->text, section->text + sentence.start,
                          sentence.end - sentence.start);
        fact_entry_span(entry, SOURCE_DOC, place->doc_row, place->section, sentence.start,
                        sentence.end);
        return sentence.end;
    }
    while (trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence)) {
        if (!is_fragment(&sentence)) add_answer(&entry->text, &sentence);
        if (entry->text.bytes == named) continue;
        fact_entry_span(entry, SOURCE_DOC, place->doc_row, place->section, sentence.start,
                        sentence.end);
        return sentence.end;
    }
    return 0;
}

static bool add_opinion(struct place *place, const struct section *section, const char *title) {
    const struct episode *episode = place->context->episode;
    struct fact_entry entry =
        fact_entry_begin(FACT_CONSULT, consult_is_must(episode, title), place->context->doc->event);
    const char *end = strstr(title, "会诊");
    wording_add_bytes(&entry.text, title,
                      end ? (size_t)(end - title) + strlen("会诊") : strlen(title));
    wording_add(&entry.value, entry.text.text);
    if (episode_stay_days(episode) <= LONG_STAY_DAYS) add_purpose(&entry.text, place->context->doc);
    wording_add(&entry.text, "意见：");
    size_t named = entry.text.bytes, told = add_judgement(place, section, &entry);
    if (told > 0) {
        add_course(place, section, &entry, told);
    } else {
        wording_cut(&entry.text, named - strlen("意见："));
        fact_entry_span(&entry, SOURCE_DOC, place->doc_row, place->section, 0, section->text_bytes);
    }
    return fact_entry_end(&entry, place->facts, place->error);
}

bool facts_of_consultation(const struct note_context *context, int doc_row, struct fact_list *facts,
                           struct clinic_error *error) {
    const struct document *doc = context->doc;
    struct place place = {.context = context, .doc_row = doc_row, .facts = facts, .error = error};
    for (place.section = 0; place.section < doc->n_sections; place.section++) {
        const struct section *section = &doc->sections[place.section];
        if (!strstr(section->name, "意见") || !section->text_bytes) continue;
        if (!add_opinion(&place, section, doc->local_title ? doc->local_title : "会诊"))
            return false;
    }
    return true;
}
