// SPDX-License-Identifier: Apache-2.0
// See random_stream.h. Integer arithmetic only; the one conversion to double is exact.
#include "sampler/random_stream.h"

static uint64_t rotate_left(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static uint64_t splitmix64_next(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_stream_init(struct random_stream *stream, uint64_t seed) {
    for (int i = 0; i < 4; i++)
        stream->state[i] = splitmix64_next(&seed); // never all zero: the outputs are distinct
}

uint64_t random_stream_next(struct random_stream *stream) {
    uint64_t *s = stream->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_stream_uniform(struct random_stream *stream) {
    return (double)(random_stream_next(stream) >> 11) * 0x1p-53;
}
