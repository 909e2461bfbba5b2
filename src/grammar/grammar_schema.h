// SPDX-License-Identifier: Apache-2.0
// JSON Schema 2020-12 to a grammar_program. What it derives are valid instances, not all of them:
// keys come in the schema's order, white space is bounded, numbers have a bounded number of digits.
// It fails closed: a keyword that cannot be enforced is STATUS_UNSUPPORTED with its name and JSON
// pointer, never ignored. docs/SCHEMA.md is the list.
#ifndef XL_GRAMMAR_GRAMMAR_SCHEMA_H
#define XL_GRAMMAR_GRAMMAR_SCHEMA_H

#include "grammar/grammar_program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum status grammar_from_schema(struct grammar_program **program, const char *text,
                                size_t text_bytes, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
