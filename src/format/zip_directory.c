// SPDX-License-Identifier: Apache-2.0
// See zip_directory.h. From the end of the file backwards: end record, its 64-bit form, central
// directory, and for each entry its local header. Facts: PKWARE APPNOTE 4.3.
#include "format/zip_directory.h"

#include "base/bytes.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

#if XL_HAVE_LIBZIP
#include <zip.h>
#endif

enum {
    END_BYTES = 22,
    END64_LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_BYTES_MAX = 65535,
    ENTRIES_MAX = 1 << 19,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    DEFLATE_RATIO_MAX = 1032 // what deflate can reach at best
};

static const uint32_t END_MAGIC = 0x06054b50, END64_LOCATOR_MAGIC = 0x07064b50,
                      END64_MAGIC = 0x06064b50, CENTRAL_MAGIC = 0x02014b50,
                      LOCAL_MAGIC = 0x04034b50;

struct extent { // of the central directory
    uint64_t offset, size_bytes, n_entries;
};

static uint64_t number(const uint8_t *p, int n_bytes) {
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static enum status refuse(const struct zip_directory *directory, uint64_t at, const char *what,
                          struct error *err) {
    return refuse_at(err, STATUS_BAD_INPUT, directory->label, at, "zip: %s", what);
}

void zip_directory_deinit(struct zip_directory *directory) {
    free(directory->entries);
    name_index_deinit(&directory->names);
    directory->entries = NULL;
    directory->n_entries = 0;
}

// The end record is the last thing but for a comment whose length it states.
static enum status find_end(const struct zip_directory *directory, size_t *end, struct error *err) {
    size_t size = directory->size_bytes;
    for (size_t comment = 0; comment <= COMMENT_BYTES_MAX && comment + END_BYTES <= size;
         comment++) {
        const uint8_t *p = directory->data + size - END_BYTES - comment;
        if (p[0] != 'P' || number(p, 4) != END_MAGIC || number(p + 20, 2) != comment) continue;
        *end = (size_t)(p - directory->data);
        return STATUS_OK;
    }
    return refuse(directory, size, "no end record; the file is truncated", err);
}

static enum status read_end64(const struct zip_directory *directory, size_t end,
                              struct extent *extent, struct error *err) {
    if (end < END64_LOCATOR_BYTES ||
        number(directory->data + end - END64_LOCATOR_BYTES, 4) != END64_LOCATOR_MAGIC)
        return refuse(directory, end, "the 64-bit end record's locator is missing", err);
    const uint8_t *locator = directory->data + end - END64_LOCATOR_BYTES;
    uint64_t at = number(locator + 8, 8);
    if (end < END64_LOCATOR_BYTES + END64_BYTES || at > end - END64_LOCATOR_BYTES - END64_BYTES ||
        number(directory->data + at, 4) != END64_MAGIC)
        return refuse(directory, end - END64_LOCATOR_BYTES,
                      "the 64-bit end record is not where its locator says", err);
    const uint8_t *p = directory->data + at;
    extent->n_entries = number(p + 32, 8);
    extent->size_bytes = number(p + 40, 8);
    extent->offset = number(p + 48, 8);
    return STATUS_OK;
}

static enum status read_end(const struct zip_directory *directory, struct extent *extent,
                            struct error *err) {
    size_t end = 0;
    TRY(find_end(directory, &end, err));
    const uint8_t *p = directory->data + end;
    extent->n_entries = number(p + 10, 2);
    extent->size_bytes = number(p + 12, 4);
    extent->offset = number(p + 16, 4);
    if (number(p + 4, 2) != number(p + 6, 2))
        return refuse(directory, end, "an archive of several volumes", err);
    if (extent->n_entries == 0xffff || extent->size_bytes == 0xffffffff ||
        extent->offset == 0xffffffff)
        TRY(read_end64(directory, end, extent, err));
    if (extent->offset > end || extent->size_bytes > end - extent->offset)
        return refuse(directory, end, "the central directory's place is outside the file", err);
    if (extent->n_entries > extent->size_bytes / CENTRAL_BYTES || extent->n_entries > ENTRIES_MAX)
        return refuse(directory, end, "more entries than the central directory can hold", err);
    return STATUS_OK;
}

// Replaces 32-bit fields that say "see the 64-bit extra field" in the order the format has them.
static bool apply_zip64(const uint8_t *extra, size_t extra_bytes, uint64_t *size, uint64_t *packed,
                        uint64_t *local) {
    uint64_t *fields[3] = {size, packed, local};
    size_t at = 0;
    while (extra_bytes - at >= 4) {
        size_t id = (size_t)number(extra + at, 2), length = (size_t)number(extra + at + 2, 2);
        at += 4;
        if (length > extra_bytes - at) return false;
        size_t used = 0;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*fields[i] != 0xffffffff) continue;
            if (length - used < 8) return false;
            *fields[i] = number(extra + at + used, 8);
            used += 8;
        }
        if (id == 1) return true;
        at += length;
    }
    return *size != 0xffffffff && *packed != 0xffffffff && *local != 0xffffffff;
}

// The local header repeats the name and says how far away the data is.
static enum status find_data(const struct zip_directory *directory, struct zip_entry *entry,
                             uint64_t local, uint64_t limit, struct error *err) {
    if (limit < LOCAL_BYTES || local > limit - LOCAL_BYTES ||
        number(directory->data + local, 4) != LOCAL_MAGIC)
        return refuse(directory, local, "a local header is not where the directory says", err);
    const uint8_t *p = directory->data + local;
    uint64_t name_bytes = number(p + 26, 2), extra_bytes = number(p + 28, 2);
    uint64_t begin = local + LOCAL_BYTES + name_bytes + extra_bytes;
    if (begin > limit || entry->packed_bytes > limit - begin)
        return refuse(directory, local, "an entry's data reaches into the central directory", err);
    if (name_bytes != entry->name_bytes ||
        memcmp(p + LOCAL_BYTES, entry->name, entry->name_bytes) != 0)
        return refuse(directory, local, "local header and directory differ in a name", err);
    if (number(p + 8, 2) != (entry->stored ? METHOD_STORED : METHOD_DEFLATED))
        return refuse(directory, local, "local header and directory differ in the method", err);
    entry->data = directory->data + begin;
    return STATUS_OK;
}

static enum status check_method(const struct zip_directory *directory, struct zip_entry *entry,
                                uint64_t method, uint64_t flags, uint64_t at, struct error *err) {
    if (flags & 1)
        return refuse_at(err, STATUS_UNSUPPORTED, directory->label, at, "zip: an encrypted entry");
    if (method != METHOD_STORED && method != METHOD_DEFLATED)
        return refuse_at(err, STATUS_UNSUPPORTED, directory->label, at,
                         "zip: compression method %llu", (unsigned long long)method);
    entry->stored = method == METHOD_STORED;
    if (entry->stored && entry->packed_bytes != entry->size_bytes)
        return refuse(directory, at, "a stored entry with two sizes", err);
    if (entry->size_bytes / DEFLATE_RATIO_MAX > entry->packed_bytes)
        return refuse(directory, at, "an entry that claims to unpack to an impossible size", err);
    return STATUS_OK;
}

static enum status read_entry(struct zip_directory *directory, struct bytes_reader *reader,
                              const struct extent *extent, struct error *err) {
    uint64_t at = extent->offset + reader->offset_bytes;
    const uint8_t *p, *name, *extra, *comment;
    if (!bytes_read_span(reader, CENTRAL_BYTES, &p) || number(p, 4) != CENTRAL_MAGIC)
        return refuse(directory, at, "the central directory is damaged", err);
    struct zip_entry *entry = &directory->entries[directory->n_entries];
    entry->name_bytes = (size_t)number(p + 28, 2);
    size_t extra_bytes = (size_t)number(p + 30, 2);
    if (!bytes_read_span(reader, entry->name_bytes, &name) ||
        !bytes_read_span(reader, extra_bytes, &extra) ||
        !bytes_read_span(reader, number(p + 32, 2), &comment))
        return refuse(directory, at, "the central directory ends inside an entry", err);
    uint64_t local = number(p + 42, 4);
    entry->name = (const char *)name;
    entry->packed_bytes = number(p + 20, 4);
    entry->size_bytes = number(p + 24, 4);
    if (!apply_zip64(extra, extra_bytes, &entry->size_bytes, &entry->packed_bytes, &local))
        return refuse(directory, at, "an entry's 64-bit sizes are missing", err);
    TRY(check_method(directory, entry, number(p + 10, 2), number(p + 8, 2), at, err));
    TRY(find_data(directory, entry, local, extent->offset, err));
    enum name_result added =
        name_index_add(&directory->names, entry->name, entry->name_bytes, directory->n_entries);
    if (added == NAME_NO_MEMORY) return error_no_memory(err, "zip entries", 0);
    if (added == NAME_EXISTS) return refuse(directory, at, "a name appears twice", err);
    directory->n_entries++;
    return STATUS_OK;
}

enum status zip_directory_read(struct zip_directory *directory, const char *label,
                               const uint8_t *data, size_t size_bytes, struct error *err) {
    struct extent extent;
    memset(directory, 0, sizeof *directory);
    directory->label = label;
    directory->data = data;
    directory->size_bytes = size_bytes;
    name_index_init(&directory->names);
    TRY(read_end(directory, &extent, err));
    size_t n = (size_t)extent.n_entries;
    directory->entries = calloc(n ? n : 1, sizeof *directory->entries);
    if (!directory->entries)
        return error_no_memory(err, "zip entries", n * sizeof *directory->entries);
    struct bytes_reader reader = {.data = data + extent.offset,
                                  .size_bytes = (size_t)extent.size_bytes};
    for (size_t i = 0; i < n; i++)
        TRY(read_entry(directory, &reader, &extent, err));
    return STATUS_OK;
}

const struct zip_entry *zip_directory_find(const struct zip_directory *directory, const char *name,
                                           size_t name_bytes) {
    size_t at;
    if (!name_index_find(&directory->names, name, name_bytes, &at)) return NULL;
    return &directory->entries[at];
}

#if XL_HAVE_LIBZIP
static enum status unpack_with(zip_t *archive, const struct zip_directory *directory,
                               const struct zip_entry *entry, void *dst, struct error *err) {
    uint64_t at = (uint64_t)(entry->data - directory->data);
    zip_uint64_t index = (zip_uint64_t)(entry - directory->entries);
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    if (!file) return refuse(directory, at, zip_strerror(archive), err);
    uint8_t *to = dst, extra;
    uint64_t left = entry->size_bytes;
    enum status status = STATUS_OK;
    while (left > 0 && status == STATUS_OK) {
        zip_int64_t n = zip_fread(file, to, left);
        if (n <= 0)
            status = refuse(directory, at, "a deflated entry is damaged or too short", err);
        else
            to += n, left -= (uint64_t)n;
    }
    if (status == STATUS_OK && zip_fread(file, &extra, 1) != 0) // also checks the CRC
        status = refuse(directory, at, "a deflated entry is longer than it says, or damaged", err);
    zip_fclose(file);
    return status;
}

static enum status inflate_entry(const struct zip_directory *directory,
                                 const struct zip_entry *entry, void *dst, struct error *err) {
    zip_error_t problem;
    zip_error_init(&problem);
    zip_source_t *source =
        zip_source_buffer_create(directory->data, directory->size_bytes, 0, &problem);
    zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY, &problem) : NULL;
    enum status status;
    if (archive) {
        status = unpack_with(archive, directory, entry, dst, err);
        zip_discard(archive);
    } else {
        status = refuse(directory, 0, zip_error_strerror(&problem), err);
        zip_source_free(source);
    }
    zip_error_fini(&problem);
    return status;
}
#else
static enum status inflate_entry(const struct zip_directory *directory,
                                 const struct zip_entry *entry, void *dst, struct error *err) {
    (void)dst;
    return refuse_at(err, STATUS_UNSUPPORTED, directory->label,
                     (uint64_t)(entry->data - directory->data),
                     "zip: this build has no libzip and cannot unpack a deflated entry");
}
#endif

enum status zip_directory_unpack(const struct zip_directory *directory,
                                 const struct zip_entry *entry, void *dst, struct error *err) {
    if (!entry->stored) return inflate_entry(directory, entry, dst, err);
    if (entry->size_bytes) memcpy(dst, entry->data, (size_t)entry->size_bytes);
    return STATUS_OK;
}
