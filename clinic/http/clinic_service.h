// SPDX-License-Identifier: Apache-2.0
// The clinic inside of `xinglin serve`: the store, the record templates, the writer over the
// server's model, draft runs and background reading, and the routes that the server is given. The
// server knows of it only what a server_extension says.
#ifndef XL_CLINIC_CLINIC_SERVICE_H
#define XL_CLINIC_CLINIC_SERVICE_H

#include "server/settings.h"

#include <stdbool.h>
#include <stddef.h>

struct clinic_service;
struct draft_runs;
struct draft_warmer;
struct job_pool;
struct login_limit;
struct model_host;
struct server_extension;
struct store;
struct template_set;
struct text_writer;
struct title_map;

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

// ---- For the routes; from any thread
struct store *clinic_service_store(struct clinic_service *service);
const struct server_settings *clinic_service_settings(const struct clinic_service *service);
const struct template_set *clinic_service_templates(const struct clinic_service *service);
const struct title_map *clinic_service_titles(const struct clinic_service *service);
struct job_pool *clinic_service_jobs(struct clinic_service *service);
struct job_pool *clinic_service_logins(struct clinic_service *service); // what is slow on purpose
struct job_pool *clinic_service_proofs(struct clinic_service *service); // of the audit
// A place among the requests of one session that wait or are answered; false: it has too many.
bool clinic_service_enter(struct clinic_service *service, const char *token);
void clinic_service_leave(struct clinic_service *service, const char *token);
struct draft_runs *clinic_service_runs(struct clinic_service *service);
struct draft_warmer *clinic_service_warmer(struct clinic_service *service);
struct login_limit *clinic_service_login_limit(struct clinic_service *service);
// NULL: no model, not ready yet, or it cannot chat.
const struct text_writer *clinic_service_writer(struct clinic_service *service);
// Waits at most so long until the writer has read all that it was given in the background.
bool clinic_service_is_settled(struct clinic_service *service, double seconds_max);
const char *clinic_service_model_state(struct clinic_service *service); // off loading ready failed
const char *clinic_service_model_name(struct clinic_service *service);  // NULL: none

// Content-Security-Policy of the pages; that of the embedded one names who may frame it.
enum clinic_page { PAGE_WORKPLACE, PAGE_EMBEDDED, PAGE_MOCK_HOST, N_CLINIC_PAGES };
const char *clinic_service_policy(const struct clinic_service *service, enum clinic_page page);

#endif
