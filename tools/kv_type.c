// SPDX-License-Identifier: Apache-2.0
// Names of the types that keys and values may be kept in.
#include "tools/kv_type.h"

#include "tools/option_table.h"
#include "tools/terminal.h"

#include <string.h>

int kv_type_parse(const char *command, const char *name, xl_kv_type *type) {
    static const struct {
        const char *name;
        xl_kv_type type;
    } types[] = {{"auto", XL_KV_AUTO}, {"f32", XL_KV_F32}, {"f16", XL_KV_F16},
                 {"bf16", XL_KV_BF16}, {"int8", XL_KV_I8}, {"i8", XL_KV_I8}};
    *type = XL_KV_AUTO;
    if (!name) return OPTIONS_GO_ON;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) != 0) continue;
        *type = types[i].type;
        return OPTIONS_GO_ON;
    }
    return terminal_fail_text(command, 2,
                              "--kv-type wants auto, f32, f16, bf16 or int8, not \"%.40s\"", name);
}
