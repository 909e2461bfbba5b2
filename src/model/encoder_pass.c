// SPDX-License-Identifier: Apache-2.0
// See encoder_pass.h. Steps deal rows of a product, tokens, or heads of texts over the members; a
// barrier stands behind each. Keys and values of one head of one text live in the member's own
// cache just as long as its queries need them.
#include "model/encoder_pass.h"

#include "base/bytes.h"
#include "model/forward.h"
#include "numeric/packed.h"

#include <math.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 64 };

// ---- Memory ------------------------------------------------------------------------------------

struct layout {
    uint8_t *base; // NULL: only adds sizes up
    uint64_t used_bytes;
    bool is_too_large;
};

static void *take(struct layout *layout, uint64_t n_items, uint64_t item_bytes) {
    void *part = layout->base ? layout->base + layout->used_bytes : NULL;
    uint64_t size, padded;
    if (!size_multiply(n_items, item_bytes, &size) ||
        !size_add(size, ALIGNMENT_BYTES - 1, &padded) ||
        !size_add(layout->used_bytes, padded - padded % ALIGNMENT_BYTES, &layout->used_bytes))
        layout->is_too_large = true;
    return part;
}

static unsigned form_of(const struct encoder_pass *pass, const struct weight *weight) {
    return 1u << pass->kernels->matmul[weight->dtype].act;
}

// Rows in the forms that are read; where `floats` is given it is the float form.
static void take_input(struct layout *layout, struct input_rows *input, int n_columns, int n_tokens,
                       unsigned forms, float *floats) {
    input_rows_init(input, n_columns);
    input->rows[ACT_F32] = (void *)floats;
    if (floats) input->stride_bytes[ACT_F32] = (size_t)n_columns * sizeof *floats;
    for (int form = 0; form < ACT_FORMATS; form++)
        if (forms & 1u << form && !(form == ACT_F32 && input->rows[ACT_F32]))
            input->rows[form] = take(layout, (uint64_t)n_tokens, input->stride_bytes[form]);
}

static void take_member(struct layout *layout, struct encoder_member *member,
                        const struct model_config *config, const struct encoder_sizes *sizes) {
    int n = sizes->n_longest, dim = config->head_dim;
    int n_pages = (n + KV_PAGE - 1) / KV_PAGE;
    uint64_t keys_bytes = kv_keys_bytes(DTYPE_F32, dim, KV_PAGE);
    uint64_t page_bytes = keys_bytes + kv_values_bytes(DTYPE_F32, dim, KV_PAGE);
    uint8_t **pages = take(layout, (uint64_t)n_pages, sizeof *pages);
    uint8_t *memory = take(layout, (uint64_t)n_pages, page_bytes);
    for (int page = 0; layout->base && page < n_pages; page++)
        pages[page] = memory + (size_t)page * page_bytes;
    struct kv_head kv = {.dtype = DTYPE_F32, .pages = pages};
    kv.offsets[KV_VALUES] = keys_bytes;
    void *scratch = take(layout, 1, attend_scratch_bytes(n, 1, dim));
    float *piece = take(layout, BLOCK_TOKENS * BLOCK_ROWS, sizeof *piece);
    double *sums = take(layout, (uint64_t)config->n_embd, sizeof *sums);
    if (layout->base) *member = (struct encoder_member){kv, scratch, piece, sums};
}

uint64_t encoder_pass_lay_out(struct encoder_pass *pass, const struct encoder_sizes *sizes,
                              uint8_t *memory) {
    const struct model_config *config = &pass->model->config;
    struct layout layout = {.base = memory};
    uint64_t n = (uint64_t)sizes->n_tokens * (uint64_t)config->n_embd;
    unsigned x_forms = 0, o_forms = 0, ff_forms = 0;
    for (int i = 0; i < pass->model->weights.n_layers; i++) {
        const struct layer_weights *layer = &pass->model->weights.layers[i];
        x_forms |= form_of(pass, &layer->q) | form_of(pass, &layer->k) | form_of(pass, &layer->v) |
                   form_of(pass, &layer->up);
        o_forms |= form_of(pass, &layer->o);
        ff_forms |= form_of(pass, &layer->down);
    }
    float **arrays[] = {&pass->x, &pass->q, &pass->k, &pass->v, &pass->attended, &pass->projected};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        *arrays[i] = take(&layout, n, sizeof(float));
    unsigned no_floats = ~(1u << ACT_F32); // they are x and attended
    take_input(&layout, &pass->x_rows, config->n_embd, sizes->n_tokens, x_forms & no_floats,
               pass->x);
    take_input(&layout, &pass->o_rows, config->n_embd, sizes->n_tokens, o_forms & no_floats,
               pass->attended);
    take_input(&layout, &pass->ff_rows, config->n_ff, sizes->n_tokens, ff_forms, NULL);
    pass->n_members = sizes->n_members;
    pass->members = take(&layout, (uint64_t)sizes->n_members, sizeof *pass->members);
    for (int i = 0; i < sizes->n_members; i++)
        take_member(&layout, pass->members ? &pass->members[i] : NULL, config, sizes);
    return layout.is_too_large || layout.used_bytes > SIZE_MAX / 2 ? UINT64_MAX : layout.used_bytes;
}

// ---- Steps -------------------------------------------------------------------------------------

static void barrier(const struct encoder_pass *pass) {
    if (pass->n_members > 1) thread_pool_barrier(pass->pool);
}

static struct share tokens_of(const struct encoder_pass *pass, int member_index) {
    return share_of(pass->n_tokens, member_index, pass->n_members);
}

// x = LayerNorm(x), also as the layer's products read it.
static void norm_token(const struct encoder_pass *pass, int token, const float *weight,
                       const float *bias, unsigned forms) {
    const struct model_config *config = &pass->model->config;
    float *x = pass->x + (size_t)token * (size_t)config->n_embd;
    pass->kernels->layernorm(x, weight, bias, x, config->n_embd, config->norm_eps);
    input_rows_convert(&pass->x_rows, pass->kernels, forms, token, x, 0, config->n_embd);
}

static unsigned forms_of_x(const struct encoder_pass *pass, const struct layer_weights *layer) {
    return form_of(pass, &layer->q) | form_of(pass, &layer->k) | form_of(pass, &layer->v);
}

static void embed(const struct encoder_pass *pass, int member_index) {
    const struct model_weights *weights = &pass->model->weights;
    struct share share = tokens_of(pass, member_index);
    int n_embd = pass->model->config.n_embd, token = 0;
    unsigned forms = forms_of_x(pass, &weights->layers[0]);
    for (int i = 0; i < pass->n_texts; i++) {
        const struct encoder_text *text = &pass->texts[i];
        for (int position = 0; position < text->n_tokens; position++, token++) {
            if (token < share.begin || token >= share.end) continue;
            float *x = pass->x + (size_t)token * (size_t)n_embd;
            embedding_row(&weights->embedding, text->tokens[position], x);
            pass->kernels->add(x, weights->token_types, n_embd);
            pass->kernels->add(x, weights->positions + (size_t)position * (size_t)n_embd, n_embd);
            norm_token(pass, token, weights->embedding_norm, weights->embedding_norm_bias, forms);
        }
    }
}

// The next block of rows or tokens behind `block` within `all`.
static bool next_block(struct share *block, struct share all, int size) {
    block->begin = block->end;
    block->end = block->begin + size < all.end ? block->begin + size : all.end;
    return block->begin < block->end;
}

// y[T][weight->n_rows], the member's rows.
static void multiply(const struct encoder_pass *pass, const struct weight *weight,
                     const struct input_rows *input, float *y, int member_index) {
    struct share all = share_of_groups(weight->n_rows, PANEL_ROWS, member_index, pass->n_members);
    struct share every = {0, pass->n_tokens}, rows = {all.begin, all.begin};
    size_t stride = (size_t)weight->n_rows;
    while (next_block(&rows, all, BLOCK_ROWS))
        for (struct share tokens = {0, 0}; next_block(&tokens, every, BLOCK_TOKENS);)
            weight_multiply(pass->kernels, weight, input, rows, tokens,
                            y + (size_t)tokens.begin * stride + rows.begin, stride);
}

// Rows of the feed-forward product, activated, into the down projection's input.
static void feed(const struct encoder_pass *pass, const struct layer_weights *layer,
                 int member_index) {
    const struct kernels *kernels = pass->kernels;
    struct share all = share_of_groups(layer->up.n_rows, FEED_GROUP, member_index, pass->n_members);
    struct share every = {0, pass->n_tokens}, rows = {all.begin, all.begin};
    float *piece = pass->members[member_index].piece;
    unsigned forms = form_of(pass, &layer->down);
    while (next_block(&rows, all, BLOCK_ROWS))
        for (struct share tokens = {0, 0}; next_block(&tokens, every, BLOCK_TOKENS);) {
            int n = rows.end - rows.begin;
            weight_multiply(pass->kernels, &layer->up, &pass->x_rows, rows, tokens, piece,
                            (size_t)n);
            for (int t = tokens.begin; t < tokens.end; t++) {
                float *y = piece + (size_t)(t - tokens.begin) * (size_t)n;
                kernels->add(y, layer->up_bias + rows.begin, n);
                kernels->gelu_erf(y, n);
                input_rows_convert(&pass->ff_rows, kernels, forms, t, y, rows.begin, rows.end);
            }
        }
}

// One head of one text, whose tokens begin at first_token of the unit.
static void attend_head(const struct encoder_pass *pass, const struct layer_weights *layer,
                        int first_token, int n_tokens, int head, int member_index) {
    const struct kernels *kernels = pass->kernels;
    const struct model_config *config = &pass->model->config;
    const struct encoder_member *member = &pass->members[member_index];
    int dim = config->head_dim;
    size_t stride = (size_t)config->n_embd, column = (size_t)head * (size_t)dim;
    size_t first = (size_t)first_token * stride + column;
    for (int t = 0; t < n_tokens; t++) {
        size_t at = first + (size_t)t * stride;
        kernels->add(pass->q + at, layer->q_bias + column, dim);
        kernels->add(pass->k + at, layer->k_bias + column, dim);
        kernels->add(pass->v + at, layer->v_bias + column, dim);
        struct kv_store_args store = {member->kv, pass->k + at, pass->v + at, t, dim};
        kernels->kv_store(&store);
    }
    struct attend_args args = {
        .q = pass->q + first,
        .out = pass->attended + first,
        .q_stride = stride,
        .out_stride = stride,
        .kv = member->kv,
        .n_tokens = n_tokens,
        .n_group = 1,
        .head_dim = dim,
        .n_visible = n_tokens,
        .scale = config->attention_scale,
        .scratch = member->scratch,
    };
    kernels->attend(&args);
}

static void attend(const struct encoder_pass *pass, const struct layer_weights *layer,
                   int member_index) {
    int n_heads = pass->model->config.n_heads, first_token = 0;
    struct share items = share_of(pass->n_texts * n_heads, member_index, pass->n_members);
    for (int i = 0; i < pass->n_texts; i++) {
        int n_tokens = pass->texts[i].n_tokens;
        for (int head = 0; head < n_heads; head++)
            if (i * n_heads + head >= items.begin && i * n_heads + head < items.end)
                attend_head(pass, layer, first_token, n_tokens, head, member_index);
        first_token += n_tokens;
    }
}

static void convert_attended(const struct encoder_pass *pass, const struct layer_weights *layer,
                             int member_index) {
    int n_embd = pass->model->config.n_embd;
    struct share tokens = tokens_of(pass, member_index);
    for (int t = tokens.begin; t < tokens.end; t++)
        input_rows_convert(&pass->o_rows, pass->kernels, form_of(pass, &layer->o), t,
                           pass->attended + (size_t)t * (size_t)n_embd, 0, n_embd);
}

// x = LayerNorm(x + projected + bias): the end of a block.
static void finish_block(const struct encoder_pass *pass, const float *block_bias,
                         const float *weight, const float *bias, unsigned forms, int member_index) {
    int n_embd = pass->model->config.n_embd;
    struct share tokens = tokens_of(pass, member_index);
    for (int t = tokens.begin; t < tokens.end; t++) {
        size_t at = (size_t)t * (size_t)n_embd;
        pass->kernels->add(pass->projected + at, block_bias, n_embd);
        pass->kernels->add(pass->x + at, pass->projected + at, n_embd);
        norm_token(pass, t, weight, bias, forms);
    }
}

static void run_layer(const struct encoder_pass *pass, int index, int member_index) {
    const struct model_weights *weights = &pass->model->weights;
    const struct layer_weights *layer = &weights->layers[index];
    bool is_last = index + 1 == weights->n_layers;
    multiply(pass, &layer->q, &pass->x_rows, pass->q, member_index);
    multiply(pass, &layer->k, &pass->x_rows, pass->k, member_index);
    multiply(pass, &layer->v, &pass->x_rows, pass->v, member_index);
    barrier(pass);
    attend(pass, layer, member_index);
    barrier(pass);
    convert_attended(pass, layer, member_index);
    barrier(pass);
    multiply(pass, &layer->o, &pass->o_rows, pass->projected, member_index);
    barrier(pass);
    finish_block(pass, layer->o_bias, layer->attn_post_norm, layer->attn_post_norm_bias,
                 form_of(pass, &layer->up), member_index);
    barrier(pass);
    feed(pass, layer, member_index);
    barrier(pass);
    multiply(pass, &layer->down, &pass->ff_rows, pass->projected, member_index);
    barrier(pass);
    finish_block(pass, layer->down_bias, layer->ffn_post_norm, layer->ffn_post_norm_bias,
                 is_last ? 0 : forms_of_x(pass, layer + 1), member_index);
    barrier(pass);
}

static void pool_text(const struct encoder_pass *pass, const struct encoder_text *text,
                      const float *states, double *sums) {
    size_t n_embd = (size_t)pass->model->config.n_embd, n = (size_t)text->n_tokens;
    if (pass->pooling == MODEL_POOLING_NONE) {
        memcpy(text->vector, states, n * n_embd * sizeof *states);
        return;
    }
    if (pass->pooling != MODEL_POOLING_MEAN) {
        size_t token = pass->pooling == MODEL_POOLING_CLS ? 0 : n - 1;
        memcpy(text->vector, states + token * n_embd, n_embd * sizeof *states);
        return;
    }
    memset(sums, 0, n_embd * sizeof *sums);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < n_embd; i++)
            sums[i] += (double)states[t * n_embd + i];
    for (size_t i = 0; i < n_embd; i++)
        text->vector[i] = (float)(sums[i] / (double)n);
}

void encoder_pass_run(const struct encoder_pass *pass, int member_index) {
    embed(pass, member_index);
    barrier(pass);
    for (int i = 0; i < pass->model->weights.n_layers; i++)
        run_layer(pass, i, member_index);
    struct share texts = share_of(pass->n_texts, member_index, pass->n_members);
    size_t token = 0;
    for (int i = 0; i < texts.end; i++) {
        const float *states = pass->x + token * (size_t)pass->model->config.n_embd;
        if (i >= texts.begin)
            pool_text(pass, &pass->texts[i], states, pass->members[member_index].sums);
        token += (size_t)pass->texts[i].n_tokens;
    }
}
