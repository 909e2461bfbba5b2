// SPDX-License-Identifier: Apache-2.0
// A trained model end to end without a tokenizer: stories260K, converted by
// tests/golden/stories260k.py to GGUF, safetensors and .pth, continues greedily from BOS with
// exactly the text that llama2.c wrote.
#include "harness.h"

#include "model/model.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

enum { N_STEPS = 200, BOS = 1, TEXT_MAX = 4096, N_VOCAB = 512 };

static char converted[512]; // directory with the three checkpoints

static bool run_python(const char *script, const char *source, const char *out) {
    char name[] = "python3";
    char *arguments[] = {name, (char *)script, (char *)source, (char *)out, NULL};
    pid_t child;
    int status;
    if (posix_spawnp(&child, name, NULL, NULL, arguments, environ) != 0) return false;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The directory of stories260K's files; false if it is not there.
static bool source_directory(char *path, size_t path_size) {
    char file[1024];
    return harness_shared_path("data/stories260K/stories260K.bin", file, sizeof file) &&
           harness_shared_path("data/stories260K", path, path_size);
}

static bool convert(void) {
    char source[1024], script[1024];
    if (converted[0]) return true;
    if (!source_directory(source, sizeof source) ||
        !harness_repo_path("tests/golden/stories260k.py", script, sizeof script))
        return false;
    snprintf(converted, sizeof converted, "%s/stories", harness_scratch());
    if (run_python(script, source, converted)) return true;
    converted[0] = '\0';
    return false;
}

// The bytes of every token of tok512.bin.
struct pieces {
    char text[N_VOCAB][32];
    int length[N_VOCAB];
};

static bool read_pieces(struct pieces *pieces) {
    char path[1024];
    if (!harness_shared_path("data/stories260K/tok512.bin", path, sizeof path)) return false;
    FILE *file = fopen(path, "rb");
    int32_t longest, length;
    float score;
    bool ok = file && fread(&longest, sizeof longest, 1, file) == 1;
    for (int i = 0; ok && i < N_VOCAB; i++) {
        ok = fread(&score, sizeof score, 1, file) == 1 &&
             fread(&length, sizeof length, 1, file) == 1 && length > 0 && length < 32 &&
             fread(pieces->text[i], 1, (size_t)length, file) == (size_t)length;
        pieces->length[i] = ok ? length : 0;
        unsigned byte;
        if (ok && length == 6 && sscanf(pieces->text[i], "<0x%02X>", &byte) == 1) {
            pieces->text[i][0] = (char)byte;
            pieces->length[i] = 1;
        }
    }
    if (file) fclose(file);
    return ok;
}

static size_t read_expected(char *text, size_t text_size) {
    char path[1024];
    if (!harness_shared_path("data/stories260K/expected-greedy-200.txt", path, sizeof path))
        return 0;
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, text_size, file) : 0;
    if (file) fclose(file);
    return n;
}

static int32_t largest(const float *logits, int n) {
    int32_t best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

// Greedy continuation of BOS into ids[N_STEPS].
static enum status generate(const char *path, enum isa isa, enum dtype kv_dtype,
                            int32_t ids[N_STEPS], struct error *err) {
    struct checkpoint *checkpoint = NULL;
    struct model *model = NULL;
    struct thread_pool *pool = NULL;
    struct kv_cache cache = {0};
    struct forward_workspace *workspace = NULL;
    struct kernels kernels;
    float logits[N_VOCAB];
    int32_t token = BOS;
    kernels_select(&kernels, isa);
    enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, err);
    if (status == STATUS_OK)
        status = model_open(&model, checkpoint, &(struct model_load){.family = "llama"}, err);
    if (status == STATUS_OK) status = thread_pool_create(&pool, 2, err);
    const struct model_config *config = model ? model_configuration(model) : NULL;
    if (status == STATUS_OK)
        status = kv_cache_init(&cache, kv_dtype, config->n_layers, config->n_kv_heads,
                               config->head_dim, N_STEPS, err);
    if (status == STATUS_OK)
        status = forward_workspace_create(&workspace, model, &kernels, pool, 1, N_STEPS, err);
    for (int i = 0; status == STATUS_OK && i < N_STEPS; i++) {
        status = model_forward(model, &cache, workspace, &token, 1, false, logits, err);
        ids[i] = token = largest(logits, N_VOCAB);
    }
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    model_close(model);
    checkpoint_close(checkpoint);
    return status;
}

static enum test_result same_text(const char *file, enum isa isa, enum dtype kv_dtype) {
    char source[1024], path[1024];
    if (!source_directory(source, sizeof source))
        return harness_skip("no stories260K in the shared data");
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    if (!convert()) return harness_skip("python3 cannot convert stories260K");
    struct pieces pieces;
    char expected[TEXT_MAX], text[TEXT_MAX];
    size_t expected_bytes = read_expected(expected, sizeof expected), text_bytes = 0;
    CHECK(expected_bytes > 0 && read_pieces(&pieces));
    snprintf(path, sizeof path, "%s/%s", converted, file);
    int32_t ids[N_STEPS];
    struct error err = {0};
    CHECK_MESSAGE(generate(path, isa, kv_dtype, ids, &err) == STATUS_OK, "%s", err.message);
    for (int i = 0; i < N_STEPS; i++) {
        int skip = i == 0 && pieces.text[ids[i]][0] == ' '; // as the decoder does after BOS
        size_t n = (size_t)(pieces.length[ids[i]] - skip);
        CHECK(text_bytes + n <= sizeof text);
        memcpy(text + text_bytes, pieces.text[ids[i]] + skip, n);
        text_bytes += n;
    }
    CHECK_MESSAGE(text_bytes == expected_bytes && memcmp(text, expected, text_bytes) == 0,
                  "%s with %s wrote: %.*s", file, isa_name(isa), (int)text_bytes, text);
    return TEST_PASS;
}

static enum test_result gguf_scalar(void) {
    return same_text("stories260K.gguf", ISA_SCALAR, DTYPE_F32);
}
static enum test_result gguf_avx2(void) {
    return same_text("stories260K.gguf", ISA_AVX2, DTYPE_F32);
}
static enum test_result gguf_f16_cache(void) {
    return same_text("stories260K.gguf", isa_best(), DTYPE_F16);
}
static enum test_result safetensors_scalar(void) {
    return same_text("safetensors", ISA_SCALAR, DTYPE_F32);
}
static enum test_result safetensors_avx2(void) {
    return same_text("safetensors", ISA_AVX2, DTYPE_F32);
}
static enum test_result pth_scalar(void) {
    return same_text("pth", ISA_SCALAR, DTYPE_F32);
}
static enum test_result pth_avx2(void) {
    return same_text("pth", ISA_AVX2, DTYPE_F32);
}

static const struct test tests[] = {
    {"gguf_scalar", "GGUF, scalar kernels", gguf_scalar},
    {"gguf_avx2", "GGUF, AVX2 kernels", gguf_avx2},
    {"gguf_f16_cache", "GGUF, keys and values in f16", gguf_f16_cache},
    {"safetensors_scalar", "safetensors, scalar kernels", safetensors_scalar},
    {"safetensors_avx2", "safetensors, AVX2 kernels", safetensors_avx2},
    {"pth_scalar", ".pth, scalar kernels", pth_scalar},
    {"pth_avx2", ".pth, AVX2 kernels", pth_avx2},
};

int main(int argc, char **argv) {
    return harness_main("stories260k", tests, sizeof tests / sizeof tests[0], argc, argv);
}
