// SPDX-License-Identifier: Apache-2.0
// See prefix_cipher.h; for builds without GnuTLS (XINGLIN_GNUTLS=OFF: Python wheels, static
// programs), which keep no prefixes on disk and say so.
#include "cache/prefix_cipher.h"

static enum status refuse(struct error *err) {
    return error_set(err, STATUS_UNSUPPORTED,
                     "this build has no cryptography (XINGLIN_GNUTLS=OFF), so prefixes cannot be "
                     "kept on disk; leave prefix_dir out or use the program of the Debian package");
}

bool prefix_cipher_available(void) {
    return false;
}

enum status prefix_key_open(struct prefix_key **key, const char *path, struct error *err) {
    (void)path;
    *key = NULL;
    return refuse(err);
}

void prefix_key_close(struct prefix_key *key) {
    (void)key;
}

enum status prefix_key_create(const char *path, struct error *err) {
    (void)path;
    return refuse(err);
}

enum status prefix_key_mark(const struct prefix_key *key, const uint8_t before[PREFIX_MARK_BYTES],
                            const void *data, size_t size_bytes, uint8_t mark[PREFIX_MARK_BYTES],
                            struct error *err) {
    (void)key, (void)before, (void)data, (void)size_bytes, (void)mark;
    return refuse(err);
}

enum status prefix_salt(uint8_t salt[PREFIX_SALT_BYTES], struct error *err) {
    (void)salt;
    return refuse(err);
}

enum status prefix_cipher_open(struct prefix_cipher **cipher, const struct prefix_key *key,
                               const uint8_t salt[PREFIX_SALT_BYTES], struct error *err) {
    (void)key, (void)salt;
    *cipher = NULL;
    return refuse(err);
}

void prefix_cipher_close(struct prefix_cipher *cipher) {
    (void)cipher;
}

enum status prefix_cipher_seal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                               size_t bound_bytes, const void *plain, size_t size_bytes,
                               void *sealed, struct error *err) {
    (void)cipher, (void)number, (void)bound, (void)bound_bytes, (void)plain, (void)size_bytes;
    (void)sealed;
    return refuse(err);
}

enum status prefix_cipher_unseal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                                 size_t bound_bytes, const void *sealed, void *plain,
                                 size_t size_bytes, struct error *err) {
    (void)cipher, (void)number, (void)bound, (void)bound_bytes, (void)sealed, (void)plain;
    (void)size_bytes;
    return refuse(err);
}
