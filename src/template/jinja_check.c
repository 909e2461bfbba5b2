// SPDX-License-Identifier: Apache-2.0
// Names of filters and tests that do not exist. Inside if statements and conditional expressions
// Jinja complains only when such a name is reached (templates probe for filters that way),
// elsewhere before it renders anything. Loops, macros and other bodies of their own end that
// lenience.
#include "template/jinja_parser.h"
#include "template/jinja_run.h"

static enum status check(const struct node *node, bool is_soft, struct error *err);

static enum status check_all(struct node *const *nodes, size_t n, bool is_soft, struct error *err) {
    for (size_t i = 0; i < n; i++)
        TRY(check(nodes[i], is_soft, err));
    return STATUS_OK;
}

static bool is_known(const struct node *node) {
    if (node->kind == NODE_FILTER) return filter_exists(node->name);
    return node->kind != NODE_TEST || test_exists(node->name);
}

static enum status check(const struct node *node, bool is_soft, struct error *err) {
    if (!node) return STATUS_OK;
    if (!is_soft && !is_known(node))
        return error_set(err, STATUS_BAD_INPUT, "template line %d: there is no %s '%.*s'",
                         node->line, node->kind == NODE_FILTER ? "filter" : "test",
                         node->name->size_bytes < 40 ? (int)node->name->size_bytes : 40,
                         node->name->data);
    bool has_condition = node->kind == NODE_IF || node->kind == NODE_IF_ELSE;
    bool is_own_frame = node->body && node->kind != NODE_IF;
    is_soft |= has_condition;
    TRY(check(node->left, is_soft, err));
    TRY(check(node->right, is_soft, err));
    TRY(check(node->third, is_soft, err));
    TRY(check_all(node->children, node->n_children, is_soft, err));
    if (node->arguments) {
        const struct argument_nodes *arguments = node->arguments;
        TRY(check_all(arguments->positional, arguments->n_positional, is_soft, err));
        TRY(check_all(arguments->keyword, arguments->n_keyword, is_soft, err));
        TRY(check(arguments->more_positional, is_soft, err));
        TRY(check(arguments->more_keyword, is_soft, err));
    }
    if (node->signature)
        TRY(check_all(node->signature->defaults, node->signature->n_defaults, false, err));
    TRY(check(node->body, is_soft && !is_own_frame, err));
    return check(node->otherwise, is_soft && !is_own_frame, err);
}

enum status jinja_check_names(const struct node *root, struct error *err) {
    return check(root, false, err);
}
