// SPDX-License-Identifier: Apache-2.0
// How much memory this process may still take: what the system has available, and what the control
// groups above it (v1 or v2) leave. In a container the system's own number is that of the host.
#ifndef XL_BASE_MEMORY_BUDGET_H
#define XL_BASE_MEMORY_BUDGET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint64_t memory_available_bytes(void); // 0: unknown
// The same with /proc and /sys under another directory (for tests: a fake machine).
uint64_t memory_available_bytes_under(const char *root);

#ifdef __cplusplus
}
#endif
#endif
