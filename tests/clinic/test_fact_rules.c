// SPDX-License-Identifier: Apache-2.0
// Rules of facts, omissions and fields, each on a few lines of an invented record: what once was
// told wrongly, or missed, stays right.
#include "harness.h"

#include "clinic/facts/data_field.h"
#include "clinic/facts/episode_facts.h"
#include "clinic/facts/fact_told.h"
#include "clinic/facts/omission.h"
#include "clinic/facts/outline.h"

#include <stdlib.h>
#include <string.h>

static const char BEGIN[] =
    "{\"format\":\"xinglin-episode\",\"version\":1,\"patient\":{\"id\":\"P\",\"name\":\"某示\","
    "\"sex\":\"女\",\"birth_date\":\"1960-01-01\",\"allergies\":[]},\"encounter\":{\"id\":\"E\","
    "\"department\":\"神经外科\",\"events\":[{\"type\":\"admit\",\"time\":\"2025-06-01T14:00:00+08:"
    "00\"},"
    "{\"type\":\"discharge\",\"time\":\"2025-06-12T10:00:00+08:00\"}]},";

// The tables of a record while it is written; every line is a row.
struct draft_record {
    char docs[3000], orders[3000];
    int n_docs, n_orders;
};

// A document of that day of June.
static void add_doc(struct draft_record *record, const char *type, const char *title, int day,
                    const char *section, const char *text) {
    static const char FORM[] =
        "%s{\"id\":\"d%d\",\"c_code\":\"C0038\",\"type\":\"%s\","
        "\"local_title\":\"%s\",\"event_time\":\"2025-06-%02dT09:00:00+08:00\","
        "\"sign_time\":\"2025-06-%02dT09:30:00+08:00\","
        "\"sections\":[{\"name\":\"%s\",\"text\":\"%s\"}]}";
    size_t used = strlen(record->docs);
    snprintf(record->docs + used, sizeof record->docs - used, FORM, used ? "," : "",
             ++record->n_docs, type, title, day, day, section, text);
}

// start: "03T10", the hour of a day of June; more: members with a comma in front.
static void add_order(struct draft_record *record, const char *kind, const char *order_class,
                      const char *name, const char *start, const char *more) {
    static const char FORM[] = "%s{\"id\":\"o%d\",\"kind\":\"%s\",\"class\":\"%s\",\"name\":\"%s\","
                               "\"start\":\"2025-06-%s:00:00+08:00\"%s}";
    size_t used = strlen(record->orders);
    snprintf(record->orders + used, sizeof record->orders - used, FORM, used ? "," : "",
             ++record->n_orders, kind, order_class, name, start, more);
}

static void add_drug(struct draft_record *record, const char *kind, const char *name,
                     const char *start, const char *dose, const char *how, const char *more) {
    char members[400];
    size_t value = strcspn(dose, " ");
    const char *frequency = strchr(how, ' ');
    snprintf(members, sizeof members,
             ",\"dose\":{\"value\":%.*s,\"unit\":\"%s\"},\"route\":\"%.*s\",\"frequency\":\"%s\"%s",
             (int)value, dose, dose + value + 1, (int)(frequency - how), how, frequency + 1, more);
    add_order(record, kind, "drug", name, start, members);
}

struct stay {
    struct episode *episode;
    struct fact_list facts;
    char *course, *orders, *condition;
};

static bool open_stay(struct stay *stay, const struct draft_record *record, const char *more) {
    struct clinic_error error = {0};
    struct outline outline = {0};
    char text[9000];
    *stay = (struct stay){0};
    snprintf(text, sizeof text, "%s\"docs\":[%s],\"orders\":[%s]%s}", BEGIN, record->docs,
             record->orders, more);
    stay->episode = episode_parse(text, strlen(text), &error);
    bool is_made = stay->episode && facts_of_episode(stay->episode, &stay->facts, &error) &&
                   outline_make(stay->episode, &stay->facts, &outline, &error) &&
                   data_field(stay->episode, "discharge_orders", &stay->orders, NULL, &error) &&
                   data_field(stay->episode, "discharge_condition", &stay->condition, NULL, &error);
    if (is_made) stay->course = outline_text(&outline);
    outline_deinit(&outline);
    if (!is_made) printf("    %s\n", error.message);
    return is_made && stay->course;
}

static void close_stay(struct stay *stay) {
    fact_list_deinit(&stay->facts);
    episode_free(stay->episode);
    free(stay->course);
    free(stay->orders);
    free(stay->condition);
}

static bool has(const char *text, const char *words) {
    bool is_there = strstr(text, words) != NULL;
    if (!is_there) printf("    \"%s\" is not in: %s\n", words, text);
    return is_there;
}

static bool lacks(const char *text, const char *words) {
    bool is_there = strstr(text, words) != NULL;
    if (is_there) printf("    \"%s\" is in: %s\n", words, text);
    return !is_there;
}

// A drug of the history that is given up must reach the patient; one that a consultation only
// advises was not given.
static enum test_result test_home_drugs(void) {
    struct draft_record record = {0};
    struct stay stay;
    add_doc(&record, "admission_note", "入院记录", 1, "既往史",
            "心房颤动8年，长期服华法林钠片3 mg每晚1次，间断服氨氯地平片5 mg。");
    add_doc(&record, "consultation", "心内科会诊单", 2, "会诊意见",
            "加用达格列净片10 mg每日1次（感染控制后开始）。");
    add_doc(&record, "ward_round", "查房记录", 3, "上级医师意见",
            "血压稳定，加用缬沙坦胶囊80 mg每日1次，不再恢复氨氯地平。");
    add_doc(&record, "ward_round", "查房记录", 10, "上级医师意见",
            "华法林停用，出院后4周复查头颅CT，此前不得自行恢复抗凝药。");
    add_drug(&record, "长期", "缬沙坦胶囊", "03T10", "80 mg", "口服 每日1次", "");
    CHECK(open_stay(&stay, &record, ""));
    CHECK(has(stay.course, "不再恢复氨氯地平") && has(stay.orders, "华法林停用"));
    CHECK(has(stay.orders, "不得自行恢复抗凝药"));
    CHECK(lacks(stay.course, "6月2日，加用达格列净") && has(stay.course, "心内科会诊意见"));
    close_stay(&stay);
    return TEST_PASS;
}

// Behind "今日出院" the note speaks to the patient; how he is stands before.
static enum test_result test_last_note(void) {
    struct draft_record record = {0};
    struct stay stay;
    add_doc(&record, "progress_note", "病程记录", 12, "病程",
            "患者无头痛，T 36.5℃，P 72次/分，切口愈合好。今日出院，嘱：多饮水，"
            "每日尿量2000 ml以上；带管期间避免剧烈活动；如发热随时急诊。");
    CHECK(
        open_stay(&stay, &record,
                  ",\"vitals\":[{\"time\":\"2025-06-12T06:00:00+08:00\",\"temperature_c\":36.5}]"));
    CHECK(has(stay.condition, "无头痛") && lacks(stay.condition, "饮水"));
    CHECK(lacks(stay.condition, "急诊") && lacks(stay.condition, "体温36.5℃"));
    CHECK(has(stay.orders, "多饮水") && has(stay.orders, "避免剧烈活动"));
    CHECK(has(stay.orders, "如发热随时急诊") && lacks(stay.course, "急诊"));
    close_stay(&stay);
    return TEST_PASS;
}

// What a transfer record tells again did not happen on its day; transfusions of two days are two.
static enum test_result test_retold(void) {
    struct draft_record record = {0};
    struct stay stay;
    add_doc(&record, "transfer_out", "转出记录", 7, "诊疗经过",
            "6月2日输悬浮红细胞8 U，并发失血性休克，予头孢曲松2.0 g静脉滴注。");
    add_order(&record, "临时", "blood", "悬浮红细胞", "01T16", ",\"volume\":\"12 U\"");
    add_order(&record, "临时", "blood", "悬浮红细胞", "02T10", ",\"volume\":\"8 U\"");
    CHECK(open_stay(&stay, &record, ""));
    CHECK(has(stay.course, "悬浮红细胞12 U") && has(stay.course, "悬浮红细胞8 U"));
    CHECK(lacks(stay.course, "6月7日"));
    close_stay(&stay);
    return TEST_PASS;
}

// Advice has its drug, its department, or is left to the doctor; a repeated prescription is said
// once, and what it adds stays.
static enum test_result test_advice(void) {
    struct draft_record record = {0};
    struct stay stay;
    add_doc(&record, "consultation", "精神心理科会诊记录", 8, "会诊意见",
            "诊断：焦虑状态。意见：1. 心理支持。2. 4周后门诊复诊。");
    add_doc(&record, "ward_round", "查房记录", 11, "上级医师意见",
            "恩替卡韦分散片1 mg每日1次终身，不可自行停药。出院后口服丙戊酸钠缓释片0.5 g每日2次，"
            "3个月无发作后门诊减停。以后1、3、6个月随访。");
    add_drug(&record, "出院带药", "恩替卡韦分散片", "12T08", "1 mg", "口服 每日1次", "");
    add_drug(&record, "出院带药", "丙戊酸钠缓释片", "12T08", "0.5 g", "口服 每日2次", "");
    CHECK(open_stay(&stay, &record, ""));
    CHECK(has(stay.orders, "4周后精神心理科门诊复诊") && has(stay.orders, "终身"));
    CHECK(has(stay.orders, "丙戊酸：3个月无发作后门诊减停") ||
          has(stay.orders, "丙戊酸钠缓释片0.5 g每日2次，3个月无发作后门诊减停"));
    CHECK(lacks(stay.orders, "以后1、3、6个月"));
    close_stay(&stay);
    return TEST_PASS;
}

// A pump of two days is the treatment, and its bolus is not the pump.
static enum test_result test_short_treatment(void) {
    struct draft_record record = {0};
    struct stay stay;
    add_drug(&record, "临时", "普通肝素注射液", "05T07", "5000 U", "静脉注射 立即", "");
    add_drug(&record, "长期", "普通肝素注射液", "05T08", "1000 U/h", "静脉泵入 持续",
             ",\"stop\":\"2025-06-07T10:00:00+08:00\"");
    add_drug(&record, "长期", "万古霉素", "02T18", "1.0 g", "静脉滴注 每12小时1次",
             ",\"stop\":\"2025-06-11T18:00:00+08:00\",\"antibacterial\":true");
    CHECK(open_stay(&stay, &record, ""));
    CHECK(has(stay.course, "普通肝素注射液1000 U/h静脉泵入") &&
          has(stay.course, "停普通肝素注射液"));
    CHECK(has(stay.course, "停万古霉素"));
    close_stay(&stay);
    return TEST_PASS;
}

static bool is_omitted(const struct stay *stay, const char *draft, const char *words,
                       bool is_must) {
    struct omission_list omissions;
    bool is_found = false;
    if (!omissions_find(stay->episode, &stay->facts, (const char *const[]){draft}, 1, &omissions,
                        NULL))
        return false;
    for (int i = 0; i < omissions.n_omissions; i++) {
        const struct omission *omission = &omissions.omissions[i];
        is_found = is_found || (omission->is_must == is_must && strstr(omission->sentence, words));
    }
    omission_list_deinit(&omissions);
    return is_found;
}

// A list of diagnoses tells no findings; an examination is told by its own words, and the second
// of two only with its day or its change; a drug without its dose is no must.
static enum test_result test_told(void) {
    static const char REPORTS[] =
        ",\"reports\":[{\"id\":\"r1\",\"type\":\"pathology\",\"name\":\"冰冻病理\",\"report_time\":"
        "\"2025-06-03T10:00:00+08:00\",\"conclusion\":\"（子宫）平滑肌瘤。\"},{\"id\":\"r2\","
        "\"type\":"
        "\"imaging\",\"name\":\"肾脏超声\",\"report_time\":\"2025-06-02T10:00:00+08:00\","
        "\"findings\":\"双肾缩小，左肾长径8.1 cm。\",\"conclusion\":\"双肾弥漫性病变。\"}]";
    struct draft_record record = {0};
    struct stay stay;
    add_drug(&record, "长期", "蔗糖铁注射液", "02T10", "100 mg", "静脉滴注 每周1次", "");
    CHECK(open_stay(&stay, &record, REPORTS));
    CHECK(is_omitted(&stay, "1. 子宫平滑肌瘤；2. 贫血。", "冰冻病理", true));
    CHECK(!is_omitted(&stay, "术中冰冻病理为平滑肌瘤。", "冰冻病理", true));
    CHECK(!is_omitted(&stay, "超声心动图：未见异常；肾脏超声：双肾缩小。", "肾脏超声", true));
    CHECK(is_omitted(&stay, "超声心动图：未见异常。", "肾脏超声", true));
    CHECK(is_omitted(&stay, "予头孢曲松2.0 g。", "蔗糖铁", true));
    CHECK(!is_omitted(&stay, "予蔗糖铁纠正贫血。", "蔗糖铁", true));
    CHECK(is_omitted(&stay, "予蔗糖铁纠正贫血。", "蔗糖铁", false));
    close_stay(&stay);
    return TEST_PASS;
}

// Each once was told or not told for the wrong reason.
static enum test_result test_words(void) {
    static const struct {
        enum fact_class fact_class;
        const char *fact, *value, *text;
        bool is_told;
    } CASES[] = {
        {FACT_FOLLOWUP, "8月25日注射维生素B12 1 mg", NULL, "7. 8月25日注射维生素B12 1 mg。", true},
        {FACT_FOLLOWUP, "8月25日注射维生素B12 1 mg", NULL, "7. 8月26日注射维生素B12 1 mg。", false},
        {FACT_POSITIVE, "出院时切口Ⅱ/甲愈合，无腹痛", NULL,
         "患者无腹痛。查体：腹软。切口Ⅱ/甲愈合。", true},
        {FACT_POSITIVE, "出院时切口Ⅱ/甲愈合，无腹痛", NULL, "患者无腹痛。查体：腹软。", false},
        {FACT_CONSULT, "呼吸内科会诊：抗凝至少3个月", "3个月",
         "呼吸内科会诊意见：普通肝素，抗凝至少3个月。", true},
        {FACT_CONSULT, "呼吸内科会诊：抗凝至少3个月", "3个月", "呼吸内科会诊意见：普通肝素。",
         false},
        {FACT_DIAGNOSIS, "补充诊断：失血性贫血、低蛋白血症", NULL,
         "1. 骨折；2. 失血性贫血（术后）；3. 静脉血栓；4. 低蛋白血症。", true},
    };
    struct stay stay;
    CHECK(open_stay(&stay, &(struct draft_record){0}, ""));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct fact fact = {.fact_class = CASES[i].fact_class,
                            .text = (char *)CASES[i].fact,
                            .value = (char *)CASES[i].value,
                            .at = {.seconds = MOMENT_UNKNOWN}};
        CHECK_MESSAGE(fact_is_told(stay.episode, &fact, CASES[i].text) == CASES[i].is_told,
                      "%s in %s", CASES[i].fact, CASES[i].text);
    }
    close_stay(&stay);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"home", "drugs from home that are given up are told", test_home_drugs},
        {"last", "the last note's advice is advice, its findings the condition", test_last_note},
        {"retold", "what is told again is not told of its day", test_retold},
        {"advice", "advice has its drug and department", test_advice},
        {"short", "treatment that is short by nature is told", test_short_treatment},
        {"told", "examinations and drugs are told by their own words", test_told},
        {"words", "a text tells a fact, or does not", test_words},
    };
    return harness_main("fact_rules", tests, sizeof tests / sizeof *tests, argc, argv);
}
