// SPDX-License-Identifier: Apache-2.0
// See store.h: opening and closing.
#include "clinic/store/store.h"

#include "clinic/store/audit_chain.h"
#include "clinic/store/store_folder.h"
#include "clinic/store/store_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SESSION_MINUTES = 15 };

static bool open_parts(struct store *store, bool create, struct clinic_error *error) {
    if (!folder_check(store, create, error)) return false;
    if (create && !folder_make_database(store, error)) return false;
    if (access(store->path, F_OK) != 0)
        return clinic_fail(error, CLINIC_NOT_FOUND,
                           "there is no clinic.db in the folder (xinglin clinic init makes it)");
    if (!database_open(&store->writer, store->path, DATABASE_WRITE, error)) return false;
    if (!schema_prepare(store, create, error) || !schema_read_keys(store, error)) return false;
    if (!database_open(&store->reader, store->path, DATABASE_READ, error)) return false;
    if (!folder_read_key(store, create, error)) return false;
    audit_head_open(store);
    return true;
}

struct store *store_open(const char *folder, bool create, struct clinic_error *error) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        clinic_fail_memory(error);
        return NULL;
    }
    pthread_mutex_init(&store->waiting_mutex, NULL); // cannot fail with default attributes
    store->session_seconds = SESSION_MINUTES * 60;
    store->head_fd = store->lock_fd = -1;
    size_t length = (size_t)snprintf(store->folder, sizeof store->folder, "%s", folder);
    snprintf(store->path, sizeof store->path, "%s/clinic.db", store->folder);
    bool is_good = length > 0 && length < sizeof store->folder;
    if (!is_good) clinic_fail(error, CLINIC_BAD_INPUT, "the folder's name is empty or too long");
    if (is_good && open_parts(store, create, error)) return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store) {
    if (!store) return;
    database_close(&store->reader);
    database_close(&store->writer); // the last: brings the log into the database
    if (store->head_fd >= 0) close(store->head_fd);
    if (store->lock_fd >= 0) close(store->lock_fd);
    pthread_mutex_destroy(&store->waiting_mutex);
    bytes_wipe(store, sizeof *store);
    free(store);
}

const unsigned char *store_launch_key(const struct store *store) {
    return store->launch_key;
}

void store_set_clock(struct store *store, int64_t (*now_ms)(void *user), void *user) {
    store->now_ms = now_ms;
    store->clock_user = user;
}

bool store_serve(struct store *store, struct clinic_error *error) {
    store->lock_fd = folder_lock(store, error);
    return store->lock_fd >= 0;
}
