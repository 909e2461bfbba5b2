// SPDX-License-Identifier: Apache-2.0
// Passwords as texts that cannot be turned back: "pbkdf2-sha256$ITERATIONS$SALT$HASH".
#ifndef XL_CLINIC_PASSWORD_HASH_H
#define XL_CLINIC_PASSWORD_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum { PASSWORD_HASH_BYTES = 160, PASSWORD_ITERATIONS = 600000, PASSWORD_BYTES_MAX = 1024 };

// A new salt; takes a good part of a second on purpose. False: no random numbers.
bool password_hash(const char *password, char hash[PASSWORD_HASH_BYTES]);
// `hash` NULL or damaged: false, after the same time.
bool password_matches(const char *password, const char *hash);

#endif
