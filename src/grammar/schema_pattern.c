// SPDX-License-Identifier: Apache-2.0
// A pattern becomes a small tree in which every node knows the shortest and the longest text, then
// fragments. Both steps recurse no deeper than PATTERN_DEPTH_MAX groups.
#include "grammar/schema_pattern.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum node_kind { P_EMPTY, P_CLASS, P_JOIN, P_CHOICE, P_REPEAT };

struct pattern_node {
    enum node_kind kind;
    uint32_t left, right; // P_REPEAT: left
    uint32_t min, max;    // P_REPEAT: how often
    uint32_t shortest, longest;
    struct code_ranges set; // P_CLASS
};

struct pattern {
    const char *text, *end;
    struct grammar_builder *builder;
    struct pattern_node *nodes;
    uint32_t n_nodes, capacity, depth;
    struct error *err;
};

static enum status refuse(const struct pattern *p, const char *what) {
    return error_set(p->err, STATUS_UNSUPPORTED, "%s", what);
}

// ---- Nodes -------------------------------------------------------------------------------------

static uint32_t add_lengths(uint32_t a, uint32_t b) {
    return a > GRAMMAR_NO_LIMIT - b ? GRAMMAR_NO_LIMIT : a + b;
}

static uint32_t multiply_length(uint32_t length, uint32_t times) {
    if (length == 0 || times == 0) return 0;
    return length > GRAMMAR_NO_LIMIT / times ? GRAMMAR_NO_LIMIT : length * times;
}

static enum status add_node(struct pattern *p, struct pattern_node node, uint32_t *index) {
    if (p->n_nodes == p->capacity) {
        uint32_t capacity = p->capacity ? p->capacity * 2 : 64;
        if (capacity > PATTERN_NODES_MAX) return refuse(p, "a pattern that is too long");
        struct pattern_node *nodes = realloc(p->nodes, capacity * sizeof *nodes);
        if (!nodes) return error_no_memory(p->err, "a pattern", capacity * sizeof *nodes);
        p->nodes = nodes;
        p->capacity = capacity;
    }
    p->nodes[p->n_nodes] = node;
    *index = p->n_nodes++;
    return STATUS_OK;
}

static enum status add_pair(struct pattern *p, enum node_kind kind, uint32_t left, uint32_t right,
                            uint32_t *index) {
    const struct pattern_node *a = &p->nodes[left], *b = &p->nodes[right];
    struct pattern_node node = {.kind = kind, .left = left, .right = right};
    if (kind == P_JOIN) {
        node.shortest = add_lengths(a->shortest, b->shortest);
        node.longest = add_lengths(a->longest, b->longest);
    } else {
        node.shortest = a->shortest < b->shortest ? a->shortest : b->shortest;
        node.longest = a->longest > b->longest ? a->longest : b->longest;
    }
    return add_node(p, node, index);
}

static enum status add_repeat(struct pattern *p, uint32_t body, uint32_t min, uint32_t max,
                              uint32_t *index) {
    return add_node(p,
                    (struct pattern_node){.kind = P_REPEAT,
                                          .left = body,
                                          .min = min,
                                          .max = max,
                                          .shortest = multiply_length(p->nodes[body].shortest, min),
                                          .longest = multiply_length(p->nodes[body].longest, max)},
                    index);
}

static enum status add_class(struct pattern *p, struct code_ranges *set, uint32_t *index) {
    code_ranges_normalise(set);
    enum status status = STATUS_OK;
    if (set->no_memory)
        status = error_no_memory(p->err, "a class of characters", set->n);
    else if (set->failed)
        status = refuse(p, "a class of too many ranges");
    struct pattern_node node = {.kind = P_CLASS, .shortest = 1, .longest = 1, .set = *set};
    if (status == STATUS_OK) status = add_node(p, node, index);
    if (status != STATUS_OK) code_ranges_deinit(set);
    return status;
}

// ---- Characters --------------------------------------------------------------------------------

static void add_word(struct code_ranges *set) {
    code_ranges_add(set, 'A', 'Z');
    code_ranges_add(set, 'a', 'z');
    code_ranges_add(set, '0', '9');
    code_ranges_add(set, '_', '_');
}

static void add_space(struct code_ranges *set) {
    static const uint32_t spaces[][2] = {
        {9, 13},          {32, 32},         {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        code_ranges_add(set, spaces[i][0], spaces[i][1]);
}

// \d \w \s and their opposites; false: another letter. Where engines differ about characters
// outside ASCII, only those are taken on which they agree.
static bool add_shorthand(struct code_ranges *set, char letter) {
    struct code_ranges own = {0};
    switch (letter) {
    case 'd':
    case 'D':
        code_ranges_add(&own, '0', '9');
        break;
    case 'w':
        add_word(&own);
        break;
    case 'W':
        add_word(&own);
        code_ranges_add(&own, 0x80, CODE_LAST);
        break;
    case 's':
        add_space(&own);
        break;
    case 'S':
        add_space(&own);
        code_ranges_add(&own, 0x1c, 0x1f);
        code_ranges_add(&own, 0x85, 0x85);
        break;
    default:
        return false;
    }
    code_ranges_normalise(&own);
    if (letter < 'a') code_ranges_negate(&own);
    code_ranges_add_all(set, &own);
    code_ranges_deinit(&own);
    return true;
}

static bool read_hex(struct pattern *p, unsigned n_digits, uint32_t *code) {
    *code = 0;
    if ((size_t)(p->end - p->text) < n_digits) return false;
    for (unsigned i = 0; i < n_digits; i++) {
        char c = *p->text++, lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *code = *code << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    return true;
}

static bool read_unicode(struct pattern *p, uint32_t *code) {
    uint32_t low;
    if (p->text < p->end && *p->text == '{') {
        const char *close = memchr(p->text, '}', (size_t)(p->end - p->text));
        if (!close || close - p->text > 7 || close - p->text < 2) return false;
        p->text++;
        if (!read_hex(p, (unsigned)(close - p->text), code)) return false;
        p->text++;
    } else {
        if (!read_hex(p, 4, code)) return false;
        if (*code >= 0xd800 && *code < 0xdc00 && p->end - p->text >= 6 && p->text[0] == '\\' &&
            p->text[1] == 'u') {
            p->text += 2;
            if (!read_hex(p, 4, &low) || low < 0xdc00 || low > 0xdfff) return false;
            *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return *code <= CODE_LAST && (*code < 0xd800 || *code > 0xdfff);
}

// What follows a backslash and is one character.
static enum status read_escape(struct pattern *p, bool in_class, uint32_t *code) {
    if (p->text == p->end) return refuse(p, "a \\ at the end");
    char c = *p->text++;
    switch (c) {
    case 'n':
        *code = '\n';
        return STATUS_OK;
    case 'r':
        *code = '\r';
        return STATUS_OK;
    case 't':
        *code = '\t';
        return STATUS_OK;
    case 'f':
        *code = '\f';
        return STATUS_OK;
    case 'v':
        *code = '\v';
        return STATUS_OK;
    case 'x':
        return read_hex(p, 2, code) ? STATUS_OK : refuse(p, "a malformed \\x");
    case 'u':
        return read_unicode(p, code) ? STATUS_OK : refuse(p, "a malformed \\u");
    case 'b':
        *code = '\b';
        return in_class ? STATUS_OK : refuse(p, "\\b");
    case '0':
        *code = 0;
        if (p->text < p->end && *p->text >= '0' && *p->text <= '9')
            return refuse(p, "octal escapes");
        return STATUS_OK;
    default:
        *code = (uint8_t)c;
        if (c != 0 && strchr("^$\\.*+?()[]{}|/-&~!%#\"'`<>=:;@, ", c)) return STATUS_OK;
        return error_set(p->err, STATUS_UNSUPPORTED, "\\%c", c);
    }
}

static enum status read_plain(struct pattern *p, uint32_t *code) {
    p->text += utf8_decode(p->text, (size_t)(p->end - p->text), code);
    return *code == UTF8_INVALID ? refuse(p, "malformed UTF-8") : STATUS_OK;
}

// One end of a range; *is_set if it was \d or the like, which went to `set`.
static enum status read_class_item(struct pattern *p, struct code_ranges *set, uint32_t *code,
                                   bool *is_set) {
    *is_set = false;
    if (*p->text != '\\') return read_plain(p, code);
    p->text++;
    *is_set = p->text < p->end && add_shorthand(set, *p->text);
    if (*is_set) p->text++;
    return *is_set ? STATUS_OK : read_escape(p, true, code);
}

static enum status read_class(struct pattern *p, struct code_ranges *set) {
    bool negated = p->text < p->end && *p->text == '^', is_set;
    p->text += negated;
    while (p->text < p->end && *p->text != ']') {
        uint32_t first = 0, last = 0;
        TRY(read_class_item(p, set, &first, &is_set));
        if (is_set) continue;
        last = first;
        if (p->end - p->text >= 2 && p->text[0] == '-' && p->text[1] != ']') {
            p->text++;
            TRY(read_class_item(p, set, &last, &is_set));
            if (is_set || last < first) return refuse(p, "a malformed range in a class");
        }
        code_ranges_add(set, first, last);
    }
    if (p->text == p->end) return refuse(p, "a [ without its ]");
    p->text++;
    code_ranges_normalise(set);
    if (negated) code_ranges_negate(set);
    return STATUS_OK;
}

static void add_dot(struct code_ranges *set) {
    code_ranges_add(set, '\n', '\n');
    code_ranges_add(set, '\r', '\r');
    code_ranges_add(set, 0x2028, 0x2029);
    code_ranges_negate(set);
}

// ---- Grammar of patterns -----------------------------------------------------------------------

static enum status read_choice(struct pattern *p, uint32_t *node);

static enum status read_group(struct pattern *p, uint32_t *node) {
    if (p->end - p->text >= 2 && p->text[0] == '?') {
        const char *close = memchr(p->text, '>', (size_t)(p->end - p->text));
        bool named = p->text[1] == '<' && p->text[2] != '=' && p->text[2] != '!' && close;
        if (p->text[1] != ':' && !named) return refuse(p, "look-around or flags in a group");
        p->text = named ? close + 1 : p->text + 2;
    }
    if (++p->depth > PATTERN_DEPTH_MAX) return refuse(p, "groups too deep in each other");
    TRY(read_choice(p, node));
    p->depth--;
    if (p->text == p->end) return refuse(p, "a ( without its )");
    p->text++;
    return STATUS_OK;
}

static enum status read_atom(struct pattern *p, uint32_t *node) {
    struct code_ranges set = {0};
    uint32_t code = 0;
    char c = *p->text++;
    enum status status = STATUS_OK;
    switch (c) {
    case '(':
        return read_group(p, node);
    case '[':
        status = read_class(p, &set);
        break;
    case '.':
        add_dot(&set);
        break;
    case '^':
    case '$':
        return refuse(p, "^ or $ inside");
    case '*':
    case '+':
    case '?':
    case '{':
    case '}':
    case ']':
        return refuse(p, "a repetition of nothing, or a bracket without its pair");
    case '\\':
        if (p->text < p->end && add_shorthand(&set, *p->text)) {
            p->text++;
        } else {
            status = read_escape(p, false, &code);
            code_ranges_add(&set, code, code);
        }
        break;
    default:
        p->text--;
        status = read_plain(p, &code);
        code_ranges_add(&set, code, code);
    }
    if (status == STATUS_OK) return add_class(p, &set, node);
    code_ranges_deinit(&set);
    return status;
}

static bool read_number(struct pattern *p, uint32_t *number) {
    const char *first = p->text;
    for (*number = 0; p->text < p->end && *p->text >= '0' && *p->text <= '9'; p->text++)
        if (*number <= PATTERN_REPEAT_MAX) *number = *number * 10 + (uint32_t)(*p->text - '0');
    return p->text > first && *number <= PATTERN_REPEAT_MAX;
}

static enum status read_quantifier(struct pattern *p, uint32_t *node) {
    uint32_t min = 0, max = GRAMMAR_NO_LIMIT;
    if (p->text == p->end || !strchr("*+?{", *p->text)) return STATUS_OK;
    char c = *p->text++;
    if (c == '+') min = 1;
    if (c == '?') max = 1;
    if (c == '{') {
        bool good = read_number(p, &min);
        max = min;
        if (good && p->text < p->end && *p->text == ',') {
            p->text++;
            max = GRAMMAR_NO_LIMIT;
            if (p->text < p->end && *p->text != '}') good = read_number(p, &max);
        }
        if (!good || p->text == p->end || *p->text != '}' || max < min)
            return refuse(p, "a malformed or very large repetition");
        p->text++;
    }
    if (p->text < p->end && *p->text == '?') p->text++; // the same texts match
    return add_repeat(p, *node, min, max, node);
}

static enum status read_sequence(struct pattern *p, uint32_t *node) {
    TRY(add_node(p, (struct pattern_node){.kind = P_EMPTY}, node));
    while (p->text < p->end && *p->text != '|' && *p->text != ')') {
        if (p->depth == 0 && *p->text == '$') return STATUS_OK; // the caller's
        uint32_t atom = 0;
        TRY(read_atom(p, &atom));
        TRY(read_quantifier(p, &atom));
        if (p->nodes[*node].kind == P_EMPTY)
            *node = atom;
        else
            TRY(add_pair(p, P_JOIN, *node, atom, node));
    }
    return STATUS_OK;
}

static enum status read_choice(struct pattern *p, uint32_t *node) {
    TRY(read_sequence(p, node));
    while (p->text < p->end && *p->text == '|') {
        uint32_t other = 0;
        p->text++;
        TRY(read_sequence(p, &other));
        TRY(add_pair(p, P_CHOICE, *node, other, node));
    }
    return STATUS_OK;
}

static enum status add_anything(struct pattern *p, uint32_t *node) {
    struct code_ranges all = {0};
    code_ranges_add(&all, 0, CODE_LAST);
    TRY(add_class(p, &all, node));
    return add_repeat(p, *node, 0, GRAMMAR_NO_LIMIT, node);
}

// One alternative of the whole, with what its missing anchors allow.
static enum status read_anchored(struct pattern *p, uint32_t *node) {
    uint32_t before, after;
    bool from_start = p->text < p->end && *p->text == '^';
    p->text += from_start;
    TRY(read_sequence(p, node));
    bool to_end = p->text < p->end && *p->text == '$';
    p->text += to_end;
    if (p->text < p->end && *p->text != '|') return refuse(p, "a $ inside or a ) without its (");
    if (!from_start) {
        TRY(add_anything(p, &before));
        TRY(add_pair(p, P_JOIN, before, *node, node));
    }
    if (to_end) return STATUS_OK;
    TRY(add_anything(p, &after));
    return add_pair(p, P_JOIN, *node, after, node);
}

static enum status read_pattern(struct pattern *p, uint32_t *node) {
    TRY(read_anchored(p, node));
    while (p->text < p->end) {
        uint32_t other = 0;
        p->text++; // |
        TRY(read_anchored(p, &other));
        TRY(add_pair(p, P_CHOICE, *node, other, node));
    }
    return STATUS_OK;
}

// ---- Lengths -----------------------------------------------------------------------------------

// Makes texts keep the lengths, exactly, if at most one repetition of single characters decides
// about the length. false: it cannot.
static bool keep_lengths(struct pattern *p, uint32_t node, uint32_t min, uint32_t max) {
    for (;;) {
        struct pattern_node *n = &p->nodes[node];
        if (n->shortest >= min && n->longest <= max) return true;
        if (n->shortest > max || n->longest < min) return false;
        if (n->kind == P_REPEAT) {
            const struct pattern_node *body = &p->nodes[n->left];
            if (body->shortest != 1 || body->longest != 1) return false;
            if (n->min < min) n->min = min;
            if (n->max > max) n->max = max;
            return true;
        }
        if (n->kind != P_JOIN) return false;
        const struct pattern_node *left = &p->nodes[n->left], *right = &p->nodes[n->right];
        const struct pattern_node *fixed = left->shortest == left->longest ? left : right;
        if (fixed->shortest != fixed->longest) return false;
        node = fixed == left ? n->right : n->left;
        min = min > fixed->shortest ? min - fixed->shortest : 0;
        if (max != GRAMMAR_NO_LIMIT) max -= fixed->shortest;
    }
}

// ---- Fragments ---------------------------------------------------------------------------------

// Characters that JSON wants escaped, each with its escape.
static uint32_t escape_of(uint32_t code, char text[8]) {
    static const char short_names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char digits[] = "0123456789abcdef";
    memcpy(text, "\\u00", 4);
    for (size_t i = 0; i + 1 < sizeof short_names; i += 2) {
        if ((uint32_t)short_names[i] != code) continue;
        text[1] = short_names[i + 1];
        return 2;
    }
    text[4] = digits[code >> 4 & 15];
    text[5] = digits[code & 15];
    return 6;
}

struct fragment pattern_build_class(struct grammar_builder *b, const struct code_ranges *set) {
    struct fragment choices[36];
    struct code_ranges plain = {0};
    uint32_t n = 0;
    for (uint32_t code = 0; code <= '\\'; code++) {
        char text[8];
        if (code >= 0x20 && code != '"' && code != '\\') continue;
        if (code_ranges_has(set, code)) {
            uint32_t size_bytes = escape_of(code, text);
            choices[n++] = build_text(b, text, size_bytes);
        }
    }
    code_ranges_add_all(&plain, set);
    code_ranges_normalise(&plain);
    code_ranges_remove(&plain, 0, 0x1f);
    code_ranges_remove(&plain, '"', '"');
    code_ranges_remove(&plain, '\\', '\\');
    if (plain.n > 0 || plain.failed) choices[n++] = build_code(b, &plain);
    code_ranges_deinit(&plain);
    return build_choice(b, choices, n);
}

// Left-deep joins and choices, which sequences are, are followed by a loop.
static struct fragment build(struct pattern *p, uint32_t node) {
    struct grammar_builder *b = p->builder;
    const struct pattern_node *n = &p->nodes[node];
    struct fragment result, other;
    switch (n->kind) {
    case P_CLASS:
        return pattern_build_class(b, &n->set);
    case P_REPEAT:
        return build_repeat(b, build(p, n->left), n->min, n->max);
    case P_EMPTY:
        return build_empty(b);
    case P_JOIN:
    case P_CHOICE:
        break;
    }
    enum node_kind kind = n->kind;
    result = build(p, n->right);
    for (node = n->left; p->nodes[node].kind == kind; node = p->nodes[node].left) {
        struct fragment pair[2] = {build(p, p->nodes[node].right), result};
        result = kind == P_JOIN ? build_join(b, pair[0], pair[1]) : build_choice(b, pair, 2);
    }
    other = build(p, node);
    struct fragment pair[2] = {other, result};
    return kind == P_JOIN ? build_join(b, other, result) : build_choice(b, pair, 2);
}

static enum status compile(struct pattern *p, uint32_t length_min, uint32_t length_max,
                           struct fragment *fragment) {
    uint32_t root = 0;
    TRY(read_pattern(p, &root));
    if (!keep_lengths(p, root, length_min, length_max))
        return refuse(p, "together with minLength or maxLength, which it does not imply");
    *fragment = build(p, root);
    return p->builder->status;
}

enum status pattern_build(struct grammar_builder *builder, const char *text, uint32_t length_min,
                          uint32_t length_max, struct fragment *fragment, struct error *err) {
    struct pattern p = {.text = text, .end = text + strlen(text), .builder = builder, .err = err};
    enum status status = compile(&p, length_min, length_max, fragment);
    for (uint32_t i = 0; i < p.n_nodes; i++)
        code_ranges_deinit(&p.nodes[i].set);
    free(p.nodes);
    return status;
}
