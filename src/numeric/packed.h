// SPDX-License-Identifier: Apache-2.0
// Packed weights: the one layout that every kernel of every ISA level reads. A matrix is cut into
// panels of 16 rows; a panel is a run of chunks along k; a chunk is whole 64-byte lines, so every
// line is one zmm register, two ymm registers or one row of an AMX B tile. The last panel's missing
// rows and the last chunk's missing columns are zero weights.
//
//   quad line    line q holds for k = 4q .. 4q+3: byte [r * 4 + i] = quant of row r, k = 4q + i
//   nibble line  two quad lines: low nibbles = quad line 2j, high nibbles = quad line 2j + 1
//   2-bit line   four quad lines: bits 2i, 2i+1 = those bits of quad line 4j + i
//   1-bit line   eight quad lines: eight little-endian u64, bit r * 4 + i of word q = that bit of
//                quad line 8j + q
//   plane        one number a row for one group: [16]
//
// Quants are unsigned everywhere; a zero point `zero` belongs to the type:
//   x = scale * (q - zero) - min.
//
//   type    chunk k  quants (per chunk)           group  scale         min            zero
//   q4_0    64       8 nibble lines               32     f16 plane     -              8
//   q4_1    64       8 nibble lines               32     f16 plane     f16 plane (m)  0
//   iq4_nl  64       8 nibble lines (codebook)    32     f16 plane     -              128
//   q5_0    64       8 nibble + 2 one-bit lines   32     f16 plane     -              16
//   q5_1    64       8 nibble + 2 one-bit lines   32     f16 plane     f16 plane (m)  0
//   q8_0    64       16 quad lines                32     f16 plane     -              128
//   q4_k    256      32 nibble lines              32     d * u8 plane  dmin * u8      0
//   q5_k    256      32 nibble + 8 one-bit lines  32     d * u8 plane  dmin * u8      0
//   q6_k    256      32 nibble + 16 two-bit lines 16     d * s8 plane  -              32
//   q2_k    256      16 two-bit lines             16     d * (u8 & 15) dmin * (u8>>4) 0
//   q3_k    256      16 two-bit + 8 one-bit lines 16     d * s8 plane  -              4
//   iq4_xs  256      32 nibble lines (codebook)   32     d * s8 plane  -              128
//   f32     1        [16] floats
//   f16     2        [2][16] halves: k, then k + 1
//   bf16    2        [16][2]: row r's k and k + 1 are neighbours
//
// The order inside a chunk is the order of this table's columns: quant lines (nibble, then 2-bit,
// then 1-bit), then the tail: for chunks of 64 the f16 planes d[2][16] and, with a minimum,
// m[2][16] (here x = d q + m as in GGUF); for chunks of 256 the u8 or s8 group planes
// [256/group][16] of scales, then of minima (q4_k, q5_k), then one line with d[16] and dmin[16]
// (zeros if unused) in f16. Codebook quants are the 4-bit indices; a kernel looks up
// iq4_codebook[index] + 128. A 2-bit line's bits are the quant's low bits for q2_k and q3_k and its
// bits 4-5 for q6_k; a 1-bit line is bit 4 of q5_* and bit 2 of q3_k. Missing rows and columns are
// zero bytes throughout: their scales and minima are zero, their quants are 0 and not the zero
// point.
#ifndef XL_NUMERIC_PACKED_H
#define XL_NUMERIC_PACKED_H

#include "numeric/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PANEL_ROWS = 16, LINE_BYTES = 64 };
// Raised whenever a byte of any packed form changes its meaning.
enum { PACKED_VERSION = 1 };

struct packed_info {
    int chunk_elements; // along k; 0: the type has no packed form
    int chunk_bytes;    // of 16 rows, a multiple of LINE_BYTES
    int group_elements; // that share a scale; 1 for plain numbers
    int zero;           // zero point
    int tail_offset;    // bytes from a chunk's start to its scales
};

const struct packed_info *packed_info(enum dtype dtype); // never NULL
// Bytes of one panel of rows of k elements: a multiple of LINE_BYTES.
size_t packed_panel_bytes(enum dtype dtype, int k);
// Bytes of a whole matrix. All sizes fit if n_rows and k are below 2^31 and the product below 2^44.
uint64_t packed_size_bytes(enum dtype dtype, int n_rows, int k);
// Packs up to 16 rows (n_rows; the rest become zero weights) of k elements of `dtype`, row_bytes
// apart and unaligned, into a panel. k is a multiple of the type's block.
void pack_panel(enum dtype dtype, const uint8_t *rows, size_t row_bytes, int n_rows, int k,
                uint8_t *panel);
// Row r of a panel as floats [k], by the formula above: the meaning of the packed form (for tests
// and for looking up embeddings).
void unpack_panel_row(enum dtype dtype, const uint8_t *panel, int r, int k, float *out);

#ifdef __cplusplus
}
#endif
#endif
