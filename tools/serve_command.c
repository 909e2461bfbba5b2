// SPDX-License-Identifier: Apache-2.0
// `xinglin serve`: the HTTP server. Reads the configuration, opens what the server writes to,
// starts loading the model and hands over to the I/O loop, which already answers /health meanwhile.
// With --clinic the clinic's routes are there, too, with or without a model.
#include "clinic/http/clinic_service.h"
#include "server/access_log.h"
#include "server/api_keys.h"
#include "server/audit_log.h"
#include "server/config.h"
#include "server/http_server.h"
#include "server/job_pool.h"
#include "server/json_memory.h"
#include "server/metrics.h"
#include "server/model_host.h"
#include "server/serving_parts.h"
#include "server/structured_output.h"
#include "server/token_texts.h"
#include "tools/commands.h"
#include "tools/terminal.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PREPARE_THREADS = 2, JOBS_MAX = 512, EXIT_USAGE = 2, EXIT_INPUT = 3, MESSAGE_BYTES = 512 };

struct serve {
    const char *command;
    struct http_server server;
    struct model_host host;
    struct api_keys keys;
    struct serving_parts parts;
    struct clinic_service *clinic; // NULL: none
    bool has_keys, has_server, has_host;
    char message[MESSAGE_BYTES];
};

// SIGTERM and SIGINT are read from a descriptor by the I/O loop, so no thread may take them.
static void block_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

// A core dump would hold what patients told.
static void forbid_core(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
}

static bool open_logs(struct serve *serve, const struct server_settings *settings) {
    struct http_server *server = &serve->server;
    if (settings->access_log && *settings->access_log) {
        server->access_log =
            access_log_open(settings->access_log, serve->message, sizeof serve->message);
        if (!server->access_log) return false;
    }
    if (!settings->audit_log) return true;
    server->audit_log = audit_log_open(settings->audit_log, settings->audit_key, serve->message,
                                       sizeof serve->message);
    return server->audit_log != NULL;
}

static void on_model(void *argument) {
    http_server_nudge(argument);
}

static bool open_clinic(struct serve *serve, const struct server_settings *settings) {
    serve->clinic =
        clinic_service_open(settings, &serve->host, serve->message, sizeof serve->message);
    if (!serve->clinic) return false;
    serve->server.extension = clinic_service_extension(serve->clinic);
    return true;
}

static bool open_parts(struct serve *serve, const struct server_settings *settings) {
    struct http_server *server = &serve->server;
    snprintf(serve->message, sizeof serve->message, "out of memory or threads");
    server->metrics = metrics_create();
    serve->parts.grammars = grammar_cache_create();
    serve->parts.texts = token_texts_create();
    server->prepare = job_pool_create(PREPARE_THREADS, JOBS_MAX);
    server->embed = job_pool_create(1, JOBS_MAX);
    server->parts = &serve->parts;
    if (!server->metrics || !serve->parts.grammars || !serve->parts.texts || !server->prepare ||
        !server->embed)
        return false;
    if (settings->api_key_file) {
        serve->has_keys = api_keys_open(&serve->keys, settings->api_key_file, serve->message,
                                        sizeof serve->message);
        if (!serve->has_keys) return false;
        server->keys = &serve->keys;
    }
    if (!open_logs(serve, settings)) return false;
    if (settings->clinic && !open_clinic(serve, settings)) return false;
    serve->has_server = http_server_open(server, serve->message, sizeof serve->message);
    if (!serve->has_server) return false;
    server->host = &serve->host;
    serve->has_host = model_host_open(&serve->host, settings, on_model, server);
    return serve->has_host;
}

// The pools first: their jobs use everything else.
static void close_parts(struct serve *serve) {
    struct http_server *server = &serve->server;
    job_pool_destroy(server->prepare);
    job_pool_destroy(server->embed);
    clinic_service_stop(serve->clinic);
    if (serve->has_host && model_host_state(&serve->host) == MODEL_LOADING) {
        // A load cannot be called off; nothing is half-written by it.
        fflush(NULL);
        _exit(0);
    }
    if (serve->has_server) http_server_close(server);
    clinic_service_close(serve->clinic);
    if (serve->has_host) model_host_close(&serve->host);
    grammar_cache_destroy(serve->parts.grammars);
    token_texts_destroy(serve->parts.texts);
    metrics_destroy(server->metrics);
    access_log_close(server->access_log);
    audit_log_close(server->audit_log);
    if (serve->has_keys) api_keys_close(&serve->keys);
}

static int serve_until_told(struct serve *serve, const struct server_settings *settings) {
    bool is_six = strchr(settings->host, ':') != NULL;
    fprintf(stderr, "%s: listening on %s://%s%s%s:%d\n", serve->command,
            settings->tls_cert ? "https" : "http", is_six ? "[" : "", settings->host,
            is_six ? "]" : "", http_server_port(&serve->server));
    if (http_server_connections_max(&serve->server) < settings->connections)
        fprintf(stderr, "%s: %d connections at most: the system allows no more open files\n",
                serve->command, http_server_connections_max(&serve->server));
    if (http_server_run(&serve->server)) return 0;
    if (model_host_state(&serve->host) == MODEL_FAILED)
        return terminal_fail(serve->command, &serve->host.error);
    fflush(NULL);
    _exit(1); // a second signal: at once
}

static int make_key(const struct config *config, const char *command) {
    char secret[API_KEY_SECRET_BYTES], message[MESSAGE_BYTES];
    if (!config->settings.api_key_file)
        return terminal_fail_text(command, EXIT_USAGE, "--new-key needs --api-key-file FILE");
    if (!api_keys_create(config->settings.api_key_file, config->new_key, config->key_limits, secret,
                         message, sizeof message))
        return terminal_fail_text(command, 1, "%s", message);
    printf("%s\n", secret);
    fprintf(stderr, "This is the only time that the key is shown; %s holds its hash.\n",
            config->settings.api_key_file);
    explicit_bzero(secret, sizeof secret);
    return terminal_finish(command, 0);
}

static int run(const char *command, const struct server_settings *settings) {
    struct serve serve = {.command = command, .server = {.settings = settings}};
    block_signals();
    forbid_core();
    json_memory_watch();
    int exit_status = open_parts(&serve, settings)
                          ? serve_until_told(&serve, settings)
                          : terminal_fail_text(command, EXIT_INPUT, "%s", serve.message);
    close_parts(&serve);
    return exit_status;
}

static int make_prefix_key(const char *command, const char *path) {
    xl_error error;
    if (xl_prefix_key_create(path, &error) != XL_OK) return terminal_fail(command, &error);
    return 0;
}

static int act(struct config *config, enum config_action action, const char *command) {
    switch (action) {
    case CONFIG_MISTAKE:
        return terminal_fail_text(command, EXIT_USAGE, "%s", config->message);
    case CONFIG_HELP:
        config_write_help(stdout, command);
        return terminal_finish(command, 0);
    case CONFIG_VERSION:
        printf("xinglin %s\n", xl_version());
        return terminal_finish(command, 0);
    case CONFIG_PRINT:
        config_write_values(config, stdout);
        return terminal_finish(command, 0);
    case CONFIG_CHECK:
        return 0;
    case CONFIG_NEW_KEY:
        return make_key(config, command);
    case CONFIG_NEW_PREFIX_KEY:
        return make_prefix_key(command, config->new_prefix_key);
    default:
        return run(command, &config->settings);
    }
}

int serve_command(int argc, char **argv) {
    struct config config;
    enum config_action action = config_read(&config, argc, argv);
    int exit_status = act(&config, action, argv[0]);
    config_close(&config);
    return exit_status;
}
