// SPDX-License-Identifier: Apache-2.0
// Deals a product's work to threads. A narrow pass gives each thread one share of the rows. A wide
// pass cuts every share into blocks of rows and tokens; a thread takes the blocks of its own share
// first and then those that others have not come to, so that a thread that was interrupted holds
// up nobody for long. Which thread computes a block changes none of its bytes.
#ifndef XL_MODEL_BLOCK_DEAL_H
#define XL_MODEL_BLOCK_DEAL_H

#include "model/forward.h"

#ifdef __cplusplus
extern "C" {
#endif

struct work_block {
    struct share rows, tokens;
};

struct block_job {
    enum deal_phase phase;
    int n_rows;   // dealt in multiples of `group`
    int group;    // divides BLOCK_ROWS
    int n_tokens; // rows of the input
    void (*compute)(const struct forward_pass *pass, const void *context, struct work_block block,
                    int thread_index);
    const void *context;
};

// Called by all members of the pass; a barrier must follow before the phase is dealt again.
void block_deal(const struct forward_pass *pass, const struct block_job *job, int thread_index);
// A wide pass: numbers 0 .. n_units - 1 of a phase, each to one thread, in about this order. Number
// u goes to thread u mod n_threads or whoever is free sooner.
void unit_deal(const struct forward_pass *pass, enum deal_phase phase, int n_units,
               void (*compute)(const void *context, int unit, int thread_index),
               const void *context, int thread_index);
// At the beginning of a pass, before its first barrier.
void block_deal_reset(const struct forward_pass *pass, int thread_index);

#ifdef __cplusplus
}
#endif
#endif
