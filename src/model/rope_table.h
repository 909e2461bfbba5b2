// SPDX-License-Identifier: Apache-2.0
// The frequencies of the rotary embedding (Su et al. 2021) under each scaling scheme, and the
// cosines and sines of one position.
#ifndef XL_MODEL_ROPE_TABLE_H
#define XL_MODEL_ROPE_TABLE_H

#include "model/model_config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rope_table {
    int n_pairs;        // n_rot / 2
    float *frequencies; // [n_pairs], radians per position
    float
        *local_frequencies; // the same of sliding layers, or NULL if they have no base of their own
    float attention_factor; // on cos and sin of the global table
    // [n_pairs] means of the cosines and sines over the first ROPE_MEAN_POSITIONS positions; index
    // 1: of sliding layers. A constant vector rotated by them is what it has in common at all
    // positions.
    float *mean_cosine[2], *mean_sine[2];
};

enum { ROPE_MEAN_POSITIONS = 1024 };

// factors [n_rot/2]: divisors that came with the checkpoint, or NULL.
enum status rope_table_init(struct rope_table *table, const struct model_config *config,
                            const float *factors, struct error *err);
void rope_table_deinit(struct rope_table *table);
// cosine and sine [n_pairs] at `position`.
void rope_table_fill(const struct rope_table *table, bool local, int position, float *cosine,
                     float *sine);
// llama 3.1's divisor of the i-th frequency, as GGUF's rope_freqs.weight stores it.
float rope_llama3_factor(const struct model_config *config, int i);

#ifdef __cplusplus
}
#endif
#endif
