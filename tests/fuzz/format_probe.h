// SPDX-License-Identifier: Apache-2.0
// Opens bytes as one format and, if that works, touches everything that the reader hands out.
#ifndef XL_TESTS_FORMAT_PROBE_H
#define XL_TESTS_FORMAT_PROBE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

// `label` stands for the path. STATUS_OK means loaded and read to the last byte.
typedef enum status (*format_probe)(const char *label, const uint8_t *data, size_t size,
                                    struct error *err);

enum status probe_gguf(const char *label, const uint8_t *data, size_t size, struct error *err);
enum status probe_safetensors(const char *label, const uint8_t *data, size_t size,
                              struct error *err);
enum status probe_torch(const char *label, const uint8_t *data, size_t size, struct error *err);
enum status probe_json(const char *label, const uint8_t *data, size_t size, struct error *err);

#endif
