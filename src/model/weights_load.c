// SPDX-License-Identifier: Apache-2.0
// See weights_load.h. A cache that cannot be read or written is never an error.
#include "model/weights_load.h"

#include "model/packed_file.h"
#include "model/weights_pack.h"

#include <sys/mman.h>

static enum status pack(struct model_weights *weights, const struct checkpoint *checkpoint,
                        struct thread_pool *pool, uint64_t size_bytes, struct error *err) {
    TRY(weights_allocate(weights, size_bytes, err));
    TRY(weights_pack(weights, checkpoint, pool, err));
    mprotect(weights->memory, weights->memory_bytes, PROT_READ); // a stray write shows
    weights_attach(weights, weights->memory);
    return STATUS_OK;
}

static enum status load_or_keep(struct model_weights *weights, const struct checkpoint *checkpoint,
                                const struct model_load *load, uint64_t size_bytes,
                                enum weights_origin *origin, struct error *err) {
    struct packed_plan plan;
    bool mapped, planned = packed_plan_init(&plan, weights, checkpoint, load->cache_directory,
                                            size_bytes, NULL) == STATUS_OK;
    enum status status = STATUS_OK;
    if (planned && packed_file_load(&plan, weights, load->pool, load->copy_cached, &mapped)) {
        *origin = mapped ? WEIGHTS_MAPPED : WEIGHTS_COPIED;
        for (size_t i = 0; i < weights->n_sources; i++) // came along with vectors
            checkpoint_release(checkpoint, weights->sources[i].tensor);
    } else {
        status = pack(weights, checkpoint, load->pool, size_bytes, err);
        bool kept = status == STATUS_OK && planned &&
                    packed_file_save(&plan, weights, load->pool, NULL) == STATUS_OK;
        *origin = kept ? WEIGHTS_KEPT : WEIGHTS_PACKED;
    }
    packed_plan_deinit(&plan);
    return status;
}

enum status weights_load(struct model_weights *weights, const struct checkpoint *checkpoint,
                         const struct model_load *load, enum weights_origin *origin,
                         struct error *err) {
    uint64_t size_bytes;
    TRY(weights_measure(weights, &size_bytes, err));
    if (load->cache_directory && size_bytes >= load->cache_min_bytes)
        return load_or_keep(weights, checkpoint, load, size_bytes, origin, err);
    *origin = WEIGHTS_PACKED;
    return pack(weights, checkpoint, load->pool, size_bytes, err);
}
