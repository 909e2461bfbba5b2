// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/clinic_service.h"

#include "clinic/draft/record_template.h"
#include "clinic/http/clinic_routes.h"
#include "clinic/http/draft_runs.h"
#include "clinic/http/draft_warmer.h"
#include "clinic/http/login_limit.h"
#include "clinic/record/episode_document.h"
#include "clinic/store/store_drafts.h"
#include "clinic/writer/model_writer.h"
#include "server/job_pool.h"
#include "server/model_host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOB_THREADS = 4,
    JOBS_MAX = 512,
    LOGINS_MAX = 64,
    PROOFS_MAX = 4,
    SESSION_PLACES = 1024,
    SESSION_REQUESTS_MAX = 16,
    POLICY_BYTES = 4096,
    TITLES_BYTES_MAX = 1 << 20
};

struct clinic_service {
    const struct server_settings *settings;
    struct store *store;
    struct template_set *templates;
    struct title_map *titles;
    struct model_host *host;
    pthread_mutex_t mutex; // of the writer
    struct model_writer *writer;
    bool has_tried_writer, is_stopped;
    struct job_pool *jobs, *logins, *proofs;
    int busy[SESSION_PLACES]; // requests of sessions, by a hash of their tokens; atomic
    struct draft_runs *runs;
    struct draft_warmer *warmer;
    struct login_limit *login_limit;
    char policies[N_CLINIC_PAGES][POLICY_BYTES];
    struct route routes[CLINIC_ROWS_MAX];
    struct server_extension extension;
};

static void drain(void *user) {
    struct clinic_service *service = user;
    draft_runs_ask_stop(service->runs);
}

// Only what the operator listed may stand in a header.
static bool is_plain_origin(const char *origin) {
    return !strpbrk(origin, " ;,'\"\r\n\t*");
}

static void write_ancestors(const struct server_settings *settings, char *text, size_t bytes) {
    size_t n = (size_t)snprintf(
        text, bytes, "%s",
        settings->clinic_demo ? " 'self' http://localhost:* http://127.0.0.1:*" : "");
    for (int i = 0; i < settings->allowed_origins.n_items && n < bytes; i++)
        if (is_plain_origin(settings->allowed_origins.items[i]))
            n += (size_t)snprintf(text + n, bytes - n, " %s", settings->allowed_origins.items[i]);
    if (n == 0) snprintf(text, bytes, " 'none'");
}

static void write_policies(struct clinic_service *service) {
    static const char base[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                               "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                               "require-trusted-types-for 'script'; frame-ancestors";
    char ancestors[POLICY_BYTES - sizeof base];
    write_ancestors(service->settings, ancestors, sizeof ancestors);
    snprintf(service->policies[PAGE_WORKPLACE], POLICY_BYTES, "%s 'none'", base);
    snprintf(service->policies[PAGE_EMBEDDED], POLICY_BYTES, "%s%s", base, ancestors);
    snprintf(service->policies[PAGE_MOCK_HOST], POLICY_BYTES,
             "%s 'none'; frame-src 'self' http://127.0.0.1:* http://localhost:*", base);
}

// DIR/document-titles.json, if it is there, else what is in the program.
static struct title_map *open_titles(const char *folder, struct clinic_error *error) {
    char path[4096];
    snprintf(path, sizeof path, "%s/document-titles.json", folder ? folder : "");
    FILE *file = folder ? fopen(path, "rbe") : NULL;
    if (!file) return title_map_open(NULL, 0, error);
    char *text = malloc(TITLES_BYTES_MAX + 1);
    size_t n_bytes = text ? fread(text, 1, TITLES_BYTES_MAX + 1, file) : 0;
    bool is_whole = text && !ferror(file) && n_bytes <= TITLES_BYTES_MAX;
    struct title_map *titles = is_whole ? title_map_open(text, n_bytes, error) : NULL;
    if (!is_whole)
        clinic_fail(error, CLINIC_BAD_INPUT, "%.180s cannot be read or is too long", path);
    free(text);
    fclose(file);
    return titles;
}

static bool open_parts(struct clinic_service *service, struct clinic_error *error) {
    const struct server_settings *settings = service->settings;
    struct actor actor = {.user = "server", .role = "server"};
    service->store = store_open(settings->clinic, false, error);
    if (!service->store) return false;
    store_set_session_minutes(service->store, settings->clinic_session_minutes);
    if (!store_stop_drafts(service->store, &actor, NULL, error)) return false;
    service->templates = template_set_open(settings->clinic_templates, error);
    if (!service->templates) return false;
    service->titles = open_titles(settings->clinic_templates, error);
    if (!service->titles) return false;
    service->login_limit = login_limit_create();
    service->jobs = job_pool_create(JOB_THREADS, JOBS_MAX);
    service->logins = job_pool_create(1, LOGINS_MAX);
    service->proofs = job_pool_create(1, PROOFS_MAX);
    service->runs = draft_runs_create(service);
    service->warmer = draft_warmer_create(service);
    return (service->login_limit && service->jobs && service->logins && service->proofs &&
            service->runs && service->warmer) ||
           clinic_fail_memory(error);
}

struct clinic_service *clinic_service_open(const struct server_settings *settings,
                                           struct model_host *host, char *message,
                                           size_t message_bytes) {
    struct clinic_error error = {.message = "out of memory"};
    struct clinic_service *service = calloc(1, sizeof *service);
    if (service) {
        service->settings = settings;
        service->host = host;
        pthread_mutex_init(&service->mutex, NULL);
        write_policies(service);
        service->extension = (struct server_extension){
            .routes = service->routes,
            .n_routes = clinic_routes_fill(service->routes, settings->clinic_demo != 0),
            .user = service,
            .drain = drain};
        if (open_parts(service, &error)) return service;
    }
    snprintf(message, message_bytes, "%s", error.message);
    clinic_service_stop(service);
    clinic_service_close(service);
    return NULL;
}

const struct server_extension *clinic_service_extension(const struct clinic_service *service) {
    return &service->extension;
}

// Runs first: what waits for one (a stop) is a job.
void clinic_service_stop(struct clinic_service *service) {
    if (!service || service->is_stopped) return;
    service->is_stopped = true;
    if (service->runs) {
        draft_runs_ask_stop(service->runs);
        draft_runs_join(service->runs);
    }
    if (service->warmer) draft_warmer_stop(service->warmer);
    job_pool_destroy(service->jobs);
    job_pool_destroy(service->logins);
    job_pool_destroy(service->proofs);
}

void clinic_service_close(struct clinic_service *service) {
    if (!service) return;
    draft_warmer_destroy(service->warmer);
    draft_runs_destroy(service->runs);
    model_writer_close(service->writer);
    login_limit_destroy(service->login_limit);
    title_map_close(service->titles);
    template_set_close(service->templates);
    store_close(service->store);
    pthread_mutex_destroy(&service->mutex);
    free(service);
}

struct store *clinic_service_store(struct clinic_service *service) {
    return service->store;
}

const struct server_settings *clinic_service_settings(const struct clinic_service *service) {
    return service->settings;
}

const struct template_set *clinic_service_templates(const struct clinic_service *service) {
    return service->templates;
}

const struct title_map *clinic_service_titles(const struct clinic_service *service) {
    return service->titles;
}

struct job_pool *clinic_service_jobs(struct clinic_service *service) {
    return service->jobs;
}

struct job_pool *clinic_service_logins(struct clinic_service *service) {
    return service->logins;
}

struct job_pool *clinic_service_proofs(struct clinic_service *service) {
    return service->proofs;
}

// Two sessions may share a counter; the bound leaves room for that.
static int *places_of(struct clinic_service *service, const char *token) {
    uint32_t hash = 2166136261u;
    for (; *token; token++)
        hash = (hash ^ (unsigned char)*token) * 16777619u;
    return &service->busy[hash % SESSION_PLACES];
}

bool clinic_service_enter(struct clinic_service *service, const char *token) {
    int *busy = places_of(service, token);
    if (__atomic_add_fetch(busy, 1, __ATOMIC_RELAXED) <= SESSION_REQUESTS_MAX) return true;
    __atomic_sub_fetch(busy, 1, __ATOMIC_RELAXED);
    return false;
}

void clinic_service_leave(struct clinic_service *service, const char *token) {
    __atomic_sub_fetch(places_of(service, token), 1, __ATOMIC_RELAXED);
}

struct draft_runs *clinic_service_runs(struct clinic_service *service) {
    return service->runs;
}

struct draft_warmer *clinic_service_warmer(struct clinic_service *service) {
    return service->warmer;
}

struct login_limit *clinic_service_login_limit(struct clinic_service *service) {
    return service->login_limit;
}

// Opened once, when the model is there. A model that cannot chat is none.
static struct model_writer *open_writer(struct clinic_service *service) {
    if (model_host_state(service->host) != MODEL_READY) return NULL;
    pthread_mutex_lock(&service->mutex);
    if (!service->has_tried_writer) {
        service->has_tried_writer = true;
        service->writer = model_writer_open(service->host, NULL);
    }
    pthread_mutex_unlock(&service->mutex);
    return service->writer;
}

const struct text_writer *clinic_service_writer(struct clinic_service *service) {
    struct model_writer *writer = open_writer(service);
    return writer ? model_writer_interface(writer) : NULL;
}

bool clinic_service_is_settled(struct clinic_service *service, double seconds_max) {
    struct model_writer *writer = open_writer(service);
    return !writer || model_writer_settle(writer, seconds_max);
}

const char *clinic_service_model_state(struct clinic_service *service) {
    switch (model_host_state(service->host)) {
    case MODEL_LOADING:
        return "loading";
    case MODEL_READY:
        return open_writer(service) ? "ready" : "off";
    case MODEL_FAILED:
        return "failed";
    default:
        return "off";
    }
}

const char *clinic_service_model_name(struct clinic_service *service) {
    return open_writer(service) ? service->host->name : NULL;
}

const char *clinic_service_policy(const struct clinic_service *service, enum clinic_page page) {
    return service->policies[page];
}
