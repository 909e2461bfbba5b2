// SPDX-License-Identifier: Apache-2.0
// The sampler against distributions from another implementation (tests/golden/make_sampler.py),
// its random numbers against their definition, and what it does with hostile logits.
#include "harness.h"

#include "base/clock.h"
#include "sampler/random_stream.h"
#include "sampler/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAX = 128 };

struct golden_case {
    char name[64];
    struct sampler_options options;
    float logits[N_MAX];
    int32_t text[N_MAX];
    struct logit_bias biases[N_MAX];
    int32_t kept[N_MAX];
    double probabilities[N_MAX];
    int n_vocab, n_text, n_biases, n_kept;
};

static bool read_list(FILE *file, const char *word, int *n) {
    char found[32];
    return fscanf(file, "%31s %d", found, n) == 2 && strcmp(found, word) == 0 && *n >= 0 &&
           *n <= N_MAX;
}

static bool read_case(FILE *file, struct golden_case *c) {
    struct sampler_options *o = &c->options;
    memset(c, 0, sizeof *c);
    sampler_options_default(o);
    if (fscanf(file, " case %63s %f %d %f %f %f %f %f %d", c->name, &o->temperature, &o->top_k,
               &o->top_p, &o->min_p, &o->repetition_penalty, &o->presence_penalty,
               &o->frequency_penalty, &o->penalty_window) != 9)
        return false;
    if (!read_list(file, "logits", &c->n_vocab)) return false;
    for (int i = 0; i < c->n_vocab; i++)
        if (fscanf(file, "%f", &c->logits[i]) != 1) return false;
    if (!read_list(file, "text", &c->n_text)) return false;
    for (int i = 0; i < c->n_text; i++)
        if (fscanf(file, "%d", &c->text[i]) != 1) return false;
    if (!read_list(file, "biases", &c->n_biases)) return false;
    for (int i = 0; i < c->n_biases; i++)
        if (fscanf(file, "%d:%f", &c->biases[i].token, &c->biases[i].bias) != 2) return false;
    if (!read_list(file, "kept", &c->n_kept)) return false;
    for (int i = 0; i < c->n_kept; i++)
        if (fscanf(file, "%d:%lf", &c->kept[i], &c->probabilities[i]) != 2) return false;
    o->biases = c->biases;
    o->n_biases = (size_t)c->n_biases;
    return true;
}

static enum test_result compare_case(struct golden_case *c) {
    struct sampler *sampler;
    struct error err;
    int32_t tokens[N_MAX];
    float probabilities[N_MAX];
    CHECK(sampler_create(&sampler, &c->options, c->n_vocab, &err) == STATUS_OK);
    for (int i = 0; i < c->n_text; i++)
        sampler_accept(sampler, c->text[i]);
    int n = sampler_distribution(sampler, c->logits, tokens, probabilities, N_MAX);
    sampler_destroy(sampler);
    CHECK_MESSAGE(n == c->n_kept, "%s: kept %d, expected %d", c->name, n, c->n_kept);
    for (int i = 0; i < n; i++)
        CHECK_MESSAGE(tokens[i] == c->kept[i] &&
                          fabs((double)probabilities[i] - c->probabilities[i]) < 2e-6,
                      "%s: place %d: token %d p %.9g, expected %d p %.9g", c->name, i, tokens[i],
                      (double)probabilities[i], c->kept[i], c->probabilities[i]);
    return TEST_PASS;
}

static enum test_result test_golden(void) {
    char path[1024];
    CHECK(harness_repo_path("tests/golden/sampler.txt", path, sizeof path));
    FILE *file = fopen(path, "r");
    CHECK(file);
    static struct golden_case golden;
    int n_cases = 0;
    enum test_result result = TEST_PASS;
    while (result == TEST_PASS && read_case(file, &golden)) {
        result = compare_case(&golden);
        n_cases++;
    }
    fclose(file);
    CHECK(result != TEST_PASS || n_cases >= 20);
    return result;
}

static enum test_result test_random(void) {
    // SplitMix64 from seed 0 fills the state; then the definition's first step by hand.
    struct random_stream stream;
    random_stream_init(&stream, 0);
    CHECK(stream.state[0] == 0xe220a8397b1dcdafu); // published first output of SplitMix64(0)
    CHECK(stream.state[1] == 0x6e789e6aa1b965f4u);
    stream = (struct random_stream){{1, 2, 3, 4}};
    CHECK(random_stream_next(&stream) == 41943041u); // reference vectors for state 1 2 3 4
    CHECK(random_stream_next(&stream) == 58720359u);
    CHECK(random_stream_next(&stream) == 3588806011781223u);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = random_stream_uniform(&stream);
        CHECK(x >= 0 && x < 1);
        sum += x;
    }
    CHECK(fabs(sum / 10000 - 0.5) < 0.01);
    return TEST_PASS;
}

static void fill_logits(float *logits, int n, uint64_t seed, float spread) {
    struct random_stream stream;
    random_stream_init(&stream, seed);
    for (int i = 0; i < n; i++) {
        double u = random_stream_uniform(&stream) + 1e-12;
        double v = random_stream_uniform(&stream);
        logits[i] = spread * (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
}

static enum test_result test_deterministic(void) {
    enum { N = 5000, DRAWS = 50 };
    static float logits[N];
    fill_logits(logits, N, 7, 3);
    struct sampler_options options;
    sampler_options_default(&options);
    options.temperature = 0.9f;
    options.top_p = 0.95f;
    options.repetition_penalty = 1.1f;
    options.seed = 42;
    int32_t first[DRAWS];
    struct sampler *sampler;
    CHECK(sampler_create(&sampler, &options, N, NULL) == STATUS_OK);
    for (int round = 0; round < 2; round++) {
        int n_different = 0;
        for (int i = 0; i < DRAWS; i++) {
            int32_t token = sampler_choose(sampler, logits);
            CHECK(token >= 0 && token < N);
            if (round == 0) first[i] = token;
            CHECK(token == first[i]);
            n_different += token != first[0];
            sampler_accept(sampler, token);
        }
        CHECK(n_different > 0);
        sampler_reset(sampler);
    }
    sampler_destroy(sampler);
    return TEST_PASS;
}

// Draws follow the probabilities: chi-squared over 4 tokens, 3 degrees of freedom, far past 99.9 %.
static enum test_result test_frequencies(void) {
    const float logits[4] = {0, logf(2), logf(3), logf(4)};
    for (int filtered = 0; filtered < 2; filtered++) {
        struct sampler_options options;
        sampler_options_default(&options);
        options.temperature = 1;
        options.top_k = filtered ? 3 : 0;
        options.seed = 99;
        struct sampler *sampler;
        CHECK(sampler_create(&sampler, &options, 4, NULL) == STATUS_OK);
        int counts[4] = {0};
        enum { DRAWS = 20000 };
        for (int i = 0; i < DRAWS; i++)
            counts[sampler_choose(sampler, logits)]++;
        sampler_destroy(sampler);
        double chi = 0;
        for (int t = filtered; t < 4; t++) {
            double expected = DRAWS * (t + 1) / (filtered ? 9.0 : 10.0);
            chi += (counts[t] - expected) * (counts[t] - expected) / expected;
        }
        CHECK_MESSAGE(chi < 20, "chi squared %g", chi);
        CHECK(!filtered || counts[0] == 0);
    }
    return TEST_PASS;
}

static int32_t choose_once(struct sampler_options options, const float *logits, int n) {
    struct sampler *sampler;
    if (sampler_create(&sampler, &options, n, NULL) != STATUS_OK) return -2;
    int32_t token = sampler_choose(sampler, logits);
    sampler_destroy(sampler);
    return token;
}

static enum test_result test_hostile_logits(void) {
    struct sampler_options options;
    sampler_options_default(&options);
    const float nan = NAN, inf = INFINITY;
    const float ties[5] = {1, 3, 3, 2, 3};
    const float with_nan[5] = {nan, 1, nan, 2, nan};
    const float with_inf[5] = {1, -inf, inf, FLT_MAX, 2};
    const float nothing[5] = {-inf, nan, -inf, nan, -inf};
    const float huge[5] = {-FLT_MAX, FLT_MAX, -FLT_MAX, 0, FLT_MAX / 2};
    CHECK(choose_once(options, ties, 5) == 1);
    const float temperatures[] = {0, 1e-6f, 1e-4f, 1, 1e30f};
    for (size_t i = 0; i < sizeof temperatures / sizeof *temperatures; i++)
        for (int filters = 0; filters < 8; filters++) {
            options.temperature = temperatures[i];
            options.top_k = filters & 1 ? 3 : 0;
            options.top_p = filters & 2 ? 0.9f : 1;
            options.min_p = filters & 4 ? 0.1f : 0;
            int32_t token = choose_once(options, with_nan, 5);
            CHECK(token == 1 || token == 3);
            token = choose_once(options, with_inf, 5);
            CHECK(token >= 0 && token != 1);
            CHECK(choose_once(options, nothing, 5) == 0);
            token = choose_once(options, huge, 5);
            CHECK(token >= 0 && token < 5);
            if (temperatures[i] < 1e29f) CHECK(token == 1);
            CHECK(choose_once(options, ties, 1) == 0);
        }
    return TEST_PASS;
}

static enum test_result test_refused_options(void) {
    struct sampler_options good, bad;
    struct error err;
    struct sampler *sampler;
    sampler_options_default(&good);
    bad = good, bad.temperature = NAN;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE && !sampler);
    bad = good, bad.temperature = -1;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE);
    bad = good, bad.repetition_penalty = 0;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE);
    bad = good, bad.top_p = NAN;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE);
    bad = good, bad.min_p = 1.5f;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE);
    struct logit_bias bias = {10, 1};
    bad = good, bad.biases = &bias, bad.n_biases = 1;
    CHECK(sampler_create(&sampler, &bad, 10, &err) == STATUS_USAGE);
    CHECK(strstr(err.message, "token 10"));
    CHECK(sampler_create(&sampler, &good, 0, &err) == STATUS_USAGE);
    return TEST_PASS;
}

// The penalty window forgets what has left it, also after many turns of the ring.
static enum test_result test_window(void) {
    struct sampler_options options;
    sampler_options_default(&options);
    options.presence_penalty = 5;
    options.penalty_window = 2;
    const float logits[4] = {4, 3, 2, 1};
    struct sampler *sampler;
    CHECK(sampler_create(&sampler, &options, 4, NULL) == STATUS_OK);
    const int32_t expected[9] = {0, 1, 2, 0, 1, 2, 0, 1, 2}; // never one of the last two
    for (int i = 0; i < 9; i++) {
        int32_t token = sampler_choose(sampler, logits);
        CHECK(token == expected[i]);
        sampler_accept(sampler, token);
    }
    sampler_accept(sampler, -5); // ignored
    sampler_accept(sampler, 4);
    sampler_destroy(sampler);
    return TEST_PASS;
}

// Large vocabularies: a full sort as oracle for the selection, and the time of one choice.
static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static enum test_result test_large(void) {
    enum { N = 151936 };
    float *logits = malloc(N * sizeof *logits), *sorted = malloc(N * sizeof *sorted);
    int32_t *tokens = malloc(N * sizeof *tokens);
    float *probabilities = malloc(N * sizeof *probabilities);
    CHECK(logits && sorted && tokens && probabilities);
    fill_logits(logits, N, 3, 3);
    memcpy(sorted, logits, N * sizeof *sorted);
    qsort(sorted, N, sizeof *sorted, compare_floats);
    struct sampler_options options;
    sampler_options_default(&options);
    options.temperature = 0.8f;
    for (int mode = 0; mode < 5; mode++) {
        options.top_k = mode == 1 || mode == 3 ? 50 : 0;
        options.top_p = mode == 2 || mode == 3 ? 0.95f : 1;
        options.min_p = mode == 4 ? 0.05f : 0;
        struct sampler *sampler;
        CHECK(sampler_create(&sampler, &options, N, NULL) == STATUS_OK);
        int n = sampler_distribution(sampler, logits, tokens, probabilities, N);
        CHECK(n > 0 && (mode != 1 || n == 50));
        for (int i = 0; i < n; i++)
            CHECK(fabsf(logits[tokens[i]] - sorted[i]) < 1e-5f); // distances round
        double best = 1e9;
        for (int i = 0; i < 10; i++) {
            double start = clock_seconds();
            sampler_choose(sampler, logits);
            double time = clock_seconds() - start;
            best = time < best ? time : best;
        }
        printf("    mode %d: %d candidates, %.3f ms a choice\n", mode, n, best * 1e3);
        sampler_destroy(sampler);
    }
    free(logits), free(sorted), free(tokens), free(probabilities);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"golden", "distributions equal transformers' processors", test_golden},
    {"random", "xoshiro256++ and SplitMix64 by their vectors", test_random},
    {"deterministic", "same seed, same tokens; reset starts over", test_deterministic},
    {"frequencies", "draws follow the probabilities", test_frequencies},
    {"hostile_logits", "NaN, infinities, ties, huge values", test_hostile_logits},
    {"refused_options", "senseless options are refused", test_refused_options},
    {"window", "the penalty window forgets", test_window},
    {"large", "selection among 151936 tokens", test_large},
};

int main(int argc, char **argv) {
    return harness_main("sampler", tests, sizeof tests / sizeof *tests, argc, argv);
}
