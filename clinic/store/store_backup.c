// SPDX-License-Identifier: Apache-2.0
// A copy of the database while others work (see store.h). The copy is made beside its name, synced
// and then renamed.
#include "clinic/store/store_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000 };

static bool copy_pages(struct database *source, const char *path, struct clinic_error *error) {
    struct database target = {0};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3_backup *backup = NULL;
    int status = sqlite3_open_v2(path, &target.handle, flags, NULL);
    if (status == SQLITE_OK)
        backup = sqlite3_backup_init(target.handle, "main", source->handle, "main");
    sqlite3_busy_timeout(target.handle, BUSY_MS);
    // All pages in one step are one state of the source; writers are not in the way of the log.
    if (backup) {
        status = sqlite3_backup_step(backup, -1);
        sqlite3_backup_finish(backup);
    }
    bool is_good = backup && status == SQLITE_DONE;
    if (!is_good) database_fail(&target, error);
    // One file, which needs nothing beside it.
    if (is_good && !database_script(&target, "PRAGMA journal_mode=DELETE", error)) is_good = false;
    sqlite3_close(target.handle);
    return is_good;
}

static bool sync_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return is_good;
}

static bool copy_to(struct store *store, const char *temporary, const char *path,
                    struct clinic_error *error) {
    struct database source;
    if (!database_open(&source, store->path, DATABASE_READ, error)) return false;
    bool is_good = copy_pages(&source, temporary, error);
    database_close(&source);
    if (!is_good) return false;
    // link() does not take the place of a file that is there.
    if (sync_file(temporary) && link(temporary, path) == 0) return true;
    return clinic_fail(error, errno == EEXIST ? CLINIC_CONFLICT : CLINIC_STORAGE,
                       "the backup cannot be given its name: %s", strerror(errno));
}

bool store_backup(struct store *store, const char *path, struct clinic_error *error) {
    char temporary[STORE_PATH_BYTES + 32];
    if (access(path, F_OK) == 0)
        return clinic_fail(error, CLINIC_CONFLICT, "the backup's file exists; name another");
    int length = snprintf(temporary, sizeof temporary, "%s.%ld.part", path, (long)getpid());
    if (length >= (int)sizeof temporary)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the file's name is too long");
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return clinic_fail(error, CLINIC_STORAGE, "the backup cannot be written: %s",
                           strerror(errno));
    close(fd);
    bool is_good = copy_to(store, temporary, path, error);
    unlink(temporary);
    return is_good;
}
