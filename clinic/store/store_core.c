// SPDX-License-Identifier: Apache-2.0
// See store_core.h.
#include "clinic/store/store_core.h"

#include "clinic/store/audit_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t store_now_ms(const struct store *store) {
    if (store->now_ms) return store->now_ms(store->clock_user);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool change_open(struct store *store, struct clinic_error *error) {
    store->last_seq = 0;
    return database_script(&store->writer, "BEGIN IMMEDIATE", error);
}

bool change_close(struct store *store, bool is_good, struct clinic_error *error) {
    if (is_good) is_good = database_script(&store->writer, "COMMIT", error);
    // A failed statement may have ended the transaction already.
    if (!is_good && !sqlite3_get_autocommit(store->writer.handle))
        database_script(&store->writer, "ROLLBACK", NULL);
    if (is_good && store->last_seq > 0) audit_head_write(store);
    return is_good;
}

bool change_begin(struct store *store, struct clinic_error *error) {
    pthread_mutex_lock(&store->writer.mutex);
    if (change_open(store, error)) return true;
    pthread_mutex_unlock(&store->writer.mutex);
    return false;
}

bool change_end(struct store *store, bool is_good, struct clinic_error *error) {
    is_good = change_close(store, is_good, error);
    pthread_mutex_unlock(&store->writer.mutex);
    return is_good;
}

bool reading_begin(struct store *store, struct clinic_error *error) {
    pthread_mutex_lock(&store->reader.mutex);
    if (database_script(&store->reader, "BEGIN", error)) return true;
    pthread_mutex_unlock(&store->reader.mutex);
    return false;
}

bool reading_end(struct store *store, bool is_good) {
    database_script(&store->reader, "ROLLBACK", NULL);
    pthread_mutex_unlock(&store->reader.mutex);
    return is_good;
}

bool reading_list(struct store *store,
                  bool (*fill)(struct store *store, const void *of, json_t *list,
                               struct clinic_error *error),
                  const void *of, json_t **list, struct clinic_error *error) {
    *list = NULL;
    json_t *made = json_array();
    if (!kept_ready(made, error)) return false;
    bool is_good = reading_begin(store, error) && reading_end(store, fill(store, of, made, error));
    if (is_good) *list = made;
    if (!is_good) json_decref(made);
    return is_good;
}

struct text_buffer {
    char *bytes;
    size_t n_bytes, capacity;
    bool is_lost;
};

static int take_piece(const char *piece, size_t n_bytes, void *user) {
    struct text_buffer *text = user;
    if (text->n_bytes + n_bytes >= text->capacity) {
        size_t capacity = 2 * (text->n_bytes + n_bytes) + 256;
        char *bytes = realloc(text->bytes, capacity);
        if (!bytes) {
            text->is_lost = true;
            return -1;
        }
        text->bytes = bytes;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->n_bytes, piece, n_bytes);
    text->n_bytes += n_bytes;
    return 0;
}

// json_dumps() of jansson 2.14 leaves a member's name out if memory fails at it, and goes on.
char *kept_text(const json_t *value, struct clinic_error *error) {
    struct text_buffer text = {0};
    int status = json_dump_callback(value, take_piece, &text,
                                    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (status == 0 && !text.is_lost && text.bytes) {
        text.bytes[text.n_bytes] = '\0';
        return text.bytes;
    }
    free(text.bytes);
    clinic_fail_memory(error);
    return NULL;
}

// The parser does not tell when it was out of memory: it may drop a letter and go on. Every text
// here is in one form, so what was read must give the same text again.
json_t *kept_value(const char *text, struct clinic_error *error) {
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!value) { // its digest was proven: it is JSON
        clinic_fail_memory(error);
        return NULL;
    }
    char *again = kept_text(value, error);
    bool is_same = again && strcmp(again, text) == 0;
    free(again);
    if (is_same) return value;
    clinic_fail_memory(error);
    json_decref(value);
    return NULL;
}

bool kept_ready(const json_t *value, struct clinic_error *error) {
    return value ? true : clinic_fail_memory(error);
}

bool id_check(const char *id, size_t max_bytes, const char *what, struct clinic_error *error) {
    size_t length = id ? strlen(id) : 0;
    if (length == 0 || length > max_bytes)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%s is empty or longer than %zu bytes", what,
                           max_bytes);
    if (strspn(id, ".") == length) // in a path it would mean another place
        return clinic_fail(error, CLINIC_BAD_INPUT, "%s has nothing but dots", what);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)id[i] < ' ' || id[i] == 0x7f || id[i] == '/')
            return clinic_fail(error, CLINIC_BAD_INPUT,
                               "%s has a control character or a / at byte %zu", what, i);
    return true;
}

void id_make(char id[STORE_ID_BYTES], char letter) {
    unsigned char bytes[16] = {0};
    bytes_random(bytes, sizeof bytes);
    id[0] = letter;
    base64url_write(bytes, sizeof bytes, id + 1);
}

void time_write(int64_t ms, char text[32]) {
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm parts;
    if (!gmtime_r(&seconds, &parts)) memset(&parts, 0, sizeof parts);
    size_t n = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, 32 - n, ".%03dZ", (int)(ms - (int64_t)seconds * 1000));
}
