// SPDX-License-Identifier: Apache-2.0
// The store's folder on disk: who may enter it, whose its files are, and the key for launch tokens.
// Inside clinic/store only.
#ifndef XL_CLINIC_STORE_FOLDER_H
#define XL_CLINIC_STORE_FOLDER_H

#include "clinic/store/store_core.h"

// Makes the folder if `create`. Fails if others than its owner may enter. Notes owner and group.
bool folder_check(struct store *store, bool create, struct clinic_error *error);
// The database's file, empty, for its owner alone; one that is there stays.
bool folder_make_database(const struct store *store, struct clinic_error *error);
// Reads launch.key into the store, making it first if `create` and it is missing.
bool folder_read_key(struct store *store, bool create, struct clinic_error *error);
// Keeps other servers out until the descriptor is closed; -1 with an error: one is there already.
int folder_lock(const struct store *store, struct clinic_error *error);
// A file that was just made, to the folder's owner: a service must be able to use what an operator
// made as root.
void folder_give_file(const struct store *store, int fd);

#endif
