// SPDX-License-Identifier: Apache-2.0
// From checkpoint to panels: every type and every kind of checkpoint means the same numbers before
// and after, whatever the number of threads, and the source does not stay in memory.
#include "harness.h"

#include "base/hash64.h"
#include "model/loaded_model.h"
#include "model/weights_pack.h"
#include "numeric/packed.h"
#include "typed_model.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool same_numbers(const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

// Every row of a packed matrix against the tensor's own.
static bool same_matrix(const struct checkpoint *checkpoint, const struct weight_source *source,
                        const struct embedding *embedding) {
    const struct weight *weight = source->weight;
    const struct checkpoint_tensor *tensor = source->tensor;
    const uint8_t *data;
    uint8_t *owned;
    uint64_t row_bytes;
    if (weights_load_bytes(checkpoint, tensor, &data, &owned, NULL) != STATUS_OK) return false;
    dtype_size_bytes(tensor->dtype, (uint64_t)weight->n_columns, &row_bytes);
    float *expected = malloc((size_t)weight->n_columns * sizeof *expected);
    float *got = malloc((size_t)weight->n_columns * sizeof *got);
    bool same = expected && got && (uintptr_t)weight->panels % LINE_BYTES == 0;
    for (int r = 0; same && r < weight->n_rows; r++) {
        weights_to_float(tensor->dtype, data + (size_t)r * row_bytes, expected,
                         (size_t)weight->n_columns);
        unpack_panel_row(weight->dtype,
                         weight->panels + (size_t)(r / PANEL_ROWS) * weight->panel_bytes,
                         r % PANEL_ROWS, weight->n_columns, got);
        same = same_numbers(expected, got, weight->n_columns);
        if (!embedding) continue;
        embedding_row(embedding, r, got);
        same = same && same_numbers(expected, got, weight->n_columns);
    }
    free(expected);
    free(got);
    free(owned);
    return same;
}

static bool same_embedding(const struct checkpoint *checkpoint, const struct model_weights *weights,
                           const char *name) {
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    int n_columns = weights->embedding.panels.n_columns;
    float *expected = malloc((size_t)n_columns * sizeof *expected);
    float *got = malloc((size_t)n_columns * sizeof *got);
    bool same = tensor && tensor->data && expected && got;
    for (int r = 0; same && r < weights->embedding.panels.n_rows; r++) {
        embedding_row(&weights->embedding, r, got);
        weights_to_float(tensor->dtype, tensor->data + (size_t)r * weights->embedding.row_bytes,
                         expected, (size_t)n_columns);
        same = same_numbers(expected, got, n_columns);
    }
    free(expected);
    free(got);
    return same;
}

static uint64_t hash_panels(const struct model_weights *weights) {
    uint64_t hash = 0;
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight *weight = weights->sources[i].weight;
        hash = hash64(weight->panels,
                      packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns), hash);
    }
    return hash;
}

// Loads with n_threads (0: without a pool) and compares everything; *hash of the panels.
static enum test_result check_model(const char *path, int n_threads, uint64_t *hash) {
    struct checkpoint *checkpoint;
    struct model *model;
    struct thread_pool *pool = NULL;
    struct error err = {0};
    CHECK_MESSAGE(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK, "%s",
                  err.message);
    if (n_threads > 0) CHECK(thread_pool_create(&pool, n_threads, &err) == STATUS_OK);
    struct model_load load = {.pool = pool};
    CHECK_MESSAGE(model_open(&model, checkpoint, &load, &err) == STATUS_OK, "%s", err.message);
    double seconds;
    CHECK(model_weights_origin(model, &seconds) == WEIGHTS_PACKED && seconds >= 0);
    const struct model_weights *weights = &model->weights;
    bool tied = model->config.tied_embeddings;
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight_source *source = &weights->sources[i];
        bool is_table = tied && source->weight == &weights->output;
        CHECK_MESSAGE(same_matrix(checkpoint, source, is_table ? &weights->embedding : NULL),
                      "%s: %s differs with %d threads", path, source->tensor->name, n_threads);
    }
    if (tied) CHECK(weights->embedding.panels.panels == weights->output.panels);
    if (weights->embedding.rows)
        CHECK(same_embedding(checkpoint, weights,
                             checkpoint_gguf(checkpoint) ? "token_embd.weight"
                                                         : "model.embed_tokens.weight"));
    *hash = hash_panels(weights);
    model_close(model);
    thread_pool_destroy(pool);
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

static enum test_result check_threads(const char *path) {
    static const int threads[] = {0, 1, 2, 5};
    uint64_t hashes[4];
    for (int i = 0; i < 4; i++) {
        enum test_result result = check_model(path, threads[i], &hashes[i]);
        if (result != TEST_PASS) return result;
        CHECK_MESSAGE(hashes[i] == hashes[0], "%s: other bytes with %d threads", path, threads[i]);
    }
    return TEST_PASS;
}

static const char *write_typed(enum dtype dtype, unsigned variant) {
    static char path[1024];
    struct error err = {0};
    snprintf(path, sizeof path, "%s/%s-%u.gguf", harness_scratch(),
             dtype_info((uint32_t)dtype)->name, variant);
    if (typed_model_write(path, dtype, variant, &err) == STATUS_OK) return path;
    printf("    %s\n", err.message);
    return NULL;
}

static enum test_result every_type(void) {
    for (int i = 0; i <= TYPED_TYPES; i++)
        for (unsigned variant = 0; variant <= TYPED_UNTIED; variant += TYPED_UNTIED) {
            enum dtype dtype = i < TYPED_TYPES ? typed_model_types[i] : DTYPE_F64;
            const char *path = write_typed(dtype, variant);
            CHECK(path);
            enum test_result result = check_threads(path);
            if (result != TEST_PASS) return result;
        }
    return TEST_PASS;
}

static enum test_result every_golden_model(void) {
    static const char *const names[] = {
        "models/llama",      "models/llama-tied-odd", "models/llama-bias",
        "models/llama-bf16", "models/mistral",        "models/qwen2",
        "models/qwen3",      "models/gemma3-bf16",    "formats/hf-safetensors",
        "formats/hf-torch",
    };
    int n_checked = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char relative[128], path[1024];
        snprintf(relative, sizeof relative, "tests/golden/%s", names[i]);
        if (!harness_repo_path(relative, path, sizeof path)) continue;
        struct checkpoint *checkpoint;
        struct model *model;
        struct error err = {0};
        CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
        bool is_model = model_open(&model, checkpoint, NULL, &err) == STATUS_OK;
        if (is_model) model_close(model);
        checkpoint_close(checkpoint);
        if (!is_model) continue;
        enum test_result result = check_threads(path);
        if (result != TEST_PASS) return result;
        n_checked++;
    }
    CHECK(n_checked >= 8);
    return TEST_PASS;
}

// Resident bytes of the mappings whose name ends with `name`; -1: unknown.
static long resident_kb(const char *name) {
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[2048];
    long total = 0, kb;
    unsigned long from, to;
    bool inside = false;
    if (!file) return -1;
    while (fgets(line, sizeof line, file)) {
        size_t n = strcspn(line, "\n");
        line[n] = '\0';
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) // a mapping begins, with or without a name
            inside = n >= strlen(name) && strcmp(line + n - strlen(name), name) == 0;
        else if (inside && sscanf(line, "Rss: %ld kB", &kb) == 1)
            total += kb;
    }
    fclose(file);
    return total;
}

static enum test_result source_is_let_go(void) {
    const char *path = write_typed(DTYPE_F32, 0);
    struct checkpoint *checkpoint;
    struct model *model;
    CHECK(path && checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, NULL) == STATUS_OK);
    CHECK(model_open(&model, checkpoint, NULL, NULL) == STATUS_OK);
    long kb = resident_kb(strrchr(path, '/') + 1);
    if (kb < 0) return harness_skip("no /proc/self/smaps");
    // Pages that two tensors share stay; 20 tensors of some 4 MB in all.
    CHECK_MESSAGE(kb < 300, "%ld KB of the source are resident", kb);
    model_close(model);
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

static enum test_result too_large_is_no_memory(void) {
    struct model_weights weights = {0};
    struct error err = {0};
    CHECK(weights_allocate(&weights, (uint64_t)1 << 47, &err) == STATUS_NO_MEMORY);
    CHECK(weights_allocate(&weights, UINT64_MAX - 5, &err) == STATUS_NO_MEMORY);
    CHECK(!weights.memory && err.message[0]);
    CHECK(weights_allocate(&weights, 0, &err) == STATUS_OK);
    CHECK((uintptr_t)weights.memory % (2 << 20) == 0);
    weights_deinit(&weights, NULL);
    CHECK(!weights.memory);
    return TEST_PASS;
}

static enum test_result too_large_a_matrix(void) {
    struct weight weight = {.n_rows = 1 << 30, .n_columns = 1 << 20, .dtype = DTYPE_F32};
    struct checkpoint_tensor tensor = {.name = "huge"};
    struct weight_source source = {&weight, &tensor};
    struct model_weights weights = {.sources = &source, .n_sources = 1};
    struct error err = {0};
    uint64_t size_bytes;
    CHECK(weights_measure(&weights, &size_bytes, &err) == STATUS_UNSUPPORTED);
    CHECK(strstr(err.message, "huge"));
    return TEST_PASS;
}

static const struct test tests[] = {
    {"every_type", "every type, tied or not, means the same packed", every_type},
    {"every_golden_model", "so do checkpoints of every format", every_golden_model},
    {"source_is_let_go", "packed pages of the source do not stay resident", source_is_let_go},
    {"too_large_is_no_memory", "memory that is not there is an error", too_large_is_no_memory},
    {"too_large_a_matrix", "a matrix past every size is refused", too_large_a_matrix},
};

int main(int argc, char **argv) {
    return harness_main("weights", tests, sizeof tests / sizeof tests[0], argc, argv);
}
