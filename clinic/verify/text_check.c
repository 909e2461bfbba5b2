// SPDX-License-Identifier: Apache-2.0
// The result of a check as JSON: offsets become characters of the field's text, counted once.
#include "clinic/verify/verifier.h"

#include <stdlib.h>
#include <string.h>

void text_check_deinit(struct text_check *check) {
    for (int i = 0; i < check->n_sentences; i++) {
        free(check->sentences[i].claims);
    }
    free(check->sentences);
    *check = (struct text_check){0};
}

const char *claim_kind_name(enum claim_kind kind) {
    static const char *const names[] = {"number",   "date",      "drug",    "dose",     "side",
                                        "negation", "diagnosis", "patient", "statement"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "statement";
}

const char *verdict_name(enum verdict verdict) {
    static const char *const names[] = {"supported", "plain", "unsupported", "accepted"};
    return (size_t)verdict < sizeof names / sizeof names[0] ? names[verdict] : "unsupported";
}

// Counts characters from the start of the sentence, so that a long field stays linear.
struct counter {
    const char *text;
    size_t sentence_bytes, sentence_characters;
};

static json_int_t characters_at(const struct counter *counter, size_t at) {
    return (json_int_t)(counter->sentence_characters +
                        characters_before(counter->text + counter->sentence_bytes,
                                          at - counter->sentence_bytes));
}

// A claim's words; what is no UTF-8 (a field of any bytes may be checked) is left out.
static json_t *words_of(const char *text, size_t start, size_t end) {
    json_t *words = json_stringn(text + start, end - start);
    return words ? words : json_string("");
}

static json_t *claim_to_json(const struct episode *episode, const struct counter *counter,
                             const struct claim *claim) {
    json_t *source = claim->has_source ? source_to_json(episode, &claim->source) : json_null();
    return json_pack("{s:s, s:I, s:I, s:o, s:b, s:s, s:o}", "kind", claim_kind_name(claim->kind),
                     "start", characters_at(counter, claim->start), "end",
                     characters_at(counter, claim->end), "text",
                     words_of(counter->text, claim->start, claim->end), "ok", claim->is_supported,
                     "why", claim->why, "source", source);
}

static json_t *sentence_to_json(const struct episode *episode, const struct counter *counter,
                                const struct sentence_check *sentence) {
    json_t *claims = json_array(), *sources = json_array();
    bool ok = claims && sources;
    for (int i = 0; ok && i < sentence->n_claims; i++) {
        ok = json_array_append_new(claims, claim_to_json(episode, counter, &sentence->claims[i])) ==
             0;
    }
    for (int i = 0; ok && i < sentence->n_sources; i++) {
        ok = json_array_append_new(sources, source_to_json(episode, &sentence->sources[i])) == 0;
    }
    if (!ok) {
        json_decref(claims);
        json_decref(sources);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:o, s:s, s:o, s:o, s:n, s:n}", "start",
                     characters_at(counter, sentence->start), "end",
                     characters_at(counter, sentence->end), "text",
                     words_of(counter->text, sentence->start, sentence->end), "verdict",
                     verdict_name(sentence->verdict), "claims", claims, "sources", sources,
                     "suggestion", "reason");
}

json_t *text_check_to_json(const struct episode *episode, const char *text,
                           const struct text_check *check) {
    json_t *sentences = json_array();
    struct counter counter = {text, 0, 0};
    for (int i = 0; sentences && i < check->n_sentences; i++) {
        const struct sentence_check *sentence = &check->sentences[i];
        counter.sentence_characters = (size_t)characters_at(&counter, sentence->start);
        counter.sentence_bytes = sentence->start;
        if (json_array_append_new(sentences, sentence_to_json(episode, &counter, sentence)) != 0) {
            json_decref(sentences);
            return NULL;
        }
    }
    return json_pack("{s:o, s:{s:i, s:i}}", "sentences", sentences, "verified", "ok",
                     check->n_supported, "all", check->n_claims);
}
