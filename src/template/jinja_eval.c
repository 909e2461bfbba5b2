// SPDX-License-Identifier: Apache-2.0
// Expressions: a walk over the tree, with Python's rules for attributes, items and slices.
#include "template/jinja_run.h"

#include <string.h>

static enum status eval_children(struct run *run, const struct node *node, struct list **list) {
    TRY(run_new_list(run, node->n_children, list));
    for (size_t i = 0; i < node->n_children; i++) {
        struct value item;
        TRY(eval_node(run, node->children[i], &item));
        TRY(run_append(run, *list, item));
    }
    return STATUS_OK;
}

static enum status eval_dict(struct run *run, const struct node *node, struct value *result) {
    struct dict *dict = dict_create(&run->arena);
    if (!dict) return run_no_memory(run);
    for (size_t i = 0; i < node->n_children; i += 2) {
        struct value key, value;
        TRY(eval_node(run, node->children[i], &key));
        TRY(eval_node(run, node->children[i + 1], &value));
        TRY(run_set(run, dict, key, value));
    }
    *result = value_dict(dict);
    return STATUS_OK;
}

static enum status eval_concat(struct run *run, const struct node *node, struct value *result) {
    struct text *text = NULL;
    for (size_t i = 0; i < node->n_children; i++) {
        struct value part;
        struct text *part_text;
        TRY(eval_node(run, node->children[i], &part));
        TRY(to_text(run, &part, &part_text));
        TRY(run_steps(run, 1 + part_text->size_bytes / 64));
        text = text ? text_concat(&run->arena, text, part_text) : part_text;
        if (!text) return run_no_memory(run);
    }
    *result = value_text(text);
    return STATUS_OK;
}

static enum status eval_compare(struct run *run, const struct node *node, struct value *result) {
    struct value left, right;
    bool holds = true;
    TRY(eval_node(run, node->left, &left));
    for (size_t i = 0; i < node->n_children && holds; i++) {
        TRY(eval_node(run, node->children[i], &right));
        TRY(operate_compare(run, node->ops[i], &left, &right, &holds));
        left = right;
    }
    *result = value_bool(holds);
    return STATUS_OK;
}

static enum status eval_if_else(struct run *run, const struct node *node, struct value *result) {
    struct value condition;
    TRY(eval_node(run, node->third, &condition));
    if (value_truth(&condition)) return eval_node(run, node->left, result);
    if (node->right) return eval_node(run, node->right, result);
    *result = value_undefined(NULL);
    return STATUS_OK;
}

static enum status spread_keywords(struct run *run, const struct value *more,
                                   struct arguments *arguments) {
    if (more->kind != VALUE_DICT)
        return run_fail(run, STATUS_BAD_INPUT, "** needs a dict, not a %s", value_type_name(more));
    const struct dict *dict = more->as.dict;
    struct keyword *keywords =
        arena_array(&run->arena, arguments->n_keywords + dict->n_entries + 1, sizeof *keywords);
    if (!keywords) return run_no_memory(run);
    if (arguments->n_keywords)
        memcpy(keywords, arguments->keywords, arguments->n_keywords * sizeof *keywords);
    for (size_t i = 0; i < dict->n_entries; i++) {
        const struct value *key = &dict->entries[i].key;
        if (key->kind != VALUE_TEXT)
            return run_fail(run, STATUS_BAD_INPUT, "names of arguments must be str");
        for (size_t j = 0; j < arguments->n_keywords; j++)
            if (text_equal(keywords[j].name, key->as.text))
                return run_fail(run, STATUS_BAD_INPUT, "repeated argument");
        keywords[arguments->n_keywords++] = (struct keyword){key->as.text, dict->entries[i].value};
        TRY(run_steps(run, 1));
    }
    arguments->keywords = keywords;
    return STATUS_OK;
}

enum status eval_arguments(struct run *run, const struct argument_nodes *nodes,
                           struct arguments *arguments) {
    *arguments = (struct arguments){0};
    if (!nodes) return STATUS_OK;
    struct list *list;
    struct value value;
    TRY(run_new_list(run, nodes->n_positional, &list));
    for (size_t i = 0; i < nodes->n_positional; i++) {
        TRY(eval_node(run, nodes->positional[i], &value));
        TRY(run_append(run, list, value));
    }
    if (nodes->more_positional) {
        struct list *more;
        TRY(eval_node(run, nodes->more_positional, &value));
        TRY(run_items(run, &value, &more));
        for (size_t i = 0; i < more->n_items; i++)
            TRY(run_append(run, list, more->items[i]));
    }
    if (nodes->n_keyword) {
        arguments->keywords =
            arena_array(&run->arena, nodes->n_keyword, sizeof *arguments->keywords);
        if (!arguments->keywords) return run_no_memory(run);
        arguments->n_keywords = nodes->n_keyword;
    }
    for (size_t i = 0; i < nodes->n_keyword; i++) {
        TRY(eval_node(run, nodes->keyword[i], &value));
        arguments->keywords[i] = (struct keyword){nodes->names[i], value};
    }
    arguments->items = list->items;
    arguments->n_items = list->n_items;
    if (!nodes->more_keyword) return STATUS_OK;
    TRY(eval_node(run, nodes->more_keyword, &value));
    return spread_keywords(run, &value, arguments);
}

static enum status eval_call(struct run *run, const struct node *node, struct value *result) {
    struct value callee;
    struct arguments arguments;
    int line = run->line;
    TRY(eval_node(run, node->left, &callee));
    TRY(eval_arguments(run, node->arguments, &arguments));
    run->line = node->line;
    TRY(call_value(run, &callee, &arguments, result));
    run->line = line;
    return STATUS_OK;
}

static enum status apply_filter(struct run *run, const struct node *node, const struct value *input,
                                struct value *result) {
    struct arguments arguments;
    TRY(eval_arguments(run, node->arguments, &arguments));
    return filter_call(run, node->name, input, &arguments, result);
}

enum status eval_filters(struct run *run, const struct node *node, const struct value *input,
                         struct value *result) {
    if (!node) {
        *result = *input;
        return STATUS_OK;
    }
    struct value inner;
    TRY(run_enter(run));
    TRY(eval_filters(run, node->left, input, &inner));
    TRY(apply_filter(run, node, &inner, result));
    run_leave(run);
    return STATUS_OK;
}

static enum status eval_test(struct run *run, const struct node *node, struct value *result) {
    struct value input;
    struct arguments arguments;
    bool holds;
    TRY(eval_node(run, node->left, &input));
    TRY(eval_arguments(run, node->arguments, &arguments));
    TRY(test_call(run, node->name, &input, &arguments, &holds));
    *result = value_bool(holds);
    return STATUS_OK;
}

static enum status eval_slice(struct run *run, const struct node *node, struct value *result) {
    struct value object, bounds[3];
    TRY(eval_node(run, node->left, &object));
    for (int i = 0; i < 3; i++) {
        bounds[i] = value_none();
        if (node->children[i]) TRY(eval_node(run, node->children[i], &bounds[i]));
    }
    return get_slice(run, &object, bounds, result);
}

static enum status eval_and_or(struct run *run, const struct node *node, struct value *result) {
    TRY(eval_node(run, node->left, result));
    bool decided = value_truth(result) == (node->kind == NODE_OR);
    return decided ? STATUS_OK : eval_node(run, node->right, result);
}

static enum status eval_operators(struct run *run, const struct node *node, struct value *result) {
    struct value left, right;
    TRY(eval_node(run, node->left, &left));
    switch (node->kind) {
    case NODE_BINARY:
        TRY(eval_node(run, node->right, &right));
        return operate_binary(run, node->op, &left, &right, result);
    case NODE_UNARY:
        return operate_unary(run, node->op, &left, result);
    case NODE_NOT:
        *result = value_bool(!value_truth(&left));
        return STATUS_OK;
    case NODE_GET_ATTR:
        return get_attribute(run, &left, node->name, result);
    case NODE_GET_ITEM:
        TRY(eval_node(run, node->right, &right));
        return get_item(run, &left, &right, result);
    default:
        return apply_filter(run, node, &left, result);
    }
}

static enum status eval_sequence(struct run *run, const struct node *node, struct value *result) {
    struct list *list;
    TRY(eval_children(run, node, &list));
    *result = node->kind == NODE_LIST ? value_list(list) : value_tuple(list);
    return STATUS_OK;
}

static enum status eval_kind(struct run *run, const struct node *node, struct value *result) {
    switch (node->kind) {
    case NODE_CONST:
        *result = node->value;
        return STATUS_OK;
    case NODE_NAME:
        return scope_lookup(run, node->name, result);
    case NODE_LIST:
    case NODE_TUPLE:
        return eval_sequence(run, node, result);
    case NODE_DICT:
        return eval_dict(run, node, result);
    case NODE_CONCAT:
        return eval_concat(run, node, result);
    case NODE_COMPARE:
        return eval_compare(run, node, result);
    case NODE_AND:
    case NODE_OR:
        return eval_and_or(run, node, result);
    case NODE_IF_ELSE:
        return eval_if_else(run, node, result);
    case NODE_SLICE:
        return eval_slice(run, node, result);
    case NODE_CALL:
        return eval_call(run, node, result);
    case NODE_TEST:
        return eval_test(run, node, result);
    default:
        return eval_operators(run, node, result);
    }
}

enum status eval_node(struct run *run, const struct node *node, struct value *result) {
    TRY(run_enter(run));
    TRY(run_steps(run, 1));
    TRY(eval_kind(run, node, result));
    run_leave(run);
    return STATUS_OK;
}
