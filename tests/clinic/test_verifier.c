// SPDX-License-Identifier: Apache-2.0
// The verifier on the bundled episode 1: what it says of true and false sentences, as JSON, and of
// any bytes. How many injected errors it catches is measured by test_error_injection.py.
#include "clinic/verify/verifier.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static struct episode *episode;
static struct verifier *verifier;

// A file of the repository; NULL: it cannot be read.
static json_t *load(const char *relative) {
    char path[4096];
    return harness_repo_path(relative, path, sizeof path) ? json_load_file(path, 0, NULL) : NULL;
}

// Takes `root` over.
static bool open_json(json_t *root) {
    episode = root ? episode_read(root, NULL) : NULL;
    json_decref(root);
    verifier = episode ? verifier_create(episode, NULL) : NULL;
    return verifier != NULL;
}

// Verdict of a text of one sentence; why (256 bytes) gets the words of its first failed claim.
static enum verdict judge(const char *field, const char *text, char why[256]) {
    struct text_check check;
    enum verdict verdict = VERDICT_ACCEPTED;
    why[0] = 0;
    if (verifier_check(verifier, field, text, strlen(text), &check, NULL)) {
        verdict = check.n_sentences == 1 ? check.sentences[0].verdict : VERDICT_ACCEPTED;
        for (int i = 0; check.n_sentences == 1 && i < check.sentences[0].n_claims; i++) {
            const struct claim *claim = &check.sentences[0].claims[i];
            if (!claim->is_supported && why[0] == 0) {
                snprintf(why, 256, "%s: %s", claim_kind_name(claim->kind), claim->why);
            }
        }
        text_check_deinit(&check);
    }
    return verdict;
}

static enum test_result test_true(void) {
    static const char *const rows[][2] = {
        {"admit_date", "2025年11月3日"},
        {"admit_date", "2025-11-03"},
        {"stay_days", "8天"},
        {"course", "11月3日起予头孢曲松钠2000 mg静滴qd抗感染。"},
        {"course", "11月6日痰培养回报肺炎克雷伯菌，头孢曲松耐药。"},
        {"course", "11月10日白细胞7.4×10⁹/L，C反应蛋白9.2 mg/L。"},
        {"course", "甘精胰岛素由12 U调整为14 U睡前皮下注射。"},
        {"course", "11月8日体温恢复正常。"},
        {"admission_condition", "患者男性，66岁，体温38.9℃，右下肺可闻及湿啰音。"},
        {"discharge_condition", "患者无发热、胸痛、气促，体温36.5℃。"},
        {"discharge_orders", "左氧氟沙星片0.5 g，口服，每日1次，5天。"},
        {"discharge_orders", "如再发热、咯血，立即就诊。"},
        {"course", "入院后完善相关检查。"},
        {"course", "经治疗后病情好转。"},
        {"course", "请内分泌科会诊。"},
        {"course", "痰培养：肺炎克雷伯菌，ESBL阳性。"},
        {"course", "11月7日甘精胰岛素由12 U调整为14 U。"},
        {"course", "11月6日停头孢曲松、阿奇霉素。"},
        {"course", "C反应蛋白由142.6 mg/L降至9.2 mg/L。"},
        {"course", "复查胸部CT示右侧胸腔积液已吸收，左肺上叶微小结节同前。"},
        {"course", "头孢曲松2g ivgtt qd抗感染。"},
        {"discharge_condition", "患者张示安，神志清楚，精神好。"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        enum verdict verdict = judge(rows[i][0], rows[i][1], why);
        CHECK_MESSAGE(verdict != VERDICT_UNSUPPORTED && verdict != VERDICT_ACCEPTED, "%s (%s)",
                      rows[i][1], why);
    }
    return TEST_PASS;
}

static enum test_result test_false(void) {
    static const char *const rows[][3] = {
        {"admit_date", "2025年11月4日", "date"},
        {"stay_days", "9天", "number"},
        {"course", "予哌拉西林钠他唑巴坦钠2.5 g静脉滴注。", "dose"},
        {"course", "予头孢曲松钠2.0 mg静脉滴注。", "dose"},
        {"course", "哌拉西林钠他唑巴坦钠4.5 g静脉滴注、每日1次。", "dose"},
        {"course", "予头孢曲松钠2.0 g口服。", "dose"},
        {"course", "予万古霉素1.0 g静脉滴注。", "drug"},
        {"course", "改用亚胺培南抗感染。", "drug"},
        {"course", "11月10日白细胞13.20×10⁹/L。", "number"},
        {"course", "白细胞15.62×10¹²/L。", "number"},
        {"course", "C反应蛋白15.62 mg/L。", "number"},
        {"course", "11月8日内分泌科会诊。", "date"},
        {"course", "胸部CT：左肺下叶实变。", "side"},
        {"course", "左侧胸腔少量积液。", "side"},
        {"course", "ESBL阴性。", "negation"},
        {"discharge_condition", "患者发热、咳痰、胸痛。", "negation"},
        {"course", "患者有高血压病史。", "diagnosis"},
        {"discharge_diagnoses", "1. 肺栓塞。", "diagnosis"},
        {"course", "患者王示强，女性。", "patient"},
        {"course", "患者女性。", "patient"},
        {"course", "家属要求转往上级医疗机构行心脏移植评估。", "statement"},
        {"discharge_orders", "甘精胰岛素注射液12 U，皮下注射。", "dose"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        enum verdict verdict = judge(rows[i][0], rows[i][1], why);
        CHECK_MESSAGE(verdict == VERDICT_UNSUPPORTED, "%s", rows[i][1]);
        CHECK_MESSAGE(strncmp(why, rows[i][2], strlen(rows[i][2])) == 0, "%s: %s", rows[i][1], why);
        CHECK_MESSAGE(strlen(why) > strlen(rows[i][2]) + 4, "%s: no reason", rows[i][1]);
    }
    return TEST_PASS;
}

// Short or sly falsehoods; hardly one names a value that is simply missing.
static enum test_result test_sly(void) {
    static const char *const texts[] = {
        "予无创呼吸机辅助通气。",
        "予气管插管。",
        "患者转入ICU治疗。",
        "予输血治疗。",
        "痰细菌培养：大肠埃希菌，ESBL阳性。",
        "血培养：肺炎克雷伯菌。",
        "11月7日，甘精胰岛素注射液调整为12 U。",
        "11月4日予甘精胰岛素注射液14 U。",
        "甘精胰岛素由14 U减至12 U。",
        "予头孢曲松四点五毫克静脉滴注。",
        "予头孢曲松三克静脉滴注。",
        "中性粒细胞百分比百分之八十五。",
        "11月9日停哌拉西林钠他唑巴坦钠。",
        "11月6日停用左氧氟沙星。",
        "C反应蛋白由9.2 mg/L升至142.6 mg/L。",
        "降钙素原较前升高。",
        "白细胞、C反应蛋白较前明显升高。",
        "右侧胸腔积液较前增多。",
        "右下肺炎较前进展。",
        "左肺上叶结节较前增大。",
        "左肺上叶微小结节已吸收。",
        "右侧胸腔大量积液。",
        "对哌拉西林/他唑巴坦不敏感。",
        "患者死亡。",
        "患者自动出院。",
        "患者病情恶化。",
        "患者突发意识丧失。",
        "予抗凝治疗。",
        "予溶栓治疗。",
        "予激素治疗。",
        "予利尿治疗。",
        "予xyz单抗治疗。",
        "血型AB型。",
        "心脏彩超未见异常。",
        "凝血功能正常。",
        "D-二聚体升高。",
        "心内科会诊后建议行冠脉造影。",
        "未行胸部CT检查。",
        "患者陈示波入院后好转。",
        "患者张示宁入院。",
        "患者王某某入院。",
        "尿糖阴性。",
        "术后第3天出院。",
        "入院后3天体温恢复正常。",
        "患者无发热。",
        "入院次日体温正常。",
        "内分泌科会诊：血糖控制良好。",
        "左肺上叶结节考虑恶性。",
        "出院诊断：肺癌。",
        "甘精胰岛素28 U每晚1次。", // two orders of 14 U are no total
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char why[256];
        CHECK_MESSAGE(judge("course", texts[i], why) == VERDICT_UNSUPPORTED, "%s", texts[i]);
    }
    return TEST_PASS;
}

// Words that no lexicon knows, items of lists, sites and times: polarity is structure.
static enum test_result test_polarity(void) {
    static const struct {
        const char *field, *text;
        bool holds;
    } rows[] = {
        {"course", "血培养5天有细菌生长。", false},
        {"course", "血培养5天无细菌生长。", true},
        {"course", "首剂输注过程出现不适。", false},
        {"admission_condition", "患者有放射。", false},
        {"admission_condition", "扁桃体肿大，颈有抵抗。", false},
        {"admission_condition", "有禽类接触史，近期有外出旅行。", false},
        {"admission_condition", "无禽类接触史，近期无外出旅行。", true},
        {"admission_condition", "否认肝炎，有结核等传染病史。", false},
        {"admission_condition", "浅表淋巴结可触及肿大。", false},
        {"admission_condition", "无咯血和盗汗。", true},
        {"admission_condition", "无发热和盗汗。", false},
        {"course", "纵隔淋巴结可见肿大。", false},
        {"course", "右肺未见大片状实变影。", false},
        {"course", "左侧胸腔可见积液。", false},
        {"discharge_condition", "患者有发热。", false},
        {"discharge_condition", "患者仍有咳痰、气促。", false},
        {"discharge_condition", "患者无咳痰、气促。", true},
        {"discharge_condition", "双肺可闻及干湿啰音。", false},
        {"course", "11月9日患者出现胸痛。", false},
        {"course", "患者并发气胸。", false},
        {"course", "尿糖3+，糖化血红蛋白8.7%。", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        bool held = judge(rows[i].field, rows[i].text, why) != VERDICT_UNSUPPORTED;
        CHECK_MESSAGE(held == rows[i].holds, "%s (%s)", rows[i].text, why);
    }
    return TEST_PASS;
}

// Values of one end of the stay are not those of the other.
static enum test_result test_times(void) {
    static const struct {
        const char *field, *text;
        bool holds;
    } rows[] = {
        {"discharge_condition", "出院时C反应蛋白142.6 mg/L。", false},
        {"discharge_condition", "C反应蛋白142.6 mg/L。", false},
        {"discharge_condition", "出院时C反应蛋白9.2 mg/L。", true},
        {"discharge_condition", "C反应蛋白由142.6 mg/L降至9.2 mg/L。", true},
        {"admission_condition", "入院时C反应蛋白9.2 mg/L。", false},
        {"admission_condition", "入院时C反应蛋白142.6 mg/L。", true},
        {"course", "入院时C反应蛋白142.6 mg/L，出院时9.2 mg/L。", true},
        {"course", "出院时C反应蛋白142.6 mg/L。", false},
        {"discharge_orders", "胸部CT平扫结果尚未回报。", false}, // long since there
        {"discharge_condition", "痰细菌培养及药敏结果待回报。", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        bool held = judge(rows[i].field, rows[i].text, why) != VERDICT_UNSUPPORTED;
        CHECK_MESSAGE(held == rows[i].holds, "%s (%s)", rows[i].text, why);
    }
    return TEST_PASS;
}

// What the gold records of other patients say, beside what is true here.
static enum test_result test_strangers(void) {
    static const char *const rows[][2] = {
        {"discharge_condition", "腹软，无压痛及反跳痛，切口Ⅱ/甲愈合，可吸收线缝合。"},
        {"discharge_condition", "患者无发热，阴道少许血性分泌物。"},
        {"admission_condition", "头颅CT未见出血。"},
        {"admission_condition", "右下肺可闻及湿啰音，蜘蛛痣、肝掌。"},
        {"course", "11月10日复查胸部CT，X线片复查假体位置良好。"},
        {"discharge_orders", "导管保持干燥清洁，保护左上肢血管。"},
        {"discharge_orders", "转康复机构继续康复。"},
        {"discharge_orders", "禁性生活及盆浴1个月。"},
        {"discharge_orders", "1个月后眼科门诊复查。"},
        {"discharge_orders", "神经外科门诊复查头颅CT。"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        CHECK_MESSAGE(judge(rows[i][0], rows[i][1], why) == VERDICT_UNSUPPORTED, "%s", rows[i][1]);
    }
    return TEST_PASS;
}

// Allergies and how the stay ended, of a patient with penicillin shock in the past.
struct expected {
    const char *field, *text;
    bool holds;
};

static enum test_result judge_rows(const struct expected *rows, size_t n_rows) {
    enum test_result result = TEST_PASS;
    for (size_t i = 0; i < n_rows; i++) {
        char why[256];
        bool held = judge(rows[i].field, rows[i].text, why) != VERDICT_UNSUPPORTED;
        if (held != rows[i].holds) {
            printf("    %s: %s (%s)\n", held ? "held" : "refused", rows[i].text, why);
            result = TEST_FAIL;
        }
    }
    return result;
}

// The same on another episode, which is taken over; NULL fails.
static enum test_result judge_rows_of(json_t *root, const struct expected *rows, size_t n_rows) {
    struct episode *first = episode;
    struct verifier *of_first = verifier;
    enum test_result result = TEST_FAIL;
    if (root && open_json(root)) {
        result = judge_rows(rows, n_rows);
        verifier_free(verifier);
        episode_free(episode);
    }
    episode = first;
    verifier = of_first;
    return result;
}

static enum test_result test_allergies(void) {
    static const struct expected rows[] = {
        {"admission_condition", "否认药物过敏史。", false},
        {"admission_condition", "否认食物过敏史。", true},
        {"admission_condition", "有青霉素过敏史。", true},
        {"admission_condition", "磺胺类药物过敏。", false},
        {"course", "青霉素皮试阴性。", false},
        {"course", "予青霉素抗感染。", false},
        {"discharge_orders", "青霉素可以使用。", false},
        {"discharge_orders", "避免使用青霉素类药物。", true},
        {"discharge_condition", "治愈。", false},
        {"discharge_condition", "好转。", true},
    };
    return judge_rows_of(load("examples/episodes/08-ckd-dialysis/episode.json"), rows,
                         sizeof rows / sizeof rows[0]);
}

// Notes that tell two operations do not let one have the day of the other.
static enum test_result test_operations(void) {
    static const struct expected rows[] = {
        {"course", "10月13日行内镜下食管静脉曲张套扎术。", true},
        {"course", "10月17日行内镜下食管静脉曲张套扎术。", false},
        {"course", "10月13日行经颈静脉肝内门体分流术。", false},
        {"course", "10月13日行内镜下食管静脉曲张套扎术，10月17日行经颈静脉肝内门体分流术。", true},
        {"course", "行肝移植术。", false}, // to be considered later
    };
    return judge_rows_of(load("examples/episodes/10-gi-bleed/episode.json"), rows,
                         sizeof rows / sizeof rows[0]);
}

static void append(json_t *root, const char *table, const char *row) {
    json_array_append_new(json_object_get(root, table), json_loads(row, 0, NULL));
}

// What proves and what does not: papers about risks, titles of notes, rows of orders.
static enum test_result test_bearers(void) {
    static const struct expected rows[] = {
        {"course", "予万古霉素1 g静脉滴注。", false},
        {"course", "感染科会诊意见：同意目前方案。", true},
        {"course", "眼科会诊意见：同意目前方案。", false},
        {"course", "输注悬浮红细胞2 U。", true},
        {"course", "停10%氯化钾溶液。", true},
        {"course", "泼尼松片20 mg每日1次口服。", false}, // 10 mg here, 10 mg for home
    };
    json_t *root = load("examples/episodes/01-pneumonia/episode.json");
    append(root, "docs",
           "{\"id\":\"t1\",\"c_code\":\"C0029\",\"type\":\"treatment_consent\",\"local_title\":"
           "\"特殊治疗知情同意书\",\"event_time\":\"2025-11-05T10:00:00+08:00\",\"sign_time\":"
           "\"2025-11-05T10:00:00+08:00\",\"sections\":[{\"name\":\"告知内容\",\"text\":"
           "\"予万古霉素1 g静脉滴注。\"}]}");
    append(root, "docs",
           "{\"id\":\"t2\",\"c_code\":\"C0045\",\"type\":\"consultation\",\"local_title\":"
           "\"感染科会诊单\",\"event_time\":\"2025-11-05T11:00:00+08:00\",\"sign_time\":"
           "\"2025-11-05T11:00:00+08:00\",\"sections\":[{\"name\":\"会诊意见\",\"text\":"
           "\"同意目前方案。\"}]}");
    append(root, "orders",
           "{\"id\":\"t3\",\"kind\":\"临时\",\"class\":\"blood\",\"name\":\"悬浮红细胞\",\"dose\":"
           "{\"value\":2,\"unit\":\"U\"},\"start\":\"2025-11-05T12:00:00+08:00\"}");
    append(
        root, "orders",
        "{\"id\":\"t4\",\"kind\":\"长期\",\"class\":\"drug\",\"name\":\"10%氯化钾溶液\",\"start\":"
        "\"2025-11-05T12:00:00+08:00\",\"stop\":\"2025-11-06T12:00:00+08:00\"}");
    for (int i = 0; i < 2; i++)
        append(root, "orders",
               i == 0 ? "{\"id\":\"t5\",\"kind\":\"长期\",\"class\":\"drug\",\"name\":\"泼尼松片\","
                        "\"dose\":{\"value\":10,\"unit\":\"mg\"},\"start\":"
                        "\"2025-11-05T12:00:00+08:00\",\"frequency\":\"每日1次\"}"
                      : "{\"id\":\"t6\",\"kind\":\"出院带药\",\"class\":\"drug\",\"name\":"
                        "\"泼尼松片\",\"dose\":{\"value\":10,\"unit\":\"mg\"},\"start\":"
                        "\"2025-11-11T09:00:00+08:00\",\"frequency\":\"每日1次\"}");
    return judge_rows_of(root, rows, sizeof rows / sizeof rows[0]);
}

static enum test_result test_why(void) {
    char why[256];
    judge("course", "予哌拉西林钠他唑巴坦钠2.5 g静脉滴注。", why);
    CHECK_MESSAGE(strstr(why, "4.5 g"), "%s", why);
    judge("course", "11月7日痰培养回报肺炎克雷伯菌，ESBL阳性。", why);
    CHECK_MESSAGE(strstr(why, "11月6日") || strstr(why, "11月3日"), "%s", why);
    judge("stay_days", "9天", why);
    CHECK_MESSAGE(strstr(why, "8天"), "%s", why);
    return TEST_PASS;
}

static enum test_result test_json(void) {
    static const char text[] = "体温38.9℃。予万古霉素1.0 g静脉滴注。";
    struct text_check check;
    CHECK(verifier_check(verifier, "course", text, sizeof text - 1, &check, NULL));
    json_t *told = text_check_to_json(episode, text, &check);
    CHECK(told);
    const json_t *sentences = json_object_get(told, "sentences");
    CHECK(json_array_size(sentences) == 2);
    const json_t *second = json_array_get(sentences, 1);
    CHECK(json_integer_value(json_object_get(second, "start")) == 8);
    CHECK(json_integer_value(json_object_get(second, "end")) == 23);
    CHECK(strcmp(json_string_value(json_object_get(second, "verdict")), "unsupported") == 0);
    CHECK(json_is_null(json_object_get(second, "suggestion")));
    const json_t *first = json_array_get(sentences, 0);
    const json_t *source = json_array_get(json_object_get(first, "sources"), 0);
    CHECK(source && json_object_get(source, "quote") && json_object_get(source, "label"));
    const json_t *verified = json_object_get(told, "verified");
    CHECK(json_integer_value(json_object_get(verified, "all")) == check.n_claims);
    CHECK(json_integer_value(json_object_get(verified, "ok")) == check.n_supported);
    CHECK(check.n_supported < check.n_claims);
    json_decref(told);
    text_check_deinit(&check);
    return TEST_PASS;
}

static bool spans_hold(const struct text_check *check, size_t bytes) {
    size_t at = 0;
    for (int i = 0; i < check->n_sentences; i++) {
        const struct sentence_check *s = &check->sentences[i];
        bool ok = s->start == at && s->end > s->start && s->end <= bytes;
        for (int k = 0; ok && k < s->n_claims; k++) {
            ok = s->claims[k].start >= s->start && s->claims[k].end <= s->end &&
                 s->claims[k].start <= s->claims[k].end &&
                 (s->claims[k].is_supported || s->claims[k].why[0]);
        }
        if (!ok) {
            return false;
        }
        at = s->end;
    }
    return at == bytes;
}

// Mutants of a field: no crash, spans in order, the same result twice.
static enum test_result test_mutants(void) {
    static const char seed[] =
        "11月3日起予头孢曲松钠2.0 g静脉滴注、每日1次；白细胞15.62×10⁹/L，右侧胸腔少量积液，无咯血。"
        "11月6日痰培养回报ESBL阳性，改哌拉西林钠他唑巴坦钠4.5 g每8小时1次，住院8天。";
    uint64_t state = 2463534242u;
    for (int round = 0; round < 400; round++) {
        char text[sizeof seed];
        memcpy(text, seed, sizeof seed);
        size_t bytes = sizeof seed - 1;
        for (int k = 0; k < 5; k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text[state % bytes] = (char)(state >> 24);
        }
        bytes -= state % 30;
        struct text_check one, two;
        CHECK(verifier_check(verifier, "course", text, bytes, &one, NULL));
        CHECK(verifier_check(verifier, "course", text, bytes, &two, NULL));
        CHECK(spans_hold(&one, bytes));
        CHECK(one.n_claims == two.n_claims && one.n_supported == two.n_supported);
        json_t *told = text_check_to_json(episode, text, &one);
        CHECK(told);
        json_decref(told);
        text_check_deinit(&one);
        text_check_deinit(&two);
    }
    return TEST_PASS;
}

static enum test_result test_budget(void) {
    size_t bytes = VERIFIER_TEXT_BYTES_MAX + 1;
    char *text = malloc(bytes);
    static const char unit[] = "白细胞15.62×10⁹/L，无咯血，右侧";
    struct text_check check;
    struct clinic_error error;
    CHECK(text);
    for (size_t i = 0; i < bytes; i++) {
        text[i] = unit[i % (sizeof unit - 1)];
    }
    bool refused = !verifier_check(verifier, NULL, text, bytes, &check, &error) &&
                   error.failure == CLINIC_BAD_INPUT;
    bool taken = verifier_check(verifier, NULL, text, bytes - 1, &check, &error);
    if (taken) {
        text_check_deinit(&check);
    }
    memset(text, '1', bytes); // one number of 65,536 digits
    bool digits = verifier_check(verifier, NULL, text, bytes - 1, &check, &error);
    if (digits) {
        text_check_deinit(&check);
    }
    free(text);
    CHECK(refused && taken && digits);
    CHECK(verifier_check(verifier, NULL, "", 0, &check, NULL) && check.n_sentences == 0);
    text_check_deinit(&check);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"true", "true sentences are supported", test_true},
        {"false", "false ones are not, by the claim that is false", test_false},
        {"sly", "short and sly falsehoods are not", test_sly},
        {"polarity", "what is denied or affirmed in any words", test_polarity},
        {"times", "values of admission and discharge", test_times},
        {"strangers", "sentences of other patients are not supported", test_strangers},
        {"allergies", "what a patient must not have", test_allergies},
        {"operations", "operations have their own days", test_operations},
        {"bearers", "what proves and what does not", test_bearers},
        {"why", "the reason tells what the record has", test_why},
        {"json", "the form that pages and store know", test_json},
        {"mutants", "any bytes: spans hold, results repeat", test_mutants},
        {"budget", "long and hostile texts", test_budget},
    };
    if (!open_json(load("examples/episodes/01-pneumonia/episode.json"))) {
        printf("FAIL the bundled episode cannot be read\n");
        return 1;
    }
    int status = harness_main("verifier", tests, sizeof tests / sizeof *tests, argc, argv);
    verifier_free(verifier);
    episode_free(episode);
    return status;
}
