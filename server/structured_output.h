// SPDX-License-Identifier: Apache-2.0
// response_format and its relatives to grammars; compiled ones are kept, because programs send the
// same schema again and again. Whatever cannot be enforced is refused.
#ifndef XL_SERVER_STRUCTURED_OUTPUT_H
#define XL_SERVER_STRUCTURED_OUTPUT_H

#include "server/openai_error.h"
#include "xinglin/xinglin.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum output_form { OUTPUT_TEXT, OUTPUT_SCHEMA, OUTPUT_GBNF };

struct output_wish {
    enum output_form form;
    char *source;      // malloc; the schema or the GBNF
    const char *param; // static: which field it came from
};

struct grammar_cache;
struct kept_grammar;

// {"type": "text" | "json_object" | "json_schema", "json_schema": {"name", "schema"} or "schema"}.
bool output_wish_read(struct output_wish *wish, const json_t *format, const char *param,
                      struct openai_error *error);
bool output_wish_set(struct output_wish *wish, enum output_form form, const char *source,
                     const char *param, struct openai_error *error);
// The schema itself as a JSON value.
bool output_wish_set_schema(struct output_wish *wish, const json_t *schema, const char *param,
                            struct openai_error *error);
// Of the three fields that can say it (each may be NULL), the last one that is there.
bool output_wish_read_fields(struct output_wish *wish, const json_t *response_format,
                             const json_t *json_schema, const char *grammar,
                             struct openai_error *error);
void output_wish_free(struct output_wish *wish);

struct grammar_cache *grammar_cache_create(void);
void grammar_cache_destroy(struct grammar_cache *cache);
// From any thread. NULL with the error. Give it back with kept_grammar_release.
struct kept_grammar *grammar_cache_get(struct grammar_cache *cache, xl_engine *engine,
                                       const struct output_wish *wish, struct openai_error *error);
const xl_grammar *kept_grammar_use(const struct kept_grammar *kept);
void kept_grammar_release(struct grammar_cache *cache, struct kept_grammar *kept); // NULL is fine

#endif
