// SPDX-License-Identifier: Apache-2.0
// What fuzz_episode does with an input: reads it and looks at everything that came of it.
#ifndef XL_TESTS_EPISODE_PROBE_H
#define XL_TESTS_EPISODE_PROBE_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

// What a reader made of it: JSON (or NULL), the error, and what is wrong with the answer.
struct answer {
    json_t *result;
    struct clinic_error error;
    const char *complaint;
};

bool episode_probe_open(void); // what the probes share
void episode_probe_close(void);
void probe_episode(const char *text, size_t bytes, struct answer *answer);
void probe_fhir(const char *text, size_t bytes, struct answer *answer);
// The same of what is parsed already: jansson's parser loses bytes for want of memory.
void probe_episode_json(json_t *root, struct answer *answer);
void probe_fhir_json(json_t *root, struct answer *answer);
void probe_html(const char *text, size_t bytes, struct answer *answer);
void probe_text(const char *text, size_t bytes, struct answer *answer);

#endif
