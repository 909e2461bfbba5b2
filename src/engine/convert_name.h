// SPDX-License-Identifier: Apache-2.0
// What a converted model's file is called.
#ifndef XL_ENGINE_CONVERT_NAME_H
#define XL_ENGINE_CONVERT_NAME_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// OUT_DIR/<name>-<type>.gguf. <name> is the model directory's, or the file's without its ending and
// without a type that it names already (x.Q4_1.gguf gives x); a file called like every other file
// (model.safetensors, consolidated.00.pth) goes by its directory's name. `type` is written in lower
// case. *path: free with free().
enum status convert_output_path(char **path, const char *model, const char *type,
                                const char *out_dir, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
