// SPDX-License-Identifier: Apache-2.0
// Statements, and what both parser files share: the token cursor, nodes, names, limits.
#include "template/jinja_parser.h"

#include "template/jinja_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct token *parser_peek(const struct parser *parser) {
    return &parser->tokens[parser->at];
}

const struct token *parser_peek_next(const struct parser *parser) {
    const struct token *token = parser_peek(parser);
    return token->kind == TOKEN_EOF ? token : token + 1;
}

bool parser_is_name(const struct parser *parser, const char *name) {
    const struct token *token = parser_peek(parser);
    return token->kind == TOKEN_NAME && text_equals(&token->text, name);
}

bool parser_skip(struct parser *parser, enum token_kind kind) {
    if (parser_peek(parser)->kind != kind) return false;
    parser->at++;
    return true;
}

bool parser_skip_name(struct parser *parser, const char *name) {
    if (!parser_is_name(parser, name)) return false;
    parser->at++;
    return true;
}

static enum status fail_at(struct parser *parser, enum status status, const char *message) {
    const struct token *token = parser_peek(parser);
    return error_set(parser->err, status, "template line %d column %d: %s", token->line,
                     token->column, message);
}

enum status parser_fail(struct parser *parser, const char *format, ...) {
    char message[200];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fail_at(parser, STATUS_BAD_INPUT, message);
}

enum status parser_expect(struct parser *parser, enum token_kind kind, const struct token **token) {
    const struct token *found = parser_peek(parser);
    if (found->kind != kind)
        return parser_fail(parser, "expected %s, not %s", token_kind_name(kind),
                           token_kind_name(found->kind));
    if (token) *token = found;
    parser->at++;
    return STATUS_OK;
}

enum status parser_enter(struct parser *parser) {
    if (++parser->depth > PARSE_DEPTH_MAX)
        return parser_fail(parser, "nested deeper than %d levels", PARSE_DEPTH_MAX);
    return STATUS_OK;
}

void parser_leave(struct parser *parser) {
    parser->depth--;
}

static enum status out_of_memory(struct parser *parser) {
    return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
}

enum status parser_node(struct parser *parser, enum node_kind kind, struct node **node) {
    *node = arena_alloc(parser->arena, sizeof **node);
    if (!*node) return out_of_memory(parser);
    (*node)->kind = kind;
    (*node)->line = parser_peek(parser)->line;
    (*node)->height = 1;
    return STATUS_OK;
}

enum status parser_intern(struct parser *parser, const struct text *name, struct text **interned) {
    struct value key = value_text((struct text *)name);
    const struct value *found = dict_get(parser->arena, parser->names, &key);
    if (found) {
        *interned = found->as.text;
        return STATUS_OK;
    }
    *interned = text_wrap(parser->arena, name->data, name->size_bytes);
    if (!*interned) return out_of_memory(parser);
    text_chars(*interned); // counted now: renderings share it and must not write
    key = value_text(*interned);
    return dict_set(parser->arena, parser->names, key, key) ? STATUS_OK : out_of_memory(parser);
}

enum status parser_append(struct parser *parser, struct node_list *list, struct node *node) {
    if (list->n_items == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        struct node **items = arena_grow(parser->arena, list->items, list->n_items * sizeof *items,
                                         capacity * sizeof *items);
        if (!items) return out_of_memory(parser);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n_items++] = node;
    return STATUS_OK;
}

static void raise_height(struct node *node, const struct node *part) {
    if (part && part->height >= node->height) node->height = part->height + 1;
}

enum status parser_finish(struct parser *parser, struct node *node) {
    const struct node *const parts[] = {node->left, node->right, node->third, node->body,
                                        node->otherwise};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        raise_height(node, parts[i]);
    for (size_t i = 0; i < node->n_children; i++)
        raise_height(node, node->children[i]);
    const struct argument_nodes *arguments = node->arguments;
    for (size_t i = 0; arguments && i < arguments->n_positional; i++)
        raise_height(node, arguments->positional[i]);
    for (size_t i = 0; arguments && i < arguments->n_keyword; i++)
        raise_height(node, arguments->keyword[i]);
    raise_height(node, arguments ? arguments->more_positional : NULL);
    raise_height(node, arguments ? arguments->more_keyword : NULL);
    for (size_t i = 0; node->signature && i < node->signature->n_defaults; i++)
        raise_height(node, node->signature->defaults[i]);
    if (node->height > NODE_HEIGHT_MAX)
        return parser_fail(parser, "an expression has more than %d levels", NODE_HEIGHT_MAX);
    return STATUS_OK;
}

// ---- Statements
// ----------------------------------------------------------------------------------

static enum status parse_block(struct parser *parser, const char *const *ends, struct node **node);

static bool is_end(const struct parser *parser, const char *const *ends) {
    for (; ends && *ends; ends++)
        if (parser_is_name(parser, *ends)) return true;
    return false;
}

// The body of a statement, until "{% END"; the end's name stays the current token.
static enum status parse_body(struct parser *parser, const char *const *ends, struct node **node) {
    parser_skip(parser, TOKEN_COLON);
    TRY(parser_expect(parser, TOKEN_BLOCK_END, NULL));
    TRY(parser_enter(parser));
    TRY(parse_block(parser, ends, node));
    parser_leave(parser);
    if (parser_peek(parser)->kind == TOKEN_EOF)
        return parser_fail(parser, "the template ends before '%s'", ends[0]);
    return STATUS_OK;
}

static enum status parse_body_to(struct parser *parser, const char *end, struct node **node) {
    const char *const ends[] = {end, NULL};
    TRY(parse_body(parser, ends, node));
    parser->at++;
    return STATUS_OK;
}

static enum status check_target(struct parser *parser, const struct node *target) {
    if (target->kind == NODE_NAME || target->kind == NODE_NS_REF) return STATUS_OK;
    if (target->kind != NODE_TUPLE) return parser_fail(parser, "cannot assign to an expression");
    for (size_t i = 0; i < target->n_children; i++)
        TRY(check_target(parser, target->children[i]));
    return STATUS_OK;
}

enum status parse_target(struct parser *parser, unsigned rules, struct node **node) {
    TRY(parse_tuple(parser, rules | TUPLE_TARGET, node));
    return check_target(parser, *node);
}

enum status parse_target_name(struct parser *parser, struct text **name) {
    static const char *const constants[] = {"true", "false", "none", "True", "False", "None"};
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (parser_is_name(parser, constants[i]))
            return parser_fail(parser, "cannot assign to '%s'", constants[i]);
    const struct token *token = NULL;
    TRY(parser_expect(parser, TOKEN_NAME, &token));
    return parser_intern(parser, &token->text, name);
}

static enum status parse_set(struct parser *parser, struct node **node) {
    TRY(parser_node(parser, NODE_SET, node));
    TRY(parse_target(parser, TUPLE_NAMESPACE, &(*node)->left));
    if (parser_skip(parser, TOKEN_ASSIGN)) {
        TRY(parse_tuple(parser, 0, &(*node)->right));
        return parser_finish(parser, *node);
    }
    (*node)->kind = NODE_SET_BLOCK;
    TRY(parse_filters(parser, NULL, false, &(*node)->right));
    TRY(parse_body_to(parser, "endset", &(*node)->body));
    return parser_finish(parser, *node);
}

static enum status parse_for(struct parser *parser, struct node **node) {
    static const char *const ends[] = {"endfor", "else", NULL};
    TRY(parser_node(parser, NODE_FOR, node));
    struct node *loop = *node;
    TRY(parse_target(parser, TUPLE_UNTIL_IN, &loop->left));
    if (loop->left->kind == NODE_NAME && text_equals(loop->left->name, "loop"))
        return parser_fail(parser, "cannot assign to 'loop' in a loop");
    if (!parser_skip_name(parser, "in")) return parser_fail(parser, "expected 'in'");
    TRY(parse_tuple(parser, TUPLE_NO_CONDITION | TUPLE_UNTIL_RECURSIVE, &loop->right));
    if (parser_skip_name(parser, "if")) TRY(parse_expression(parser, true, &loop->third));
    loop->flag = parser_skip_name(parser, "recursive");
    parser->n_loops++;
    TRY(parse_body(parser, ends, &loop->body));
    parser->n_loops--;
    bool has_else = parser_is_name(parser, "else");
    parser->at++;
    if (has_else) TRY(parse_body_to(parser, "endfor", &loop->otherwise));
    return parser_finish(parser, loop);
}

static enum status parse_if(struct parser *parser, struct node **node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct node_list branches = {0};
    struct node *condition, *body;
    TRY(parser_node(parser, NODE_IF, node));
    for (;;) {
        TRY(parse_tuple(parser, TUPLE_NO_CONDITION, &condition));
        TRY(parse_body(parser, ends, &body));
        TRY(parser_append(parser, &branches, condition));
        TRY(parser_append(parser, &branches, body));
        if (!parser_skip_name(parser, "elif")) break;
    }
    bool has_else = parser_is_name(parser, "else");
    parser->at++;
    if (has_else) {
        TRY(parse_body_to(parser, "endif", &body));
        TRY(parser_append(parser, &branches, NULL));
        TRY(parser_append(parser, &branches, body));
    }
    (*node)->children = branches.items;
    (*node)->n_children = branches.n_items;
    return parser_finish(parser, *node);
}

static enum status append_name(struct parser *parser, struct signature *signature,
                               struct text *name) {
    for (size_t i = 0; i < signature->n_names; i++)
        if (signature->names[i] == name) return parser_fail(parser, "repeated parameter");
    struct text **names =
        arena_grow(parser->arena, signature->names, signature->n_names * sizeof *names,
                   (signature->n_names + 1) * sizeof *names);
    if (!names) return out_of_memory(parser);
    names[signature->n_names++] = name;
    signature->names = names;
    return STATUS_OK;
}

static enum status parse_signature(struct parser *parser, struct signature *signature) {
    struct node_list defaults = {0};
    TRY(parser_expect(parser, TOKEN_LPAREN, NULL));
    while (parser_peek(parser)->kind != TOKEN_RPAREN) {
        struct text *name;
        if (signature->n_names) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        TRY(parse_target_name(parser, &name));
        TRY(append_name(parser, signature, name));
        if (parser_skip(parser, TOKEN_ASSIGN)) {
            struct node *value;
            TRY(parse_expression(parser, true, &value));
            TRY(parser_append(parser, &defaults, value));
        } else if (defaults.n_items) {
            return parser_fail(parser, "parameter without a default after one with");
        }
    }
    parser->at++;
    signature->defaults = defaults.items;
    signature->n_defaults = defaults.n_items;
    return STATUS_OK;
}

// The body of a macro or call block: a new signature, and loops outside do not count inside.
static enum status parse_macro_body(struct parser *parser, const char *end, struct node *node) {
    struct signature *outer = parser->signature;
    int n_loops = parser->n_loops;
    parser->signature = node->signature;
    parser->n_loops = 0;
    TRY(parse_body_to(parser, end, &node->body));
    parser->signature = outer;
    parser->n_loops = n_loops;
    if (outer) {
        outer->uses_caller |= node->signature->uses_caller;
        outer->uses_varargs |= node->signature->uses_varargs;
        outer->uses_kwargs |= node->signature->uses_kwargs;
    }
    return parser_finish(parser, node);
}

static enum status make_signature(struct parser *parser, struct node *node) {
    node->signature = arena_alloc(parser->arena, sizeof *node->signature);
    return node->signature ? STATUS_OK : out_of_memory(parser);
}

static enum status parse_macro(struct parser *parser, struct node **node) {
    TRY(parser_node(parser, NODE_MACRO, node));
    TRY(make_signature(parser, *node));
    TRY(parse_target_name(parser, &(*node)->name));
    TRY(parse_signature(parser, (*node)->signature));
    return parse_macro_body(parser, "endmacro", *node);
}

static enum status parse_call_block(struct parser *parser, struct node **node) {
    TRY(parser_node(parser, NODE_CALL_BLOCK, node));
    TRY(make_signature(parser, *node));
    if (parser_peek(parser)->kind == TOKEN_LPAREN) TRY(parse_signature(parser, (*node)->signature));
    TRY(parse_expression(parser, true, &(*node)->left));
    if ((*node)->left->kind != NODE_CALL) return parser_fail(parser, "expected a call");
    return parse_macro_body(parser, "endcall", *node);
}

static enum status parse_filter_block(struct parser *parser, struct node **node) {
    TRY(parser_node(parser, NODE_FILTER_BLOCK, node));
    TRY(parse_filters(parser, NULL, true, &(*node)->right));
    TRY(parse_body_to(parser, "endfilter", &(*node)->body));
    return parser_finish(parser, *node);
}

static enum status parse_with(struct parser *parser, struct node **node) {
    struct node_list pairs = {0};
    TRY(parser_node(parser, NODE_WITH, node));
    while (parser_peek(parser)->kind != TOKEN_BLOCK_END) {
        struct node *target, *value;
        if (pairs.n_items) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        TRY(parse_target(parser, 0, &target));
        TRY(parser_expect(parser, TOKEN_ASSIGN, NULL));
        TRY(parse_expression(parser, true, &value));
        TRY(parser_append(parser, &pairs, target));
        TRY(parser_append(parser, &pairs, value));
    }
    (*node)->children = pairs.items;
    (*node)->n_children = pairs.n_items;
    TRY(parse_body_to(parser, "endwith", &(*node)->body));
    return parser_finish(parser, *node);
}

static enum status parse_generation(struct parser *parser, struct node **node) {
    int n_loops = parser->n_loops;
    TRY(parser_node(parser, NODE_SCOPE, node));
    parser->n_loops = 0;
    TRY(parse_body_to(parser, "endgeneration", &(*node)->body));
    parser->n_loops = n_loops;
    return parser_finish(parser, *node);
}

static enum status parse_print(struct parser *parser, struct node **node) {
    struct node_list items = {0};
    TRY(parser_node(parser, NODE_PRINT, node));
    while (parser_peek(parser)->kind != TOKEN_BLOCK_END) {
        struct node *item;
        if (items.n_items) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        TRY(parse_expression(parser, true, &item));
        TRY(parser_append(parser, &items, item));
    }
    (*node)->children = items.items;
    (*node)->n_children = items.n_items;
    return parser_finish(parser, *node);
}

static enum status parse_flow(struct parser *parser, enum node_kind kind, struct node **node) {
    if (parser->n_loops == 0) return parser_fail(parser, "break and continue need a loop around");
    return parser_node(parser, kind, node);
}

static enum status parse_break(struct parser *parser, struct node **node) {
    return parse_flow(parser, NODE_BREAK, node);
}

static enum status parse_continue(struct parser *parser, struct node **node) {
    return parse_flow(parser, NODE_CONTINUE, node);
}

static const struct {
    const char *name;
    enum status (*parse)(struct parser *parser, struct node **node);
} statements[] = {
    {"if", parse_if},       {"for", parse_for},           {"set", parse_set},
    {"macro", parse_macro}, {"call", parse_call_block},   {"filter", parse_filter_block},
    {"with", parse_with},   {"print", parse_print},       {"generation", parse_generation},
    {"break", parse_break}, {"continue", parse_continue},
};

static enum status parse_statement(struct parser *parser, struct node **node) {
    static const char *const unsupported[] = {"block",  "extends", "include",
                                              "import", "from",    "autoescape"};
    if (parser_peek(parser)->kind != TOKEN_NAME) return parser_fail(parser, "expected a tag name");
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (parser_skip_name(parser, statements[i].name)) return statements[i].parse(parser, node);
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        if (!parser_is_name(parser, unsupported[i])) continue;
        char message[80];
        snprintf(message, sizeof message, "the tag '%s' is not supported", unsupported[i]);
        return fail_at(parser, STATUS_UNSUPPORTED, message);
    }
    const struct text *name = &parser_peek(parser)->text;
    return parser_fail(parser, "unknown or misplaced tag '%.*s'",
                       name->size_bytes < 40 ? (int)name->size_bytes : 40, name->data);
}

static enum status parse_block(struct parser *parser, const char *const *ends, struct node **node) {
    struct node_list statement_list = {0};
    struct node *statement;
    TRY(parser_node(parser, NODE_BLOCK, node));
    for (const struct token *token; (token = parser_peek(parser))->kind != TOKEN_EOF;) {
        parser->at++;
        if (token->kind == TOKEN_DATA) {
            TRY(parser_node(parser, NODE_DATA, &statement));
            statement->name = text_wrap(parser->arena, token->text.data, token->text.size_bytes);
            if (!statement->name) return out_of_memory(parser);
        } else if (token->kind == TOKEN_VARIABLE_BEGIN) {
            struct node_list items = {0};
            TRY(parser_node(parser, NODE_PRINT, &statement));
            struct node *item;
            TRY(parse_tuple(parser, 0, &item));
            TRY(parser_append(parser, &items, item));
            statement->children = items.items;
            statement->n_children = 1;
            TRY(parser_expect(parser, TOKEN_VARIABLE_END, NULL));
            TRY(parser_finish(parser, statement));
        } else {
            if (is_end(parser, ends)) break;
            TRY(parse_statement(parser, &statement));
            TRY(parser_expect(parser, TOKEN_BLOCK_END, NULL));
        }
        TRY(parser_append(parser, &statement_list, statement));
    }
    (*node)->children = statement_list.items;
    (*node)->n_children = statement_list.n_items;
    return parser_finish(parser, *node);
}

enum status jinja_parse(struct parser *parser, struct node **root) {
    return parse_block(parser, NULL, root);
}
