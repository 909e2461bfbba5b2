// SPDX-License-Identifier: Apache-2.0
// Random requests to a worker: prompts with common beginnings, all kinds of options, and what came
// of them beside what a session alone makes of the same.
#ifndef XL_TESTS_REQUEST_WISH_H
#define XL_TESTS_REQUEST_WISH_H

#include "request_log.h"

#include <stdint.h>

enum { WISH_CONTEXT = 320, WISH_PROMPT_MAX = 200 };

// One request with everything that it points to.
struct wish {
    int32_t prompt[WISH_PROMPT_MAX];
    xl_generate_options generate;
    xl_request_options options;
    xl_logit_bias bias;
    const char *stop;
    struct request_log alone, worker;
};

void wish_seed(uint64_t seed); // of this thread
int wish_random(int n);        // 0 .. n - 1
// The tiny model with a context of WISH_CONTEXT, written where tests write; NULL: says why.
xl_engine *wish_open_engine(void);
// The same from another file.
xl_engine *wish_open_file(const char *path);
void wish_make(struct wish *wish, int index);
void wish_forget(struct wish *wish); // what the worker made of it
bool wish_submit(xl_worker *worker, struct wish *wish);
// Did it get the same bytes as alone, or, cancelled, the beginning of them?
bool wish_judge(struct wish *wish);

#endif
