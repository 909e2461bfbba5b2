// SPDX-License-Identifier: Apache-2.0
// Reads the pre-tokenizer of a tokenizer.json. The many kinds reduce to three steps: split by a
// regular expression, spell bytes, mark spaces. The same reading serves to recognise known schemes.
#include "tokenizer/tokenizer_json.h"

#include "tokenizer/json_access.h"

#include <string.h>

enum { NESTING_MAX = 8 };

#define WORDS_OR_SYMBOLS "\\w+|[^\\w\\s]+"
#define ONE_PUNCTUATION "[!-/:-@\\[-`{-~\\p{P}]"

struct plan_step { // a pre-tokenizer step before its expression is compiled
    struct pretokenizer_step step;
    const char *pattern; // points into the JSON or a constant
    size_t pattern_bytes;
    bool literal;
};

struct plan {
    struct plan_step steps[PRETOKENIZER_STEPS_MAX];
    int n_steps;
};

static enum status add_step(struct plan *plan, const struct plan_step *step, struct error *err) {
    if (plan->n_steps == PRETOKENIZER_STEPS_MAX)
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: too many pre-tokenizers");
    plan->steps[plan->n_steps++] = *step;
    return STATUS_OK;
}

static enum status add_split(struct plan *plan, const char *pattern, enum split_behavior behavior,
                             bool invert, struct error *err) {
    const struct plan_step step = {
        .step = {.kind = PRETOKENIZER_SPLIT, .behavior = behavior, .invert = invert},
        .pattern = pattern,
        .pattern_bytes = strlen(pattern)};
    return add_step(plan, &step, err);
}

static enum status read_behavior(const json_t *object, enum split_behavior *behavior,
                                 struct error *err) {
    static const char *const names[] = {[SPLIT_ISOLATED] = "Isolated",
                                        [SPLIT_REMOVED] = "Removed",
                                        [SPLIT_CONTIGUOUS] = "Contiguous",
                                        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext"};
    const char *name = json_text_or(object, "behavior", "Isolated");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *behavior = (enum split_behavior)i;
        return STATUS_OK;
    }
    return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: split behavior \"%.40s\"", name);
}

static enum status plan_split(struct plan *plan, const json_t *object, struct error *err) {
    const json_t *pattern = json_object_get(object, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *text = json_is_string(regex) ? regex : literal;
    if (!json_is_string(text))
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: Split without pattern");
    struct plan_step step = {
        .step = {.kind = PRETOKENIZER_SPLIT, .invert = json_bool_or(object, "invert", false)},
        .pattern = json_string_value(text),
        .pattern_bytes = json_string_length(text),
        .literal = text == literal};
    TRY(read_behavior(object, &step.step.behavior, err));
    return add_step(plan, &step, err);
}

static enum status plan_byte_level(struct plan *plan, const json_t *object, struct error *err) {
    bool add_space = json_bool_or(object, "add_prefix_space", true);
    bool use_regex = json_bool_or(object, "use_regex", true);
    // The space goes in front before the text is split into words.
    struct plan_step step = {.step = {.kind = PRETOKENIZER_BYTE_LEVEL,
                                      .add_prefix_space = add_space,
                                      .only_prefix = use_regex}};
    if (use_regex && add_space) TRY(add_step(plan, &step, err));
    if (use_regex) TRY(add_split(plan, pretokenizer_gpt2_pattern, SPLIT_ISOLATED, false, err));
    if (use_regex) step.step.add_prefix_space = false;
    step.step.only_prefix = false;
    return add_step(plan, &step, err);
}

static enum status plan_metaspace(struct plan *plan, const json_t *object, struct error *err) {
    struct plan_step step = {
        .step = {.kind = PRETOKENIZER_METASPACE, .split = json_bool_or(object, "split", true)}};
    const char *mark = json_text_or(object, "replacement", "\xe2\x96\x81");
    const char *scheme =
        json_text_or(object, "prepend_scheme",
                     json_bool_or(object, "add_prefix_space", true) ? "always" : "never");
    if (strlen(mark) == 0 || strlen(mark) >= sizeof step.step.mark)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: bad Metaspace replacement");
    memcpy(step.step.mark, mark, strlen(mark) + 1);
    step.step.prepend = strcmp(scheme, "always") == 0  ? METASPACE_ALWAYS
                        : strcmp(scheme, "first") == 0 ? METASPACE_FIRST
                                                       : METASPACE_NEVER;
    return add_step(plan, &step, err);
}

static enum status plan_delimiter(struct plan *plan, const json_t *object, struct error *err) {
    const json_t *delimiter = json_object_get(object, "delimiter");
    const struct plan_step step = {.step = {.kind = PRETOKENIZER_SPLIT, .behavior = SPLIT_REMOVED},
                                   .pattern = json_string_value(delimiter),
                                   .pattern_bytes = json_string_length(delimiter),
                                   .literal = true};
    if (step.pattern == NULL)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: CharDelimiterSplit of what?");
    return add_step(plan, &step, err);
}

static enum status plan_all(struct plan *plan, const json_t *object, int depth, struct error *err) {
    const char *type = json_text_or(object, "type", "");
    if (!json_is_object(object)) return STATUS_OK;
    if (depth > NESTING_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: pre_tokenizer nested too deep");
    if (strcmp(type, "Sequence") == 0) {
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(object, "pretokenizers"), index, item)
            TRY(plan_all(plan, item, depth + 1, err));
        return STATUS_OK;
    }
    enum split_behavior behavior = SPLIT_ISOLATED;
    if (strcmp(type, "Split") == 0) return plan_split(plan, object, err);
    if (strcmp(type, "ByteLevel") == 0) return plan_byte_level(plan, object, err);
    if (strcmp(type, "Metaspace") == 0) return plan_metaspace(plan, object, err);
    if (strcmp(type, "CharDelimiterSplit") == 0) return plan_delimiter(plan, object, err);
    if (strcmp(type, "Whitespace") == 0)
        return add_split(plan, WORDS_OR_SYMBOLS, SPLIT_REMOVED, true, err);
    if (strcmp(type, "WhitespaceSplit") == 0)
        return add_split(plan, "\\s", SPLIT_REMOVED, false, err);
    if (strcmp(type, "Digits") == 0) {
        behavior =
            json_bool_or(object, "individual_digits", false) ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
        return add_split(plan, "\\p{N}", behavior, false, err);
    }
    if (strcmp(type, "Punctuation") == 0) {
        TRY(read_behavior(object, &behavior, err));
        return add_split(plan, ONE_PUNCTUATION, behavior, false, err);
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        TRY(add_split(plan, "\\s", SPLIT_REMOVED, false, err));
        return add_split(plan, ONE_PUNCTUATION, SPLIT_ISOLATED, false, err);
    }
    return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: pre-tokenizer \"%.40s\"", type);
}

enum status tokenizer_json_pretokenizer(struct pretokenizer *pretokenizer, const json_t *object,
                                        struct error *err) {
    struct plan plan = {.n_steps = 0};
    TRY(plan_all(&plan, object, 0, err));
    for (int i = 0; i < plan.n_steps; i++) {
        const struct plan_step *step = &plan.steps[i];
        if (step->step.kind == PRETOKENIZER_SPLIT)
            TRY(pretokenizer_add_split(pretokenizer, step->pattern, step->pattern_bytes,
                                       step->literal, step->step.behavior, step->step.invert, err));
        else
            TRY(pretokenizer_add_step(pretokenizer, &step->step, err));
    }
    return STATUS_OK;
}

// The steps of a plan in the form of the table of names; false if it has steps no name has.
static bool simplify(const struct plan *plan, struct pre_step *steps) {
    if (plan->n_steps > PRE_STEPS_MAX) return false;
    for (int i = 0; i < plan->n_steps; i++) {
        const struct plan_step *from = &plan->steps[i];
        steps[i] = (struct pre_step){from->step.kind, from->pattern, from->step.behavior};
        if (from->step.kind == PRETOKENIZER_METASPACE || from->step.add_prefix_space ||
            (from->step.kind == PRETOKENIZER_SPLIT && from->literal))
            return false;
        // Matches kept and gaps removed: the same where the expression leaves no gaps.
        if (from->step.behavior == SPLIT_REMOVED && from->step.invert)
            steps[i].behavior = SPLIT_ISOLATED;
        else if (from->step.invert)
            return false;
    }
    return plan->n_steps > 0;
}

static bool is_nothing(const json_t *normalizer) {
    return !json_is_object(normalizer) ||
           (json_type_is(normalizer, "Sequence") &&
            json_array_size(json_object_get(normalizer, "normalizers")) == 0);
}

const struct pre_scheme *tokenizer_json_recognise(const json_t *root) {
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *model = json_object_get(root, "model");
    const json_t *list = json_object_get(normalizer, "normalizers");
    if (json_type_is(normalizer, "Sequence") && json_array_size(list) == 1)
        normalizer = json_array_get(list, 0);
    bool nfc = json_type_is(normalizer, "NFC");
    struct plan plan = {.n_steps = 0};
    struct pre_step steps[PRE_STEPS_MAX];
    if ((!nfc && !is_nothing(normalizer)) ||
        plan_all(&plan, json_object_get(root, "pre_tokenizer"), 0, NULL) != STATUS_OK ||
        !simplify(&plan, steps))
        return NULL;
    return pre_scheme_recognise(steps, plan.n_steps, nfc,
                                json_bool_or(model, "ignore_merges", false));
}
