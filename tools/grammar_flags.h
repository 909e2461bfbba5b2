// SPDX-License-Identifier: Apache-2.0
// The flags that say what an output may look like: --json-schema, --grammar, --grammar-begin.
#ifndef XL_TOOLS_GRAMMAR_FLAGS_H
#define XL_TOOLS_GRAMMAR_FLAGS_H

#include "tools/generation_flags.h"

// The grammar that the flags ask for; *grammar NULL: none. Returns OPTIONS_GO_ON, or the exit
// status with the mistake told.
int grammar_flags_open(const struct generation_flags *flags, const char *command, xl_engine *engine,
                       xl_grammar **grammar);

#endif
