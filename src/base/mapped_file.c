// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status map_descriptor(struct mapped_file *file, int fd, const char *path,
                                  struct error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set(err, STATUS_FAILED, "%s: cannot stat: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, STATUS_BAD_INPUT, "%s: not a regular file", path);
    file->identity = (struct file_identity){
        .device = (uint64_t)info.st_dev,
        .inode = (uint64_t)info.st_ino,
        .size_bytes = (uint64_t)info.st_size,
        .modified_s = (int64_t)info.st_mtim.tv_sec,
        .modified_ns = (int64_t)info.st_mtim.tv_nsec,
    };
    if (info.st_size == 0) return STATUS_OK;
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return error_set(err, STATUS_FAILED, "%s: cannot map: %s", path, strerror(errno));
    file->data = data;
    file->size_bytes = (size_t)info.st_size;
    return STATUS_OK;
}

enum status mapped_file_open(struct mapped_file *file, const char *path, struct error *err) {
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool of_the_path = errno == EACCES || errno == ELOOP || errno == ENAMETOOLONG;
        enum status status = errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND
                             : of_the_path                       ? STATUS_BAD_INPUT
                                                                 : STATUS_FAILED;
        return error_set(err, status, "%s: cannot open: %s", path, strerror(errno));
    }
    enum status status = map_descriptor(file, fd, path, err);
    close(fd);
    return status;
}

void mapped_file_close(struct mapped_file *file) {
    if (file->data) munmap((void *)file->data, file->size_bytes);
    memset(file, 0, sizeof *file);
}

void mapped_file_release(const struct mapped_file *file, size_t offset_bytes, size_t size_bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (offset_bytes + page - 1) / page * page;
    size_t end = (offset_bytes + size_bytes) / page * page;
    if (end > file->size_bytes) end = file->size_bytes / page * page;
    if (file->data && begin < end)
        madvise((void *)(file->data + begin), end - begin, MADV_DONTNEED);
}
