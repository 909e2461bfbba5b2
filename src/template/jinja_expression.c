// SPDX-License-Identifier: Apache-2.0
// Expressions, by recursive descent: condition, or, and, not, comparison, sum, concatenation,
// product, power, unary, primary with its subscripts, calls, filters and tests.
#include "template/jinja_parser.h"
#include "template/jinja_text.h"

#include <string.h>

static enum status parse_primary(struct parser *parser, bool with_namespace, struct node **node);
static enum status parse_postfix(struct parser *parser, struct node **node);
static enum status parse_unary(struct parser *parser, bool with_filter, struct node **node);

static enum status make_binary(struct parser *parser, enum node_kind kind, int op,
                               struct node *right, struct node **left) {
    struct node *node;
    TRY(parser_node(parser, kind, &node));
    node->line = (*left)->line;
    node->op = op;
    node->left = *left;
    node->right = right;
    *left = node;
    return parser_finish(parser, node);
}

static enum status parse_power(struct parser *parser, struct node **node) {
    TRY(parse_unary(parser, true, node));
    while (parser_skip(parser, TOKEN_POW)) {
        struct node *right;
        TRY(parse_unary(parser, true, &right));
        TRY(make_binary(parser, NODE_BINARY, TOKEN_POW, right, node));
    }
    return STATUS_OK;
}

static enum status parse_product(struct parser *parser, struct node **node) {
    TRY(parse_power(parser, node));
    for (;;) {
        enum token_kind kind = parser_peek(parser)->kind;
        if (kind != TOKEN_MUL && kind != TOKEN_DIV && kind != TOKEN_FLOORDIV && kind != TOKEN_MOD)
            return STATUS_OK;
        parser->at++;
        struct node *right;
        TRY(parse_power(parser, &right));
        TRY(make_binary(parser, NODE_BINARY, (int)kind, right, node));
    }
}

static enum status parse_concat(struct parser *parser, struct node **node) {
    TRY(parse_product(parser, node));
    if (parser_peek(parser)->kind != TOKEN_TILDE) return STATUS_OK;
    struct node_list parts = {0};
    TRY(parser_append(parser, &parts, *node));
    while (parser_skip(parser, TOKEN_TILDE)) {
        struct node *part;
        TRY(parse_product(parser, &part));
        TRY(parser_append(parser, &parts, part));
    }
    TRY(parser_node(parser, NODE_CONCAT, node));
    (*node)->children = parts.items;
    (*node)->n_children = parts.n_items;
    return parser_finish(parser, *node);
}

static enum status parse_sum(struct parser *parser, struct node **node) {
    TRY(parse_concat(parser, node));
    for (;;) {
        enum token_kind kind = parser_peek(parser)->kind;
        if (kind != TOKEN_ADD && kind != TOKEN_SUB) return STATUS_OK;
        parser->at++;
        struct node *right;
        TRY(parse_concat(parser, &right));
        TRY(make_binary(parser, NODE_BINARY, (int)kind, right, node));
    }
}

static bool take_compare_op(struct parser *parser, int *op) {
    static const int by_token[] = {
        [TOKEN_EQ] = COMPARE_EQ + 1,   [TOKEN_NE] = COMPARE_NE + 1, [TOKEN_LT] = COMPARE_LT + 1,
        [TOKEN_LTEQ] = COMPARE_LE + 1, [TOKEN_GT] = COMPARE_GT + 1, [TOKEN_GTEQ] = COMPARE_GE + 1,
    };
    enum token_kind kind = parser_peek(parser)->kind;
    if ((size_t)kind < sizeof by_token / sizeof by_token[0] && by_token[kind]) {
        *op = by_token[kind] - 1;
        parser->at++;
        return true;
    }
    if (parser_skip_name(parser, "in")) {
        *op = COMPARE_IN;
        return true;
    }
    const struct token *next = parser_peek_next(parser);
    if (parser_is_name(parser, "not") && next->kind == TOKEN_NAME &&
        text_equals(&next->text, "in")) {
        *op = COMPARE_NOT_IN;
        parser->at += 2;
        return true;
    }
    return false;
}

static enum status parse_compare(struct parser *parser, struct node **node) {
    TRY(parse_sum(parser, node));
    struct node_list operands = {0};
    int *ops = NULL, op;
    while (take_compare_op(parser, &op)) {
        struct node *operand;
        TRY(parse_sum(parser, &operand));
        ops = arena_grow(parser->arena, ops, operands.n_items * sizeof *ops,
                         (operands.n_items + 1) * sizeof *ops);
        if (!ops) return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
        ops[operands.n_items] = op;
        TRY(parser_append(parser, &operands, operand));
    }
    if (operands.n_items == 0) return STATUS_OK;
    struct node *compare;
    TRY(parser_node(parser, NODE_COMPARE, &compare));
    compare->left = *node;
    compare->children = operands.items;
    compare->n_children = operands.n_items;
    compare->ops = ops;
    *node = compare;
    return parser_finish(parser, compare);
}

static enum status parse_not(struct parser *parser, struct node **node) {
    if (!parser_is_name(parser, "not")) return parse_compare(parser, node);
    struct node *operand;
    TRY(parser_enter(parser));
    parser->at++;
    TRY(parser_node(parser, NODE_NOT, node));
    TRY(parse_not(parser, &operand));
    (*node)->left = operand;
    parser_leave(parser);
    return parser_finish(parser, *node);
}

static enum status parse_and(struct parser *parser, struct node **node) {
    TRY(parse_not(parser, node));
    while (parser_skip_name(parser, "and")) {
        struct node *right;
        TRY(parse_not(parser, &right));
        TRY(make_binary(parser, NODE_AND, 0, right, node));
    }
    return STATUS_OK;
}

static enum status parse_or(struct parser *parser, struct node **node) {
    TRY(parse_and(parser, node));
    while (parser_skip_name(parser, "or")) {
        struct node *right;
        TRY(parse_and(parser, &right));
        TRY(make_binary(parser, NODE_OR, 0, right, node));
    }
    return STATUS_OK;
}

enum status parse_expression(struct parser *parser, bool with_condition, struct node **node) {
    TRY(parser_enter(parser));
    TRY(parse_or(parser, node));
    while (with_condition && parser_skip_name(parser, "if")) {
        struct node *choice;
        TRY(parser_node(parser, NODE_IF_ELSE, &choice));
        choice->left = *node;
        TRY(parse_or(parser, &choice->third));
        if (parser_skip_name(parser, "else")) TRY(parse_expression(parser, true, &choice->right));
        TRY(parser_finish(parser, choice));
        *node = choice;
    }
    parser_leave(parser);
    return STATUS_OK;
}

static bool tuple_ends(const struct parser *parser, unsigned rules) {
    enum token_kind kind = parser_peek(parser)->kind;
    if (kind == TOKEN_VARIABLE_END || kind == TOKEN_BLOCK_END || kind == TOKEN_RPAREN) return true;
    return ((rules & TUPLE_UNTIL_IN) && parser_is_name(parser, "in")) ||
           ((rules & TUPLE_UNTIL_RECURSIVE) && parser_is_name(parser, "recursive"));
}

enum status parse_tuple(struct parser *parser, unsigned rules, struct node **node) {
    struct node_list items = {0};
    bool is_tuple = false;
    TRY(parser_enter(parser));
    while (!tuple_ends(parser, rules)) {
        struct node *item;
        if (rules & TUPLE_TARGET)
            TRY(parse_primary(parser, rules & TUPLE_NAMESPACE, &item));
        else
            TRY(parse_expression(parser, !(rules & TUPLE_NO_CONDITION), &item));
        TRY(parser_append(parser, &items, item));
        if (!parser_skip(parser, TOKEN_COMMA)) break;
        is_tuple = true;
    }
    parser_leave(parser);
    if (!is_tuple && items.n_items) {
        *node = items.items[0];
        return STATUS_OK;
    }
    if (!is_tuple && !(rules & TUPLE_PARENTHESES))
        return parser_fail(parser, "expected an expression, not %s",
                           token_kind_name(parser_peek(parser)->kind));
    TRY(parser_node(parser, NODE_TUPLE, node));
    (*node)->children = items.items;
    (*node)->n_children = items.n_items;
    return parser_finish(parser, *node);
}

static enum status parse_list(struct parser *parser, struct node **node) {
    struct node_list items = {0};
    while (parser_peek(parser)->kind != TOKEN_RBRACKET) {
        struct node *item;
        if (items.n_items) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        if (parser_peek(parser)->kind == TOKEN_RBRACKET) break;
        TRY(parse_expression(parser, true, &item));
        TRY(parser_append(parser, &items, item));
    }
    parser->at++;
    TRY(parser_node(parser, NODE_LIST, node));
    (*node)->children = items.items;
    (*node)->n_children = items.n_items;
    return parser_finish(parser, *node);
}

static enum status parse_dict(struct parser *parser, struct node **node) {
    struct node_list items = {0};
    while (parser_peek(parser)->kind != TOKEN_RBRACE) {
        struct node *key, *value;
        if (items.n_items) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        if (parser_peek(parser)->kind == TOKEN_RBRACE) break;
        TRY(parse_expression(parser, true, &key));
        TRY(parser_expect(parser, TOKEN_COLON, NULL));
        TRY(parse_expression(parser, true, &value));
        TRY(parser_append(parser, &items, key));
        TRY(parser_append(parser, &items, value));
    }
    parser->at++;
    TRY(parser_node(parser, NODE_DICT, node));
    (*node)->children = items.items;
    (*node)->n_children = items.n_items;
    return parser_finish(parser, *node);
}

static enum status make_const(struct parser *parser, struct value value, struct node **node) {
    TRY(parser_node(parser, NODE_CONST, node));
    (*node)->value = value;
    return parser_finish(parser, *node);
}

static enum status parse_name(struct parser *parser, const struct token *token, bool with_namespace,
                              struct node **node) {
    const struct text *name = &token->text;
    if (text_equals(name, "true") || text_equals(name, "True"))
        return make_const(parser, value_bool(true), node);
    if (text_equals(name, "false") || text_equals(name, "False"))
        return make_const(parser, value_bool(false), node);
    if (text_equals(name, "none") || text_equals(name, "None"))
        return make_const(parser, value_none(), node);
    bool is_attribute = with_namespace && parser_skip(parser, TOKEN_DOT);
    TRY(parser_node(parser, is_attribute ? NODE_NS_REF : NODE_NAME, node));
    TRY(parser_intern(parser, name, &(*node)->name));
    if (is_attribute) {
        const struct token *attribute;
        TRY(parser_expect(parser, TOKEN_NAME, &attribute));
        TRY(parser_intern(parser, &attribute->text, &(*node)->attribute));
    }
    struct signature *signature = parser->signature;
    if (signature) {
        signature->uses_caller |= text_equals(name, "caller");
        signature->uses_varargs |= text_equals(name, "varargs");
        signature->uses_kwargs |= text_equals(name, "kwargs");
    }
    return parser_finish(parser, *node);
}

// Strings side by side are one.
static enum status parse_strings(struct parser *parser, const struct token *token,
                                 struct node **node) {
    struct text *text = text_wrap(parser->arena, token->text.data, token->text.size_bytes);
    while (text && parser_peek(parser)->kind == TOKEN_STRING)
        text = text_concat(parser->arena, text, &parser->tokens[parser->at++].text);
    if (!text) return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
    text_chars(text);
    text->storage = NULL; // constants are shared by renderings and must not grow
    return make_const(parser, value_text(text), node);
}

static enum status parse_primary(struct parser *parser, bool with_namespace, struct node **node) {
    const struct token *token = parser_peek(parser);
    parser->at++;
    switch (token->kind) {
    case TOKEN_NAME:
        return parse_name(parser, token, with_namespace, node);
    case TOKEN_STRING:
        return parse_strings(parser, token, node);
    case TOKEN_INTEGER:
        return make_const(parser, value_int(token->integer), node);
    case TOKEN_FLOAT:
        return make_const(parser, value_float(token->real), node);
    case TOKEN_LPAREN:
        TRY(parse_tuple(parser, TUPLE_PARENTHESES, node));
        return parser_expect(parser, TOKEN_RPAREN, NULL);
    case TOKEN_LBRACKET:
        return parse_list(parser, node);
    case TOKEN_LBRACE:
        return parse_dict(parser, node);
    default:
        parser->at--;
        return parser_fail(parser, "unexpected %s", token_kind_name(token->kind));
    }
}

static bool ends_subscript(const struct parser *parser) {
    enum token_kind kind = parser_peek(parser)->kind;
    return kind == TOKEN_RBRACKET || kind == TOKEN_COMMA;
}

// One subscript; a slice becomes a NODE_SLICE without its object.
static enum status parse_subscribed(struct parser *parser, struct node **node) {
    struct node *parts[3] = {NULL, NULL, NULL};
    if (parser_peek(parser)->kind != TOKEN_COLON) {
        TRY(parse_expression(parser, true, &parts[0]));
        *node = parts[0];
        if (parser_peek(parser)->kind != TOKEN_COLON) return STATUS_OK;
    }
    parser->at++;
    if (parser_peek(parser)->kind != TOKEN_COLON && !ends_subscript(parser))
        TRY(parse_expression(parser, true, &parts[1]));
    if (parser_skip(parser, TOKEN_COLON) && !ends_subscript(parser))
        TRY(parse_expression(parser, true, &parts[2]));
    struct node_list list = {0};
    for (int i = 0; i < 3; i++)
        TRY(parser_append(parser, &list, parts[i]));
    TRY(parser_node(parser, NODE_SLICE, node));
    (*node)->children = list.items;
    (*node)->n_children = 3;
    return parser_finish(parser, *node);
}

static enum status parse_brackets(struct parser *parser, struct node **node) {
    struct node_list keys = {0};
    struct node *key, *object = *node;
    while (parser_peek(parser)->kind != TOKEN_RBRACKET) {
        if (keys.n_items) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        TRY(parse_subscribed(parser, &key));
        TRY(parser_append(parser, &keys, key));
    }
    parser->at++;
    if (keys.n_items == 1 && keys.items[0]->kind == NODE_SLICE) {
        *node = keys.items[0];
        (*node)->left = object;
        return parser_finish(parser, *node);
    }
    for (size_t i = 0; i < keys.n_items; i++)
        if (keys.items[i]->kind == NODE_SLICE)
            return parser_fail(parser, "slices in several dimensions are not supported");
    key = keys.n_items == 1 ? keys.items[0] : NULL;
    if (!key) {
        TRY(parser_node(parser, NODE_TUPLE, &key));
        key->children = keys.items;
        key->n_children = keys.n_items;
        TRY(parser_finish(parser, key));
    }
    return make_binary(parser, NODE_GET_ITEM, 0, key, node);
}

static enum status parse_attribute(struct parser *parser, struct node **node) {
    const struct token *token = parser_peek(parser);
    parser->at++;
    struct node *key;
    if (token->kind == TOKEN_INTEGER) {
        TRY(make_const(parser, value_int(token->integer), &key));
        return make_binary(parser, NODE_GET_ITEM, 0, key, node);
    }
    if (token->kind != TOKEN_NAME)
        return parser_fail(parser, "expected a name or number after '.'");
    struct node *get;
    TRY(parser_node(parser, NODE_GET_ATTR, &get));
    TRY(parser_intern(parser, &token->text, &get->name));
    get->left = *node;
    *node = get;
    return parser_finish(parser, get);
}

static enum status parse_argument(struct parser *parser, struct argument_nodes *arguments,
                                  struct node_list *positional, struct node_list *keyword) {
    const struct token *token = parser_peek(parser);
    struct node *value;
    if (parser_skip(parser, TOKEN_MUL)) {
        if (arguments->more_positional || arguments->more_keyword)
            return parser_fail(parser, "invalid arguments of a call");
        return parse_expression(parser, true, &arguments->more_positional);
    }
    if (parser_skip(parser, TOKEN_POW)) {
        if (arguments->more_keyword) return parser_fail(parser, "invalid arguments of a call");
        return parse_expression(parser, true, &arguments->more_keyword);
    }
    if (token->kind == TOKEN_NAME && parser_peek_next(parser)->kind == TOKEN_ASSIGN) {
        if (arguments->more_keyword) return parser_fail(parser, "invalid arguments of a call");
        parser->at += 2;
        struct text *name;
        TRY(parser_intern(parser, &token->text, &name));
        for (size_t i = 0; i < keyword->n_items; i++)
            if (arguments->names[i] == name) return parser_fail(parser, "repeated argument");
        arguments->names =
            arena_grow(parser->arena, arguments->names, keyword->n_items * sizeof(struct text *),
                       (keyword->n_items + 1) * sizeof(struct text *));
        if (!arguments->names)
            return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
        arguments->names[keyword->n_items] = name;
        TRY(parse_expression(parser, true, &value));
        return parser_append(parser, keyword, value);
    }
    if (arguments->more_positional || arguments->more_keyword || keyword->n_items)
        return parser_fail(parser, "positional argument after others");
    TRY(parse_expression(parser, true, &value));
    return parser_append(parser, positional, value);
}

static enum status parse_arguments(struct parser *parser, struct argument_nodes **result) {
    struct argument_nodes *arguments = arena_alloc(parser->arena, sizeof *arguments);
    if (!arguments) return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
    struct node_list positional = {0}, keyword = {0};
    TRY(parser_expect(parser, TOKEN_LPAREN, NULL));
    bool need_comma = false;
    while (parser_peek(parser)->kind != TOKEN_RPAREN) {
        if (need_comma) TRY(parser_expect(parser, TOKEN_COMMA, NULL));
        if (need_comma && parser_peek(parser)->kind == TOKEN_RPAREN) break;
        TRY(parse_argument(parser, arguments, &positional, &keyword));
        need_comma = true;
    }
    parser->at++;
    arguments->positional = positional.items;
    arguments->n_positional = positional.n_items;
    arguments->keyword = keyword.items;
    arguments->n_keyword = keyword.n_items;
    *result = arguments;
    return STATUS_OK;
}

static enum status parse_call(struct parser *parser, struct node **node) {
    struct node *call;
    TRY(parser_node(parser, NODE_CALL, &call));
    call->left = *node;
    TRY(parse_arguments(parser, &call->arguments));
    *node = call;
    return parser_finish(parser, call);
}

static enum status parse_postfix(struct parser *parser, struct node **node) {
    for (;;) {
        if (parser_skip(parser, TOKEN_DOT))
            TRY(parse_attribute(parser, node));
        else if (parser_skip(parser, TOKEN_LBRACKET))
            TRY(parse_brackets(parser, node));
        else if (parser_peek(parser)->kind == TOKEN_LPAREN)
            TRY(parse_call(parser, node));
        else
            return STATUS_OK;
    }
}

static enum status parse_dotted_name(struct parser *parser, struct text **name) {
    const struct token *token = NULL;
    TRY(parser_expect(parser, TOKEN_NAME, &token));
    if (parser_peek(parser)->kind == TOKEN_DOT)
        return parser_fail(parser, "filters and tests with dotted names do not exist");
    return parser_intern(parser, &token->text, name);
}

enum status parse_filters(struct parser *parser, struct node *input, bool starts_inline,
                          struct node **node) {
    while (starts_inline || parser_skip(parser, TOKEN_PIPE)) {
        starts_inline = false;
        struct node *filter;
        TRY(parser_node(parser, NODE_FILTER, &filter));
        TRY(parse_dotted_name(parser, &filter->name));
        if (parser_peek(parser)->kind == TOKEN_LPAREN)
            TRY(parse_arguments(parser, &filter->arguments));
        filter->left = input;
        TRY(parser_finish(parser, filter));
        input = filter;
    }
    *node = input;
    return STATUS_OK;
}

static bool starts_test_argument(const struct parser *parser) {
    switch (parser_peek(parser)->kind) {
    case TOKEN_NAME:
        return !parser_is_name(parser, "else") && !parser_is_name(parser, "or") &&
               !parser_is_name(parser, "and");
    case TOKEN_STRING:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
    case TOKEN_LBRACKET:
    case TOKEN_LBRACE:
        return true;
    default:
        return false;
    }
}

static enum status parse_test_argument(struct parser *parser, struct node *test) {
    if (parser_is_name(parser, "is")) return parser_fail(parser, "tests cannot be chained");
    struct node *argument;
    struct node_list list = {0};
    TRY(parse_primary(parser, false, &argument));
    TRY(parse_postfix(parser, &argument));
    TRY(parser_append(parser, &list, argument));
    test->arguments = arena_alloc(parser->arena, sizeof *test->arguments);
    if (!test->arguments) return error_set(parser->err, STATUS_NO_MEMORY, "template is too large");
    test->arguments->positional = list.items;
    test->arguments->n_positional = 1;
    return STATUS_OK;
}

static enum status parse_test(struct parser *parser, struct node **node) {
    bool negated = parser_skip_name(parser, "not");
    struct node *test;
    TRY(parser_node(parser, NODE_TEST, &test));
    test->left = *node;
    TRY(parse_dotted_name(parser, &test->name));
    if (parser_peek(parser)->kind == TOKEN_LPAREN)
        TRY(parse_arguments(parser, &test->arguments));
    else if (starts_test_argument(parser))
        TRY(parse_test_argument(parser, test));
    TRY(parser_finish(parser, test));
    *node = test;
    if (!negated) return STATUS_OK;
    TRY(parser_node(parser, NODE_NOT, node));
    (*node)->left = test;
    return parser_finish(parser, *node);
}

static enum status parse_unary(struct parser *parser, bool with_filter, struct node **node) {
    enum token_kind kind = parser_peek(parser)->kind;
    if (kind == TOKEN_SUB || kind == TOKEN_ADD) {
        struct node *operand;
        TRY(parser_enter(parser));
        parser->at++;
        TRY(parse_unary(parser, false, &operand));
        parser_leave(parser);
        TRY(parser_node(parser, NODE_UNARY, node));
        (*node)->op = (int)kind;
        (*node)->left = operand;
        TRY(parser_finish(parser, *node));
    } else {
        TRY(parse_primary(parser, false, node));
    }
    TRY(parse_postfix(parser, node));
    while (with_filter) {
        if (parser_peek(parser)->kind == TOKEN_PIPE)
            TRY(parse_filters(parser, *node, false, node));
        else if (parser_skip_name(parser, "is"))
            TRY(parse_test(parser, node));
        else if (parser_peek(parser)->kind == TOKEN_LPAREN)
            TRY(parse_call(parser, node));
        else
            break;
    }
    return STATUS_OK;
}
