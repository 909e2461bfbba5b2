// SPDX-License-Identifier: Apache-2.0
// Encoders against transformers: tiny random models (made by tests/golden/make_encoders.py) whose
// pooled float32 states are known; and the promise that neither neighbours nor threads change a
// bit. What an encoder cannot do is refused.
#include "harness.h"

#include "model/encoder.h"

#include <xinglin/xinglin.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXTS_MAX = 16, N_EMBD_MAX = 64, TOKENS_MAX = 2048 };

static const char *const model_names[] = {"bert", "bert-masked"};
enum { N_MODELS = sizeof model_names / sizeof model_names[0] };

struct golden {
    char directory[1024];
    struct checkpoint *checkpoint;
    struct model *model;
    int n_texts, n_embd;
    int32_t numbers[1 + TEXTS_MAX + TOKENS_MAX]; // texts.bin
    struct encoder_text texts[TEXTS_MAX];
    float vectors[TEXTS_MAX][N_EMBD_MAX];        // where the texts put theirs
    float reference[3 * TEXTS_MAX * N_EMBD_MAX]; // [pooling][text][n_embd]
};

static size_t read_file(const char *directory, const char *name, void *data, size_t size_bytes) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t n = fread(data, 1, size_bytes, file);
    fclose(file);
    return n;
}

static bool open_golden(struct golden *golden, const char *name) {
    char relative[128];
    struct error err = {0};
    memset(golden, 0, sizeof *golden);
    snprintf(relative, sizeof relative, "tests/golden/models/%s", name);
    if (!harness_repo_path(relative, golden->directory, sizeof golden->directory)) return false;
    if (checkpoint_open(&golden->checkpoint, golden->directory, CHECKPOINT_AUTO, &err) ||
        model_open(&golden->model, golden->checkpoint, NULL, &err)) {
        printf("    %s\n", err.message);
        return false;
    }
    if (!read_file(golden->directory, "texts.bin", golden->numbers, sizeof golden->numbers))
        return false;
    golden->n_texts = golden->numbers[0];
    golden->n_embd = model_configuration(golden->model)->n_embd;
    if (golden->n_texts > TEXTS_MAX || golden->n_embd > N_EMBD_MAX) return false;
    const int32_t *tokens = golden->numbers + 1 + golden->n_texts;
    for (int i = 0; i < golden->n_texts; i++) {
        int n = golden->numbers[1 + i];
        golden->texts[i] = (struct encoder_text){tokens, n, golden->vectors[i]};
        tokens += n;
    }
    size_t size = (size_t)(3 * golden->n_texts * golden->n_embd) * sizeof(float);
    return read_file(golden->directory, "vectors.bin", golden->reference, size) == size;
}

static void close_golden(struct golden *golden) {
    model_close(golden->model);
    checkpoint_close(golden->checkpoint);
}

// Texts [first, first + n) on a pool of n_threads.
static bool run(struct golden *golden, enum isa isa, int n_threads, int first, int n,
                enum model_pooling pooling) {
    struct kernels kernels;
    struct thread_pool *pool;
    struct error err = {0};
    kernels_select(&kernels, isa);
    if (thread_pool_create(&pool, n_threads, &err) != STATUS_OK) return false;
    memset(golden->vectors[first], 0xff, (size_t)n * sizeof golden->vectors[0]);
    enum status status = encoder_embed(golden->model, &kernels, pool, n_threads,
                                       golden->texts + first, (size_t)n, pooling, &err);
    thread_pool_destroy(pool);
    if (status != STATUS_OK) printf("    %s\n", err.message);
    return status == STATUS_OK;
}

static enum test_result compare(struct golden *golden, enum isa isa, int pooling) {
    static const enum model_pooling poolings[] = {MODEL_POOLING_MEAN, MODEL_POOLING_CLS,
                                                  MODEL_POOLING_LAST};
    CHECK(run(golden, isa, 2, 0, golden->n_texts, poolings[pooling]));
    for (int i = 0; i < golden->n_texts; i++) {
        const float *expected =
            golden->reference + (size_t)((pooling * golden->n_texts + i) * golden->n_embd);
        for (int d = 0; d < golden->n_embd; d++) {
            double difference = fabs((double)golden->vectors[i][d] - (double)expected[d]);
            CHECK_MESSAGE(difference <= 2e-5, "%s: text %d, element %d: %g, not %g", isa_name(isa),
                          i, d, (double)golden->vectors[i][d], (double)expected[d]);
        }
    }
    return TEST_PASS;
}

static enum test_result compare_all(enum isa isa) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    static struct golden golden;
    for (int i = 0; i < N_MODELS; i++) {
        CHECK(open_golden(&golden, model_names[i]));
        for (int pooling = 0; pooling < 3; pooling++)
            CHECK(compare(&golden, isa, pooling) == TEST_PASS);
        close_golden(&golden);
    }
    return TEST_PASS;
}

static enum test_result vectors_scalar(void) {
    return compare_all(ISA_SCALAR);
}
static enum test_result vectors_avx2(void) {
    return compare_all(ISA_AVX2);
}
static enum test_result vectors_avx512(void) {
    return compare_all(ISA_AVX512);
}

// One by one, a few together, all together; one thread to five, which share units or not.
static enum test_result same_bits(void) {
    static struct golden golden;
    static float whole[TEXTS_MAX][N_EMBD_MAX];
    for (int i = 0; i < N_MODELS; i++) {
        CHECK(open_golden(&golden, model_names[i]));
        CHECK(run(&golden, isa_best(), 1, 0, golden.n_texts, MODEL_POOLING_MEAN));
        memcpy(whole, golden.vectors, sizeof whole);
        for (int n_threads = 1; n_threads <= 5; n_threads += 2)
            for (int step = 1; step <= golden.n_texts; step = step * 2 + 1)
                for (int first = 0; first < golden.n_texts; first += step) {
                    int left = golden.n_texts - first, n = left < step ? left : step;
                    CHECK(run(&golden, isa_best(), n_threads, first, n, MODEL_POOLING_MEAN));
                    CHECK_MESSAGE(
                        !memcmp(whole[first], golden.vectors[first], (size_t)n * sizeof whole[0]),
                        "%s: texts %d to %d with %d threads differ", model_names[i], first,
                        first + n, n_threads);
                }
        close_golden(&golden);
    }
    return TEST_PASS;
}

static enum test_result refuses(void) {
    static struct golden golden;
    static int32_t tokens[600];
    static float vector[N_EMBD_MAX];
    CHECK(open_golden(&golden, "bert"));
    xl_engine *engine;
    xl_session *session;
    xl_error error;
    const int32_t *text = tokens;
    CHECK(xl_engine_open(golden.directory, NULL, &engine, &error) == XL_OK);
    CHECK(xl_session_open(engine, &session, &error) == XL_UNSUPPORTED);
    CHECK(strstr(error.message, "cannot generate"));
    size_t n = 541;
    CHECK(xl_embed(engine, &text, &n, 1, XL_POOLING_AUTO, true, vector, &error) == XL_CONTEXT_FULL);
    CHECK(strstr(error.message, "540 positions"));
    n = 540;
    CHECK(xl_embed(engine, &text, &n, 1, XL_POOLING_AUTO, true, vector, &error) == XL_OK);
    double squares = 0;
    for (int i = 0; i < golden.n_embd; i++)
        squares += (double)vector[i] * (double)vector[i];
    CHECK(fabs(squares - 1) < 1e-6);
    tokens[3] = 150;
    CHECK(xl_embed(engine, &text, &n, 1, XL_POOLING_AUTO, true, vector, &error) == XL_USAGE);
    n = 0;
    CHECK(xl_embed(engine, &text, &n, 1, XL_POOLING_AUTO, true, vector, &error) == XL_USAGE);
    xl_engine_close(engine);
    close_golden(&golden);
    return TEST_PASS;
}

static bool write_text(const char *directory, const char *name, const char *text) {
    char path[1300];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool ok = fputs(text, file) >= 0;
    return fclose(file) == 0 && ok;
}

static bool copy_file(const char *from, const char *to, const char *name) {
    static char bytes[1 << 20];
    char path[1300];
    size_t n = read_file(from, name, bytes, sizeof bytes);
    snprintf(path, sizeof path, "%s/%s", to, name);
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool ok = n > 0 && fwrite(bytes, 1, n, file) == n;
    return fclose(file) == 0 && ok;
}

// What a sentence model's own files say about pooling.
static enum test_result pooling_files(void) {
    static const struct {
        const char *modules, *pooling;
        enum model_pooling expected;
        bool is_refused;
    } cases[] = {
        {"[]", "{}", MODEL_POOLING_UNKNOWN, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"pool\"}]", "{\"pooling_mode_cls_token\": true}",
         MODEL_POOLING_CLS, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"pool\"}, {\"type\": \"a.Normalize\"}]",
         "{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true}",
         MODEL_POOLING_MEAN, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"pool\"}]", "{\"pooling_mode_lasttoken\": true}",
         MODEL_POOLING_LAST, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"pool\"}]", "{\"pooling_mode_max_tokens\": true}",
         MODEL_POOLING_OTHER, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"pool\"}, {\"type\": \"a.Dense\"}]",
         "{\"pooling_mode_mean_tokens\": true}", MODEL_POOLING_OTHER, false},
        {"[{\"type\": \"a.Pooling\", \"path\": \"../pool\"}]", "{}", MODEL_POOLING_UNKNOWN, true},
        {"[{\"type\": \"a.Pooling\", ", "{}", MODEL_POOLING_UNKNOWN, true},
    };
    char golden[1024], directory[1100], pool[1200];
    CHECK(harness_repo_path("tests/golden/models/bert", golden, sizeof golden));
    snprintf(directory, sizeof directory, "%s/sentences", harness_scratch());
    snprintf(pool, sizeof pool, "%s/pool", directory);
    CHECK(mkdir(directory, 0700) == 0 && mkdir(pool, 0700) == 0);
    CHECK(copy_file(golden, directory, "config.json"));
    CHECK(copy_file(golden, directory, "model.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct checkpoint *checkpoint = NULL;
        static struct model_config config;
        CHECK(write_text(directory, "modules.json", cases[i].modules));
        CHECK(write_text(pool, "config.json", cases[i].pooling));
        enum status status = checkpoint_open(&checkpoint, directory, CHECKPOINT_AUTO, &err);
        if (status == STATUS_OK) status = model_config_read(&config, checkpoint, NULL, &err);
        checkpoint_close(checkpoint);
        CHECK_MESSAGE((status == STATUS_BAD_INPUT) == cases[i].is_refused, "case %zu: %s", i,
                      err.message);
        CHECK_MESSAGE(cases[i].is_refused || config.pooling == cases[i].expected,
                      "case %zu: pooling %d", i, (int)config.pooling);
    }
    return TEST_PASS;
}

// Converted, the model gives the same vectors (float32), or nearly (8 bits).
static enum test_result converted(void) {
    static struct golden golden;
    static const char *const types[] = {"fp32", "q8_0"};
    static float expected[TEXTS_MAX][N_EMBD_MAX];
    CHECK(open_golden(&golden, "bert-masked"));
    CHECK(run(&golden, isa_best(), 2, 0, golden.n_texts, MODEL_POOLING_MEAN));
    memcpy(expected, golden.vectors, sizeof expected);
    for (int i = 0; i < 2; i++) {
        xl_convert_options options = xl_convert_options_default();
        xl_error error;
        char *path;
        options.type = types[i];
        options.out_dir = harness_scratch();
        options.tokenizer = "none";
        xl_status status = xl_convert(golden.directory, &options, &path, &error);
        CHECK_MESSAGE(status == XL_OK, "%s", error.message);
        struct golden other = golden;
        struct error err;
        CHECK(checkpoint_open(&other.checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
        CHECK_MESSAGE(model_open(&other.model, other.checkpoint, NULL, &err) == STATUS_OK, "%s",
                      err.message);
        for (int t = 0; t < other.n_texts; t++)
            other.texts[t].vector = other.vectors[t];
        CHECK(run(&other, isa_best(), 2, 0, other.n_texts, MODEL_POOLING_MEAN));
        for (int t = 0; t < other.n_texts; t++)
            for (int d = 0; d < other.n_embd; d++) {
                double difference = fabs((double)other.vectors[t][d] - (double)expected[t][d]);
                CHECK_MESSAGE(difference <= (i == 0 ? 0 : 0.1), "%s: text %d, element %d: off %g",
                              types[i], t, d, difference);
            }
        close_golden(&other);
        xl_free(path);
    }
    close_golden(&golden);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"vectors_scalar", "scalar vectors are transformers', all poolings", vectors_scalar},
    {"vectors_avx2", "AVX2 vectors are transformers', all poolings", vectors_avx2},
    {"vectors_avx512", "AVX-512 vectors are transformers', all poolings", vectors_avx512},
    {"same_bits", "neighbours and threads change no bit", same_bits},
    {"refuses", "no generating, no texts beyond the positions, no foreign tokens", refuses},
    {"pooling_files", "modules.json and the pooling folder choose the pooling", pooling_files},
    {"converted", "GGUF gives the same vectors", converted},
};

int main(int argc, char **argv) {
    return harness_main("encoder", tests, sizeof tests / sizeof tests[0], argc, argv);
}
