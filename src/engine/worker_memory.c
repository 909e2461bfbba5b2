// SPDX-License-Identifier: Apache-2.0
// KV memory of a worker's requests: who gets pages, whose beginnings are known, who has to give
// pages back. Running requests stand in the order of their importance (interactive first, then by
// arrival), and a request only takes from those behind it. The first of all can take everything,
// and everything is enough for any request (checked at submission): so it always comes to its end,
// the next is the first then, and nobody waits for ever.
#include "engine/worker.h"

#include "base/memory_budget.h"

enum { PAGES_MAX = 1 << 20 };

// Half of what is left to this process.
static uint64_t usual_bytes(void) {
    const uint64_t fallback = (uint64_t)1 << 30;
    uint64_t available = memory_available_bytes();
    return available > 0 ? available / 2 : fallback;
}

enum status worker_memory_init(struct xl_worker *worker, uint64_t kv_bytes, struct error *err) {
    const struct model_config *config = model_configuration(worker->engine->model);
    struct kv_layout layout;
    TRY(kv_layout_init(&layout, worker->engine->kv_dtype, config->n_layers, config->n_kv_heads,
                       config->head_dim, err));
    if (kv_bytes == 0) kv_bytes = usual_bytes();
    uint64_t page_bytes = layout.page_bytes, n_pages = kv_bytes / page_bytes;
    if (n_pages == 0)
        return error_set(err, STATUS_NO_MEMORY,
                         "%llu bytes of KV memory are less than one page of %d tokens, which takes "
                         "%llu",
                         (unsigned long long)kv_bytes, PAGE_TOKENS, (unsigned long long)page_bytes);
    if (n_pages > PAGES_MAX) n_pages = PAGES_MAX;
    TRY(kv_pool_init(&worker->pool, &layout, (int)n_pages, err));
    return prefix_tree_init(&worker->tree, &worker->pool, err);
}

void worker_memory_deinit(struct xl_worker *worker) {
    prefix_tree_deinit(&worker->tree);
    kv_pool_deinit(&worker->pool);
}

// ---- Admission ---------------------------------------------------------------------------------

// Follows known pages from `node` on; at least one token must be left to feed. Returns how many
// pages; *n_idle: of them, those that nobody uses.
static int walk(const struct xl_worker *worker, const struct xl_request *request, int *node,
                int *n_idle) {
    int n = 0;
    *n_idle = 0;
    if (request->no_prefix) return 0;
    for (; (n + 1) * PAGE_TOKENS < request->n_tokens; n++) {
        int next = prefix_tree_find(&worker->tree, *node, request->tokens + n * PAGE_TOKENS);
        if (next == PAGE_NONE) break;
        *n_idle += prefix_tree_is_idle(&worker->tree, next);
        *node = next;
    }
    return n;
}

// Room for its tokens, and for a page of growth of each that runs.
bool worker_memory_fits(const struct xl_worker *worker, const struct xl_request *request) {
    int node = PAGE_NONE, n_idle, n_known = walk(worker, request, &node, &n_idle);
    int n_new = kv_pages_of(request->n_tokens) - n_known;
    if (worker->n_running == 0) return true;
    return n_new + worker->n_running + 1 <= prefix_tree_available(&worker->tree) - n_idle;
}

static void use_known(struct xl_worker *worker, struct xl_request *request) {
    struct prefix_tree *tree = &worker->tree;
    struct kv_cache *cache = &request->cache;
    int node = PAGE_NONE, n_idle, n_known = walk(worker, request, &node, &n_idle);
    request->node = node;
    request->n_nodes = n_known;
    for (int page = n_known - 1; page >= 0; page--) { // the page table is still empty
        cache->pages[page] = prefix_tree_page(tree, node);
        prefix_tree_use(tree, node);
        node = prefix_tree_parent(tree, node);
    }
    for (int page = 0; page < n_known; page++)
        kv_pool_retain(cache->pool, cache->pages[page]);
    cache->n_pages = n_known;
    cache->n_used = n_known * PAGE_TOKENS;
}

// Adds a page of which only the beginning agrees; reserving makes a copy of that.
static void use_part(struct xl_worker *worker, struct xl_request *request) {
    struct kv_cache *cache = &request->cache;
    int n_common, n_left = request->n_tokens - 1 - cache->n_used;
    if (request->no_prefix || n_left < 1) return;
    kv_cache_trim(cache);
    int node = prefix_tree_find_part(&worker->tree, request->node, request->tokens + cache->n_used,
                                     n_left, &n_common);
    if (node == PAGE_NONE) return;
    cache->pages[cache->n_pages] = prefix_tree_page(&worker->tree, node);
    kv_pool_retain(cache->pool, cache->pages[cache->n_pages++]);
    cache->n_used += n_common;
}

bool worker_memory_reserve_spare(struct xl_worker *worker, struct xl_request *request,
                                 int n_tokens) {
    int n_wanted = kv_cache_pages_wanted(&request->cache, n_tokens);
    return prefix_tree_make_room(&worker->tree, n_wanted) &&
           kv_cache_reserve(&request->cache, n_tokens, NULL) == STATUS_OK;
}

// Sends for what is on disk behind what is in memory. False: nothing is there.
static bool send_for(struct xl_worker *worker, struct xl_request *request) {
    struct kv_cache *cache = &request->cache;
    if (!worker->disk || request->no_prefix) return false;
    int n_pages = worker_disk_find(worker->disk, request->tokens, request->n_tokens - 1);
    int first = request->n_nodes;
    if (n_pages <= first) return false;
    int n_tokens = n_pages * PAGE_TOKENS - cache->n_used;
    return worker_memory_reserve_spare(worker, request, n_tokens) &&
           worker_disk_send(worker->disk, &request->errand, false, request->tokens,
                            cache->pages + first, first, n_pages - first, NULL) == STATUS_OK;
}

void worker_memory_collect(struct xl_worker *worker, struct xl_request *request) {
    struct disk_errand *errand = &request->errand;
    if (errand->is_save) {
        // If nothing else was asked for, its failure is the request's.
        if (errand->status != STATUS_OK && request->generate.max_tokens == 0 &&
            request->end_status == STATUS_OK) {
            request->end_status = errand->status;
            request->end_err = errand->err;
        }
    } else {
        request->cache.n_used += errand->n_read * PAGE_TOKENS;
        if (request->chooser.n_generated == 0) request->disk_tokens += errand->n_read * PAGE_TOKENS;
        worker_memory_remember(worker, request);
    }
    worker_disk_end(errand);
}

enum status worker_memory_save(struct xl_worker *worker, struct xl_request *request,
                               struct error *err) {
    int n_pages = request->n_prompt / PAGE_TOKENS;
    if (request->is_saved || request->n_nodes < n_pages || disk_errand_is_out(&request->errand))
        return STATUS_OK;
    request->is_saved = true;
    if (n_pages == 0) return STATUS_OK;
    enum status status = worker_disk_send(worker->disk, &request->errand, true, request->tokens,
                                          request->cache.pages, 0, n_pages, err);
    return request->generate.max_tokens == 0 ? status : STATUS_OK; // else text is what counts
}

enum status worker_memory_admit(struct xl_worker *worker, struct xl_request *request,
                                struct error *err) {
    struct kv_cache *cache = &request->cache;
    if (!request->has_cache)
        TRY(kv_cache_init_on(cache, &worker->pool, request_positions_max(request), err));
    request->has_cache = true;
    use_known(worker, request);
    int n_known = cache->n_used, n_tokens = request->n_tokens;
    if (n_tokens > cache->n_positions_max) n_tokens = cache->n_positions_max;
    if (request->n_preempted == 0) request->memory_tokens = n_known;
    if (send_for(worker, request)) return STATUS_OK;
    use_part(worker, request);
    if (!worker_memory_reserve_spare(worker, request, n_tokens - cache->n_used)) {
        kv_cache_rewind(cache, n_known); // the page to copy may itself be in the way
        kv_cache_trim(cache);
        if (!worker_memory_reserve_spare(worker, request, n_tokens - n_known)) {
            worker_memory_leave(worker, request, false);
            return error_set(err, STATUS_NO_MEMORY, "the KV memory has no room for %d tokens",
                             n_tokens);
        }
    }
    if (request->n_preempted == 0) request->memory_tokens = cache->n_used;
    return STATUS_OK;
}

// ---- While running -----------------------------------------------------------------------------

// Who gives back next for running[index]: the least important one behind it that need not be waited
// for; itself if there is none.
static int choose_victim(const struct xl_worker *worker, int index) {
    int last = worker->n_running - 1;
    for (int i = last; i > index; i--)
        if (!disk_errand_is_out(&worker->running[i]->errand)) return i;
    return last;
}

bool worker_memory_reserve(struct xl_worker *worker, int index, int n_tokens) {
    struct xl_request *request = worker->running[index];
    while (!worker_memory_reserve_spare(worker, request, n_tokens)) {
        int victim = choose_victim(worker, index);
        worker_put_back(worker, victim);
        if (victim == index) return false;
    }
    return true;
}

static void step_to(struct xl_worker *worker, struct xl_request *request, int node) {
    struct kv_cache *cache = &request->cache;
    uint8_t *page = prefix_tree_page(&worker->tree, node);
    if (cache->pages[request->n_nodes] != page) {
        kv_pool_retain(cache->pool, page);
        kv_pool_release(cache->pool, cache->pages[request->n_nodes]);
        cache->pages[request->n_nodes] = page;
    }
    request->node = node;
    request->n_nodes++;
}

void worker_memory_follow(struct xl_worker *worker, struct xl_request *request) {
    struct kv_cache *cache = &request->cache;
    if (request->no_prefix) return;
    while (cache->n_used == request->n_nodes * PAGE_TOKENS && cache->n_pages > request->n_nodes &&
           cache->n_used + PAGE_TOKENS < request->n_tokens) {
        int node = prefix_tree_find(&worker->tree, request->node, request->tokens + cache->n_used);
        if (node == PAGE_NONE) return;
        prefix_tree_use(&worker->tree, node);
        step_to(worker, request, node);
        cache->n_used += PAGE_TOKENS;
        if (request->chooser.n_generated == 0) request->memory_tokens += PAGE_TOKENS;
    }
}

void worker_memory_remember(struct xl_worker *worker, struct xl_request *request) {
    struct kv_cache *cache = &request->cache;
    if (request->no_prefix) return;
    while ((request->n_nodes + 1) * PAGE_TOKENS <= cache->n_used) {
        int first = request->n_nodes * PAGE_TOKENS;
        step_to(worker, request,
                prefix_tree_add(&worker->tree, request->node, request->tokens + first,
                                cache->pages[request->n_nodes]));
    }
}

void worker_memory_leave(struct xl_worker *worker, struct xl_request *request, bool keep) {
    struct kv_cache *cache = &request->cache;
    if (!request->has_cache) return;
    if (keep && !request->no_prefix) {
        worker_memory_remember(worker, request);
        int first = request->n_nodes * PAGE_TOKENS;
        if (cache->n_used > first)
            prefix_tree_add_part(&worker->tree, request->node, request->tokens + first,
                                 cache->n_used - first, cache->pages[request->n_nodes]);
    }
    while (request->node != PAGE_NONE) {
        int node = request->node;
        request->node = prefix_tree_parent(&worker->tree, node);
        prefix_tree_leave(&worker->tree, node);
    }
    request->n_nodes = 0;
    kv_cache_rewind(cache, 0);
    kv_cache_trim(cache);
}
