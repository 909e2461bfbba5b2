// SPDX-License-Identifier: Apache-2.0
// See drug_stem.h.
#include "clinic/facts/drug_stem.h"

#include "clinic/facts/clause.h"

#include <string.h>

static const char *const SALTS_IN_FRONT[] = {
    "注射用", "吸入用", "盐酸", "硫酸",     "磷酸",   "琥珀酸", "苯磺酸", "马来酸", "富马酸",
    "酒石酸", "枸橼酸", "醋酸", "门冬氨酸", "甲磺酸", "氢溴酸", "重组",   NULL};
static const char *const FORMS_BEHIND[] = {
    "氯化钠注射液", "葡萄糖注射液", "注射液", "混悬液", "口服溶液", "颗粒",   "分散片",
    "肠溶片",       "缓释片",       "控释片", "咀嚼片", "叔丁胺片", "软胶囊", "肠溶胶囊",
    "胶囊",         "干混悬剂",     "混悬剂", "糖浆",   "滴丸",     "乳剂",   "散",
    "片",           "丸",           "针",     "膏",     "剂",       "叔丁胺", "钠",
    "钙",           "钾",           NULL};
static const char *const SUPPORTIVE[] = {
    "氯化钠",   "葡萄糖",       "复方氯化钠", "乳酸钠林格", "林格",       "氯化钾",   "拉唑",
    "氨溴索",   "对乙酰氨基酚", "布洛芬",     "氟比洛芬",   "塞来昔布",   "昂丹司琼", "甲氧氯普胺",
    "托烷司琼", "帕洛诺司琼",   "维生素",     "氨基酸",     "脂肪乳",     "碳酸氢钠", "葡萄糖酸钙",
    "乳果糖",   "开塞露",       "蒙脱石",     "益生菌",     "双歧杆菌",   "地西泮",   "佐匹克隆",
    "利多卡因", "丙泊酚",       "芬太尼",     "咪达唑仑",   "右美托咪定", "羟考酮",   "吗啡",
    "曲马多",   "去甲肾上腺素", "多巴胺",     "多巴酚丁胺", "白蛋白",     "甘露醇",   "罗库溴铵",
    "氨甲环酸", "缩宫素",       "垂体后叶素", "铝镁",       NULL};

static void cut_front(const char **name) {
    const char *stem = *name;
    for (int i = 0; SALTS_IN_FRONT[i]; i++) {
        size_t bytes = strlen(SALTS_IN_FRONT[i]);
        if (strncmp(stem, SALTS_IN_FRONT[i], bytes) == 0 && strlen(stem) >= bytes + 6) {
            stem += bytes;
            i = -1;
        }
    }
    *name = stem;
}

static size_t cut_behind(const char *stem, size_t bytes) {
    for (int i = 0; FORMS_BEHIND[i]; i++) {
        size_t form = strlen(FORMS_BEHIND[i]);
        if (bytes >= form + 6 && memcmp(stem + bytes - form, FORMS_BEHIND[i], form) == 0) {
            bytes -= form;
            i = -1;
        }
    }
    return bytes;
}

void drug_stem(const char *name, char stem[DRUG_STEM_BYTES]) {
    const char *from = name;
    cut_front(&from);
    const char *open = strstr(from, "（");
    size_t bytes = open && open > from ? (size_t)(open - from) : strlen(from);
    bytes = cut_behind(from, bytes);
    size_t kept = 0;
    for (size_t step; kept < bytes && (step = character_length(from + kept)); kept += step) {
        if (kept + step >= DRUG_STEM_BYTES) break;
    }
    memcpy(stem, from, kept);
    stem[kept] = '\0';
}

bool drug_stem_is_same(const char *name, const char *other) {
    char a[DRUG_STEM_BYTES], b[DRUG_STEM_BYTES];
    drug_stem(name, a);
    drug_stem(other, b);
    return strcmp(a, b) == 0;
}

bool drug_is_supportive(const struct order *order) {
    for (int i = 0; SUPPORTIVE[i]; i++) {
        if (strstr(order->name, SUPPORTIVE[i])) return true;
    }
    return order->frequency && strstr(order->frequency, "必要时");
}

// What a diagnosis makes of a supportive drug. Written down from general medical knowledge.
static const struct {
    const char *drug, *diagnoses[6];
} INDICATIONS[] = {
    {"氯化钾", {"低钾", "酮症", NULL}},
    {"葡萄糖酸钙", {"高钾", "低钙", "抽搐", NULL}},
    {"碳酸氢钠", {"酸中毒", "高钾", NULL}},
    {"白蛋白", {"低蛋白", "腹膜炎", "肝肾综合征", NULL}},
    {"去甲肾上腺素", {"休克", NULL}},
    {"多巴胺", {"休克", NULL}},
    {"多巴酚丁胺", {"休克", "心力衰竭", NULL}},
    {"甘露醇", {"脑疝", "颅内压", "脑出血", NULL}},
    {"乳果糖", {"肝性脑病", NULL}},
    {"缩宫素", {"产后出血", NULL}},
    {"氨甲环酸", {"产后出血", "创伤性凝血", NULL}},
    {"维生素", {"缺乏", NULL}},
    {"林格", {"脱水", "酮症", "高渗", "休克", "胰腺炎", NULL}},
    {"氯化钠", {"脱水", "低钠", "酮症", "高渗", NULL}},
};

static bool has_diagnosis(const struct episode *episode, const char *word) {
    for (int i = 0; i < episode->n_diagnoses; i++) {
        if (strstr(episode->diagnoses[i].name, word)) return true;
    }
    return false;
}

bool drug_is_support_of(const struct episode *episode, const struct order *order) {
    if (!drug_is_supportive(order)) return false;
    for (size_t i = 0; i < sizeof INDICATIONS / sizeof *INDICATIONS; i++) {
        if (!strstr(order->name, INDICATIONS[i].drug)) continue;
        for (int k = 0; INDICATIONS[i].diagnoses[k]; k++) {
            if (has_diagnosis(episode, INDICATIONS[i].diagnoses[k])) return false;
        }
    }
    return true;
}

bool drug_is_acute(const struct order *order) {
    static const char *const ALWAYS[] = {"替普酶",     "尿激酶",       "替罗非班", "胺碘酮",
                                         "硝普钠",     "奥曲肽",       "生长抑素", "特利加压",
                                         "丙种球蛋白", "去乙酰毛花苷", "氟马西尼", "纳洛酮",
                                         "硫酸镁",     "甲氨蝶呤",     NULL};
    static const char *const BY_PUMP[] = {"肝素",     "胰岛素",   "硝酸甘油", "比伐芦定",
                                          "阿加曲班", "尼卡地平", "乌拉地尔", NULL};
    for (int i = 0; ALWAYS[i]; i++) {
        if (strstr(order->name, ALWAYS[i])) return true;
    }
    bool is_pumped = order->route && strstr(order->route, "静脉");
    for (int i = 0; is_pumped && BY_PUMP[i]; i++) {
        if (strstr(order->name, BY_PUMP[i])) return true;
    }
    return false;
}

static bool names_any(const char *text, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (strstr(text, words[i])) return true;
    }
    return false;
}

bool allergy_is_food(const char *substance) {
    static const char *const FOODS[] = {"蛋", "牛奶", "花生", "坚果", "海鲜", "虾",   "蟹",
                                        "鱼", "芒果", "小麦", "大豆", "贝类", "食物", NULL};
    static const char *const NOT[] = {"蛋白", "鱼精", "鱼腥", "鱼肝", NULL}; // drugs
    return names_any(substance, FOODS) && !names_any(substance, NOT);
}

bool allergy_is_drug(const char *substance) {
    static const char *const OTHERS[] = {"花粉", "尘螨", "螨",   "动物", "毛发", "橡胶",
                                         "乳胶", "胶布", "金属", "油漆", NULL};
    return !allergy_is_food(substance) && !names_any(substance, OTHERS);
}
