// SPDX-License-Identifier: Apache-2.0
#include "server/access_log.h"

#include "server/api_keys.h"
#include "server/clock_seconds.h"
#include "server/exchange.h"
#include "server/route_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct access_log {
    int fd;
    bool is_own;
};

struct access_log *access_log_open(const char *path, char *message, size_t message_bytes) {
    struct access_log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    log->is_own = strcmp(path, "-") != 0;
    log->fd =
        log->is_own ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : STDERR_FILENO;
    if (log->fd >= 0) return log;
    snprintf(message, message_bytes, "cannot write the log %s: %s", path, strerror(errno));
    free(log);
    return NULL;
}

void access_log_close(struct access_log *log) {
    if (!log) return;
    if (log->is_own) close(log->fd);
    free(log);
}

void log_time_write(char text[LOG_TIME_BYTES]) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t n = strftime(text, LOG_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, LOG_TIME_BYTES - n, ".%03ldZ", now.tv_nsec / 1000000);
}

void access_log_write(struct access_log *log, const struct exchange *exchange, bool is_cut) {
    char line[512], when[LOG_TIME_BYTES];
    log_time_write(when);
    int n = snprintf(line, sizeof line, "%s %s %s %s %s %d %llu B %.1f ms %d+%d tokens %s%s\n",
                     when, exchange->address[0] ? exchange->address : "-",
                     exchange->key ? exchange->key->name : "-", exchange->method,
                     exchange->route ? exchange->route->path : "-", exchange->http_status,
                     (unsigned long long)exchange->sent_bytes,
                     1e3 * (clock_seconds() - exchange->began_s), exchange->usage.prompt_tokens,
                     exchange->usage.generated_tokens, exchange->id, is_cut ? " cut" : "");
    if (n > 0 && write(log->fd, line, (size_t)n) < 0) return; // a full disk stops no answers
}
