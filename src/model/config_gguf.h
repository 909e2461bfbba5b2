// SPDX-License-Identifier: Apache-2.0
// Reads the GGUF metadata that all families share, and writes it.
#ifndef XL_MODEL_CONFIG_GGUF_H
#define XL_MODEL_CONFIG_GGUF_H

#include "format/gguf_writer.h"
#include "model/model_config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Needs config->family. The vocabulary size comes from the embedding matrix.
enum status config_gguf_read(struct model_config *config, const struct checkpoint *checkpoint,
                             struct error *err);
void config_gguf_write(const struct model_config *config, struct gguf_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
