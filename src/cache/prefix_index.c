// SPDX-License-Identifier: Apache-2.0
// See prefix_index.h. Marks are keyed hashes, so their first bytes are as good a slot as any.
// Removal builds the slots anew: it is rare beside lookups, and there is nothing to get wrong.
#include "cache/prefix_index.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

void prefix_index_deinit(struct prefix_index *index) {
    for (size_t i = 0; i < index->n_entries; i++)
        free(index->entries[i].marks);
    free(index->entries);
    free(index->slots);
    *index = (struct prefix_index){0};
}

static size_t first_slot(const struct prefix_index *index, const struct prefix_mark *mark) {
    uint64_t hash;
    memcpy(&hash, mark->bytes, sizeof hash);
    return (size_t)hash & (index->n_slots - 1);
}

static void put_entry(struct prefix_index *index, size_t entry) {
    for (uint32_t i = 0; i < index->entries[entry].n_pages; i++) {
        size_t at = first_slot(index, &index->entries[entry].marks[i]);
        while (index->slots[at].page)
            at = (at + 1) & (index->n_slots - 1);
        index->slots[at] = (struct prefix_slot){.entry = (uint32_t)entry, .page = i + 1};
    }
}

static void rebuild(struct prefix_index *index) {
    if (index->n_slots == 0) return;
    memset(index->slots, 0, index->n_slots * sizeof *index->slots);
    for (size_t i = 0; i < index->n_entries; i++)
        put_entry(index, i);
}

// Room for n_pages in half of the slots.
static bool reserve_slots(struct prefix_index *index, size_t n_pages) {
    size_t n_slots = index->n_slots ? index->n_slots : SLOTS_MIN;
    while (n_slots / 2 < n_pages)
        n_slots *= 2;
    if (n_slots == index->n_slots) return true;
    struct prefix_slot *slots = calloc(n_slots, sizeof *slots);
    if (!slots) return false;
    free(index->slots);
    index->slots = slots;
    index->n_slots = n_slots;
    rebuild(index);
    return true;
}

static bool reserve_entry(struct prefix_index *index) {
    if (index->n_entries < index->n_entries_max) return true;
    size_t n_max = index->n_entries_max ? index->n_entries_max * 2 : 16;
    struct prefix_entry *entries = realloc(index->entries, n_max * sizeof *entries);
    if (!entries) return false;
    index->entries = entries;
    index->n_entries_max = n_max;
    return true;
}

enum status prefix_index_add(struct prefix_index *index, const struct prefix_entry *entry,
                             struct error *err) {
    struct prefix_entry *same = prefix_index_named(index, &entry->name);
    if (same) prefix_index_remove(index, same);
    if (!reserve_entry(index) || !reserve_slots(index, index->n_pages + entry->n_pages)) {
        free(entry->marks);
        return error_no_memory(err, "the index of prefixes", entry->n_pages * sizeof *entry->marks);
    }
    index->entries[index->n_entries] = *entry;
    index->n_pages += entry->n_pages;
    index->size_bytes += entry->size_bytes;
    put_entry(index, index->n_entries++);
    return STATUS_OK;
}

void prefix_index_remove(struct prefix_index *index, struct prefix_entry *entry) {
    index->n_pages -= entry->n_pages;
    index->size_bytes -= entry->size_bytes;
    free(entry->marks);
    *entry = index->entries[--index->n_entries];
    rebuild(index);
}

struct prefix_entry *prefix_index_find(const struct prefix_index *index,
                                       const struct prefix_mark *mark) {
    if (index->n_slots == 0) return NULL;
    for (size_t at = first_slot(index, mark); index->slots[at].page;
         at = (at + 1) & (index->n_slots - 1)) {
        struct prefix_entry *entry = &index->entries[index->slots[at].entry];
        if (memcmp(&entry->marks[index->slots[at].page - 1], mark, sizeof *mark) == 0) return entry;
    }
    return NULL;
}

struct prefix_entry *prefix_index_named(const struct prefix_index *index,
                                        const struct prefix_mark *name) {
    for (size_t i = 0; i < index->n_entries; i++)
        if (memcmp(&index->entries[i].name, name, sizeof *name) == 0) return &index->entries[i];
    return NULL;
}

struct prefix_entry *prefix_index_oldest(const struct prefix_index *index) {
    struct prefix_entry *oldest = NULL;
    for (size_t i = 0; i < index->n_entries; i++)
        if (!oldest || index->entries[i].used < oldest->used) oldest = &index->entries[i];
    return oldest;
}
