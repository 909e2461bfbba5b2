// SPDX-License-Identifier: Apache-2.0
// Fixed phrases, looked for in the folded text, so that blanks, full-width forms and case hide
// nothing. A phrase that a doctor could write of a patient is not in the table; two weaker ones
// (who is spoken to, what shall be done) count together.
#include "clinic/text/instruction_text.h"

#include "clinic/text/folded_text.h"
#include "clinic/text/sentence.h"

#include <string.h>

struct phrase {
    const char *words, *what;
};

static const struct phrase STRONG[] = {
    {"忽略以上", "要求忽略前文"},
    {"忽略上述", "要求忽略前文"},
    {"忽略之前", "要求忽略前文"},
    {"忽略前面", "要求忽略前文"},
    {"忽略前文", "要求忽略前文"},
    {"忽略所有", "要求忽略前文"},
    {"忽略此前", "要求忽略前文"},
    {"忽略先前", "要求忽略前文"},
    {"无视以上", "要求忽略前文"},
    {"无视上述", "要求忽略前文"},
    {"无视之前", "要求忽略前文"},
    {"不要理会", "要求忽略前文"},
    {"不必理会", "要求忽略前文"},
    {"以上内容作废", "要求忽略前文"},
    {"以上指令", "要求忽略前文"},
    {"ignoreall", "要求忽略前文"},
    {"ignoreprevious", "要求忽略前文"},
    {"ignoretheabove", "要求忽略前文"},
    {"ignoretheprevious", "要求忽略前文"},
    {"ignoreanyprevious", "要求忽略前文"},
    {"ignoreyour", "要求忽略前文"},
    {"disregardthe", "要求忽略前文"},
    {"disregardall", "要求忽略前文"},
    {"disregardprevious", "要求忽略前文"},
    {"systemprompt", "假冒系统提示"},
    {"系统提示", "假冒系统提示"},
    {"系统指令", "假冒系统提示"},
    {"系统消息", "假冒系统提示"},
    {"system:", "假冒系统提示"},
    {"assistant:", "假冒对话角色"},
    {"user:", "假冒对话角色"},
    {"human:", "假冒对话角色"},
    {"<|", "假冒控制符号"},
    {"|>", "假冒控制符号"},
    {"[inst]", "假冒控制符号"},
    {"[/inst]", "假冒控制符号"},
    {"<<sys>>", "假冒控制符号"},
    {"<think", "假冒控制符号"},
    {"</think", "假冒控制符号"},
    {"###instruction", "假冒控制符号"},
    {"###response", "假冒控制符号"},
    {"<script", "网页代码"},
    {"<!--", "隐藏的网页注释"},
    {"-->", "隐藏的网页注释"},
    {"display:none", "隐藏的网页文字"},
    {"visibility:hidden", "隐藏的网页文字"},
    {"font-size:0", "隐藏的网页文字"},
    {"javascript:", "网页代码"},
    {"onerror=", "网页代码"},
    {"<img", "网页代码"},
    {"<iframe", "网页代码"},
    {"<div", "网页代码"},
    {"<span", "网页代码"},
    {"\"course\"", "伪造的字段数据"},
    {"\"text\"", "伪造的字段数据"},
    {"\"fields\"", "伪造的字段数据"},
    {"\"verdict\"", "伪造的字段数据"},
    {"\"verified\"", "伪造的字段数据"},
    {"\"sentences\"", "伪造的字段数据"},
    {"\"role\"", "伪造的字段数据"},
    {"\"content\"", "伪造的字段数据"},
    {"\"discharge_", "伪造的字段数据"},
    {"\"admission_", "伪造的字段数据"},
    {"\"诊疗经过\"", "伪造的字段数据"},
    {"\"出院", "伪造的字段数据"},
    {"\"入院情况\"", "伪造的字段数据"},
    {"语言模型", "对模型的指令"},
    {"大模型", "对模型的指令"},
    {"人工智能", "对模型的指令"},
    {"ai助手", "对模型的指令"},
    {"aiassistant", "对模型的指令"},
    {"生成出院记录时", "对模型的指令"},
    {"生成出院小结时", "对模型的指令"},
    {"撰写出院记录时", "对模型的指令"},
    {"书写出院记录时", "对模型的指令"},
    {"请在出院记录", "对模型的指令"},
    {"请在诊疗经过", "对模型的指令"},
    {"请在出院小结", "对模型的指令"},
    {"在出院记录中写", "对模型的指令"},
    {"在出院记录中注明", "对模型的指令"},
    {"在出院记录里写", "对模型的指令"},
    {"在诊疗经过中写", "对模型的指令"},
    {"出院记录中必须写", "对模型的指令"},
    {"出院记录必须写", "对模型的指令"},
    {"出院记录应写", "对模型的指令"},
    {"出院医嘱必须写", "对模型的指令"},
    {"出院医嘱请写", "对模型的指令"},
    {"诊疗经过请写", "对模型的指令"},
    {"诊疗经过必须", "对模型的指令"},
    {"请输出", "对模型的指令"},
    {"只输出", "对模型的指令"},
    {"仅输出", "对模型的指令"},
    {"直接输出", "对模型的指令"},
    {"你是一个", "对模型的指令"},
    {"你现在是", "对模型的指令"},
    {"你的任务", "对模型的指令"},
    {"你必须", "对模型的指令"},
    {"你应当写", "对模型的指令"},
    {"从现在起你", "对模型的指令"},
    {"youare", "对模型的指令"},
    {"youmust", "对模型的指令"},
    {"youshould", "对模型的指令"},
    {"inthedischargesummary", "对模型的指令"},
    {"inthedischargerecord", "对模型的指令"},
    {"新的指令", "对模型的指令"},
    {"最新指令", "对模型的指令"},
    {"越狱", "对模型的指令"},
};

// Who is spoken to.
static const char *const ADDRESSED[] = {"出院记录", "出院小结", "诊疗经过", "病历摘要", "摘要中",
                                        "小结中",   "草稿",     "出院带药", "出院医嘱", "上一句",
                                        "前一句",   "这一句",   "下面一句", "生成",     "改写",
                                        "模型",     "程序",     "助手",     "机器人",   "校验"};
// What it shall do.
static const char *const ORDERED[] = {"请写",   "请改写", "必须写", "一律写", "统一写", "改写为",
                                      "改写成", "写成",   "写为",   "请注明", "请填写", "填写为",
                                      "请删除", "不要提", "不要写", "不得提", "请忽略", "请使用",
                                      "替换为", "替换成", "请把",   "请将",   "标记为", "视为",
                                      "跳过",   "照抄",   "抄入",   "请补充"};

#define SEEN_BITS 1024

// Which characters a text has, by their low bits: most phrases are ruled out by their first one.
struct seen {
    uint64_t bits[SEEN_BITS / 64];
};

static struct seen see(const struct folded_text *text) {
    struct seen seen = {{0}};
    for (size_t i = 0; i < text->n; i++) {
        seen.bits[text->chars[i] % SEEN_BITS / 64] |= UINT64_C(1) << text->chars[i] % 64;
    }
    return seen;
}

// The phrases are ours: ASCII or three bytes a character.
static bool may_begin(const struct seen *seen, const char *word) {
    const unsigned char *w = (const unsigned char *)word;
    uint32_t c = w[0] < 0x80 ? w[0] : (w[0] & 0xFu) << 12 | (w[1] & 0x3Fu) << 6 | (w[2] & 0x3Fu);
    return seen->bits[c % SEEN_BITS / 64] >> c % 64 & 1;
}

static bool has_any(const struct folded_text *text, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (folded_find(text, 0, text->n, words[i]) < text->n) {
            return true;
        }
    }
    return false;
}

size_t text_trusted_bytes(const char *text, size_t bytes) {
    for (size_t start = 0; start < bytes;) {
        size_t end = sentence_end(text, bytes, start);
        const char *what;
        if (text_is_instruction(text + start, end - start, &what) &&
            strncmp(what, "假冒", 6) == 0) {
            return start;
        }
        start = end;
    }
    return bytes;
}

bool instruction_looks_back(const char *text, size_t bytes) {
    static const char *const words[] = {"上一句",   "前一句",   "上两句",   "以上一句", "上句",
                                        "以上这句", "前面这句", "上面这句", "上述一句", "上面一句"};
    struct folded_text folded;
    if (!folded_init(&folded, text, bytes)) {
        return true;
    }
    bool found = has_any(&folded, words, sizeof words / sizeof words[0]);
    folded_deinit(&folded);
    return found;
}

bool text_is_instruction(const char *text, size_t bytes, const char **what) {
    struct folded_text folded;
    const char *found = NULL;
    if (!folded_init(&folded, text, bytes)) {
        found = "无法检查的文字"; // no memory: nothing untold becomes a source
    }
    struct seen seen = see(&folded);
    for (size_t i = 0; !found && i < sizeof STRONG / sizeof STRONG[0]; i++) {
        if (may_begin(&seen, STRONG[i].words) &&
            folded_find(&folded, 0, folded.n, STRONG[i].words) < folded.n) {
            found = STRONG[i].what;
        }
    }
    if (!found && has_any(&folded, ADDRESSED, sizeof ADDRESSED / sizeof ADDRESSED[0]) &&
        has_any(&folded, ORDERED, sizeof ORDERED / sizeof ORDERED[0])) {
        found = "对写作者的指令";
    }
    folded_deinit(&folded);
    if (what) {
        *what = found ? found : "";
    }
    return found != NULL;
}
