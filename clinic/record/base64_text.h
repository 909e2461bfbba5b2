// SPDX-License-Identifier: Apache-2.0
// base64 of attachments (RFC 4648, white space allowed).
#ifndef XL_CLINIC_BASE64_TEXT_H
#define XL_CLINIC_BASE64_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// At most text_bytes / 4 * 3 + 3 bytes go to `out`; false: it is no base64.
bool base64_text_decode(const char *text, size_t text_bytes, char *out, size_t *out_bytes);

#endif
