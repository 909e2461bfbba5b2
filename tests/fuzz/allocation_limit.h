// SPDX-License-Identifier: Apache-2.0
// Counts what the program allocates (linked with --wrap) and refuses more than a limit, so that a
// reader that believes a file's numbers is caught whatever the machine has.
#ifndef XL_TESTS_ALLOCATION_LIMIT_H
#define XL_TESTS_ALLOCATION_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

void allocation_limit_begin(size_t live_bytes_max); // also counts what jansson allocates
// After allocation_limit_begin: the n-th allocation from here (counted from 1) fails.
void allocation_limit_fail_at(long n);
bool allocation_limit_did_fail(void); // did it come to that?
// Ends counting. False if the limit was hit or something allocated since the beginning is left.
bool allocation_limit_end(size_t *peak_bytes, size_t *left_bytes);

#endif
