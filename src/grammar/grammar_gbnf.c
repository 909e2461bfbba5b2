// SPDX-License-Identifier: Apache-2.0
// One pass over the text with a stack of open groups; every item becomes a fragment at once.
#include "grammar/grammar_gbnf.h"

#include "base/hash64.h"
#include "base/utf8.h"
#include "grammar/grammar_builder.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SLOTS = GRAMMAR_RULES_MAX * 2, ALTERNATIVES_MAX = 1 << 16 };

struct rule_name {
    const char *text; // NULL: free
    uint32_t size_bytes, rule;
    uint32_t line; // of its definition; 0: only used so far
    uint32_t first_use;
};

// A rule's alternatives, or those of a group.
struct open_group {
    uint32_t n_before; // alternatives of outer groups
    struct fragment sequence, item;
    bool has_item; // `item` is the last one and not yet joined, for the repetition that may follow
    uint32_t line;
};

struct gbnf {
    const char *text, *end;
    uint32_t line;
    struct grammar_builder builder;
    struct rule_name *names;       // [NAME_SLOTS]
    struct fragment *alternatives; // finished ones of all open groups
    uint32_t n_alternatives;
    struct open_group groups[GBNF_DEPTH_MAX];
    uint32_t n_groups;
    struct error *err;
};

static enum status wrong(const struct gbnf *g, const char *what) {
    return error_set(g->err, STATUS_BAD_INPUT, "grammar, line %u: %s", g->line, what);
}

// ---- Names -------------------------------------------------------------------------------------

static bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static size_t name_length(const char *text, const char *end) {
    size_t n = 0;
    while (text + n < end && is_name_byte(text[n]))
        n++;
    return n;
}

static enum status find_name(struct gbnf *g, const char *text, size_t size_bytes,
                             struct rule_name **name) {
    uint64_t slot = hash64(text, size_bytes, 0) & (NAME_SLOTS - 1);
    while (g->names[slot].text && (g->names[slot].size_bytes != size_bytes ||
                                   memcmp(g->names[slot].text, text, size_bytes) != 0))
        slot = (slot + 1) & (NAME_SLOTS - 1);
    *name = &g->names[slot];
    if (!(*name)->text) {
        uint32_t rule = build_rule(&g->builder);
        if (g->builder.status != STATUS_OK) return g->builder.status;
        **name = (struct rule_name){text, (uint32_t)size_bytes, rule, 0, g->line};
    }
    return STATUS_OK;
}

// ---- Space -------------------------------------------------------------------------------------

// White space and comments. Without `lines` it stops at the end of the line.
static void skip_space(struct gbnf *g, bool lines) {
    while (g->text < g->end) {
        char c = *g->text;
        if (c == '#') {
            while (g->text < g->end && *g->text != '\n')
                g->text++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            g->text++;
        } else if (c == '\n' && lines) {
            g->line++;
            g->text++;
        } else {
            return;
        }
    }
}

// Behind the end of a line: does the rule go on? Not if a new rule begins or nothing follows.
static bool rule_goes_on(struct gbnf *g) {
    struct gbnf ahead = {.text = g->text, .end = g->end, .line = g->line};
    skip_space(&ahead, true);
    if (ahead.text == ahead.end) return false;
    const char *here = ahead.text;
    uint32_t line = ahead.line;
    ahead.text += name_length(here, ahead.end);
    if (ahead.text > here) {
        skip_space(&ahead, true);
        if (ahead.end - ahead.text >= 3 && memcmp(ahead.text, "::=", 3) == 0) return false;
    }
    g->text = here;
    g->line = line;
    return true;
}

// ---- Items -------------------------------------------------------------------------------------

static enum status read_hex(struct gbnf *g, unsigned n_digits, uint32_t *code) {
    *code = 0;
    for (unsigned i = 0; i < n_digits; i++, g->text++) {
        char c = g->text < g->end ? *g->text : 0;
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *code = *code << 4 | (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            *code = *code << 4 | (uint32_t)(c - 'A' + 10);
        else
            return wrong(g, "an escape wants more hexadecimal digits");
    }
    if (*code > CODE_LAST || (*code >= 0xd800 && *code <= 0xdfff))
        return wrong(g, "an escape that is no character");
    return STATUS_OK;
}

// One character of a text or a class, escapes resolved.
static enum status read_code(struct gbnf *g, uint32_t *code) {
    if (g->text == g->end || *g->text == '\n') return wrong(g, "a text or class without its end");
    if (*g->text != '\\') {
        g->text += utf8_decode(g->text, (size_t)(g->end - g->text), code);
        return *code == UTF8_INVALID ? wrong(g, "malformed UTF-8") : STATUS_OK;
    }
    if (++g->text == g->end) return wrong(g, "nothing after \\");
    char c = *g->text++;
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
    case 'x':
        return read_hex(g, 2, code);
    case 'u':
        return read_hex(g, 4, code);
    case 'U':
        return read_hex(g, 8, code);
    case '\\':
    case '"':
    case '[':
    case ']':
    case '^':
    case '-':
        *code = (uint32_t)c;
        return STATUS_OK;
    default:
        return wrong(g, "an unknown escape");
    }
}

static enum status read_text(struct gbnf *g, struct fragment *item) {
    *item = build_empty(&g->builder);
    g->text++;
    while (g->text < g->end && *g->text != '"') {
        uint32_t code;
        char bytes[4];
        TRY(read_code(g, &code));
        size_t n = utf8_write(code, bytes);
        *item = build_join(&g->builder, *item, build_text(&g->builder, bytes, n));
        if (g->builder.status != STATUS_OK) return g->builder.status;
    }
    if (g->text == g->end) return wrong(g, "a text without its end");
    g->text++;
    return STATUS_OK;
}

static enum status read_ranges(struct gbnf *g, struct code_ranges *set) {
    bool negated = g->text < g->end && *g->text == '^';
    g->text += negated;
    while (g->text < g->end && *g->text != ']') {
        uint32_t first, last;
        TRY(read_code(g, &first));
        last = first;
        if (g->end - g->text >= 2 && g->text[0] == '-' && g->text[1] != ']') {
            g->text++;
            TRY(read_code(g, &last));
        }
        if (last < first) return wrong(g, "a range from a later to an earlier character");
        code_ranges_add(set, first, last);
    }
    if (g->text == g->end) return wrong(g, "a class without ]");
    g->text++;
    code_ranges_normalise(set);
    if (negated) code_ranges_negate(set);
    if (set->no_memory) return error_no_memory(g->err, "a class of characters", set->n);
    if (set->failed) return wrong(g, "a class of too many ranges");
    if (set->n == 0) return wrong(g, "an empty class");
    return STATUS_OK;
}

static enum status read_class(struct gbnf *g, struct fragment *item) {
    struct code_ranges set = {0};
    g->text++;
    enum status status = read_ranges(g, &set);
    if (status == STATUS_OK) *item = build_code(&g->builder, &set);
    code_ranges_deinit(&set);
    return status;
}

static enum status read_any(struct gbnf *g, struct fragment *item) {
    struct code_range range = {0, CODE_LAST};
    struct code_ranges all = {.items = &range, .n = 1, .capacity = 1};
    g->text++;
    *item = build_code(&g->builder, &all);
    return STATUS_OK;
}

static enum status read_name(struct gbnf *g, struct fragment *item) {
    struct rule_name *name;
    size_t n = name_length(g->text, g->end);
    TRY(find_name(g, g->text, n, &name));
    g->text += n;
    *item = build_call(&g->builder, name->rule);
    return STATUS_OK;
}

static enum status read_count(struct gbnf *g, uint32_t *count) {
    const char *first = g->text;
    for (*count = 0; g->text < g->end && *g->text >= '0' && *g->text <= '9'; g->text++) {
        *count = *count * 10 + (uint32_t)(*g->text - '0');
        if (*count > GBNF_REPEAT_MAX) return wrong(g, "a repetition of more than a million times");
    }
    return g->text > first ? STATUS_OK : wrong(g, "a repetition wants {n}, {n,} or {m,n}");
}

static enum status read_repeat(struct gbnf *g, struct open_group *group) {
    uint32_t min = *g->text == '+', max = *g->text == '?' ? 1 : GRAMMAR_NO_LIMIT;
    char c = *g->text++;
    if (!group->has_item) return wrong(g, "a repetition of nothing");
    if (c == '{') {
        skip_space(g, false);
        TRY(read_count(g, &min));
        skip_space(g, false);
        max = min;
        if (g->text < g->end && *g->text == ',') {
            g->text++;
            skip_space(g, false);
            max = GRAMMAR_NO_LIMIT;
            if (g->text < g->end && *g->text != '}') TRY(read_count(g, &max));
            skip_space(g, false);
        }
        if (g->text == g->end || *g->text != '}') return wrong(g, "a repetition without }");
        g->text++;
        if (max < min) return wrong(g, "a repetition of more than its maximum");
    }
    group->item = build_repeat(&g->builder, group->item, min, max);
    return STATUS_OK;
}

// ---- Groups and rules --------------------------------------------------------------------------

static enum status open_group(struct gbnf *g) {
    if (g->n_groups == GBNF_DEPTH_MAX) return wrong(g, "groups too deep in each other");
    g->groups[g->n_groups++] = (struct open_group){
        .n_before = g->n_alternatives, .sequence = build_empty(&g->builder), .line = g->line};
    return STATUS_OK;
}

static void join_item(struct gbnf *g, struct open_group *group) {
    if (group->has_item) group->sequence = build_join(&g->builder, group->sequence, group->item);
    group->has_item = false;
}

static enum status end_alternative(struct gbnf *g) {
    struct open_group *group = &g->groups[g->n_groups - 1];
    join_item(g, group);
    if (g->n_alternatives == ALTERNATIVES_MAX) return wrong(g, "too many alternatives");
    g->alternatives[g->n_alternatives++] = group->sequence;
    group->sequence = build_empty(&g->builder);
    return STATUS_OK;
}

// Ends the innermost group: its alternatives become one fragment.
static enum status close_group(struct gbnf *g, struct fragment *whole) {
    TRY(end_alternative(g));
    struct open_group *group = &g->groups[--g->n_groups];
    *whole = build_choice(&g->builder, g->alternatives + group->n_before,
                          g->n_alternatives - group->n_before);
    g->n_alternatives = group->n_before;
    return STATUS_OK;
}

static enum status read_item(struct gbnf *g, struct fragment *item) {
    switch (*g->text) {
    case '"':
        return read_text(g, item);
    case '[':
        return read_class(g, item);
    case '.':
        return read_any(g, item);
    case ')':
        if (g->n_groups == 1) return wrong(g, "a ) without its (");
        g->text++;
        return close_group(g, item);
    default:
        if (is_name_byte(*g->text)) return read_name(g, item);
        return wrong(g, "an unexpected character");
    }
}

// What comes next in a rule; *ends at its end.
static enum status read_part(struct gbnf *g, bool *ends) {
    struct fragment item;
    skip_space(g, g->n_groups > 1);
    *ends = g->text == g->end || (*g->text == '\n' && !rule_goes_on(g));
    if (*ends) return STATUS_OK;
    char c = *g->text;
    if (c == '|') {
        g->text++;
        TRY(end_alternative(g));
        skip_space(g, true);
    } else if (c == '(') {
        g->text++;
        TRY(open_group(g));
    } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        TRY(read_repeat(g, &g->groups[g->n_groups - 1]));
    } else {
        TRY(read_item(g, &item));
        struct open_group *group = &g->groups[g->n_groups - 1];
        join_item(g, group);
        group->item = item;
        group->has_item = true;
    }
    return g->builder.status;
}

static enum status read_rule(struct gbnf *g) {
    struct rule_name *name;
    struct fragment body;
    size_t n = name_length(g->text, g->end);
    bool ends = false;
    if (n == 0) return wrong(g, "a rule begins with its name");
    TRY(find_name(g, g->text, n, &name));
    if (name->line) return wrong(g, "this rule is defined twice");
    name->line = g->line;
    g->text += n;
    skip_space(g, true);
    if (g->end - g->text < 3 || memcmp(g->text, "::=", 3) != 0)
        return wrong(g, "::= expected after the name of a rule");
    g->text += 3;
    skip_space(g, true);
    TRY(open_group(g));
    while (!ends)
        TRY(read_part(g, &ends));
    if (g->n_groups > 1) {
        g->line = g->groups[g->n_groups - 1].line;
        return wrong(g, "a ( without its )");
    }
    TRY(close_group(g, &body));
    build_define(&g->builder, name->rule, body);
    return g->builder.status;
}

static enum status find_root(struct gbnf *g, uint32_t *root) {
    struct rule_name *name;
    for (uint32_t i = 0; i < NAME_SLOTS; i++) {
        if (!g->names[i].text || g->names[i].line) continue;
        g->line = g->names[i].first_use;
        return error_set(g->err, STATUS_BAD_INPUT, "grammar, line %u: no rule \"%.*s\"", g->line,
                         (int)(g->names[i].size_bytes < 80 ? g->names[i].size_bytes : 80),
                         g->names[i].text);
    }
    TRY(find_name(g, "root", 4, &name));
    *root = name->rule;
    if (name->line) return STATUS_OK;
    return error_set(g->err, STATUS_BAD_INPUT, "grammar: it has no rule \"root\"");
}

static enum status finish(struct gbnf *g, struct grammar_program **program) {
    uint32_t root = 0, rule = 0;
    TRY(find_root(g, &root));
    enum status status = grammar_builder_finish(&g->builder, root, program, &rule);
    if (status != STATUS_BAD_INPUT) return status;
    for (uint32_t i = 0; i < NAME_SLOTS; i++)
        if (g->names[i].text && g->names[i].rule == rule)
            return error_prefix(g->err, "grammar, line %u: rule \"%.*s\"", g->names[i].line,
                                (int)(g->names[i].size_bytes < 80 ? g->names[i].size_bytes : 80),
                                g->names[i].text);
    return status;
}

static enum status compile(struct gbnf *g, struct grammar_program **program) {
    if (!g->names || !g->alternatives) return error_no_memory(g->err, "a grammar", NAME_SLOTS);
    TRY(grammar_builder_init(&g->builder, g->err));
    for (skip_space(g, true); g->text < g->end; skip_space(g, true)) {
        enum status status = read_rule(g);
        if (status == STATUS_UNSUPPORTED) return error_prefix(g->err, "grammar, line %u", g->line);
        TRY(status);
    }
    return finish(g, program);
}

enum status grammar_from_gbnf(struct grammar_program **program, const char *text, size_t text_bytes,
                              struct error *err) {
    *program = NULL;
    if (text_bytes > GBNF_BYTES_MAX)
        return error_set(err, STATUS_UNSUPPORTED, "grammar: %zu bytes of text; at most %d",
                         text_bytes, GBNF_BYTES_MAX);
    struct gbnf *g = calloc(1, sizeof *g);
    if (!g) return error_no_memory(err, "a grammar", sizeof *g);
    g->text = text;
    g->end = text + text_bytes;
    g->line = 1;
    g->err = err;
    g->names = calloc(NAME_SLOTS, sizeof *g->names);
    g->alternatives = malloc(ALTERNATIVES_MAX * sizeof *g->alternatives);
    enum status status = compile(g, program);
    grammar_builder_deinit(&g->builder);
    free(g->names);
    free(g->alternatives);
    free(g);
    return status;
}
