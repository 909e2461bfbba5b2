// SPDX-License-Identifier: Apache-2.0
// See block_deal.h. A thread's list of blocks is not stored: block u of a share follows from u. The
// counter of a list says how many of its blocks have been taken. A thread sets its own counters of
// all other phases back whenever a phase begins: the barrier before it has ended their use, and the
// barrier behind it comes before their next.
#include "model/block_deal.h"

static int count_blocks(struct share share, int size) {
    return (share.end - share.begin + size - 1) / size;
}

static struct share part_of(struct share share, int index, int size) {
    struct share part = {share.begin + index * size, share.begin + (index + 1) * size};
    if (part.end > share.end) part.end = share.end;
    return part;
}

static void take_from(const struct forward_pass *pass, const struct block_job *job, int owner,
                      int thread_index) {
    struct share rows = share_of_groups(job->n_rows, job->group, owner, pass->n_threads);
    struct share tokens = {0, job->n_tokens};
    int n_token_blocks = count_blocks(tokens, BLOCK_TOKENS);
    int n_blocks = count_blocks(rows, BLOCK_ROWS) * n_token_blocks;
    int *n_taken = &pass->workspace->lists[owner].n_taken[job->phase];
    for (;;) {
        if (__atomic_load_n(n_taken, __ATOMIC_RELAXED) >= n_blocks) return;
        int index = __atomic_fetch_add(n_taken, 1, __ATOMIC_RELAXED);
        if (index >= n_blocks) return;
        // The rows of a block stay in the cache while the chunk's tokens go by, so that weights
        // come from memory once.
        struct work_block block = {part_of(rows, index / n_token_blocks, BLOCK_ROWS),
                                   part_of(tokens, index % n_token_blocks, BLOCK_TOKENS)};
        job->compute(pass, job->context, block, thread_index);
    }
}

static void reset(const struct forward_pass *pass, int phase_in_use, int thread_index) {
    struct block_list *list = &pass->workspace->lists[thread_index];
    for (int phase = 0; phase < DEAL_PHASES; phase++)
        if (phase != phase_in_use) __atomic_store_n(&list->n_taken[phase], 0, __ATOMIC_RELAXED);
}

void block_deal_reset(const struct forward_pass *pass, int thread_index) {
    reset(pass, -1, thread_index);
}

void block_deal(const struct forward_pass *pass, const struct block_job *job, int thread_index) {
    if (job->n_rows < 1 || job->n_tokens < 1) return;
    if (pass->is_narrow) {
        struct work_block block = {
            share_of_groups(job->n_rows, job->group, thread_index, pass->n_threads),
            {0, job->n_tokens}};
        if (block.rows.begin < block.rows.end)
            job->compute(pass, job->context, block, thread_index);
        return;
    }
    reset(pass, job->phase, thread_index);
    for (int i = 0; i < pass->n_threads; i++)
        take_from(pass, job, (thread_index + i) % pass->n_threads, thread_index);
}

void unit_deal(const struct forward_pass *pass, enum deal_phase phase, int n_units,
               void (*compute)(const void *context, int unit, int thread_index),
               const void *context, int thread_index) {
    int n_threads = pass->n_threads;
    reset(pass, phase, thread_index);
    for (int i = 0; i < n_threads; i++) {
        int owner = (thread_index + i) % n_threads;
        int *n_taken = &pass->workspace->lists[owner].n_taken[phase];
        for (;;) {
            int unit = owner + __atomic_load_n(n_taken, __ATOMIC_RELAXED) * n_threads;
            if (unit >= n_units) break;
            unit = owner + __atomic_fetch_add(n_taken, 1, __ATOMIC_RELAXED) * n_threads;
            if (unit >= n_units) break;
            compute(context, unit, thread_index);
        }
    }
}
