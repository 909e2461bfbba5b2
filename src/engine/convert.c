// SPDX-License-Identifier: Apache-2.0
// xl_convert: any checkpoint to one GGUF file. This file decides what goes into it and in which
// order; rows become bytes in convert_stream.c, and what a weight is called is model/'s business.
// Everything that can be refused is refused before the first tensor is read.
#include "engine/engine.h"

#include "base/cpu_budget.h"
#include "engine/convert_name.h"
#include "engine/convert_stream.h"
#include "engine/convert_tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { THREADS_MAX = 512, QUANTIZATION_VERSION = 2 };

// What a conversion owns until it ends.
struct conversion {
    xl_convert_options options;
    const struct recipe *recipe;
    struct checkpoint *checkpoint;
    struct export_plan plan;
    struct thread_pool *pool;
    struct gguf_writer *writer;
    char *path;
};

xl_convert_options xl_convert_options_default(void) {
    return (xl_convert_options){.size = sizeof(xl_convert_options)};
}

const char *const *xl_convert_types(void) {
    return recipe_names();
}

static enum status read_options(struct conversion *conversion, const xl_convert_options *given,
                                struct error *err) {
    xl_convert_options *own = &conversion->options;
    *own = xl_convert_options_default();
    if (given) {
        if (given->size < sizeof given->size || given->size > sizeof *own)
            return error_set(err, STATUS_USAGE,
                             "xl_convert_options of %zu bytes; this library knows %zu", given->size,
                             sizeof *own);
        memcpy(own, given, given->size);
        own->size = sizeof *own;
    }
    if (!own->type || !own->type[0]) own->type = "sym_int4";
    if (!own->out_dir || !own->out_dir[0]) own->out_dir = ".";
    if (own->threads < 0 || own->threads > THREADS_MAX)
        return error_set(err, STATUS_USAGE, "%d threads; allowed are 1 to %d, 0 for automatic",
                         own->threads, THREADS_MAX);
    conversion->recipe = recipe_find(own->type);
    if (conversion->recipe) return STATUS_OK;
    char list[256] = "";
    size_t used = 0;
    for (const char *const *name = recipe_names(); *name; name++) {
        size_t length = strlen(*name);
        if (used + length + 2 >= sizeof list) break;
        memcpy(list + used, *name, length + 1);
        used += length;
        if (name[1]) list[used++] = ' ', list[used] = '\0';
    }
    return error_set(err, STATUS_USAGE, "unknown type \"%.32s\"; there are: %s", own->type, list);
}

static enum status read_format(const char *name, enum checkpoint_format *format,
                               struct error *err) {
    static const struct {
        const char *name;
        enum checkpoint_format format;
    } formats[] = {
        {"auto", CHECKPOINT_AUTO},
        {"gguf", CHECKPOINT_GGUF},
        {"safetensors", CHECKPOINT_SAFETENSORS},
        {"pth", CHECKPOINT_TORCH},
        {"pt", CHECKPOINT_TORCH},
        {"bin", CHECKPOINT_TORCH},
        {"pytorch", CHECKPOINT_TORCH},
    };
    *format = CHECKPOINT_AUTO;
    if (!name || !name[0]) return STATUS_OK;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcasecmp(name, formats[i].name) != 0) continue;
        *format = formats[i].format;
        return STATUS_OK;
    }
    return error_set(err, STATUS_USAGE,
                     "unknown format \"%.32s\"; there are: auto pth safetensors gguf", name);
}

static enum status create_pool(struct conversion *conversion, struct error *err) {
    int n_threads = conversion->options.threads;
    if (n_threads == 0) {
        struct cpu_budget budget;
        cpu_budget_read(&budget);
        n_threads = budget.n_threads;
    }
    return thread_pool_create(&conversion->pool, n_threads, err);
}

static bool is_same_file(const char *a, const char *b) {
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static enum status choose_path(struct conversion *conversion, const char *model,
                               struct error *err) {
    const char *out_dir = conversion->options.out_dir, *tokenizer = conversion->options.tokenizer;
    TRY(convert_output_path(&conversion->path, model, conversion->options.type, out_dir, err));
    struct stat info;
    if (stat(out_dir, &info) != 0)
        return error_set(err, STATUS_NOT_FOUND, "%s: no such directory to write to", out_dir);
    if (!S_ISDIR(info.st_mode))
        return error_set(err, STATUS_USAGE,
                         "%s: is no directory; the result gets a name of its own in a directory",
                         out_dir);
    if (stat(conversion->path, &info) == 0 && S_ISDIR(info.st_mode))
        return error_set(err, STATUS_USAGE, "%s: a directory has the name of the result",
                         conversion->path);
    // The model may have been found in a directory.
    if (is_same_file(conversion->path, checkpoint_path(conversion->checkpoint)) ||
        (tokenizer && is_same_file(conversion->path, tokenizer)))
        return error_set(err, STATUS_USAGE,
                         "%s: would replace its own source; choose another "
                         "output directory",
                         conversion->path);
    return STATUS_OK;
}

static struct convert_keep keep_of(const struct conversion *conversion) {
    return (struct convert_keep){conversion->options.keep, conversion->options.n_keep};
}

static struct convert_job job_of(const struct conversion *conversion) {
    return (struct convert_job){
        .plan = &conversion->plan,
        .recipe = conversion->recipe,
        .keep = keep_of(conversion),
        .writer = conversion->writer,
        .pool = conversion->pool,
        .on_progress = conversion->options.on_progress,
        .user = conversion->options.user,
    };
}

// Better to say so now than after an hour of writing. The writer still checks every write.
static enum status check_space(const struct conversion *conversion, uint64_t size_bytes,
                               struct error *err) {
    struct statvfs info;
    if (statvfs(conversion->options.out_dir, &info) != 0 || info.f_blocks == 0) return STATUS_OK;
    uint64_t free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (free_bytes >= size_bytes) return STATUS_OK;
    return error_set(err, STATUS_NO_SPACE,
                     "%s: needs %.1f MB, but only %.1f MB are free there; free some space or "
                     "choose another output directory",
                     conversion->path, (double)size_bytes / 1e6, (double)free_bytes / 1e6);
}

static enum status write_file(struct conversion *conversion, struct error *err) {
    TRY(gguf_writer_create(&conversion->writer, conversion->path, err));
    struct gguf_writer *writer = conversion->writer;
    export_plan_metadata(&conversion->plan, writer);
    gguf_writer_u32(writer, "general.file_type", conversion->recipe->file_type);
    gguf_writer_u32(writer, "general.quantization_version", QUANTIZATION_VERSION);
    TRY(convert_tokenizer(writer, conversion->checkpoint, conversion->options.tokenizer,
                          conversion->plan.config.n_vocab, err));
    const struct convert_job job = job_of(conversion);
    uint64_t size_bytes;
    TRY(convert_declare(&job, &size_bytes, err));
    TRY(check_space(conversion, size_bytes, err));
    TRY(gguf_writer_begin_data(writer, err));
    TRY(convert_stream(&job, err));
    conversion->writer = NULL; // commit frees it in any case
    return gguf_writer_commit(writer, err);
}

static enum status convert(struct conversion *conversion, const char *model,
                           const xl_convert_options *options, struct error *err) {
    enum checkpoint_format format;
    TRY(read_options(conversion, options, err));
    TRY(read_format(conversion->options.format, &format, err));
    TRY(checkpoint_open(&conversion->checkpoint, model, format, err));
    TRY(choose_path(conversion, model, err));
    TRY(export_plan_create(&conversion->plan, conversion->checkpoint, conversion->options.family,
                           err));
    const struct convert_keep keep = keep_of(conversion);
    TRY(convert_keep_check(&keep, &conversion->plan, err));
    TRY(create_pool(conversion, err));
    return write_file(conversion, err);
}

xl_status xl_convert(const char *model, const xl_convert_options *options, char **path,
                     xl_error *error) {
    struct error err = {.status = STATUS_OK};
    if (path) *path = NULL;
    if (!model || !path)
        return engine_report(
            error,
            error_set(&err, STATUS_USAGE, "xl_convert needs a model and a place for the path"),
            &err);
    struct conversion conversion = {.recipe = NULL};
    enum status status = convert(&conversion, model, options, &err);
    gguf_writer_abort(conversion.writer); // NULL after a commit
    thread_pool_destroy(conversion.pool);
    export_plan_destroy(&conversion.plan);
    checkpoint_close(conversion.checkpoint);
    if (status == STATUS_OK)
        *path = conversion.path;
    else
        free(conversion.path);
    return engine_report(error, status, &err);
}
