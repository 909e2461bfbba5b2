// SPDX-License-Identifier: Apache-2.0
// The fields by which a request says how tokens are chosen, shared by all routes that generate.
#ifndef XL_SERVER_SAMPLING_FIELDS_H
#define XL_SERVER_SAMPLING_FIELDS_H

#include "server/json_reader.h"
#include "server/settings.h"
#include "xinglin/xinglin.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { SAMPLING_FIELDS = 25, STOPS_MAX = 16, STOP_BYTES_MAX = 512, BIASES_MAX = 1024 };

struct sampling {
    // As the request says.
    double temperature, top_p, min_p, presence_penalty, frequency_penalty, repetition_penalty;
    int64_t top_k, penalty_window, n, max_tokens, seed; // max_tokens < 0: not said
    bool ignore_end, cache_prompt, save_prefix;
    const json_t *seed_json, *stop, *logit_bias;
    const char *service_tier;
    // As the engine takes it; filled by sampling_finish.
    const char *stops[STOPS_MAX];
    xl_logit_bias *biases; // malloc
    xl_generate_options generate;
    uint64_t first_seed; // of choice 0; the others count on
};

extern const struct json_field sampling_fields[SAMPLING_FIELDS];

void sampling_default(struct sampling *sampling, const struct server_settings *settings);
// Checks what the table cannot and fills `generate`, which points into the sampling and the JSON.
bool sampling_finish(struct sampling *sampling, const struct server_settings *settings, int n_vocab,
                     struct openai_error *error);
void sampling_free(struct sampling *sampling);

#endif
