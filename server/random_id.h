// SPDX-License-Identifier: Apache-2.0
// Numbers that nobody guesses: names of requests, seeds, keys.
#ifndef XL_SERVER_RANDOM_ID_H
#define XL_SERVER_RANDOM_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// False only if the system gives none; the bytes are then zero.
bool random_bytes(void *bytes, size_t n_bytes);
uint64_t random_u64(void);
// The prefix and letters and digits up to the end of the array.
void random_id_write(char *id, size_t id_bytes, const char *prefix);

#endif
