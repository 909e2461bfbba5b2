// SPDX-License-Identifier: Apache-2.0
// The attention steps of a layer, between the QKV product and the output projection: biases, query
// and key norms, rotation, keys and values into the cache, attention, and the result in the form
// that the output projection reads.
//
// forward.c calls attention_run() on all members of the pool, with a barrier before it (q, k and v
// are complete) and one after it (the output projection's input is complete). What further barriers
// a way of dealing the work needs stand inside:
//   0  few tokens, KV heads dealt whole: a thread prepares a head's q, k and v and attends at once
//   1  few tokens, KV heads cut into segments of the cache (more threads than heads, or heads that
//      do not divide evenly over them): before the merge
//   1  many tokens: between preparing and attending
//   1  many tokens, and a run that sees so much of its cache that it is cut: before the merge
//   +1 if head_dim is no multiple of 32 and the output projection does not read floats
#ifndef XL_MODEL_ATTENTION_H
#define XL_MODEL_ATTENTION_H

#include "model/forward.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of forward_workspace.attention (64-byte aligned): scratch of every thread and the states of
// segments. Below 2^62 for any checked configuration; untouched until needed.
uint64_t attention_memory_bytes(const struct model_config *config, int n_threads, int n_tokens_max,
                                int n_positions_max);

// Before the threads of a wide pass begin: how its attention is cut (attention_items.h).
void attention_prepare(const struct forward_pass *pass);

// From workspace q, k, v (products without biases) to `attended` and, if the output projection does
// not read floats, to the shared row of converted activations; in the last layer for tokens with an
// output, whose rows have no gaps. Keys and values of all tokens of the pass are stored. Reads the
// fields of forward_workspace
//   q, k, v, attended     [T][n_heads or n_kv_heads * head_dim]
//   cosine, sine          [T][n_rot / 2], index 1: of sliding layers
//   attention             attention_memory_bytes()
// and calls forward_convert() of forward.h for ranges that begin and end at multiples of 32:
//   void forward_convert(pass, weight, x, row, begin, end): numbers [begin, end) of the whole input
//   row x of `weight` into the shared row, in the form its kernel wants (q8, bf16).
void attention_run(const struct forward_pass *pass, int layer, int thread_index);

#ifdef __cplusplus
}
#endif
#endif
