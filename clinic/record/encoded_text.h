// SPDX-License-Identifier: Apache-2.0
// Documents that come as bytes of an encoding, as UTF-8. Chinese systems export GB18030 and its
// older parts, GBK and GB2312; they are read as GB18030, which holds both. Strict: a byte that is
// no text of the encoding is an error with its place, never a replacement.
#ifndef XL_CLINIC_ENCODED_TEXT_H
#define XL_CLINIC_ENCODED_TEXT_H

#include "clinic/record/clinic_error.h"

#include <stdbool.h>
#include <stddef.h>

// charset: "utf-8", "gb18030", "gbk", "gb2312" in any case. NULL: nobody said; then what is UTF-8
// is UTF-8, and other HTML is what its <meta charset> says. *text: free(). CLINIC_BAD_INPUT:
// another encoding, or no text of this one.
bool encoded_text_read(const char *bytes, size_t n_bytes, const char *charset, char **text,
                       size_t *text_bytes, struct clinic_error *error);
// Whether encoded_text_read() reads this one.
bool encoded_text_knows(const char *charset);

#endif
