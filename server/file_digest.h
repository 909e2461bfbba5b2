// SPDX-License-Identifier: Apache-2.0
// SHA-256 of texts and files, as 64 hexadecimal digits; and with a key (HMAC).
#ifndef XL_SERVER_FILE_DIGEST_H
#define XL_SERVER_FILE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65 };

void digest_hex(const unsigned char digest[DIGEST_BYTES], char hex[DIGEST_HEX_BYTES]);
// Returns false and an empty text if `hex` is no digest.
bool digest_from_hex(const char *hex, unsigned char digest[DIGEST_BYTES]);
void bytes_digest(const void *bytes, size_t n_bytes, unsigned char digest[DIGEST_BYTES]);
void text_digest(const char *text, size_t n_bytes, char hex[DIGEST_HEX_BYTES]);
void keyed_digest(const void *key, size_t key_bytes, const void *bytes, size_t n_bytes,
                  char hex[DIGEST_HEX_BYTES]);
// Of a file, or of the names and contents of a directory's files in the order of their names. An
// empty text if it cannot be read.
void file_digest(const char *path, char hex[DIGEST_HEX_BYTES]);

#endif
