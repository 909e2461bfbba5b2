// SPDX-License-Identifier: Apache-2.0
// The scratch memory of a session's forward passes: one allocation, laid out here, wiped at the
// end.
#include "model/forward.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 64 };

enum part {
    PART_X,
    PART_NORMED,
    PART_Q,
    PART_K,
    PART_V,
    PART_ATTENDED,
    PART_PROJECTED,
    PART_GATE,
    PART_UP,
    PART_QUANTIZED,
    PART_COSINE,
    PART_SINE,
    PART_SCORES,
    N_PARTS
};

static int largest(int a, int b) {
    return a > b ? a : b;
}

// How many elements of which size each part has.
static void measure(const struct forward_workspace *workspace, uint64_t n[N_PARTS]) {
    const struct model_config *config = &workspace->model->config;
    uint64_t tokens = (uint64_t)workspace->n_tokens_max;
    uint64_t n_embd = (uint64_t)config->n_embd, n_ff = (uint64_t)config->n_ff;
    uint64_t n_q = (uint64_t)config->n_heads * (uint64_t)config->head_dim;
    uint64_t n_kv = (uint64_t)config->n_kv_heads * (uint64_t)config->head_dim;
    n[PART_X] = n[PART_NORMED] = n[PART_PROJECTED] = tokens * n_embd;
    n[PART_Q] = n[PART_ATTENDED] = tokens * n_q;
    n[PART_K] = n[PART_V] = tokens * n_kv;
    n[PART_GATE] = n[PART_UP] = tokens * n_ff;
    n[PART_QUANTIZED] = tokens * workspace->quantized_chunks;
    n[PART_COSINE] = n[PART_SINE] = tokens * (uint64_t)config->n_rot; // two sets of n_rot / 2
    n[PART_SCORES] = (uint64_t)workspace->n_threads * (uint64_t)workspace->n_positions_max;
}

static uint64_t element_bytes(int part) {
    return part == PART_QUANTIZED ? sizeof(struct act_chunk_q8) : sizeof(float);
}

// Offsets of the parts, each aligned, and the total; false on overflow. n_tokens_max and every size
// are below 2^31 and 2^20, so the products in n[] are exact.
static bool lay_out(const uint64_t n[N_PARTS], uint64_t offsets[N_PARTS], uint64_t *total) {
    *total = 0;
    for (int part = 0; part < N_PARTS; part++) {
        uint64_t size;
        offsets[part] = *total;
        if (!size_multiply(n[part], element_bytes(part), &size) ||
            !size_add(size, ALIGNMENT_BYTES - 1, &size) ||
            !size_add(*total, size - size % ALIGNMENT_BYTES, total))
            return false;
    }
    return *total <= SIZE_MAX / 2;
}

static void place(struct forward_workspace *workspace, uint8_t *memory,
                  const uint64_t offsets[N_PARTS]) {
    const struct model_config *config = &workspace->model->config;
    size_t set = (size_t)workspace->n_tokens_max * (size_t)(config->n_rot / 2);
    workspace->x = (void *)(memory + offsets[PART_X]);
    workspace->normed = (void *)(memory + offsets[PART_NORMED]);
    workspace->q = (void *)(memory + offsets[PART_Q]);
    workspace->k = (void *)(memory + offsets[PART_K]);
    workspace->v = (void *)(memory + offsets[PART_V]);
    workspace->attended = (void *)(memory + offsets[PART_ATTENDED]);
    workspace->projected = (void *)(memory + offsets[PART_PROJECTED]);
    workspace->gate = (void *)(memory + offsets[PART_GATE]);
    workspace->up = (void *)(memory + offsets[PART_UP]);
    workspace->quantized = (void *)(memory + offsets[PART_QUANTIZED]);
    workspace->cosine[0] = (void *)(memory + offsets[PART_COSINE]);
    workspace->cosine[1] = workspace->cosine[0] + set;
    workspace->sine[0] = (void *)(memory + offsets[PART_SINE]);
    workspace->sine[1] = workspace->sine[0] + set;
    workspace->scores = (void *)(memory + offsets[PART_SCORES]);
}

static enum status allocate(struct forward_workspace *workspace, struct error *err) {
    const struct model_config *config = &workspace->model->config;
    int widest = largest(largest(config->n_embd, config->n_ff), config->n_heads * config->head_dim);
    workspace->quantized_chunks = ((size_t)widest + ACT_CHUNK - 1) / ACT_CHUNK;
    uint64_t n[N_PARTS], offsets[N_PARTS], size;
    measure(workspace, n);
    if (!lay_out(n, offsets, &size))
        return error_set(err, STATUS_NO_MEMORY, "a workspace of %d tokens is too large to address",
                         workspace->n_tokens_max);
    uint8_t *memory = aligned_alloc(ALIGNMENT_BYTES, (size_t)size);
    if (!memory) return error_no_memory(err, "the workspace", size);
    workspace->memory = memory;
    workspace->memory_bytes = (size_t)size;
    place(workspace, memory, offsets);
    return STATUS_OK;
}

// The kernels of another level may lack a type; better said before the first token.
static enum status check_kernels(const struct model *model, const struct kernels *kernels,
                                 struct error *err) {
    const struct weight *output = &model->weights.output;
    for (int i = 0; i < model->weights.n_layers; i++) {
        const struct layer_weights *layer = &model->weights.layers[i];
        const struct weight *weights[] = {&layer->q,  &layer->k,    &layer->v,    &layer->o,
                                          &layer->up, &layer->gate, &layer->down, output};
        for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++) {
            const struct matmul_op *op = &kernels->matmul[weights[w]->dtype];
            if (!op->run || (op->act == ACT_Q8 && weights[w]->n_columns % 32 != 0))
                return error_set(err, STATUS_UNSUPPORTED,
                                 "weights of type %s with rows of %d cannot be multiplied by the "
                                 "%s kernels",
                                 dtype_info((uint32_t)weights[w]->dtype)->name,
                                 weights[w]->n_columns, isa_name(kernels->isa));
        }
    }
    return STATUS_OK;
}

enum status forward_workspace_create(struct forward_workspace **workspace,
                                     const struct model *model, const struct kernels *kernels,
                                     struct thread_pool *pool, int n_tokens_max,
                                     int n_positions_max, struct error *err) {
    *workspace = NULL;
    if (n_tokens_max < 1 || n_positions_max < 1)
        return error_set(err, STATUS_USAGE, "a workspace for %d tokens and %d positions",
                         n_tokens_max, n_positions_max);
    TRY(check_kernels(model, kernels, err));
    struct forward_workspace *created = calloc(1, sizeof *created);
    if (!created) return error_no_memory(err, "the workspace", sizeof *created);
    created->model = model;
    created->kernels = kernels;
    created->pool = pool;
    created->n_tokens_max = n_tokens_max;
    created->n_positions_max = n_positions_max;
    created->n_threads = thread_pool_size(pool);
    enum status status = allocate(created, err);
    if (status != STATUS_OK) {
        forward_workspace_destroy(created);
        return status;
    }
    *workspace = created;
    return STATUS_OK;
}

void forward_workspace_destroy(struct forward_workspace *workspace) {
    if (!workspace) return;
    if (workspace->memory) explicit_bzero(workspace->memory, workspace->memory_bytes);
    free(workspace->memory);
    free(workspace);
}
