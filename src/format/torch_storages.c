// SPDX-License-Identifier: Apache-2.0
// See torch_storages.h.
#include "format/torch_storages.h"

#include "base/bytes.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 256 };

void torch_storages_init(struct torch_storages *storages, const char *label) {
    memset(storages, 0, sizeof *storages);
    storages->label = label;
    name_index_init(&storages->keys);
}

void torch_storages_deinit(struct torch_storages *storages) {
    free(storages->items);
    name_index_deinit(&storages->keys);
}

static bool reserve(struct torch_storages *storages) {
    if (storages->n_items < storages->capacity) return true;
    size_t capacity = storages->capacity ? 2 * storages->capacity : 64;
    struct torch_storage *items = realloc(storages->items, capacity * sizeof *items);
    if (!items) return false;
    storages->items = items;
    storages->capacity = capacity;
    return true;
}

enum status torch_storages_add(struct torch_storages *storages, const struct torch_storage_id *id,
                               size_t *number, struct error *err) {
    if (id->key_bytes == 0 || id->key_bytes > KEY_BYTES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: a storage key of %zu bytes", storages->label,
                         id->key_bytes);
    *number = storages->n_items;
    if (!reserve(storages)) return error_no_memory(err, "storages", sizeof *storages->items);
    enum name_result added = name_index_add(&storages->keys, id->key, id->key_bytes, *number);
    if (added == NAME_NO_MEMORY) return error_no_memory(err, "storage keys", 0);
    if (added == NAME_ADDED) {
        storages->items[storages->n_items++] = (struct torch_storage){.id = *id};
        return STATUS_OK;
    }
    name_index_find(&storages->keys, id->key, id->key_bytes, number);
    if (storages->items[*number].id.size_bytes == id->size_bytes) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT, "%s: storage '%.*s' is named with two sizes",
                     storages->label, refuse_quote(id->key_bytes), id->key);
}

static enum status find_in_zip(struct torch_storage *storage, const char *label,
                               const struct zip_directory *directory, const char *root,
                               size_t root_bytes, struct error *err) {
    static const char middle[] = "/data/";
    const struct torch_storage_id *id = &storage->id;
    size_t length = root_bytes + sizeof middle - 1 + id->key_bytes;
    char *name = malloc(length);
    if (!name) return error_no_memory(err, "a storage's name", length);
    memcpy(name, root, root_bytes);
    memcpy(name + root_bytes, middle, sizeof middle - 1);
    memcpy(name + root_bytes + sizeof middle - 1, id->key, id->key_bytes);
    const struct zip_entry *entry = zip_directory_find(directory, name, length);
    free(name);
    if (!entry)
        return error_set(err, STATUS_BAD_INPUT, "%s: the archive has no entry data/%.*s", label,
                         refuse_quote(id->key_bytes), id->key);
    if (entry->size_bytes != id->size_bytes)
        return refuse_at(err, STATUS_BAD_INPUT, label, (uint64_t)(entry->data - directory->data),
                         "entry data/%.*s has %llu bytes, the pickle says %llu",
                         refuse_quote(id->key_bytes), id->key,
                         (unsigned long long)entry->size_bytes, (unsigned long long)id->size_bytes);
    storage->packed = entry;
    storage->data = entry->stored ? entry->data : NULL;
    return STATUS_OK;
}

enum status torch_storages_from_zip(struct torch_storages *storages, struct torch_tensors *tensors,
                                    const struct zip_directory *directory, const char *root,
                                    size_t root_bytes, struct error *err) {
    for (size_t i = 0; i < tensors->n_items; i++)
        TRY(torch_storages_add(storages, &tensors->items[i].storage,
                               &tensors->items[i].storage_number, err));
    for (size_t i = 0; i < storages->n_items; i++)
        TRY(find_in_zip(&storages->items[i], storages->label, directory, root, root_bytes, err));
    return STATUS_OK;
}

// One raw storage: i64 number of elements, then the bytes.
static enum status read_raw(struct torch_storages *storages, const struct pickle_value *key,
                            struct bytes_reader *reader, struct error *err) {
    size_t at = reader->offset_bytes, number;
    if (key->kind != PICKLE_TEXT ||
        !name_index_find(&storages->keys, key->as.text.data, key->as.text.size_bytes, &number))
        return refuse_at(err, STATUS_BAD_INPUT, storages->label, at,
                         "a storage key that the pickle does not mention");
    struct torch_storage *storage = &storages->items[number];
    uint64_t n_elements;
    if (storage->data)
        return refuse_at(err, STATUS_BAD_INPUT, storages->label, at,
                         "storage '%.*s' is listed twice", refuse_quote(storage->id.key_bytes),
                         storage->id.key);
    if (!bytes_read_u64(reader, &n_elements) || n_elements != storage->id.n_elements)
        return refuse_at(err, STATUS_BAD_INPUT, storages->label, at,
                         "storage '%.*s' does not have the number of elements that the pickle says",
                         refuse_quote(storage->id.key_bytes), storage->id.key);
    if (!bytes_read_span(reader, storage->id.size_bytes, &storage->data))
        return refuse_at(err, STATUS_BAD_INPUT, storages->label, at,
                         "the file ends inside storage '%.*s' (%llu bytes); it is truncated",
                         refuse_quote(storage->id.key_bytes), storage->id.key,
                         (unsigned long long)storage->id.size_bytes);
    return STATUS_OK;
}

static enum status read_all_raw(struct torch_storages *storages, const struct pickle *keys,
                                struct bytes_reader *reader, struct error *err) {
    if (keys->root->kind != PICKLE_LIST)
        return refuse_at(err, STATUS_BAD_INPUT, storages->label, reader->offset_bytes,
                         "the list of storage keys is no list");
    for (size_t i = 0; i < keys->root->as.list.n; i++)
        TRY(read_raw(storages, keys->root->as.list.items[i], reader, err));
    for (size_t i = 0; i < storages->n_items; i++)
        if (!storages->items[i].data)
            return refuse_at(err, STATUS_BAD_INPUT, storages->label, reader->offset_bytes,
                             "storage '%.*s' has no bytes in the file",
                             refuse_quote(storages->items[i].id.key_bytes),
                             storages->items[i].id.key);
    return STATUS_OK;
}

enum status torch_storages_from_legacy(struct torch_storages *storages,
                                       struct torch_tensors *tensors, const struct pickle *pickle,
                                       const uint8_t *data, size_t size_bytes, size_t begin_bytes,
                                       struct error *err) {
    size_t number;
    for (size_t i = 0; i < pickle->persistents->as.list.n; i++) {
        struct torch_storage_id id;
        const struct pickle_value *value = pickle->persistents->as.list.items[i];
        if (!torch_storage_id_read(&id, value))
            return refuse_at(err, STATUS_BAD_INPUT, storages->label, value->offset_bytes,
                             "a persistent id that names no storage");
        TRY(torch_storages_add(storages, &id, &number, err));
    }
    for (size_t i = 0; i < tensors->n_items; i++)
        TRY(torch_storages_add(storages, &tensors->items[i].storage,
                               &tensors->items[i].storage_number, err));
    struct pickle_input input = {.label = storages->label,
                                 .base_offset_bytes = begin_bytes,
                                 .data = data + begin_bytes,
                                 .size_bytes = size_bytes - begin_bytes};
    struct pickle keys;
    struct bytes_reader reader = {.data = data, .size_bytes = size_bytes};
    enum status status = pickle_load(&keys, &input, err);
    reader.offset_bytes = begin_bytes + keys.used_bytes;
    if (status == STATUS_OK) status = read_all_raw(storages, &keys, &reader, err);
    pickle_deinit(&keys);
    return status;
}
