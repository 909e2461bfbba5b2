// SPDX-License-Identifier: Apache-2.0
// Named keys of a file. A line of it: NAME SALT HASH [scopes=inference,metrics,clinic]
// [rate=REQUESTS/min] [tokens=TOKENS/min] [concurrent=REQUESTS]; # begins a comment. The file holds
// SHA-256 of salt and key, never a key; keys are 256 random bits, so a slow hash would add nothing.
// Belongs to the I/O thread, but for api_keys_create.
#ifndef XL_SERVER_API_KEYS_H
#define XL_SERVER_API_KEYS_H

#include "server/openai_error.h"
#include "server/route_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { API_KEYS_MAX = 1000, API_KEY_NAME_MAX = 40 };

struct api_key {
    char name[API_KEY_NAME_MAX + 1];
    unsigned char salt[32], hash[32];
    unsigned scopes;
    double rate, tokens; // a minute; 0: no limit
    int concurrent;      // 0: no limit
    // As it goes.
    int active;
    double requests_left, tokens_left, filled_s;
    uint64_t n_requests, n_refused, prompt_tokens, generated_tokens;
};

struct api_keys {
    struct api_key *keys;
    size_t n_keys;
};

// False with a message that names file and line.
bool api_keys_open(struct api_keys *keys, const char *path, char *message, size_t message_bytes);
void api_keys_close(struct api_keys *keys);
// Compares with every key in the same time, whatever the secret is. NULL: none.
struct api_key *api_keys_find(struct api_keys *keys, const char *secret);
bool api_key_has_scope(const struct api_key *key, enum key_scope scope);
// Takes a place; false with a 429 if the key's limits say no. Give it back with api_key_leave.
bool api_key_admit(struct api_key *key, double now_s, struct openai_error *error);
void api_key_leave(struct api_key *key);
void api_key_charge(struct api_key *key, int prompt_tokens, int generated_tokens);

// Makes a key named `name`, appends its line to the file (made with mode 0600 if it is not there)
// and puts the key into `secret`, which is the only place where it ever stands.
enum { API_KEY_SECRET_BYTES = 48 };
bool api_keys_create(const char *path, const char *name, const char *limits,
                     char secret[API_KEY_SECRET_BYTES], char *message, size_t message_bytes);

#endif
