// SPDX-License-Identifier: Apache-2.0
#include "server/api_keys.h"

#include "server/file_digest.h"
#include "server/random_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 512, SECRET_LENGTH_MAX = 256, WORDS_MAX = 8 };

static void hash_secret(const unsigned char salt[32], const char *secret, size_t length,
                        unsigned char hash[32]) {
    unsigned char text[32 + SECRET_LENGTH_MAX];
    memcpy(text, salt, 32);
    memcpy(text + 32, secret, length);
    bytes_digest(text, 32 + length, hash);
    explicit_bzero(text, sizeof text);
}

static bool is_name(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= API_KEY_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static bool read_scopes(const char *text, unsigned *scopes) {
    *scopes = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length == 9 && strncmp(text, "inference", 9) == 0)
            *scopes |= SCOPE_INFERENCE;
        else if (length == 7 && strncmp(text, "metrics", 7) == 0)
            *scopes |= SCOPE_METRICS;
        else if (length == 6 && strncmp(text, "clinic", 6) == 0)
            *scopes |= SCOPE_CLINIC;
        else
            return false;
        text += length + (text[length] == ',');
    }
    return *scopes != 0;
}

static bool read_limit(struct api_key *key, const char *word) {
    const char *value = strchr(word, '=');
    char *end;
    if (!value) return false;
    if (strncmp(word, "scopes=", 7) == 0) return read_scopes(value + 1, &key->scopes);
    double number = strtod(value + 1, &end);
    if (end == value + 1 || *end || !(number >= 1 && number <= 1e12)) return false;
    if (strncmp(word, "rate=", 5) == 0)
        key->rate = number;
    else if (strncmp(word, "tokens=", 7) == 0)
        key->tokens = number;
    else if (strncmp(word, "concurrent=", 11) == 0 && number <= 1e6)
        key->concurrent = (int)number;
    else
        return false;
    return true;
}

static bool read_line(struct api_keys *keys, char *line) {
    char *words[WORDS_MAX];
    size_t n_words = 0;
    for (char *at = line + strspn(line, " \t\r\n"); *at; at += strspn(at, " \t\r\n")) {
        if (n_words == WORDS_MAX) return false;
        words[n_words++] = at;
        at += strcspn(at, " \t\r\n");
        if (*at) *at++ = '\0';
    }
    if (n_words == 0) return true;
    if (n_words < 3 || keys->n_keys == API_KEYS_MAX || !is_name(words[0])) return false;
    struct api_key key = {.scopes = SCOPE_INFERENCE};
    snprintf(key.name, sizeof key.name, "%s", words[0]);
    if (!digest_from_hex(words[1], key.salt) || !digest_from_hex(words[2], key.hash)) return false;
    for (size_t i = 3; i < n_words; i++)
        if (!read_limit(&key, words[i])) return false;
    for (size_t i = 0; i < keys->n_keys; i++)
        if (strcmp(keys->keys[i].name, key.name) == 0) return false;
    key.requests_left = key.rate;
    key.tokens_left = key.tokens;
    keys->keys[keys->n_keys++] = key;
    return true;
}

bool api_keys_open(struct api_keys *keys, const char *path, char *message, size_t message_bytes) {
    char line[LINE_BYTES_MAX];
    *keys = (struct api_keys){.keys = calloc(API_KEYS_MAX, sizeof *keys->keys)};
    FILE *file = keys->keys ? fopen(path, "re") : NULL;
    struct stat status;
    if (!file || fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(message, message_bytes, "cannot read the key file %s: %s", path,
                 file ? "it is no regular file" : strerror(errno));
        if (file) fclose(file);
        api_keys_close(keys);
        return false;
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        snprintf(message, message_bytes,
                 "the key file %s can be written by others, who could add keys; chmod 600 it",
                 path);
        fclose(file);
        api_keys_close(keys);
        return false;
    }
    bool is_good = true;
    int number = 0;
    while (is_good && fgets(line, sizeof line, file)) {
        number++;
        bool is_whole = strchr(line, '\n') || feof(file);
        line[strcspn(line, "#")] = '\0';
        is_good = is_whole && read_line(keys, line);
    }
    fclose(file);
    if (!is_good)
        snprintf(message, message_bytes,
                 "%s:%d: not NAME SALT HASH [scopes=…] [rate=…] [tokens=…] [concurrent=…], or a "
                 "name that is there already",
                 path, number);
    else if (keys->n_keys == 0)
        snprintf(message, message_bytes, "%s: has no keys; make one with --new-key NAME", path);
    if (is_good && keys->n_keys > 0) return true;
    api_keys_close(keys);
    return false;
}

void api_keys_close(struct api_keys *keys) {
    free(keys->keys);
    *keys = (struct api_keys){0};
}

// 0 if equal; takes the same time wherever they differ.
static unsigned difference(const unsigned char *a, const unsigned char *b, size_t n) {
    volatile unsigned all = 0;
    for (size_t i = 0; i < n; i++)
        all |= (unsigned)(a[i] ^ b[i]);
    return all;
}

struct api_key *api_keys_find(struct api_keys *keys, const char *secret) {
    unsigned char hash[32];
    struct api_key *found = NULL;
    size_t length = strnlen(secret, SECRET_LENGTH_MAX + 1);
    if (length > SECRET_LENGTH_MAX) return NULL;
    for (size_t i = 0; i < keys->n_keys; i++) {
        hash_secret(keys->keys[i].salt, secret, length, hash);
        if (difference(hash, keys->keys[i].hash, sizeof hash) == 0) found = &keys->keys[i];
    }
    return found;
}

bool api_key_has_scope(const struct api_key *key, enum key_scope scope) {
    return (key->scopes & scope) != 0;
}

static double refill(double left, double limit, double minutes) {
    double filled = left + limit * minutes;
    return filled < limit ? filled : limit;
}

static bool refuse(struct api_key *key, struct openai_error *error, double wait_minutes,
                   const char *what, double limit) {
    key->n_refused++;
    openai_error_set(error, 429, "rate_limit_exceeded", NULL,
                     "the key's limit of %.0f %s is used up", limit, what);
    error->retry_after = 1 + (int)(60 * wait_minutes);
    return false;
}

bool api_key_admit(struct api_key *key, double now_s, struct openai_error *error) {
    double minutes = key->filled_s > 0 ? (now_s - key->filled_s) / 60 : 1;
    key->filled_s = now_s;
    if (key->rate > 0) key->requests_left = refill(key->requests_left, key->rate, minutes);
    if (key->tokens > 0) key->tokens_left = refill(key->tokens_left, key->tokens, minutes);
    if (key->concurrent > 0 && key->active >= key->concurrent)
        return refuse(key, error, 0, "requests at once", key->concurrent);
    if (key->rate > 0 && key->requests_left < 1)
        return refuse(key, error, (1 - key->requests_left) / key->rate, "requests a minute",
                      key->rate);
    if (key->tokens > 0 && key->tokens_left <= 0)
        return refuse(key, error, -key->tokens_left / key->tokens, "tokens a minute", key->tokens);
    key->requests_left -= 1;
    key->active++;
    key->n_requests++;
    return true;
}

void api_key_leave(struct api_key *key) {
    key->active--;
}

void api_key_charge(struct api_key *key, int prompt_tokens, int generated_tokens) {
    key->prompt_tokens += (uint64_t)prompt_tokens;
    key->generated_tokens += (uint64_t)generated_tokens;
    key->tokens_left -= prompt_tokens + generated_tokens;
}

static bool append_line(const char *path, const char *line, char *message, size_t message_bytes) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    size_t length = strlen(line);
    bool is_written = fd >= 0 && write(fd, line, length) == (ssize_t)length && fsync(fd) == 0;
    if (!is_written)
        snprintf(message, message_bytes, "cannot write the key file %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return is_written;
}

static bool name_is_free(const char *path, const char *name, char *message, size_t message_bytes) {
    struct api_keys keys;
    struct stat status;
    if (stat(path, &status) != 0 || status.st_size == 0) return true;
    if (!api_keys_open(&keys, path, message, message_bytes)) return false;
    bool is_free = keys.n_keys < API_KEYS_MAX;
    for (size_t i = 0; i < keys.n_keys; i++)
        is_free = is_free && strcmp(keys.keys[i].name, name) != 0;
    api_keys_close(&keys);
    if (!is_free) snprintf(message, message_bytes, "%s: has a key named %s already", path, name);
    return is_free;
}

bool api_keys_create(const char *path, const char *name, const char *limits,
                     char secret[API_KEY_SECRET_BYTES], char *message, size_t message_bytes) {
    unsigned char salt[32], hash[32];
    char salt_hex[65], hash_hex[65], line[LINE_BYTES_MAX], check[LINE_BYTES_MAX];
    if (!is_name(name)) {
        snprintf(message, message_bytes, "a key's name has 1 to %d letters, digits, dots, - and _",
                 API_KEY_NAME_MAX);
        return false;
    }
    if (!name_is_free(path, name, message, message_bytes)) return false;
    if (!random_bytes(salt, sizeof salt)) {
        snprintf(message, message_bytes, "the system gives no random numbers");
        return false;
    }
    random_id_write(secret, API_KEY_SECRET_BYTES, "xl-");
    hash_secret(salt, secret, strlen(secret), hash);
    digest_hex(salt, salt_hex);
    digest_hex(hash, hash_hex);
    snprintf(line, sizeof line, "%s %s %s%s%.200s\n", name, salt_hex, hash_hex,
             limits && *limits ? " " : "", limits ? limits : "");
    struct api_key one;
    struct api_keys keys = {.keys = &one};
    snprintf(check, sizeof check, "%s", line);
    if (!read_line(&keys, check) || (limits && strpbrk(limits, "\n\r#"))) {
        snprintf(message, message_bytes,
                 "the key's limits are not scopes=…, rate=…, tokens=…, "
                 "concurrent=…");
        return false;
    }
    return append_line(path, line, message, message_bytes);
}
