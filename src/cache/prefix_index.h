// SPDX-License-Identifier: Apache-2.0
// Which page is in which file of a prefix store, by the page's mark (a keyed hash of all tokens up
// to its end), and which file was used last. Memory only: no file, no key, no lock.
#ifndef XL_CACHE_PREFIX_INDEX_H
#define XL_CACHE_PREFIX_INDEX_H

#include "cache/prefix_cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

struct prefix_mark {
    uint8_t bytes[PREFIX_MARK_BYTES];
};

struct prefix_entry {
    struct prefix_mark name; // the mark of its last page
    uint64_t size_bytes;
    int64_t used;              // the larger, the later
    uint32_t n_pages;          // 0: a file that is ignored and only takes space
    struct prefix_mark *marks; // [n_pages], owned
};

struct prefix_slot {
    uint32_t entry, page; // page: of the entry, from 1 on; 0: an empty slot
};

struct prefix_index {
    struct prefix_entry *entries; // in no order
    size_t n_entries, n_entries_max;
    struct prefix_slot *slots; // by mark, linear probing
    size_t n_slots;            // a power of two, or 0
    size_t n_pages;
    uint64_t size_bytes; // of all entries
    int64_t last_used;
};

void prefix_index_deinit(struct prefix_index *index); // a zeroed index is an empty one
// Takes entry->marks over, also on failure. One of the same name is replaced.
enum status prefix_index_add(struct prefix_index *index, const struct prefix_entry *entry,
                             struct error *err);
void prefix_index_remove(struct prefix_index *index, struct prefix_entry *entry);
// The file that holds a page; the one of a name, ignored ones too; that of the longest disuse.
// NULL: none. Valid until the next change.
struct prefix_entry *prefix_index_find(const struct prefix_index *index,
                                       const struct prefix_mark *mark);
struct prefix_entry *prefix_index_named(const struct prefix_index *index,
                                        const struct prefix_mark *name);
struct prefix_entry *prefix_index_oldest(const struct prefix_index *index);

#ifdef __cplusplus
}
#endif
#endif
