// SPDX-License-Identifier: Apache-2.0
// Calling: macros, global functions, loops; and spreading arguments over named parameters.
#include "template/jinja_run.h"

#include <string.h>

enum { RANGE_ITEMS_MAX = 100000 };

enum function {
    FUNCTION_NAMESPACE,
    FUNCTION_RANGE,
    FUNCTION_DICT,
    FUNCTION_CYCLER,
    FUNCTION_JOINER,
    FUNCTION_RAISE,
    FUNCTION_STRFTIME_NOW,
    FUNCTION_LIPSUM
};

static const char *const function_names[] = {
    [FUNCTION_NAMESPACE] = "namespace",
    [FUNCTION_RANGE] = "range",
    [FUNCTION_DICT] = "dict",
    [FUNCTION_CYCLER] = "cycler",
    [FUNCTION_JOINER] = "joiner",
    [FUNCTION_RAISE] = "raise_exception",
    [FUNCTION_STRFTIME_NOW] = "strftime_now",
    [FUNCTION_LIPSUM] = "lipsum",
};

bool function_find(const struct text *name, struct value *result) {
    for (size_t i = 0; i < sizeof function_names / sizeof function_names[0]; i++)
        if (text_equals(name, function_names[i])) {
            *result = (struct value){.kind = VALUE_FUNCTION, .as.function = (int)i};
            return true;
        }
    return false;
}

enum status bind_arguments(struct run *run, const char *what, const struct arguments *arguments,
                           const char *const *names, size_t n_names, size_t n_required,
                           struct value *slots) {
    if (arguments->n_items > n_names)
        return run_fail(run, STATUS_BAD_INPUT, "%s takes at most %zu arguments", what, n_names);
    for (size_t i = 0; i < n_names; i++)
        slots[i] = i < arguments->n_items ? arguments->items[i] : (struct value){0};
    for (size_t i = 0; i < arguments->n_keywords; i++) {
        const struct keyword *keyword = &arguments->keywords[i];
        size_t slot = 0;
        while (slot < n_names && !text_equals(keyword->name, names[slot]))
            slot++;
        if (slot == n_names || slots[slot].kind != VALUE_MISSING)
            return run_fail(run, STATUS_BAD_INPUT, "%s: unexpected argument '%.*s'", what,
                            (int)(keyword->name->size_bytes & 63), keyword->name->data);
        slots[slot] = keyword->value;
    }
    for (size_t i = 0; i < n_required; i++)
        if (slots[i].kind == VALUE_MISSING)
            return run_fail(run, STATUS_BAD_INPUT, "%s: argument '%s' is missing", what, names[i]);
    return STATUS_OK;
}

static enum status make_dict(struct run *run, const struct arguments *arguments,
                             struct dict **result) {
    struct dict *dict = dict_create(&run->arena);
    if (!dict) return run_no_memory(run);
    if (arguments->n_items > 1)
        return run_fail(run, STATUS_BAD_INPUT, "dict takes at most 1 argument");
    const struct value *source = arguments->items;
    if (arguments->n_items && source->kind == VALUE_DICT) {
        for (size_t i = 0; i < source->as.dict->n_entries; i++)
            TRY(run_set(run, dict, source->as.dict->entries[i].key,
                        source->as.dict->entries[i].value));
    } else if (arguments->n_items) {
        struct list *items, *pair;
        TRY(run_items(run, source, &items));
        for (size_t i = 0; i < items->n_items; i++) {
            TRY(run_items(run, &items->items[i], &pair));
            if (pair->n_items != 2)
                return run_fail(run, STATUS_BAD_INPUT, "dict needs pairs of key and value");
            TRY(run_set(run, dict, pair->items[0], pair->items[1]));
        }
    }
    for (size_t i = 0; i < arguments->n_keywords; i++)
        TRY(run_set(run, dict, value_text((struct text *)arguments->keywords[i].name),
                    arguments->keywords[i].value));
    *result = dict;
    return STATUS_OK;
}

static enum status call_range(struct run *run, const struct arguments *arguments,
                              struct value *result) {
    int64_t bounds[3] = {0, 0, 1};
    if (arguments->n_items < 1 || arguments->n_items > 3 || arguments->n_keywords)
        return run_fail(run, STATUS_BAD_INPUT, "range takes 1 to 3 arguments");
    for (size_t i = 0; i < arguments->n_items; i++)
        TRY(want_int(run, &arguments->items[i], "range", &bounds[i]));
    int64_t start = arguments->n_items == 1 ? 0 : bounds[0];
    int64_t stop = arguments->n_items == 1 ? bounds[0] : bounds[1], step = bounds[2];
    if (step == 0) return run_fail(run, STATUS_BAD_INPUT, "the step of range is 0");
    uint64_t distance = 0, stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (step > 0 && stop > start) distance = (uint64_t)stop - (uint64_t)start;
    if (step < 0 && stop < start) distance = (uint64_t)start - (uint64_t)stop;
    uint64_t n = distance / stride + (distance % stride != 0);
    if (n > RANGE_ITEMS_MAX)
        return run_fail(run, STATUS_BAD_INPUT, "range is longer than %d", RANGE_ITEMS_MAX);
    struct range *range = arena_alloc(&run->arena, sizeof *range);
    if (!range) return run_no_memory(run);
    *range = (struct range){start, stop, step, (size_t)n};
    *result = (struct value){.kind = VALUE_RANGE, .as.range = range};
    return STATUS_OK;
}

static enum status call_cycler(struct run *run, const struct arguments *arguments,
                               struct value *result) {
    if (arguments->n_items == 0 || arguments->n_keywords)
        return run_fail(run, STATUS_BAD_INPUT, "cycler needs at least one item");
    struct cycler *cycler = arena_alloc(&run->arena, sizeof *cycler);
    if (!cycler) return run_no_memory(run);
    TRY(run_new_list(run, arguments->n_items, &cycler->items));
    for (size_t i = 0; i < arguments->n_items; i++)
        TRY(run_append(run, cycler->items, arguments->items[i]));
    *result = (struct value){.kind = VALUE_CYCLER, .as.cycler = cycler};
    return STATUS_OK;
}

static enum status call_joiner(struct run *run, const struct arguments *arguments,
                               struct value *result) {
    static const char *const names[] = {"sep"};
    struct value separator;
    TRY(bind_arguments(run, "joiner", arguments, names, 1, 0, &separator));
    struct cycler *joiner = arena_alloc(&run->arena, sizeof *joiner);
    if (!joiner) return run_no_memory(run);
    if (separator.kind == VALUE_MISSING) TRY(run_literal(run, ", ", &separator));
    TRY(to_text(run, &separator, &joiner->separator));
    *result = (struct value){.kind = VALUE_JOINER, .as.cycler = joiner};
    return STATUS_OK;
}

static enum status call_raise(struct run *run, const struct arguments *arguments) {
    static const char *const names[] = {"message"};
    struct value message;
    struct text *text;
    TRY(bind_arguments(run, "raise_exception", arguments, names, 1, 1, &message));
    TRY(to_text(run, &message, &text));
    // What was computed while rendering may quote a message, and messages hold patient text: only
    // the template's own words are repeated.
    if (arena_holds(&run->arena, text))
        return error_set(run->err, STATUS_BAD_INPUT,
                         "the chat template refuses these messages (line %d; its reason quotes "
                         "them and is not shown)",
                         run->line);
    return error_set(run->err, STATUS_BAD_INPUT, "the chat template refuses: %.*s",
                     text->size_bytes < 400 ? (int)text->size_bytes : 400, text->data);
}

enum status call_function(struct run *run, int function, struct arguments *arguments,
                          struct value *result) {
    struct dict *dict = NULL;
    struct text *format;
    struct value slot;
    static const char *const format_names[] = {"format"};
    switch (function) {
    case FUNCTION_NAMESPACE:
    case FUNCTION_DICT:
        TRY(make_dict(run, arguments, &dict));
        *result = value_dict(dict);
        if (function == FUNCTION_NAMESPACE) result->kind = VALUE_NAMESPACE;
        return STATUS_OK;
    case FUNCTION_RANGE:
        return call_range(run, arguments, result);
    case FUNCTION_CYCLER:
        return call_cycler(run, arguments, result);
    case FUNCTION_JOINER:
        return call_joiner(run, arguments, result);
    case FUNCTION_RAISE:
        return call_raise(run, arguments);
    case FUNCTION_STRFTIME_NOW:
        TRY(bind_arguments(run, "strftime_now", arguments, format_names, 1, 1, &slot));
        TRY(want_text(run, &slot, "strftime_now", &format));
        return format_time(run, format, result);
    default:
        return run_fail(run, STATUS_UNSUPPORTED, "the function '%s' is not supported",
                        function_names[function]);
    }
}

static const struct keyword *find_keyword(const struct arguments *arguments,
                                          const struct text *name) {
    for (size_t i = 0; i < arguments->n_keywords; i++)
        if (text_equal(arguments->keywords[i].name, name)) return &arguments->keywords[i];
    return NULL;
}

static bool is_parameter(const struct signature *signature, const struct text *name) {
    for (size_t i = 0; i < signature->n_names; i++)
        if (text_equal(signature->names[i], name)) return true;
    return false;
}

// Positional arguments beyond the parameters, and keyword arguments without one.
static enum status bind_rest(struct run *run, const struct signature *signature,
                             const struct arguments *arguments, struct scope *scope) {
    if (signature->uses_varargs) {
        struct list *rest;
        TRY(run_new_list(run, 0, &rest));
        for (size_t i = signature->n_names; i < arguments->n_items; i++)
            TRY(run_append(run, rest, arguments->items[i]));
        TRY(scope_bind(run, scope, run->names->varargs, value_tuple(rest)));
    } else if (arguments->n_items > signature->n_names) {
        return run_fail(run, STATUS_BAD_INPUT, "the macro takes at most %zu arguments",
                        signature->n_names);
    }
    struct dict *rest = dict_create(&run->arena);
    if (!rest) return run_no_memory(run);
    for (size_t i = 0; i < arguments->n_keywords; i++) {
        const struct keyword *keyword = &arguments->keywords[i];
        if (is_parameter(signature, keyword->name)) continue;
        if (signature->uses_caller && text_equals(keyword->name, "caller"))
            TRY(scope_bind(run, scope, run->names->caller, keyword->value));
        else if (signature->uses_kwargs)
            TRY(run_set(run, rest, value_text((struct text *)keyword->name), keyword->value));
        else
            return run_fail(run, STATUS_BAD_INPUT, "the macro takes no argument '%.*s'",
                            (int)(keyword->name->size_bytes & 63), keyword->name->data);
    }
    if (signature->uses_kwargs) TRY(scope_bind(run, scope, run->names->kwargs, value_dict(rest)));
    return STATUS_OK;
}

static enum status bind_parameters(struct run *run, const struct signature *signature,
                                   const struct arguments *arguments, struct scope *scope) {
    size_t n_plain = signature->n_names - signature->n_defaults;
    if (signature->uses_caller && !is_parameter(signature, run->names->caller))
        TRY(scope_bind(run, scope, run->names->caller, value_undefined(NULL)));
    TRY(bind_rest(run, signature, arguments, scope));
    for (size_t i = 0; i < signature->n_names; i++) {
        const struct text *name = signature->names[i];
        const struct keyword *keyword = find_keyword(arguments, name);
        struct value value = value_undefined((struct text *)name);
        if (i < arguments->n_items && keyword)
            return run_fail(run, STATUS_BAD_INPUT, "the macro got an argument twice");
        if (i < arguments->n_items)
            value = arguments->items[i];
        else if (keyword)
            value = keyword->value;
        else if (i >= n_plain)
            TRY(eval_node(run, signature->defaults[i - n_plain], &value));
        TRY(scope_bind(run, scope, name, value));
    }
    return STATUS_OK;
}

enum status call_macro(struct run *run, const struct macro *macro, struct arguments *arguments,
                       struct value *result) {
    struct scope *outer = run->scope, *scope;
    enum flow flow = run->flow;
    TRY(run_enter(run));
    run->scope = macro->scope;
    run->flow = FLOW_ON;
    TRY(scope_push(run, &scope));
    TRY(bind_parameters(run, macro->node->signature, arguments, scope));
    TRY(exec_captured(run, macro->node->body, result));
    run->scope = outer;
    run->flow = flow;
    run_leave(run);
    return STATUS_OK;
}

static enum status call_joined(struct run *run, struct cycler *joiner, struct value *result) {
    if (joiner->next++ == 0) return run_literal(run, "", result);
    *result = value_text(joiner->separator);
    return STATUS_OK;
}

enum status call_value(struct run *run, const struct value *callee, struct arguments *arguments,
                       struct value *result) {
    TRY(run_steps(run, 1));
    switch (callee->kind) {
    case VALUE_MACRO:
        return call_macro(run, callee->as.macro, arguments, result);
    case VALUE_FUNCTION:
        return call_function(run, callee->as.function, arguments, result);
    case VALUE_METHOD:
        return call_method(run, callee->as.method, arguments, result);
    case VALUE_LOOP:
        if (arguments->n_items != 1 || arguments->n_keywords)
            return run_fail(run, STATUS_BAD_INPUT, "loop() takes one argument");
        return exec_loop_call(run, callee->as.loop, &arguments->items[0], result);
    case VALUE_JOINER:
        return call_joined(run, callee->as.cycler, result);
    case VALUE_UNDEFINED:
        return run_fail(run, STATUS_BAD_INPUT, "call of an undefined value: %.*s",
                        callee->as.text && callee->as.text->size_bytes < 100
                            ? (int)callee->as.text->size_bytes
                            : 0,
                        callee->as.text ? callee->as.text->data : "");
    default:
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be called", value_type_name(callee));
    }
}
