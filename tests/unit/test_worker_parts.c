// SPDX-License-Identifier: Apache-2.0
// What a worker decides with: whose turn it is, which beginnings are known, what a step costs.
#include "harness.h"

#include "base/memory_budget.h"
#include "engine/prefix_tree.h"
#include "engine/step_cost.h"
#include "engine/turn_order.h"

#include <string.h>
#include <sys/stat.h>

enum { N_TURNS = 64 };

// ---- Turns -------------------------------------------------------------------------------------

struct queue {
    struct turn turns[N_TURNS];
    const struct turn *waiting[N_TURNS];
    int n_turns, n_waiting;
    struct turn_order order;
};

static void come(struct queue *queue, const char *user, xl_priority priority) {
    struct turn *turn = &queue->turns[queue->n_turns];
    *turn =
        (struct turn){.user = user, .priority = priority, .arrival = (uint64_t)++queue->n_turns};
    turn->round = turn_order_round(&queue->order, turn, queue->waiting, queue->n_waiting);
    queue->waiting[queue->n_waiting++] = turn;
}

static const struct turn *next(struct queue *queue) {
    int index = turn_order_next(&queue->order, queue->waiting, queue->n_waiting);
    if (index < 0) return NULL;
    const struct turn *turn = queue->waiting[index];
    queue->waiting[index] = queue->waiting[--queue->n_waiting];
    bool background = false;
    for (int i = 0; i < queue->n_waiting; i++)
        background = background || queue->waiting[i]->priority == XL_BACKGROUND;
    turn_order_took(&queue->order, turn, background);
    return turn;
}

// Somebody with one request is not behind all of somebody with many.
static enum test_result test_users(void) {
    static struct queue queue;
    char taken[N_TURNS] = "";
    memset(&queue, 0, sizeof queue);
    CHECK(!next(&queue));
    for (int i = 0; i < 6; i++)
        come(&queue, "a", XL_INTERACTIVE);
    come(&queue, "b", XL_INTERACTIVE);
    come(&queue, "b", XL_INTERACTIVE);
    for (int i = 0; i < 3; i++)
        taken[i] = next(&queue)->user[0];
    come(&queue, "c", XL_INTERACTIVE);
    for (int i = 3; i < 9; i++)
        taken[i] = next(&queue)->user[0];
    CHECK_MESSAGE(strcmp(taken, "ababcaaaa") == 0, "%s", taken);
    CHECK(!next(&queue));
    return TEST_PASS;
}

// A user's own requests keep their order.
static enum test_result test_arrival(void) {
    static struct queue queue;
    uint64_t last = 0;
    memset(&queue, 0, sizeof queue);
    for (int i = 0; i < 20; i++)
        come(&queue, i % 3 ? "a" : "b", XL_INTERACTIVE);
    for (int i = 0; i < 20; i++) {
        const struct turn *turn = next(&queue);
        if (turn->user[0] != 'a') continue;
        CHECK(turn->arrival > last);
        last = turn->arrival;
    }
    return TEST_PASS;
}

// Background requests wait, but not for ever.
static enum test_result test_background(void) {
    static struct queue queue;
    int n_before = 0;
    memset(&queue, 0, sizeof queue);
    come(&queue, "night", XL_BACKGROUND);
    for (int i = 0; i < 40; i++)
        come(&queue, "day", XL_INTERACTIVE);
    while (next(&queue)->priority == XL_INTERACTIVE)
        n_before++;
    CHECK_MESSAGE(n_before == BACKGROUND_SHARE - 1, "%d", n_before);
    return TEST_PASS;
}

// ---- Known beginnings --------------------------------------------------------------------------

struct memory {
    struct kv_pool pool;
    struct prefix_tree tree;
};

static bool open_memory(struct memory *memory, int n_pages) {
    struct kv_layout layout;
    return kv_layout_init(&layout, DTYPE_F32, 1, 1, 8, NULL) == STATUS_OK &&
           kv_pool_init(&memory->pool, &layout, n_pages, NULL) == STATUS_OK &&
           prefix_tree_init(&memory->tree, &memory->pool, NULL) == STATUS_OK;
}

static void close_memory(struct memory *memory) {
    prefix_tree_deinit(&memory->tree);
    kv_pool_deinit(&memory->pool);
}

static void fill(int32_t *tokens, int32_t first) {
    for (int i = 0; i < PAGE_TOKENS; i++)
        tokens[i] = first + i;
}

// A page of a request's own becomes known; the request lets go of it.
static int add_page(struct memory *memory, int parent, const int32_t *tokens) {
    uint8_t *page = kv_pool_take(&memory->pool);
    int node = prefix_tree_add(&memory->tree, parent, tokens, page);
    kv_pool_release(&memory->pool, page);
    return node;
}

static enum test_result test_tree(void) {
    struct memory memory;
    int32_t a[PAGE_TOKENS], b[PAGE_TOKENS];
    CHECK(open_memory(&memory, 8));
    fill(a, 100);
    fill(b, 500);
    struct prefix_tree *tree = &memory.tree;
    int first = add_page(&memory, PAGE_NONE, a), second = add_page(&memory, first, b);
    CHECK(prefix_tree_find(tree, PAGE_NONE, a) == first);
    CHECK(prefix_tree_find(tree, first, b) == second && prefix_tree_parent(tree, second) == first);
    CHECK(prefix_tree_find(tree, PAGE_NONE, b) == PAGE_NONE);
    CHECK(prefix_tree_find(tree, second, a) == PAGE_NONE);
    CHECK(add_page(&memory, first, b) == second); // known already
    CHECK(memory.pool.n_free == 6 && tree->n_kept == 0);
    prefix_tree_leave(tree, second);
    CHECK(tree->n_kept == 0);
    prefix_tree_leave(tree, second);
    prefix_tree_leave(tree, first);
    CHECK(tree->n_kept == 2 && prefix_tree_available(tree) == 8);
    CHECK(prefix_tree_make_room(tree, 7) && prefix_tree_find(tree, first, b) == PAGE_NONE);
    CHECK(prefix_tree_find(tree, PAGE_NONE, a) == first); // leaves go first
    prefix_tree_use(tree, first);
    CHECK(!prefix_tree_make_room(tree, 8)); // in use
    prefix_tree_leave(tree, first);
    CHECK(prefix_tree_make_room(tree, 8) && tree->n_kept == 0);
    close_memory(&memory);
    return TEST_PASS;
}

// What was not used for longest goes first.
static enum test_result test_oldest(void) {
    struct memory memory;
    int32_t tokens[4][PAGE_TOKENS];
    CHECK(open_memory(&memory, 4));
    for (int i = 0; i < 4; i++) {
        fill(tokens[i], i * 1000);
        prefix_tree_leave(&memory.tree, add_page(&memory, PAGE_NONE, tokens[i]));
    }
    int first = prefix_tree_find(&memory.tree, PAGE_NONE, tokens[0]);
    prefix_tree_use(&memory.tree, first);
    prefix_tree_leave(&memory.tree, first);
    CHECK(prefix_tree_make_room(&memory.tree, 2));
    CHECK(prefix_tree_find(&memory.tree, PAGE_NONE, tokens[0]) == first);
    CHECK(prefix_tree_find(&memory.tree, PAGE_NONE, tokens[1]) == PAGE_NONE);
    CHECK(prefix_tree_find(&memory.tree, PAGE_NONE, tokens[2]) == PAGE_NONE);
    CHECK(prefix_tree_find(&memory.tree, PAGE_NONE, tokens[3]) != PAGE_NONE);
    close_memory(&memory);
    return TEST_PASS;
}

static enum test_result test_parts(void) {
    struct memory memory;
    int32_t a[PAGE_TOKENS], b[PAGE_TOKENS];
    int n_common;
    CHECK(open_memory(&memory, 4));
    fill(a, 100);
    memcpy(b, a, sizeof b);
    b[20] = 7;
    struct prefix_tree *tree = &memory.tree;
    uint8_t *page = kv_pool_take(&memory.pool);
    prefix_tree_add_part(tree, PAGE_NONE, a, 10, page);
    kv_pool_release(&memory.pool, page);
    CHECK(tree->n_kept == 1 && prefix_tree_find(tree, PAGE_NONE, a) == PAGE_NONE);
    CHECK(prefix_tree_find_part(tree, PAGE_NONE, b, 64, &n_common) != PAGE_NONE && n_common == 10);
    CHECK(prefix_tree_find_part(tree, PAGE_NONE, b, 4, &n_common) != PAGE_NONE && n_common == 4);
    page = kv_pool_take(&memory.pool); // goes on where the first ends
    prefix_tree_add_part(tree, PAGE_NONE, a, 40, page);
    kv_pool_release(&memory.pool, page);
    CHECK(tree->n_kept == 1 && memory.pool.n_free == 3);
    CHECK(prefix_tree_find_part(tree, PAGE_NONE, b, 64, &n_common) != PAGE_NONE && n_common == 20);
    page = kv_pool_take(&memory.pool); // known
    prefix_tree_add_part(tree, PAGE_NONE, a, 30, page);
    kv_pool_release(&memory.pool, page);
    CHECK(tree->n_kept == 1 && memory.pool.n_free == 3);
    CHECK(prefix_tree_find_part(tree, PAGE_NONE, b + 30, 20, &n_common) == PAGE_NONE);
    close_memory(&memory);
    return TEST_PASS;
}

// Random uses against counting: nothing is lost, nothing is handed out twice.
static enum test_result test_random(void) {
    enum { N_PAGES = 24, N_HELD = 10, N_STEPS = 20000 };
    struct memory memory;
    uint64_t state = 3;
    int held[N_HELD];
    CHECK(open_memory(&memory, N_PAGES));
    for (int i = 0; i < N_HELD; i++)
        held[i] = PAGE_NONE;
    for (int step = 0; step < N_STEPS; step++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        int i = (int)(state >> 33) % N_HELD, depth = 0;
        int32_t tokens[PAGE_TOKENS];
        for (int node = held[i]; node != PAGE_NONE; node = prefix_tree_parent(&memory.tree, node))
            depth++;
        if (depth == 2) { // ends: its nodes stay known
            while (held[i] != PAGE_NONE) {
                int parent = prefix_tree_parent(&memory.tree, held[i]);
                prefix_tree_leave(&memory.tree, held[i]);
                held[i] = parent;
            }
            continue;
        }
        CHECK(prefix_tree_make_room(&memory.tree, 1));
        fill(tokens, (int32_t)(state >> 40) % 12 * 100);
        held[i] = add_page(&memory, held[i], tokens);
        CHECK(kv_pool_used(&memory.pool) + memory.pool.n_free == N_PAGES);
        CHECK(memory.tree.n_kept <= kv_pool_used(&memory.pool));
    }
    for (int i = 0; i < N_HELD; i++)
        for (int node = held[i]; node != PAGE_NONE;) {
            int parent = prefix_tree_parent(&memory.tree, node);
            prefix_tree_leave(&memory.tree, node);
            node = parent;
        }
    CHECK(memory.tree.n_kept == kv_pool_used(&memory.pool));
    CHECK(prefix_tree_make_room(&memory.tree, N_PAGES) && memory.tree.n_kept == 0);
    close_memory(&memory);
    return TEST_PASS;
}

// ---- Costs -------------------------------------------------------------------------------------

static enum test_result test_cost(void) {
    struct step_cost cost = {0};
    CHECK(step_cost_predict(&cost, 5, true) == 0);
    step_cost_learn(&cost, 4, 0.1);
    CHECK(step_cost_predict(&cost, 8, true) == 0.1);
    CHECK(step_cost_predict(&cost, 8, false) == 0.2);
    CHECK(step_cost_predict(&cost, 1, false) == 0.1);
    step_cost_learn(&cost, 512, 1.1);
    double middle = step_cost_predict(&cost, 258, false);
    CHECK(middle > 0.59 && middle < 0.61);
    for (int i = 0; i < 100; i++)
        step_cost_learn(&cost, 4, 0.3);
    double last = step_cost_predict(&cost, 4, false);
    CHECK(last > 0.299 && last < 0.301);
    CHECK(step_cost_predict(&cost, 5000, true) == 1.1);
    return TEST_PASS;
}

// ---- Memory ------------------------------------------------------------------------------------

static bool write_file(const char *root, const char *path, const char *text) {
    char full[1024];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    if (!file) return false;
    fputs(text, file);
    return fclose(file) == 0;
}

static enum test_result test_memory(void) {
    char root[512];
    snprintf(root, sizeof root, "%s/machine", harness_scratch());
    CHECK(memory_available_bytes() > 0);
    CHECK(memory_available_bytes_under(root) == 0);
    CHECK(write_file(root, "/proc/meminfo",
                     "MemTotal:  9000000 kB\nMemFree:  1 kB\nMemAvailable:   8000000 kB\n"));
    CHECK(memory_available_bytes_under(root) == 8000000ull * 1024);
    CHECK(write_file(root, "/proc/self/cgroup", "0::/a/b\n"));
    CHECK(write_file(root, "/sys/fs/cgroup/a/b/memory.max", "max\n"));
    CHECK(write_file(root, "/sys/fs/cgroup/a/b/memory.current", "5000\n"));
    CHECK(memory_available_bytes_under(root) == 8000000ull * 1024);
    CHECK(write_file(root, "/sys/fs/cgroup/a/memory.max", "1000000\n")); // of a group above
    CHECK(write_file(root, "/sys/fs/cgroup/a/memory.current", "700000\n"));
    CHECK(memory_available_bytes_under(root) == 300000);
    CHECK(write_file(root, "/sys/fs/cgroup/a/memory.stat", "anon 100000\nfile 600000\n"));
    CHECK(memory_available_bytes_under(root) == 900000);
    CHECK(write_file(root, "/proc/self/cgroup", "5:cpu:/x\n4:memory:/m\n"));
    CHECK(write_file(root, "/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "5000\n"));
    CHECK(write_file(root, "/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "6000\n"));
    CHECK(memory_available_bytes_under(root) == 0);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"users", "users take turns", test_users},
    {"arrival", "a user's requests keep their order", test_arrival},
    {"background", "background requests wait, but not for ever", test_background},
    {"tree", "pages are known, shared and forgotten", test_tree},
    {"oldest", "what was not used for longest goes first", test_oldest},
    {"parts", "pages that are not full", test_parts},
    {"random", "no page is lost", test_random},
    {"memory", "what a container leaves", test_memory},
    {"cost", "what a step takes", test_cost},
};

int main(int argc, char **argv) {
    return harness_main("worker_parts", tests, sizeof tests / sizeof *tests, argc, argv);
}
