// SPDX-License-Identifier: Apache-2.0
#include "clinic/writer/model_writer.h"

#include "clinic/draft/json_text_stream.h"
#include "clinic/writer/model_prompt.h"
#include "server/clock_seconds.h"
#include "server/model_host.h"
#include "server/structured_output.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_MAX = 128, POLL_MS = 50 };

// A beginning that is being read in the background.
struct warm_request {
    struct model_writer *writer;
    xl_request *request; // NULL: not submitted yet
    bool is_ended;
};

struct model_writer {
    struct text_writer interface;
    struct model_host *host;
    struct grammar_cache *grammars;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    struct warm_request *warm[WARM_MAX];
    int n_warm, n_running;
    bool saves_prefixes;
};

// One text as it comes out of the worker's thread and is taken by the thread that waits for it.
struct writing {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char *text; // not taken yet
    size_t text_bytes, capacity;
    bool is_ended, has_lost_memory;
    xl_status status;
    xl_finish finish;
    char message[160];
    struct writing_result result;
    double begun_s, first_s;
};

static struct timespec poll_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now.tv_nsec += POLL_MS * 1000000L;
    if (now.tv_nsec >= 1000000000L) {
        now.tv_nsec -= 1000000000L;
        now.tv_sec++;
    }
    return now;
}

static bool open_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool is_open = pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return is_open;
}

// ---- One text ----------------------------------------------------------------------------------

static void keep_text(struct writing *writing, const char *text, size_t n_bytes) {
    if (writing->text_bytes + n_bytes > writing->capacity) {
        size_t capacity = 2 * (writing->text_bytes + n_bytes) + 256;
        char *grown = malloc(capacity);
        if (!grown) {
            writing->has_lost_memory = true;
            return;
        }
        if (writing->text_bytes) memcpy(grown, writing->text, writing->text_bytes);
        if (writing->text) explicit_bzero(writing->text, writing->capacity);
        free(writing->text);
        writing->text = grown;
        writing->capacity = capacity;
    }
    if (n_bytes) memcpy(writing->text + writing->text_bytes, text, n_bytes);
    writing->text_bytes += n_bytes;
}

// In the worker's thread.
static void on_token(void *user, const xl_request_event *event) {
    struct writing *writing = user;
    pthread_mutex_lock(&writing->mutex);
    if (writing->first_s <= 0) writing->first_s = clock_seconds();
    keep_text(writing, event->text, event->text_bytes);
    if (event->is_last) {
        writing->is_ended = true;
        writing->status = event->status;
        writing->finish = event->finish;
        snprintf(writing->message, sizeof writing->message, "%s",
                 event->error_message ? event->error_message : "");
        writing->result.prompt_tokens = event->prompt_tokens;
        writing->result.memory_tokens = event->memory_tokens;
        writing->result.disk_tokens = event->disk_tokens;
        writing->result.generated_tokens = event->generated_tokens;
    }
    pthread_cond_signal(&writing->changed);
    pthread_mutex_unlock(&writing->mutex);
}

// With the mutex held, which is open while the listener is called.
static void hand_over(struct writing *writing, struct json_text_stream *stream) {
    char *text = writing->text;
    size_t n_bytes = writing->text_bytes, capacity = writing->capacity;
    if (!n_bytes) return;
    writing->text = NULL;
    writing->text_bytes = writing->capacity = 0;
    pthread_mutex_unlock(&writing->mutex);
    json_text_stream_push(stream, text, n_bytes);
    explicit_bzero(text, capacity);
    free(text);
    pthread_mutex_lock(&writing->mutex);
}

// Returns when the request has ended; true if the listener wanted it to.
static bool follow(struct writing *writing, xl_request *request,
                   const struct writing_listener *listener, struct json_text_stream *stream) {
    bool is_stopped = false;
    pthread_mutex_lock(&writing->mutex);
    while (!writing->is_ended || writing->text_bytes) {
        hand_over(writing, stream);
        if (writing->is_ended) continue;
        if (!writing->text_bytes) {
            struct timespec until = poll_time();
            pthread_cond_timedwait(&writing->changed, &writing->mutex, &until);
        }
        if (!is_stopped && (writing->has_lost_memory || listener->is_stopped(listener->user))) {
            is_stopped = true;
            xl_request_cancel(request);
        }
    }
    pthread_mutex_unlock(&writing->mutex);
    return is_stopped;
}

static bool fail_submit(struct clinic_error *error, const xl_error *engine_error) {
    enum clinic_failure failure = CLINIC_BAD_INPUT;
    if (engine_error->status == XL_NO_MEMORY) failure = CLINIC_BUSY;
    return clinic_fail(error, failure, "the model: %.200s", engine_error->message);
}

static bool judge(const struct writing *writing, bool is_stopped, struct clinic_error *error) {
    if (writing->has_lost_memory) return clinic_fail_memory(error);
    if (is_stopped) return clinic_fail(error, CLINIC_CONFLICT, "the draft was stopped");
    if (writing->status == XL_OK) return true;
    enum clinic_failure failure = writing->status == XL_CANCELLED || writing->status == XL_NO_MEMORY
                                      ? CLINIC_BUSY
                                      : CLINIC_STORAGE;
    return clinic_fail(error, failure, "the model: %.160s", writing->message);
}

static bool run(struct model_writer *writer, const struct writing_task *task,
                const struct kept_grammar *grammar, const struct writing_listener *listener,
                struct writing *writing, struct clinic_error *error) {
    xl_generate_options generate = xl_generate_options_default();
    xl_request_options options = xl_request_options_default();
    struct json_text_stream stream;
    int32_t *tokens;
    xl_error engine_error;
    xl_request *request;
    if (!model_prompt_make(writer->host, task, &tokens, &options.n_prompt, error)) return false;
    generate.max_tokens = task->max_tokens;
    generate.grammar = kept_grammar_use(grammar);
    options.prompt = tokens;
    options.generate = &generate;
    options.user = task->user;
    options.on_event = on_token;
    options.user_data = writing;
    json_text_stream_init(&stream, listener->on_text, listener->user);
    xl_status status = xl_request_submit(writer->host->worker, &options, &request, &engine_error);
    xl_free(tokens);
    if (status != XL_OK) return fail_submit(error, &engine_error);
    bool is_stopped = follow(writing, request, listener, &stream);
    xl_request_release(request);
    writing->result.is_complete = json_text_stream_is_closed(&stream);
    return judge(writing, is_stopped, error);
}

static struct kept_grammar *get_grammar(struct model_writer *writer, const char *schema,
                                        struct clinic_error *error) {
    struct openai_error server_error = {0};
    struct output_wish wish = {0};
    struct kept_grammar *grammar = NULL;
    if (output_wish_set(&wish, OUTPUT_SCHEMA, schema, "schema", &server_error))
        grammar = grammar_cache_get(writer->grammars, writer->host->engine, &wish, &server_error);
    output_wish_free(&wish);
    if (!grammar)
        clinic_fail(error, server_error.http_status == 503 ? CLINIC_BUSY : CLINIC_BAD_INPUT,
                    "the template's schema: %.180s", server_error.message);
    return grammar;
}

static bool write_text(void *user, const struct writing_task *task,
                       const struct writing_listener *listener, struct writing_result *result,
                       struct clinic_error *error) {
    struct model_writer *writer = user;
    struct writing writing = {.begun_s = clock_seconds()};
    struct kept_grammar *grammar = get_grammar(writer, task->json_schema, error);
    if (!grammar) return false;
    pthread_mutex_init(&writing.mutex, NULL);
    bool is_done = open_condition(&writing.changed);
    if (is_done) {
        is_done = run(writer, task, grammar, listener, &writing, error);
        pthread_cond_destroy(&writing.changed);
    } else {
        clinic_fail_memory(error);
    }
    pthread_mutex_destroy(&writing.mutex);
    kept_grammar_release(writer->grammars, grammar);
    if (writing.text) explicit_bzero(writing.text, writing.capacity);
    free(writing.text);
    *result = writing.result;
    result->first_token_s = writing.first_s > 0 ? writing.first_s - writing.begun_s : 0;
    result->total_s = clock_seconds() - writing.begun_s;
    return is_done;
}

static bool measure(void *user, const struct writing_task *task, int *prompt_tokens,
                    int *context_tokens, struct clinic_error *error) {
    struct model_writer *writer = user;
    int32_t *tokens;
    size_t n_tokens;
    if (!model_prompt_make(writer->host, task, &tokens, &n_tokens, error)) return false;
    xl_free(tokens);
    *prompt_tokens = n_tokens < INT32_MAX ? (int)n_tokens : INT32_MAX;
    *context_tokens = writer->host->info.context;
    return true;
}

// ---- Beginnings in the background --------------------------------------------------------------

// In the worker's thread.
static void on_warm(void *user, const xl_request_event *event) {
    struct warm_request *warm = user;
    struct model_writer *writer = warm->writer;
    if (!event->is_last) return;
    pthread_mutex_lock(&writer->mutex);
    warm->is_ended = true;
    writer->n_running--;
    pthread_cond_broadcast(&writer->ended);
    pthread_mutex_unlock(&writer->mutex);
}

// Gives back what has ended; with the mutex held.
static void sweep(struct model_writer *writer) {
    int n_kept = 0;
    for (int i = 0; i < writer->n_warm; i++) {
        struct warm_request *warm = writer->warm[i];
        if (!warm->is_ended || !warm->request) {
            writer->warm[n_kept++] = warm;
            continue;
        }
        xl_request_release(warm->request);
        free(warm);
    }
    writer->n_warm = n_kept;
}

// A place in the list; NULL: it is full, and what would be read is not, which costs only time.
static struct warm_request *add_warm(struct model_writer *writer) {
    struct warm_request *warm = calloc(1, sizeof *warm);
    if (!warm) return NULL;
    warm->writer = writer;
    pthread_mutex_lock(&writer->mutex);
    sweep(writer);
    bool has_room = writer->n_warm < WARM_MAX;
    if (has_room) {
        writer->warm[writer->n_warm++] = warm;
        writer->n_running++;
    }
    pthread_mutex_unlock(&writer->mutex);
    if (has_room) return warm;
    free(warm);
    return NULL;
}

static void remove_warm(struct model_writer *writer, struct warm_request *warm) {
    pthread_mutex_lock(&writer->mutex);
    for (int i = 0; i < writer->n_warm; i++)
        if (writer->warm[i] == warm) writer->warm[i] = writer->warm[--writer->n_warm];
    writer->n_running--;
    pthread_mutex_unlock(&writer->mutex);
    free(warm);
}

static void warm_up(void *user, const struct writing_task *task) {
    struct model_writer *writer = user;
    xl_generate_options generate = xl_generate_options_default();
    xl_request_options options = xl_request_options_default();
    struct clinic_error error;
    xl_error engine_error;
    xl_request *request;
    int32_t *tokens;
    if (!model_prompt_make(writer->host, task, &tokens, &options.n_prompt, &error)) return;
    struct warm_request *warm = add_warm(writer);
    if (warm) {
        generate.max_tokens = 0;
        options.prompt = tokens;
        options.generate = &generate;
        options.priority = XL_BACKGROUND;
        options.save_prefix = writer->saves_prefixes;
        options.on_event = on_warm;
        options.user_data = warm;
        if (xl_request_submit(writer->host->worker, &options, &request, &engine_error) == XL_OK) {
            pthread_mutex_lock(&writer->mutex);
            warm->request = request;
            pthread_mutex_unlock(&writer->mutex);
        } else {
            remove_warm(writer, warm);
        }
    }
    xl_free(tokens);
}

bool model_writer_settle(struct model_writer *writer, double seconds_max) {
    double end_s = clock_seconds() + seconds_max;
    pthread_mutex_lock(&writer->mutex);
    while (writer->n_running > 0 && clock_seconds() < end_s) {
        struct timespec until = poll_time();
        pthread_cond_timedwait(&writer->ended, &writer->mutex, &until);
    }
    bool is_settled = writer->n_running == 0;
    pthread_mutex_unlock(&writer->mutex);
    return is_settled;
}

// ---- Lifecycle ---------------------------------------------------------------------------------

struct model_writer *model_writer_open(struct model_host *host, struct clinic_error *error) {
    if (!host->worker || !host->chat_template) {
        clinic_fail(error, CLINIC_BAD_INPUT,
                    "the model is no chat model; the clinic works without it");
        return NULL;
    }
    struct model_writer *writer = calloc(1, sizeof *writer);
    if (writer) writer->grammars = grammar_cache_create();
    if (!writer || !writer->grammars || !open_condition(&writer->ended)) {
        if (writer && writer->grammars) grammar_cache_destroy(writer->grammars);
        free(writer);
        clinic_fail_memory(error);
        return NULL;
    }
    pthread_mutex_init(&writer->mutex, NULL);
    writer->host = host;
    writer->saves_prefixes = host->settings->prefix_dir != NULL;
    writer->interface = (struct text_writer){.user = writer,
                                             .name = host->name,
                                             .measure = measure,
                                             .write = write_text,
                                             .warm = warm_up};
    return writer;
}

void model_writer_close(struct model_writer *writer) {
    if (!writer) return;
    pthread_mutex_lock(&writer->mutex);
    for (int i = 0; i < writer->n_warm; i++)
        if (writer->warm[i]->request) xl_request_cancel(writer->warm[i]->request);
    pthread_mutex_unlock(&writer->mutex);
    while (!model_writer_settle(writer, 1)) {
    }
    pthread_mutex_lock(&writer->mutex);
    sweep(writer);
    pthread_mutex_unlock(&writer->mutex);
    grammar_cache_destroy(writer->grammars);
    pthread_cond_destroy(&writer->ended);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

const struct text_writer *model_writer_interface(const struct model_writer *writer) {
    return &writer->interface;
}
