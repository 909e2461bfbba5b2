// SPDX-License-Identifier: Apache-2.0
// Users as rows, for the parts that open sessions. Inside clinic/store only.
#ifndef XL_CLINIC_USER_TABLE_H
#define XL_CLINIC_USER_TABLE_H

#include "clinic/store/password_hash.h"
#include "clinic/store/store_core.h"

enum { USER_NAME_BYTES = 65, USER_DISPLAY_BYTES = 129, USER_ROLE_BYTES = 16 };

struct user_row {
    char name[USER_NAME_BYTES], display[USER_DISPLAY_BYTES], role[USER_ROLE_BYTES];
    json_t *departments;
    bool is_disabled;
    int64_t version;
    char hash[PASSWORD_HASH_BYTES];
};

// False without an error: there is none. Free `departments`.
bool user_find(struct database *database, const char *name, struct user_row *row,
               struct clinic_error *error);
bool user_name_check(const char *name, struct clinic_error *error);
// NULL: bad input (not text, too long), told in the error.
json_t *departments_make(const char *const *departments, int n, struct clinic_error *error);
bool departments_see(const json_t *departments, const char *department);

#endif
