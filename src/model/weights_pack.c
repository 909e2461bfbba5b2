// SPDX-License-Identifier: Apache-2.0
// See weights_pack.h. Matrices are packed one after another, each by all threads; only one source
// that cannot be mapped is in memory at a time.
#define _GNU_SOURCE // MADV_HUGEPAGE
#include "model/weights_pack.h"

#include "base/bytes.h"
#include "model/forward.h"
#include "numeric/packed.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE_BYTES = 4096, // where it is larger, the advice is refused
    HUGE_PAGE_BYTES = 2 << 20,
    RELEASE_BYTES = 4 << 20, // of source that a thread keeps resident at most
    PRODUCT_BITS_MAX = 44    // numeric/packed.h
};

struct packing {
    const struct checkpoint *checkpoint;
    float *floats; // [threads][n_floats] of a panel that is converted first
    size_t n_floats;
    // The matrix of the moment.
    const struct weight_source *source;
    const uint8_t *rows;
    size_t row_bytes;
    uint8_t *panels;
};

static int count_panels(const struct weight *weight) {
    return (weight->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
}

enum status weights_measure(const struct model_weights *weights, uint64_t *size_bytes,
                            struct error *err) {
    *size_bytes = 0;
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight *weight = weights->sources[i].weight;
        uint64_t product = (uint64_t)weight->n_rows * (uint64_t)weight->n_columns;
        if (product >> PRODUCT_BITS_MAX ||
            !size_add(*size_bytes,
                      packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns),
                      size_bytes))
            return error_set(err, STATUS_UNSUPPORTED, "tensor %s is too large: %d x %d",
                             weights->sources[i].tensor->name, weight->n_rows, weight->n_columns);
    }
    return STATUS_OK;
}

enum status weights_allocate(struct model_weights *weights, uint64_t size_bytes,
                             struct error *err) {
    uint64_t padded;
    if (!size_add(size_bytes, 2 * HUGE_PAGE_BYTES, &padded) || padded > SIZE_MAX / 2)
        return error_no_memory(err, "the weights", size_bytes);
    uint8_t *memory =
        mmap(NULL, (size_t)padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return error_no_memory(err, "the weights", size_bytes);
    // What stands over before and behind a whole number of huge pages goes back.
    size_t before = (HUGE_PAGE_BYTES - (uintptr_t)memory % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    size_t used = ((size_t)size_bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    if (used == 0) used = HUGE_PAGE_BYTES;
    if (before) munmap(memory, before);
    if (before + used < padded) munmap(memory + before + used, (size_t)padded - before - used);
    weights->memory = memory + before;
    weights->memory_bytes = used;
    if (size_bytes >= HUGE_PAGE_BYTES) madvise(weights->memory, used, MADV_HUGEPAGE);
    return STATUS_OK;
}

// One panel of the matrix of the moment.
static void pack_one(const struct packing *packing, int panel, float *floats, uint8_t *out) {
    const struct weight *weight = packing->source->weight;
    int first = panel * PANEL_ROWS, n_rows = weight->n_rows - first;
    if (n_rows > PANEL_ROWS) n_rows = PANEL_ROWS;
    const uint8_t *rows = packing->rows + (size_t)first * packing->row_bytes;
    size_t row_bytes = packing->row_bytes;
    if (packing->source->tensor->dtype != weight->dtype) {
        size_t n_columns = (size_t)weight->n_columns;
        weights_to_float(packing->source->tensor->dtype, rows, floats, (size_t)n_rows * n_columns);
        rows = (const uint8_t *)floats;
        row_bytes = n_columns * sizeof *floats;
    }
    pack_panel(weight->dtype, rows, row_bytes, n_rows, weight->n_columns, out);
}

// Lets go of the source rows before `end`, from *released on.
static void release_rows(const struct packing *packing, int *released, int end) {
    const struct checkpoint_tensor *tensor = packing->source->tensor;
    if (!tensor->data) return;
    checkpoint_release_part(packing->checkpoint, tensor, (size_t)*released * packing->row_bytes,
                            (size_t)(end - *released) * packing->row_bytes);
    *released = end;
}

static void pack_share(void *argument, int thread_index, int n_threads) {
    const struct packing *packing = argument;
    const struct weight *weight = packing->source->weight;
    struct share share = share_of(count_panels(weight), thread_index, n_threads);
    float *floats = packing->floats + (size_t)thread_index * packing->n_floats;
    int released = share.begin * PANEL_ROWS;
    for (int panel = share.begin; panel < share.end; panel++) {
        pack_one(packing, panel, floats, packing->panels + (size_t)panel * weight->panel_bytes);
        int end = (panel + 1) * PANEL_ROWS;
        if ((size_t)(end - released) * packing->row_bytes >= RELEASE_BYTES && end < weight->n_rows)
            release_rows(packing, &released, end);
    }
}

static enum status pack_matrix(struct packing *packing, struct thread_pool *pool,
                               struct error *err) {
    const struct checkpoint_tensor *tensor = packing->source->tensor;
    uint8_t *owned;
    uint64_t row_bytes;
    dtype_size_bytes(tensor->dtype, (uint64_t)packing->source->weight->n_columns, &row_bytes);
    packing->row_bytes = (size_t)row_bytes;
    TRY(weights_load_bytes(packing->checkpoint, tensor, &packing->rows, &owned, err));
    if (pool)
        thread_pool_run(pool, pack_share, packing);
    else
        pack_share(packing, 0, 1);
    free(owned);
    if (!owned) checkpoint_release(packing->checkpoint, tensor);
    return STATUS_OK;
}

// Lets the disk begin with a tensor that is packed later.
static void read_ahead(const struct checkpoint_tensor *tensor) {
    uintptr_t begin = (uintptr_t)tensor->data / PAGE_BYTES * PAGE_BYTES;
    if (tensor->data)
        madvise((void *)begin, (uintptr_t)tensor->data + (size_t)tensor->size_bytes - begin,
                MADV_WILLNEED);
}

enum status weights_pack(const struct model_weights *weights, const struct checkpoint *checkpoint,
                         struct thread_pool *pool, struct error *err) {
    struct packing packing = {.checkpoint = checkpoint, .panels = weights->memory};
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight_source *source = &weights->sources[i];
        size_t n = (size_t)source->weight->n_columns * PANEL_ROWS;
        if (source->tensor->dtype != source->weight->dtype && n > packing.n_floats)
            packing.n_floats = n;
    }
    size_t n_threads = pool ? (size_t)thread_pool_size(pool) : 1;
    size_t floats_bytes = n_threads * packing.n_floats * sizeof *packing.floats;
    packing.floats = malloc(floats_bytes ? floats_bytes : 1);
    if (!packing.floats) return error_no_memory(err, "a converted weight", floats_bytes);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < weights->n_sources && status == STATUS_OK; i++) {
        const struct weight *weight = weights->sources[i].weight;
        packing.source = &weights->sources[i];
        if (i + 1 < weights->n_sources) read_ahead(weights->sources[i + 1].tensor);
        status = pack_matrix(&packing, pool, err);
        packing.panels += packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns);
    }
    free(packing.floats);
    return status;
}

void weights_attach(struct model_weights *weights, const uint8_t *panels) {
    struct weight *table = &weights->embedding.panels;
    table->panels = NULL;
    for (size_t i = 0; i < weights->n_sources; i++) {
        struct weight *weight = weights->sources[i].weight;
        weight->panels = panels;
        panels += packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns);
    }
    if (!weights->embedding.rows && !table->panels) *table = weights->output; // they are tied
}
