// SPDX-License-Identifier: Apache-2.0
// Opening and describing an engine: files, weights, tokenizer, kernels and threads put together.
#include "engine/engine.h"

#include "base/clock.h"
#include "base/cpu_budget.h"
#include "engine/grammar.h"
#include "engine/vocabulary_source.h"
#include "model/family.h"
#include "model/packed_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    CONTEXT_DEFAULT = 4096,
    CONTEXT_MAX = 1 << 22,
    CHUNK_DEFAULT = 512,
    CHUNK_MAX = 4096,
    THREADS_MAX = 512,
    CACHE_MIN_BYTES = 64 << 20 // smaller models are packed in no time
};

xl_engine_options xl_engine_options_default(void) {
    return (xl_engine_options){.size = sizeof(xl_engine_options)};
}

static enum status read_options(xl_engine_options *own, const xl_engine_options *given,
                                struct error *err) {
    *own = xl_engine_options_default();
    if (!given) return STATUS_OK;
    if (given->size < sizeof given->size || given->size > sizeof *own)
        return error_set(err, STATUS_USAGE,
                         "xl_engine_options of %zu bytes; this library knows %zu", given->size,
                         sizeof *own);
    memcpy(own, given, given->size);
    own->size = sizeof *own;
    int threads[] = {own->threads, own->threads_batch};
    for (int i = 0; i < 2; i++)
        if (threads[i] < 0 || threads[i] > THREADS_MAX)
            return error_set(err, STATUS_USAGE, "%d threads; allowed are 1 to %d, 0 for automatic",
                             threads[i], THREADS_MAX);
    if (own->context < 0 || own->context > CONTEXT_MAX)
        return error_set(err, STATUS_USAGE, "a context of %d tokens; allowed are 1 to %d",
                         own->context, CONTEXT_MAX);
    if (own->chunk < 0 || own->chunk > CHUNK_MAX)
        return error_set(err, STATUS_USAGE, "chunks of %d tokens; allowed are 1 to %d", own->chunk,
                         CHUNK_MAX);
    if (own->kv_type < XL_KV_AUTO || own->kv_type > XL_KV_I8)
        return error_set(err, STATUS_USAGE, "unknown KV type %d", (int)own->kv_type);
    return STATUS_OK;
}

static enum status select_kernels(struct kernels *kernels, const char *name, struct error *err) {
    enum isa isa = isa_best();
    const char *source = "isa";
    if (!name) {
        name = getenv("XINGLIN_ISA");
        source = "XINGLIN_ISA";
    }
    if (name && name[0] && strcmp(name, "auto") != 0) {
        if (!isa_from_name(name, &isa))
            return error_set(err, STATUS_USAGE,
                             "%s: no kernel level \"%.32s\"; there are scalar, avx2, avx512, amx",
                             source, name);
        if (!isa_available(isa))
            return error_set(err, STATUS_UNSUPPORTED,
                             "%s: this machine or build has no %s kernels; the best it has is %s "
                             "(xinglin inspect --cpu says why)",
                             source, isa_name(isa), isa_name(isa_best()));
    }
    kernels_select(kernels, isa);
    return STATUS_OK;
}

// Threads beyond what the machine can run at once would only wait for each other.
static int choose_threads(const struct cpu_budget *budget, int wanted, int usual) {
    int n = wanted > 0 ? wanted : usual;
    return n < budget->n_at_once ? n : budget->n_at_once;
}

// One pool for prompts and for next tokens, as large as the larger wish.
static enum status create_pool(struct xl_engine *engine, const xl_engine_options *options,
                               struct error *err) {
    struct cpu_budget budget;
    struct topology topology;
    cpu_budget_read(&budget);
    int usual = budget.n_threads < THREADS_MAX ? budget.n_threads : THREADS_MAX;
    engine->n_threads = choose_threads(&budget, options->threads, usual);
    engine->n_threads_batch = choose_threads(&budget, options->threads_batch, engine->n_threads);
    int n =
        engine->n_threads > engine->n_threads_batch ? engine->n_threads : engine->n_threads_batch;
    TRY(topology_read(&topology, err));
    struct thread_pool_options pool_options = {n, budget.n_at_once, &topology};
    enum status status = thread_pool_create_placed(&engine->pool, &pool_options, err);
    topology_deinit(&topology);
    return status;
}

static bool names_a_file(const struct xl_engine *engine, const struct error *err) {
    const struct hf_config *hf = engine->files;
    if (engine->checkpoint) hf = checkpoint_hf(engine->checkpoint);
    return strstr(err->message, engine_path(engine)) ||
           (hf && hf->directory && strstr(err->message, hf->directory));
}

// A model may choose every row of its embedding; those beyond the tokenizer's tokens show as
// nothing.
static enum status create_tokenizer(struct xl_engine *engine, struct error *err) {
    struct vocabulary vocabulary;
    TRY(engine->checkpoint ? vocabulary_from_checkpoint(&vocabulary, engine->checkpoint, err)
                           : vocabulary_from_hugging_face(&vocabulary, engine->files, err));
    enum status status = STATUS_OK;
    if (engine->model)
        status = vocabulary_pad(&vocabulary, model_configuration(engine->model)->n_vocab, err);
    if (status == STATUS_OK) return tokenizer_create(&engine->tokenizer, &vocabulary, err);
    vocabulary_deinit(&vocabulary);
    return status;
}

// A model without a tokenizer can still be fed token ids.
static enum status open_tokenizer(struct xl_engine *engine, bool is_required, struct error *err) {
    enum status status = create_tokenizer(engine, err);
    if (status == STATUS_NOT_FOUND && !is_required) return STATUS_OK;
    if (status == STATUS_OK || names_a_file(engine, err)) return status;
    return error_prefix(err, "%s", engine_path(engine)); // tokenizers know no file
}

static bool is_directory(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

// A directory's tokenizer files are enough; anything else must be a checkpoint, of which only the
// headers are read.
static enum status open_without_weights(struct xl_engine *engine, const char *path,
                                        struct error *err) {
    if (is_directory(path)) {
        TRY(hf_config_open(&engine->files, path, err));
        enum status status = open_tokenizer(engine, true, err);
        if (status != STATUS_NOT_FOUND) return status;
        hf_config_close(engine->files);
        engine->files = NULL;
    }
    TRY(checkpoint_open(&engine->checkpoint, path, CHECKPOINT_AUTO, err));
    return open_tokenizer(engine, true, err);
}

// Where the CPU multiplies bf16, long prompts are read a third faster from a bf16 cache, for 0.06 %
// of perplexity; elsewhere f16 is as fast and closer. A float model keeps what it came with.
static enum dtype choose_kv_dtype(xl_kv_type wanted, const struct kernels *kernels,
                                  const struct model *model) {
    enum dtype weights = model_main_dtype(model);
    if (wanted == XL_KV_F32) return DTYPE_F32;
    if (wanted == XL_KV_F16) return DTYPE_F16;
    if (wanted == XL_KV_BF16) return DTYPE_BF16;
    if (wanted == XL_KV_I8) return DTYPE_I8;
    if (weights == DTYPE_F32 || weights == DTYPE_F16) return weights;
    return kernels->matmul[DTYPE_BF16].act == ACT_BF16 ? DTYPE_BF16 : DTYPE_F16;
}

static void describe_weights(struct xl_engine *engine) {
    static const char *const texts[] = {
        [WEIGHTS_PACKED] = "packed from the checkpoint",
        [WEIGHTS_KEPT] = "packed from the checkpoint and kept in the cache",
        [WEIGHTS_MAPPED] = "mapped from the cache",
        [WEIGHTS_COPIED] = "read from the cache",
    };
    double seconds;
    enum weights_origin origin = model_weights_origin(engine->model, &seconds);
    snprintf(engine->weights_from, sizeof engine->weights_from, "%s in %.2f s", texts[origin],
             seconds);
}

static enum status open_model(struct xl_engine *engine, const char *family, struct error *err) {
    char directory[PATH_MAX];
    bool has_cache = packed_file_directory(directory, sizeof directory);
    struct cpu_budget budget;
    cpu_budget_read(&budget);
    struct model_load load = {
        .family = family,
        .pool = engine->pool,
        .cache_directory = has_cache ? directory : NULL,
        .cache_min_bytes = CACHE_MIN_BYTES,
        .copy_cached = budget.n_nodes > 1, // nobody knows in which memory a file's pages lie
    };
    TRY(model_open(&engine->model, engine->checkpoint, &load, err));
    describe_weights(engine);
    return STATUS_OK;
}

static enum status open_parts(struct xl_engine *engine, const char *path,
                              const xl_engine_options *options, struct error *err) {
    TRY(select_kernels(&engine->kernels, options->isa, err));
    if (options->tokenizer_only) return open_without_weights(engine, path, err);
    TRY(checkpoint_open(&engine->checkpoint, path, CHECKPOINT_AUTO, err));
    TRY(create_pool(engine, options, err));
    TRY(open_model(engine, options->family, err));
    TRY(open_tokenizer(engine, false, err));
    const struct model_config *config = model_configuration(engine->model);
    int context = config->n_context_train;
    if (context <= 0 || context > CONTEXT_DEFAULT) context = CONTEXT_DEFAULT;
    engine->context = options->context > 0 ? options->context : context;
    engine->chunk = options->chunk > 0 ? options->chunk : CHUNK_DEFAULT;
    if (engine->chunk > engine->context) engine->chunk = engine->context;
    engine->kv_dtype = choose_kv_dtype(options->kv_type, &engine->kernels, engine->model);
    TRY(fair_lock_init(&engine->turn, err));
    engine->has_turn = true;
    return STATUS_OK;
}

xl_status xl_engine_open(const char *path, const xl_engine_options *options, xl_engine **engine,
                         xl_error *error) {
    struct error err = {0};
    xl_engine_options own;
    double start = clock_seconds();
    if (engine) *engine = NULL;
    if (!path || !engine)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no model given"), &err);
    enum status status = read_options(&own, options, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    struct xl_engine *opened = calloc(1, sizeof *opened);
    if (!opened)
        return engine_report(error, error_no_memory(&err, "an engine", sizeof *opened), &err);
    status = open_parts(opened, path, &own, &err);
    opened->load_s = clock_seconds() - start;
    if (status != STATUS_OK)
        xl_engine_close(opened);
    else
        *engine = opened;
    return engine_report(error, status, &err);
}

void xl_engine_close(xl_engine *engine) {
    if (!engine) return;
    grammar_shelf_destroy(engine->grammars);
    thread_pool_destroy(engine->pool);
    if (engine->has_turn) fair_lock_deinit(&engine->turn);
    tokenizer_destroy(engine->tokenizer);
    model_close(engine->model);
    checkpoint_close(engine->checkpoint);
    hf_config_close(engine->files);
    free(engine);
}

const char *engine_path(const struct xl_engine *engine) {
    return engine->checkpoint ? checkpoint_path(engine->checkpoint) : engine->files->directory;
}

enum status engine_require_model(const struct xl_engine *engine, struct error *err) {
    if (engine->model) return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s was opened for its tokenizer only; open it again with its weights",
                     engine_path(engine));
}

static xl_status describe_tokenizer(const xl_engine *engine, xl_engine_info *info) {
    const struct vocabulary *vocabulary = tokenizer_vocabulary(engine->tokenizer);
    size_t size = info->size;
    xl_engine_info own = {
        .size = size,
        .family = "",
        .name = "",
        .weight_type = "",
        .isa = isa_name(engine->kernels.isa),
        .kv_type = "",
        .n_vocab = vocabulary->n_tokens,
        .has_chat_template = vocabulary->chat_template != NULL,
        .load_s = engine->load_s,
        .weights_from = "nowhere: tokenizer only",
    };
    memcpy(info, &own, size);
    return XL_OK;
}

static uint64_t session_kv_bytes(const struct xl_engine *engine) {
    const struct model_config *config = model_configuration(engine->model);
    uint64_t size_bytes;
    return kv_cache_bytes(engine->kv_dtype, config->n_layers, config->n_kv_heads, config->head_dim,
                          engine->context, &size_bytes)
               ? size_bytes
               : UINT64_MAX; // no session can be opened
}

xl_status xl_engine_describe(const xl_engine *engine, xl_engine_info *info) {
    if (!engine || !info || info->size < sizeof info->size || info->size > sizeof *info)
        return XL_USAGE;
    if (!engine->model) return describe_tokenizer(engine, info);
    const struct model_config *config = model_configuration(engine->model);
    size_t size = info->size;
    xl_engine_info own = {
        .size = size,
        .family = config->family->name,
        .name = config->name,
        .weight_type = dtype_info(model_main_dtype(engine->model))->name,
        .isa = isa_name(engine->kernels.isa),
        .kv_type = dtype_info(engine->kv_dtype)->name,
        .weight_bytes = model_weight_bytes(engine->model),
        .kv_bytes = session_kv_bytes(engine),
        .n_vocab = config->n_vocab,
        .n_layers = config->n_layers,
        .n_embd = config->n_embd,
        .context = engine->context,
        .context_train = config->n_context_train,
        .threads = engine->n_threads,
        .has_chat_template =
            engine->tokenizer && tokenizer_vocabulary(engine->tokenizer)->chat_template,
        .load_s = engine->load_s,
        .weights_from = engine->weights_from,
    };
    memcpy(info, &own, size);
    return XL_OK;
}
