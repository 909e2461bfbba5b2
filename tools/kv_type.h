// SPDX-License-Identifier: Apache-2.0
// The --kv-type flag of every command that opens a model.
#ifndef XL_TOOLS_KV_TYPE_H
#define XL_TOOLS_KV_TYPE_H

#include "xinglin/xinglin.h"

#define KV_TYPE_HELP "keys and values in f32, f16, bf16 or int8 (auto)"

// NULL is auto. OPTIONS_GO_ON, or 2 with the mistake told.
int kv_type_parse(const char *command, const char *name, xl_kv_type *type);

#endif
