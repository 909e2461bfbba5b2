// SPDX-License-Identifier: Apache-2.0
// Keys for routes that are public in the table because they also let in others than keys: such a
// route asks here, in its handle. What else the gate does is between it and io_loop.h.
#ifndef XL_SERVER_HTTP_GATE_H
#define XL_SERVER_HTTP_GATE_H

#include "server/route_table.h"

#include <stdbool.h>

struct exchange;

// What stands behind "Authorization: Bearer" or in X-API-Key; NULL: neither is there.
const char *http_gate_secret(struct exchange *exchange);
// Sets exchange->key; false with the error if the secret is no key or not one with this scope.
bool http_gate_check_key(struct exchange *exchange, enum key_scope scope);
// Takes a place within the key's limits until the exchange ends.
bool http_gate_admit(struct exchange *exchange);

#endif
