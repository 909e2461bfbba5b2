// SPDX-License-Identifier: Apache-2.0
// How often one address may fail to log in, whatever the names are: the store locks names, this
// slows down who tries many. A fixed number of addresses; the one longest quiet is forgotten. Any
// thread.
#ifndef XL_CLINIC_LOGIN_LIMIT_H
#define XL_CLINIC_LOGIN_LIMIT_H

#include <stdbool.h>

struct login_limit;

struct login_limit *login_limit_create(void); // NULL: no memory
void login_limit_destroy(struct login_limit *limit);
// Seconds to wait before the next try; 0: now.
int login_limit_wait(struct login_limit *limit, const char *address, double now_s);
void login_limit_fail(struct login_limit *limit, const char *address, double now_s);

#endif
