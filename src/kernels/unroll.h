// SPDX-License-Identifier: Apache-2.0
// UNROLL before a loop with a small constant count: each compiler needs its own words before an
// array of accumulators stays in registers.
#ifndef XL_KERNELS_UNROLL_H
#define XL_KERNELS_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
