// SPDX-License-Identifier: Apache-2.0
// See hf_config.h. Each file has a limit of its own, a few times what the largest known model
// needs.
#include "format/hf_config.h"

#include "base/utf8.h"
#include "format/json_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1 << 20,
    CONFIG_BYTES_MAX = 4 * MIB,
    TOKENIZER_CONFIG_BYTES_MAX = 16 * MIB,
    TEMPLATE_BYTES_MAX = 1 * MIB,
    VOCABULARY_BYTES_MAX = 256 * MIB,
    MODULE_VALUES_MAX = 4096
};

void hf_config_close(struct hf_config *config) {
    if (!config) return;
    json_decref(config->config);
    json_decref(config->generation);
    json_decref(config->tokenizer_config);
    json_decref(config->modules);
    json_decref(config->pooling);
    text_file_free(&config->tokenizer_json);
    text_file_free(&config->sentencepiece);
    text_file_free(&config->tiktoken);
    text_file_free(&config->chat_template);
    text_file_free(&config->special_tokens_map);
    text_file_free(&config->added_tokens);
    text_file_free(&config->bert_vocabulary);
    free(config->directory);
    free(config);
}

// An absent file is no error; the result then stays NULL.
static enum status read_json(const struct hf_config *config, const char *name, size_t bytes_max,
                             json_t **root, struct error *err) {
    char *path = path_join(config->directory, name);
    if (!path) return error_no_memory(err, name, 0);
    enum status status = json_file_read(root, path, bytes_max, err);
    free(path);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_text(const struct hf_config *config, const char *name, size_t bytes_max,
                             struct text_file *file, struct error *err) {
    char *path = path_join(config->directory, name);
    if (!path) return error_no_memory(err, name, 0);
    enum status status = text_file_read(file, path, bytes_max, err);
    free(path);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

// "base64 rank" on the first line; a protobuf begins with a field tag, which is no base64 letter.
static bool looks_like_tiktoken(const struct text_file *file) {
    static const char base64[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    size_t i = 0, letters, digits;
    const char *text = file->data;
    while (i < file->size_bytes && text[i] && strchr(base64, text[i]))
        i++;
    letters = i;
    if (letters == 0 || i >= file->size_bytes || text[i] != ' ') return false;
    i++;
    digits = i;
    while (i < file->size_bytes && text[i] >= '0' && text[i] <= '9')
        i++;
    if (i == digits) return false;
    return i == file->size_bytes || text[i] == '\n' || text[i] == '\r';
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

// The directory's only *.tiktoken file.
static enum status find_tiktoken(struct hf_config *config, struct error *err) {
    DIR *directory = opendir(config->directory);
    if (!directory)
        return error_set(err,
                         errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_FAILED,
                         "%s: cannot list the directory: %s", config->directory, strerror(errno));
    enum status status = STATUS_OK;
    struct dirent *entry;
    while (status == STATUS_OK && (entry = readdir(directory))) {
        if (!ends_with(entry->d_name, ".tiktoken")) continue;
        if (config->tiktoken.data)
            status =
                error_set(err, STATUS_BAD_INPUT, "%s: several *.tiktoken files", config->directory);
        else
            status = read_text(config, entry->d_name, VOCABULARY_BYTES_MAX, &config->tiktoken, err);
    }
    closedir(directory);
    return status;
}

static enum status read_tokenizer_model(struct hf_config *config, struct error *err) {
    struct text_file file = {0};
    TRY(read_text(config, "tokenizer.model", VOCABULARY_BYTES_MAX, &file, err));
    if (!file.data) TRY(read_text(config, "spiece.model", VOCABULARY_BYTES_MAX, &file, err));
    if (!file.data) return STATUS_OK;
    if (!looks_like_tiktoken(&file)) {
        config->sentencepiece = file;
        return STATUS_OK;
    }
    text_file_free(&config->tiktoken);
    config->tiktoken = file;
    return STATUS_OK;
}

static enum status copy_template(struct hf_config *config, const json_t *text, struct error *err) {
    struct text_file *file = &config->chat_template;
    size_t size_bytes = json_string_length(text);
    if (size_bytes > TEMPLATE_BYTES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: chat_template has %zu bytes, more than %d",
                         config->directory, size_bytes, (int)TEMPLATE_BYTES_MAX);
    file->data = malloc(size_bytes + 1);
    if (!file->data) return error_no_memory(err, "a chat template", size_bytes + 1);
    memcpy(file->data, json_string_value(text), size_bytes + 1);
    file->size_bytes = size_bytes;
    return STATUS_OK;
}

// A string, or a list of {"name", "template"}: the one named "default", or the only one.
static enum status choose_template(struct hf_config *config, const json_t *value,
                                   struct error *err) {
    if (!value || json_is_null(value)) return STATUS_OK;
    if (json_is_string(value)) return copy_template(config, value, err);
    if (!json_is_array(value))
        return error_set(err, STATUS_BAD_INPUT, "%s: chat_template is neither text nor a list",
                         config->directory);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const char *name = json_get_text(item, "name");
        const json_t *text = json_object_get(item, "template");
        if (!name || !json_is_string(text))
            return error_set(err, STATUS_BAD_INPUT,
                             "%s: chat_template[%zu] lacks a name or a template", config->directory,
                             i);
        if (strcmp(name, "default") == 0 || json_array_size(value) == 1)
            return copy_template(config, text, err);
    }
    return STATUS_OK;
}

static enum status read_template(struct hf_config *config, struct error *err) {
    TRY(read_text(config, "chat_template.jinja", TEMPLATE_BYTES_MAX, &config->chat_template, err));
    if (config->chat_template.data) {
        if (utf8_is_valid(config->chat_template.data, config->chat_template.size_bytes))
            return STATUS_OK;
        return error_set(err, STATUS_BAD_INPUT, "%s/chat_template.jinja: not valid UTF-8",
                         config->directory);
    }
    TRY(choose_template(config, json_object_get(config->tokenizer_config, "chat_template"), err));
    if (config->chat_template.data) return STATUS_OK;
    json_t *older;
    TRY(read_json(config, "chat_template.json", TEMPLATE_BYTES_MAX, &older, err));
    enum status status = choose_template(config, json_object_get(older, "chat_template"), err);
    json_decref(older);
    return status;
}

// modules.json is a list; the parser wants an object around it.
static enum status read_module_list(struct hf_config *config, struct error *err) {
    static const char head[] = "{\"modules\": ";
    struct text_file file = {0};
    json_t *root = NULL;
    TRY(read_text(config, "modules.json", CONFIG_BYTES_MAX, &file, err));
    if (!file.data) return STATUS_OK;
    size_t size_bytes = sizeof head - 1 + file.size_bytes + 1;
    char *text = malloc(size_bytes);
    enum status status = text ? STATUS_OK : error_no_memory(err, "modules.json", size_bytes);
    if (text) {
        memcpy(text, head, sizeof head - 1);
        memcpy(text + sizeof head - 1, file.data, file.size_bytes);
        text[size_bytes - 1] = '}';
        status =
            json_text_parse(&root, "modules.json", 0, text, size_bytes, MODULE_VALUES_MAX, err);
    }
    text_file_free(&file);
    free(text);
    TRY(status);
    config->modules = json_incref(json_object_get(root, "modules"));
    json_decref(root);
    return STATUS_OK;
}

// A sentence model says in a folder of its own how states become one vector. The folder's name
// comes from a file: it must be a plain name.
static enum status read_modules(struct hf_config *config, struct error *err) {
    TRY(read_module_list(config, err));
    for (size_t i = 0; i < json_array_size(config->modules); i++) {
        const json_t *module = json_array_get(config->modules, i);
        const char *type = json_get_text(module, "type"), *path = json_get_text(module, "path");
        if (!type || !path || !ends_with(type, ".Pooling") || config->pooling) continue;
        char name[128];
        if (!path[0] || path[0] == '.' || strchr(path, '/') || strlen(path) > 64)
            return error_set(err, STATUS_BAD_INPUT,
                             "%s/modules.json: the pooling module's path is no plain folder name",
                             config->directory);
        snprintf(name, sizeof name, "%s/config.json", path);
        TRY(read_json(config, name, CONFIG_BYTES_MAX, &config->pooling, err));
    }
    return STATUS_OK;
}

static enum status read_all(struct hf_config *config, struct error *err) {
    TRY(find_tiktoken(config, err)); // first: it reports a directory that cannot be read
    TRY(read_json(config, "config.json", CONFIG_BYTES_MAX, &config->config, err));
    TRY(read_json(config, "generation_config.json", CONFIG_BYTES_MAX, &config->generation, err));
    TRY(read_json(config, "tokenizer_config.json", TOKENIZER_CONFIG_BYTES_MAX,
                  &config->tokenizer_config, err));
    TRY(read_modules(config, err));
    TRY(read_text(config, "tokenizer.json", VOCABULARY_BYTES_MAX, &config->tokenizer_json, err));
    TRY(read_tokenizer_model(config, err));
    TRY(read_template(config, err));
    TRY(read_text(config, "special_tokens_map.json", CONFIG_BYTES_MAX, &config->special_tokens_map,
                  err));
    TRY(read_text(config, "added_tokens.json", TOKENIZER_CONFIG_BYTES_MAX, &config->added_tokens,
                  err));
    return read_text(config, "vocab.txt", VOCABULARY_BYTES_MAX, &config->bert_vocabulary, err);
}

enum status hf_config_open(struct hf_config **result, const char *directory, struct error *err) {
    *result = NULL;
    struct hf_config *config = calloc(1, sizeof *config);
    if (!config) return error_no_memory(err, "a model's configuration", sizeof *config);
    config->directory = strdup(directory);
    enum status status = config->directory ? read_all(config, err)
                                           : error_no_memory(err, "a path", strlen(directory));
    if (status == STATUS_OK)
        *result = config;
    else
        hf_config_close(config);
    return status;
}
