// SPDX-License-Identifier: Apache-2.0
// Counts what the program allocates (linked with --wrap) and refuses more than a limit, so that a
// reader that believes a file's numbers is caught whatever the machine has.
#ifndef XL_TESTS_ALLOCATION_LIMIT_H
#define XL_TESTS_ALLOCATION_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

void allocation_limit_begin(size_t live_bytes_max); // also counts what jansson allocates
// Ends counting. False if the limit was hit or something allocated since the beginning is left.
bool allocation_limit_end(size_t *peak_bytes, size_t *left_bytes);

#endif
