// SPDX-License-Identifier: Apache-2.0
// Configurations: both spellings of the rotary scaling keys, family defaults, GGUF keys there and
// back, and hostile numbers, each refused with a message that names the field.
#include "harness.h"

#include "format/gguf_writer.h"
#include "model/gguf_export.h"
#include "model/model.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORACLE_TOKENS = 40 };

static int n_directories;

// A fresh directory with this config.json and the weights of a golden model; false on trouble.
static bool make_directory(const char *json, const char *golden, char *path, size_t path_size) {
    char file[1200], relative[128], weights[1024];
    snprintf(path, path_size, "%s/config%d", harness_scratch(), n_directories++);
    snprintf(relative, sizeof relative, "tests/golden/models/%s/model.safetensors", golden);
    if (mkdir(path, 0700) != 0 || !harness_repo_path(relative, weights, sizeof weights))
        return false;
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    if (symlink(weights, file) != 0) return false;
    snprintf(file, sizeof file, "%s/config.json", path);
    FILE *out = fopen(file, "wb");
    if (!out) return false;
    bool ok = fputs(json, out) >= 0;
    return fclose(out) == 0 && ok;
}

static enum status read_json(const char *json, struct model_config *config, struct error *err) {
    char path[1024];
    struct checkpoint *checkpoint = NULL;
    if (!make_directory(json, "llama", path, sizeof path)) return STATUS_COUNT;
    enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, err);
    if (status == STATUS_OK) status = model_config_read(config, checkpoint, NULL, err);
    config->family = NULL;
    checkpoint_close(checkpoint);
    return status;
}

// The golden model "llama"'s configuration with these members added or changed, as text; free().
static char *change_llama(const char *added) {
    char text[1024];
    json_t *json = json_pack("{ss si si si si si si}", "model_type", "llama", "vocab_size", 192,
                             "hidden_size", 48, "intermediate_size", 72, "num_hidden_layers", 2,
                             "num_attention_heads", 4, "num_key_value_heads", 2);
    snprintf(text, sizeof text, "{%s}", added);
    json_t *change = json_loads(text, 0, NULL);
    char *result = NULL;
    if (json_object_update(json, change) == 0) result = json_dumps(json, 0);
    json_decref(change);
    json_decref(json);
    return result;
}

static enum status read_llama(const char *added, struct model_config *config, struct error *err) {
    char *json = change_llama(added);
    enum status status = json ? read_json(json, config, err) : STATUS_COUNT;
    free(json);
    return status;
}

static enum test_result defaults(void) {
    struct model_config config;
    struct error err = {0};
    CHECK_MESSAGE(read_llama("", &config, &err) == STATUS_OK, "%s", err.message);
    CHECK(config.n_layers == 2 && config.n_embd == 48 && config.n_heads == 4);
    CHECK(config.head_dim == 12 && config.n_rot == 12 && config.rope_halves);
    CHECK(config.rope_base == 10000.0f && config.rope_scaling == ROPE_NONE);
    CHECK(config.norm_eps == 1e-6f && config.n_context_train == 2048);
    CHECK(!config.tied_embeddings && config.sliding_window == 0);
    CHECK(config.activation == ACTIVATION_SILU && config.embedding_scale == 1.0f);
    CHECK(fabs(config.attention_scale - 1 / sqrt(12)) < 1e-7);
    CHECK(strncmp(config.name, "config", 6) == 0);
    // A multimodal gemma 3 says only what differs from the defaults.
    CHECK(read_json("{\"model_type\": \"gemma3\", \"text_config\": {\"hidden_size\": 2560, "
                    "\"intermediate_size\": 10240, \"num_hidden_layers\": 34, \"rope_scaling\": "
                    "{\"factor\": 8.0, \"rope_type\": \"linear\"}, \"sliding_window\": 1024}}",
                    &config, &err) == STATUS_OK);
    CHECK(config.n_heads == 8 && config.n_kv_heads == 4 && config.head_dim == 256);
    CHECK(config.n_vocab == 262208 && config.tied_embeddings && config.sliding_window == 1024);
    CHECK(config.rope_scaling == ROPE_LINEAR && config.rope_factor == 8.0f);
    CHECK(config.rope_base == 1e6f && config.rope_base_local == 1e4f);
    CHECK(config.attention_scale == 1.0f / 16 && config.activation == ACTIVATION_GELU_TANH);
    CHECK(model_config_layer_slides(&config, 4) && !model_config_layer_slides(&config, 5));
    CHECK(model_config_layer_slides(&config, 6) && !model_config_layer_slides(&config, 29));
    // mistral without the key has its window; with null it has none.
    static const char mistral[] = "{\"model_type\": \"mistral\", \"vocab_size\": 192, "
                                  "\"hidden_size\": 48, \"intermediate_size\": 72, "
                                  "\"num_hidden_layers\": 2, \"num_attention_heads\": 8%s}";
    char json[1024];
    snprintf(json, sizeof json, mistral, "");
    CHECK(read_json(json, &config, &err) == STATUS_OK && config.sliding_window == 4096);
    CHECK(config.n_kv_heads == 8 && model_config_layer_slides(&config, 1));
    snprintf(json, sizeof json, mistral, ", \"sliding_window\": null");
    CHECK(read_json(json, &config, &err) == STATUS_OK && config.sliding_window == 0);
    return TEST_PASS;
}

static enum test_result rope_spellings(void) {
    struct model_config config;
    struct error err = {0};
    CHECK(read_llama("\"rope_theta\": 5e5, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}",
                     &config, &err) == STATUS_OK);
    CHECK(config.rope_scaling == ROPE_LINEAR && config.rope_factor == 2.0f);
    CHECK(config.rope_base == 5e5f);
    CHECK(read_llama("\"rope_theta\": 5e5, \"rope_scaling\": {\"rope_type\": \"llama3\", "
                     "\"factor\": 32.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                     "\"original_max_position_embeddings\": 8192}",
                     &config, &err) == STATUS_OK);
    CHECK(config.rope_scaling == ROPE_LLAMA3 && config.rope_context_original == 8192);
    CHECK(read_llama("\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 5e5, "
                     "\"factor\": 8.0}, \"max_position_embeddings\": 4096",
                     &config, &err) == STATUS_OK);
    CHECK(config.rope_base == 5e5f && config.rope_high_freq_factor == 4.0f);
    CHECK(config.rope_context_original == 4096);
    CHECK(read_llama("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
                     "\"original_max_position_embeddings\": 32768}",
                     &config, &err) == STATUS_OK);
    CHECK(config.rope_scaling == ROPE_YARN && config.rope_beta_fast == 32.0f);
    CHECK(fabs(config.rope_attention_factor - (0.1 * log(4) + 1)) < 1e-6);
    CHECK(read_llama("\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 40, \"mscale\": 1.0, "
                     "\"mscale_all_dim\": 0.5}",
                     &config, &err) == STATUS_OK);
    CHECK(fabs(config.rope_attention_factor - (0.1 * log(40) + 1) / (0.05 * log(40) + 1)) < 1e-6);
    CHECK(read_llama("\"rope_scaling\": null", &config, &err) == STATUS_OK);
    CHECK(config.rope_scaling == ROPE_NONE);
    return TEST_PASS;
}

struct bad {
    const char *added;
    enum status status;
    const char *says;
};

static const struct bad bad_configs[] = {
    {"\"num_attention_heads\": 0", STATUS_BAD_INPUT, "num_attention_heads"},
    {"\"num_attention_heads\": -4", STATUS_BAD_INPUT, "num_attention_heads"},
    {"\"num_attention_heads\": \"4\"", STATUS_BAD_INPUT, "num_attention_heads"},
    {"\"num_attention_heads\": 3", STATUS_BAD_INPUT, "key-value heads"},
    {"\"num_key_value_heads\": 0", STATUS_BAD_INPUT, "num_key_value_heads"},
    {"\"num_hidden_layers\": 4000000000", STATUS_BAD_INPUT, "num_hidden_layers"},
    {"\"num_hidden_layers\": 513", STATUS_BAD_INPUT, "num_hidden_layers"},
    {"\"hidden_size\": 1073741824", STATUS_BAD_INPUT, "plausible"},
    {"\"hidden_size\": 3", STATUS_BAD_INPUT, "head_dim"},
    {"\"hidden_size\": 1.5", STATUS_BAD_INPUT, "hidden_size"},
    {"\"hidden_size\": null", STATUS_BAD_INPUT, "hidden_size"},
    {"\"intermediate_size\": 99999999", STATUS_BAD_INPUT, "feed-forward"},
    {"\"vocab_size\": 100000000", STATUS_BAD_INPUT, "vocabulary"},
    {"\"head_dim\": 7", STATUS_BAD_INPUT, "rotary dimension 7"},
    {"\"head_dim\": 100000", STATUS_BAD_INPUT, "head dimension"},
    {"\"rms_norm_eps\": -1", STATUS_BAD_INPUT, "epsilon"},
    {"\"rms_norm_eps\": \"x\"", STATUS_BAD_INPUT, "rms_norm_eps"},
    {"\"rope_theta\": 0", STATUS_BAD_INPUT, "rotary base"},
    {"\"rope_theta\": 1e300", STATUS_BAD_INPUT, "rope_theta"},
    {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", STATUS_BAD_INPUT, "factor"},
    {"\"rope_scaling\": {\"type\": \"linear\"}", STATUS_BAD_INPUT, "factor"},
    {"\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 2}", STATUS_UNSUPPORTED, "longrope"},
    {"\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_fast\": 0}", STATUS_BAD_INPUT,
     "beta_fast"},
    {"\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 9}",
     STATUS_BAD_INPUT, "low_freq_factor"},
    {"\"partial_rotary_factor\": 0.5", STATUS_UNSUPPORTED, "partial_rotary_factor"},
    {"\"hidden_act\": \"relu\"", STATUS_UNSUPPORTED, "relu"},
    {"\"quantization_config\": {}", STATUS_UNSUPPORTED, "quantization_config"},
    {"\"model_type\": \"bloom\"", STATUS_UNSUPPORTED, "llama, mistral, qwen2, qwen3, gemma3"},
    {"\"model_type\": \"mixtral\"", STATUS_UNSUPPORTED, "mixtral"},
};

static enum test_result refused(void) {
    for (size_t i = 0; i < sizeof bad_configs / sizeof bad_configs[0]; i++) {
        const struct bad *bad = &bad_configs[i];
        struct model_config config;
        struct error err = {0};
        enum status status = read_llama(bad->added, &config, &err);
        CHECK_MESSAGE(status == bad->status && strstr(err.message, bad->says), "%s: status %s: %s",
                      bad->added, status_name(status), err.message);
    }
    return TEST_PASS;
}

// Numbers that are plausible but contradict the weights.
static enum test_result contradictions(void) {
    static const struct bad cases[] = {
        {"\"vocab_size\": 193", STATUS_BAD_INPUT, "embed_tokens.weight is 192 x 48"},
        {"\"hidden_size\": 56", STATUS_BAD_INPUT, "embed_tokens.weight"},
        {"\"intermediate_size\": 73", STATUS_BAD_INPUT, "gate_proj.weight is 72 x 48"},
        {"\"num_hidden_layers\": 1", STATUS_BAD_INPUT, "is in layer 1"},
        {"\"num_hidden_layers\": 3", STATUS_BAD_INPUT,
         "model.layers.2.input_layernorm.weight is missing"},
        {"\"head_dim\": 16", STATUS_BAD_INPUT, "q_proj.weight is 48 x 48"},
        {"\"num_key_value_heads\": 4", STATUS_BAD_INPUT, "k_proj.weight is 24 x 48"},
        {"\"attention_bias\": true", STATUS_BAD_INPUT, "q_proj.bias is missing"},
        {"\"mlp_bias\": true", STATUS_BAD_INPUT, "gate_proj.bias is missing"},
        {"\"model_type\": \"qwen2\"", STATUS_BAD_INPUT, "q_proj.bias is missing"},
        {"\"model_type\": \"qwen3\", \"head_dim\": 12", STATUS_BAD_INPUT, "q_norm.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[1024], *json = change_llama(cases[i].added);
        CHECK(json && make_directory(json, "llama", path, sizeof path));
        free(json);
        struct checkpoint *checkpoint;
        struct model *model;
        struct export_plan plan;
        struct error err = {0};
        CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
        enum status status = model_open(&model, checkpoint, NULL, &err);
        CHECK_MESSAGE(status == cases[i].status && strstr(err.message, cases[i].says),
                      "%s: status %s: %s", cases[i].added, status_name(status), err.message);
        CHECK(model == NULL);
        CHECK(export_plan_create(&plan, checkpoint, NULL, &err) == cases[i].status);
        CHECK(plan.tensors == NULL);
        checkpoint_close(checkpoint);
    }
    return TEST_PASS;
}

// Biases in the checkpoint that the configuration does not mention would silently be lost.
static enum test_result unused_weights(void) {
    char path[1024], *json = change_llama("\"num_key_value_heads\": 1");
    CHECK(json && make_directory(json, "llama-bias", path, sizeof path));
    free(json);
    struct checkpoint *checkpoint;
    struct model *model;
    struct export_plan plan;
    struct error err = {0};
    CHECK(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(model_open(&model, checkpoint, NULL, &err) == STATUS_UNSUPPORTED);
    CHECK_MESSAGE(strstr(err.message, ".bias is not part of family llama"), "%s", err.message);
    CHECK(export_plan_create(&plan, checkpoint, NULL, &err) == STATUS_UNSUPPORTED);
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

// Writes a golden model as GGUF, f32.
static enum status export_gguf(const struct export_plan *plan, const char *path,
                               struct error *err) {
    struct gguf_writer *writer;
    TRY(gguf_writer_create(&writer, path, err));
    export_plan_metadata(plan, writer);
    gguf_writer_text(writer, "tokenizer.ggml.model", "no_vocab");
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < plan->n_tensors; i++)
        status = gguf_writer_declare(writer, plan->tensors[i].name, DTYPE_F32,
                                     plan->tensors[i].n_dims, plan->tensors[i].dims, err);
    if (status == STATUS_OK) status = gguf_writer_begin_data(writer, err);
    for (size_t i = 0; status == STATUS_OK && i < plan->n_tensors; i++) {
        const struct export_tensor *tensor = &plan->tensors[i];
        struct export_reader reader;
        status = export_reader_init(&reader, plan, i, err);
        float *row = malloc(sizeof(float) * (size_t)tensor->n_columns);
        for (uint64_t r = 0; status == STATUS_OK && r < tensor->n_rows; r++) {
            export_reader_rows(&reader, r, 1, row);
            status = gguf_writer_data(writer, row, sizeof(float) * (size_t)tensor->n_columns, err);
        }
        free(row);
        export_reader_deinit(&reader);
        if (status == STATUS_OK) status = gguf_writer_end_tensor(writer, err);
    }
    if (status == STATUS_OK) return gguf_writer_commit(writer, err);
    gguf_writer_abort(writer);
    return status;
}

static enum status last_logits(const struct checkpoint *checkpoint, const int32_t *tokens, int n,
                               float *logits, struct error *err) {
    struct model *model;
    struct thread_pool *pool;
    struct kv_cache cache;
    struct forward_workspace *workspace;
    struct kernels kernels;
    kernels_select(&kernels, ISA_SCALAR);
    TRY(model_open(&model, checkpoint, NULL, err));
    const struct model_config *config = model_configuration(model);
    TRY(thread_pool_create(&pool, 2, err));
    TRY(kv_cache_init(&cache, DTYPE_F32, config->n_layers, config->n_kv_heads, config->head_dim, n,
                      err));
    TRY(forward_workspace_create(&workspace, model, &kernels, pool, n, n, err));
    enum status status = model_forward(model, &cache, workspace, tokens, n, false, logits, err);
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    model_close(model);
    return status;
}

// What the two configurations must agree on after a trip through GGUF.
static bool same_config(const struct model_config *a, const struct model_config *b) {
    bool ok = a->n_layers == b->n_layers && a->n_embd == b->n_embd && a->n_heads == b->n_heads &&
              a->n_kv_heads == b->n_kv_heads && a->head_dim == b->head_dim && a->n_ff == b->n_ff &&
              a->n_vocab == b->n_vocab && a->n_context_train == b->n_context_train &&
              a->norm_eps == b->norm_eps && a->activation == b->activation &&
              a->tied_embeddings == b->tied_embeddings && a->n_rot == b->n_rot &&
              a->rope_base == b->rope_base && a->sliding_window == b->sliding_window &&
              a->embedding_scale == b->embedding_scale && a->logit_softcap == b->logit_softcap &&
              fabsf(a->attention_scale - b->attention_scale) < 1e-7f &&
              fabsf(a->rope_attention_factor - b->rope_attention_factor) < 1e-6f;
    for (int layer = 0; layer < a->n_layers; layer++)
        ok = ok && model_config_layer_slides(a, layer) == model_config_layer_slides(b, layer);
    return ok;
}

static enum test_result gguf_round_trip(void) {
    static const char *const names[] = {
        "llama",      "llama-tied-odd",       "llama-bias",        "llama-linear",   "llama-llama3",
        "llama-yarn", "llama-bf16",           "llama-yarn-mscale", "mistral-window", "qwen2",
        "qwen3",      "qwen2-window",         "qwen3-bias-window", "gemma3",         "gemma3-bf16",
        "mistral",    "gemma3-global-linear", "gemma3-multimodal"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char relative[128], source[1024], path[1024];
        snprintf(relative, sizeof relative, "tests/golden/models/%s", names[i]);
        CHECK(harness_repo_path(relative, source, sizeof source));
        snprintf(path, sizeof path, "%s/%s.gguf", harness_scratch(), names[i]);
        struct error err = {0};
        struct checkpoint *hf, *gguf;
        struct export_plan plan, again;
        CHECK(checkpoint_open(&hf, source, CHECKPOINT_AUTO, &err) == STATUS_OK);
        CHECK_MESSAGE(export_plan_create(&plan, hf, NULL, &err) == STATUS_OK, "%s", err.message);
        CHECK_MESSAGE(export_gguf(&plan, path, &err) == STATUS_OK, "%s", err.message);
        CHECK_MESSAGE(checkpoint_open(&gguf, path, CHECKPOINT_AUTO, &err) == STATUS_OK, "%s",
                      err.message);
        CHECK_MESSAGE(export_plan_create(&again, gguf, NULL, &err) == STATUS_OK, "%s", err.message);
        CHECK_MESSAGE(same_config(&plan.config, &again.config), "%s: configuration", names[i]);
        CHECK(again.n_tensors == plan.n_tensors);
        int32_t tokens[24];
        float a[256], b[256];
        for (int t = 0; t < 24; t++)
            tokens[t] = (t * 37 + 11) % 180;
        CHECK(last_logits(hf, tokens, 24, a, &err) == STATUS_OK);
        CHECK_MESSAGE(last_logits(gguf, tokens, 24, b, &err) == STATUS_OK, "%s", err.message);
        for (int v = 0; v < plan.config.n_vocab; v++)
            CHECK_MESSAGE(fabsf(a[v] - b[v]) <= 1e-4f, "%s: logit %d is %g, from GGUF %g", names[i],
                          v, (double)a[v], (double)b[v]);
        export_plan_destroy(&plan);
        export_plan_destroy(&again);
        checkpoint_close(hf);
        checkpoint_close(gguf);
    }
    return TEST_PASS;
}

extern char **environ;

static bool run_program(const char *const arguments[]) {
    pid_t child;
    int status;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    int code = posix_spawnp(&child, arguments[0], &quiet, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (code != 0) return false;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static float *read_floats(const char *path, size_t n) {
    FILE *file = fopen(path, "rb");
    float *floats = malloc(n * sizeof *floats);
    if (!file || fread(floats, sizeof *floats, n, file) != n) {
        free(floats);
        floats = NULL;
    }
    if (file) fclose(file);
    return floats;
}

// libllama's logits of a golden model that we wrote as GGUF, against transformers'. It computes
// partly in f16, so it comes within a few thousandths; a wrong key or permutation is far worse.
static enum test_result compare_libllama(const char *name, const char *oracle,
                                         const char *backends) {
    char path[1024], source[1024], ids_path[1100], out[1100], relative[128];
    snprintf(relative, sizeof relative, "tests/golden/models/%s", name);
    CHECK(harness_repo_path(relative, source, sizeof source));
    snprintf(path, sizeof path, "%s/oracle-%s.gguf", harness_scratch(), name);
    snprintf(ids_path, sizeof ids_path, "%s/ids", harness_scratch());
    snprintf(out, sizeof out, "%s/logits", harness_scratch());
    struct error err = {0};
    struct checkpoint *checkpoint;
    struct export_plan plan;
    CHECK(checkpoint_open(&checkpoint, source, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(export_plan_create(&plan, checkpoint, NULL, &err) == STATUS_OK);
    CHECK_MESSAGE(export_gguf(&plan, path, &err) == STATUS_OK, "%s", err.message);
    size_t n_vocab = (size_t)plan.config.n_vocab, n = ORACLE_TOKENS * n_vocab;
    export_plan_destroy(&plan);
    checkpoint_close(checkpoint);
    char file[1100];
    snprintf(file, sizeof file, "%s/tokens.bin", source);
    int32_t *tokens = (int32_t *)(void *)read_floats(file, ORACLE_TOKENS);
    FILE *ids = fopen(ids_path, "wb");
    CHECK(tokens && ids);
    for (int i = 0; i < ORACLE_TOKENS; i++)
        fprintf(ids, "%d ", tokens[i]);
    CHECK(fclose(ids) == 0);
    const char *const arguments[] = {oracle,   "--backends", backends, "--ctx", "64", "--kv-f32",
                                     "logits", path,         ids_path, out,     NULL};
    CHECK_MESSAGE(run_program(arguments), "%s: libllama does not run our file", name);
    snprintf(file, sizeof file, "%s/logits.bin", source);
    float *theirs = read_floats(out, n), *reference = read_floats(file, n);
    CHECK(theirs && reference);
    float difference = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        difference = fmaxf(difference, fabsf(theirs[i] - reference[i]));
        largest = fmaxf(largest, fabsf(reference[i]));
    }
    CHECK_MESSAGE(difference < 0.01f * largest, "%s: libllama is off by %g of %g", name,
                  (double)difference, (double)largest);
    free(tokens);
    free(theirs);
    free(reference);
    return TEST_PASS;
}

static enum test_result libllama_reads(void) {
    // Not here: what libllama cannot express (mistral's and qwen2's windows, yarn's betas).
    static const char *const names[] = {"llama",   "llama-tied-odd", "llama-bias", "llama-linear",
                                        "mistral", "llama-llama3",   "llama-yarn", "qwen2",
                                        "qwen3",   "gemma3",         "gemma3-bf16"};
    char backends[1024], script[1024], scratch[512], oracle[600];
    if (!harness_input_path("libllama", backends, sizeof backends) ||
        !harness_repo_path("tests/oracle/build-oracle", script, sizeof script))
        return harness_skip("no libllama among the fetched inputs");
    snprintf(scratch, sizeof scratch, "%s", harness_scratch());
    snprintf(oracle, sizeof oracle, "%s/llama_oracle", scratch);
    const char *const build[] = {"sh", script, scratch, NULL};
    if (!run_program(build)) return harness_skip("the libllama oracle cannot be built here");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK(compare_libllama(names[i], oracle, backends) == TEST_PASS);
    return TEST_PASS;
}

// A GGUF file of metadata and one embedding matrix. `change` writes one key more (or again).
struct gguf_case {
    const char *key; // left out of the usual keys
    int value;       // written instead if >= 0
    const char *says;
};

static enum status read_gguf_case(const struct gguf_case *c, const char *architecture,
                                  struct model_config *config, struct error *err) {
    static const struct {
        const char *key;
        uint32_t value;
    } usual[] = {{"llama.block_count", 2},
                 {"llama.context_length", 64},
                 {"llama.embedding_length", 32},
                 {"llama.feed_forward_length", 64},
                 {"llama.attention.head_count", 4},
                 {"llama.attention.head_count_kv", 2},
                 {"llama.vocab_size", 8}};
    char path[1024];
    snprintf(path, sizeof path, "%s/case%d.gguf", harness_scratch(), n_directories++);
    struct gguf_writer *writer;
    TRY(gguf_writer_create(&writer, path, err));
    gguf_writer_text(writer, "general.architecture", architecture);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (!c->key || strcmp(c->key, usual[i].key) != 0)
            gguf_writer_u32(writer, usual[i].key, usual[i].value);
    if (c->key && c->value >= 0) gguf_writer_u32(writer, c->key, (uint32_t)c->value);
    uint64_t dims[2] = {32, 8};
    float zeros[32 * 8] = {0};
    TRY(gguf_writer_declare(writer, "token_embd.weight", DTYPE_F32, 2, dims, err));
    TRY(gguf_writer_begin_data(writer, err));
    TRY(gguf_writer_data(writer, zeros, sizeof zeros, err));
    TRY(gguf_writer_end_tensor(writer, err));
    TRY(gguf_writer_commit(writer, err));
    struct checkpoint *checkpoint;
    TRY(checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, err));
    enum status status = model_config_read(config, checkpoint, NULL, err);
    checkpoint_close(checkpoint);
    return status;
}

static enum test_result gguf_refused(void) {
    static const struct gguf_case cases[] = {
        {"llama.block_count", -1, "llama.block_count is missing"},
        {"llama.block_count", 0, "llama.block_count"},
        {"llama.block_count", 100000, "block_count is 100000"},
        {"llama.attention.head_count", 0, "head_count"},
        {"llama.attention.head_count", 33, "key_length"},
        {"llama.attention.head_count_kv", 3, "key-value heads"},
        {"llama.attention.key_length", 1 << 20, "head dimension"},
        {"llama.attention.value_length", 16, "keys of 8"},
        {"llama.rope.dimension_count", 10, "rotary dimension 10"},
        {"llama.vocab_size", 9, "vocab_size is 9"},
        {"llama.expert_count", 8, "experts"},
        {"llama.embedding_length", -1, "embedding_length"},
    };
    struct model_config config;
    struct error err = {0};
    struct gguf_case none = {NULL, -1, ""};
    CHECK_MESSAGE(read_gguf_case(&none, "llama", &config, &err) == STATUS_OK, "%s", err.message);
    CHECK(config.n_vocab == 8 && config.head_dim == 8 && !config.rope_halves);
    CHECK(config.tied_embeddings && config.rope_base == 10000.0f);
    CHECK(read_gguf_case(&none, "bloom", &config, &err) == STATUS_UNSUPPORTED);
    CHECK(strstr(err.message, "bloom") && strstr(err.message, "gemma3"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err.message[0] = '\0';
        enum status status = read_gguf_case(&cases[i], "llama", &config, &err);
        CHECK_MESSAGE((status == STATUS_BAD_INPUT || status == STATUS_UNSUPPORTED) &&
                          strstr(err.message, cases[i].says),
                      "%s = %d: status %s: %s", cases[i].key, cases[i].value, status_name(status),
                      err.message);
    }
    return TEST_PASS;
}

static const struct test tests[] = {
    {"defaults", "what families assume where config.json is silent", defaults},
    {"rope_spellings", "rotary scaling in its old and new spelling", rope_spellings},
    {"refused", "hostile configurations are refused, naming the field", refused},
    {"contradictions", "configurations that contradict the weights are refused", contradictions},
    {"unused_weights", "a weight that the family would not use is refused", unused_weights},
    {"gguf_round_trip", "every family written as GGUF gives the same logits", gguf_round_trip},
    {"libllama_reads", "libllama runs what we write as GGUF, with the same logits", libllama_reads},
    {"gguf_refused", "hostile GGUF metadata is refused, naming the key", gguf_refused},
};

int main(int argc, char **argv) {
    return harness_main("model_config", tests, sizeof tests / sizeof tests[0], argc, argv);
}
