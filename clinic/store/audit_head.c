// SPDX-License-Identifier: Apache-2.0
// The file audit.head (see audit_chain.h): one line of fixed length, "NUMBER HASH", written in
// place. It is not synced: after a loss of power it may be older than the database, and that is
// allowed; only a head that is newer than the database, or says something else, is a fault.
#include "clinic/store/audit_chain.h"
#include "clinic/store/store_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_DIGITS = 20, LINE_BYTES = NUMBER_DIGITS + 1 + 2 * SHA256_BYTES + 1 };

static bool head_parse(const char *line, struct audit_head *head) {
    char hex[SHA256_HEX_BYTES];
    for (int i = 0; i < NUMBER_DIGITS; i++)
        if (line[i] < '0' || line[i] > '9') return false;
    if (line[NUMBER_DIGITS] != ' ' || line[LINE_BYTES - 1] != '\n') return false;
    head->seq = strtoll(line, NULL, 10);
    memcpy(hex, line + NUMBER_DIGITS + 1, sizeof hex - 1);
    hex[sizeof hex - 1] = '\0';
    return hex_read(hex, head->hash, SHA256_BYTES);
}

enum head_state audit_head_read(const struct store *store, struct audit_head *head) {
    char line[LINE_BYTES + 1];
    if (store->head_fd < 0) return HEAD_ABSENT;
    ssize_t n = pread(store->head_fd, line, sizeof line, 0);
    if (n == 0) return HEAD_ABSENT;
    return n == LINE_BYTES && head_parse(line, head) ? HEAD_READ : HEAD_UNREADABLE;
}

static bool is_in_database(struct store *store, const struct audit_head *head) {
    sqlite3_stmt *query =
        database_query(&store->writer, NULL, "SELECT 1 FROM audit WHERE seq=? AND hash=?", "ib",
                       head->seq, (const void *)head->hash, SHA256_BYTES);
    bool is_in = query && database_step(&store->writer, query, NULL) == STEP_ROW;
    sqlite3_finalize(query);
    return is_in;
}

void audit_head_open(struct store *store) {
    char path[STORE_PATH_BYTES + 16];
    struct audit_head head;
    snprintf(path, sizeof path, "%s/audit.head", store->folder);
    store->head_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    folder_give_file(store, store->head_fd);
    enum head_state state = audit_head_read(store, &head);
    store->is_head_frozen = state == HEAD_UNREADABLE ||
                            (state == HEAD_READ && head.seq > 0 && !is_in_database(store, &head));
}

void audit_head_write(struct store *store) {
    char hex[SHA256_HEX_BYTES], line[LINE_BYTES + 1];
    if (store->head_fd < 0 || store->is_head_frozen) return;
    hex_write(store->last_hash, SHA256_BYTES, hex);
    snprintf(line, sizeof line, "%0*lld %s\n", NUMBER_DIGITS, (long long)store->last_seq, hex);
    // A head that could not be written lags, as after a crash.
    ssize_t written = pwrite(store->head_fd, line, LINE_BYTES, 0);
    (void)written;
}
