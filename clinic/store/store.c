// SPDX-License-Identifier: Apache-2.0
// See store.h: the folder, its files and their modes, opening, closing and copying.
#include "clinic/store/store.h"

#include "clinic/store/audit_chain.h"
#include "clinic/store/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SESSION_MINUTES = 15, KEY_LINE_BYTES = 2 * STORE_KEY_BYTES + 1 };

static bool check_folder(struct store *store, bool create, struct clinic_error *error) {
    const char *folder = store->folder;
    struct stat found;
    if (create && mkdir(folder, 0700) != 0 && errno != EEXIST)
        return clinic_fail(error, CLINIC_STORAGE, "the store's folder cannot be made: %s",
                           strerror(errno));
    if (stat(folder, &found) != 0)
        return clinic_fail(error, CLINIC_NOT_FOUND,
                           "the store's folder: %s (xinglin clinic init makes one)",
                           strerror(errno));
    if (!S_ISDIR(found.st_mode))
        return clinic_fail(error, CLINIC_BAD_INPUT, "the store is a folder, this is a file");
    if (found.st_mode & 077)
        return clinic_fail(error, CLINIC_DENIED,
                           "others may enter the store's folder; chmod 700 it");
    store->owner = found.st_uid;
    store->group = found.st_gid;
    return true;
}

void store_give_file(const struct store *store, int fd) {
    if (fd < 0 || geteuid() != 0 || store->owner == 0) return;
    int given = fchown(fd, store->owner, store->group);
    (void)given; // whoever cannot use it will be told when opening it
}

static bool make_file(const struct store *store, struct clinic_error *error) {
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return clinic_fail(error, CLINIC_STORAGE, "a file of the store cannot be made: %s",
                           strerror(errno));
    store_give_file(store, fd);
    close(fd);
    return true;
}

// The whole key or no file: written beside its name first.
static bool make_key(const struct store *store, const char *path, struct clinic_error *error) {
    const char *folder = store->folder;
    unsigned char key[STORE_KEY_BYTES];
    char line[KEY_LINE_BYTES + 1], temporary[STORE_PATH_BYTES + 32];
    if (!bytes_random(key, sizeof key))
        return clinic_fail(error, CLINIC_STORAGE, "this system gives no random numbers");
    hex_write(key, sizeof key, line);
    line[KEY_LINE_BYTES - 1] = '\n';
    snprintf(temporary, sizeof temporary, "%s/launch.key.%ld", folder, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    store_give_file(store, fd);
    bool is_good = fd >= 0 && write(fd, line, KEY_LINE_BYTES) == KEY_LINE_BYTES && fsync(fd) == 0;
    if (fd >= 0) is_good &= close(fd) == 0;
    // link() leaves a key that another process made meanwhile.
    if (is_good) is_good = link(temporary, path) == 0 || errno == EEXIST;
    int why = errno;
    unlink(temporary);
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd >= 0) { // the name, too, is to outlast a loss of power
        fsync(folder_fd);
        close(folder_fd);
    }
    return is_good ||
           clinic_fail(error, CLINIC_STORAGE, "launch.key cannot be written: %s", strerror(why));
}

static bool read_key(struct store *store, bool create, struct clinic_error *error) {
    char path[STORE_PATH_BYTES + 16], line[KEY_LINE_BYTES + 1] = "";
    struct stat found;
    snprintf(path, sizeof path, "%s/launch.key", store->folder);
    if (create && access(path, F_OK) != 0 && !make_key(store, path, error)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line) : -1;
    bool is_private = fd >= 0 && fstat(fd, &found) == 0 && !(found.st_mode & 077);
    if (fd >= 0) close(fd);
    if (n >= 0 && !is_private)
        return clinic_fail(error, CLINIC_DENIED, "others may read launch.key; chmod 600 it");
    if (n >= KEY_LINE_BYTES - 1) line[KEY_LINE_BYTES - 1] = '\0';
    if (n < KEY_LINE_BYTES - 1 || n > KEY_LINE_BYTES ||
        !hex_read(line, store->launch_key, STORE_KEY_BYTES))
        return clinic_fail(error, CLINIC_STORAGE,
                           "launch.key is missing or no key; remove it and run xinglin clinic "
                           "init, then give the new one to the host systems");
    return true;
}

static bool open_parts(struct store *store, bool create, struct clinic_error *error) {
    if (!check_folder(store, create, error)) return false;
    if (create && !make_file(store, error)) return false;
    if (access(store->path, F_OK) != 0)
        return clinic_fail(error, CLINIC_NOT_FOUND,
                           "there is no clinic.db in the folder (xinglin clinic init makes it)");
    if (!database_open(&store->writer, store->path, DATABASE_WRITE, error)) return false;
    if (!schema_prepare(store, create, error) || !schema_read_keys(store, error)) return false;
    if (!database_open(&store->reader, store->path, DATABASE_READ, error)) return false;
    if (!read_key(store, create, error)) return false;
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
    store->head_fd = -1;
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
