// SPDX-License-Identifier: Apache-2.0
// Tokens to syntax tree: statements in jinja_parser.c, expressions in jinja_expression.c.
#ifndef XL_TEMPLATE_JINJA_PARSER_H
#define XL_TEMPLATE_JINJA_PARSER_H

#include "template/jinja_lexer.h"
#include "template/jinja_node.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PARSE_DEPTH_MAX = 200, // nesting of brackets, operators and blocks, as Python has it
    NODE_HEIGHT_MAX = 1000 // of the tree: long chains of operators are deep too
};

struct parser {
    struct arena *arena;
    const struct token *tokens;
    size_t at;
    int depth;
    int n_loops;                 // loops around, within the current macro: break is allowed
    struct dict *names;          // interned
    struct signature *signature; // of the macro around, or NULL
    struct error *err;
};

// The whole template as a NODE_BLOCK.
enum status jinja_parse(struct parser *parser, struct node **root);

// ---- Between the two parser files
// ----------------------------------------------------------------

const struct token *parser_peek(const struct parser *parser);
const struct token *parser_peek_next(const struct parser *parser);
bool parser_is_name(const struct parser *parser, const char *name);
bool parser_skip(struct parser *parser, enum token_kind kind);
bool parser_skip_name(struct parser *parser, const char *name);
enum status parser_expect(struct parser *parser, enum token_kind kind, const struct token **token);
enum status parser_fail(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum status parser_enter(struct parser *parser); // one level deeper
void parser_leave(struct parser *parser);
enum status parser_node(struct parser *parser, enum node_kind kind, struct node **node);
enum status parser_intern(struct parser *parser, const struct text *name, struct text **interned);
// Notes the height of `node` from its parts; fails where it is too high.
enum status parser_finish(struct parser *parser, struct node *node);

// A list of nodes while it grows.
struct node_list {
    struct node **items;
    size_t n_items, capacity;
};
enum status parser_append(struct parser *parser, struct node_list *list, struct node *node);

enum tuple_rules {
    TUPLE_NO_CONDITION = 1, // no "a if b else c" in it
    TUPLE_PARENTHESES = 2,  // may be empty
    TUPLE_TARGET = 4,       // primaries only
    TUPLE_NAMESPACE = 8,    // with TARGET: "ns.attribute" too
    TUPLE_UNTIL_IN = 16,    // ends at "in"
    TUPLE_UNTIL_RECURSIVE = 32
};
enum status parse_tuple(struct parser *parser, unsigned rules, struct node **node);
enum status parse_expression(struct parser *parser, bool with_condition, struct node **node);
enum status parse_filters(struct parser *parser, struct node *input, bool starts_inline,
                          struct node **node);
// What can stand left of "=" in set, or after for.
enum status parse_target(struct parser *parser, unsigned rules, struct node **node);
enum status parse_target_name(struct parser *parser, struct text **name);

// Refuses filters and tests that do not exist where Jinja refuses them before running: anywhere but
// inside if statements and conditional expressions (jinja_check.c).
enum status jinja_check_names(const struct node *root, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
