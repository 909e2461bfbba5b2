// SPDX-License-Identifier: Apache-2.0
// Digests, random bytes and their spellings for the store.
#ifndef XL_CLINIC_STORE_DIGEST_H
#define XL_CLINIC_STORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

bool sha256_of(const void *bytes, size_t n_bytes, unsigned char digest[SHA256_BYTES]);
bool hmac_of(const unsigned char key[SHA256_BYTES], const void *bytes, size_t n_bytes,
             unsigned char digest[SHA256_BYTES]);

// SHA-256 of a row of fields, each with its length before it, so that no two rows look alike.
struct field_hash {
    void *handle; // NULL: failed
};
void field_hash_begin(struct field_hash *hash);
void field_hash_text(struct field_hash *hash, const char *text); // NULL differs from ""
void field_hash_number(struct field_hash *hash, int64_t number);
void field_hash_bytes(struct field_hash *hash, const void *bytes, size_t n_bytes);
bool field_hash_end(struct field_hash *hash, unsigned char digest[SHA256_BYTES]);

bool bytes_random(void *bytes, size_t n_bytes);
void hex_write(const unsigned char *bytes, size_t n_bytes, char *hex);        // 2 n + 1 bytes
bool hex_read(const char *hex, unsigned char *bytes, size_t n_bytes);         // exactly so many
void base64url_write(const unsigned char *bytes, size_t n_bytes, char *text); // without padding
// In the same time, wherever they differ.
bool bytes_equal(const void *a, const void *b, size_t n_bytes);
void bytes_wipe(void *bytes, size_t n_bytes); // keys and passwords that are not needed any more

#endif
