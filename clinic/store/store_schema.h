// SPDX-License-Identifier: Apache-2.0
// The tables and how a database of an earlier version becomes one of this version.
#ifndef XL_CLINIC_STORE_SCHEMA_H
#define XL_CLINIC_STORE_SCHEMA_H

#include "clinic/store/store_core.h"

enum { SCHEMA_VERSION = 1, SCHEMA_APPLICATION = 0x584c434e }; // "XLCN"

// Makes the tables of an empty database if `create`; brings an earlier version up to this one, all
// in one transaction; refuses what is not a store and what a later program wrote.
bool schema_prepare(struct store *store, bool create, struct clinic_error *error);
// Reads genesis and digest key.
bool schema_read_keys(struct store *store, struct clinic_error *error);
// Whether the database has exactly the tables, indexes and triggers that this program makes; if
// not, what is first missing, additional or another goes into `name`. False with an error: it could
// not be told.
bool schema_compare(struct database *database, bool *is_same, char *name, size_t name_bytes,
                    struct clinic_error *error);

#endif
