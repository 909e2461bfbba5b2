// SPDX-License-Identifier: Apache-2.0
// From a path that a person typed to the file that holds the tensors (or the index of several).
#ifndef XL_FORMAT_CHECKPOINT_LOCATE_H
#define XL_FORMAT_CHECKPOINT_LOCATE_H

#include "format/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct checkpoint_place {
    enum checkpoint_format format; // never CHECKPOINT_AUTO
    char *file;                    // a tensor file or an index
    char *directory;               // where config.json would be
    bool is_index;
};

enum status checkpoint_locate(struct checkpoint_place *place, const char *path,
                              enum checkpoint_format format, struct error *err);
void checkpoint_place_deinit(struct checkpoint_place *place);

#ifdef __cplusplus
}
#endif
#endif
