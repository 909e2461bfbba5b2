// SPDX-License-Identifier: Apache-2.0
// The composer's writer over the server's model: the model's own chat template, record text that
// can never become control tokens, an answer that a grammar keeps in form, beginnings that stay
// known in memory and on disk. Greedy: the same chart and task give the same text.
#ifndef XL_CLINIC_MODEL_WRITER_H
#define XL_CLINIC_MODEL_WRITER_H

#include "clinic/draft/text_writer.h"

struct model_host;
struct model_writer;

// The host must be ready (MODEL_READY) and live longer. NULL: it cannot chat, or no memory.
struct model_writer *model_writer_open(struct model_host *host, struct clinic_error *error);
// Waits for what is being read in the background, which is cancelled.
void model_writer_close(struct model_writer *writer); // NULL is allowed
const struct text_writer *model_writer_interface(const struct model_writer *writer);
// Waits until everything that `warm` was given has been read, at most this long. False: not yet.
bool model_writer_settle(struct model_writer *writer, double seconds_max);

#endif
