// SPDX-License-Identifier: Apache-2.0
// The templates of clinic/templates/ inside the program: cmake/embed_templates.cmake makes the
// table.
#ifndef XL_CLINIC_TEMPLATE_FILES_H
#define XL_CLINIC_TEMPLATE_FILES_H

#include <stddef.h>

struct template_file {
    const char *name;
    const unsigned char *data;
    size_t size_bytes;
};

extern const struct template_file template_files[];
extern const size_t n_template_files;

#endif
