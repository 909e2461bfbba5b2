// SPDX-License-Identifier: Apache-2.0
// Memory that notices: every buffer touches an unreadable page on one side and has canaries on the
// other. Buffers belong to the running check and are released together.
#ifndef XL_TESTS_GUARDED_H
#define XL_TESTS_GUARDED_H

#include <stdbool.h>
#include <stddef.h>

// size_bytes of memory whose last byte (at_end) or first byte is next to a guard page. Zeroed.
// At the end, the address is only as aligned as the size makes it. Ends the program if memory runs
// out.
void *guarded_new(size_t size_bytes, bool at_end);
// True if all canaries are intact; then frees every buffer.
bool guarded_release(void);

#endif
