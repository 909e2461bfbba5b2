// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/host_writer.h"

#include "clinic/writer/model_writer.h"
#include "server/model_host.h"

#include <pthread.h>
#include <stdlib.h>

struct host_writer {
    struct model_host *host;
    pthread_mutex_t mutex; // of the two below
    struct model_writer *writer;
    bool has_tried;
};

struct host_writer *host_writer_create(struct model_host *host) {
    struct host_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return NULL;
    writer->host = host;
    pthread_mutex_init(&writer->mutex, NULL);
    return writer;
}

void host_writer_destroy(struct host_writer *writer) {
    if (!writer) return;
    model_writer_close(writer->writer);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

// Opened once, when the model is there. A model that cannot chat is none.
static struct model_writer *open_writer(struct host_writer *writer) {
    if (model_host_state(writer->host) != MODEL_READY) return NULL;
    pthread_mutex_lock(&writer->mutex);
    if (!writer->has_tried) {
        writer->has_tried = true;
        writer->writer = model_writer_open(writer->host, NULL);
    }
    pthread_mutex_unlock(&writer->mutex);
    return writer->writer;
}

const struct text_writer *host_writer_interface(struct host_writer *writer) {
    struct model_writer *model = open_writer(writer);
    return model ? model_writer_interface(model) : NULL;
}

bool host_writer_is_settled(struct host_writer *writer, double seconds_max) {
    struct model_writer *model = open_writer(writer);
    return !model || model_writer_settle(model, seconds_max);
}

const char *host_writer_state(struct host_writer *writer) {
    switch (model_host_state(writer->host)) {
    case MODEL_LOADING:
        return "loading";
    case MODEL_READY:
        return open_writer(writer) ? "ready" : "off";
    case MODEL_FAILED:
        return "failed";
    default:
        return "off";
    }
}

const char *host_writer_name(struct host_writer *writer) {
    return open_writer(writer) ? writer->host->name : NULL;
}
