// SPDX-License-Identifier: Apache-2.0
#include "tools/clinic_model.h"

#include "tools/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 64 << 20, PATH_BYTES_MAX = 4096, EXIT_FAILED = 1, EXIT_INPUT = 3 };

static void on_change(void *argument) {
    struct clinic_model *model = argument;
    pthread_mutex_lock(&model->mutex);
    model->has_ended = true;
    pthread_cond_signal(&model->changed);
    pthread_mutex_unlock(&model->mutex);
}

static void set_flags(struct clinic_model *model, const struct clinic_model_flags *flags) {
    struct server_settings *settings = &model->settings;
    settings_default(settings);
    settings->model = flags->model;
    settings->threads = flags->threads;
    settings->context = flags->context;
    settings->kv_memory_mib = flags->kv_memory_mib;
    settings->prefix_dir = flags->prefix_dir;
    settings->prefix_key = flags->prefix_key;
}

int clinic_model_open(struct clinic_model *model, const struct clinic_model_flags *flags,
                      const char *command) {
    struct clinic_error error;
    set_flags(model, flags);
    pthread_mutex_init(&model->mutex, NULL);
    pthread_cond_init(&model->changed, NULL);
    if (!model_host_open(&model->host, &model->settings, on_change, model))
        return terminal_fail_text(command, EXIT_FAILED, "no thread to load the model");
    model->is_open = true;
    pthread_mutex_lock(&model->mutex);
    while (!model->has_ended)
        pthread_cond_wait(&model->changed, &model->mutex);
    pthread_mutex_unlock(&model->mutex);
    if (model_host_state(&model->host) != MODEL_READY)
        return terminal_fail(command, &model->host.error);
    model->writer = model_writer_open(&model->host, &error);
    return model->writer ? 0 : clinic_tell(command, &error);
}

void clinic_model_close(struct clinic_model *model) {
    model_writer_close(model->writer);
    if (model->is_open) model_host_close(&model->host);
    *model = (struct clinic_model){.writer = NULL};
}

int clinic_tell(const char *command, const struct clinic_error *error) {
    static const int statuses[] = {[CLINIC_BAD_INPUT] = EXIT_INPUT,
                                   [CLINIC_NOT_FOUND] = EXIT_INPUT,
                                   [CLINIC_BUSY] = 4,
                                   [CLINIC_NO_MEMORY] = 4,
                                   [CLINIC_STORAGE] = 4};
    size_t n = sizeof statuses / sizeof statuses[0];
    int status = (size_t)error->failure < n ? statuses[error->failure] : 0;
    return terminal_fail_text(command, status ? status : EXIT_FAILED, "%s", error->message);
}

static json_t *parse(FILE *file, const char *path, const char *command, int *status) {
    json_error_t error;
    char *text = malloc(FILE_BYTES_MAX + 1);
    size_t n = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    json_t *root = NULL;
    *status = EXIT_INPUT;
    if (!text)
        *status = terminal_fail_text(command, 4, "out of memory for %s", path);
    else if (ferror(file) || n > FILE_BYTES_MAX)
        terminal_fail_text(command, *status, "%s: %s", path,
                           ferror(file) ? "cannot be read" : "larger than 64 MiB");
    else if (!(root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error)))
        terminal_fail_text(command, *status, "%s: line %d: %s", path, error.line,
                           json_error_code(&error) == json_error_out_of_memory ? "out of memory"
                                                                               : "no valid JSON");
    free(text);
    return root;
}

json_t *clinic_file_read(const char *path, const char *name, const char *command, int *status) {
    struct stat info;
    char full[PATH_BYTES_MAX];
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    int n =
        snprintf(full, sizeof full, "%s%s%s", path, is_folder ? "/" : "", is_folder ? name : "");
    *status = EXIT_INPUT;
    if (n < 0 || (size_t)n >= sizeof full) {
        terminal_fail_text(command, *status, "the path is too long");
        return NULL;
    }
    FILE *file = fopen(full, "rb");
    if (!file) {
        terminal_fail_text(command, *status, "%s: %s", full, strerror(errno));
        return NULL;
    }
    json_t *root = parse(file, full, command, status);
    fclose(file);
    return root;
}
