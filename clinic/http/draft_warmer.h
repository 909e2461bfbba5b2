// SPDX-License-Identifier: Apache-2.0
// Takes facts from charts and reads them into the model in the background, so that pressing the
// button finds both: one at a time, the one asked for last first, as the model's background work,
// which gives way to every request. When the model comes up, the episodes whose form is empty are
// read, newest first.
#ifndef XL_CLINIC_DRAFT_WARMER_H
#define XL_CLINIC_DRAFT_WARMER_H

#include <stdbool.h>
#include <stdint.h>

struct draft_warmer;
struct draft_supply;

struct draft_warmer *
draft_warmer_create(const struct draft_supply *supply); // NULL: no memory, thread
void draft_warmer_stop(struct draft_warmer *warmer);    // waits for its thread
void draft_warmer_destroy(struct draft_warmer *warmer); // NULL is allowed
// An episode was pushed or opened. The oldest wishes are forgotten if there are too many.
void draft_warmer_add(struct draft_warmer *warmer, const char *episode);
// This version was read to its end since the start (what the model keeps may have gone since).
bool draft_warmer_has_read(struct draft_warmer *warmer, const char *episode, int64_t version);

#endif
