// SPDX-License-Identifier: Apache-2.0
// Statements: scopes, assignment, loops, output. "break" and "continue" travel as run->flow.
#include "template/jinja_run.h"

#include <stdio.h>
#include <string.h>

enum status scope_push(struct run *run, struct scope **scope) {
    *scope = arena_alloc(&run->arena, sizeof **scope);
    if (!*scope) return run_no_memory(run);
    (*scope)->parent = run->scope;
    run->scope = *scope;
    return STATUS_OK;
}

enum status scope_bind(struct run *run, struct scope *scope, const struct text *name,
                       struct value value) {
    for (size_t i = 0; i < scope->n_bindings; i++)
        if (scope->bindings[i].name == name) {
            scope->bindings[i].value = value;
            return STATUS_OK;
        }
    if (scope->n_bindings == scope->capacity) {
        size_t capacity = scope->capacity ? scope->capacity * 2 : 4;
        struct binding *bindings =
            arena_grow(&run->arena, scope->bindings, scope->n_bindings * sizeof *bindings,
                       capacity * sizeof *bindings);
        if (!bindings) return run_no_memory(run);
        scope->bindings = bindings;
        scope->capacity = capacity;
    }
    scope->bindings[scope->n_bindings++] = (struct binding){name, value};
    return STATUS_OK;
}

void scope_keep(struct scope *scope) {
    for (; scope && !scope->is_kept; scope = scope->parent)
        scope->is_kept = true;
}

enum status scope_lookup(struct run *run, const struct text *name, struct value *result) {
    size_t n_steps = 0;
    for (const struct scope *scope = run->scope; scope; scope = scope->parent) {
        n_steps += scope->n_bindings;
        for (size_t i = 0; i < scope->n_bindings; i++)
            if (scope->bindings[i].name == name) {
                *result = scope->bindings[i].value;
                return run_steps(run, 1 + n_steps / 16);
            }
    }
    TRY(run_steps(run, 1 + n_steps / 16));
    struct value key = value_text((struct text *)name);
    const struct value *global = dict_get(&run->arena, run->globals, &key);
    if (global)
        *result = *global;
    else if (!function_find(name, result))
        *result = value_undefined((struct text *)name);
    return STATUS_OK;
}

static enum status assign_attribute(struct run *run, const struct node *target,
                                    const struct value *value) {
    struct value object;
    TRY(scope_lookup(run, target->name, &object));
    if (object.kind != VALUE_NAMESPACE)
        return run_fail(run, STATUS_BAD_INPUT, "cannot assign an attribute of a %s",
                        value_type_name(&object));
    return run_set(run, object.as.dict, value_text(target->attribute), *value);
}

static enum status assign_tuple(struct run *run, const struct node *target,
                                const struct value *value) {
    struct list *items;
    TRY(run_items(run, value, &items));
    if (value->kind == VALUE_UNDEFINED || items->n_items != target->n_children)
        return run_fail(run, STATUS_BAD_INPUT, "%zu values for %zu names", items->n_items,
                        target->n_children);
    for (size_t i = 0; i < target->n_children; i++)
        TRY(assign_target(run, target->children[i], &items->items[i]));
    return STATUS_OK;
}

enum status assign_target(struct run *run, const struct node *target, const struct value *value) {
    if (target->kind == NODE_NAME) return scope_bind(run, run->scope, target->name, *value);
    if (target->kind == NODE_NS_REF) return assign_attribute(run, target, value);
    return assign_tuple(run, target, value);
}

static enum status append_output(struct run *run, const char *data, size_t size_bytes) {
    if (builder_append(run->out, data, size_bytes)) return run_steps(run, 1 + size_bytes / 64);
    if (run->out->size_bytes + size_bytes > run->output_bytes_max)
        return run_fail(run, STATUS_BAD_INPUT, "the text is longer than %zu bytes",
                        run->output_bytes_max);
    return run_no_memory(run);
}

static enum status exec_print(struct run *run, const struct node *node) {
    for (size_t i = 0; i < node->n_children; i++) {
        struct value value;
        struct text *text;
        TRY(eval_node(run, node->children[i], &value));
        TRY(to_text(run, &value, &text));
        TRY(append_output(run, text->data, text->size_bytes));
    }
    return STATUS_OK;
}

enum status exec_captured(struct run *run, const struct node *block, struct value *result) {
    struct text_builder builder, *outer = run->out;
    builder_init(&builder, &run->arena, run->output_bytes_max);
    run->out = &builder;
    TRY(exec_block(run, block));
    run->out = outer;
    return run_built(run, &builder, result);
}

// Runs a block in a scope of its own and hands its text on, or prints it where result is NULL.
static enum status exec_scoped(struct run *run, const struct node *block, struct value *result) {
    struct scope *scope;
    TRY(scope_push(run, &scope));
    TRY(result ? exec_captured(run, block, result) : exec_block(run, block));
    run->scope = scope->parent;
    return STATUS_OK;
}

static enum status exec_set_block(struct run *run, const struct node *node) {
    struct value text, value;
    TRY(exec_scoped(run, node->body, &text));
    if (run->flow != FLOW_ON) return STATUS_OK;
    TRY(eval_filters(run, node->right, &text, &value));
    return assign_target(run, node->left, &value);
}

static enum status exec_filter_block(struct run *run, const struct node *node) {
    struct value text, value;
    struct text *output;
    TRY(exec_scoped(run, node->body, &text));
    if (run->flow != FLOW_ON) return STATUS_OK;
    TRY(eval_filters(run, node->right, &text, &value));
    TRY(to_text(run, &value, &output));
    return append_output(run, output->data, output->size_bytes);
}

static enum status exec_if(struct run *run, const struct node *node) {
    for (size_t i = 0; i < node->n_children; i += 2) {
        struct value condition = value_bool(true);
        if (node->children[i]) TRY(eval_node(run, node->children[i], &condition));
        if (value_truth(&condition)) return exec_block(run, node->children[i + 1]);
    }
    return STATUS_OK;
}

static enum status exec_with(struct run *run, const struct node *node) {
    struct scope *outer = run->scope, *scope;
    struct list *values;
    TRY(run_new_list(run, node->n_children / 2, &values));
    for (size_t i = 0; i < node->n_children; i += 2) {
        struct value value;
        TRY(eval_node(run, node->children[i + 1], &value));
        TRY(run_append(run, values, value));
    }
    TRY(scope_push(run, &scope));
    for (size_t i = 0; i < node->n_children; i += 2)
        TRY(assign_target(run, node->children[i], &values->items[i / 2]));
    TRY(exec_block(run, node->body));
    run->scope = outer;
    return STATUS_OK;
}

static enum status make_macro(struct run *run, const struct node *node, struct value *result) {
    struct macro *macro = arena_alloc(&run->arena, sizeof *macro);
    if (!macro) return run_no_memory(run);
    *macro = (struct macro){node->name, node, run->scope};
    scope_keep(run->scope);
    *result = (struct value){.kind = VALUE_MACRO, .as.macro = macro};
    return STATUS_OK;
}

static enum status exec_macro(struct run *run, const struct node *node) {
    struct value macro;
    TRY(make_macro(run, node, &macro));
    return scope_bind(run, run->scope, node->name, macro);
}

static enum status exec_call_block(struct run *run, const struct node *node) {
    struct value caller, callee, result;
    struct arguments arguments;
    TRY(make_macro(run, node, &caller));
    TRY(eval_node(run, node->left->left, &callee));
    TRY(eval_arguments(run, node->left->arguments, &arguments));
    struct keyword *keywords = arena_array(&run->arena, arguments.n_keywords + 1, sizeof *keywords);
    if (!keywords) return run_no_memory(run);
    if (arguments.n_keywords)
        memcpy(keywords, arguments.keywords, arguments.n_keywords * sizeof *keywords);
    keywords[arguments.n_keywords++] = (struct keyword){run->names->caller, caller};
    arguments.keywords = keywords;
    TRY(call_value(run, &callee, &arguments, &result));
    struct text *text;
    TRY(to_text(run, &result, &text));
    return append_output(run, text->data, text->size_bytes);
}

// Items that pass the loop's own condition.
static enum status filter_items(struct run *run, const struct node *node, struct list **items) {
    if (!node->third) return STATUS_OK;
    struct list *chosen;
    struct scope *scope;
    TRY(run_new_list(run, 0, &chosen));
    TRY(scope_push(run, &scope));
    for (size_t i = 0; i < (*items)->n_items; i++) {
        struct value condition;
        TRY(assign_target(run, node->left, &(*items)->items[i]));
        TRY(eval_node(run, node->third, &condition));
        if (value_truth(&condition)) TRY(run_append(run, chosen, (*items)->items[i]));
    }
    run->scope = scope->parent;
    *items = chosen;
    return STATUS_OK;
}

static enum status exec_turns(struct run *run, const struct node *node, struct loop *loop) {
    struct scope *outer = run->scope, *scope;
    struct value loop_value = {.kind = VALUE_LOOP, .as.loop = loop};
    TRY(scope_push(run, &scope));
    for (loop->index = 0; loop->index < loop->items->n_items; loop->index++) {
        if (scope->is_kept) {
            run->scope = outer;
            TRY(scope_push(run, &scope));
        }
        scope->n_bindings = 0;
        TRY(run_steps(run, 1));
        TRY(scope_bind(run, scope, run->names->loop, loop_value));
        TRY(assign_target(run, node->left, &loop->items->items[loop->index]));
        TRY(exec_block(run, node->body));
        enum flow flow = run->flow;
        run->flow = FLOW_ON;
        if (flow == FLOW_BREAK) break;
    }
    run->scope = outer;
    return STATUS_OK;
}

static enum status exec_loop(struct run *run, const struct node *node, const struct value *value,
                             int depth) {
    struct loop *loop = arena_alloc(&run->arena, sizeof *loop);
    if (!loop) return run_no_memory(run);
    TRY(run_items(run, value, &loop->items));
    TRY(filter_items(run, node, &loop->items));
    loop->depth = depth;
    loop->node = node->flag ? node : NULL;
    loop->scope = run->scope;
    if (node->flag) scope_keep(run->scope);
    if (loop->items->n_items) return exec_turns(run, node, loop);
    return node->otherwise ? exec_scoped(run, node->otherwise, NULL) : STATUS_OK;
}

enum status exec_loop_call(struct run *run, struct loop *loop, const struct value *items,
                           struct value *result) {
    if (!loop->node) return run_fail(run, STATUS_BAD_INPUT, "only a recursive loop can be called");
    struct text_builder builder, *outer = run->out;
    struct scope *scope = run->scope;
    builder_init(&builder, &run->arena, run->output_bytes_max);
    run->out = &builder;
    run->scope = loop->scope;
    TRY(run_enter(run));
    TRY(exec_loop(run, loop->node, items, loop->depth + 1));
    run_leave(run);
    run->scope = scope;
    run->out = outer;
    return run_built(run, &builder, result);
}

static enum status exec_for(struct run *run, const struct node *node) {
    struct value value;
    TRY(eval_node(run, node->right, &value));
    return exec_loop(run, node, &value, 0);
}

static enum status exec_statement(struct run *run, const struct node *node) {
    struct value value;
    switch (node->kind) {
    case NODE_DATA:
        return append_output(run, node->name->data, node->name->size_bytes);
    case NODE_PRINT:
        return exec_print(run, node);
    case NODE_SET:
        TRY(eval_node(run, node->right, &value));
        return assign_target(run, node->left, &value);
    case NODE_SET_BLOCK:
        return exec_set_block(run, node);
    case NODE_IF:
        return exec_if(run, node);
    case NODE_FOR:
        return exec_for(run, node);
    case NODE_MACRO:
        return exec_macro(run, node);
    case NODE_CALL_BLOCK:
        return exec_call_block(run, node);
    case NODE_FILTER_BLOCK:
        return exec_filter_block(run, node);
    case NODE_WITH:
        return exec_with(run, node);
    case NODE_SCOPE:
        return exec_scoped(run, node->body, NULL);
    case NODE_BREAK:
        run->flow = FLOW_BREAK;
        return STATUS_OK;
    case NODE_CONTINUE:
        run->flow = FLOW_CONTINUE;
        return STATUS_OK;
    default:
        return run_fail(run, STATUS_FAILED, "unknown statement");
    }
}

enum status exec_block(struct run *run, const struct node *block) {
    TRY(run_enter(run));
    for (size_t i = 0; i < block->n_children && run->flow == FLOW_ON; i++) {
        run->line = block->children[i]->line;
        TRY(run_steps(run, 1));
        TRY(exec_statement(run, block->children[i]));
    }
    run_leave(run);
    return STATUS_OK;
}
