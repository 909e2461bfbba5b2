// SPDX-License-Identifier: Apache-2.0
// See password_hash.h. GnuTLS has no scrypt; PBKDF2 with many iterations and a salt is what
// NIST SP 800-132 describes.
#include "clinic/store/password_hash.h"

#include "clinic/store/store_digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SALT_BYTES = 16, ITERATIONS_MAX = 10000000 };
static const char prefix[] = "pbkdf2-sha256$";

static bool derive(const char *password, const unsigned char salt[SALT_BYTES], unsigned iterations,
                   unsigned char key[SHA256_BYTES]) {
    size_t length = strlen(password);
    gnutls_datum_t secret = {(unsigned char *)password, (unsigned)length};
    gnutls_datum_t salt_datum = {(unsigned char *)salt, SALT_BYTES};
    return length <= PASSWORD_BYTES_MAX && gnutls_pbkdf2(GNUTLS_MAC_SHA256, &secret, &salt_datum,
                                                         iterations, key, SHA256_BYTES) == 0;
}

bool password_hash(const char *password, char hash[PASSWORD_HASH_BYTES]) {
    unsigned char salt[SALT_BYTES], key[SHA256_BYTES];
    char salt_hex[2 * SALT_BYTES + 1], key_hex[SHA256_HEX_BYTES];
    if (!bytes_random(salt, sizeof salt) || !derive(password, salt, PASSWORD_ITERATIONS, key))
        return false;
    hex_write(salt, sizeof salt, salt_hex);
    hex_write(key, sizeof key, key_hex);
    snprintf(hash, PASSWORD_HASH_BYTES, "%s%d$%s$%s", prefix, PASSWORD_ITERATIONS, salt_hex,
             key_hex);
    bytes_wipe(key, sizeof key);
    return true;
}

static bool parse(const char *hash, unsigned *iterations, unsigned char salt[SALT_BYTES],
                  unsigned char key[SHA256_BYTES]) {
    char salt_hex[2 * SALT_BYTES + 1] = "";
    if (!hash || strncmp(hash, prefix, sizeof prefix - 1) != 0) return false;
    char *end;
    unsigned long count = strtoul(hash + sizeof prefix - 1, &end, 10);
    if (*end != '$' || count < 1 || count > ITERATIONS_MAX) return false;
    const char *salt_text = end + 1, *key_text = strchr(salt_text, '$');
    if (!key_text || key_text - salt_text != 2 * SALT_BYTES) return false;
    memcpy(salt_hex, salt_text, 2 * SALT_BYTES);
    *iterations = (unsigned)count;
    return hex_read(salt_hex, salt, SALT_BYTES) && hex_read(key_text + 1, key, SHA256_BYTES);
}

bool password_matches(const char *password, const char *hash) {
    unsigned char salt[SALT_BYTES] = {0}, expected[SHA256_BYTES] = {0}, key[SHA256_BYTES];
    unsigned iterations = PASSWORD_ITERATIONS;
    bool is_hash = parse(hash, &iterations, salt, expected);
    bool is_derived = derive(password, salt, iterations, key);
    bool is_equal = is_derived && bytes_equal(key, expected, SHA256_BYTES);
    bytes_wipe(key, sizeof key);
    return is_hash && is_equal;
}
