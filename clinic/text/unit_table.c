// SPDX-License-Identifier: Apache-2.0
// Units as they are written in Chinese records, in folded form (lower case, ^ for superscripts).
// Concentrations of mass and of substance have bases of their own: g/L never equals mmol/L.
#include "clinic/text/unit_table.h"

#include <string.h>

struct unit_row {
    const char *word, *base;
    double factor;
};

static const struct unit_row UNITS[] = {
    {"g", "g", 1},
    {"mg", "g", 1e-3},
    {"ug", "g", 1e-6},
    {"mcg", "g", 1e-6},
    {"ng", "g", 1e-9},
    {"kg", "g", 1e3},
    {"克", "g", 1},
    {"毫克", "g", 1e-3},
    {"微克", "g", 1e-6},
    {"千克", "g", 1e3},
    {"公斤", "g", 1e3},
    {"斤", "g", 500},
    {"pg", "g", 1e-12},
    {"l", "ml", 1000},
    {"dl", "ml", 100},
    {"ml", "ml", 1},
    {"ul", "ml", 1e-3},
    {"fl", "fl", 1},
    {"升", "ml", 1000},
    {"毫升", "ml", 1},
    {"u", "U", 1},
    {"iu", "U", 1},
    {"单位", "U", 1},
    {"国际单位", "U", 1},
    {"万u", "U", 1e4},
    {"万iu", "U", 1e4},
    {"万单位", "U", 1e4},
    {"g/l", "g/L", 1},
    {"mg/l", "g/L", 1e-3},
    {"ug/l", "g/L", 1e-6},
    {"ng/l", "g/L", 1e-9},
    {"g/dl", "g/L", 10},
    {"mg/dl", "g/L", 1e-2},
    {"ug/dl", "g/L", 1e-5},
    {"mg/ml", "g/L", 1},
    {"ug/ml", "g/L", 1e-3},
    {"ng/ml", "g/L", 1e-6},
    {"pg/ml", "g/L", 1e-9},
    {"mmol/l", "mmol/L", 1},
    {"umol/l", "mmol/L", 1e-3},
    {"nmol/l", "mmol/L", 1e-6},
    {"pmol/l", "mmol/L", 1e-9},
    {"mmol", "mmol", 1},
    {"mmol/mol", "mmol/mol", 1},
    {"mosm/l", "mOsm/L", 1},
    {"mosm/kg", "mOsm/kg", 1},
    {"u/l", "U/L", 1},
    {"iu/l", "U/L", 1},
    {"miu/l", "U/L", 1e-3},
    {"miu/ml", "U/L", 1},
    {"uiu/ml", "U/L", 1e-3},
    {"u/ml", "U/L", 1000},
    {"iu/ml", "U/L", 1000},
    {"ku/l", "U/L", 1000},
    {"/l", "/L", 1},
    {"/ul", "/L", 1e6},
    {"/hp", "/HP", 1},
    {"个/hp", "/HP", 1},
    {"个/高倍视野", "/HP", 1},
    {"%", "%", 1},
    {"‰", "%", 0.1},
    {"℃", "℃", 1},
    {"°c", "℃", 1},
    {"度", "度", 1},
    {"°", "度", 1},
    {"mmhg", "mmHg", 1},
    {"kpa", "mmHg", 7.5006},
    {"cmh2o", "cmH2O", 1},
    {"cmh^2o", "cmH2O", 1},
    {"次/分", "次/分", 1},
    {"次/分钟", "次/分", 1},
    {"次/min", "次/分", 1},
    {"bpm", "次/分", 1},
    {"次每分", "次/分", 1},
    {"l/min", "L/min", 1},
    {"l/分", "L/min", 1},
    {"升/分", "L/min", 1},
    {"ml/min", "L/min", 1e-3},
    {"ml/h", "ml/h", 1},
    {"ml/小时", "ml/h", 1},
    {"ml/日", "ml/d", 1},
    {"ml/d", "ml/d", 1},
    {"ml/24h", "ml/d", 1},
    {"ml/(min·1.73m^2)", "ml/(min·1.73m²)", 1},
    {"ml/min/1.73m^2", "ml/(min·1.73m²)", 1},
    {"ml/(min.1.73m^2)", "ml/(min·1.73m²)", 1},
    {"ml/kg", "ml/kg", 1},
    {"mg/kg", "mg/kg", 1},
    {"ug/kg", "mg/kg", 1e-3},
    {"mg/(kg·d)", "mg/(kg·d)", 1},
    {"mg/kg/d", "mg/(kg·d)", 1},
    {"mg/(kg·次)", "mg/kg", 1},
    {"ug/kg/min", "ug/(kg·min)", 1},
    {"ug/(kg·min)", "ug/(kg·min)", 1},
    {"u/kg", "U/kg", 1},
    {"u/(kg·h)", "U/(kg·h)", 1},
    {"u/h", "U/h", 1},
    {"mg/h", "mg/h", 1},
    {"ug/h", "mg/h", 1e-3},
    {"mg/min", "mg/min", 1},
    {"g/d", "g/d", 1},
    {"g/24h", "g/d", 1},
    {"mg/24h", "g/d", 1e-3},
    {"mg/d", "g/d", 1e-3},
    {"mg/g", "mg/g", 1},
    {"g/日", "g/d", 1},
    {"mg/m^2", "mg/m²", 1},
    {"g/m^2", "mg/m²", 1000},
    {"kg/m^2", "kg/m²", 1},
    {"m^2", "m²", 1},
    {"mm/h", "mm/h", 1},
    {"mm", "mm", 1},
    {"cm", "mm", 10},
    {"m", "mm", 1000},
    {"um", "mm", 1e-3},
    {"毫米", "mm", 1},
    {"厘米", "mm", 10},
    {"公分", "mm", 10},
    {"米", "mm", 1000},
    {"cm^2", "mm²", 100},
    {"mm^2", "mm²", 1},
    {"mv", "mV", 1},
    {"ms", "ms", 1},
    {"毫秒", "ms", 1},
    {"hz", "Hz", 1},
    {"j", "J", 1},
    {"kcal", "kcal", 1},
    {"s", "s", 1},
    {"秒", "s", 1},
    {"min", "h", 1.0 / 60},
    {"分钟", "h", 1.0 / 60},
    {"h", "h", 1},
    {"小时", "h", 1},
    {"d", "h", 24},
    {"天", "h", 24},
    {"日", "h", 24},
    {"昼夜", "h", 24},
    {"周", "h", 168},
    {"星期", "h", 168},
    {"w", "h", 168},
    {"月", "月", 1},
    {"个月", "月", 1},
    {"月龄", "月", 1},
    {"个半月", "月", 1},
    {"年", "月", 12},
    {"岁", "岁", 1},
    {"周岁", "岁", 1},
    {"分", "分", 1},
    {"级", "级", 1},
    {"度烧伤", "级", 1},
    {"期", "期", 1},
    {"型", "型", 1},
    {"枚", "个", 1},
    {"个", "个", 1},
    {"处", "个", 1},
    {"颗", "个", 1},
    {"根", "根", 1},
    {"条", "根", 1},
    {"套", "套", 1},
    {"次", "次", 1},
    {"支", "支", 1},
    {"片", "片", 1},
    {"粒", "粒", 1},
    {"袋", "袋", 1},
    {"瓶", "瓶", 1},
    {"包", "袋", 1},
    {"丸", "粒", 1},
    {"滴", "滴", 1},
    {"喷", "喷", 1},
    {"揿", "喷", 1},
    {"吸", "喷", 1},
    {"贴", "贴", 1},
    {"周期", "周期", 1},
    {"疗程", "周期", 1},
    {"层楼", "层", 1},
    {"层", "层", 1},
    {"组", "组", 1},
    {"指", "指", 1},
    {"腔", "腔", 1},
    {"孔", "孔", 1},
    {"号", "号", 1},
    {"倍", "倍", 1},
    {"+", "+", 1},
    {"子", "子", 1},
    {"女", "女", 1},
    {"人", "人", 1},
};

// 100mgqd: how often it is given may touch the unit.
static bool is_how_often(const struct folded_text *text, size_t at) {
    static const char *const words[] = {"qd",  "qn",  "bid", "tid",  "qid", "qod",
                                        "q4h", "q6h", "q8h", "q12h", "qw",  "biw",
                                        "iv",  "po",  "ih",  "im",   "prn", "st"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = folded_match(text, at, words[i]);
        if (n && !folded_goes_on(text, at + n)) {
            return true;
        }
    }
    return false;
}

struct unit unit_at(const struct folded_text *text, size_t at) {
    struct unit best = {"", 1, 0};
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        size_t n = folded_match(text, at, UNITS[i].word);
        uint32_t next = text->chars[at + n];
        if (n == 1 && strcmp(UNITS[i].word, "升") == 0 &&
            (next == 0x81F3 || next == 0x9AD8 || next == 0x4E3A)) {
            continue; // 0.12升至18.6 is no litre
        }
        // "2 m" is metres, "2 mg" not; a Latin unit ends where the letters end.
        bool times = next == 'x' && character_is_digit(text->chars[at + n + 1]);
        bool ends = n && (times || !folded_goes_on(text, at + n) || is_how_often(text, at + n));
        if (n > best.length && ends) {
            best = (struct unit){UNITS[i].base, UNITS[i].factor, n};
        }
    }
    return best;
}

bool unit_is_dose(const char *base) {
    static const char *const bases[] = {
        "g",    "ml",  "U",  "片",        "粒",    "袋",          "支",
        "滴",   "喷",  "贴", "mg/kg",     "mg/m²", "ug/(kg·min)", "U/kg",
        "mg/h", "U/h", "瓶", "mg/(kg·d)", "mmol",  "mg/min",      "ml/h"};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        if (strcmp(base, bases[i]) == 0) {
            return true;
        }
    }
    return false;
}
