// SPDX-License-Identifier: Apache-2.0
// What a language model is to the composer: something that is shown a chart and a task and answers
// with a text, piece by piece. Knows no engine; clinic/writer makes one of the server's model, and
// tests make their own.
#ifndef XL_CLINIC_TEXT_WRITER_H
#define XL_CLINIC_TEXT_WRITER_H

#include "clinic/record/clinic_error.h"

#include <stdbool.h>
#include <stddef.h>

struct writing_part { // a stretch of the chart; belongs to the caller
    const char *text;
    size_t text_bytes;
};

struct writing_turn {
    const char *question, *answer; // answer is the text, not its JSON
};

// The prompt is: system, examples, parts in their order, instruction. Tasks that begin with the
// same system, examples and parts share all of them in the model's memory; a part that is appended
// leaves what is before it in place.
struct writing_task {
    const char *system;
    const struct writing_turn *examples;
    const struct writing_part *parts;
    int n_examples, n_parts;
    const char *instruction;
    const char *json_schema; // an object with a text member "text", and only that is told
    int max_tokens;
    const char *user; // users take turns; NULL: nobody
};

struct writing_result {
    bool is_complete;     // the model came to an end by itself
    double first_token_s; // from the call to the first token
    double total_s;
    int prompt_tokens, memory_tokens, disk_tokens, generated_tokens; // known ones: memory, disk
};

struct writing_listener {
    void *user;
    // Whole characters as they are certain.
    void (*on_text)(void *user, const char *text, size_t text_bytes);
    bool (*is_stopped)(void *user); // asked several times a second, also before the first token
};

// Shared by any number of drafts and threads.
struct text_writer {
    void *user;
    const char *name; // of the model, for provenance
    // Tokens of the whole prompt, and how many the model can hold, answer included.
    bool (*measure)(void *user, const struct writing_task *task, int *prompt_tokens,
                    int *context_tokens, struct clinic_error *error);
    // Blocks until the text has ended. CLINIC_CONFLICT: it was stopped. CLINIC_BUSY: no room now.
    bool (*write)(void *user, const struct writing_task *task,
                  const struct writing_listener *listener, struct writing_result *result,
                  struct clinic_error *error);
    // Reads system, examples and parts in the background; returns at once.
    void (*warm)(void *user, const struct writing_task *task);
};

#endif
