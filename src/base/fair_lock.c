// SPDX-License-Identifier: Apache-2.0
// See fair_lock.h. All who wait are woken and look for their number: there are few of them.
#include "base/fair_lock.h"

enum status fair_lock_init(struct fair_lock *lock, struct error *err) {
    lock->next = lock->serving = 0;
    if (pthread_mutex_init(&lock->mutex, NULL) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a mutex");
    if (pthread_cond_init(&lock->turn, NULL) != 0) {
        pthread_mutex_destroy(&lock->mutex);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a condition");
    }
    return STATUS_OK;
}

void fair_lock_deinit(struct fair_lock *lock) {
    pthread_cond_destroy(&lock->turn);
    pthread_mutex_destroy(&lock->mutex);
}

void fair_lock_take(struct fair_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    uint64_t number = lock->next++;
    while (number != lock->serving)
        pthread_cond_wait(&lock->turn, &lock->mutex);
    pthread_mutex_unlock(&lock->mutex);
}

void fair_lock_give(struct fair_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    lock->serving++;
    pthread_cond_broadcast(&lock->turn);
    pthread_mutex_unlock(&lock->mutex);
}
