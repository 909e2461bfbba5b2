// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/login_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES_MAX = 1024, FAILURES_MAX = 30, FORGIVE_SECONDS = 10 };

struct failing_address {
    char address[48];
    double failures; // one is forgiven every FORGIVE_SECONDS
    double at_s;
};

struct login_limit {
    pthread_mutex_t mutex;
    struct failing_address addresses[ADDRESSES_MAX];
};

struct login_limit *login_limit_create(void) {
    struct login_limit *limit = calloc(1, sizeof *limit);
    if (limit) pthread_mutex_init(&limit->mutex, NULL);
    return limit;
}

void login_limit_destroy(struct login_limit *limit) {
    if (!limit) return;
    pthread_mutex_destroy(&limit->mutex);
    free(limit);
}

static struct failing_address *find(struct login_limit *limit, const char *address) {
    for (int i = 0; i < ADDRESSES_MAX; i++)
        if (limit->addresses[i].address[0] && strcmp(limit->addresses[i].address, address) == 0)
            return &limit->addresses[i];
    return NULL;
}

static struct failing_address *take_place(struct login_limit *limit) {
    struct failing_address *oldest = &limit->addresses[0];
    for (int i = 1; i < ADDRESSES_MAX; i++)
        if (limit->addresses[i].at_s < oldest->at_s) oldest = &limit->addresses[i];
    return oldest;
}

static double failures_now(const struct failing_address *entry, double now_s) {
    double left = entry->failures - (now_s - entry->at_s) / FORGIVE_SECONDS;
    return left > 0 ? left : 0;
}

int login_limit_wait(struct login_limit *limit, const char *address, double now_s) {
    pthread_mutex_lock(&limit->mutex);
    const struct failing_address *entry = find(limit, address);
    double left = entry ? failures_now(entry, now_s) : 0;
    pthread_mutex_unlock(&limit->mutex);
    return left < FAILURES_MAX ? 0 : 1 + (int)((left - FAILURES_MAX) * FORGIVE_SECONDS);
}

void login_limit_fail(struct login_limit *limit, const char *address, double now_s) {
    pthread_mutex_lock(&limit->mutex);
    struct failing_address *entry = find(limit, address);
    if (!entry) {
        entry = take_place(limit);
        *entry = (struct failing_address){.at_s = now_s};
        snprintf(entry->address, sizeof entry->address, "%s", address);
    }
    entry->failures = failures_now(entry, now_s) + 1;
    entry->at_s = now_s;
    pthread_mutex_unlock(&limit->mutex);
}
