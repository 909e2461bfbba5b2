// SPDX-License-Identifier: Apache-2.0
// See store_digest.h.
#include "clinic/store/store_digest.h"

#include <gnutls/crypto.h>
#include <string.h>

bool sha256_of(const void *bytes, size_t n_bytes, unsigned char digest[SHA256_BYTES]) {
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, n_bytes, digest) == 0;
}

bool hmac_of(const unsigned char key[SHA256_BYTES], const void *bytes, size_t n_bytes,
             unsigned char digest[SHA256_BYTES]) {
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, SHA256_BYTES, bytes, n_bytes, digest) == 0;
}

void field_hash_begin(struct field_hash *hash) {
    gnutls_hash_hd_t handle;
    hash->handle = gnutls_hash_init(&handle, GNUTLS_DIG_SHA256) == 0 ? handle : NULL;
}

static void add(struct field_hash *hash, const void *bytes, size_t n_bytes) {
    if (!hash->handle || n_bytes == 0) return;
    if (gnutls_hash(hash->handle, bytes, n_bytes) == 0) return;
    gnutls_hash_deinit(hash->handle, NULL);
    hash->handle = NULL;
}

static void add_length(struct field_hash *hash, uint64_t length) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> (8 * i));
    add(hash, bytes, sizeof bytes);
}

void field_hash_bytes(struct field_hash *hash, const void *bytes, size_t n_bytes) {
    add_length(hash, bytes ? n_bytes : UINT64_MAX);
    if (bytes) add(hash, bytes, n_bytes);
}

void field_hash_text(struct field_hash *hash, const char *text) {
    field_hash_bytes(hash, text, text ? strlen(text) : 0);
}

void field_hash_number(struct field_hash *hash, int64_t number) {
    add_length(hash, 8);
    add_length(hash, (uint64_t)number);
}

bool field_hash_end(struct field_hash *hash, unsigned char digest[SHA256_BYTES]) {
    if (!hash->handle) return false;
    gnutls_hash_deinit(hash->handle, digest);
    hash->handle = NULL;
    return true;
}

bool bytes_random(void *bytes, size_t n_bytes) {
    return gnutls_rnd(GNUTLS_RND_KEY, bytes, n_bytes) == 0;
}

void hex_write(const unsigned char *bytes, size_t n_bytes, char *hex) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n_bytes; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n_bytes] = '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_read(const char *hex, unsigned char *bytes, size_t n_bytes) {
    if (strlen(hex) != 2 * n_bytes) return false;
    for (size_t i = 0; i < n_bytes; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

void base64url_write(const unsigned char *bytes, size_t n_bytes, char *text) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t held = 0;
    int n_bits = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        held = held << 8 | bytes[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            *text++ = letters[held >> (n_bits - 6) & 63];
    }
    if (n_bits > 0) *text++ = letters[held << (6 - n_bits) & 63];
    *text = '\0';
}

bool bytes_equal(const void *a, const void *b, size_t n_bytes) {
    return gnutls_memcmp(a, b, n_bytes) == 0;
}

void bytes_wipe(void *bytes, size_t n_bytes) {
    gnutls_memset(bytes, 0, n_bytes);
}
