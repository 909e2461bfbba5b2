// SPDX-License-Identifier: Apache-2.0
// Tables only: regular expressions of well-known pre-tokenizers as their tokenizer.json files write
// them, and which names stand for which. Behaviour is in pretokenizer.c.
#include "tokenizer/pre_names.h"

#include <string.h>

static const char llama3_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\"
    "p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char qwen2_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}"
    "\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char qwen35_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\"
    "s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char gpt4o_pattern[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo"
    "}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{"
    "Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\"
    "p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char tekken_pattern[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo"
    "}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p"
    "{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!"
    "\\S)|\\s+";
static const char deepseek3_words_pattern[] =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
static const char deepseek_letters_pattern[] =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯ"
    "Ͱ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ"
    "-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ"
    "-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐ"
    "ῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴ"
    "ℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯ"
    "ꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻"
    "𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
static const char deepseek_punctuation_pattern[] = "\\s?[!-/:-~！-／：-～‘-‟　-。]+";
static const char deepseek_cjk_pattern[] = "[一-龥ࠀ-一가-퟿]+";
static const char deepseek3_cjk_pattern[] = "[一-龥぀-ゟ゠-ヿ]+";
static const char falcon_punctuation_pattern[] = "[!-/:-@\\[-`{-~\\p{P}]";
static const char bailing_pattern[] =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]"
    "++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
static const char seed_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{"
    "L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

#define NAMES(...)                                                                                 \
    (const char *const[]) {                                                                        \
        __VA_ARGS__, NULL                                                                          \
    }
#define SPLIT(text)                                                                                \
    { .kind = PRETOKENIZER_SPLIT, .pattern = (text), .behavior = SPLIT_ISOLATED }
#define SPLIT_RUNS(text)                                                                           \
    { .kind = PRETOKENIZER_SPLIT, .pattern = (text), .behavior = SPLIT_CONTIGUOUS }
#define GPT2_WORDS SPLIT(pretokenizer_gpt2_pattern)
#define BYTE_LEVEL                                                                                 \
    { .kind = PRETOKENIZER_BYTE_LEVEL }

static const struct pre_scheme schemes[] = {
    {.names = NAMES("default"),
     .steps = {SPLIT("[\\p{P}\\$\\+<=>\\^~\\|]+"), GPT2_WORDS, SPLIT("\\p{N}+"),
               SPLIT("[0-9][0-9][0-9]"), BYTE_LEVEL},
     .n_steps = 5},
    {.names = NAMES("gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de",
                    "a.x-4.0", "mellum", "modern-bert", "olmo", "jais", "trillion",
                    "granite-docling", "exaone4"),
     .steps = {GPT2_WORDS, BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("mpt"), .nfc = true, .steps = {GPT2_WORDS, BYTE_LEVEL}, .n_steps = 2},
    {.names = NAMES("roberta-bpe", "jina-v1-en", "jina-v2-code"),
     .add_sep = true,
     .steps = {GPT2_WORDS, BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral",
                    "midm-2.0", "lfm2", "jina-v5-nano"),
     .ignore_merges = true,
     .add_bos = true,
     .steps = {SPLIT(llama3_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("dbrx", "smaug-bpe"),
     .steps = {SPLIT(llama3_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("chatglm-bpe", "glm4"),
     .steps = {SPLIT(llama3_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"),
     .nfc = true,
     .steps = {SPLIT(qwen2_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("stablelm2", "hunyuan", "solar-open", "grok-2"),
     .steps = {SPLIT(qwen2_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("qwen35"), .steps = {SPLIT(qwen35_pattern), BYTE_LEVEL}, .n_steps = 2},
    {.names = NAMES("deepseek-llm"),
     .steps = {SPLIT("[\r\n]"), SPLIT(deepseek_letters_pattern),
               SPLIT(deepseek_punctuation_pattern), SPLIT("\\s+$"), SPLIT(deepseek_cjk_pattern),
               SPLIT("\\p{N}+"), BYTE_LEVEL},
     .n_steps = 7},
    {.names = NAMES("deepseek-coder"),
     .steps = {SPLIT("[\r\n]"), SPLIT("\\s?\\p{L}+"), SPLIT("\\s?\\p{P}+"),
               SPLIT(deepseek_cjk_pattern), SPLIT("\\p{N}"), BYTE_LEVEL},
     .n_steps = 6},
    {.names = NAMES("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"),
     .steps = {SPLIT("\\p{N}{1,3}"), SPLIT(deepseek3_cjk_pattern), SPLIT(deepseek3_words_pattern),
               BYTE_LEVEL},
     .n_steps = 4},
    {.names = NAMES("falcon"),
     .steps = {SPLIT_RUNS(falcon_punctuation_pattern), GPT2_WORDS, BYTE_LEVEL, SPLIT_RUNS("\\p{N}"),
               SPLIT("[0-9][0-9][0-9]")},
     .n_steps = 5},
    {.names = NAMES("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone",
                    "minerva-7b", "mellum2"),
     .steps = {SPLIT("\\p{N}"), GPT2_WORDS, BYTE_LEVEL},
     .n_steps = 3},
    {.names = NAMES("tekken"),
     .ignore_merges = true,
     .add_bos = true,
     .steps = {SPLIT(tekken_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"),
     .steps = {SPLIT(gpt4o_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("bailingmoe", "bailingmoe2", "llada-moe"),
     .steps = {SPLIT(bailing_pattern), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("seed-coder"), .steps = {SPLIT(seed_pattern), BYTE_LEVEL}, .n_steps = 2},
    {.names = NAMES("poro-chat", "bloom", "gpt3-finnish"),
     .steps = {SPLIT(" ?[^(\\s|.,!?…。，、।۔،)]+"), BYTE_LEVEL},
     .n_steps = 2},
    {.names = NAMES("viking"),
     .steps = {SPLIT(" ?[^(\\s|.,!?…。，、।۔،)]+"), SPLIT("\\p{N}"), BYTE_LEVEL},
     .n_steps = 3},
    {.names = NAMES("gemma4"),
     .space_marks = true,
     .steps = {SPLIT("[^\\n]+|[\\n]+")},
     .n_steps = 1},
};

enum { N_SCHEMES = sizeof schemes / sizeof schemes[0] };

const struct pre_scheme *pre_scheme_find(const char *name) {
    if (name[0] == '\0') name = "default";
    for (int i = 0; i < N_SCHEMES; i++)
        for (const char *const *known = schemes[i].names; *known != NULL; known++)
            if (strcmp(*known, name) == 0) return &schemes[i];
    return NULL;
}

static bool steps_are_equal(const struct pre_step *a, const struct pre_step *b, int n_steps) {
    for (int i = 0; i < n_steps; i++) {
        if (a[i].kind != b[i].kind) return false;
        if (a[i].kind == PRETOKENIZER_SPLIT &&
            (a[i].behavior != b[i].behavior || strcmp(a[i].pattern, b[i].pattern) != 0))
            return false;
    }
    return true;
}

const struct pre_scheme *pre_scheme_recognise(const struct pre_step *steps, int n_steps, bool nfc,
                                              bool ignore_merges) {
    const struct pre_scheme *close = NULL;
    for (int i = 0; i < N_SCHEMES; i++) {
        const struct pre_scheme *scheme = &schemes[i];
        if (scheme->n_steps != n_steps || scheme->nfc != nfc || scheme->space_marks ||
            scheme->add_sep || !steps_are_equal(scheme->steps, steps, n_steps))
            continue;
        if (scheme->ignore_merges == ignore_merges) return scheme;
        // Files with complete merges give the same tokens with and without the shortcut.
        if (ignore_merges && close == NULL) close = scheme;
    }
    return close;
}
