// SPDX-License-Identifier: Apache-2.0
#include "server/audit_log.h"

#include "server/access_log.h"
#include "server/api_keys.h"
#include "server/clock_seconds.h"
#include "server/exchange.h"
#include "server/file_digest.h"
#include "server/http_server.h"
#include "server/model_host.h"
#include "server/route_table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 1024, TAIL_BYTES = 8192, RETRY_SECONDS = 1 };
enum { REFUSED_BURST = 20, REFUSED_A_MINUTE = 60 };

struct audit_log {
    int fd;
    unsigned char key[KEY_BYTES_MAX];
    size_t key_bytes;
    char chain[DIGEST_HEX_BYTES]; // digest of the last line
    bool is_well;
    double failed_s;
    int64_t size;            // behind the last whole line
    pthread_mutex_t writing; // of the four above: requests begin in jobs and end in the I/O thread
    double refused_left, refused_s; // lines about refused keys that may be written, as of when
    int64_t n_unrecorded;           // refused keys since the last line about one
    // Lines reach the disk in a thread of their own: a sync takes longer than a probe may.
    pthread_t syncer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool dirty, ends, has_syncer;
    bool is_lost; // lines were written, but did not reach the disk
};

static void *sync_lines(void *argument) {
    struct audit_log *log = argument;
    pthread_mutex_lock(&log->mutex);
    while (!log->ends || log->dirty) {
        while (!log->dirty && !log->ends)
            pthread_cond_wait(&log->changed, &log->mutex);
        log->dirty = false;
        pthread_mutex_unlock(&log->mutex);
        bool is_lost = fdatasync(log->fd) != 0 && errno != EINVAL && errno != EROFS; // a pipe
        pthread_mutex_lock(&log->mutex);
        log->is_lost = log->is_lost || is_lost;
    }
    pthread_mutex_unlock(&log->mutex);
    return NULL;
}

static bool read_key(struct audit_log *log, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool is_private = fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & S_IRWXO) == 0;
    ssize_t n = is_private ? read(fd, log->key, sizeof log->key) : -1;
    if (fd >= 0) close(fd);
    log->key_bytes = n > 0 ? (size_t)n : 0;
    return n >= 16;
}

// Goes on from the last line of a file that is there. A line cut by a crash is ended first.
static bool take_up(struct audit_log *log) {
    char tail[TAIL_BYTES];
    struct stat status;
    if (fstat(log->fd, &status) != 0) return false;
    if (!S_ISREG(status.st_mode)) return true;                // a pipe to a collector
    if (flock(log->fd, LOCK_EX | LOCK_NB) != 0) return false; // two would break the chain
    log->size = status.st_size;
    off_t from = status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0;
    ssize_t n = pread(log->fd, tail, sizeof tail, from);
    if (n < 0) return false;
    if (n == 0) return true;
    if (tail[n - 1] != '\n') {
        if (write(log->fd, "\n", 1) != 1) return false;
        log->size++;
        if (n == TAIL_BYTES) memmove(tail, tail + 1, (size_t)--n);
        tail[n++] = '\n';
    }
    ssize_t start = n - 1;
    while (start > 0 && tail[start - 1] != '\n')
        start--;
    text_digest(tail + start, (size_t)(n - start), log->chain);
    return true;
}

struct audit_log *audit_log_open(const char *path, const char *key_path, char *message,
                                 size_t message_bytes) {
    struct audit_log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    log->is_well = true;
    log->refused_left = REFUSED_BURST;
    log->refused_s = clock_seconds();
    pthread_mutex_init(&log->writing, NULL);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->changed, NULL);
    log->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log->fd < 0 || !take_up(log))
        snprintf(message, message_bytes, "cannot write the audit log %s: %s", path,
                 errno == EWOULDBLOCK ? "another process writes to it" : strerror(errno));
    else if (key_path && !read_key(log, key_path))
        snprintf(message, message_bytes,
                 "%s: an audit key has 16 bytes or more that not everybody may read (chmod 600)",
                 key_path);
    else if (pthread_create(&log->syncer, NULL, sync_lines, log) != 0)
        snprintf(message, message_bytes, "no thread for the audit log");
    else {
        log->has_syncer = true;
        return log;
    }
    audit_log_close(log);
    return NULL;
}

void audit_log_close(struct audit_log *log) {
    if (!log) return;
    if (log->has_syncer) {
        pthread_mutex_lock(&log->mutex);
        log->ends = true;
        pthread_cond_signal(&log->changed);
        pthread_mutex_unlock(&log->mutex);
        pthread_join(log->syncer, NULL);
    }
    if (log->fd >= 0) close(log->fd);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    pthread_mutex_destroy(&log->writing);
    explicit_bzero(log->key, sizeof log->key);
    free(log);
}

static void append(struct audit_log *log, const char *line, size_t n_bytes) {
    ssize_t n = write(log->fd, line, n_bytes);
    log->is_well = n == (ssize_t)n_bytes;
    if (!log->is_well) {
        // Half a line would break the chain.
        if (n > 0 && ftruncate(log->fd, log->size) != 0) log->is_well = false;
        log->failed_s = clock_seconds();
        return;
    }
    log->size += n;
    text_digest(line, n_bytes, log->chain);
    pthread_mutex_lock(&log->mutex);
    log->dirty = true;
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

static void begin_line(struct json_writer *line, const struct exchange *exchange,
                       const char *event) {
    char when[LOG_TIME_BYTES];
    log_time_write(when);
    put_open(line, '{');
    put_key_text(line, "time", when);
    put_key_text(line, "event", event);
    put_key_text(line, "request", exchange->id);
    put_key_text(line, "key", exchange->key ? exchange->key->name : NULL);
    put_key_text(line, "address", exchange->address);
    put_key_text(line, "route", exchange->route->path);
}

static void put_question(struct json_writer *line, const struct audit_log *log,
                         const struct exchange *exchange) {
    const char *digest = exchange->usage.prompt_digest;
    put_key_text(line, "model", exchange->server->host->name);
    put_key_text(line, "model_sha256", exchange->server->host->model_sha256);
    put_key_text(line, log->key_bytes ? "prompt_hmac_sha256" : "prompt_sha256",
                 digest[0] ? digest : NULL);
}

// False: it was not written. For want of memory alone, what has not happened yet can be refused,
// and the log stays well.
static bool end_line(struct audit_log *log, struct json_writer *line, bool has_happened) {
    pthread_mutex_lock(&log->writing);
    put_key_text(line, "chain", log->chain);
    put_close(line, '}');
    put_raw(line, "\n", 1);
    if (line->failed)
        log->is_well = log->is_well && !has_happened;
    else
        append(log, line->data, line->size);
    bool is_written = !line->failed && log->is_well;
    pthread_mutex_unlock(&log->writing);
    return is_written;
}

bool audit_log_begin(struct exchange *exchange) {
    struct audit_log *log = exchange->server->audit_log;
    struct json_writer line = {0};
    if (!log) return true;
    begin_line(&line, exchange, "begun");
    put_question(&line, log, exchange);
    bool is_written = end_line(log, &line, false), is_lost = line.failed;
    writer_free(&line);
    if (is_written) return true;
    if (is_lost) return openai_error_no_memory(&exchange->error);
    return openai_error_set(&exchange->error, 503, "audit_unavailable", NULL,
                            "the server cannot write its audit log, so it takes no work");
}

void audit_log_end(struct audit_log *log, const struct exchange *exchange, bool is_cut) {
    struct json_writer line = {0};
    const struct exchange_usage *usage = &exchange->usage;
    begin_line(&line, exchange, "ended");
    put_question(&line, log, exchange);
    put_key_int(&line, "status", exchange->http_status);
    put_key_int(&line, "prompt_tokens", usage->prompt_tokens);
    put_key_int(&line, "generated_tokens", usage->generated_tokens);
    put_key_text(&line, "finish", is_cut ? "cut" : usage->finish);
    end_line(log, &line, true);
    writer_free(&line);
}

void audit_log_refuse(struct audit_log *log, const struct exchange *exchange) {
    struct json_writer line = {0};
    double now_s = clock_seconds();
    log->refused_left += (now_s - log->refused_s) * REFUSED_A_MINUTE / 60;
    if (log->refused_left > REFUSED_BURST) log->refused_left = REFUSED_BURST;
    log->refused_s = now_s;
    if (log->refused_left < 1) {
        log->n_unrecorded++;
        return;
    }
    log->refused_left--;
    begin_line(&line, exchange, "refused");
    put_key_int(&line, "status", exchange->http_status);
    put_key_int(&line, "unrecorded", log->n_unrecorded);
    log->n_unrecorded = end_line(log, &line, true) ? 0 : log->n_unrecorded + 1;
    writer_free(&line);
}

static bool take_loss(struct audit_log *log) {
    pthread_mutex_lock(&log->mutex);
    bool is_lost = log->is_lost;
    log->is_lost = false;
    pthread_mutex_unlock(&log->mutex);
    return is_lost;
}

bool audit_log_is_well(struct audit_log *log) {
    bool is_lost = take_loss(log);
    pthread_mutex_lock(&log->writing);
    if (is_lost) {
        log->is_well = false;
        log->failed_s = clock_seconds();
    }
    if (!log->is_well && clock_seconds() > log->failed_s + RETRY_SECONDS) {
        char when[LOG_TIME_BYTES], line[160];
        log_time_write(when);
        int n = snprintf(line, sizeof line, "{\"time\":\"%s\",\"gap\":true,\"chain\":\"%s\"}\n",
                         when, log->chain);
        append(log, line, (size_t)n);
    }
    bool is_well = log->is_well;
    pthread_mutex_unlock(&log->writing);
    return is_well;
}

void audit_log_digest(const struct audit_log *log, const void *bytes, size_t n_bytes, char *hex) {
    if (log->key_bytes)
        keyed_digest(log->key, log->key_bytes, bytes, n_bytes, hex);
    else
        text_digest(bytes, n_bytes, hex);
}
