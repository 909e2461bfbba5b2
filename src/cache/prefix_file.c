// SPDX-License-Identifier: Apache-2.0
// See prefix_file.h.
#include "cache/prefix_file.h"

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "cache/prefix_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char PREFIX_MAGIC[8] = "XLPREF\r\n";
enum { PREFIX_VERSION = 2, BYTE_ORDER_MARK = 0x01020304, PIECE_BYTES = 1 << 18 };

struct prefix_header {
    char magic[8];
    uint32_t byte_order, version;
    uint64_t fingerprint, page_bytes, file_bytes;
    uint32_t first_page, n_pages;
    uint8_t salt[PREFIX_SALT_BYTES];
};
_Static_assert(sizeof(struct prefix_header) == 80, "no padding in a file format");

struct prefix_reader {
    int fd;
    struct prefix_header header;
    struct prefix_span span;
    struct prefix_cipher *cipher;
    int32_t *tokens;
    uint8_t *plain, *piece; // PIECE_BYTES; and a tag
};

static size_t count_tokens(const struct prefix_span *span) {
    return ((size_t)span->first_page + span->n_pages) * PREFIX_PAGE_TOKENS;
}

static uint64_t pieces_of_page(uint64_t page_bytes) {
    return page_bytes / PIECE_BYTES + (page_bytes % PIECE_BYTES != 0);
}

static uint64_t sealed_page_bytes(uint64_t page_bytes) {
    return page_bytes + pieces_of_page(page_bytes) * PREFIX_TAG_BYTES;
}

static uint64_t head_bytes(const struct prefix_span *span) {
    return sizeof(struct prefix_header) + count_tokens(span) * sizeof(int32_t) + PREFIX_TAG_BYTES;
}

bool prefix_file_bytes(const struct prefix_span *span, uint64_t *size_bytes) {
    uint64_t pages_bytes, n_pages = (uint64_t)span->first_page + span->n_pages;
    if (span->n_pages == 0 || n_pages > PREFIX_TOKENS_MAX / PREFIX_PAGE_TOKENS) return false;
    if (span->page_bytes == 0 || span->page_bytes > UINT64_MAX / 4) return false;
    return size_multiply(sealed_page_bytes(span->page_bytes), span->n_pages, &pages_bytes) &&
           size_add(pages_bytes, head_bytes(span), size_bytes) && *size_bytes <= INT64_MAX;
}

// ---- Writing -----------------------------------------------------------------------------------

struct writer {
    struct atomic_file *file;
    struct prefix_header header;
    struct prefix_cipher *cipher;
    uint8_t *plain, *piece; // PIECE_BYTES; sealed
    uint64_t number;        // of the next piece
};

static enum status write_piece(struct writer *writer, const void *plain, size_t size_bytes,
                               uint8_t *sealed, struct error *err) {
    TRY(prefix_cipher_seal(writer->cipher, writer->number++, &writer->header, sizeof writer->header,
                           plain, size_bytes, sealed, err));
    return atomic_file_write(writer->file, sealed, size_bytes + PREFIX_TAG_BYTES, err);
}

static enum status write_page(struct writer *writer, const struct page_shape *shape,
                              const void *page, struct error *err) {
    for (uint64_t at = 0; at < writer->header.page_bytes; at += PIECE_BYTES) {
        uint64_t left = writer->header.page_bytes - at;
        size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        page_shape_copy(shape, (uint8_t *)page, at, writer->plain, size, false);
        TRY(write_piece(writer, writer->plain, size, writer->piece, err));
    }
    return STATUS_OK;
}

static enum status write_tokens(struct writer *writer, const struct prefix_span *span,
                                const int32_t *tokens, struct error *err) {
    size_t size = count_tokens(span) * sizeof *tokens;
    uint8_t *sealed = malloc(size + PREFIX_TAG_BYTES);
    if (!sealed) return error_no_memory(err, "a prefix file", size);
    enum status status = write_piece(writer, tokens, size, sealed, err);
    free(sealed);
    return status;
}

static enum status write_all(struct writer *writer, const struct prefix_key *key,
                             const struct prefix_span *span, const int32_t *tokens,
                             const struct page_shape *shape, const void *const *pages,
                             struct error *err) {
    TRY(prefix_salt(writer->header.salt, err));
    TRY(prefix_cipher_open(&writer->cipher, key, writer->header.salt, err));
    writer->plain = malloc(PIECE_BYTES);
    writer->piece = malloc(PIECE_BYTES + PREFIX_TAG_BYTES);
    if (!writer->plain || !writer->piece) return error_no_memory(err, "a prefix file", PIECE_BYTES);
    if (fchmod(atomic_file_descriptor(writer->file), 0600) != 0)
        return error_set(err, STATUS_FAILED, "cannot make a prefix file private: %s",
                         strerror(errno));
    TRY(atomic_file_write(writer->file, &writer->header, sizeof writer->header, err));
    TRY(write_tokens(writer, span, tokens, err));
    for (uint32_t i = 0; i < span->n_pages; i++)
        TRY(write_page(writer, shape, pages[i], err));
    return STATUS_OK;
}

enum status prefix_file_write(const char *path, const struct prefix_key *key,
                              const struct prefix_span *span, const int32_t *tokens,
                              const struct page_shape *shape, const void *const *pages,
                              struct error *err) {
    struct writer writer = {.header = {.byte_order = BYTE_ORDER_MARK,
                                       .version = PREFIX_VERSION,
                                       .fingerprint = span->fingerprint,
                                       .page_bytes = span->page_bytes,
                                       .first_page = span->first_page,
                                       .n_pages = span->n_pages}};
    memcpy(writer.header.magic, PREFIX_MAGIC, sizeof writer.header.magic);
    if (!prefix_file_bytes(span, &writer.header.file_bytes))
        return error_set(err, STATUS_USAGE, "a prefix of %u pages cannot be stored",
                         span->first_page + span->n_pages);
    TRY(atomic_file_create(&writer.file, path, err));
    enum status status = write_all(&writer, key, span, tokens, shape, pages, err);
    if (status == STATUS_OK)
        status = atomic_file_commit(writer.file, err);
    else
        atomic_file_abort(writer.file);
    prefix_cipher_close(writer.cipher);
    if (writer.plain) explicit_bzero(writer.plain, PIECE_BYTES);
    free(writer.plain);
    free(writer.piece);
    return status;
}

// ---- Reading -----------------------------------------------------------------------------------

static bool read_at(int fd, void *memory, size_t size_bytes, uint64_t offset_bytes) {
    uint8_t *bytes = memory;
    while (size_bytes > 0) {
        ssize_t n = pread(fd, bytes, size_bytes, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        size_bytes -= (size_t)n;
        offset_bytes += (uint64_t)n;
    }
    return true;
}

static enum status bad(struct error *err, const char *why) {
    return error_set(err, STATUS_BAD_INPUT, "not a prefix file that can be used: %s", why);
}

static enum status read_header(struct prefix_reader *reader, uint64_t fingerprint,
                               uint64_t page_bytes, struct error *err) {
    struct prefix_header *header = &reader->header;
    struct stat info;
    if (fstat(reader->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return bad(err, "it is no regular file");
    if (!read_at(reader->fd, header, sizeof *header, 0)) return bad(err, "it is cut off");
    if (memcmp(header->magic, PREFIX_MAGIC, sizeof header->magic) != 0)
        return bad(err, "it begins otherwise");
    if (header->byte_order != BYTE_ORDER_MARK || header->version != PREFIX_VERSION)
        return bad(err, "it is of another version");
    if (header->fingerprint != fingerprint || header->page_bytes != page_bytes)
        return bad(err, "it belongs to another model");
    reader->span = (struct prefix_span){.fingerprint = fingerprint,
                                        .page_bytes = page_bytes,
                                        .first_page = header->first_page,
                                        .n_pages = header->n_pages};
    uint64_t size_bytes;
    if (!prefix_file_bytes(&reader->span, &size_bytes) || size_bytes != header->file_bytes ||
        size_bytes != (uint64_t)info.st_size)
        return bad(err, "its length is wrong");
    return STATUS_OK;
}

static enum status read_tokens(struct prefix_reader *reader, struct error *err) {
    size_t size = count_tokens(&reader->span) * sizeof(int32_t);
    uint8_t *sealed = malloc(size + PREFIX_TAG_BYTES);
    reader->tokens = malloc(size);
    enum status status = STATUS_OK;
    if (!sealed || !reader->tokens)
        status = error_no_memory(err, "a prefix file", size);
    else if (!read_at(reader->fd, sealed, size + PREFIX_TAG_BYTES, sizeof reader->header))
        status = bad(err, "it is cut off");
    else
        status = prefix_cipher_unseal(reader->cipher, 0, &reader->header, sizeof reader->header,
                                      sealed, reader->tokens, size, err);
    free(sealed);
    return status;
}

// A process or system without descriptors or memory says nothing about the file, which stays.
static enum status why_not_open(int code) {
    if (code == EMFILE || code == ENFILE || code == ENOMEM || code == EINTR)
        return STATUS_NO_MEMORY;
    return code == ENOENT ? STATUS_NOT_FOUND : STATUS_BAD_INPUT;
}

enum status prefix_reader_open(struct prefix_reader **result, const char *path,
                               const struct prefix_key *key, uint64_t fingerprint,
                               uint64_t page_bytes, struct error *err) {
    *result = NULL;
    struct prefix_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return error_no_memory(err, "a prefix file", sizeof *reader);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    enum status status = STATUS_OK;
    if (reader->fd < 0)
        status =
            error_set(err, why_not_open(errno), "cannot open a prefix file: %s", strerror(errno));
    if (status == STATUS_OK) status = read_header(reader, fingerprint, page_bytes, err);
    if (status == STATUS_OK)
        status = prefix_cipher_open(&reader->cipher, key, reader->header.salt, err);
    if (status == STATUS_OK) status = read_tokens(reader, err);
    if (status != STATUS_OK) {
        prefix_reader_close(reader);
        return status;
    }
    *result = reader;
    return STATUS_OK;
}

void prefix_reader_close(struct prefix_reader *reader) {
    if (!reader) return;
    if (reader->fd >= 0) close(reader->fd);
    if (reader->tokens)
        explicit_bzero(reader->tokens, count_tokens(&reader->span) * sizeof(int32_t));
    prefix_cipher_close(reader->cipher);
    free(reader->tokens);
    if (reader->plain) explicit_bzero(reader->plain, PIECE_BYTES);
    free(reader->plain);
    free(reader->piece);
    free(reader);
}

const struct prefix_span *prefix_reader_span(const struct prefix_reader *reader) {
    return &reader->span;
}

const int32_t *prefix_reader_tokens(const struct prefix_reader *reader) {
    return reader->tokens;
}

uint64_t prefix_reader_bytes(const struct prefix_reader *reader) {
    return reader->header.file_bytes;
}

static enum status read_pieces(struct prefix_reader *reader, uint64_t index,
                               const struct page_shape *shape, uint8_t *memory, struct error *err) {
    uint64_t page_bytes = reader->span.page_bytes;
    uint64_t offset = head_bytes(&reader->span) + index * sealed_page_bytes(page_bytes);
    uint64_t number = 1 + index * pieces_of_page(page_bytes);
    for (uint64_t at = 0; at < page_bytes; at += PIECE_BYTES, number++) {
        size_t size = page_bytes - at < PIECE_BYTES ? (size_t)(page_bytes - at) : PIECE_BYTES;
        if (!read_at(reader->fd, reader->piece, size + PREFIX_TAG_BYTES, offset))
            return bad(err, "it is cut off");
        TRY(prefix_cipher_unseal(reader->cipher, number, &reader->header, sizeof reader->header,
                                 reader->piece, reader->plain, size, err));
        page_shape_copy(shape, memory, at, reader->plain, size, true);
        offset += size + PREFIX_TAG_BYTES;
    }
    return STATUS_OK;
}

enum status prefix_reader_page(struct prefix_reader *reader, uint32_t page,
                               const struct page_shape *shape, void *memory, struct error *err) {
    if (page < reader->span.first_page || page - reader->span.first_page >= reader->span.n_pages)
        return bad(err, "it does not hold this page");
    if (!reader->piece) reader->piece = malloc(PIECE_BYTES + PREFIX_TAG_BYTES);
    if (!reader->plain) reader->plain = malloc(PIECE_BYTES);
    if (!reader->piece || !reader->plain) return error_no_memory(err, "a prefix file", PIECE_BYTES);
    enum status status = read_pieces(reader, page - reader->span.first_page, shape, memory, err);
    if (status != STATUS_OK) page_shape_wipe(shape, memory);
    return status;
}
