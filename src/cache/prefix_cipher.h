// SPDX-License-Identifier: Apache-2.0
// The cryptography of the prefix store, by GnuTLS: AES-256-GCM for contents, HMAC-SHA256 for names,
// HKDF-SHA256 for keys. Every file has a key of its own, derived from the key file and 32 random
// bytes, so numbered nonces never meet. It knows no format.
#ifndef XL_CACHE_PREFIX_CIPHER_H
#define XL_CACHE_PREFIX_CIPHER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PREFIX_KEY_BYTES = 32,  // the key file's length
    PREFIX_SALT_BYTES = 32, // makes a file's key its own
    PREFIX_TAG_BYTES = 16,  // what sealing adds
    PREFIX_MARK_BYTES = 16  // of a keyed hash
};

struct prefix_key; // what is derived from the key file
struct prefix_cipher;

// False in a build without GnuTLS; then every other call is STATUS_UNSUPPORTED.
bool prefix_cipher_available(void);

// Reads exactly PREFIX_KEY_BYTES from a regular file that only we can read (mode 0600 or 0400), or
// that is root's and readable by our group (as service managers hand out credentials).
enum status prefix_key_open(struct prefix_key **key, const char *path, struct error *err);
void prefix_key_close(struct prefix_key *key); // wipes; NULL is allowed
// Makes a new key file, mode 0600; STATUS_USAGE if there is a file of that name.
enum status prefix_key_create(const char *path, struct error *err);

// The next mark of a chain: of what came before and of data. Says nothing without the key.
enum status prefix_key_mark(const struct prefix_key *key, const uint8_t before[PREFIX_MARK_BYTES],
                            const void *data, size_t size_bytes, uint8_t mark[PREFIX_MARK_BYTES],
                            struct error *err);

// Fresh random bytes for a new file.
enum status prefix_salt(uint8_t salt[PREFIX_SALT_BYTES], struct error *err);
enum status prefix_cipher_open(struct prefix_cipher **cipher, const struct prefix_key *key,
                               const uint8_t salt[PREFIX_SALT_BYTES], struct error *err);
void prefix_cipher_close(struct prefix_cipher *cipher); // NULL is allowed
// Seals piece `number` of a file (each number once!) into size_bytes + PREFIX_TAG_BYTES at
// `sealed`. `bound` is authenticated with it.
enum status prefix_cipher_seal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                               size_t bound_bytes, const void *plain, size_t size_bytes,
                               void *sealed, struct error *err);
// The reverse: size_bytes at `plain`, or STATUS_BAD_INPUT and zeros there.
enum status prefix_cipher_unseal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                                 size_t bound_bytes, const void *sealed, void *plain,
                                 size_t size_bytes, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
