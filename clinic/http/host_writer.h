// SPDX-License-Identifier: Apache-2.0
// The writer over the server's one model: opened when it is first asked for after the model has
// come up, then kept. A model that is off, still loads, failed or cannot chat gives none. Any
// thread.
#ifndef XL_CLINIC_HOST_WRITER_H
#define XL_CLINIC_HOST_WRITER_H

#include <stdbool.h>

struct host_writer;
struct model_host;
struct text_writer;

// `host` may be opened later and must live longer. NULL: no memory.
struct host_writer *host_writer_create(struct model_host *host);
void host_writer_destroy(struct host_writer *writer); // NULL is allowed
// NULL: no model, not ready yet, or it cannot chat.
const struct text_writer *host_writer_interface(struct host_writer *writer);
// Waits at most so long until all that was given to it in the background has been read.
bool host_writer_is_settled(struct host_writer *writer, double seconds_max);
const char *host_writer_state(struct host_writer *writer); // off loading ready failed
const char *host_writer_name(struct host_writer *writer);  // of the model; NULL: none

#endif
