// SPDX-License-Identifier: Apache-2.0
// See weights_pack.h. Matrices are packed one after another, each by all threads; only one source
// that cannot be mapped is in memory at a time.
#define _GNU_SOURCE // MADV_HUGEPAGE
#include "model/weights_pack.h"

#include "base/bytes.h"
#include "model/forward.h"
#include "numeric/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HUGE_PAGE_BYTES = 2 << 20,
    STAGING_BYTES = 1 << 20, // at least, of one thread that writes to a file
    RELEASE_BYTES = 4 << 20, // of source that a thread keeps resident at most
    PRODUCT_BITS_MAX = 44    // numeric/packed.h
};

struct packing {
    const struct checkpoint *checkpoint;
    const struct panel_sink *sink;
    uint8_t *staging; // [threads][staging_bytes] if the sink is a file
    size_t staging_bytes;
    float *floats; // [threads][n_floats] of a panel that is converted first
    size_t n_floats;
    // The matrix of the moment.
    const struct weight_source *source;
    const uint8_t *rows;
    size_t row_bytes;
    uint64_t offset;
    int failed_errno; // atomic
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

static void write_all(struct packing *packing, const uint8_t *data, size_t size_bytes,
                      uint64_t offset) {
    while (size_bytes > 0) {
        ssize_t n = pwrite(packing->sink->descriptor, data, size_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            __atomic_store_n(&packing->failed_errno, n < 0 ? errno : ENOSPC, __ATOMIC_RELAXED);
            return;
        }
        data += n;
        size_bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
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
    struct packing *packing = argument;
    const struct weight *weight = packing->source->weight;
    struct share share = share_of(count_panels(weight), thread_index, n_threads);
    float *floats = packing->floats + (size_t)thread_index * packing->n_floats;
    size_t panel_bytes = weight->panel_bytes;
    int batch = 1, released = share.begin * PANEL_ROWS;
    uint8_t *staging = NULL;
    if (packing->staging) {
        staging = packing->staging + (size_t)thread_index * packing->staging_bytes;
        batch = (int)(packing->staging_bytes / panel_bytes);
    }
    for (int panel = share.begin; panel < share.end; panel += batch) {
        int n = share.end - panel < batch ? share.end - panel : batch;
        uint64_t offset = packing->offset + (uint64_t)panel * panel_bytes;
        uint8_t *out = staging ? staging : packing->sink->memory + offset;
        for (int i = 0; i < n; i++)
            pack_one(packing, panel + i, floats, out + (size_t)i * panel_bytes);
        if (staging)
            write_all(packing, staging, (size_t)n * panel_bytes,
                      packing->sink->file_offset + offset);
        int end = (panel + n) * PANEL_ROWS;
        if ((size_t)(end - released) * packing->row_bytes >= RELEASE_BYTES && end < weight->n_rows)
            release_rows(packing, &released, end);
    }
}

static enum status pack_matrix(struct packing *packing, struct thread_pool *pool,
                               struct error *err) {
    const struct checkpoint_tensor *tensor = packing->source->tensor;
    const struct weight *weight = packing->source->weight;
    uint8_t *owned;
    uint64_t row_bytes;
    dtype_size_bytes(tensor->dtype, (uint64_t)weight->n_columns, &row_bytes);
    packing->row_bytes = (size_t)row_bytes;
    TRY(weights_load_bytes(packing->checkpoint, tensor, &packing->rows, &owned, err));
    if (pool)
        thread_pool_run(pool, pack_share, packing);
    else
        pack_share(packing, 0, 1);
    free(owned);
    if (!owned) checkpoint_release(packing->checkpoint, tensor);
    if (packing->failed_errno == 0) return STATUS_OK;
    return error_set(err, packing->failed_errno == ENOSPC ? STATUS_NO_SPACE : STATUS_FAILED,
                     "cannot write packed weights: %s", strerror(packing->failed_errno));
}

static enum status allocate_scratch(struct packing *packing, const struct model_weights *weights,
                                    int n_threads, struct error *err) {
    size_t n_floats = 0, staging = packing->sink->memory ? 0 : STAGING_BYTES;
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight_source *source = &weights->sources[i];
        size_t n = (size_t)source->weight->n_columns * PANEL_ROWS;
        if (source->tensor->dtype != source->weight->dtype && n > n_floats) n_floats = n;
        if (staging && source->weight->panel_bytes > staging) staging = source->weight->panel_bytes;
    }
    packing->n_floats = n_floats;
    packing->staging_bytes = (staging + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    size_t floats_bytes = (size_t)n_threads * n_floats * sizeof *packing->floats;
    size_t staging_bytes = (size_t)n_threads * packing->staging_bytes;
    packing->floats = malloc(floats_bytes ? floats_bytes : 1);
    if (!packing->floats) return error_no_memory(err, "a converted weight", floats_bytes);
    if (staging_bytes == 0) return STATUS_OK;
    packing->staging = aligned_alloc(LINE_BYTES, staging_bytes);
    if (packing->staging) return STATUS_OK;
    free(packing->floats);
    return error_no_memory(err, "packed weights", staging_bytes);
}

enum status weights_pack(const struct model_weights *weights, const struct checkpoint *checkpoint,
                         struct thread_pool *pool, const struct panel_sink *sink,
                         struct error *err) {
    struct packing packing = {.checkpoint = checkpoint, .sink = sink};
    TRY(allocate_scratch(&packing, weights, pool ? thread_pool_size(pool) : 1, err));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < weights->n_sources && status == STATUS_OK; i++) {
        const struct weight *weight = weights->sources[i].weight;
        packing.source = &weights->sources[i];
        status = pack_matrix(&packing, pool, err);
        packing.offset += packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns);
    }
    free(packing.floats);
    free(packing.staging);
    return status;
}

void weights_attach(struct model_weights *weights, const uint8_t *panels) {
    for (size_t i = 0; i < weights->n_sources; i++) {
        struct weight *weight = weights->sources[i].weight;
        weight->panels = panels;
        panels += packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns);
    }
    // A tied embedding is the output matrix.
    if (!weights->embedding.rows && !weights->embedding.panels.panels)
        weights->embedding.panels = weights->output;
}
