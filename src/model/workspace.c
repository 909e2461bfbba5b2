// SPDX-License-Identifier: Apache-2.0
// The memory of a session's forward passes: one allocation, laid out here, wiped at the end. What
// belongs to a thread begins on a page of its own and is first touched by that thread, which on a
// machine with several memories puts it into the nearest. Forms of input that no weight reads take
// no room.
#include "model/attention.h"
#include "model/family.h"
#include "model/forward.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 64, PAGE_BYTES = 4096 };

// Places parts one after the other. With base NULL it only adds sizes up.
struct layout {
    uint8_t *base;
    uint64_t used_bytes;
    bool is_too_large;
};

// Every size is a product of a few numbers below 2^31, 2^22, 2^20 and 16: no overflow before here.
static void *take(struct layout *layout, uint64_t size_bytes) {
    void *part = layout->base ? layout->base + layout->used_bytes : NULL;
    uint64_t padded;
    if (!size_add(size_bytes, ALIGNMENT_BYTES - 1, &padded) ||
        !size_add(layout->used_bytes, padded - padded % ALIGNMENT_BYTES, &layout->used_bytes))
        layout->is_too_large = true;
    return part;
}

static void begin_page(struct layout *layout) {
    take(layout, (PAGE_BYTES - layout->used_bytes % PAGE_BYTES) % PAGE_BYTES);
}

static float *take_floats(struct layout *layout, uint64_t n_tokens, int n_columns) {
    return take(layout, n_tokens * (uint64_t)n_columns * sizeof(float));
}

static void take_input(struct layout *layout, struct input_rows *input, int n_columns,
                       uint64_t n_tokens, unsigned forms) {
    input_rows_init(input, n_columns);
    for (int form = 0; form < ACT_FORMATS; form++)
        if (forms & 1u << form)
            input->rows[form] = take(layout, n_tokens * input->stride_bytes[form]);
}

// The forms that any weight reads, by which input it is.
struct forms {
    unsigned normed, attended, fed;
};

static unsigned form_of(const struct kernels *kernels, const struct weight *weight) {
    return 1u << kernels->matmul[weight->dtype].act;
}

static struct forms find_forms(const struct model_weights *weights, const struct kernels *kernels) {
    struct forms forms = {form_of(kernels, &weights->output), 0, 0};
    for (int i = 0; i < weights->n_layers; i++) {
        const struct layer_weights *layer = &weights->layers[i];
        forms.normed |= form_of(kernels, &layer->q) | form_of(kernels, &layer->k) |
                        form_of(kernels, &layer->v) | form_of(kernels, &layer->gate) |
                        form_of(kernels, &layer->up);
        forms.attended |= form_of(kernels, &layer->o);
        forms.fed |= form_of(kernels, &layer->down);
    }
    return forms;
}

static void lay_out_shared(struct forward_workspace *workspace, struct layout *layout,
                           const struct forms *forms) {
    const struct model_config *config = &workspace->model->config;
    uint64_t tokens = (uint64_t)workspace->n_tokens_max;
    int n_q = config->n_heads * config->head_dim, n_kv = config->n_kv_heads * config->head_dim;
    workspace->stream.x = take_floats(layout, tokens, config->n_embd);
    take_input(layout, &workspace->stream.normed, config->n_embd, tokens, forms->normed);
    workspace->q = take_floats(layout, tokens, n_q);
    workspace->k = take_floats(layout, tokens, n_kv);
    workspace->v = take_floats(layout, tokens, n_kv);
    workspace->attended = take_floats(layout, tokens, n_q);
    take_input(layout, &workspace->attended_rows, n_q, tokens, forms->attended & ~(1u << ACT_F32));
    workspace->attended_rows.rows[ACT_F32] = (void *)workspace->attended;
    workspace->attended_rows.stride_bytes[ACT_F32] = (size_t)n_q * sizeof(float);
    workspace->projected = take_floats(layout, tokens, config->n_embd);
    take_input(layout, &workspace->fed_rows, config->n_ff, tokens, forms->fed);
    for (int set = 0; set < 2; set++) {
        workspace->cosine[set] = take_floats(layout, tokens, config->n_rot / 2);
        workspace->sine[set] = take_floats(layout, tokens, config->n_rot / 2);
    }
    workspace->runs = take(layout, (tokens + 1) * sizeof *workspace->runs);
    workspace->run_of = take(layout, tokens * sizeof *workspace->run_of);
    workspace->wanted = take(layout, tokens * sizeof *workspace->wanted);
    workspace->items.n_items_max = workspace->n_tokens_max + ATTENTION_PIECES_MAX;
    for (int kind = 0; kind < ATTENTION_KINDS; kind++)
        workspace->items.items[kind] =
            take(layout, (uint64_t)workspace->items.n_items_max * sizeof(struct attention_item));
    workspace->attention =
        take(layout, attention_memory_bytes(config, workspace->n_threads, workspace->n_tokens_max,
                                            workspace->n_positions_max));
}

static void lay_out_member(struct forward_workspace *workspace, struct layout *layout,
                           const struct forms *forms, struct forward_member *member) {
    int n_embd = workspace->model->config.n_embd;
    begin_page(layout);
    member->stream.x = take_floats(layout, NARROW_TOKENS_MAX, n_embd);
    take_input(layout, &member->stream.normed, n_embd, NARROW_TOKENS_MAX, forms->normed);
    member->row = take_floats(layout, 1, n_embd);
    member->gate = take_floats(layout, BLOCK_TOKENS, BLOCK_ROWS);
    member->up = take_floats(layout, BLOCK_TOKENS, BLOCK_ROWS);
}

static void lay_out(struct forward_workspace *workspace, struct layout *layout) {
    struct forms forms = find_forms(&workspace->model->weights, workspace->kernels);
    lay_out_shared(workspace, layout, &forms);
    for (int i = 0; i < workspace->n_threads; i++)
        lay_out_member(workspace, layout, &forms, &workspace->members[i]);
    begin_page(layout);
}

static enum status allocate(struct forward_workspace *workspace, struct error *err) {
    size_t n = (size_t)workspace->n_threads;
    workspace->members = calloc(n, sizeof *workspace->members);
    workspace->lists = aligned_alloc(ALIGNMENT_BYTES, n * sizeof *workspace->lists);
    if (!workspace->members || !workspace->lists)
        return error_no_memory(err, "the workspace", n * sizeof *workspace->members);
    memset(workspace->lists, 0, n * sizeof *workspace->lists);
    struct layout layout = {0};
    lay_out(workspace, &layout);
    if (layout.is_too_large || layout.used_bytes > SIZE_MAX / 2)
        return error_set(err, STATUS_NO_MEMORY, "a workspace of %d tokens is too large to address",
                         workspace->n_tokens_max);
    workspace->memory = aligned_alloc(PAGE_BYTES, (size_t)layout.used_bytes);
    if (!workspace->memory) return error_no_memory(err, "the workspace", layout.used_bytes);
    workspace->memory_bytes = (size_t)layout.used_bytes;
    layout = (struct layout){.base = workspace->memory};
    lay_out(workspace, &layout);
    return STATUS_OK;
}

static enum status check_kernels(const struct model *model, const struct kernels *kernels,
                                 struct error *err) {
    const struct weight *output = &model->weights.output;
    for (int i = 0; i < model->weights.n_layers; i++) {
        const struct layer_weights *layer = &model->weights.layers[i];
        const struct weight *weights[] = {&layer->q,  &layer->k,    &layer->v,    &layer->o,
                                          &layer->up, &layer->gate, &layer->down, output};
        for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++)
            TRY(weight_check_kernel(weights[w], kernels, err));
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
    if (model->config.family->is_encoder)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s is an embedding model (family %s): it turns texts into vectors and "
                         "cannot generate text",
                         model->config.name, model->config.family->name);
    TRY(check_kernels(model, kernels, err));
    struct forward_workspace *created = calloc(1, sizeof *created);
    if (!created) return error_no_memory(err, "the workspace", sizeof *created);
    created->model = model;
    created->kernels = kernels;
    created->pool = pool;
    created->n_tokens_max = n_tokens_max;
    created->n_positions_max = n_positions_max;
    created->n_threads = thread_pool_size(pool);
    forward_workspace_set_threads(created, created->n_threads, created->n_threads);
    enum status status = allocate(created, err);
    if (status != STATUS_OK) {
        forward_workspace_destroy(created);
        return status;
    }
    *workspace = created;
    return STATUS_OK;
}

static int within(int n, int largest) {
    return n < 1 ? 1 : n > largest ? largest : n;
}

void forward_workspace_set_threads(struct forward_workspace *workspace, int n_narrow, int n_wide) {
    workspace->n_threads_narrow = within(n_narrow, workspace->n_threads);
    workspace->n_threads_wide = within(n_wide, workspace->n_threads);
}

void forward_workspace_set_cancel(struct forward_workspace *workspace, const int *cancel) {
    workspace->cancel = cancel;
}

void forward_workspace_destroy(struct forward_workspace *workspace) {
    if (!workspace) return;
    if (workspace->memory) explicit_bzero(workspace->memory, workspace->memory_bytes);
    free(workspace->memory);
    free(workspace->lists);
    free(workspace->members);
    free(workspace);
}
