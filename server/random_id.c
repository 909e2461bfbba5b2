// SPDX-License-Identifier: Apache-2.0
#include "server/random_id.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool random_bytes(void *bytes, size_t n_bytes) {
    unsigned char *at = bytes;
    memset(bytes, 0, n_bytes);
    for (size_t n = 0; n < n_bytes;) {
        ssize_t got = getrandom(at + n, n_bytes - n, 0);
        if (got <= 0) return false;
        n += (size_t)got;
    }
    return true;
}

uint64_t random_u64(void) {
    uint64_t value;
    random_bytes(&value, sizeof value);
    return value;
}

void random_id_write(char *id, size_t id_bytes, const char *prefix) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    unsigned char bytes[64];
    size_t n = (size_t)snprintf(id, id_bytes, "%s", prefix);
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; n + 1 < id_bytes && i < sizeof bytes; i++)
        id[n++] = letters[bytes[i] % (sizeof letters - 1)];
    id[n] = '\0';
}
