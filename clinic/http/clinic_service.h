// SPDX-License-Identifier: Apache-2.0
// The clinic inside of `xinglin serve`: opens the store, the record types, the writer over the
// server's model, draft runs and background reading, and closes them. The server knows of it only
// what a server_extension says; the routes are given a clinic_context and do not know this file.
#ifndef XL_CLINIC_CLINIC_SERVICE_H
#define XL_CLINIC_CLINIC_SERVICE_H

#include <stddef.h>

struct clinic_service;
struct model_host;
struct server_extension;
struct server_settings;

// Opens settings->clinic, which must be there (xinglin clinic init). `host` is used once it is
// ready; it may be opened later and must live longer. NULL with a message.
struct clinic_service *clinic_service_open(const struct server_settings *settings,
                                           struct model_host *host, char *message,
                                           size_t message_bytes);
const struct server_extension *clinic_service_extension(const struct clinic_service *service);
// Ends all threads: before the server is closed, while its exchanges are still there.
void clinic_service_stop(struct clinic_service *service); // NULL is allowed
// After the server was closed.
void clinic_service_close(struct clinic_service *service); // NULL is allowed

#endif
