// SPDX-License-Identifier: Apache-2.0
// The files of clinic/ui, made into C by cmake/embed_page.cmake; their paths are their names.
#ifndef XL_CLINIC_CLINIC_FILES_H
#define XL_CLINIC_CLINIC_FILES_H

#include "server/page_files.h"

extern const struct page_file clinic_files[];
extern const size_t n_clinic_files;

#endif
