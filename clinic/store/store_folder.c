// SPDX-License-Identifier: Apache-2.0
// See store_folder.h.
#include "clinic/store/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_LINE_BYTES = 2 * STORE_KEY_BYTES + 1 };

bool folder_check(struct store *store, bool create, struct clinic_error *error) {
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

void folder_give_file(const struct store *store, int fd) {
    if (fd < 0 || geteuid() != 0 || store->owner == 0) return;
    int given = fchown(fd, store->owner, store->group);
    (void)given; // whoever cannot use it will be told when opening it
}

bool folder_make_database(const struct store *store, struct clinic_error *error) {
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return clinic_fail(error, CLINIC_STORAGE, "a file of the store cannot be made: %s",
                           strerror(errno));
    folder_give_file(store, fd);
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
    folder_give_file(store, fd);
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

bool folder_read_key(struct store *store, bool create, struct clinic_error *error) {
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

int folder_lock(const struct store *store, struct clinic_error *error) {
    char path[STORE_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/serve.lock", store->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    folder_give_file(store, fd);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        clinic_fail(error, CLINIC_BUSY, "another server serves this store");
    else
        clinic_fail(error, CLINIC_STORAGE, "serve.lock of the store: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}
