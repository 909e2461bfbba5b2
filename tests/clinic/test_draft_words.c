// SPDX-License-Identifier: Apache-2.0
// What of a model's answer may be put into a piece's own words. The answers are of the kinds that
// small models gave: smoothed, with a frequency or half a name dropped, with words of the chart.
#include "clinic/draft/draft_words.h"
#include "clinic/draft/text_difference.h"
#include "tests/unit/harness.h"

#include <stdlib.h>
#include <string.h>

struct merge_case {
    const char *piece, *answer, *merged;
};

static enum test_result check_merged(const struct merge_case *cases, size_t n_cases) {
    for (size_t i = 0; i < n_cases; i++) {
        struct clinic_error error;
        struct text_buffer merged = {0};
        CHECK(draft_words_merge(cases[i].piece, cases[i].answer, &merged, &error));
        CHECK_MESSAGE(strcmp(text_buffer_text(&merged), cases[i].merged) == 0, "%s -> %s",
                      cases[i].answer, text_buffer_text(&merged));
        text_buffer_deinit(&merged);
    }
    return TEST_PASS;
}

#define CHECK_MERGED(cases) check_merged(cases, sizeof(cases) / sizeof *(cases))

static enum test_result test_smoothed(void) {
    static const struct merge_case cases[] = {
        {"6月2日入院后完善相关检查，胸部CT：右肺实变；予头孢曲松2.0 g。",
         "患者于6月2日入院，入院后完善相关检查，查胸部CT示右肺实变，并予头孢曲松2.0 g治疗。",
         "患者于6月2日入院，入院后完善相关检查，查胸部CT示右肺实变，并予头孢曲松2.0 g治疗。"},
        {"11月4日，尿培养：大肠埃希菌；停阿奇霉素。", "11月4日尿培养回报大肠埃希菌，停用阿奇霉素。",
         "11月4日尿培养回报大肠埃希菌，停用阿奇霉素。"},
        {"11月5日，空腹血糖10.6 mmol/L。", "11月5日，空腹血糖10.6 mmol/L。",
         "11月5日，空腹血糖10.6 mmol/L。"},
    };
    return CHECK_MERGED(cases);
}

static enum test_result test_lost(void) {
    static const struct merge_case cases[] = {
        // A frequency that another drug has, too; half a name; a word; a date; a clause; all.
        {"予特布他林2.5 mg雾化吸入、每日2次，布地奈德1 mg雾化吸入、每日2次。",
         "予特布他林2.5 mg雾化吸入、布地奈德1 mg雾化吸入、每日2次。",
         "予特布他林2.5 mg雾化吸入、每日2次，布地奈德1 mg雾化吸入、每日2次。"},
        {"最高体温38.6℃；泌尿系超声：未见梗阻。", "最高体温38.6℃，查尿系超声：未见梗阻。",
         "最高体温38.6℃；泌尿系超声：未见梗阻。"},
        {"行清创外固定及负压封闭引流。", "行清创负压封闭引流。", "行清创外固定及负压封闭引流。"},
        {"8月13日，患者诉恶心；予阿瑞匹坦。", "患者诉恶心，予阿瑞匹坦。",
         "8月13日，患者诉恶心，予阿瑞匹坦。"},
        {"停病重；停吸氧；抗体阴性。", "停病重。", "停病重；停吸氧；抗体阴性。"},
        {"停病重。", "", "停病重。"},
        {"胸腔积液，左肺结节。", "胸腔积液左肺结节。", "胸腔积液，左肺结节。"},
        {"尿培养：大肠埃希菌。", "尿培养大肠埃希菌。", "尿培养：大肠埃希菌。"},
    };
    return CHECK_MERGED(cases);
}

static enum test_result test_put_in(void) {
    static const struct merge_case cases[] = {
        // Numbers, reasons, doubts, words of the chart, words of another place, another order.
        {"头孢曲松2.0 g静脉滴注。", "头孢曲松20.0 g静脉滴注。", "头孢曲松2.0 g静脉滴注。"},
        {"血压下降；予补液。", "血压下降，遂因此予补液。", "血压下降；予补液。"},
        {"骨密度检查：骨质疏松。", "骨密度检查证实重度骨质疏松。", "骨密度检查：骨质疏松。"},
        {"右肺炎；停药。", "右肺炎考虑；停药。", "右肺炎；停药。"},
        {"停头孢呋辛钠；予头孢呋辛酯片口服。", "停头孢呋辛钠，改口服头孢呋辛酯片口服。",
         "停头孢呋辛钠；予头孢呋辛酯片口服。"},
        {"11月5日，予缬沙坦。", "患者于11月5日，患者予缬沙坦。", "11月5日，予缬沙坦。"},
        {"停阿奇霉素；予吸氧。", "予吸氧；停阿奇霉素。", "停阿奇霉素；予吸氧。"},
        {"血糖7.4 mmol/L。", "血糖7，.4 mmol/L。", "血糖7.4 mmol/L。"},
        {"咳嗽。", "<script>咳嗽。无咳嗽。", "咳嗽。"},
    };
    return CHECK_MERGED(cases);
}

static enum test_result test_faults(void) {
    static const struct {
        const char *piece, *answer;
        bool is_faulty;
    } cases[] = {
        {"停病重；肌酐812 μmol/L。", "停病重，查肌酐为812 μmol/L。", false},
        {"痰培养：肺炎克雷伯菌；停阿奇霉素。", "停阿奇霉素，痰培养：肺炎克雷伯菌。", true},
        {"痰培养：肺炎克雷伯菌；腹部超声：脂肪肝。", "腹部超声：脂肪肝；痰培养：肺炎克雷伯菌。",
         false},
        {"胸部CT：右肺实变。", "胸部CT上见到右肺实变。", false},
        {"胸部CT：右肺实变。", "胸部CT可能见右肺实变。", true},
        {"胸部CT：右肺实变。", "胸部CT：右肺改变。", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clinic_error error;
        int n_faults;
        CHECK(draft_words_count_faults(cases[i].piece, cases[i].answer, &n_faults, &error));
        CHECK_MESSAGE((n_faults > 0) == cases[i].is_faulty, "%d: %s", n_faults, cases[i].answer);
    }
    return TEST_PASS;
}

// Whatever comes, also what is too long for the table and bytes that are no characters.
static enum test_result test_differences(void) {
    enum { LONG = 8192 };
    static char a[LONG + 1], b[LONG + 1];
    struct clinic_error error;
    struct text_difference difference;
    CHECK(text_difference_make("", "", &difference, &error) && difference.n_hunks == 0);
    text_difference_deinit(&difference);
    CHECK(text_difference_make("肺炎", "右肺部炎症", &difference, &error));
    CHECK(difference.n_hunks == 3 &&
          difference.hunks[1].from_start == difference.hunks[1].from_end);
    text_difference_deinit(&difference);
    CHECK(text_difference_make("x\xff\xe8y", "xy", &difference, &error));
    CHECK(difference.n_hunks == 1 && difference.hunks[0].from_end == 3);
    text_difference_deinit(&difference);
    memset(a, 'a', LONG);
    memset(b, 'b', LONG);
    CHECK(text_difference_make(a, b, &difference, &error) && difference.n_hunks == 1);
    CHECK(difference.hunks[0].from_end == LONG && difference.hunks[0].to_end == LONG);
    text_difference_deinit(&difference);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"smoothed", "stops and connecting words are taken", test_smoothed},
    {"lost", "what an answer loses stays where it was", test_lost},
    {"put_in", "what an answer puts in is left out", test_put_in},
    {"faults", "words lost and claimed are counted, moved ones are not", test_faults},
    {"differences", "empty, broken and very long texts", test_differences},
};

int main(int argc, char **argv) {
    return harness_main("draft_words", tests, sizeof tests / sizeof tests[0], argc, argv);
}
