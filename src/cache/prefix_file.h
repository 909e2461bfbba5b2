// SPDX-License-Identifier: Apache-2.0
// One file of the prefix store: consecutive pages of one beginning, with all tokens from the first
// on, encrypted in pieces so that memory stays bounded whatever the file's size.
//
//   header    struct prefix_header (prefix_file.c), in the clear, authenticated by every piece
//   piece 0   the tokens of all pages up to the last one, i32 each
//   pieces    of each page, PIECE_BYTES at most, numbered on; each followed by its tag
//
// It knows neither names nor other files.
#ifndef XL_CACHE_PREFIX_FILE_H
#define XL_CACHE_PREFIX_FILE_H

#include "cache/page_shape.h"
#include "cache/prefix_cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PREFIX_TOKENS_MAX = 1 << 20 };

// What a file is about.
struct prefix_span {
    uint64_t fingerprint;
    uint64_t page_bytes;
    uint32_t first_page, n_pages; // the file holds pages first_page .. first_page + n_pages - 1
};

struct prefix_reader;

// How large the file of a span is; false if that is beyond any limit.
bool prefix_file_bytes(const struct prefix_span *span, uint64_t *size_bytes);
// Appears whole, synced, mode 0600, or not at all. tokens [(first_page + n_pages) * 64];
// pages [n_pages] of this shape.
enum status prefix_file_write(const char *path, const struct prefix_key *key,
                              const struct prefix_span *span, const int32_t *tokens,
                              const struct page_shape *shape, const void *const *pages,
                              struct error *err);
// Opens a file and proves header and tokens; any fault of the file is STATUS_BAD_INPUT. The span's
// fingerprint and page_bytes must be these.
enum status prefix_reader_open(struct prefix_reader **reader, const char *path,
                               const struct prefix_key *key, uint64_t fingerprint,
                               uint64_t page_bytes, struct error *err);
void prefix_reader_close(struct prefix_reader *reader); // wipes; NULL is allowed
const struct prefix_span *prefix_reader_span(const struct prefix_reader *reader);
const int32_t *prefix_reader_tokens(const struct prefix_reader *reader); // until close
uint64_t prefix_reader_bytes(const struct prefix_reader *reader);
// Page `page` of the beginning (not of the file) to `memory`; STATUS_BAD_INPUT leaves zeros.
enum status prefix_reader_page(struct prefix_reader *reader, uint32_t page,
                               const struct page_shape *shape, void *memory, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
