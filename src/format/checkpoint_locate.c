// SPDX-License-Identifier: Apache-2.0
// See checkpoint_locate.h. A file's format is told by its first bytes, not by its name; in a
// directory the names that Hugging Face uses come first.
#include "format/checkpoint_locate.h"

#include "format/json_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct known_name {
    const char *name;
    enum checkpoint_format format;
    bool is_index;
};

static const struct known_name known_names[] = {
    {"model.safetensors", CHECKPOINT_SAFETENSORS, false},
    {"model.safetensors.index.json", CHECKPOINT_SAFETENSORS, true},
    {"pytorch_model.bin", CHECKPOINT_TORCH, false},
    {"pytorch_model.bin.index.json", CHECKPOINT_TORCH, true},
};

static const struct {
    const char *ending;
    enum checkpoint_format format;
} endings[] = {
    {".gguf", CHECKPOINT_GGUF}, {".safetensors", CHECKPOINT_SAFETENSORS},
    {".bin", CHECKPOINT_TORCH}, {".pth", CHECKPOINT_TORCH},
    {".pt", CHECKPOINT_TORCH},
};

// What trainers leave beside a model; none of it holds weights.
static const char *const not_models[] = {"training_args.", "optimizer.", "scheduler.", "rng_state",
                                         "scaler."};

void checkpoint_place_deinit(struct checkpoint_place *place) {
    free(place->file);
    free(place->directory);
    memset(place, 0, sizeof *place);
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a > b && strcmp(text + a - b, end) == 0;
}

static bool begins_with(const char *text, const char *begin) {
    return strncmp(text, begin, strlen(begin)) == 0;
}

static enum checkpoint_format format_of_name(const char *name) {
    for (size_t i = 0; i < sizeof not_models / sizeof *not_models; i++)
        if (begins_with(name, not_models[i])) return CHECKPOINT_AUTO;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i].ending)) return endings[i].format;
    return CHECKPOINT_AUTO;
}

// "…-00002-of-00003.gguf": reached through its first part, not by itself.
static bool is_later_part(const char *name) {
    static const char pattern[] = "-#####-of-#####.gguf";
    size_t length = strlen(name), n = sizeof pattern - 1;
    if (length < n) return false;
    const char *end = name + length - n;
    for (size_t i = 0; i < n; i++) {
        bool digit = end[i] >= '0' && end[i] <= '9';
        if (pattern[i] == '#' ? !digit : pattern[i] != end[i]) return false;
    }
    return strncmp(end, "-00001", 6) != 0;
}

// The only file in the directory whose name ends like a checkpoint of the wanted format.
static enum status find_only(struct checkpoint_place *place, enum checkpoint_format wanted,
                             struct error *err) {
    DIR *directory = opendir(place->directory);
    if (!directory)
        return error_set(err, STATUS_FAILED, "%s: cannot list the directory: %s", place->directory,
                         strerror(errno));
    enum status status = STATUS_OK;
    struct dirent *entry;
    while (status == STATUS_OK && (entry = readdir(directory))) {
        enum checkpoint_format format = format_of_name(entry->d_name);
        if (format == CHECKPOINT_AUTO || (wanted != CHECKPOINT_AUTO && format != wanted)) continue;
        if (is_later_part(entry->d_name)) continue;
        if (place->file) {
            status = error_set(err, STATUS_USAGE,
                               "%s: several model files (%s and %s among them); name one of them",
                               place->directory, strrchr(place->file, '/') + 1, entry->d_name);
        } else {
            place->format = format;
            place->file = path_join(place->directory, entry->d_name);
            if (!place->file) status = error_no_memory(err, "a path", strlen(entry->d_name));
        }
    }
    closedir(directory);
    return status;
}

static enum status locate_in_directory(struct checkpoint_place *place,
                                       enum checkpoint_format wanted, struct error *err) {
    for (size_t i = 0; i < sizeof known_names / sizeof *known_names; i++) {
        const struct known_name *known = &known_names[i];
        if (wanted != CHECKPOINT_AUTO && known->format != wanted) continue;
        char *file = path_join(place->directory, known->name);
        if (!file) return error_no_memory(err, "a path", strlen(known->name));
        if (access(file, F_OK) == 0) {
            place->file = file;
            place->format = known->format;
            place->is_index = known->is_index;
            return STATUS_OK;
        }
        free(file);
    }
    TRY(find_only(place, wanted, err));
    if (place->file) return STATUS_OK;
    return error_set(err, STATUS_NOT_FOUND,
                     "%s: no model: looked for model.safetensors, model.safetensors.index.json, "
                     "pytorch_model.bin, pytorch_model.bin.index.json and one *.gguf, "
                     "*.safetensors, *.bin, *.pth or *.pt",
                     place->directory);
}

static bool is_index_name(const char *path, enum checkpoint_format *format) {
    if (ends_with(path, ".safetensors.index.json"))
        *format = CHECKPOINT_SAFETENSORS;
    else if (ends_with(path, ".bin.index.json"))
        *format = CHECKPOINT_TORCH;
    else
        return false;
    return true;
}

static enum checkpoint_format format_of_content(const uint8_t *head, size_t n_bytes) {
    if (n_bytes >= 4 && memcmp(head, "GGUF", 4) == 0) return CHECKPOINT_GGUF;
    if (n_bytes >= 4 && memcmp(head, "PK\3\4", 4) == 0) return CHECKPOINT_TORCH;
    if (n_bytes >= 9 && head[8] == '{') return CHECKPOINT_SAFETENSORS;
    if (n_bytes >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) return CHECKPOINT_TORCH;
    return CHECKPOINT_AUTO;
}

static enum status detect(struct checkpoint_place *place, struct error *err) {
    uint8_t head[16];
    int fd = open(place->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    int code = errno;
    if (fd >= 0) close(fd);
    if (n < 0)
        return error_set(err, STATUS_FAILED, "%s: cannot read: %s", place->file, strerror(code));
    place->format = format_of_content(head, (size_t)n);
    if (place->format != CHECKPOINT_AUTO) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT,
                     "%s: at byte 0: neither GGUF, safetensors nor a PyTorch file", place->file);
}

static enum status set_directory(struct checkpoint_place *place, struct error *err) {
    const char *slash = strrchr(place->file, '/');
    size_t length = slash ? (size_t)(slash - place->file) : 0;
    place->directory = slash ? strndup(place->file, length ? length : 1) : strdup(".");
    return place->directory ? STATUS_OK : error_no_memory(err, "a path", length);
}

static enum status locate(struct checkpoint_place *place, const char *path,
                          enum checkpoint_format format, struct error *err) {
    struct stat info;
    if (stat(path, &info) != 0) {
        enum status status = errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_FAILED;
        return error_set(err, status, "%s: %s", path, strerror(errno));
    }
    char *copy = strdup(path);
    if (!copy) return error_no_memory(err, "a path", strlen(path) + 1);
    if (S_ISDIR(info.st_mode)) {
        place->directory = copy;
        return locate_in_directory(place, format, err);
    }
    place->file = copy;
    TRY(set_directory(place, err));
    enum checkpoint_format found;
    if (is_index_name(path, &found) && (format == CHECKPOINT_AUTO || format == found)) {
        place->format = found;
        place->is_index = true;
        return STATUS_OK;
    }
    place->format = format;
    return format == CHECKPOINT_AUTO ? detect(place, err) : STATUS_OK;
}

enum status checkpoint_locate(struct checkpoint_place *place, const char *path,
                              enum checkpoint_format format, struct error *err) {
    memset(place, 0, sizeof *place);
    enum status status = locate(place, path, format, err);
    if (status != STATUS_OK) checkpoint_place_deinit(place);
    return status;
}
