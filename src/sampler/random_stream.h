// SPDX-License-Identifier: Apache-2.0
// Random numbers that are the same on every machine: xoshiro256++ (Blackman & Vigna 2021), its
// state filled from one 64-bit seed by SplitMix64 (Steele, Lea & Flood 2014).
#ifndef XL_SAMPLER_RANDOM_STREAM_H
#define XL_SAMPLER_RANDOM_STREAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct random_stream {
    uint64_t state[4];
};

void random_stream_init(struct random_stream *stream, uint64_t seed);
uint64_t random_stream_next(struct random_stream *stream);
double random_stream_uniform(struct random_stream *stream); // in [0, 1), 53 random bits

#ifdef __cplusplus
}
#endif
#endif
