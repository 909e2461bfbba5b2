// SPDX-License-Identifier: Apache-2.0
// What must be known of a network before it is used: the shortest way to each end (and so which
// nodes lead nowhere), and that no rule begins with itself, which would never come to an end.
// Everything is iterative and linear but for a small factor.
#include "grammar/grammar_builder.h"

#include <stdlib.h>
#include <string.h>

// ---- Empty nodes -------------------------------------------------------------------------------

static uint32_t resolve(struct grammar_program *p, uint32_t node) {
    uint32_t last = node, steps = 0;
    while (p->nodes[last].kind == NODE_PASS && steps++ < p->n_nodes)
        last = p->nodes[last].next;
    if (p->nodes[last].kind == NODE_PASS) last = GRAMMAR_FAIL; // a ring
    while (p->nodes[node].kind == NODE_PASS && p->nodes[node].next != last) {
        uint32_t next = p->nodes[node].next;
        p->nodes[node].next = last;
        node = next;
    }
    return last;
}

static void resolve_all(struct grammar_program *p) {
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        struct grammar_node *node = &p->nodes[i];
        if (node->kind >= NODE_BYTES && node->kind != NODE_CHOICE)
            node->next = resolve(p, node->next);
        if (node->kind == NODE_LOOP) node->a = resolve(p, node->a);
    }
    for (uint32_t i = 0; i < p->n_options; i++)
        p->options[i] = resolve(p, p->options[i]);
    for (uint32_t i = 0; i < p->n_rules; i++)
        p->rules[i] = resolve(p, p->rules[i]);
    p->start = resolve(p, p->start);
    p->lead_start = resolve(p, p->lead_start);
}

// ---- Rests -------------------------------------------------------------------------------------

static uint8_t add_rests(unsigned a, unsigned b) {
    if (a == GRAMMAR_REST_NONE || b == GRAMMAR_REST_NONE) return GRAMMAR_REST_NONE;
    return (uint8_t)(a + b > GRAMMAR_REST_MAX ? GRAMMAR_REST_MAX : a + b);
}

static bool is_empty_set(const struct byte_set *set) {
    return (set->bits[0] | set->bits[1] | set->bits[2] | set->bits[3]) == 0;
}

static uint8_t rest_of(const struct grammar_program *p, const struct grammar_node *node) {
    unsigned body, best = GRAMMAR_REST_NONE;
    switch ((enum grammar_node_kind)node->kind) {
    case NODE_FAIL:
    case NODE_PASS:
        break;
    case NODE_END:
        return 0;
    case NODE_BYTES:
        if (is_empty_set(&p->sets[node->a])) break;
        return add_rests(1, p->nodes[node->next].rest);
    case NODE_CHOICE:
        for (uint32_t i = 0; i < node->min; i++)
            if (p->nodes[p->options[node->a + i]].rest < best)
                best = p->nodes[p->options[node->a + i]].rest;
        return (uint8_t)best;
    case NODE_CALL:
        return add_rests(p->nodes[p->rules[node->a]].rest, p->nodes[node->next].rest);
    case NODE_LOOP:
        body = p->nodes[node->a].rest;
        if (node->min == 0 || body == 0) return p->nodes[node->next].rest;
        if (body == GRAMMAR_REST_NONE) break;
        if (node->min > GRAMMAR_REST_MAX || body * node->min > GRAMMAR_REST_MAX)
            body = GRAMMAR_REST_MAX;
        else
            body *= node->min;
        return add_rests(body, p->nodes[node->next].rest);
    }
    return GRAMMAR_REST_NONE;
}

// The k-th node that the rest of node i is made of.
static uint32_t dependencies(const struct grammar_program *p, uint32_t i, uint32_t k) {
    const struct grammar_node *node = &p->nodes[i];
    switch ((enum grammar_node_kind)node->kind) {
    case NODE_BYTES:
        return k == 0 ? node->next : GRAMMAR_FAIL;
    case NODE_CHOICE:
        return k < node->min ? p->options[node->a + k] : GRAMMAR_FAIL;
    case NODE_CALL:
        return k == 0 ? p->rules[node->a] : k == 1 ? node->next : GRAMMAR_FAIL;
    case NODE_LOOP:
        return k == 0 ? node->a : k == 1 ? node->next : GRAMMAR_FAIL;
    default:
        return GRAMMAR_FAIL;
    }
}

static uint32_t n_dependencies(const struct grammar_node *node) {
    return node->kind == NODE_BYTES                             ? 1
           : node->kind == NODE_CHOICE                          ? node->min
           : node->kind == NODE_CALL || node->kind == NODE_LOOP ? 2
                                                                : 0;
}

struct rest_search {
    uint32_t *first;  // [n_nodes + 1] into users
    uint32_t *users;  // who depends on a node
    uint32_t *queue;  // [n_nodes] ring
    uint8_t *waiting; // [n_nodes]
};

static void list_users(const struct grammar_program *p, struct rest_search *s) {
    for (uint32_t i = 0; i < p->n_nodes; i++)
        for (uint32_t k = 0; k < n_dependencies(&p->nodes[i]); k++)
            s->first[dependencies(p, i, k)]++;
    uint32_t sum = 0;
    for (uint32_t i = 0; i <= p->n_nodes; i++) {
        sum += s->first[i];
        s->first[i] = sum;
    }
    for (uint32_t i = 0; i < p->n_nodes; i++)
        for (uint32_t k = 0; k < n_dependencies(&p->nodes[i]); k++)
            s->users[--s->first[dependencies(p, i, k)]] = i;
}

// From no way at all, rests fall until nothing changes; each at most GRAMMAR_REST_MAX times.
static void find_rests(struct grammar_program *p, struct rest_search *s) {
    uint32_t head = 0, n_waiting = 0;
    list_users(p, s);
    for (uint32_t i = 0; i < p->n_nodes; i++)
        p->nodes[i].rest = GRAMMAR_REST_NONE;
    s->queue[n_waiting++] = GRAMMAR_END;
    s->waiting[GRAMMAR_END] = 1;
    while (n_waiting > 0) {
        uint32_t i = s->queue[head];
        head = head + 1 == p->n_nodes ? 0 : head + 1;
        n_waiting--;
        s->waiting[i] = 0;
        uint8_t rest = rest_of(p, &p->nodes[i]);
        if (rest >= p->nodes[i].rest) continue;
        p->nodes[i].rest = rest;
        for (uint32_t k = s->first[i]; k < s->first[i + 1]; k++) {
            uint32_t user = s->users[k];
            if (s->waiting[user]) continue;
            s->waiting[user] = 1;
            s->queue[(head + n_waiting++) % p->n_nodes] = user;
        }
    }
}

// Loops that no body can fill (min is 0) never reach END through the body: they are found from the
// `next` side, like every other node.
static enum status compute_rests(struct grammar_program *p, struct error *err) {
    size_t n_edges = 0, n = p->n_nodes;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        n_edges += n_dependencies(&p->nodes[i]);
    struct rest_search search = {.first = calloc(n + 2, sizeof(uint32_t)),
                                 .users = malloc((n_edges + 1) * sizeof(uint32_t)),
                                 .queue = malloc(n * sizeof(uint32_t)),
                                 .waiting = calloc(n, 1)};
    bool complete = search.first && search.users && search.queue && search.waiting;
    if (complete) find_rests(p, &search);
    free(search.first);
    free(search.users);
    free(search.queue);
    free(search.waiting);
    return complete ? STATUS_OK : error_no_memory(err, "a grammar", n_edges * sizeof(uint32_t));
}

// ---- Rules that begin with themselves ----------------------------------------------------------

struct begin_search {
    uint32_t *seen;                         // [n_nodes] rule + 1 that came by
    uint32_t *stack;                        // [n_nodes]
    uint32_t *first;                        // [n_rules + 1] into callees
    uint32_t *callees, n_callees, capacity; // rules that a rule may begin with
};

static enum status add_callee(struct begin_search *s, uint32_t rule, struct error *err) {
    if (s->n_callees == s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity * 2 : 256;
        uint32_t *callees = realloc(s->callees, capacity * sizeof *callees);
        if (!callees) return error_no_memory(err, "a grammar", capacity * sizeof *callees);
        s->callees = callees;
        s->capacity = capacity;
    }
    s->callees[s->n_callees++] = rule;
    return STATUS_OK;
}

static enum status list_callees(const struct grammar_program *p, struct begin_search *s,
                                uint32_t rule, struct error *err) {
    uint32_t n = 0;
    s->first[rule] = s->n_callees;
    s->stack[n++] = p->rules[rule];
    s->seen[p->rules[rule]] = rule + 1;
    while (n > 0) {
        const struct grammar_node *node = &p->nodes[s->stack[--n]];
        uint32_t n_ways = n_dependencies(node), i = (uint32_t)(node - p->nodes);
        if (node->rest == GRAMMAR_REST_NONE || node->kind == NODE_BYTES) continue;
        if (node->kind == NODE_CALL) TRY(add_callee(s, node->a, err));
        for (uint32_t k = 0; k < n_ways; k++) {
            uint32_t way = dependencies(p, i, k);
            if (node->kind == NODE_CALL && k == 0) continue;
            if (node->kind == NODE_CALL && p->nodes[p->rules[node->a]].rest != 0) continue;
            if (node->kind == NODE_LOOP && k == 1 && node->min != 0) continue;
            if (s->seen[way] == rule + 1) continue;
            s->seen[way] = rule + 1;
            s->stack[n++] = way;
        }
    }
    s->first[rule + 1] = s->n_callees;
    return STATUS_OK;
}

// Depth first over the rules; `seen` is now 0 for new, 1 on the path, 2 for done.
static enum status find_ring(const struct grammar_program *p, struct begin_search *s, bool *found,
                             uint32_t *ring, struct error *err) {
    uint32_t *next = malloc(((size_t)p->n_rules + 1) * sizeof *next);
    if (!next) return error_no_memory(err, "a grammar", p->n_rules * sizeof *next);
    memcpy(next, s->first, p->n_rules * sizeof *next);
    memset(s->seen, 0, (p->n_nodes > p->n_rules ? p->n_nodes : p->n_rules) * sizeof *s->seen);
    *found = false;
    for (uint32_t rule = 0; rule < p->n_rules && !*found; rule++) {
        uint32_t n = 0;
        if (s->seen[rule]) continue;
        s->seen[rule] = 1;
        s->stack[n++] = rule;
        while (n > 0 && !*found) {
            uint32_t top = s->stack[n - 1];
            if (next[top] == s->first[top + 1]) {
                s->seen[top] = 2;
                n--;
                continue;
            }
            uint32_t callee = s->callees[next[top]++];
            *found = s->seen[callee] == 1;
            if (*found) *ring = callee;
            if (s->seen[callee]) continue;
            s->seen[callee] = 1;
            s->stack[n++] = callee;
        }
    }
    free(next);
    return STATUS_OK;
}

static enum status refuse_rings(const struct grammar_program *p, struct begin_search *s,
                                uint32_t *rule, struct error *err) {
    if (!s->seen || !s->stack || !s->first) return error_no_memory(err, "a grammar", p->n_nodes);
    for (uint32_t i = 0; i < p->n_rules; i++)
        TRY(list_callees(p, s, i, err));
    bool found = false;
    TRY(find_ring(p, s, &found, rule, err));
    if (found) return error_set(err, STATUS_BAD_INPUT, "begins with itself, so it would never end");
    return STATUS_OK;
}

enum status grammar_program_analyse(struct grammar_program *p, uint32_t root, uint32_t *rule,
                                    struct error *err) {
    resolve_all(p);
    TRY(compute_rests(p, err));
    for (uint32_t i = 0; i < p->n_nodes; i++) // empty rounds need not be counted
        if (p->nodes[i].kind == NODE_LOOP && p->nodes[p->nodes[i].a].rest == 0) p->nodes[i].min = 0;
    *rule = root;
    if (p->nodes[p->start].rest == GRAMMAR_REST_NONE)
        return error_set(err, STATUS_BAD_INPUT, "no text satisfies it");
    // Nodes outnumber rules, so both searches fit.
    size_t n = p->n_nodes > p->n_rules ? p->n_nodes : p->n_rules;
    struct begin_search search = {.seen = calloc(n, sizeof(uint32_t)),
                                  .stack = malloc(n * sizeof(uint32_t)),
                                  .first = calloc((size_t)p->n_rules + 1, sizeof(uint32_t))};
    enum status status = refuse_rings(p, &search, rule, err);
    free(search.seen);
    free(search.stack);
    free(search.first);
    free(search.callees);
    return status;
}
