// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_score.h"

#include "clinic/draft/draft_compare.h"
#include "clinic/draft/text_buffer.h"
#include "clinic/facts/fact_told.h"

#include <stdlib.h>
#include <string.h>

const char *score_kind_name(enum score_kind kind) {
    static const char *const names[] = {"number", "date", "drug"};
    return names[kind];
}

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static void count(struct score_rate *rate, bool is_ok) {
    rate->n_ok += is_ok;
    rate->n_all++;
}

// ---- Facts -------------------------------------------------------------------------------------

static bool join_fields(const json_t *draft, struct text_buffer *text, struct clinic_error *error) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        text_buffer_add(text, text_of(field, "text"));
        text_buffer_add(text, "\n");
    }
    return !text->has_failed || clinic_fail_memory(error);
}

static bool read_fact(const struct episode *episode, const json_t *gold, struct fact *fact) {
    const char *name = text_of(gold, "class");
    size_t i;
    json_t *source;
    *fact = (struct fact){.text = (char *)text_of(gold, "text"),
                          .value = (char *)json_string_value(json_object_get(gold, "value")),
                          .is_must = strcmp(text_of(gold, "need"), "must") == 0,
                          .at = {.seconds = MOMENT_UNKNOWN}};
    while (fact->fact_class < FACT_CLASSES && strcmp(fact_class_name(fact->fact_class), name) != 0)
        fact->fact_class++;
    json_array_foreach(json_object_get(gold, "sources"), i, source) {
        struct source place;
        if (fact->n_sources < FACT_SOURCES_MAX && source_from_json(episode, source, &place))
            fact->sources[fact->n_sources++] = place;
    }
    return fact->fact_class < FACT_CLASSES && *fact->text;
}

static bool score_facts(const struct draft_ground *ground, const json_t *draft, const json_t *gold,
                        struct draft_score *score, struct clinic_error *error) {
    const json_t *facts = json_object_get(gold, "facts");
    struct text_buffer text = {0};
    size_t i;
    json_t *item;
    if (!json_is_array(facts) || !json_is_array(json_object_get(gold, "fields")))
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "gold.json: \"fields\" and \"facts\" are "
                           "needed");
    bool is_done = join_fields(draft, &text, error);
    json_array_foreach((json_t *)facts, i, item) {
        struct fact fact;
        if (!is_done) break;
        if (!read_fact(ground->episode, item, &fact)) {
            is_done = clinic_fail(error, CLINIC_BAD_INPUT,
                                  "gold.json: facts[%zu] has no known class or no text", i);
            break;
        }
        bool is_told = fact_is_told(ground->episode, &fact, text_buffer_text(&text));
        count(&score->recall[fact.fact_class], is_told);
        count(&score->recall_all, is_told);
        if (fact.is_must) count(&score->recall_must, is_told);
    }
    text_buffer_deinit(&text);
    return is_done;
}

// ---- Mentions against gold ---------------------------------------------------------------------

static bool kind_of(const struct mention *mention, enum score_kind *kind) {
    switch (mention->kind) {
    case MENTION_NUMBER:
    case MENTION_DOSE:
        *kind = SCORE_NUMBER;
        return true;
    case MENTION_DATE:
        *kind = SCORE_DATE;
        return true;
    case MENTION_DRUG:
        *kind = SCORE_DRUG;
        return true;
    default:
        return false;
    }
}

// Each thing that `from` says, once, against all that `in` says.
static void score_mentions(const struct mention_list *from, const struct mention_list *in,
                           struct score_rate *rates) {
    for (size_t i = 0; i < from->count; i++) {
        const struct mention *mention = &from->items[i];
        enum score_kind kind;
        bool is_repeated = false, is_there = false;
        if (!kind_of(mention, &kind)) continue;
        for (size_t k = 0; k < i && !is_repeated; k++)
            is_repeated = mention_says_same(&from->items[k], mention);
        for (size_t k = 0; k < in->count && !is_there; k++)
            is_there = mention_says_same(&in->items[k], mention);
        if (!is_repeated) count(&rates[kind], is_there);
    }
}

static bool compare_texts(const struct draft_ground *ground, const char *text, const char *gold,
                          struct draft_score *score, struct clinic_error *error) {
    struct mention_list in_text = {0}, in_gold = {0};
    bool is_done = mentions_find(ground->lexicon, text, strlen(text), &in_text, error) &&
                   mentions_find(ground->lexicon, gold, strlen(gold), &in_gold, error);
    if (is_done) {
        score_mentions(&in_text, &in_gold, score->in_gold);
        score_mentions(&in_gold, &in_text, score->of_gold);
    }
    mention_list_deinit(&in_text);
    mention_list_deinit(&in_gold);
    return is_done;
}

static const json_t *field_named(const json_t *draft, const char *name) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        if (strcmp(text_of(field, "name"), name) == 0) return field;
    }
    return NULL;
}

static bool score_fields(const struct draft_ground *ground, const json_t *draft, const json_t *gold,
                         struct draft_score *score, struct clinic_error *error) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(gold, "fields"), i, item) {
        const json_t *field = field_named(draft, text_of(item, "field"));
        if (!*text_of(item, "text")) continue;
        count(&score->sections, field && *text_of(field, "text"));
        if (field &&
            !compare_texts(ground, text_of(field, "text"), text_of(item, "text"), score, error))
            return false;
    }
    return true;
}

// ---- Claims against the record -----------------------------------------------------------------

static bool holds(const struct draft_ground *ground, const json_t *claim, const json_t *source,
                  bool *is_holding, struct clinic_error *error) {
    struct mention_list said = {0}, there = {0};
    struct text_buffer place = {0};
    const char *text = text_of(claim, "text");
    text_buffer_add(&place, text_of(source, "label"));
    text_buffer_add(&place, "：");
    text_buffer_add(&place, text_of(source, "quote"));
    const char *read = text_buffer_text(&place);
    bool is_done = !place.has_failed || clinic_fail_memory(error);
    *is_holding = is_done && strstr(read, text);
    is_done = is_done && mentions_find(ground->lexicon, text, strlen(text), &said, error) &&
              mentions_find(ground->lexicon, read, strlen(read), &there, error);
    for (size_t i = 0; is_done && i < said.count && !*is_holding; i++)
        for (size_t k = 0; k < there.count && !*is_holding; k++)
            *is_holding = mention_says_same(&said.items[i], &there.items[k]);
    mention_list_deinit(&said);
    mention_list_deinit(&there);
    text_buffer_deinit(&place);
    return is_done;
}

static void count_claim(const char *kind, bool is_ok, struct draft_score *score) {
    if (strcmp(kind, "number") == 0 || strcmp(kind, "dose") == 0)
        count(&score->in_record[SCORE_NUMBER], is_ok);
    else if (strcmp(kind, "date") == 0)
        count(&score->in_record[SCORE_DATE], is_ok);
    else if (strcmp(kind, "drug") == 0)
        count(&score->in_record[SCORE_DRUG], is_ok);
}

static bool score_sentence(const struct draft_ground *ground, const json_t *sentence,
                           struct draft_score *score, struct clinic_error *error) {
    size_t i;
    json_t *claim;
    json_array_foreach(json_object_get(sentence, "claims"), i, claim) {
        const json_t *source = json_object_get(claim, "source");
        bool is_ok = json_is_true(json_object_get(claim, "ok")), is_holding;
        count_claim(text_of(claim, "kind"), is_ok, score);
        if (!is_ok || !json_is_object(source)) continue;
        if (!holds(ground, claim, source, &is_holding, error)) return false;
        count(&score->citations, is_holding);
    }
    return true;
}

static bool score_sentences(const struct draft_ground *ground, const json_t *draft,
                            struct draft_score *score, struct clinic_error *error) {
    size_t i, k;
    json_t *field, *sentence;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        bool is_model = strcmp(text_of(field, "from"), "model") == 0;
        const char *text = text_of(field, "text");
        score->n_characters += (int)characters_before(text, strlen(text));
        json_array_foreach(json_object_get(field, "sentences"), k, sentence) {
            bool is_unsupported = strcmp(text_of(sentence, "verdict"), "unsupported") == 0;
            count(&score->unsupported, is_unsupported);
            if (is_model) count(&score->unsupported_model, is_unsupported);
            if (!score_sentence(ground, sentence, score, error)) return false;
        }
    }
    return true;
}

bool draft_score_add(const struct draft_ground *ground, const json_t *draft, const json_t *gold,
                     struct draft_score *score, struct clinic_error *error) {
    score->n_omissions += (int)json_array_size(json_object_get(draft, "omissions"));
    score->n_conflicts += (int)json_array_size(json_object_get(draft, "conflicts"));
    return score_facts(ground, draft, gold, score, error) &&
           score_fields(ground, draft, gold, score, error) &&
           score_sentences(ground, draft, score, error);
}
