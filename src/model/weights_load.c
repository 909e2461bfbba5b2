// SPDX-License-Identifier: Apache-2.0
// See weights_load.h. A cache that cannot be read or written is never an error.
#include "model/weights_load.h"

#include "model/packed_file.h"
#include "model/weights_pack.h"

#include <sys/mman.h>

// True if the weights are in place.
static bool use_cache(struct model_weights *weights, const struct checkpoint *checkpoint,
                      const struct model_load *load, uint64_t size_bytes,
                      enum weights_origin *origin) {
    struct packed_plan plan;
    bool kept, done = packed_plan_init(&plan, weights, checkpoint, load->cache_directory,
                                       size_bytes, NULL) == STATUS_OK;
    *origin = load->copy_cached ? WEIGHTS_COPIED : WEIGHTS_MAPPED;
    if (done && !packed_file_load(&plan, weights, load->pool, load->copy_cached)) {
        done = packed_file_build(&plan, weights, checkpoint, load->pool, &kept, NULL) == STATUS_OK;
        *origin = done && kept ? WEIGHTS_KEPT : WEIGHTS_PACKED;
    }
    packed_plan_deinit(&plan);
    return done;
}

enum status weights_load(struct model_weights *weights, const struct checkpoint *checkpoint,
                         const struct model_load *load, enum weights_origin *origin,
                         struct error *err) {
    uint64_t size_bytes;
    TRY(weights_measure(weights, &size_bytes, err));
    if (load->cache_directory && size_bytes >= load->cache_min_bytes &&
        use_cache(weights, checkpoint, load, size_bytes, origin))
        return STATUS_OK;
    *origin = WEIGHTS_PACKED;
    TRY(weights_allocate(weights, size_bytes, err));
    struct panel_sink sink = {.memory = weights->memory};
    TRY(weights_pack(weights, checkpoint, load->pool, &sink, err));
    mprotect(weights->memory, weights->memory_bytes, PROT_READ); // a stray write shows
    weights_attach(weights, weights->memory);
    return STATUS_OK;
}
