// SPDX-License-Identifier: Apache-2.0
// One rendering of a template: its budgets, its scopes, its output, and the functions by which the
// files of the interpreter reach each other.
#ifndef XL_TEMPLATE_JINJA_RUN_H
#define XL_TEMPLATE_JINJA_RUN_H

#include "base/status.h"
#include "template/jinja_node.h"
#include "template/jinja_text.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

struct binding {
    const struct text *name; // interned
    struct value value;
};

// Names of one block. Loops use one scope again for every turn unless a macro has kept it.
struct scope {
    struct scope *parent;
    struct binding *bindings;
    size_t n_bindings, capacity;
    bool is_kept;
};

// Names that the interpreter itself binds; interned when the template is compiled.
struct known_names {
    const struct text *loop, *caller, *varargs, *kwargs;
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct run {
    struct arena arena;
    size_t output_bytes_max;
    int depth, depth_max;
    const struct known_names *names;
    struct dict *globals; // the context
    struct scope *scope;
    struct text_builder *out;
    enum flow flow;
    long long now_unix_s;
    int line; // of the node that runs, for messages
    struct error *err;
};

struct keyword {
    const struct text *name;
    struct value value;
};

struct arguments {
    struct value *items;
    size_t n_items;
    struct keyword *keywords;
    size_t n_keywords;
};

struct macro {
    const struct text *name;
    const struct node *node; // its signature and body
    struct scope *scope;     // where it was defined
};

struct loop {
    struct list *items;
    size_t index;            // from 0
    int depth;               // of recursion, from 0
    const struct node *node; // a recursive loop's, or NULL
    struct scope *scope;     // around a recursive loop
    bool has_changed_values;
    struct value changed_values;
};

// ---- Budgets and errors (jinja_run.c)
// ------------------------------------------------------------

enum status run_fail(struct run *run, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum status run_steps(struct run *run, size_t n_steps);
enum status run_no_memory(struct run *run); // out of arena: always a failure
enum status run_enter(struct run *run);     // one level deeper
void run_leave(struct run *run);
enum status run_text(struct run *run, const char *data, size_t size_bytes, struct value *result);
enum status run_literal(struct run *run, const char *literal, struct value *result);
enum status run_new_list(struct run *run, size_t capacity, struct list **list);
enum status run_append(struct run *run, struct list *list, struct value value);
enum status run_set(struct run *run, struct dict *dict, struct value key, struct value value);
enum status run_built(struct run *run, struct text_builder *builder, struct value *result);
enum status run_iterator(struct run *run, struct list *items, struct value *result);
enum status run_undefined(struct run *run, const char *what, struct value *result);
// Everything that iterating over `value` yields. Consumes an iterator.
enum status run_items(struct run *run, const struct value *value, struct list **items);
// A copy of the list; for an iterator its items.
enum status run_copy_items(struct run *run, const struct value *value, struct list **items);
enum status run_length(struct run *run, const struct value *value, size_t *length);
// Python's < on two values; TypeError becomes a failure.
enum status run_less(struct run *run, const struct value *a, const struct value *b, bool *less);
// Stable, ascending by keys[i]; items and keys move together.
enum status run_sort(struct run *run, struct list *items, struct list *keys, bool reverse);
enum status run_contains(struct run *run, const struct value *container, const struct value *item,
                         bool *result);
enum status run_from_json(struct run *run, const json_t *json, struct value *result);

// ---- Scopes and statements (jinja_exec.c, jinja_scope.c)
// ------------------------------------------

enum status scope_push(struct run *run, struct scope **scope); // the new scope becomes current
enum status scope_bind(struct run *run, struct scope *scope, const struct text *name,
                       struct value value);
void scope_keep(struct scope *scope); // this one and those around it outlive their block
enum status scope_lookup(struct run *run, const struct text *name, struct value *result);
enum status assign_target(struct run *run, const struct node *target, const struct value *value);

enum status exec_block(struct run *run, const struct node *block);
// Runs a block with its output caught as a text.
enum status exec_captured(struct run *run, const struct node *block, struct value *result);
enum status exec_loop_call(struct run *run, struct loop *loop, const struct value *items,
                           struct value *result);

// ---- Expressions and calls
// -----------------------------------------------------------------------

enum status eval_node(struct run *run, const struct node *node, struct value *result);
enum status eval_arguments(struct run *run, const struct argument_nodes *nodes,
                           struct arguments *arguments);
// Filters around a captured text; `node` may be NULL.
enum status eval_filters(struct run *run, const struct node *node, const struct value *input,
                         struct value *result);
enum status get_attribute(struct run *run, const struct value *object, const struct text *name,
                          struct value *result);
enum status get_item(struct run *run, const struct value *object, const struct value *key,
                     struct value *result);
enum status get_slice(struct run *run, const struct value *object, const struct value bounds[3],
                      struct value *result);
// "a.b.0" as filters take it: each part by get_item.
enum status get_path(struct run *run, const struct value *object, const struct value *path,
                     struct value *result);
// The same; an undefined value on the way becomes `fallback` unless that is none or missing.
enum status get_path_or(struct run *run, const struct value *object, const struct value *path,
                        const struct value *fallback, struct value *result);
enum status operate_binary(struct run *run, int op, const struct value *left,
                           const struct value *right, struct value *result);
enum status operate_unary(struct run *run, int op, const struct value *operand,
                          struct value *result);
enum status operate_compare(struct run *run, int op, const struct value *left,
                            const struct value *right, bool *result);
enum status call_value(struct run *run, const struct value *callee, struct arguments *arguments,
                       struct value *result);
enum status call_macro(struct run *run, const struct macro *macro, struct arguments *arguments,
                       struct value *result);
enum status call_function(struct run *run, int function, struct arguments *arguments,
                          struct value *result);
enum status call_method(struct run *run, const struct method *method, struct arguments *arguments,
                        struct value *result);
enum status loop_attribute(struct run *run, struct loop *loop, const struct text *name,
                           struct value *result);
// loop.cycle(…) and loop.changed(…)
enum status loop_method(struct run *run, const struct method *method,
                        const struct arguments *arguments, struct value *result);
bool function_find(const struct text *name, struct value *result);
enum status method_find(struct run *run, const struct value *object, const struct text *name,
                        bool *found, struct value *result);

// Spreads arguments over named slots; absent ones become VALUE_MISSING. `what` names the callee.
enum status bind_arguments(struct run *run, const char *what, const struct arguments *arguments,
                           const char *const *names, size_t n_names, size_t n_required,
                           struct value *slots);

enum { FILTER_ARGUMENTS_MAX = 5 };
bool filter_exists(const struct text *name);
bool test_exists(const struct text *name);
enum status filter_call(struct run *run, const struct text *name, const struct value *input,
                        const struct arguments *arguments, struct value *result);
enum status test_call(struct run *run, const struct text *name, const struct value *input,
                      const struct arguments *arguments, bool *result);

// ---- Text of values
// ------------------------------------------------------------------------------

// str(value) as a text; text values are returned as they are (with or without their mark).
enum status to_text(struct run *run, const struct value *value, struct text **text);
enum status append_str(struct run *run, struct text_builder *builder, const struct value *value);
enum status append_repr(struct run *run, struct text_builder *builder, const struct value *value);
// The text, or a TypeError for what is not one.
enum status want_text(struct run *run, const struct value *value, const char *what,
                      struct text **text);
enum status want_int(struct run *run, const struct value *value, const char *what,
                     int64_t *integer);
enum status escape_markup(struct run *run, const struct value *value, struct value *result);
enum status format_percent(struct run *run, const struct value *format, const struct value *operand,
                           struct value *result);
enum status format_braces(struct run *run, const struct value *format, struct arguments *arguments,
                          struct value *result);
enum status format_time(struct run *run, const struct text *format, struct value *result);
enum status json_text(struct run *run, const struct value *value, const struct arguments *arguments,
                      struct value *result);

#ifdef __cplusplus
}
#endif
#endif
