// SPDX-License-Identifier: Apache-2.0
#include "format_probe.h"

#include "format/gguf.h"
#include "format/json_file.h"
#include "format/safetensors.h"
#include "format/torch_file.h"

#include <stdlib.h>
#include <string.h>

static volatile uint8_t sink; // keeps the reads

static void touch(const void *data, uint64_t size) {
    const uint8_t *bytes = data;
    uint8_t sum = 0;
    for (uint64_t i = 0; i < size; i++)
        sum ^= bytes[i];
    sink = sum;
}

static void touch_value(const struct gguf *gguf, const struct gguf_value *value) {
    uint64_t number;
    double real;
    char key[256];
    touch(value->key.data, value->key.size_bytes);
    touch(value->data, value->size_bytes);
    for (uint64_t i = 0; i < value->n_items; i++) {
        gguf_item_u64(value, i, &number);
        gguf_item_f64(value, i, &real);
        if (value->strings) touch(value->strings[i].data, value->strings[i].size_bytes);
    }
    if (value->key.size_bytes >= sizeof key) return;
    memcpy(key, value->key.data, value->key.size_bytes);
    key[value->key.size_bytes] = '\0';
    gguf_get_u64(gguf, key, &number);
    gguf_get_f64(gguf, key, &real);
}

enum status probe_gguf(const char *label, const uint8_t *data, size_t size, struct error *err) {
    struct gguf *gguf;
    TRY(gguf_open_memory(&gguf, label, data, size, err));
    for (size_t i = 0; i < gguf_n_values(gguf); i++)
        touch_value(gguf, gguf_value_at(gguf, i));
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        touch(tensor->name, strlen(tensor->name));
        touch(tensor->data, tensor->size_bytes);
    }
    gguf_close(gguf);
    return STATUS_OK;
}

enum status probe_safetensors(const char *label, const uint8_t *data, size_t size,
                              struct error *err) {
    struct safetensors *file;
    TRY(safetensors_open_memory(&file, label, data, size, err));
    for (size_t i = 0; i < safetensors_n_tensors(file); i++) {
        const struct checkpoint_tensor *tensor = safetensors_tensor_at(file, i);
        touch(tensor->name, strlen(tensor->name));
        touch(tensor->data, tensor->size_bytes);
    }
    safetensors_close(file);
    return STATUS_OK;
}

// A tensor is never larger than its storage, nor that than what the file can unpack to.
static enum status read_tensor(const struct torch_file *file, size_t index, struct error *err) {
    const struct checkpoint_tensor *tensor = torch_file_tensor_at(file, index);
    uint8_t *bytes = malloc(tensor->size_bytes ? (size_t)tensor->size_bytes : 1);
    if (!bytes) return error_no_memory(err, "a tensor", tensor->size_bytes);
    enum status status = torch_file_read(file, index, bytes, err);
    if (status == STATUS_OK) touch(bytes, tensor->size_bytes);
    if (tensor->data) touch(tensor->data, tensor->size_bytes);
    free(bytes);
    return status;
}

enum status probe_torch(const char *label, const uint8_t *data, size_t size, struct error *err) {
    struct torch_file *file;
    enum status status = STATUS_OK;
    TRY(torch_file_open_memory(&file, label, data, size, err));
    for (size_t i = 0; i < torch_file_n_tensors(file) && status == STATUS_OK; i++)
        status = read_tensor(file, i, err);
    torch_file_close(file);
    return status;
}

enum status probe_json(const char *label, const uint8_t *data, size_t size, struct error *err) {
    json_t *root;
    uint64_t number;
    const char *key;
    json_t *value;
    TRY(json_text_parse(&root, label, 0, (const char *)data, size, 1 << 20, err));
    json_object_foreach(root, key, value) {
        json_get_u64(root, key, &number);
        const char *text = json_get_text(root, key);
        if (text) touch(text, strlen(text));
    }
    json_decref(root);
    return STATUS_OK;
}
