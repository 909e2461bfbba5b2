// SPDX-License-Identifier: Apache-2.0
// The small files of a Hugging Face model directory, read and parsed with limits; what the keys
// mean is model/'s and tokenizer/'s business.
#ifndef XL_FORMAT_HF_CONFIG_H
#define XL_FORMAT_HF_CONFIG_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A file's whole content, terminated by a NUL that is not counted; data is NULL if absent.
struct text_file {
    char *data;
    size_t size_bytes;
};

struct hf_config {
    char *directory;
    json_t *config;                      // config.json; NULL if absent
    json_t *generation;                  // generation_config.json; NULL if absent
    json_t *tokenizer_config;            // tokenizer_config.json; NULL if absent
    json_t *modules;                     // modules.json of a sentence model; NULL if absent
    json_t *pooling;                     // config.json of its pooling module; NULL if absent
    struct text_file tokenizer_json;     // tokenizer.json
    struct text_file sentencepiece;      // tokenizer.model / spiece.model (protobuf)
    struct text_file tiktoken;           // *.tiktoken, or tokenizer.model when it is tiktoken text
    struct text_file chat_template;      // chat_template.jinja, else the tokenizer_config's
    struct text_file special_tokens_map; // special_tokens_map.json
    struct text_file added_tokens;       // added_tokens.json
    struct text_file bert_vocabulary;    // vocab.txt
};

// Reads what exists in `directory`. STATUS_BAD_INPUT if a file is there but damaged.
enum status hf_config_open(struct hf_config **config, const char *directory, struct error *err);
void hf_config_close(struct hf_config *config); // NULL is allowed

// Integers that 64 bits cannot hold (10^30 stands for "no limit") are reals in these objects.
// Getters on a JSON object (NULL object allowed): false if absent or of another type.
bool json_get_u64(const json_t *object, const char *key, uint64_t *value);
bool json_get_f64(const json_t *object, const char *key, double *value); // integers convert
bool json_get_bool(const json_t *object, const char *key, bool *value);
const char *json_get_text(const json_t *object, const char *key); // NULL if absent

#ifdef __cplusplus
}
#endif
#endif
