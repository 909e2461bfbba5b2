// SPDX-License-Identifier: Apache-2.0
// Names to numbers: an open-addressing hash table over byte strings that stay where they are. The
// hash is keyed at random, so that a file cannot choose names that collide.
#ifndef XL_FORMAT_NAME_INDEX_H
#define XL_FORMAT_NAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct name_slot {
    const char *name; // NULL: free
    size_t size_bytes;
    size_t value;
};

struct name_index {
    struct name_slot *slots;
    size_t n_slots, n_used; // n_slots: 0 or a power of two
    uint64_t key;
};

enum name_result { NAME_ADDED, NAME_EXISTS, NAME_NO_MEMORY };

void name_index_init(struct name_index *index);
void name_index_deinit(struct name_index *index);
// `name` is not copied. On NAME_EXISTS nothing changes.
enum name_result name_index_add(struct name_index *index, const char *name, size_t size_bytes,
                                size_t value);
// False if the name is not there.
bool name_index_find(const struct name_index *index, const char *name, size_t size_bytes,
                     size_t *value);

#ifdef __cplusplus
}
#endif
#endif
