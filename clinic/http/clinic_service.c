// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/clinic_service.h"

#include "clinic/draft/record_template.h"
#include "clinic/http/cds_clients.h"
#include "clinic/http/clinic_context.h"
#include "clinic/http/clinic_routes.h"
#include "clinic/http/draft_runs.h"
#include "clinic/http/draft_warmer.h"
#include "clinic/http/host_writer.h"
#include "clinic/http/login_limit.h"
#include "clinic/http/opened_episode.h"
#include "clinic/record/episode_document.h"
#include "clinic/store/store_drafts.h"
#include "server/job_pool.h"
#include "server/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOB_THREADS = 4,
    JOBS_MAX = 512,
    LOGINS_MAX = 64,
    PROOFS_MAX = 4,
    TITLES_BYTES_MAX = 1 << 20
};

struct clinic_service {
    struct clinic_context context;
    struct session_places places;
    struct route routes[CLINIC_ROWS_MAX];
    struct server_extension extension;
    bool is_stopped;
};

static void drain(void *user) {
    const struct clinic_context *context = user;
    draft_runs_ask_stop(context->runs);
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

static bool open_records(struct clinic_context *context, struct clinic_error *error) {
    const struct server_settings *settings = context->settings;
    struct draft_supply *supply = &context->supply;
    struct actor actor = {.user = "server", .role = "server"};
    supply->store = store_open(settings->clinic, false, error);
    if (!supply->store || !store_serve(supply->store, error)) return false;
    store_set_session_minutes(supply->store, settings->clinic_session_minutes);
    if (!store_stop_drafts(supply->store, &actor, NULL, error)) return false;
    supply->templates = template_set_open(settings->clinic_templates, error);
    if (!supply->templates) return false;
    context->titles = open_titles(settings->clinic_templates, error);
    if (!context->titles) return false;
    if (!settings->clinic_cds_clients) return true;
    context->cds_clients = cds_clients_open(settings->clinic_cds_clients, error);
    return context->cds_clients != NULL;
}

static bool open_parts(struct clinic_context *context, struct model_host *host,
                       struct clinic_error *error) {
    if (!open_records(context, error)) return false;
    context->supply.charts = chart_shelf_create(context->supply.store);
    context->supply.writer = host_writer_create(host);
    context->login_limit = login_limit_create();
    context->client_limit = login_limit_create();
    context->jobs = job_pool_create(JOB_THREADS, JOBS_MAX);
    context->logins = job_pool_create(1, LOGINS_MAX);
    context->proofs = job_pool_create(1, PROOFS_MAX);
    bool ok = context->supply.charts && context->supply.writer && context->login_limit &&
              context->client_limit && context->jobs && context->logins && context->proofs;
    if (ok) context->runs = draft_runs_create(&context->supply);
    if (context->runs) context->warmer = draft_warmer_create(&context->supply);
    return context->warmer || clinic_fail_memory(error);
}

struct clinic_service *clinic_service_open(const struct server_settings *settings,
                                           struct model_host *host, char *message,
                                           size_t message_bytes) {
    struct clinic_error error = {.message = "out of memory"};
    struct clinic_service *service = calloc(1, sizeof *service);
    if (service) {
        struct clinic_context *context = &service->context;
        context->settings = settings;
        context->places = &service->places;
        page_policies_init(&context->policies, settings);
        service->extension = (struct server_extension){
            .routes = service->routes,
            .n_routes = clinic_routes_fill(service->routes, settings->clinic_demo != 0),
            .user = context,
            .drain = drain};
        if (open_parts(context, host, &error)) return service;
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
    struct clinic_context *context = &service->context;
    service->is_stopped = true;
    if (context->runs) {
        draft_runs_ask_stop(context->runs);
        draft_runs_join(context->runs);
    }
    if (context->warmer) draft_warmer_stop(context->warmer);
    job_pool_destroy(context->jobs);
    job_pool_destroy(context->logins);
    job_pool_destroy(context->proofs);
}

void clinic_service_close(struct clinic_service *service) {
    if (!service) return;
    struct clinic_context *context = &service->context;
    draft_warmer_destroy(context->warmer);
    draft_runs_destroy(context->runs);
    host_writer_destroy(context->supply.writer);
    chart_shelf_destroy(context->supply.charts);
    login_limit_destroy(context->login_limit);
    login_limit_destroy(context->client_limit);
    cds_clients_close(context->cds_clients);
    title_map_close(context->titles);
    template_set_close(context->supply.templates);
    store_close(context->supply.store);
    free(service);
}
