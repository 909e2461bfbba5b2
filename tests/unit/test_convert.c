// SPDX-License-Identifier: Apache-2.0
// xl_convert: golden models survive the way to GGUF, every type, what is copied and what is
// refused, names, and that nothing but a complete file ever appears.
#include "engine/convert_name.h"
#include "format/checkpoint.h"
#include "format/gguf_writer.h"
#include "harness.h"
#include "model/model.h"
#include "numeric/blocks.h"
#include "quantize/recipe.h"
#include "xinglin/xinglin.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// A llama whose rows divide into super-blocks.
enum { N_EMBD = 256, N_FF = 512, N_LAYERS = 2, N_VOCAB = 24, N_KV = 128 };

enum damage { UNDAMAGED, WITH_NAN, WITH_INFINITY, WITH_LARGE };

static char directory[512]; // where the current test writes; empty at its start

static const char *make_directory(const char *name) {
    snprintf(directory, sizeof directory, "%s/%s", harness_scratch(), name);
    mkdir(directory, 0700);
    return directory;
}

static int count_files(const char *path) {
    int n = 0;
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    if (dir) closedir(dir);
    return n;
}

static float value_at(uint64_t i) {
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return (float)((double)(z >> 11) * 0x1p-53 - 0.5) * 0.1f;
}

static const struct source_tensor {
    const char *name;
    uint64_t n_columns, n_rows; // n_rows 0: a vector
} layer_tensors[] = {
    {"attn_norm.weight", N_EMBD, 0},        {"attn_q.weight", N_EMBD, N_EMBD},
    {"attn_k.weight", N_EMBD, N_KV},        {"attn_v.weight", N_EMBD, N_KV},
    {"attn_output.weight", N_EMBD, N_EMBD}, {"ffn_norm.weight", N_EMBD, 0},
    {"ffn_gate.weight", N_EMBD, N_FF},      {"ffn_up.weight", N_EMBD, N_FF},
    {"ffn_down.weight", N_FF, N_EMBD},
};
enum { N_LAYER_TENSORS = sizeof layer_tensors / sizeof *layer_tensors };
static const struct source_tensor global_tensors[] = {
    {"token_embd.weight", N_EMBD, N_VOCAB},
    {"output_norm.weight", N_EMBD, 0},
    {"output.weight", N_EMBD, N_VOCAB},
};

static void name_tensor(int index, struct source_tensor *tensor, char *name, size_t name_size) {
    int layer = index / N_LAYER_TENSORS;
    if (layer < N_LAYERS) {
        *tensor = layer_tensors[index % N_LAYER_TENSORS];
        snprintf(name, name_size, "blk.%d.%s", layer, tensor->name);
    } else {
        *tensor = global_tensors[index - N_LAYERS * N_LAYER_TENSORS];
        snprintf(name, name_size, "%s", tensor->name);
    }
}
enum { N_TENSORS = N_LAYERS * N_LAYER_TENSORS + 3 };

static void write_metadata(struct gguf_writer *writer) {
    gguf_writer_text(writer, "general.architecture", "llama");
    gguf_writer_text(writer, "general.name", "Small");
    gguf_writer_u32(writer, "general.file_type", 0);
    gguf_writer_text(writer, "general.license", "apache-2.0");
    gguf_writer_u32(writer, "llama.block_count", N_LAYERS);
    gguf_writer_u32(writer, "llama.context_length", 128);
    gguf_writer_u32(writer, "llama.embedding_length", N_EMBD);
    gguf_writer_u32(writer, "llama.feed_forward_length", N_FF);
    gguf_writer_u32(writer, "llama.attention.head_count", 8);
    gguf_writer_u32(writer, "llama.attention.head_count_kv", 4);
    gguf_writer_u32(writer, "llama.rope.dimension_count", N_EMBD / 8);
    gguf_writer_u32(writer, "llama.vocab_size", N_VOCAB);
    gguf_writer_f32(writer, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_writer_f32(writer, "llama.rope.freq_base", 10000);
    gguf_writer_text(writer, "tokenizer.ggml.model", "none");
}

static bool write_tensors(struct gguf_writer *writer, enum damage damage) {
    static float values[N_FF * N_EMBD];
    struct error err;
    for (int i = 0; i < N_TENSORS; i++) {
        struct source_tensor tensor;
        char name[64];
        name_tensor(i, &tensor, name, sizeof name);
        uint64_t n = tensor.n_columns * (tensor.n_rows ? tensor.n_rows : 1);
        for (uint64_t e = 0; e < n; e++)
            values[e] = value_at(e + 1000003 * (uint64_t)i) + (tensor.n_rows ? 0 : 1);
        if (strcmp(name, "blk.1.ffn_up.weight") == 0 && damage != UNDAMAGED)
            values[3 * N_EMBD + 17] = damage == WITH_NAN        ? NAN
                                      : damage == WITH_INFINITY ? -INFINITY
                                                                : 7e4f;
        if (gguf_writer_data(writer, values, (size_t)n * sizeof *values, &err) != STATUS_OK ||
            gguf_writer_end_tensor(writer, &err) != STATUS_OK)
            return false;
    }
    return true;
}

static bool make_source(char *path, size_t path_size, enum damage damage) {
    struct gguf_writer *writer;
    struct error err;
    snprintf(path, path_size, "%s/small-%d.F32.gguf", harness_scratch(), (int)damage);
    if (access(path, R_OK) == 0) return true;
    if (gguf_writer_create(&writer, path, &err) != STATUS_OK) return false;
    write_metadata(writer);
    bool ok = true;
    for (int i = 0; i < N_TENSORS && ok; i++) {
        struct source_tensor tensor;
        char name[64];
        name_tensor(i, &tensor, name, sizeof name);
        uint64_t dims[2] = {tensor.n_columns, tensor.n_rows};
        ok = gguf_writer_declare(writer, name, DTYPE_F32, tensor.n_rows ? 2 : 1, dims, &err) ==
             STATUS_OK;
    }
    ok = ok && gguf_writer_begin_data(writer, &err) == STATUS_OK && write_tensors(writer, damage);
    if (ok) return gguf_writer_commit(writer, &err) == STATUS_OK;
    gguf_writer_abort(writer);
    return false;
}

static xl_status convert_to(const char *model, const char *type, char **path, xl_error *error) {
    xl_convert_options options = xl_convert_options_default();
    options.type = type;
    options.out_dir = directory;
    options.tokenizer = strstr(model, ".gguf") ? NULL : "none";
    error->message[0] = '\0';
    return xl_convert(model, &options, path, error);
}

// ---- Types --------------------------------------------------------------------------------------

// Every tensor has the recipe's type and values near the source's.
static enum test_result check_converted(const char *path, const struct recipe *recipe) {
    struct gguf *gguf;
    struct error err;
    uint64_t number;
    struct gguf_string text;
    static float values[N_FF * N_EMBD];
    CHECK_MESSAGE(gguf_open(&gguf, path, &err) == STATUS_OK, "%s", err.message);
    CHECK(gguf_get_u64(gguf, "general.file_type", &number) && number == recipe->file_type);
    CHECK(gguf_get_u64(gguf, "general.quantization_version", &number) && number == 2);
    CHECK(gguf_get_string(gguf, "general.license", &text) && text.size_bytes == 10);
    CHECK(gguf_n_tensors(gguf) == N_TENSORS);
    for (int i = 0; i < N_TENSORS; i++) {
        struct source_tensor tensor;
        char name[64];
        name_tensor(i, &tensor, name, sizeof name);
        const struct gguf_tensor *written = gguf_tensor_at(gguf, (size_t)i);
        struct recipe_tensor wanted = {.name = name,
                                       .is_matrix = tensor.n_rows > 0,
                                       .layer = i / N_LAYER_TENSORS < N_LAYERS ? i / N_LAYER_TENSORS
                                                                               : -1,
                                       .n_layers = N_LAYERS,
                                       .n_columns = tensor.n_columns};
        CHECK(strcmp(written->name, name) == 0 && written->dims[0] == tensor.n_columns);
        CHECK_MESSAGE(written->dtype == recipe_choose(recipe, &wanted), "%s", name);
        CHECK(dequantize_row(written->dtype, written->data, values, written->n_elements));
        float most = written->dtype == DTYPE_F32 ? 0 : 0.009f;
        for (uint64_t e = 0; e < written->n_elements; e++) {
            float expected = value_at(e + 1000003 * (uint64_t)i) + (tensor.n_rows ? 0 : 1);
            CHECK_MESSAGE(fabsf(values[e] - expected) <= most, "%s[%llu]: %g for %g", name,
                          (unsigned long long)e, (double)values[e], (double)expected);
        }
    }
    gguf_close(gguf);
    return TEST_PASS;
}

static enum test_result run_types(void) {
    char source[1024];
    make_directory("types");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    for (const char *const *type = xl_convert_types(); *type; type++) {
        char *path, expected[600];
        xl_error error;
        CHECK_MESSAGE(convert_to(source, *type, &path, &error) == XL_OK, "%s: %s", *type,
                      error.message);
        snprintf(expected, sizeof expected, "%s/small-0-%s.gguf", directory, *type);
        CHECK_MESSAGE(strcmp(path, expected) == 0, "%s", path);
        if (check_converted(path, recipe_find(*type)) != TEST_PASS) return TEST_FAIL;
        remove(path);
        xl_free(path);
    }
    CHECK(count_files(directory) == 0);
    return TEST_PASS;
}

static enum dtype written_type(const char *path, const char *tensor) {
    struct gguf *gguf;
    struct error err;
    enum dtype dtype = DTYPE_F64;
    if (gguf_open(&gguf, path, &err) != STATUS_OK) return dtype;
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++)
        if (strcmp(gguf_tensor_at(gguf, i)->name, tensor) == 0)
            dtype = gguf_tensor_at(gguf, i)->dtype;
    gguf_close(gguf);
    return dtype;
}

// Names are whole parts of tensors' names, and one that names nothing is a mistake.
static enum test_result run_keep(void) {
    static const char *const keep[] = {"attn_q", "blk.1.ffn_up", "output"};
    static const char *const wrong[] = {"attn_q", "attn", "q.weight", "ffn_u", ""};
    char source[1024], *path;
    xl_error error;
    make_directory("keep");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    xl_convert_options options = xl_convert_options_default();
    options.type = "sym_int4";
    options.out_dir = directory;
    options.keep = keep;
    options.n_keep = sizeof keep / sizeof *keep;
    CHECK_MESSAGE(xl_convert(source, &options, &path, &error) == XL_OK, "%s", error.message);
    CHECK(written_type(path, "blk.0.attn_q.weight") == DTYPE_F32);
    CHECK(written_type(path, "blk.1.attn_q.weight") == DTYPE_F32);
    CHECK(written_type(path, "blk.1.ffn_up.weight") == DTYPE_F32);
    CHECK(written_type(path, "output.weight") == DTYPE_F32);
    CHECK(written_type(path, "blk.0.ffn_up.weight") == DTYPE_Q4_0);
    CHECK(written_type(path, "blk.0.attn_k.weight") == DTYPE_Q4_0);
    remove(path);
    xl_free(path);
    options.n_keep = 1;
    for (size_t i = 1; i < sizeof wrong / sizeof *wrong; i++) {
        options.keep = &wrong[i];
        CHECK(xl_convert(source, &options, &path, &error) == XL_USAGE);
        CHECK_MESSAGE(strstr(error.message, wrong[i]), "%s", error.message);
    }
    CHECK(count_files(directory) == 0);
    return TEST_PASS;
}

static uint8_t *read_file(const char *path, size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    struct stat info;
    uint8_t *data = NULL;
    *size_bytes = 0;
    if (file && fstat(fileno(file), &info) == 0 && info.st_size > 0)
        data = malloc((size_t)info.st_size);
    if (data) *size_bytes = fread(data, 1, (size_t)info.st_size, file);
    if (file) fclose(file);
    return data;
}

static bool same_files(const char *a, const char *b) {
    size_t a_bytes, b_bytes;
    uint8_t *one = read_file(a, &a_bytes), *other = read_file(b, &b_bytes);
    bool same = one && other && a_bytes == b_bytes && memcmp(one, other, a_bytes) == 0;
    free(one);
    free(other);
    return same;
}

// One thread or three, from the source or from a file that has the type already: the same bytes.
static enum test_result run_same_bytes(void) {
    char source[1024], first[512], *path, *again;
    xl_error error;
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    xl_convert_options options = xl_convert_options_default();
    options.type = "Q4_K_M";
    options.threads = 1;
    options.out_dir = make_directory("one-thread");
    CHECK(xl_convert(source, &options, &path, &error) == XL_OK);
    snprintf(first, sizeof first, "%s", path);
    xl_free(path);
    options.threads = 3;
    options.out_dir = make_directory("three-threads");
    CHECK(xl_convert(source, &options, &path, &error) == XL_OK);
    CHECK(same_files(first, path));
    options.out_dir = make_directory("again");
    CHECK(xl_convert(path, &options, &again, &error) == XL_OK);
    CHECK(same_files(first, again));
    xl_free(path);
    CHECK(xl_convert(again, &options, &path, &error) == XL_USAGE); // over its own source
    CHECK(path == NULL && same_files(first, again));
    xl_free(again);
    return TEST_PASS;
}

// ---- Golden models ------------------------------------------------------------------------------

static double run_model(const char *path, const int32_t *tokens, int n_tokens,
                        const float *logits) {
    struct checkpoint *checkpoint = NULL;
    struct model *model = NULL;
    struct forward_workspace *workspace = NULL;
    struct thread_pool *pool = NULL;
    struct kv_cache cache = {0};
    struct kernels kernels;
    struct error err = {0};
    double worst = INFINITY;
    float *ours = NULL;
    if (checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err) != STATUS_OK ||
        model_open(&model, checkpoint, NULL, &err) != STATUS_OK ||
        thread_pool_create(&pool, 1, &err) != STATUS_OK)
        goto end;
    kernels_select(&kernels, ISA_SCALAR);
    const struct model_config *config = model_configuration(model);
    if (forward_workspace_create(&workspace, model, &kernels, pool, n_tokens, n_tokens, &err) !=
            STATUS_OK ||
        kv_cache_init(&cache, DTYPE_F32, config->n_layers, config->n_kv_heads, config->head_dim,
                      n_tokens, &err) != STATUS_OK)
        goto end;
    size_t n = (size_t)n_tokens * (size_t)config->n_vocab;
    ours = malloc(n * sizeof *ours);
    if (!ours ||
        model_forward(model, &cache, workspace, tokens, n_tokens, true, ours, &err) != STATUS_OK)
        goto end;
    float largest = 0;
    worst = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(logits[i]));
        worst = fmax(worst, fabs((double)ours[i] - logits[i]));
    }
    worst /= largest;
end:
    if (err.message[0]) printf("    %s\n", err.message);
    free(ours);
    kv_cache_deinit(&cache);
    forward_workspace_destroy(workspace);
    thread_pool_destroy(pool);
    model_close(model);
    checkpoint_close(checkpoint);
    return worst;
}

static enum test_result check_golden(const char *name) {
    char model[1024], relative[256], file[1100], *path;
    xl_error error;
    snprintf(relative, sizeof relative, "tests/golden/models/%s", name);
    CHECK(harness_repo_path(relative, model, sizeof model));
    CHECK_MESSAGE(convert_to(model, "fp32", &path, &error) == XL_OK, "%s: %s", name, error.message);
    size_t token_bytes, logit_bytes;
    snprintf(file, sizeof file, "%s/tokens.bin", model);
    int32_t *tokens = (int32_t *)read_file(file, &token_bytes);
    snprintf(file, sizeof file, "%s/logits.bin", model);
    float *logits = (float *)read_file(file, &logit_bytes);
    CHECK(tokens && logits);
    double worst = run_model(path, tokens, (int)(token_bytes / sizeof *tokens), logits);
    CHECK_MESSAGE(worst < 1e-4, "%s: logits differ by %g of the largest", name, worst);
    remove(path);
    xl_free(path);
    free(tokens);
    free(logits);
    return TEST_PASS;
}

static enum test_result run_golden(void) {
    static const char *const names[] = {"llama",
                                        "llama-tied-odd",
                                        "llama-llama3",
                                        "llama-yarn",
                                        "llama-bias",
                                        "llama-bf16",
                                        "llama-linear",
                                        "mistral",
                                        "mistral-window",
                                        "qwen2",
                                        "qwen3",
                                        "gemma3",
                                        "gemma3-global-linear"};
    make_directory("golden");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (check_golden(names[i]) != TEST_PASS) return TEST_FAIL;
    CHECK(count_files(directory) == 0);
    return TEST_PASS;
}

// ---- Refusals -----------------------------------------------------------------------------------

static enum test_result run_bad_values(void) {
    static const struct {
        enum damage damage;
        const char *type, *message;
    } cases[] = {
        {WITH_NAN, "q4_0", "NaN"},       {WITH_NAN, "fp32", "NaN"},
        {WITH_INFINITY, "q6_k", "NaN"},  {WITH_LARGE, "fp16", "ends at 65504"},
        {WITH_LARGE, "q4_1", "ends at"},
    };
    make_directory("bad-values");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char source[1024], *path;
        xl_error error;
        CHECK(make_source(source, sizeof source, cases[i].damage));
        CHECK(convert_to(source, cases[i].type, &path, &error) == XL_BAD_INPUT);
        CHECK(path == NULL && count_files(directory) == 0);
        CHECK_MESSAGE(strstr(error.message, cases[i].message) &&
                          strstr(error.message, "'blk.1.ffn_up.weight', row 3"),
                      "%s", error.message);
    }
    char source[1024], *path;
    xl_error error;
    CHECK(make_source(source, sizeof source, WITH_LARGE));
    CHECK(convert_to(source, "bf16", &path, &error) == XL_OK);
    xl_free(path);
    return TEST_PASS;
}

static enum test_result run_usage(void) {
    char source[1024], *path;
    xl_error error;
    make_directory("usage");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    CHECK(convert_to(source, "int3", &path, &error) == XL_USAGE && strstr(error.message, "q4_k_m"));
    CHECK(convert_to("/nonexistent.gguf", "q4_0", &path, &error) == XL_NOT_FOUND);
    CHECK(xl_convert(NULL, NULL, &path, &error) == XL_USAGE);
    CHECK(xl_convert(source, NULL, NULL, NULL) == XL_USAGE);
    xl_convert_options options = xl_convert_options_default();
    options.out_dir = "/nonexistent";
    CHECK(xl_convert(source, &options, &path, &error) == XL_NOT_FOUND);
    CHECK(strstr(error.message, "/nonexistent"));
    options.out_dir = directory;
    options.format = "onnx";
    CHECK(xl_convert(source, &options, &path, &error) == XL_USAGE && strstr(error.message, "onnx"));
    options.format = "gguf";
    options.family = "qwen2";
    CHECK(xl_convert(source, &options, &path, &error) == XL_USAGE);
    CHECK(strstr(error.message, "llama"));
    options.family = "llama";
    options.tokenizer = "/nonexistent";
    CHECK(xl_convert(source, &options, &path, &error) == XL_NOT_FOUND);
    options.tokenizer = NULL;
    options.size = 3;
    CHECK(xl_convert(source, &options, &path, &error) == XL_USAGE);
    CHECK(count_files(directory) == 0);
    return TEST_PASS;
}

// ---- Whole or not at all ------------------------------------------------------------------------

struct watch {
    double last;
    int n_calls, stop_after; // 0: never
    bool in_order, dies;
};

static int watch_progress(void *user, double done, const char *tensor) {
    struct watch *watch = user;
    watch->in_order = watch->in_order && done >= watch->last && done <= 1 && tensor;
    watch->last = done;
    watch->n_calls++;
    if (watch->n_calls != watch->stop_after) return 0;
    if (watch->dies) raise(SIGKILL);
    return 1;
}

static xl_status convert_watched(const char *source, struct watch *watch, xl_error *error) {
    char *path;
    xl_convert_options options = xl_convert_options_default();
    options.out_dir = directory;
    options.type = "bf16";
    options.on_progress = watch_progress;
    options.user = watch;
    xl_status status = xl_convert(source, &options, &path, error);
    xl_free(path);
    return status;
}

static enum test_result run_progress(void) {
    char source[1024];
    xl_error error;
    make_directory("progress");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    struct watch watch = {.in_order = true};
    CHECK(convert_watched(source, &watch, &error) == XL_OK);
    CHECK(watch.in_order && watch.last == 1 && watch.n_calls > N_TENSORS);
    CHECK(count_files(directory) == 1);
    make_directory("cancelled");
    for (int stop_after = 1; stop_after <= watch.n_calls; stop_after += 5) {
        struct watch stopped = {.in_order = true, .stop_after = stop_after};
        CHECK(convert_watched(source, &stopped, &error) == XL_CANCELLED);
        CHECK(stopped.n_calls == stop_after && count_files(directory) == 0);
    }
    return TEST_PASS;
}

// Runs the conversion in a child that may die or has a limit on file size; its exit status, or
// minus the signal.
static int convert_in_child(const char *source, int die_after, rlim_t file_bytes_max) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct watch watch = {.in_order = true, .stop_after = die_after, .dies = true};
        struct rlimit limit = {file_bytes_max, file_bytes_max};
        xl_error error;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit((int)convert_watched(source, &watch, &error));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1000;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static enum test_result run_killed(void) {
    char source[1024];
    make_directory("killed");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    for (int die_after = 1; die_after < N_TENSORS; die_after += 4) {
        CHECK(convert_in_child(source, die_after, RLIM_INFINITY) == -SIGKILL);
        CHECK(count_files(directory) == 0);
    }
    return TEST_PASS;
}

static enum test_result run_disk_full(void) {
    char source[1024];
    make_directory("full");
    CHECK(make_source(source, sizeof source, UNDAMAGED));
    for (rlim_t limit = 0; limit < 1 << 20; limit = limit * 5 + 4000) {
        CHECK(convert_in_child(source, 0, limit) == XL_NO_SPACE);
        CHECK(count_files(directory) == 0);
    }
    CHECK(convert_in_child(source, 0, 1 << 30) == XL_OK && count_files(directory) == 1);
    return TEST_PASS;
}

static enum test_result run_names(void) {
    static const struct {
        const char *model, *expected;
    } cases[] = {
        {"n/Qwen2.5-7B-Instruct/", "out/Qwen2.5-7B-Instruct-q4_0.gguf"},
        {"n/Qwen2.5-7B-Instruct/model.safetensors", "out/Qwen2.5-7B-Instruct-q4_0.gguf"},
        {"n/Qwen2.5-7B-Instruct/pytorch_model-00001-of-00002.bin",
         "out/Qwen2.5-7B-Instruct-q4_0.gguf"},
        {"n/Qwen2.5-7B-Instruct/consolidated.00.pth", "out/Qwen2.5-7B-Instruct-q4_0.gguf"},
        {"n/a.Q4_K_M.gguf", "out/a-q4_0.gguf"},
        {"n/a-f16.gguf", "out/a-q4_0.gguf"},
        {"n/a-7b-00001-of-00003.gguf", "out/a-7b-q4_0.gguf"},
        {"n/a-7b", "out/a-7b-q4_0.gguf"},
    };
    char base[600], model[1200], work[1024];
    CHECK(getcwd(work, sizeof work) && chdir(make_directory("names")) == 0);
    mkdir("n", 0700);
    mkdir("n/Qwen2.5-7B-Instruct", 0700);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path;
        struct error err;
        FILE *file = fopen(cases[i].model, "a"); // fails for the directory
        if (file) fclose(file);
        CHECK(convert_output_path(&path, cases[i].model, "Q4_0", "out", &err) == STATUS_OK);
        CHECK_MESSAGE(strcmp(path, cases[i].expected) == 0, "%s", path);
        free(path);
    }
    CHECK(chdir("n/Qwen2.5-7B-Instruct") == 0);
    snprintf(base, sizeof base, ".");
    snprintf(model, sizeof model, "/Qwen2.5-7B-Instruct-sym_int4.gguf");
    char *path;
    struct error err;
    CHECK(convert_output_path(&path, base, "sym_int4", "/", &err) == STATUS_OK);
    CHECK(strcmp(path, model) == 0);
    free(path);
    CHECK(convert_output_path(&path, "absent", "q4_0", "out", &err) == STATUS_NOT_FOUND);
    CHECK(chdir(work) == 0);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"types", "every type from a float32 GGUF, near the source", run_types},
        {"keep", "modules that are not quantized", run_keep},
        {"same_bytes", "threads and a second conversion change nothing", run_same_bytes},
        {"golden", "Hugging Face models keep their logits on the way to GGUF", run_golden},
        {"bad_values", "NaN, infinity and values out of range are refused", run_bad_values},
        {"usage", "what makes no sense is refused in one line", run_usage},
        {"progress", "progress rises to 1; cancelling leaves nothing", run_progress},
        {"killed", "SIGKILL at any tensor leaves nothing", run_killed},
        {"disk_full", "a full disk leaves nothing", run_disk_full},
        {"names", "names of output files", run_names},
    };
    return harness_main("convert", tests, sizeof tests / sizeof *tests, argc, argv);
}
