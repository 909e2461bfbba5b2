// SPDX-License-Identifier: Apache-2.0
// A mutex that is given in the order in which it was asked for. An ordinary one may be taken again
// and again by a thread that lets go of it only for a moment, while others wait for ever.
#ifndef XL_BASE_FAIR_LOCK_H
#define XL_BASE_FAIR_LOCK_H

#include "base/status.h"

#include <pthread.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fair_lock {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    uint64_t next, serving; // numbers drawn, and the one that has the lock
};

enum status fair_lock_init(struct fair_lock *lock, struct error *err);
void fair_lock_deinit(struct fair_lock *lock); // nobody may hold it or wait
void fair_lock_take(struct fair_lock *lock);
void fair_lock_give(struct fair_lock *lock);

#ifdef __cplusplus
}
#endif
#endif
