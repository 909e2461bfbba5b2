// SPDX-License-Identifier: Apache-2.0
#include "server/file_digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 18 };

void digest_hex(const unsigned char digest[DIGEST_BYTES], char hex[DIGEST_HEX_BYTES]) {
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_from_hex(const char *hex, unsigned char digest[DIGEST_BYTES]) {
    memset(digest, 0, DIGEST_BYTES);
    if (strlen(hex) != 2 * DIGEST_BYTES) return false;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        digest[i] = (unsigned char)(16 * high + low);
    }
    return true;
}

void bytes_digest(const void *bytes, size_t n_bytes, unsigned char digest[DIGEST_BYTES]) {
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, n_bytes, digest) != 0)
        memset(digest, 0, DIGEST_BYTES);
}

void text_digest(const char *text, size_t n_bytes, char hex[DIGEST_HEX_BYTES]) {
    unsigned char digest[DIGEST_BYTES];
    bytes_digest(text, n_bytes, digest);
    digest_hex(digest, hex);
}

void keyed_digest(const void *key, size_t key_bytes, const void *bytes, size_t n_bytes,
                  char hex[DIGEST_HEX_BYTES]) {
    unsigned char digest[DIGEST_BYTES] = {0};
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_bytes, bytes, n_bytes, digest) != 0)
        memset(digest, 0, sizeof digest);
    digest_hex(digest, hex);
}

static bool add_file(gnutls_hash_hd_t hash, int folder, const char *path) {
    unsigned char *block = malloc(BLOCK_BYTES);
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    while (block && fd >= 0 && (n = read(fd, block, BLOCK_BYTES)) > 0)
        gnutls_hash(hash, block, (size_t)n);
    if (fd >= 0) close(fd);
    free(block);
    return n == 0;
}

static bool add_directory(gnutls_hash_hd_t hash, const char *path) {
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_whole = n >= 0 && folder >= 0;
    for (int i = 0; i < n; i++) {
        struct stat status;
        const char *name = entries[i]->d_name;
        if (is_whole && fstatat(folder, name, &status, 0) == 0 && S_ISREG(status.st_mode)) {
            gnutls_hash(hash, name, strlen(name) + 1);
            is_whole = add_file(hash, folder, name);
        }
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    if (folder >= 0) close(folder);
    return is_whole;
}

void file_digest(const char *path, char hex[DIGEST_HEX_BYTES]) {
    gnutls_hash_hd_t hash;
    struct stat status;
    unsigned char digest[DIGEST_BYTES];
    hex[0] = '\0';
    if (stat(path, &status) != 0 || gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0) return;
    bool is_whole =
        S_ISDIR(status.st_mode) ? add_directory(hash, path) : add_file(hash, AT_FDCWD, path);
    gnutls_hash_deinit(hash, digest);
    if (is_whole) digest_hex(digest, hex);
}
