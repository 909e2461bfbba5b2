// SPDX-License-Identifier: Apache-2.0
// What the clinic's commands share: an episode from a file, and a model with its writer.
#ifndef XL_TOOLS_CLINIC_MODEL_H
#define XL_TOOLS_CLINIC_MODEL_H

#include "clinic/record/episode.h"
#include "clinic/writer/model_writer.h"
#include "server/model_host.h"

#include <pthread.h>

struct clinic_model {
    struct server_settings settings;
    struct model_host host;
    struct model_writer *writer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_ended; // loading, one way or the other
    bool is_open;
};

struct clinic_model_flags {
    const char *model, *prefix_dir, *prefix_key;
    int threads, context, kv_memory_mib;
};

// Waits until the model is loaded. Returns 0, or an exit status with the mistake told. The model
// must stay where it is.
int clinic_model_open(struct clinic_model *model, const struct clinic_model_flags *flags,
                      const char *command);
void clinic_model_close(struct clinic_model *model); // of a zeroed one, too

// A JSON file, or FOLDER/`name`; NULL with the mistake told and *status set.
json_t *clinic_file_read(const char *path, const char *name, const char *command, int *status);

// Exit status of a failure, which it tells.
int clinic_tell(const char *command, const struct clinic_error *error);

#endif
