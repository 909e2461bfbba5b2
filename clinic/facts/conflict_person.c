// SPDX-License-Identifier: Apache-2.0
// Who the record is about: name (X01), sex (X04), age (X03, X05); and times that cannot follow each
// other (X08) or do not add up (X09).
#include "clinic/facts/conflict_search.h"

#include <stdlib.h>
#include <string.h>

#define CHILD_YEARS 14
#define NAME_CHARACTERS_MAX 4

static const char *const SURNAMES =
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘蒋蔡余杜叶程苏魏吕丁"
    "任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴"
    "莫孔向汤欧阳柳";

static void report_words(struct conflict_search *search, const struct note_place *place,
                         enum conflict_kind kind, enum conflict_severity severity, size_t start,
                         size_t end, const char *against) {
    struct wording words = {0};
    struct source source = note_place_source(place, start, end);
    wording_add_note(&words, place->doc);
    wording_add(&words, "写“");
    wording_add_bytes(&words, place->section->text + start, end - start);
    wording_add(&words, "”，");
    wording_add(&words, against);
    wording_add(&words, "。");
    conflict_report(search, kind, severity, &words, &source,
                    &(struct source){.kind = SOURCE_PATIENT});
}

static bool begins(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static bool begins_any(const char *text, const char *const *starts) {
    for (int i = 0; starts[i]; i++) {
        if (begins(text, starts[i])) return true;
    }
    return false;
}

// Bytes of a name at the start of the text: a surname, then up to three characters, then one of the
// words that follow names; 0: none.
static size_t name_length(const char *text, const char *const *followers) {
    size_t first = character_length(text);
    char surname[8] = {0};
    if (first != 3) return 0;
    memcpy(surname, text, first);
    if (!strstr(SURNAMES, surname)) return 0;
    size_t at = first;
    for (int n = 1; n < NAME_CHARACTERS_MAX && text[at]; n++) {
        at += character_length(text + at);
        if (begins_any(text + at, followers)) return at;
    }
    return 0;
}

static void check_name_behind(struct conflict_search *search, const struct note_place *place,
                              const char *mark, const char *const *followers) {
    const char *text = place->section->text, *own = search->episode->patient.name;
    for (const char *at = text; (at = strstr(at, mark)); at += strlen(mark)) {
        const char *name = at + strlen(mark);
        size_t bytes = name_length(name, followers);
        if (!bytes || (bytes == strlen(own) && strncmp(name, own, bytes) == 0)) continue;
        report_words(search, place, CONFLICT_PERSON, SEVERITY_VETO, (size_t)(at - text),
                     (size_t)(name - text) + bytes, "与本例患者姓名不同");
    }
}

// "患者张示安无发热": without a mark behind it a name is three characters that are no clinical
// words (高热无…, 黄疸无…).
static size_t name_in_sentence(const char *text) {
    static const char *const FOLLOWERS[] = {"无", "未", "诉", "因", "于", "神志", "今", "昨", NULL};
    static const char WORDS[] =
        "龄热血疸染白压度质能效位频体温年前后内外中上下大小多少时分日月天无未不";
    size_t bytes = name_length(text, FOLLOWERS);
    if (bytes != 9) return 0;
    for (size_t at = 3; at < bytes; at += 3) {
        char character[4] = {text[at], text[at + 1], text[at + 2], 0};
        if (strstr(WORDS, character)) return 0;
    }
    return bytes;
}

static void check_names_in_sentences(struct conflict_search *search,
                                     const struct note_place *place) {
    const char *text = place->section->text, *own = search->episode->patient.name;
    for (const char *at = text; (at = strstr(at, "患者")); at += strlen("患者")) {
        const char *name = at + strlen("患者");
        size_t bytes = name_in_sentence(name);
        if (bytes && strncmp(name, own, bytes) != 0)
            report_words(search, place, CONFLICT_PERSON, SEVERITY_VETO, (size_t)(at - text),
                         (size_t)(name - text) + bytes, "与本例患者姓名不同");
    }
}

static void check_names(struct conflict_search *search, const struct note_place *place) {
    static const char *const AFTER_FIELD[] = {"；", "，", "。", " ", "\n", "性别", NULL};
    static const char *const AFTER_PATIENT[] = {"，男",   "，女", "（",       "及配偶",
                                                "及家属", "及其", "已了解",   "同意",
                                                "今日",   "，因", "，住院号", NULL};
    check_name_behind(search, place, "姓名：", AFTER_FIELD);
    check_name_behind(search, place, "患者", AFTER_PATIENT);
    check_name_behind(search, place, "患儿", AFTER_PATIENT);
    check_names_in_sentences(search, place);
}

// --- sex
// ------------------------------------------------------------------------------------------

static bool is_about_others(const struct note_place *place, size_t at) {
    static const char *const OTHERS[] = {"母",   "父",   "妻",   "姐",   "妹",   "兄",   "弟",
                                         "子女", "女儿", "儿子", "配偶", "家族", "丈夫", NULL};
    static const char *const SECTIONS[] = {"家族史", "婚育史", "告知内容", "沟通内容", NULL};
    for (int i = 0; SECTIONS[i]; i++) {
        if (strcmp(place->section->name, SECTIONS[i]) == 0) return true;
    }
    struct clause clause = clause_around(place->section, at);
    return clause_has_any(&clause, OTHERS);
}

static void check_words(struct conflict_search *search, const struct note_place *place,
                        const char *const *words, enum conflict_kind kind,
                        enum conflict_severity severity, const char *against) {
    for (int i = 0; words[i]; i++) {
        const char *at = strstr(place->section->text, words[i]);
        size_t start = at ? (size_t)(at - place->section->text) : 0;
        if (at && !is_about_others(place, start))
            report_words(search, place, kind, severity, start, start + strlen(words[i]), against);
    }
}

static void check_sex(struct conflict_search *search, const struct note_place *place) {
    static const char *const OF_MEN[] = {"前列腺",   "阴茎",     "睾丸",     "阴囊",
                                         "精囊",     "附睾",     "性别：男", "男性，",
                                         "患者，男", "患儿，男", NULL};
    static const char *const OF_WOMEN[] = {"子宫",     "卵巢",     "阴道", "宫颈",     "末次月经",
                                           "绝经",     "剖宫产",   "初潮", "性别：女", "女性，",
                                           "患者，女", "患儿，女", NULL};
    const char *sex = search->episode->patient.sex;
    if (strcmp(sex, "女") == 0)
        check_words(search, place, OF_MEN, CONFLICT_SEX, SEVERITY_VETO, "患者为女性");
    else if (strcmp(sex, "男") == 0)
        check_words(search, place, OF_WOMEN, CONFLICT_SEX, SEVERITY_VETO, "患者为男性");
}

// --- age
// ------------------------------------------------------------------------------------------

static void check_age_behind(struct conflict_search *search, const struct note_place *place,
                             const char *mark) {
    const char *text = place->section->text;
    int years = episode_age_years(search->episode);
    for (const char *at = text; (at = strstr(at, mark)); at += strlen(mark)) {
        const char *number = at + strlen(mark);
        size_t digits = number_length(number);
        long written = digits && digits <= 3 ? strtol(number, NULL, 10) : years;
        if (!digits || !begins(number + digits, "岁") || labs(written - years) <= 1) continue;
        char against[64] = "按出生日期为";
        struct wording words = {0};
        wording_add(&words, against);
        wording_add_int(&words, years);
        wording_add(&words, "岁");
        report_words(search, place, CONFLICT_AGE, SEVERITY_MIDDLE, (size_t)(at - text),
                     (size_t)(number - text) + digits + strlen("岁"),
                     words.text ? words.text : against);
        wording_deinit(&words);
    }
}

static void check_age(struct conflict_search *search, const struct note_place *place) {
    static const char *const OF_ADULTS[] = {"已婚", "吸烟", "绝经", "饮酒",
                                            "离异", "丧偶", "退休", NULL};
    static const char *const OF_CHILDREN[] = {"母乳喂养", "按时添加辅食", "喂养史", "按计划免疫",
                                              NULL};
    int years = episode_age_years(search->episode);
    if (years < 0) return;
    check_age_behind(search, place, "年龄：");
    check_age_behind(search, place, "男性，");
    check_age_behind(search, place, "女性，");
    if (years < CHILD_YEARS)
        check_words(search, place, OF_ADULTS, CONFLICT_AGE, SEVERITY_MIDDLE, "患者为儿童");
    else if (years > CHILD_YEARS + 4)
        check_words(search, place, OF_CHILDREN, CONFLICT_AGE, SEVERITY_MIDDLE, "患者为成人");
}

// "实际住院6天" (X09)
static void check_stay(struct conflict_search *search, const struct note_place *place) {
    static const char *const MARKS[] = {"实际住院", "住院天数：", "共住院", NULL};
    const char *text = place->section->text;
    int days = episode_stay_days(search->episode);
    for (int i = 0; days >= 0 && MARKS[i]; i++) {
        for (const char *at = text; (at = strstr(at, MARKS[i])); at += strlen(MARKS[i])) {
            const char *number = at + strlen(MARKS[i]);
            size_t digits = number_length(number);
            if (!digits || digits > 4 || !begins(number + digits, "天") ||
                strtol(number, NULL, 10) == days)
                continue;
            struct wording words = {0};
            wording_add(&words, "按入院和出院日期为");
            wording_add_int(&words, days);
            wording_add(&words, "天");
            report_words(search, place, CONFLICT_TIME, SEVERITY_MIDDLE, (size_t)(at - text),
                         (size_t)(number - text) + digits + strlen("天"),
                         words.text ? words.text : "与入院和出院日期不符");
            wording_deinit(&words);
        }
    }
}

void conflicts_of_person(struct conflict_search *search) {
    struct note_place place = {.section_row = -1};
    while (!conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        check_names(search, &place);
        check_sex(search, &place);
        check_age(search, &place);
        check_stay(search, &place);
    }
}

// --- times
// ----------------------------------------------------------------------------------------

static bool is_before(struct moment a, struct moment b, int64_t slack_seconds) {
    return a.seconds != MOMENT_UNKNOWN && b.seconds != MOMENT_UNKNOWN &&
           a.seconds < b.seconds - slack_seconds;
}

static void report_time(struct conflict_search *search, const char *what, const char *name,
                        enum source_kind kind, int row) {
    struct wording words = {0};
    wording_add(&words, name);
    wording_add(&words, "：");
    wording_add(&words, what);
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_TIME, SEVERITY_HIGH, &words,
                    &(struct source){.kind = kind, .row = row}, NULL);
}

static void check_documents(struct conflict_search *search) {
    const struct encounter *encounter = &search->episode->encounter;
    for (int i = 0; i < search->episode->n_docs; i++) {
        const struct document *doc = &search->episode->docs[i];
        const char *title = doc->local_title ? doc->local_title : doc->type;
        if (is_before(doc->sign, doc->create, 0) || is_before(doc->sign, doc->event, 0))
            report_time(search, "签名时间早于记录时间", title, SOURCE_DOC, i);
        if (is_before(doc->event, encounter->admit, 2 * 86400))
            report_time(search, "事件时间早于入院时间", title, SOURCE_DOC, i);
        if (is_before(encounter->discharge, doc->event, 7 * 86400))
            report_time(search, "事件时间晚于出院时间", title, SOURCE_DOC, i);
    }
}

void conflicts_of_times(struct conflict_search *search) {
    const struct episode *episode = search->episode;
    const struct encounter *encounter = &episode->encounter;
    if (is_before(encounter->discharge, encounter->admit, 0))
        report_time(search, "出院时间早于入院时间", "住院", SOURCE_EVENT, 0);
    check_documents(search);
    for (int i = 0; i < episode->n_orders; i++) {
        if (is_before(episode->orders[i].stop, episode->orders[i].start, 0))
            report_time(search, "停止时间早于开始时间", episode->orders[i].name, SOURCE_ORDER, i);
    }
    for (int i = 0; i < episode->n_labs; i++) {
        if (is_before(episode->labs[i].report, episode->labs[i].collect, 0))
            report_time(search, "报告时间早于采集时间", episode->labs[i].name, SOURCE_LAB, i);
    }
    for (int i = 0; i < episode->n_operations; i++) {
        const struct operation *operation = &episode->operations[i];
        if (is_before(operation->end, operation->start, 0) ||
            is_before(encounter->discharge, operation->start, 0) ||
            is_before(operation->start, encounter->admit, 86400))
            report_time(search, "手术时间不在住院期间或先后颠倒", operation->name, SOURCE_OPERATION,
                        i);
    }
}
