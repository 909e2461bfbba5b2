// SPDX-License-Identifier: Apache-2.0
#include "server/model_host.h"

#include "server/file_digest.h"
#include "server/special_guard.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct load_thread {
    pthread_t thread;
};

static bool read_kv_type(const char *name, xl_kv_type *type) {
    static const char *const names[] = {"auto", "f32", "f16", "bf16", "i8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!name || strcmp(name, names[i]) == 0) {
            *type = (xl_kv_type)i;
            return true;
        }
    return false;
}

static char *spell(const xl_engine *engine, const json_t *id) {
    char *text = NULL;
    if (json_is_integer(id))
        xl_token_text(engine, (int32_t)json_integer_value(id), &text, NULL, NULL);
    return text;
}

// As many bytes as the context holds of the longest token.
static size_t find_text_bytes_max(const struct model_host *host) {
    size_t longest = 1;
    for (int32_t id = 0; id < host->info.n_vocab; id++) {
        char *text;
        size_t size;
        if (xl_token_text(host->engine, id, &text, &size, NULL) != XL_OK) continue;
        if (size > longest) longest = size;
        xl_free(text);
    }
    return (size_t)host->info.context * longest;
}

static xl_status read_tokenizer(struct model_host *host) {
    char *json;
    xl_status status = xl_tokenizer_describe(host->engine, &json, &host->error);
    if (status != XL_OK) return status;
    json_t *root = json_loads(json, 0, NULL);
    xl_free(json);
    const char *text = json_string_value(json_object_get(root, "chat_template"));
    if (text) host->chat_template = strdup(text);
    host->bos = spell(host->engine, json_object_get(root, "bos"));
    host->eos = spell(host->engine, json_object_get(root, "eos"));
    host->unk = spell(host->engine, json_object_get(root, "unk"));
    host->pad = spell(host->engine, json_object_get(root, "pad"));
    host->template_tools = text && strstr(text, "<tool_call>") && strstr(text, "tools");
    host->template_thinks = text && strstr(text, "</think>");
    host->guard = special_guard_create(host->engine, root);
    json_decref(root);
    if (host->guard) return XL_OK;
    snprintf(host->error.message, sizeof host->error.message, "out of memory for the tokenizer");
    return host->error.status = XL_NO_MEMORY;
}

static xl_status open_engine(struct model_host *host) {
    const struct server_settings *settings = host->settings;
    xl_engine_options options = xl_engine_options_default();
    options.isa = settings->isa;
    options.threads = settings->threads;
    options.threads_batch = settings->threads_batch;
    options.context = settings->context;
    options.chunk = settings->chunk;
    if (!read_kv_type(settings->kv_type, &options.kv_type)) {
        snprintf(host->error.message, sizeof host->error.message,
                 "there is no type \"%.20s\" for keys and values; there are auto, f32, f16, bf16, "
                 "i8",
                 settings->kv_type);
        return host->error.status = XL_USAGE;
    }
    return xl_engine_open(settings->model, &options, &host->engine, &host->error);
}

static xl_status open_worker(struct model_host *host) {
    const struct server_settings *settings = host->settings;
    xl_worker_options options = xl_worker_options_default();
    options.kv_bytes = (uint64_t)settings->kv_memory_mib << 20;
    options.running_max = settings->parallel;
    options.waiting_max = settings->queue;
    options.prefix_dir = settings->prefix_dir;
    options.prefix_key = settings->prefix_key;
    options.prefix_disk_bytes = (uint64_t)settings->prefix_disk_mib << 20;
    xl_status status = xl_worker_open(host->engine, &options, &host->worker, &host->error);
    host->is_encoder = status == XL_UNSUPPORTED;
    return host->is_encoder ? XL_OK : status;
}

static void name_model(struct model_host *host) {
    const char *path = host->settings->model, *slash = strrchr(path, '/');
    const char *base = slash && slash[1] ? slash + 1 : path;
    if (host->settings->model_alias) base = host->settings->model_alias;
    snprintf(host->name, sizeof host->name, "%s", base);
    char *dot = strrchr(host->name, '.');
    if (!host->settings->model_alias && dot && strcmp(dot, ".gguf") == 0) *dot = '\0';
    host->created = (int64_t)time(NULL);
}

// What decides the bytes of an answer besides the request. The whole file is read only where the
// audit log names it.
static void identify(struct model_host *host) {
    struct stat status = {0};
    char text[512], digest[65];
    const xl_engine_info *info = &host->info;
    stat(host->settings->model, &status);
    int n = snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%d|%lld", xl_version(), info->name,
                     info->family, info->weight_type, info->isa, info->kv_type, info->context,
                     (long long)status.st_size);
    text_digest(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, digest);
    snprintf(host->fingerprint, sizeof host->fingerprint, "fp_%.12s", digest);
    if (host->settings->audit_log) file_digest(host->settings->model, host->model_sha256);
}

static xl_status load(struct model_host *host) {
    xl_status status = open_engine(host);
    if (status != XL_OK) return status;
    host->info.size = sizeof host->info;
    xl_engine_describe(host->engine, &host->info);
    status = read_tokenizer(host);
    if (status == XL_OK) host->text_bytes_max = find_text_bytes_max(host);
    if (status == XL_OK) status = open_worker(host);
    if (status == XL_OK) identify(host);
    return status;
}

static void *run(void *argument) {
    struct model_host *host = argument;
    xl_status status = load(host);
    __atomic_store_n(&host->state, status == XL_OK ? MODEL_READY : MODEL_FAILED, __ATOMIC_RELEASE);
    host->on_change(host->on_change_argument);
    return NULL;
}

bool model_host_open(struct model_host *host, const struct server_settings *settings,
                     void (*on_change)(void *), void *on_change_argument) {
    *host = (struct model_host){
        .settings = settings, .on_change = on_change, .on_change_argument = on_change_argument};
    if (!settings->model) {
        host->state = MODEL_OFF;
        return true;
    }
    name_model(host);
    host->thread = malloc(sizeof *host->thread);
    if (host->thread && pthread_create(&host->thread->thread, NULL, run, host) == 0) return true;
    free(host->thread);
    host->thread = NULL;
    return false;
}

void model_host_close(struct model_host *host) {
    if (host->thread) pthread_join(host->thread->thread, NULL);
    free(host->thread);
    if (host->worker) xl_worker_close(host->worker);
    xl_engine_close(host->engine);
    special_guard_destroy(host->guard);
    free(host->chat_template);
    xl_free(host->bos);
    xl_free(host->eos);
    xl_free(host->unk);
    xl_free(host->pad);
    *host = (struct model_host){0};
}

bool model_host_is_named(const struct model_host *host, const char *name) {
    return host->settings->any_model || strcmp(name, host->name) == 0 ||
           strcmp(name, host->settings->model) == 0 ||
           (host->info.name && strcmp(name, host->info.name) == 0);
}
