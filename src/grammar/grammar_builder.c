// SPDX-License-Identifier: Apache-2.0
// Nodes, shared byte sets, and code points as UTF-8.
#include "grammar/grammar_builder.h"

#include "base/hash64.h"

#include <stdlib.h>
#include <string.h>

enum { SET_SLOTS = GRAMMAR_SETS_MAX * 2, SEQUENCES_MAX = 256 };

void grammar_program_destroy(struct grammar_program *program) {
    if (!program) return;
    free(program->nodes);
    free(program->options);
    free(program->rules);
    free(program->sets);
    free(program);
}

enum status build_failed(struct grammar_builder *b, enum status status, const char *message) {
    if (b->status == STATUS_OK) b->status = error_set(b->err, status, "%s", message);
    return b->status;
}

// Room for one item more; false: the builder has failed.
static bool reserve(struct grammar_builder *b, void **items, uint32_t *capacity, uint32_t n,
                    uint32_t n_max, size_t item_bytes) {
    if (b->status != STATUS_OK) return false;
    if (n < *capacity) return true;
    if (n >= n_max) {
        build_failed(b, STATUS_UNSUPPORTED, "too large: it needs too many states");
        return false;
    }
    uint32_t grown = *capacity ? *capacity * 2 : 256;
    void *memory = realloc(*items, grown * item_bytes);
    if (!memory) {
        build_failed(b, STATUS_NO_MEMORY, "no memory for a grammar");
        return false;
    }
    *items = memory;
    *capacity = grown;
    return true;
}

static uint32_t add_node(struct grammar_builder *b, struct grammar_node node) {
    struct grammar_program *p = b->program;
    if (!reserve(b, (void **)&p->nodes, &b->nodes_capacity, p->n_nodes, GRAMMAR_NODES_MAX,
                 sizeof *p->nodes))
        return GRAMMAR_FAIL;
    p->nodes[p->n_nodes] = node;
    return p->n_nodes++;
}

static uint32_t add_pass(struct grammar_builder *b) {
    return add_node(b, (struct grammar_node){.kind = NODE_PASS, .next = GRAMMAR_FAIL});
}

// Where the fragment's end leads to.
static void lead_to(struct grammar_builder *b, uint32_t end, uint32_t node) {
    if (end != GRAMMAR_FAIL) b->program->nodes[end].next = node;
}

enum status grammar_builder_init(struct grammar_builder *b, struct error *err) {
    *b = (struct grammar_builder){.status = STATUS_OK, .err = err};
    b->program = calloc(1, sizeof *b->program);
    b->set_slots = calloc(SET_SLOTS, sizeof *b->set_slots);
    if (!b->program || !b->set_slots) {
        grammar_builder_deinit(b);
        return error_no_memory(err, "a grammar", SET_SLOTS * sizeof *b->set_slots);
    }
    add_node(b, (struct grammar_node){.kind = NODE_FAIL});
    add_node(b, (struct grammar_node){.kind = NODE_END});
    if (b->status != STATUS_OK) grammar_builder_deinit(b);
    return b->status;
}

void grammar_builder_deinit(struct grammar_builder *b) {
    grammar_program_destroy(b->program);
    free(b->set_slots);
    b->program = NULL;
    b->set_slots = NULL;
}

static uint32_t intern_set(struct grammar_builder *b, const struct byte_set *set) {
    struct grammar_program *p = b->program;
    uint64_t hash = hash64(set, sizeof *set, 0);
    uint32_t slot = (uint32_t)hash & (SET_SLOTS - 1);
    for (; b->set_slots[slot]; slot = (slot + 1) & (SET_SLOTS - 1))
        if (memcmp(&p->sets[b->set_slots[slot] - 1], set, sizeof *set) == 0)
            return b->set_slots[slot] - 1;
    if (!reserve(b, (void **)&p->sets, &b->sets_capacity, p->n_sets, GRAMMAR_SETS_MAX,
                 sizeof *p->sets))
        return 0;
    p->sets[p->n_sets] = *set;
    b->set_slots[slot] = ++p->n_sets;
    return p->n_sets - 1;
}

static uint32_t add_bytes(struct grammar_builder *b, const struct byte_set *set, uint32_t next) {
    return add_node(
        b, (struct grammar_node){.kind = NODE_BYTES, .a = intern_set(b, set), .next = next});
}

struct fragment build_empty(struct grammar_builder *b) {
    uint32_t pass = add_pass(b);
    return (struct fragment){pass, pass};
}

struct fragment build_nothing(struct grammar_builder *b) {
    return (struct fragment){GRAMMAR_FAIL, add_pass(b)};
}

struct fragment build_byte_set(struct grammar_builder *b, const struct byte_set *set) {
    uint32_t end = add_pass(b);
    return (struct fragment){add_bytes(b, set, end), end};
}

struct fragment build_text(struct grammar_builder *b, const char *text, size_t text_bytes) {
    uint32_t end = add_pass(b), next = end;
    for (size_t i = text_bytes; i-- > 0 && b->status == STATUS_OK;) {
        struct byte_set set = {{0}};
        byte_set_add(&set, (uint8_t)text[i], (uint8_t)text[i]);
        next = add_bytes(b, &set, next);
    }
    return (struct fragment){next, end};
}

struct fragment build_join(struct grammar_builder *b, struct fragment x, struct fragment y) {
    lead_to(b, x.end, y.start);
    return (struct fragment){x.start, y.end};
}

static uint32_t add_choice(struct grammar_builder *b, uint32_t n) {
    struct grammar_program *p = b->program;
    uint32_t first = p->n_options;
    for (uint32_t i = 0; i < n; i++) {
        if (!reserve(b, (void **)&p->options, &b->options_capacity, p->n_options,
                     GRAMMAR_NODES_MAX * 2, sizeof *p->options))
            return GRAMMAR_FAIL;
        p->options[p->n_options++] = GRAMMAR_FAIL;
    }
    return add_node(b, (struct grammar_node){.kind = NODE_CHOICE, .a = first, .min = n});
}

static void set_option(struct grammar_builder *b, uint32_t choice, uint32_t i, uint32_t node) {
    if (b->status == STATUS_OK) b->program->options[b->program->nodes[choice].a + i] = node;
}

struct fragment build_choice(struct grammar_builder *b, const struct fragment *choices,
                             uint32_t n) {
    if (n == 1) return choices[0];
    uint32_t choice = add_choice(b, n), end = add_pass(b);
    for (uint32_t i = 0; i < n && b->status == STATUS_OK; i++) {
        set_option(b, choice, i, choices[i].start);
        lead_to(b, choices[i].end, end);
    }
    return (struct fragment){choice, end};
}

struct fragment build_repeat(struct grammar_builder *b, struct fragment body, uint32_t min,
                             uint32_t max) {
    if (max == 0) return build_empty(b);
    if (min == 1 && max == 1) return body;
    uint32_t end = add_pass(b);
    if (max == 1 || (max == GRAMMAR_NO_LIMIT && min <= 1)) {
        uint32_t choice = add_choice(b, 2);
        set_option(b, choice, 0, body.start);
        set_option(b, choice, 1, end);
        lead_to(b, body.end, max == 1 ? end : choice);
        return (struct fragment){min == 1 ? body.start : choice, end};
    }
    uint32_t loop =
        add_node(b, (struct grammar_node){
                        .kind = NODE_LOOP, .a = body.start, .next = end, .min = min, .max = max});
    lead_to(b, body.end, GRAMMAR_END);
    return (struct fragment){loop, end};
}

struct fragment build_call(struct grammar_builder *b, uint32_t rule) {
    uint32_t end = add_pass(b);
    uint32_t call = add_node(b, (struct grammar_node){.kind = NODE_CALL, .a = rule, .next = end});
    return (struct fragment){call, end};
}

uint32_t build_place(struct grammar_builder *b) {
    return add_pass(b);
}

void build_link(struct grammar_builder *b, uint32_t place, uint32_t node) {
    lead_to(b, place, node);
}

uint32_t build_before(struct grammar_builder *b, struct fragment fragment, uint32_t node) {
    lead_to(b, fragment.end, node);
    return fragment.start;
}

uint32_t build_fork(struct grammar_builder *b, const uint32_t *nodes, uint32_t n) {
    if (n == 1) return nodes[0];
    uint32_t choice = add_choice(b, n);
    for (uint32_t i = 0; i < n; i++)
        set_option(b, choice, i, nodes[i]);
    return choice;
}

uint32_t build_rule(struct grammar_builder *b) {
    struct grammar_program *p = b->program;
    if (!reserve(b, (void **)&p->rules, &b->rules_capacity, p->n_rules, GRAMMAR_RULES_MAX,
                 sizeof *p->rules))
        return 0;
    p->rules[p->n_rules] = GRAMMAR_FAIL;
    return p->n_rules++;
}

void build_define(struct grammar_builder *b, uint32_t rule, struct fragment body) {
    lead_to(b, body.end, GRAMMAR_END);
    if (rule < b->program->n_rules) b->program->rules[rule] = body.start;
}

// ---- Code points as UTF-8 ----------------------------------------------------------------------

// Chains of bytes that end at the same place: equal tails are one, and first bytes before equal
// tails are one set.
struct utf8_network {
    struct grammar_builder *builder;
    uint32_t end;
    struct {
        uint8_t first, last;
        uint32_t next, node;
    } tails[SEQUENCES_MAX];
    uint32_t n_tails;
    struct {
        struct byte_set set;
        uint32_t next;
    } heads[SEQUENCES_MAX];
    uint32_t n_heads;
};

static uint32_t network_tail(struct utf8_network *n, uint8_t first, uint8_t last, uint32_t next) {
    for (uint32_t i = 0; i < n->n_tails; i++)
        if (n->tails[i].first == first && n->tails[i].last == last && n->tails[i].next == next)
            return n->tails[i].node;
    struct byte_set set = {{0}};
    byte_set_add(&set, first, last);
    uint32_t node = add_bytes(n->builder, &set, next);
    if (n->n_tails < SEQUENCES_MAX) {
        n->tails[n->n_tails].first = first;
        n->tails[n->n_tails].last = last;
        n->tails[n->n_tails].next = next;
        n->tails[n->n_tails++].node = node;
    }
    return node;
}

static void network_head(struct utf8_network *n, uint8_t first, uint8_t last, uint32_t next) {
    uint32_t i = 0;
    while (i < n->n_heads && n->heads[i].next != next)
        i++;
    if (i == SEQUENCES_MAX) {
        build_failed(n->builder, STATUS_UNSUPPORTED, "a class of characters is too scattered");
        return;
    }
    if (i == n->n_heads) {
        memset(&n->heads[i].set, 0, sizeof n->heads[i].set);
        n->heads[n->n_heads++].next = next;
    }
    byte_set_add(&n->heads[i].set, first, last);
}

static unsigned utf8_bytes(uint32_t code, uint8_t out[4]) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    unsigned n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = n; i-- > 1; code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(code | (0xf00u >> n & 0xff));
    return n;
}

// Code points whose encodings are byte ranges side by side.
static void network_sequence(struct utf8_network *n, uint32_t first, uint32_t last) {
    uint8_t low[4], high[4];
    unsigned n_bytes = utf8_bytes(first, low);
    utf8_bytes(last, high);
    uint32_t next = n->end;
    for (unsigned i = n_bytes; i-- > 1;)
        next = network_tail(n, low[i], high[i], next);
    network_head(n, low[0], high[0], next);
}

// Splits a range at lengths of encodings and where a byte before the last ones changes.
static void network_range(struct utf8_network *n, uint32_t first, uint32_t last) {
    static const uint32_t lengths[] = {0x7f, 0x7ff, 0xffff, CODE_LAST};
    while (first <= last && n->builder->status == STATUS_OK) {
        uint32_t stop = last;
        unsigned length = 0;
        while (first > lengths[length])
            length++;
        if (stop > lengths[length]) stop = lengths[length];
        for (unsigned i = 1; i <= length; i++) {
            uint32_t low = (1u << (6 * i)) - 1;
            if ((first & ~low) == (stop & ~low)) continue;
            if ((first & low) != 0)
                stop = first | low;
            else if ((stop & low) != low)
                stop = (stop & ~low) - 1;
        }
        network_sequence(n, first, stop);
        first = stop + 1;
    }
}

struct fragment build_code(struct grammar_builder *b, const struct code_ranges *set) {
    struct utf8_network network = {.builder = b, .end = add_pass(b)};
    if (set->no_memory) build_failed(b, STATUS_NO_MEMORY, "no memory for a class of characters");
    if (set->failed) build_failed(b, STATUS_UNSUPPORTED, "a class of characters is too scattered");
    for (uint32_t i = 0; i < set->n && b->status == STATUS_OK; i++) {
        uint32_t first = set->items[i].first, last = set->items[i].last;
        if (first < 0xd800) network_range(&network, first, last < 0xd7ff ? last : 0xd7ff);
        if (last > 0xdfff) network_range(&network, first > 0xe000 ? first : 0xe000, last);
    }
    uint32_t choice = network.n_heads == 1 ? GRAMMAR_FAIL : add_choice(b, network.n_heads);
    for (uint32_t i = 0; i < network.n_heads && b->status == STATUS_OK; i++) {
        uint32_t node = add_bytes(b, &network.heads[i].set, network.heads[i].next);
        if (network.n_heads == 1)
            choice = node;
        else
            set_option(b, choice, i, node);
    }
    return (struct fragment){choice, network.end};
}

// ---- The end -----------------------------------------------------------------------------------

// Refines the classes of bytes by every set.
static void divide_bytes(struct grammar_program *p) {
    uint8_t class_of[256] = {0};
    uint32_t n = 1;
    for (uint32_t i = 0; i < p->n_sets && n < 256; i++) {
        int16_t inside[256], outside[256]; // new class of an old one; -1: not yet
        memset(inside, -1, sizeof inside);
        memset(outside, -1, sizeof outside);
        uint32_t n_new = 0;
        for (unsigned byte = 0; byte < 256; byte++) {
            int16_t *to = byte_set_has(&p->sets[i], (uint8_t)byte) ? &inside[class_of[byte]]
                                                                   : &outside[class_of[byte]];
            if (*to < 0) *to = (int16_t)n_new++;
            class_of[byte] = (uint8_t)*to;
        }
        n = n_new;
    }
    memcpy(p->class_of, class_of, sizeof class_of);
    for (unsigned byte = 256; byte-- > 0;)
        p->byte_of[class_of[byte]] = (uint8_t)byte;
    p->n_classes = n;
}

enum status grammar_builder_finish(struct grammar_builder *b, uint32_t root,
                                   struct grammar_program **program, uint32_t *rule) {
    struct byte_set white = {{0}};
    *program = NULL;
    *rule = root;
    byte_set_add(&white, '\t', '\n');
    byte_set_add(&white, '\r', '\r');
    byte_set_add(&white, ' ', ' ');
    struct fragment lead =
        build_join(b, build_repeat(b, build_byte_set(b, &white), 0, 4), build_call(b, root));
    lead_to(b, lead.end, GRAMMAR_END);
    if (b->status != STATUS_OK) return b->status;
    struct grammar_program *p = b->program;
    p->start = p->rules[root];
    p->lead_start = lead.start;
    TRY(grammar_program_analyse(p, root, rule, b->err));
    divide_bytes(p);
    b->program = NULL;
    *program = p;
    return STATUS_OK;
}
