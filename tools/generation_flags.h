// SPDX-License-Identifier: Apache-2.0
// The flags that llm-cli and llm-chat share: which model, on what, and how tokens are chosen.
#ifndef XL_TOOLS_GENERATION_FLAGS_H
#define XL_TOOLS_GENERATION_FLAGS_H

#include "tools/option_table.h"

#include "xinglin/xinglin.h"

enum { GENERATION_ROWS_MAX = 34 };

struct generation_flags {
    const char *model, *family, *isa, *kv_type_name;
    const char *json_schema, *grammar_file, *grammar_begin;
    xl_kv_type kv_type;
    int threads, threads_batch, context, n_predict, draft_max, verbose, no_cache, ignore_end;
    float temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
    int top_k, penalty_window;
    uint64_t seed;
    struct option_texts stops, bias_texts;
    xl_logit_bias biases[OPTION_ITEMS_MAX];
};

void generation_flags_default(struct generation_flags *flags);
// Appends the shared rows to rows[n_rows …) and returns the new count (at most
// GENERATION_ROWS_MAX more).
size_t generation_flags_rows(struct generation_flags *flags, struct option_row *rows,
                             size_t n_rows);
// After parsing: OPTIONS_GO_ON, or 2 with the mistake told.
int generation_flags_check(struct generation_flags *flags, const char *command);
void generation_flags_engine(const struct generation_flags *flags, xl_engine_options *options);
void generation_flags_generate(const struct generation_flags *flags, xl_generate_options *options);

// Ctrl-C ends the generation that runs on this session (NULL: none) instead of the program; pressed
// again it ends the program after all.
void interrupt_watch(xl_session *session);
// Whether it was pressed since the last call.
int interrupt_seen(void);

#endif
