// SPDX-License-Identifier: Apache-2.0
#include "server/sampling_fields.h"

#include "server/random_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct sampling, member)

const struct json_field sampling_fields[SAMPLING_FIELDS] = {
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 100, NULL, "0: always the likeliest", NULL},
    {"top_p", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "1: off", NULL},
    {"top_k", FIELD_INT, AT(top_k), -1, 1e6, NULL, "0 or -1: off", NULL},
    {"min_p", FIELD_NUMBER, AT(min_p), 0, 1, NULL, "0: off", NULL},
    {"presence_penalty", FIELD_NUMBER, AT(presence_penalty), -2, 2, NULL, "0: off", NULL},
    {"frequency_penalty", FIELD_NUMBER, AT(frequency_penalty), -2, 2, NULL, "0: off", NULL},
    {"repetition_penalty", FIELD_NUMBER, AT(repetition_penalty), 0.01, 10, NULL, "1: off", NULL},
    {"repeat_penalty", FIELD_NUMBER, AT(repetition_penalty), 0.01, 10, NULL,
     "another name of repetition_penalty", NULL},
    {"repeat_last_n", FIELD_INT, AT(penalty_window), -1, 1e6, NULL,
     "tokens that penalties look at; -1: all", NULL},
    {"n", FIELD_INT, AT(n), 1, 128, NULL, "choices", NULL},
    {"max_tokens", FIELD_INT, AT(max_tokens), 0, 1e7, NULL, "generated at most", NULL},
    {"seed", FIELD_JSON, AT(seed_json), 0, 0, NULL, "the same seed gives the same text",
     "{\"type\":\"integer\"}"},
    {"stop", FIELD_JSON, AT(stop), 0, 0, NULL, "texts before which the answer ends",
     "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
     "\"maxItems\":16}]}"},
    {"logit_bias", FIELD_JSON, AT(logit_bias), 0, 0, NULL, "token id to -100 … 100",
     "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}}"},
    {"ignore_eos", FIELD_BOOL, AT(ignore_end), 0, 0, NULL, "goes on behind the model's end", NULL},
    {"cache_prompt", FIELD_BOOL, AT(cache_prompt), 0, 0, NULL,
     "false: neither uses nor keeps known beginnings", NULL},
    {"save_prefix", FIELD_BOOL, AT(save_prefix), 0, 0, NULL,
     "keeps the prompt's state in --prefix-dir", NULL},
    {"service_tier", FIELD_TEXT, AT(service_tier), 0, 32, NULL,
     "\"flex\" or \"background\": after interactive requests", NULL},
    {"user", FIELD_IGNORED, 0, 0, 0, NULL, "ignored; keys take turns", NULL},
    {"typical_p", FIELD_ONLY, 0, 0, 0, "1", "not supported", NULL},
    {"metadata", FIELD_IGNORED, 0, 0, 0, NULL, "ignored", NULL},
    {"safety_identifier", FIELD_IGNORED, 0, 0, 0, NULL, "ignored", NULL},
    {"prompt_cache_key", FIELD_IGNORED, 0, 0, 0, NULL,
     "ignored; beginnings are found by themselves", NULL},
    {"prompt_cache_retention", FIELD_IGNORED, 0, 0, 0, NULL, "ignored", NULL},
    {"timings_per_token", FIELD_IGNORED, 0, 0, 0, NULL, "ignored", NULL},
};

#undef AT

void sampling_default(struct sampling *sampling, const struct server_settings *settings) {
    *sampling = (struct sampling){
        .temperature = settings->temperature,
        .top_p = settings->top_p,
        .min_p = settings->min_p,
        .top_k = settings->top_k,
        .repetition_penalty = settings->repetition_penalty,
        .penalty_window = -1,
        .n = 1,
        .max_tokens = -1,
        .cache_prompt = true,
    };
}

static bool add_stop(struct sampling *sampling, size_t *n_stops, const json_t *stop,
                     struct openai_error *error) {
    size_t length = json_string_length(stop);
    if (!json_is_string(stop) || length == 0 || length > STOP_BYTES_MAX || *n_stops == STOPS_MAX)
        return openai_error_set(error, 400, "invalid_value", "stop",
                                "stop must be a string or an array of at most %d strings, each of "
                                "1 to %d bytes",
                                STOPS_MAX, STOP_BYTES_MAX);
    sampling->stops[(*n_stops)++] = json_string_value(stop);
    return true;
}

static bool read_stops(struct sampling *sampling, struct openai_error *error) {
    size_t i, n_stops = 0;
    json_t *stop;
    if (json_is_array(sampling->stop)) {
        json_array_foreach((json_t *)sampling->stop, i, stop) {
            if (!add_stop(sampling, &n_stops, stop, error)) return false;
        }
    } else if (sampling->stop && !add_stop(sampling, &n_stops, sampling->stop, error))
        return false;
    sampling->generate.stops = sampling->stops;
    sampling->generate.n_stops = n_stops;
    return true;
}

static bool read_bias(const char *name, const json_t *value, int n_vocab, xl_logit_bias *bias) {
    char *end;
    errno = 0;
    long id = strtol(name, &end, 10);
    double number = json_number_value(value);
    bool is_good = end != name && !*end && !errno && id >= 0 && id < n_vocab &&
                   json_is_number(value) && number >= -100 && number <= 100;
    *bias = (xl_logit_bias){is_good ? (int32_t)id : 0, (float)number};
    return is_good;
}

static bool read_biases(struct sampling *sampling, int n_vocab, struct openai_error *error) {
    const char *name;
    json_t *value;
    size_t n = json_object_size(sampling->logit_bias), i = 0;
    if (!sampling->logit_bias) return true;
    bool is_good = json_is_object(sampling->logit_bias) && n <= BIASES_MAX;
    sampling->biases = is_good && n > 0 ? calloc(n, sizeof *sampling->biases) : NULL;
    if (is_good && n > 0 && !sampling->biases) return openai_error_no_memory(error);
    json_object_foreach((json_t *)sampling->logit_bias, name, value) {
        is_good = is_good && read_bias(name, value, n_vocab, &sampling->biases[i++]);
    }
    sampling->generate.biases = sampling->biases;
    sampling->generate.n_biases = i;
    return is_good || openai_error_set(error, 400, "invalid_value", "logit_bias",
                                       "logit_bias must be an object of at most %d token ids below "
                                       "%d with numbers from -100 to 100",
                                       BIASES_MAX, n_vocab);
}

static bool read_seed(struct sampling *sampling, struct openai_error *error) {
    sampling->first_seed = random_u64();
    if (!sampling->seed_json) return true;
    if (!json_is_integer(sampling->seed_json))
        return openai_error_set(error, 400, "invalid_type", "seed", "seed must be an integer");
    sampling->seed = json_integer_value(sampling->seed_json);
    // -1 is how clients of other servers say "any".
    if (sampling->seed != -1) sampling->first_seed = (uint64_t)sampling->seed;
    return true;
}

bool sampling_finish(struct sampling *s, const struct server_settings *settings, int n_vocab,
                     struct openai_error *error) {
    s->generate = xl_generate_options_default();
    if (!read_stops(s, error) || !read_biases(s, n_vocab, error) || !read_seed(s, error))
        return false;
    if (s->n > settings->n_max)
        return openai_error_set(error, 400, "invalid_value", "n", "n may be %d at most",
                                settings->n_max);
    if (settings->tokens_max > 0 && s->max_tokens > settings->tokens_max)
        return openai_error_set(error, 400, "invalid_value", "max_tokens",
                                "this server generates %d tokens at most", settings->tokens_max);
    if (s->max_tokens < 0 && settings->tokens_max > 0) s->max_tokens = settings->tokens_max;
    if (s->save_prefix && !settings->prefix_dir)
        return openai_error_set(error, 400, "unsupported_value", "save_prefix",
                                "this server keeps no prefixes on disk (--prefix-dir)");
    s->generate.max_tokens = (int)s->max_tokens;
    s->generate.temperature = (float)s->temperature;
    s->generate.top_p = (float)s->top_p;
    s->generate.min_p = (float)s->min_p;
    s->generate.top_k = s->top_k > 0 ? (int)s->top_k : 0;
    s->generate.repetition_penalty = (float)s->repetition_penalty;
    s->generate.presence_penalty = (float)s->presence_penalty;
    s->generate.frequency_penalty = (float)s->frequency_penalty;
    s->generate.penalty_window = (int)s->penalty_window;
    s->generate.ignore_end = s->ignore_end;
    return true;
}

void sampling_free(struct sampling *sampling) {
    free(sampling->biases);
    sampling->biases = NULL;
}
