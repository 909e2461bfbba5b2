// SPDX-License-Identifier: Apache-2.0
// Keys and values of known beginnings, kept in a directory over restarts: whole pages of
// PREFIX_PAGE_TOKENS tokens, encrypted, found again by the tokens alone. A file (prefix_file.h)
// holds the pages of one save that were not stored yet; conversations with a common beginning share
// its files. Everything that cannot be proven to be ours, whole and of this model is ignored and
// counted. The store knows bytes of pages, not what they mean.
//
// Any thread may call; reading and writing files happens outside the lock, one save at a time. A
// directory belongs to one store at a time.
#ifndef XL_CACHE_PREFIX_STORE_H
#define XL_CACHE_PREFIX_STORE_H

#include "base/status.h"
#include "cache/page_shape.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PREFIX_PAGE_TOKENS = 64 };

struct prefix_store;

struct prefix_store_options {
    const char *directory;  // made (0700) if absent
    const char *key_path;   // see prefix_cipher.h
    uint64_t fingerprint;   // of the model and the layout of its pages: other files are foreign
    struct page_shape page; // in memory
    uint64_t budget_bytes;  // of all files; the least recently used go beyond it
};

struct prefix_store_stats {
    uint64_t files, bytes; // that can be used
    uint64_t ignored;      // seen and not used: damaged, foreign, old, of another key
    uint64_t evicted;      // removed for the budget
};

// STATUS_UNSUPPORTED if this program was built without cryptography; STATUS_USAGE for a key file
// that others can read, STATUS_BAD_INPUT for one of another length; STATUS_FAILED if another
// process uses the directory. Reads the heads of all files.
enum status prefix_store_open(struct prefix_store **store,
                              const struct prefix_store_options *options, struct error *err);
void prefix_store_close(struct prefix_store *store); // NULL is allowed
// Pages of the beginning of tokens[0 .. n_tokens) that are stored; reads no file.
size_t prefix_store_find(struct prefix_store *store, const int32_t *tokens, size_t n_tokens);
// Reads pages first_page .. first_page + n_pages - 1 of that beginning to pages[i].
// Returns how many, from the first on, are proven right; the memory of the others is zeroed.
// tokens must cover these pages.
size_t prefix_store_read(struct prefix_store *store, const int32_t *tokens, size_t first_page,
                         void *const *pages, size_t n_pages);
// Stores the first n_pages pages of tokens; those that are stored already are not written again
// (and pages[i] of them is not read). On disk when it returns. STATUS_NO_SPACE: the disk is full or
// the budget too small for this beginning; nothing that was stored is lost.
enum status prefix_store_save(struct prefix_store *store, const int32_t *tokens,
                              const void *const *pages, size_t n_pages, struct error *err);
void prefix_store_describe(struct prefix_store *store, struct prefix_store_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
