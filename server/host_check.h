// SPDX-License-Identifier: Apache-2.0
// Host and Origin headers. A page of a foreign site can make a browser ask this server under a name
// that suddenly points here (DNS rebinding); it cannot do so under an address. So addresses and
// localhost are allowed, other names only if they are listed.
#ifndef XL_SERVER_HOST_CHECK_H
#define XL_SERVER_HOST_CHECK_H

#include "server/settings.h"

bool host_check_host(const struct server_settings *settings, const char *host); // NULL: HTTP/1.0
bool host_check_origin(const struct server_settings *settings, const char *origin); // listed
// The origin is this server itself, under the name of the Host header.
bool host_check_same(const char *origin, const char *host);

#endif
