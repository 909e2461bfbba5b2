// SPDX-License-Identifier: Apache-2.0
// See document_facts.h.
#include "clinic/facts/document_facts.h"

#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/trusted_text.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES 180    // of a consultation
#define PURPOSE_BYTES 90    // of its request
#define SHORT_BYTES 100     // an answer that needs no choice
#define LONG_STAY_DAYS 20   // its consultations are told without what was asked
#define GROUP_BYTES_MAX 600 // a longer group is cut: it is a fact, not a paragraph

bool note_drugs_init(struct note_drugs *drugs, const struct episode *episode,
                     struct clinic_error *error) {
    *drugs = (struct note_drugs){0};
    drugs->drugs = calloc((size_t)episode->n_orders + 1, sizeof *drugs->drugs);
    if (!drugs->drugs) return clinic_fail_memory(error);
    for (int i = 0; i < episode->n_orders && drugs->n_drugs < NOTE_DRUGS_MAX; i++) {
        const struct order *order = &episode->orders[i];
        if (strcmp(order->order_class, "drug") != 0) continue;
        struct note_drug drug;
        drug_stem(order->name, drug.stem);
        bool is_known = drug.stem[0] == '\0';
        for (int k = 0; k < drugs->n_drugs && !is_known; k++)
            is_known = strcmp(drugs->drugs[k].stem, drug.stem) == 0;
        if (!is_known) drugs->drugs[drugs->n_drugs++] = drug;
    }
    return true;
}

void note_drugs_deinit(struct note_drugs *drugs) {
    free(drugs->drugs);
    *drugs = (struct note_drugs){0};
}

// Behind "…主任医师查房：", "…同意今日出院，已交代：", "出院后：".
static size_t skip_speaker(const struct clause *stretch) {
    static const char *const SPEAKERS[] = {"查房", "指示",   "交代", "说明", "总结", "建议", "告知",
                                           "医师", "出院后", "处理", "嘱",   "计划", NULL};
    size_t colon = clause_find(stretch, "：");
    if (colon >= stretch->end) return stretch->start;
    struct clause before = {.text = stretch->text, .start = stretch->start, .end = colon};
    for (int i = 0; SPEAKERS[i]; i++) {
        size_t bytes = strlen(SPEAKERS[i]);
        if (colon - before.start >= bytes &&
            memcmp(stretch->text + colon - bytes, SPEAKERS[i], bytes) == 0)
            return colon + strlen("：");
    }
    return stretch->start;
}

static size_t skip_opening(const struct clause *stretch) {
    static const char *const OPENINGS[] = {"已告知患者及家属",
                                           "已告知患者",
                                           "已教会患者",
                                           "教会患者",
                                           "并告知",
                                           "告知",
                                           "同时",
                                           "遂",
                                           "并",
                                           "因此",
                                           NULL};
    size_t start = skip_speaker(stretch);
    struct clause spoken = {.text = stretch->text, .start = start, .end = stretch->end};
    if (clause_starts(&spoken, "出院诊断修正")) return start + strlen("出院");
    for (int i = 0; OPENINGS[i]; i++) {
        struct clause rest = {.text = stretch->text, .start = start, .end = stretch->end};
        if (clause_starts(&rest, OPENINGS[i]) && rest.end - start > strlen(OPENINGS[i]) + 6)
            return start + strlen(OPENINGS[i]);
    }
    return start;
}

static const struct {
    const char *from, *to;
    int days;
} DAY_WORDS[] = {{"今日", "当日", 0},    {"今晨", "当日晨", 0},    {"今晚", "当晚", 0},
                 {"昨日", "前一日", -1}, {"昨晚", "前一日晚", -1}, {"明日", "次日", 1},
                 {"明晨", "次日晨", 1}};
#define N_DAY_WORDS (sizeof DAY_WORDS / sizeof *DAY_WORDS)

static size_t day_word_at(const struct clause *stretch, size_t at) {
    for (size_t i = 0; i < N_DAY_WORDS; i++) {
        struct clause rest = {.text = stretch->text, .start = at, .end = stretch->end};
        if (clause_starts(&rest, DAY_WORDS[i].from)) return i;
    }
    return N_DAY_WORDS;
}

void note_words(struct wording *wording, const struct clause *stretch, int *days) {
    size_t at = skip_opening(stretch), begun = at;
    *days = 0;
    while (at < stretch->end) {
        size_t word = day_word_at(stretch, at);
        if (word == N_DAY_WORDS) {
            size_t bytes = character_length(stretch->text + at);
            wording_add_bytes(wording, stretch->text + at, bytes);
            at += bytes;
            continue;
        }
        if (at == begun) // the sentence will begin with its date
            *days = DAY_WORDS[word].days;
        else
            wording_add(wording, DAY_WORDS[word].to);
        at += strlen(DAY_WORDS[word].from);
    }
}

struct note {
    struct note_context context;
    int doc_row, section;
    struct fact_list *facts;
    struct clinic_error *error;
};

static struct moment shifted(struct moment moment, int days) {
    if (moment.seconds != MOMENT_UNKNOWN) moment.seconds += (int64_t)days * 86400;
    return moment;
}

// Whether an order for home is for a drug of this stem.
static bool goes_home(const struct note_context *context, const char *stem) {
    for (int i = 0; i < context->episode->n_orders; i++) {
        const struct order *order = &context->episode->orders[i];
        char other[DRUG_STEM_BYTES];
        if (!order->is_discharge_drug) continue;
        drug_stem(order->name, other);
        if (strcmp(other, stem) == 0) return true;
    }
    return false;
}

// The drug for home that the nearest part before names; NULL: none, or several.
static const char *drug_before(const struct note *note, const struct clause *group) {
    struct clause sentence, part;
    size_t position = 0;
    const char *drug = NULL;
    const struct note_context *context = &note->context;
    const struct section *section = &context->doc->sections[note->section];
    while (clause_next(section->text, section->text_bytes, CLAUSE_SENTENCE, &position, &sentence) &&
           sentence.end <= group->start) {
    }
    position = sentence.start;
    while (clause_next(section->text, group->start, CLAUSE_PART, &position, &part)) {
        const char *found = NULL;
        int n = 0;
        for (int i = 0; i < context->n_drugs; i++) {
            const char *stem = context->drugs[i].stem;
            if (!clause_has(&part, stem) || !goes_home(context, stem)) continue;
            found = stem;
            n++;
        }
        if (n > 0) drug = n == 1 ? found : NULL;
    }
    return drug;
}

// "用至12月上旬" is no advice without its drug; the sentence named it before.
static void name_drug(struct note *note, const struct clause *group, struct wording *text) {
    const char *drug = part_names_drug(&note->context, group) ? NULL : drug_before(note, group);
    struct wording words = *text;
    if (!drug || !words.text || !advice_needs_drug(words.text)) return;
    *text = (struct wording){0};
    wording_add(text, drug);
    wording_add(text, words.text);
    wording_deinit(&words);
}

static bool emit(struct note *note, const struct clause *group, struct note_view view) {
    struct fact_entry entry =
        fact_entry_begin(view.fact_class, view.is_must, note->context.doc->event);
    size_t end = group->end;
    if (end - group->start > GROUP_BYTES_MAX) {
        end = group->start;
        while (end - group->start < GROUP_BYTES_MAX - 4)
            end += character_length(group->text + end);
    }
    struct clause kept = {.text = group->text, .start = group->start, .end = end};
    int days;
    note_words(&entry.text, &kept, &days);
    entry.fact.at = shifted(entry.fact.at, days);
    if (view.fact_class == FACT_FOLLOWUP) {
        name_drug(note, &kept, &entry.text);
        if (entry.text.text && advice_is_doubtful(entry.text.text)) entry.fact.is_must = false;
    }
    fact_entry_span(&entry, SOURCE_DOC, note->doc_row, note->section, kept.start, kept.end);
    return fact_entry_end(&entry, note->facts, note->error);
}

// "已向患者及家属交代出院带药、戒烟、防跌倒及复查时间": each advice of the list by itself.
static bool emit_told_list(struct note *note, const struct clause *part) {
    static const char *const ITEMS[] = {"戒烟",       "戒酒",         "防跌倒",
                                        "防脱位",     "低盐低脂饮食", "低脂饮食",
                                        "糖尿病饮食", "低盐饮食",     NULL};
    for (int i = 0; ITEMS[i]; i++) {
        size_t at = clause_find(part, ITEMS[i]);
        if (at >= part->end) continue;
        struct clause item = {.text = part->text, .start = at, .end = at + strlen(ITEMS[i])};
        if (!emit(note, &item, (struct note_view){FACT_FOLLOWUP, false})) return false;
    }
    return true;
}

static bool is_told_list(const struct clause *part) {
    return clause_has(part, "交代") && clause_has(part, "、") && !clause_has(part, "：");
}

// "塞来昔布与抗凝药合用增加出血风险，停用": the drug and what was done to it, two parts.
static bool is_bare_stop(const struct clause *part) {
    static const char *const STOPS[] = {"停用", "停药", "予停用", "暂停使用", NULL};
    return clause_starts_any(part, STOPS) && part->end - part->start <= strlen("停用停用停用");
}

// "左氧氟沙星可引起血糖异常，须监测血糖": advice whose reason stands before it.
static bool leans_back(const struct clause *part) {
    static const char *const STARTS[] = {"须",       "需",       "应",   "不可",     "避免",
                                         "总疗程",   "至少",     "不得", "出院后服", "立即就诊",
                                         "及时就诊", "随时就诊", NULL};
    return clause_starts_any(part, STARTS);
}

// Two pieces of advice with their own times, two diagnoses of which one was only thought of.
static bool stands_alone(const struct clause *part, const struct note_view *view,
                         const struct note_view *before) {
    static const char *const CONDITIONS[] = {"如", "若", "一旦", NULL};
    static const char *const VISITS[] = {"复查", "随诊", "随访", "复诊", "门诊", NULL};
    static const char *const ON[] = {"如提示", "由", "再", "此后", NULL};
    if (clause_starts_any(part, ON)) return false; // what it speaks of stands before it
    if (view->fact_class == FACT_DIAGNOSIS) return view->is_must != before->is_must;
    return view->fact_class == FACT_FOLLOWUP &&
           (number_length(part->text + part->start) > 0 || clause_starts_any(part, CONDITIONS) ||
            clause_has_any(part, VISITS));
}

struct group {
    struct clause stretch;
    struct note_view view;
};

static bool flush(struct note *note, struct group *group) {
    bool done = group->view.fact_class == FACT_CLASSES || emit(note, &group->stretch, group->view);
    group->view.fact_class = FACT_CLASSES;
    return done;
}

// "累计手术9次，输悬浮红细胞30 U": a sum over days, which the table of orders tells
// (order_facts.c).
static bool is_sum(const struct clause *clause, const struct clause *part,
                   const struct note_view *view) {
    static const char *const SUMS[] = {"累计", "共输", "总计", "合计", NULL};
    struct clause before = {.text = clause->text, .start = clause->start, .end = part->end};
    return view->fact_class == FACT_DRUG && clause_has(part, "输") && clause_has_any(&before, SUMS);
}

static bool take_part(struct note *note, struct group *group, const struct clause *clause,
                      const struct clause *part, const struct clause *before) {
    const struct section *section = &note->context.doc->sections[note->section];
    if (is_told_list(part)) return flush(note, group) && emit_told_list(note, part);
    struct note_view view = note_classify(&note->context, section->name, part);
    if (is_sum(clause, part, &view)) view.fact_class = FACT_CLASSES;
    if (is_bare_stop(part) && before->end && part_names_drug(&note->context, before)) {
        struct clause both = {.text = part->text, .start = before->start, .end = part->end};
        return flush(note, group) && emit(note, &both, (struct note_view){FACT_DRUG, false});
    }
    if (view.fact_class == group->view.fact_class && view.fact_class != FACT_CLASSES &&
        !stands_alone(part, &view, &group->view) &&
        part->end - group->stretch.start <= GROUP_BYTES_MAX) {
        group->stretch.end = part->end;
        group->view.is_must = group->view.is_must || view.is_must;
        return true;
    }
    bool was_advice = group->view.fact_class == FACT_FOLLOWUP;
    if (!flush(note, group)) return false;
    *group = (struct group){.stretch = *part, .view = view};
    if (view.fact_class == FACT_FOLLOWUP && before->end && leans_back(part) && !was_advice)
        group->stretch.start = before->start;
    return true;
}

static bool take_clause(struct note *note, const struct clause *clause) {
    struct group group = {.view = {.fact_class = FACT_CLASSES}};
    struct clause part, before = {0};
    size_t inside = clause->start;
    while (clause_next(clause->text, clause->end, CLAUSE_PART, &inside, &part)) {
        if (!take_part(note, &group, clause, &part, &before)) return false;
        before = part;
    }
    return flush(note, &group);
}

static bool take_section(struct note *note) {
    const struct section *section = &note->context.doc->sections[note->section];
    struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
    struct clause clause;
    size_t position = 0;
    while (trusted_text_next(&trusted, CLAUSE_CLAUSE, &position, &clause)) {
        if (!take_clause(note, &clause)) return false;
    }
    return true;
}

// Of a long answer only what it judges: scores, risks, what it is.
static void add_answer(struct wording *wording, const struct clause *sentence) {
    static const char *const JUDGING[] = {"诊断", "考虑", "风险", "禁忌", "指征", "符合", "不佳",
                                          "评分", "指数", "阳性", "试验", "心律", "颤动", NULL};
    struct clause part;
    size_t position = sentence->start, begun = wording->bytes;
    if (clause_has(sentence, "到场")) return;
    size_t bytes = sentence->end - sentence->start;
    if (bytes <= SHORT_BYTES || (bytes <= ANSWER_BYTES && clause_has_any(sentence, JUDGING))) {
        wording_add_bytes(wording, sentence->text + sentence->start,
                          sentence->end - sentence->start);
        return;
    }
    while (clause_next(sentence->text, sentence->end, CLAUSE_PART, &position, &part)) {
        if (!clause_has_any(&part, JUDGING) || clause_has(&part, "诊断性") ||
            part.end - part.start > ANSWER_BYTES)
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

static void add_course(struct note *note, const struct section *section, struct fact_entry *entry,
                       size_t behind) {
    struct clause course;
    if (!find_course(section, behind, &course)) return;
    wording_add(&entry->text, "，");
    wording_add_bytes(&entry->text, course.text + course.start, course.end - course.start);
    fact_entry_span(entry, SOURCE_DOC, note->doc_row, note->section, course.start, course.end);
}

// "15 mg以上须随餐": what begins with a number speaks of something before it.
static bool is_fragment(const struct clause *sentence) {
    return number_length(sentence->text + sentence->start) > 0;
}

// What was answered: the first advice where there is one, else the first sentence that judges.
static size_t add_judgement(struct note *note, const struct section *section,
                            struct fact_entry *entry) {
    struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
    struct clause sentence;
    size_t position = 0, named = entry->text.bytes;
    if (find_advised(section, &sentence)) {
        wording_add_bytes(&entry->text, section->text + sentence.start,
                          sentence.end - sentence.start);
        fact_entry_span(entry, SOURCE_DOC, note->doc_row, note->section, sentence.start,
                        sentence.end);
        return sentence.end;
    }
    while (trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence)) {
        if (!is_fragment(&sentence)) add_answer(&entry->text, &sentence);
        if (entry->text.bytes == named) continue;
        fact_entry_span(entry, SOURCE_DOC, note->doc_row, note->section, sentence.start,
                        sentence.end);
        return sentence.end;
    }
    return 0;
}

static bool add_opinion(struct note *note, const struct section *section, const char *title) {
    const struct episode *episode = note->context.episode;
    struct fact_entry entry =
        fact_entry_begin(FACT_CONSULT, consult_is_must(episode, title), note->context.doc->event);
    const char *end = strstr(title, "会诊");
    wording_add_bytes(&entry.text, title,
                      end ? (size_t)(end - title) + strlen("会诊") : strlen(title));
    wording_add(&entry.value, entry.text.text);
    if (episode_stay_days(episode) <= LONG_STAY_DAYS) add_purpose(&entry.text, note->context.doc);
    wording_add(&entry.text, "：");
    size_t named = entry.text.bytes, told = add_judgement(note, section, &entry);
    if (told > 0) {
        add_course(note, section, &entry, told);
    } else {
        wording_cut(&entry.text, named - strlen("："));
        fact_entry_span(&entry, SOURCE_DOC, note->doc_row, note->section, 0, section->text_bytes);
    }
    return fact_entry_end(&entry, note->facts, note->error);
}

// A consultation is told by who was asked and the first sentence of the answer that judges.
static bool add_consultation(struct note *note) {
    const struct document *doc = note->context.doc;
    for (note->section = 0; note->section < doc->n_sections; note->section++) {
        const struct section *section = &doc->sections[note->section];
        if (!strstr(section->name, "意见") || !section->text_bytes) continue;
        if (!add_opinion(note, section, doc->local_title ? doc->local_title : "会诊")) return false;
    }
    return true;
}

// Where a sentence of the record says what was wrong: behind 判断 or 考虑. Empty: nowhere.
static struct clause find_judgement(const struct section *section, const char *word) {
    struct trusted_text trusted = trusted_text_of(section->text, section->text_bytes);
    struct clause sentence;
    size_t position = 0;
    while (trusted_text_next(&trusted, CLAUSE_SENTENCE, &position, &sentence)) {
        size_t at = clause_find(&sentence, word) + strlen(word);
        if (at >= sentence.end) continue;
        if (strncmp(sentence.text + at, "：", strlen("：")) == 0) at += strlen("：");
        sentence.start = at;
        if (sentence.end > at && sentence.end - at <= GROUP_BYTES_MAX) return sentence;
    }
    return (struct clause){0};
}

static bool is_rescued(const struct document *doc) {
    for (int s = 0; s < doc->n_sections; s++) {
        if (strstr(doc->sections[s].text, "抢救成功")) return true;
    }
    return false;
}

// A rescue is told by what was wrong and that it went well, and always.
static bool add_rescue(struct note *note) {
    static const char *const WORDS[] = {"判断", "考虑", NULL};
    const struct document *doc = note->context.doc;
    for (int i = 0; WORDS[i] && is_rescued(doc); i++) {
        for (int s = 0; s < doc->n_sections; s++) {
            struct clause judged = find_judgement(&doc->sections[s], WORDS[i]);
            if (judged.end == 0) continue;
            struct fact_entry entry = fact_entry_begin(FACT_COMPLICATION, true, doc->event);
            wording_add_bytes(&entry.text, judged.text + judged.start, judged.end - judged.start);
            wording_add(&entry.text, "，抢救成功");
            fact_entry_span(&entry, SOURCE_DOC, note->doc_row, s, judged.start, judged.end);
            return fact_entry_end(&entry, note->facts, note->error);
        }
    }
    return true;
}

static bool is_last_note(const struct episode *episode, const struct document *doc) {
    struct moment discharge = episode->encounter.discharge;
    if (discharge.seconds == MOMENT_UNKNOWN) return false;
    return moment_day_number(doc->event) + 1 >= moment_day_number(discharge);
}

bool facts_of_note(const struct episode *episode, const struct note_drugs *drugs, int doc_row,
                   struct fact_list *facts, struct clinic_error *error) {
    const struct document *doc = &episode->docs[doc_row];
    if (!document_tells_facts(doc)) return true;
    struct note note = {.context = {.episode = episode,
                                    .doc = doc,
                                    .drugs = drugs->drugs,
                                    .n_drugs = drugs->n_drugs,
                                    .is_last = is_last_note(episode, doc)},
                        .doc_row = doc_row,
                        .facts = facts,
                        .error = error};
    if (strcmp(doc->type, "consultation") == 0 && !add_consultation(&note)) return false;
    if (strcmp(doc->type, "rescue_record") == 0 && !add_rescue(&note)) return false;
    for (note.section = 0; note.section < doc->n_sections; note.section++) {
        if (!take_section(&note)) return false;
    }
    return true;
}
