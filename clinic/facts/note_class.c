// SPDX-License-Identifier: Apache-2.0
// See note_class.h.
#include "clinic/facts/note_class.h"

#include "clinic/text/evidence_document.h"

#include <stdlib.h>
#include <string.h>

#define DAYS_MAX (10 * 365)
#define STOP_LIST_BYTES 60

static const char *const UNTOLD_TYPES[] = {"consent", "notice", "preop_", NULL};

static const char *const NEGATIVE[] = {"无",   "未",     "否认",   "不支持", "警惕",   "预防",
                                       "可能", "风险",   "除外",   "排除",   "避免",   "防止",
                                       "注意", "观察有", "如出现", "若",     "必要时", "待",
                                       "拟",   "建议",   "时使用", "备用",   "预计",   NULL};
static const char *const PLANNED[] = {"拟",       "待",   "必要时", "完善", "送检",   "追踪", "催",
                                      "明日复查", "明晨", "决定",   "若",   "再复查", NULL};
static const char *const PENDING[] = {"未回报",   "待回报", "未报告", "待报告",
                                      "结果未回", "未归",   NULL};
static const char *const ADVICE_ALWAYS[] = {
    "出院后", "避孕",     "不得自行停药", "不可自行停药", "不得自行", "不可漏服",
    "漏服",   "不得停用", "不可停用",     "不能停用",     NULL};
static const char *const ADVICE_VISIT[] = {"门诊", "随诊",   "随访", "复诊",   "复查", "评估",
                                           "拆线", "取病理", "减为", "总疗程", "长期", "至少",
                                           "禁",   "避免",   "低脂", "低盐",   "负重", NULL};
// A limb that must be spared for life: after breast surgery, with a fistula.
static const char *const ADVICE_LIMB[] = {"测血压", "抽血", "血管", NULL};
static const char *const SPARING[] = {"保护", "禁", "避免", "勿", "不在", NULL};
static const char *const ADVICE_LAST[] = {
    "立即就诊",   "及时就诊", "随诊",     "门诊",   "戒烟",       "戒酒",     "防跌倒",
    "防脱位",     "减重",     "低脂饮食", "低盐",   "糖尿病饮食", "清淡饮食", "低蛋白饮食",
    "重体力劳动", "长期服",   "长期",     "须监测", "监测血糖",   "监测血压", "目标",
    "继续康复",   "盆浴",     "禁屈",     "减为",   "服用",       "避免",     "注意",
    "不再",       "疫苗",     "接种",     "休息",   "保护",       "保持",     "终身",
    "自行服",     "每周",     "每日测",   "维护",   "提示卡",     "过敏卡",   "居家",
    "暂不从事",   "限水",     "限盐",     "干体重", "疼痛时",     NULL};
static const char *const DIAGNOSED[] = {"诊断修正", "修正诊断", "修正为", "补充诊断",
                                        "诊断补充", "确诊",     "诊断为", NULL};
static const char *const DIAGNOSED_MAYBE[] = {"诊断明确", "诊断成立", "证实", "提示",
                                              "考虑为",   "符合",     NULL};
static const char *const COMPLICATIONS[] = {
    "并发",       "血肿",       "血栓形成",   "肌间静脉血栓", "进展",
    "加重",       "升至",       "过敏性休克", "过敏反应",     "一过性下降",
    "下降，最低", "恶心",       "呕吐",       "渗漏",         "切口感染",
    "裂开",       "脱位",       "失血性贫血", "自主心律",     "心律失常",
    "心搏骤停",   "休克",       "晕厥",       "低血糖",       "胆漏",
    "皮疹",       "抽搐",       "骨髓抑制",   "黑便",         "呕血",
    "再出血",     "谵妄",       "压力性损伤", "急性肾损伤",   "呼吸衰竭",
    "气胸",       "肺不张",     "误吸",       "感染加重",     "脓毒",
    "死亡",       "窘迫",       "窒息",       "痰栓",         "神经损伤",
    "横纹肌溶解", "肺栓塞",     "低钾血症",   "酸中毒",       "心力衰竭",
    "肠梗阻",     "尿潴留",     "血小板增多", "血小板减少",   "新发",
    "胃肠道反应", "肝功能损害", NULL};
static const char *const DRUG_ACTIONS[] = {
    "停",   "改",   "加用", "恢复",    "调整",     "增至", "增加", "减",   "开始",
    "予",   "换",   "首剂", "联合",    "口服",     "静脉", "皮下", "吸入", "泵入",
    "鼻饲", "每日", "每晚", "每8小时", "每12小时", "隔日", NULL};
static const char *const EXAMINED[] = {"CT",     "MRI",    "MRA",  "X线",  "超声",     "造影",
                                       "磁共振", "胃镜",   "肠镜", "内镜", "病理",     "培养",
                                       "心电图", "骨密度", "活检", "T值",  "射血分数", "镜下",
                                       "刮宫",   "细胞学", NULL};
static const char *const SCORED[] = {"评分", "肌力", "饮水试验", "分期", "量表", "指数", NULL};
// Scores that tell how well a patient left.
static const char *const GRADED[] = {"肌力", "NIHSS", "Rankin", "GCS", "Barthel", NULL};
static const char *const EVENTS[] = {
    "拔除", "停吸氧", "停病重",   "停病危",     "转普通病房", "转入",     "转出", "撤机",
    "脱机", "拔管",   "康复训练", "停心电监护", "不行",       "未行",     "置管", "透析",
    "插管", "停牵引", "有效",     "改经口",     "皮试阴性",   "体温正常", NULL};
static const char *const NORMAL_WORDS[] = {"正常", "无特殊", NULL};

static bool is_communication(const struct document *doc) {
    return doc->type && strcmp(doc->type, "communication") == 0;
}

bool document_tells_facts(const struct document *doc) {
    if (!document_is_evidence(doc)) return false;
    if (is_communication(doc)) return true;
    for (int i = 0; UNTOLD_TYPES[i]; i++) {
        if (doc->type && strstr(doc->type, UNTOLD_TYPES[i])) return false;
    }
    return true;
}

static int unit_days(const char *unit) {
    static const struct {
        const char *unit;
        int days;
    } UNITS[] = {{"天", 1}, {"日起", 1}, {"周", 7}, {"个月", 30}, {"月后", 30}, {"年", 365}};
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (strncmp(unit, UNITS[i].unit, strlen(UNITS[i].unit)) == 0) return UNITS[i].days;
    }
    return 0;
}

int clause_days(const struct clause *part) {
    int longest = 0;
    for (size_t at = part->start; at < part->end;) {
        size_t digits = number_length(part->text + at);
        if (!digits) {
            at += character_length(part->text + at);
            continue;
        }
        long number = digits <= 4 ? strtol(part->text + at, NULL, 10) : 0;
        at += digits;
        // 2025年 is a year, not a span.
        int days = at < part->end && number <= 999 ? (int)number * unit_days(part->text + at) : 0;
        days = days > DAYS_MAX ? 0 : days;
        longest = days > longest ? days : longest;
    }
    return longest;
}

bool part_names_drug(const struct note_context *context, const struct clause *part) {
    for (int i = 0; i < context->n_drugs; i++) {
        if (clause_has(part, context->drugs[i].stem)) return true;
    }
    return false;
}

// Right behind a word that stops it, or in a list behind one: "停阿司匹林、厄贝沙坦".
static bool is_stopped_name(const struct clause *part, size_t at) {
    static const char *const STOPS[] = {"停用",     "停服",     "暂停",   "停",       "不再恢复",
                                        "不再使用", "不再服用", "不恢复", "暂不恢复", NULL};
    for (int i = 0; STOPS[i]; i++) {
        size_t stop = clause_find(part, STOPS[i]), behind = stop + strlen(STOPS[i]);
        if (stop >= part->end || behind > at) continue;
        struct clause between = {.text = part->text, .start = behind, .end = at};
        if (behind == at || (clause_has(&between, "、") && at - behind <= STOP_LIST_BYTES))
            return true;
    }
    return false;
}

// "华法林停用", "阿司匹林仍停": right before it.
static bool is_name_stopped(const struct clause *part, size_t behind) {
    static const char *const FORMS[] = {"钠片", "片", "胶囊", "缓释片", "肠溶片", "仍", "已", NULL};
    struct clause rest = {.text = part->text, .start = behind, .end = part->end};
    for (int i = 0; FORMS[i]; i++) {
        if (clause_starts(&rest, FORMS[i])) rest.start += strlen(FORMS[i]);
    }
    return clause_starts(&rest, "停") || clause_starts(&rest, "暂停");
}

// "停阿司匹林", "血尿消失前不恢复阿司匹林": a drug from home that is given up or paused. A class of
// drugs is none.
static bool stops_home_drug(const struct note_context *context, const struct clause *part) {
    static const char *const NOT[] = {"自行", "不停", "不能停", "不得停", "不可停",
                                      "停后", "停药", "曾",     "年前",   "若",
                                      "如",   "诱因", "等于",   "昨",     NULL};
    if (clause_has_any(part, NOT)) return false;
    for (int i = 0; i < context->n_drugs; i++) {
        const struct note_drug *drug = &context->drugs[i];
        size_t at = clause_find(part, drug->stem);
        if (drug->is_home && at < part->end && strcmp(drug->stem, "胰岛素") != 0 &&
            (is_stopped_name(part, at) || is_name_stopped(part, at + strlen(drug->stem))))
            return true;
    }
    return false;
}

static bool is_consultation(const struct document *doc) {
    return doc->type && strcmp(doc->type, "consultation") == 0;
}

bool advice_needs_drug(const char *text) {
    static const char *const STARTS[] = {"用至",         "服至",         "用满",     "不可自行停药",
                                         "不得自行停药", "不能自行停药", "漏服",     "不可漏服",
                                         "减为",         "不得停用",     "不可停用", "继续用",
                                         "疗程",         "总疗程",       NULL};
    for (int i = 0; STARTS[i]; i++) {
        if (strncmp(text, STARTS[i], strlen(STARTS[i])) == 0) return true;
    }
    return strstr(text, "减停") || strstr(text, "改其他口服药");
}

// "以后1、3、6个月随访": of what? "职业康复评估3个月后": what then?
static bool is_fragment(const char *text) {
    static const char *const STARTS[] = {"以后", "此后", NULL};
    static const char *const ENDS[] = {"月后", "周后", "天后", "年后", NULL};
    size_t bytes = strlen(text);
    for (int i = 0; STARTS[i]; i++) {
        if (strncmp(text, STARTS[i], strlen(STARTS[i])) == 0) return true;
    }
    for (int i = 0; ENDS[i]; i++) {
        size_t end = strlen(ENDS[i]);
        if (bytes >= end && strcmp(text + bytes - end, ENDS[i]) == 0) return true;
    }
    return false;
}

bool advice_is_doubtful(const char *text) {
    static const char *const DOUBTS[] = {"静脉用", "静脉滴", "静脉注", "静脉给", "静脉输",
                                         "再次",   "向患者", "向家属", "待术后", "目前",
                                         "降阶梯", "可考虑", "继续至", "泵入",   NULL};
    for (int i = 0; DOUBTS[i]; i++) {
        if (strstr(text, DOUBTS[i])) return true;
    }
    bool is_named = (unsigned char)text[0] >= 0x80; // "丙戊酸：3个月后…"
    return (advice_needs_drug(text) && !(is_named && strstr(text, "："))) || is_fragment(text);
}

static bool has_digit(const struct clause *part) {
    for (size_t i = part->start; i < part->end; i++) {
        if (part->text[i] >= '0' && part->text[i] <= '9') return true;
    }
    return false;
}

// Time that reaches beyond the stay.
static bool is_after_discharge(const struct note_context *context, const struct clause *part) {
    int days = clause_days(part);
    struct moment discharge = context->episode->encounter.discharge;
    // A course that is counted from its beginning mostly ends in hospital.
    if (!days || (days < 14 && clause_has(part, "疗程"))) return false;
    if (discharge.seconds == MOMENT_UNKNOWN) return days >= 7;
    return moment_day_number(context->doc->event) + days > moment_day_number(discharge);
}

static bool is_day_of_month(const char *text) {
    static const char *const PARTS[] = {"上旬", "中旬", "下旬", "初", "底", NULL};
    for (int i = 0; PARTS[i]; i++) {
        if (strncmp(text, PARTS[i], strlen(PARTS[i])) == 0) return true;
    }
    return number_length(text) > 0;
}

// "8月25日注射维生素B12": a day behind the day of discharge (of the year of the note).
static bool has_later_date(const struct note_context *context, const struct clause *part) {
    struct moment discharge = context->episode->encounter.discharge;
    if (discharge.seconds == MOMENT_UNKNOWN) return false;
    struct calendar_day last = moment_day(discharge);
    for (size_t at = part->start; at < part->end;) {
        size_t digits = number_length(part->text + at);
        const char *behind = part->text + at + digits;
        if (!digits) {
            at += character_length(part->text + at);
            continue;
        }
        if (digits <= 2 && strncmp(behind, "月", strlen("月")) == 0 &&
            is_day_of_month(behind + strlen("月"))) {
            long month = strtol(part->text + at, NULL, 10);
            long day = strtol(behind + strlen("月"), NULL, 10);
            if (month > last.month || (month == last.month && day > last.day))
                return month - last.month < 6; // else it is a month of the year before
        }
        at += digits;
    }
    return false;
}

// Advice of the last days is what holds; earlier advice may have been overtaken.
static bool is_late(const struct note_context *context) {
    struct moment discharge = context->episode->encounter.discharge;
    return discharge.seconds == MOMENT_UNKNOWN ||
           moment_day_number(context->doc->event) + 3 >= moment_day_number(discharge);
}

// "至9月17日", and no day behind the discharge: what was to be done is done.
static bool has_ended(const struct note_context *context, const struct clause *part) {
    struct moment discharge = context->episode->encounter.discharge;
    for (size_t at = part->start; at + strlen("至") < part->end;) {
        const char *date = part->text + at + strlen("至");
        size_t digits = number_length(date);
        if (strncmp(part->text + at, "至", strlen("至")) == 0 && digits && digits <= 2 &&
            strncmp(date + digits, "月", strlen("月")) == 0 &&
            number_length(date + digits + strlen("月")))
            return discharge.seconds != MOMENT_UNKNOWN && !has_later_date(context, part);
        at += character_length(part->text + at);
    }
    return false;
}

// The clause that a part stands in: between the marks around it.
static struct clause whole_clause(const struct clause *part) {
    static const char *const MARKS[] = {"。", "；", "\n", NULL};
    struct clause whole = *part;
    for (bool is_end = false; whole.start > 0 && !is_end;) {
        for (int i = 0; MARKS[i] && !is_end; i++) {
            size_t bytes = strlen(MARKS[i]);
            is_end = whole.start >= bytes &&
                     memcmp(part->text + whole.start - bytes, MARKS[i], bytes) == 0;
        }
        whole.start -= !is_end;
    }
    for (bool is_end = false; part->text[whole.end] && !is_end;) {
        for (int i = 0; MARKS[i] && !is_end; i++)
            is_end = strncmp(part->text + whole.end, MARKS[i], strlen(MARKS[i])) == 0;
        whole.end += !is_end;
    }
    return whole;
}

// What the last note says behind "今日出院，" or "嘱：" is said to the patient: a clause that
// advises, with its conditions.
static bool is_behind_discharge(const struct note_context *context, const struct clause *part) {
    static const char *const SAYING[] = {
        "多饮", "每日", "每周", "避免", "禁",   "勿",   "不",   "继续", "注意", "保持", "低盐",
        "低脂", "饮食", "监测", "定期", "按时", "口服", "服至", "用至", "复查", "复诊", "门诊",
        "随诊", "急诊", "就诊", "取",   "防",   "戒",   "休息", "接种", "避孕", NULL};
    static const char *const REPORTED[] = {"理解", "复述", "掌握", "签字",   "交代",
                                           "告知", "查体", "℃",    "mmHg，", "次/分",
                                           "愈合", "出院", NULL};
    struct moment discharge = context->episode->encounter.discharge;
    struct clause before = {.text = part->text, .start = 0, .end = part->start};
    struct clause upto = {.text = part->text, .start = 0, .end = part->end};
    if (discharge.seconds == MOMENT_UNKNOWN || is_consultation(context->doc) ||
        moment_day_number(context->doc->event) != moment_day_number(discharge))
        return false;
    bool is_said = clause_has(&before, "今日出院，") || clause_has(&before, "予出院，") ||
                   (clause_has(&before, "出院") && clause_has(&upto, "嘱："));
    if (!is_said || clause_has_any(part, REPORTED)) return false;
    struct clause whole = whole_clause(part);
    return clause_has_any(&whole, SAYING);
}

// What was, what was weighed, how things stand: no advice, however much it sounds like one.
static bool is_told_of_stay(const struct note_context *context, const struct clause *part) {
    static const char *const STAY[] = {"天前",     "周前", "小时前", "不再加量",
                                       "不再减量", "昨日", "昨夜",   "接近目标",
                                       "达到目标", "达标", NULL};
    static const char *const NOT[] = {"不", "勿", "禁", "避免", NULL};
    static const char *const DECIDING[] = {"决定是否", "评估是否", "明确是否", NULL};
    if (clause_has_any(part, STAY) || has_ended(context, part)) return true;
    if (clause_has(part, "自行停") && !clause_has_any(part, NOT)) return true;
    return clause_has(part, "是否") && !clause_has_any(part, DECIDING);
}

// "禁左上肢抽血、输液、测血压", "保护左上肢血管"
static bool is_limb_advice(const struct clause *part) {
    static const char *const LIMBS[] = {"上肢", "前臂", "患肢", "下肢", NULL};
    return clause_has_any(part, LIMBS) && clause_has_any(part, SPARING) &&
           clause_has_any(part, ADVICE_LIMB);
}

// "分流术后1个月查支架超声"
static bool is_timed_check(const struct clause *part) {
    static const char *const CHECKS[] = {"月查", "月后查", "周查", "周后查", NULL};
    return clause_has_any(part, CHECKS);
}

// What is left to the outpatient department, said in the last days; not where a patient came from.
static bool is_outpatient(const struct clause *part) {
    static const char *const LEFT[] = {"门诊", "返院", "科评估", NULL};
    static const char *const PAST[] = {"曾",     "就诊于", "门诊就诊", "收入",   "收住", "门诊查",
                                       "门诊以", "外院",   "已约",     "已预约", NULL};
    return clause_has_any(part, LEFT) && !clause_has_any(part, PAST);
}

static bool has_condition(const struct clause *part) {
    static const char *const CONDITIONS[] = {"如", "若", "出现", "时", "一旦", NULL};
    return clause_has_any(part, CONDITIONS);
}

static bool is_advice(const struct note_context *context, const struct clause *part) {
    static const char *const FOR_HOME[] = {"出院", "门诊", "复诊", "随诊", "随访",
                                           "返院", "复查", "就诊", NULL};
    if (is_told_of_stay(context, part)) return false;
    if (is_consultation(context->doc) && !clause_has_any(part, FOR_HOME)) return false;
    if (stops_home_drug(context, part) && is_late(context)) return true; // for home, too
    if (is_behind_discharge(context, part)) return true;
    if (clause_starts(part, "出院后复查") && part->end - part->start == strlen("出院后复查"))
        return false; // of what?
    static const char *const PAST[] = {"病史", "年前",         "个月前",   "发病", "术后第",
                                       "不符", "同意今日出院", "再服",     "连用", "禁忌",
                                       "了解", "要求",         "小时监测", NULL};
    if (context->is_last && has_later_date(context, part)) return true;
    if (clause_has_any(part, PAST)) return false;
    if (clause_has_any(part, ADVICE_ALWAYS) || is_limb_advice(part)) return true;
    if (is_late(context) && is_outpatient(part)) return true;
    if (is_after_discharge(context, part) &&
        (clause_has_any(part, ADVICE_VISIT) || is_timed_check(part)))
        return true;
    return context->is_last && clause_has_any(part, ADVICE_LAST);
}

static bool is_drug_change(const struct note_context *context, const struct clause *part) {
    static const char *const CONTINUED[] = {"继续", "避免", "过敏", "不用", "暂不", NULL};
    if (clause_has(part, "输注") || clause_has(part, "输悬浮") || clause_has(part, "输血浆"))
        return has_digit(part);
    if (!part_names_drug(context, part) || !clause_has_any(part, DRUG_ACTIONS)) return false;
    return !clause_has_any(part, CONTINUED) || has_digit(part);
}

// Named like a discharge diagnosis that was not there on admission.
static bool names_new_diagnosis(const struct note_context *context, const struct clause *part) {
    const struct episode *episode = context->episode;
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        const char *open = strstr(diagnosis->name, "（");
        char name[96];
        size_t bytes = open ? (size_t)(open - diagnosis->name) : strlen(diagnosis->name);
        if (strcmp(diagnosis->stage, "discharge") != 0 || !diagnosis->present_on_admission ||
            strcmp(diagnosis->present_on_admission, "无") != 0 || bytes < strlen("肺栓塞") ||
            bytes >= sizeof name)
            continue;
        memcpy(name, diagnosis->name, bytes);
        name[bytes] = '\0';
        if (clause_has(part, name)) return true;
    }
    return false;
}

// What might be or was looked out for, what explains something else, how long ago it was.
static bool is_complication(const struct note_context *context, const struct clause *part) {
    static const char *const ABOUT[] = {
        "监测", "防",   "预案", "所致",   "有关",   "诱因",     "极易",   "诱发", "高危", "率高",
        "视为", "大于", "小于", "应在",   "后第",   "立即处理", "病史",   "如何", "联系", "明确",
        "缓解", "说明", "危及", "导致",   "加重时", "入院诊断", "复查",   "标准", "危险", "不能",
        "教会", "识别", "高于", "低于",   "恐惧",   "害怕",     "担心",   "问题", "法则", "教育",
        "复述", "两次", "剂加", "诊断以", "加用",   "控制后",   "后开始", "筛查", NULL};
    static const char *const ADVISED[] = {"如", "一旦", NULL};
    static const char *const VISITS[] = {"就诊", "急诊", "随诊", NULL};
    if (clause_starts_any(part, ADVISED) || clause_has_any(part, VISITS)) return false;
    return !clause_has_any(part, NEGATIVE) && !clause_has_any(part, ABOUT) &&
           (clause_has_any(part, COMPLICATIONS) || names_new_diagnosis(context, part));
}

static bool is_finding(const struct clause *part) {
    static const char *const CHANGES[] = {"降至", "升至", "减至", "增至", NULL};
    if (clause_has_any(part, PLANNED)) return false;
    if (clause_has(part, "由") && clause_has_any(part, CHANGES) && has_digit(part)) return true;
    if (clause_has_any(part, EXAMINED))
        return (clause_has(part, "：") || clause_has(part, "示") || has_digit(part) ||
                clause_has(part, "未见")) &&
               !clause_has_any(part, NORMAL_WORDS);
    return clause_has_any(part, SCORED) && has_digit(part);
}

static bool is_closing_sign(const struct note_context *context, const struct clause *part) {
    if (clause_has(part, "甲愈合")) return true;
    return context->is_last && ((clause_has(part, "体温") && has_digit(part)) ||
                                (clause_has(part, "血压") && has_digit(part)) ||
                                (clause_has(part, "氧饱和度") && has_digit(part)) ||
                                (clause_has(part, "行走") && has_digit(part)));
}

static bool is_present_condition(const char *section) {
    return strcmp(section, "体格检查") == 0 || strcmp(section, "专科情况") == 0;
}

// The admission note and the first note: how it was at the beginning.
static struct note_view classify_beginning(const struct note_context *context, const char *section,
                                           const struct clause *part) {
    if (strcmp(section, "既往史") == 0) {
        bool is_allergy = clause_has(part, "过敏") && !clause_has(part, "否认");
        return (struct note_view){is_allergy ? FACT_POSITIVE : FACT_CLASSES, is_allergy};
    }
    if (strcmp(section, "初步诊断") == 0) return (struct note_view){FACT_DIAGNOSIS, false};
    if (strcmp(section, "辅助检查") == 0 && is_finding(part))
        return (struct note_view){FACT_POSITIVE, false};
    if (is_present_condition(section) &&
        (is_finding(part) || clause_has(part, "体温") || clause_has(part, "氧饱和度")))
        return (struct note_view){FACT_POSITIVE, false};
    if (strcmp(section, "诊疗计划") == 0 && stops_home_drug(context, part))
        return (struct note_view){FACT_DRUG, true};
    if (strcmp(section, "现病史") == 0 || strcmp(section, "诊疗计划") == 0) {
        if (is_drug_change(context, part) && has_digit(part))
            return (struct note_view){FACT_DRUG, false};
        if (clause_has(part, "不行") || is_finding(part))
            return (struct note_view){FACT_EVENT, false};
    }
    if (strcmp(section, "拟诊讨论") == 0 &&
        (clause_has_any(part, DIAGNOSED_MAYBE) || is_finding(part) || clause_has(part, "定位")))
        return (struct note_view){FACT_DIAGNOSIS, false};
    return (struct note_view){FACT_CLASSES, false};
}

static bool is_beginning(const struct document *doc) {
    return strcmp(doc->type, "admission_note") == 0 ||
           strcmp(doc->type, "first_progress_note") == 0;
}

// What a summary or transfer record tells again belongs to other days than its own.
static bool is_retelling(const struct document *doc, const char *section) {
    static const char *const TYPES[] = {"transfer", "stage_summary", "handover", NULL};
    static const char *const SECTIONS[] = {"诊疗经过", "入院情况", "入院诊断", NULL};
    bool is_summary = false;
    for (int i = 0; TYPES[i]; i++)
        is_summary = is_summary || strstr(doc->type, TYPES[i]) != NULL;
    for (int i = 0; is_summary && SECTIONS[i]; i++) {
        if (strstr(section, SECTIONS[i])) return true;
    }
    return false;
}

static bool is_untold_section(const char *section) {
    static const char *const SECTIONS[] = {"申请理由", "一般项目", "参加人员", "告知内容",
                                           "患者意见", "拟行手术", "一般情况", "术前诊断",
                                           "术中诊断", NULL};
    for (int i = 0; SECTIONS[i]; i++) {
        if (strcmp(section, SECTIONS[i]) == 0) return true;
    }
    return false;
}

static struct note_view classify_operation(const struct note_context *context, const char *section,
                                           const struct clause *part) {
    bool is_course = strcmp(section, "手术经过") == 0;
    if (strcmp(section, "手术名称") == 0) return (struct note_view){FACT_OPERATION, true};
    if (strcmp(section, "植入物") == 0) return (struct note_view){FACT_OPERATION, false};
    if (is_complication(context, part)) return (struct note_view){FACT_COMPLICATION, false};
    if (is_course && (clause_has(part, "置入") || clause_has(part, "植入")) &&
        (clause_has(part, "支架") || clause_has(part, "假体") || clause_has(part, "枚（")))
        return (struct note_view){FACT_OPERATION, false};
    if (is_finding(part) || clause_has(part, "闭塞") || clause_has(part, "狭窄") ||
        clause_has(part, "出血约") || clause_has(part, "未输血") ||
        (!is_course && (clause_has(part, "息肉") || clause_has(part, "结石"))))
        return (struct note_view){FACT_POSITIVE, false};
    if (is_drug_change(context, part) && has_digit(part))
        return (struct note_view){FACT_DRUG, false};
    return (struct note_view){FACT_CLASSES, false};
}

// Of what a patient was told at the end only when to come back; the rest is explanation and risk.
static struct note_view classify_communication(const struct note_context *context,
                                               const struct clause *part) {
    static const char *const VISITS[] = {"立即就诊", "及时就诊", "随时就诊", "天就诊", NULL};
    bool is_told = context->is_last && clause_has_any(part, VISITS) && has_condition(part);
    return (struct note_view){is_told ? FACT_FOLLOWUP : FACT_CLASSES, false};
}

static struct note_view classify_course(const struct note_context *context,
                                        const struct clause *part) {
    if (clause_has_any(part, PENDING))
        return (struct note_view){context->is_last ? FACT_PENDING : FACT_CLASSES, true};
    if (is_advice(context, part)) return (struct note_view){FACT_FOLLOWUP, is_late(context)};
    if (clause_has_any(part, DIAGNOSED) && !clause_has(part, "待"))
        return (struct note_view){FACT_DIAGNOSIS, true};
    if (is_complication(context, part)) return (struct note_view){FACT_COMPLICATION, false};
    if (is_drug_change(context, part) || stops_home_drug(context, part)) {
        if (is_consultation(context->doc)) return (struct note_view){FACT_CLASSES, false};
        return (struct note_view){FACT_DRUG, stops_home_drug(context, part)};
    }
    if (is_closing_sign(context, part))
        return (struct note_view){FACT_POSITIVE, clause_has(part, "甲愈合")};
    if (is_finding(part))
        return (struct note_view){FACT_POSITIVE, context->is_last && clause_has_any(part, GRADED)};
    if (clause_has_any(part, DIAGNOSED_MAYBE) && !clause_has_any(part, NEGATIVE))
        return (struct note_view){FACT_DIAGNOSIS, false};
    if (clause_has_any(part, EVENTS) && !clause_has_any(part, PLANNED))
        return (struct note_view){FACT_EVENT, false};
    return (struct note_view){FACT_CLASSES, false};
}

struct note_view note_classify(const struct note_context *context, const char *section,
                               const struct clause *part) {
    if (is_untold_section(section) || is_retelling(context->doc, section) ||
        part->end - part->start < strlen("停药"))
        return (struct note_view){FACT_CLASSES, false};
    if (is_communication(context->doc)) return classify_communication(context, part);
    if (is_beginning(context->doc)) return classify_beginning(context, section, part);
    if (strcmp(context->doc->type, "operation_record") == 0)
        return classify_operation(context, section, part);
    return classify_course(context, part);
}
