// SPDX-License-Identifier: Apache-2.0
// See atomic_file.h. O_TMPFILE gives a file without a name; linkat() names it. linkat cannot
// replace, so the finished file is linked under a temporary name for the instant before rename().
#define _GNU_SOURCE // O_TMPFILE
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, NUMBER_BYTES_MAX = 48, NAMES_TRIED = 100 };

struct atomic_file {
    int fd;
    bool nameless; // O_TMPFILE worked: no temporary name exists yet
    char *path;
    char *temporary_path;
    char *directory;
    uint8_t *buffer;
    size_t buffered_bytes;
    uint64_t flushed_bytes;
    enum status failed;
};

static void destroy(struct atomic_file *file) {
    if (file->fd >= 0) close(file->fd);
    free(file->path);
    free(file->temporary_path);
    free(file->directory);
    free(file->buffer);
    free(file);
}

static enum status system_error(struct error *err, const char *path, const char *what) {
    int code = errno;
    enum status status = code == ENOSPC || code == EDQUOT || code == EFBIG ? STATUS_NO_SPACE
                         : code == ENOENT || code == ENOTDIR               ? STATUS_NOT_FOUND
                                                                           : STATUS_FAILED;
    const char *hint = status == STATUS_NO_SPACE ? "; free some space and run again" : "";
    return error_set(err, status, "%s: cannot %s: %s%s", path, what, strerror(code), hint);
}

// A new temporary name: other threads of this process write too, and in another container another
// process may have our number. So a name is only taken where there is no such file yet.
static void name_temporary(struct atomic_file *file) {
    static atomic_uint counter;
    size_t length = strlen(file->path);
    snprintf(file->temporary_path, length + NUMBER_BYTES_MAX, "%s.%ld.%u.tmp", file->path,
             (long)getpid(), atomic_fetch_add(&counter, 1));
}

static int create_temporary(struct atomic_file *file) {
    int fd = -1;
    for (int i = 0; i < NAMES_TRIED; i++) {
        fd = open(file->temporary_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) break;
        name_temporary(file);
    }
    return fd;
}

static bool set_paths(struct atomic_file *file, const char *path) {
    size_t length = strlen(path);
    file->path = strdup(path);
    file->temporary_path = malloc(length + NUMBER_BYTES_MAX);
    file->directory = strdup(path);
    file->buffer = malloc(BUFFER_BYTES);
    if (!file->path || !file->temporary_path || !file->directory || !file->buffer) return false;
    name_temporary(file);
    char *slash = strrchr(file->directory, '/');
    if (!slash)
        snprintf(file->directory, length + 1, "%s", ".");
    else if (slash == file->directory)
        slash[1] = '\0';
    else
        *slash = '\0';
    return true;
}

enum status atomic_file_create(struct atomic_file **result, const char *path, struct error *err) {
    *result = NULL;
    if (!*path) return error_set(err, STATUS_USAGE, "the output file has an empty name");
    struct atomic_file *file = calloc(1, sizeof *file);
    if (!file) return error_no_memory(err, "an output file", sizeof *file);
    file->fd = -1;
    if (!set_paths(file, path)) {
        destroy(file);
        return error_no_memory(err, "an output file", BUFFER_BYTES);
    }
    file->fd = open(file->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    file->nameless = file->fd >= 0;
    if (!file->nameless) file->fd = create_temporary(file);
    if (file->fd < 0) {
        enum status status = system_error(err, path, "create");
        destroy(file);
        return status;
    }
    *result = file;
    return STATUS_OK;
}

static enum status write_all(struct atomic_file *file, const uint8_t *data, size_t size_bytes,
                             uint64_t offset_bytes, struct error *err) {
    while (size_bytes > 0) {
        ssize_t n = pwrite(file->fd, data, size_bytes, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = ENOSPC;
            return file->failed = system_error(err, file->path, "write");
        }
        data += n;
        size_bytes -= (size_t)n;
        offset_bytes += (uint64_t)n;
    }
    return STATUS_OK;
}

static enum status flush(struct atomic_file *file, struct error *err) {
    TRY(write_all(file, file->buffer, file->buffered_bytes, file->flushed_bytes, err));
    file->flushed_bytes += file->buffered_bytes;
    file->buffered_bytes = 0;
    return STATUS_OK;
}

enum status atomic_file_write(struct atomic_file *file, const void *data, size_t size_bytes,
                              struct error *err) {
    if (file->failed)
        return error_set(err, file->failed, "%s: an earlier write failed", file->path);
    const uint8_t *bytes = data;
    if (file->buffered_bytes + size_bytes > BUFFER_BYTES) TRY(flush(file, err));
    if (size_bytes >= BUFFER_BYTES) {
        TRY(write_all(file, bytes, size_bytes, file->flushed_bytes, err));
        file->flushed_bytes += size_bytes;
        return STATUS_OK;
    }
    if (size_bytes) memcpy(file->buffer + file->buffered_bytes, bytes, size_bytes);
    file->buffered_bytes += size_bytes;
    return STATUS_OK;
}

enum status atomic_file_write_at(struct atomic_file *file, uint64_t offset_bytes, const void *data,
                                 size_t size_bytes, struct error *err) {
    if (file->failed)
        return error_set(err, file->failed, "%s: an earlier write failed", file->path);
    if (size_bytes > atomic_file_offset(file) ||
        offset_bytes > atomic_file_offset(file) - size_bytes)
        return error_set(err, STATUS_USAGE, "%s: write past the end at %llu", file->path,
                         (unsigned long long)offset_bytes);
    TRY(flush(file, err));
    return write_all(file, data, size_bytes, offset_bytes, err);
}

int atomic_file_descriptor(const struct atomic_file *file) {
    return file->fd;
}

uint64_t atomic_file_offset(const struct atomic_file *file) {
    return file->flushed_bytes + file->buffered_bytes;
}

// Gives a nameless file its temporary name. /proc/self/fd works without privileges.
static bool link_temporary(struct atomic_file *file) {
    char descriptor[64];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", file->fd);
    for (int i = 0; i < NAMES_TRIED; i++) {
        if (linkat(AT_FDCWD, descriptor, AT_FDCWD, file->temporary_path, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST) break;
        name_temporary(file);
    }
    return false;
}

static void sync_directory(const char *directory) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd); // a failure here cannot undo the rename; the file itself is already synced
    close(fd);
}

static enum status finish(struct atomic_file *file, bool sync, struct error *err) {
    TRY(flush(file, err));
    if (sync && fsync(file->fd) != 0) return system_error(err, file->path, "sync");
    if (file->nameless) {
        if (!link_temporary(file)) return system_error(err, file->path, "name");
        file->nameless = false;
    }
    if (rename(file->temporary_path, file->path) != 0)
        return system_error(err, file->path, "rename into place");
    if (sync) sync_directory(file->directory);
    return STATUS_OK;
}

static enum status commit(struct atomic_file *file, bool sync, struct error *err) {
    enum status status = file->failed;
    if (status)
        error_set(err, status, "%s: an earlier write failed", file->path);
    else
        status = finish(file, sync, err);
    if (status != STATUS_OK && !file->nameless) unlink(file->temporary_path);
    destroy(file);
    return status;
}

enum status atomic_file_commit(struct atomic_file *file, struct error *err) {
    return commit(file, true, err);
}

enum status atomic_file_commit_unsynced(struct atomic_file *file, struct error *err) {
    return commit(file, false, err);
}

void atomic_file_abort(struct atomic_file *file) {
    if (!file) return;
    if (!file->nameless) unlink(file->temporary_path);
    destroy(file);
}
