// SPDX-License-Identifier: Apache-2.0
// JSON Schemas: the input is a schema; what compiles is followed by some tokens of its own masks
// (check_schemas.py compares what they spell with a validator).
#include "fuzz_grammar.h"

#include "grammar/grammar_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    struct grammar_program *program;
    struct error err;
    if (grammar_from_schema(&program, (const char *)data, size_bytes, &err) == STATUS_OK)
        fuzz_grammar_follow(program);
    return 0;
}
