// SPDX-License-Identifier: Apache-2.0
// One unit of texts through an encoder: by one thread alone, or by all threads of a pool with a
// barrier behind every step. Both do the same operations in the same order for every number.
#ifndef XL_MODEL_ENCODER_PASS_H
#define XL_MODEL_ENCODER_PASS_H

#include "model/encoder.h"
#include "model/input_rows.h"
#include "model/loaded_model.h"

#ifdef __cplusplus
extern "C" {
#endif

// What belongs to one thread.
struct encoder_member {
    struct kv_head kv; // keys and values of one head of one text
    void *scratch;     // attend_scratch_bytes()
    float *piece;      // [tokens][rows] of a block of the feed-forward product
    double *sums;      // [n_embd]
};

// n_tokens = T tokens at most.
struct encoder_pass {
    const struct model *model;
    const struct kernels *kernels;
    struct thread_pool *pool; // whose barrier members wait at
    int n_members;            // 1: no barrier
    enum model_pooling pooling;
    const struct encoder_text *texts; // [n_texts] of the unit, one after the other
    int n_texts, n_tokens;
    float *x;                       // [T][n_embd] states
    float *q, *k, *v;               // [T][n_embd]
    float *attended;                // [T][n_embd]
    float *projected;               // [T][n_embd] output of a block
    struct input_rows x_rows;       // [T] states as products read them; floats: x
    struct input_rows o_rows;       // [T] input of the output projection; floats: attended
    struct input_rows ff_rows;      // [T] input of the down projection
    struct encoder_member *members; // [n_members]
};

// What the memory of a pass depends on.
struct encoder_sizes {
    int n_tokens;  // of a unit, at most
    int n_longest; // tokens of a text, at most
    int n_members;
};

// Places all arrays of `pass` (model and kernels are set) into memory, 64-byte aligned. With NULL
// it only says how many bytes that takes; UINT64_MAX: more than can be addressed.
uint64_t encoder_pass_lay_out(struct encoder_pass *pass, const struct encoder_sizes *sizes,
                              uint8_t *memory);
// Called by each of the pass's members.
void encoder_pass_run(const struct encoder_pass *pass, int member_index);

#ifdef __cplusplus
}
#endif
#endif
