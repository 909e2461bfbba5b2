// SPDX-License-Identifier: Apache-2.0
// See prefix_cipher.h; the part that calls GnuTLS. prefix_cipher_none.c stands in for it.
#include "cache/prefix_cipher.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONCE_BYTES = 12, MAC_BYTES = 32 };

struct prefix_key {
    uint8_t contents[PREFIX_KEY_BYTES], marks[PREFIX_KEY_BYTES];
};

struct prefix_cipher {
    gnutls_aead_cipher_hd_t handle;
};

static enum status fail(struct error *err, const char *what, int code) {
    return error_set(err, code == GNUTLS_E_MEMORY_ERROR ? STATUS_NO_MEMORY : STATUS_FAILED,
                     "the prefix store cannot %s: GnuTLS says %s", what, gnutls_strerror(code));
}

bool prefix_cipher_available(void) {
    return true;
}

// HKDF with the purpose as its info, so that keys of different use have nothing to do with each
// other.
static enum status derive(const uint8_t *secret, const uint8_t *salt, size_t salt_bytes,
                          const char *purpose, uint8_t derived[PREFIX_KEY_BYTES],
                          struct error *err) {
    uint8_t extracted[MAC_BYTES];
    gnutls_datum_t key = {.data = (unsigned char *)secret, .size = PREFIX_KEY_BYTES};
    gnutls_datum_t salted = {.data = (unsigned char *)salt, .size = (unsigned)salt_bytes};
    gnutls_datum_t info = {.data = (unsigned char *)purpose, .size = (unsigned)strlen(purpose)};
    gnutls_datum_t between = {.data = extracted, .size = sizeof extracted};
    int code = gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &key, &salted, extracted);
    if (code == 0)
        code = gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &between, &info, derived, PREFIX_KEY_BYTES);
    gnutls_memset(extracted, 0, sizeof extracted);
    return code == 0 ? STATUS_OK : fail(err, "derive a key", code);
}

// Others must not be able to read or replace it. Root's file may be readable by one group: so do
// service managers and administrators hand secrets to a service that runs as somebody else.
static enum status check_key_file(int fd, const char *path, struct error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set(err, STATUS_FAILED, "%s: cannot read the prefix key: %s", path,
                         strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, STATUS_BAD_INPUT, "%s: the prefix key must be a regular file", path);
    bool is_ours = info.st_uid == geteuid() && (info.st_mode & 077) == 0;
    bool is_credential = info.st_uid == 0 && geteuid() != 0 && (info.st_mode & 037) == 0;
    if (!is_ours && !is_credential)
        return error_set(err, STATUS_USAGE,
                         "%s: others may read the prefix key (mode %03o, owner %u); it must be "
                         "yours alone: chown it to the service's user and chmod 600",
                         path, (unsigned)(info.st_mode & 0777), (unsigned)info.st_uid);
    if (info.st_size != PREFIX_KEY_BYTES)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: a prefix key has exactly %d random bytes, this file has %lld; make "
                         "one with: xinglin serve --new-prefix-key FILE",
                         path, PREFIX_KEY_BYTES, (long long)info.st_size);
    return STATUS_OK;
}

static enum status read_key_file(const char *path, uint8_t secret[PREFIX_KEY_BYTES],
                                 struct error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED,
                         "%s: cannot open the prefix key: %s; make one with: xinglin serve "
                         "--new-prefix-key FILE",
                         path, strerror(errno));
    enum status status = check_key_file(fd, path, err);
    if (status == STATUS_OK && read(fd, secret, PREFIX_KEY_BYTES) != PREFIX_KEY_BYTES)
        status = error_set(err, STATUS_FAILED, "%s: cannot read the prefix key", path);
    close(fd);
    return status;
}

enum status prefix_key_open(struct prefix_key **result, const char *path, struct error *err) {
    *result = NULL;
    struct prefix_key *key = calloc(1, sizeof *key);
    if (!key) return error_no_memory(err, "the prefix key", sizeof *key);
    uint8_t secret[PREFIX_KEY_BYTES] = {0};
    enum status status = read_key_file(path, secret, err);
    if (status == STATUS_OK)
        status = derive(secret, NULL, 0, "xinglin prefix contents 1", key->contents, err);
    if (status == STATUS_OK)
        status = derive(secret, NULL, 0, "xinglin prefix marks 1", key->marks, err);
    gnutls_memset(secret, 0, sizeof secret);
    if (status != STATUS_OK) {
        prefix_key_close(key);
        return status;
    }
    *result = key;
    return STATUS_OK;
}

void prefix_key_close(struct prefix_key *key) {
    if (!key) return;
    gnutls_memset(key, 0, sizeof *key);
    free(key);
}

enum status prefix_key_create(const char *path, struct error *err) {
    uint8_t secret[PREFIX_KEY_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, STATUS_USAGE,
                         "%s: exists already; what it encrypted would be lost with it: choose "
                         "another name or remove it yourself",
                         path);
    if (fd < 0)
        return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED,
                         "%s: cannot make the prefix key: %s", path, strerror(errno));
    int code = gnutls_rnd(GNUTLS_RND_KEY, secret, sizeof secret);
    enum status status = code == 0 ? STATUS_OK : fail(err, "make a key", code);
    if (status == STATUS_OK &&
        (fchmod(fd, 0600) != 0 || write(fd, secret, sizeof secret) != (ssize_t)sizeof secret ||
         fsync(fd) != 0))
        status = error_set(err, errno == ENOSPC ? STATUS_NO_SPACE : STATUS_FAILED,
                           "%s: cannot write the prefix key: %s", path, strerror(errno));
    gnutls_memset(secret, 0, sizeof secret);
    close(fd);
    if (status != STATUS_OK) unlink(path);
    return status;
}

enum status prefix_key_mark(const struct prefix_key *key, const uint8_t before[PREFIX_MARK_BYTES],
                            const void *data, size_t size_bytes, uint8_t mark[PREFIX_MARK_BYTES],
                            struct error *err) {
    uint8_t whole[MAC_BYTES];
    gnutls_hmac_hd_t handle;
    int code = gnutls_hmac_init(&handle, GNUTLS_MAC_SHA256, key->marks, sizeof key->marks);
    if (code != 0) return fail(err, "hash", code);
    code = gnutls_hmac(handle, before, PREFIX_MARK_BYTES);
    if (code == 0) code = gnutls_hmac(handle, data, size_bytes);
    gnutls_hmac_deinit(handle, whole);
    if (code != 0) return fail(err, "hash", code);
    memcpy(mark, whole, PREFIX_MARK_BYTES);
    return STATUS_OK;
}

enum status prefix_salt(uint8_t salt[PREFIX_SALT_BYTES], struct error *err) {
    int code = gnutls_rnd(GNUTLS_RND_KEY, salt, PREFIX_SALT_BYTES);
    return code == 0 ? STATUS_OK : fail(err, "get random bytes", code);
}

enum status prefix_cipher_open(struct prefix_cipher **result, const struct prefix_key *key,
                               const uint8_t salt[PREFIX_SALT_BYTES], struct error *err) {
    uint8_t derived[PREFIX_KEY_BYTES];
    *result = NULL;
    TRY(derive(key->contents, salt, PREFIX_SALT_BYTES, "xinglin prefix file 1", derived, err));
    struct prefix_cipher *cipher = calloc(1, sizeof *cipher);
    gnutls_datum_t datum = {.data = derived, .size = sizeof derived};
    enum status status = STATUS_OK;
    if (!cipher)
        status = error_no_memory(err, "a cipher", sizeof *cipher);
    else {
        int code = gnutls_aead_cipher_init(&cipher->handle, GNUTLS_CIPHER_AES_256_GCM, &datum);
        if (code != 0) status = fail(err, "start its cipher", code);
    }
    gnutls_memset(derived, 0, sizeof derived);
    if (status != STATUS_OK) {
        free(cipher);
        return status;
    }
    *result = cipher;
    return STATUS_OK;
}

void prefix_cipher_close(struct prefix_cipher *cipher) {
    if (!cipher) return;
    gnutls_aead_cipher_deinit(cipher->handle);
    free(cipher);
}

static void number_nonce(uint64_t number, uint8_t nonce[NONCE_BYTES]) {
    memset(nonce, 0, NONCE_BYTES);
    for (int i = 0; i < 8; i++)
        nonce[i] = (uint8_t)(number >> (8 * i));
}

enum status prefix_cipher_seal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                               size_t bound_bytes, const void *plain, size_t size_bytes,
                               void *sealed, struct error *err) {
    uint8_t nonce[NONCE_BYTES];
    size_t sealed_bytes = size_bytes + PREFIX_TAG_BYTES;
    number_nonce(number, nonce);
    int code =
        gnutls_aead_cipher_encrypt(cipher->handle, nonce, sizeof nonce, bound, bound_bytes,
                                   PREFIX_TAG_BYTES, plain, size_bytes, sealed, &sealed_bytes);
    if (code == 0 && sealed_bytes != size_bytes + PREFIX_TAG_BYTES) code = GNUTLS_E_INTERNAL_ERROR;
    return code == 0 ? STATUS_OK : fail(err, "encrypt", code);
}

enum status prefix_cipher_unseal(struct prefix_cipher *cipher, uint64_t number, const void *bound,
                                 size_t bound_bytes, const void *sealed, void *plain,
                                 size_t size_bytes, struct error *err) {
    uint8_t nonce[NONCE_BYTES];
    size_t plain_bytes = size_bytes;
    number_nonce(number, nonce);
    int code = gnutls_aead_cipher_decrypt(cipher->handle, nonce, sizeof nonce, bound, bound_bytes,
                                          PREFIX_TAG_BYTES, sealed, size_bytes + PREFIX_TAG_BYTES,
                                          plain, &plain_bytes);
    if (code == 0 && plain_bytes == size_bytes) return STATUS_OK;
    memset(plain, 0, size_bytes);
    if (code == GNUTLS_E_DECRYPTION_FAILED)
        return error_set(err, STATUS_BAD_INPUT, "the file is damaged or has another key");
    return fail(err, "decrypt", code);
}
