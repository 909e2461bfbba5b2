// SPDX-License-Identifier: Apache-2.0
// See document_facts.h.
#include "clinic/facts/document_facts.h"

#include "clinic/facts/consult_facts.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/trusted_text.h"
#include "clinic/text/lexicon_words.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_BYTES_MAX 600 // a longer group is cut: it is a fact, not a paragraph

static bool is_known(const struct note_drugs *drugs, const char *stem, bool is_home) {
    for (int i = 0; i < drugs->n_drugs; i++) {
        if (strcmp(drugs->drugs[i].stem, stem) == 0 && drugs->drugs[i].is_home == is_home)
            return true;
    }
    return false;
}

// What the history says is taken: a known drug's name in a sentence that says so.
static void add_home_drugs(struct note_drugs *drugs, const char *text, size_t bytes) {
    static const char *const TAKEN[] = {"服", "吸入", "使用", "注射", "皮下", NULL};
    struct clause sentence;
    size_t position = 0;
    while (clause_next(text, bytes, CLAUSE_SENTENCE, &position, &sentence)) {
        if (!clause_has_any(&sentence, TAKEN) || clause_has(&sentence, "过敏")) continue;
        for (int i = 0; LEXICON_DRUGS[i] && drugs->n_drugs < NOTE_DRUGS_MAX; i++) {
            struct note_drug drug = {.is_home = true};
            size_t length = strcspn(LEXICON_DRUGS[i], "|");
            if (length < strlen("茶碱") || length >= sizeof drug.stem) continue;
            memcpy(drug.stem, LEXICON_DRUGS[i], length);
            if (clause_has(&sentence, drug.stem) && !is_known(drugs, drug.stem, true))
                drugs->drugs[drugs->n_drugs++] = drug;
        }
    }
}

static void add_history(struct note_drugs *drugs, const struct episode *episode) {
    for (int i = 0; i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        if (strcmp(doc->type, "admission_note") != 0 || !document_tells_facts(doc)) continue;
        for (int k = 0; k < doc->n_sections; k++) {
            const struct section *section = &doc->sections[k];
            if (strcmp(section->name, "既往史") == 0 || strcmp(section->name, "现病史") == 0)
                add_home_drugs(drugs, section->text, section->text_bytes);
        }
        return;
    }
}

bool note_drugs_init(struct note_drugs *drugs, const struct episode *episode,
                     struct clinic_error *error) {
    *drugs = (struct note_drugs){0};
    drugs->drugs = calloc(NOTE_DRUGS_MAX, sizeof *drugs->drugs);
    if (!drugs->drugs) return clinic_fail_memory(error);
    for (int i = 0; i < episode->n_orders && drugs->n_drugs < NOTE_DRUGS_MAX; i++) {
        const struct order *order = &episode->orders[i];
        if (strcmp(order->order_class, "drug") != 0) continue;
        struct note_drug drug = {.is_home = false};
        drug_stem(order->name, drug.stem);
        if (drug.stem[0] && !is_known(drugs, drug.stem, false))
            drugs->drugs[drugs->n_drugs++] = drug;
    }
    add_history(drugs, episode);
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

// "4周后门诊复诊" of a consultation is with who was asked.
static void name_department(const struct note *note, struct wording *text) {
    const struct document *doc = note->context.doc;
    const char *end = doc->local_title ? strstr(doc->local_title, "会诊") : NULL;
    const char *visit = text->text ? strstr(text->text, "门诊") : NULL;
    struct wording words = *text;
    if (strcmp(doc->type, "consultation") != 0 || !end || end == doc->local_title || !visit ||
        strstr(text->text, "科"))
        return;
    *text = (struct wording){0};
    wording_add_bytes(text, words.text, (size_t)(visit - words.text));
    wording_add_bytes(text, doc->local_title, (size_t)(end - doc->local_title));
    wording_add(text, visit);
    wording_deinit(&words);
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
    if (!drug || !words.text || !advice_needs_drug(words.text) || strstr(words.text, drug)) return;
    *text = (struct wording){0};
    wording_add(text, drug);
    wording_add(text, number_length(words.text) ? "：" : "");
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
        name_department(note, &entry.text);
        if (entry.text.text && advice_is_doubtful(entry.text.text)) entry.fact.is_must = false;
    }
    fact_entry_span(&entry, SOURCE_DOC, note->doc_row, note->section, kept.start, kept.end);
    return fact_entry_end(&entry, note->facts, note->error);
}

// "已向患者及家属交代出院带药、戒烟、居家1周及复查时间": each advice of the list by itself.
static bool emit_told_list(struct note *note, const struct clause *part) {
    static const char *const ADVICE[] = {"戒",   "防",   "饮食", "居家", "接种",
                                         "避免", "休息", "限",   "禁",   NULL};
    static const char *const METHODS[] = {"方法", "时间", "带药", "要点", NULL};
    for (size_t at = part->start, end; at < part->end; at = end + strlen("、")) {
        const char *mark = strstr(part->text + at, "、");
        end = mark && (size_t)(mark - part->text) < part->end ? (size_t)(mark - part->text)
                                                              : part->end;
        struct clause item = {.text = part->text, .start = at, .end = end};
        size_t and = clause_find(&item, "及复"); // "及复查时间"
        if (and < item.end) item.end = and;
        if (clause_has(&item, "交代") || !clause_has_any(&item, ADVICE) ||
            clause_has_any(&item, METHODS))
            continue;
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
    if (view->fact_class == FACT_DIAGNOSIS || view->fact_class == FACT_DRUG)
        return view->is_must != before->is_must;
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
        bool is_last = note->context.is_last; // for home, too
        struct note_view stop = {is_last ? FACT_FOLLOWUP : FACT_DRUG, is_last};
        return flush(note, group) && emit(note, &both, stop);
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
    if (strcmp(doc->type, "consultation") == 0 &&
        !facts_of_consultation(&note.context, doc_row, facts, error))
        return false;
    if (strcmp(doc->type, "rescue_record") == 0 && !add_rescue(&note)) return false;
    for (note.section = 0; note.section < doc->n_sections; note.section++) {
        if (!take_section(&note)) return false;
    }
    return true;
}
