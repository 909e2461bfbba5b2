// SPDX-License-Identifier: Apache-2.0
// Tests ("x is defined") and the attributes of the variable "loop".
#include "template/jinja_lexer.h"
#include "template/jinja_run.h"
#include "template/jinja_str.h"

#include <string.h>

enum test {
    TEST_DEFINED,
    TEST_UNDEFINED,
    TEST_NONE,
    TEST_BOOLEAN,
    TEST_FALSE,
    TEST_TRUE,
    TEST_INTEGER,
    TEST_FLOAT,
    TEST_NUMBER,
    TEST_STRING,
    TEST_MAPPING,
    TEST_SEQUENCE,
    TEST_ITERABLE,
    TEST_CALLABLE,
    TEST_ESCAPED,
    TEST_LOWER,
    TEST_UPPER,
    TEST_ODD,
    TEST_EVEN,
    TEST_DIVISIBLE_BY,
    TEST_SAME_AS,
    TEST_IN,
    TEST_FILTER,
    TEST_TEST,
    TEST_EQ,
    TEST_NE,
    TEST_LT,
    TEST_LE,
    TEST_GT,
    TEST_GE
};

static const struct {
    const char *name;
    enum test test;
    size_t n_arguments;
} tests[] = {
    {"defined", TEST_DEFINED, 0},
    {"undefined", TEST_UNDEFINED, 0},
    {"none", TEST_NONE, 0},
    {"boolean", TEST_BOOLEAN, 0},
    {"false", TEST_FALSE, 0},
    {"true", TEST_TRUE, 0},
    {"integer", TEST_INTEGER, 0},
    {"float", TEST_FLOAT, 0},
    {"number", TEST_NUMBER, 0},
    {"string", TEST_STRING, 0},
    {"mapping", TEST_MAPPING, 0},
    {"sequence", TEST_SEQUENCE, 0},
    {"iterable", TEST_ITERABLE, 0},
    {"callable", TEST_CALLABLE, 0},
    {"escaped", TEST_ESCAPED, 0},
    {"lower", TEST_LOWER, 0},
    {"upper", TEST_UPPER, 0},
    {"odd", TEST_ODD, 0},
    {"even", TEST_EVEN, 0},
    {"divisibleby", TEST_DIVISIBLE_BY, 1},
    {"sameas", TEST_SAME_AS, 1},
    {"in", TEST_IN, 1},
    {"filter", TEST_FILTER, 0},
    {"test", TEST_TEST, 0},
    {"eq", TEST_EQ, 1},
    {"equalto", TEST_EQ, 1},
    {"==", TEST_EQ, 1},
    {"ne", TEST_NE, 1},
    {"!=", TEST_NE, 1},
    {"lt", TEST_LT, 1},
    {"lessthan", TEST_LT, 1},
    {"<", TEST_LT, 1},
    {"le", TEST_LE, 1},
    {"<=", TEST_LE, 1},
    {"gt", TEST_GT, 1},
    {"greaterthan", TEST_GT, 1},
    {">", TEST_GT, 1},
    {"ge", TEST_GE, 1},
    {">=", TEST_GE, 1},
};

static int find_test(const struct text *name) {
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (text_equals(name, tests[i].name)) return (int)i;
    return -1;
}

bool test_exists(const struct text *name) {
    return find_test(name) >= 0;
}

static bool is_iterable(const struct value *value) {
    switch (value->kind) {
    case VALUE_UNDEFINED:
    case VALUE_TEXT:
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
    case VALUE_VIEW:
    case VALUE_ITERATOR:
    case VALUE_RANGE:
    case VALUE_LOOP:
        return true;
    default:
        return false;
    }
}

static bool is_sequence(const struct value *value) {
    return is_iterable(value) && value->kind != VALUE_VIEW && value->kind != VALUE_ITERATOR &&
           value->kind != VALUE_LOOP;
}

static bool is_callable(const struct value *value) {
    return value->kind == VALUE_MACRO || value->kind == VALUE_FUNCTION ||
           value->kind == VALUE_METHOD || value->kind == VALUE_LOOP ||
           value->kind == VALUE_JOINER || value->kind == VALUE_UNDEFINED;
}

static bool is_same(struct run *run, const struct value *a, const struct value *b) {
    return a->kind == b->kind && a->markup == b->markup &&
           (a->kind <= VALUE_TEXT ? value_equal(&run->arena, a, b, VALUE_DEPTH_MAX)
                                  : a->as.list == b->as.list);
}

static enum status has_case(struct run *run, const struct value *input, bool upper, bool *result) {
    struct value text = *input, answer;
    if (input->kind != VALUE_TEXT) {
        TRY(to_text(run, input, &text.as.text));
        text = value_text(text.as.text);
    }
    TRY(upper ? str_isupper(run, &text, NULL, &answer) : str_islower(run, &text, NULL, &answer));
    *result = answer.as.boolean;
    return STATUS_OK;
}

static enum status remainder_is(struct run *run, const struct value *input,
                                const struct value *divisor, int64_t wanted, bool *result) {
    struct value rest, expected = value_int(wanted);
    TRY(operate_binary(run, TOKEN_MOD, input, divisor, &rest));
    *result = value_equal(&run->arena, &rest, &expected, VALUE_DEPTH_MAX);
    return STATUS_OK;
}

static enum status known_name(struct run *run, const struct value *input, bool of_filter,
                              bool *result) {
    (void)run;
    *result = input->kind == VALUE_TEXT &&
              (of_filter ? filter_exists(input->as.text) : test_exists(input->as.text));
    return STATUS_OK;
}

static bool holds_for_kind(enum test test, const struct value *input) {
    switch (test) {
    case TEST_DEFINED:
        return input->kind != VALUE_UNDEFINED;
    case TEST_UNDEFINED:
        return input->kind == VALUE_UNDEFINED;
    case TEST_NONE:
        return input->kind == VALUE_NONE;
    case TEST_BOOLEAN:
        return input->kind == VALUE_BOOL;
    case TEST_FALSE:
        return input->kind == VALUE_BOOL && !input->as.boolean;
    case TEST_TRUE:
        return input->kind == VALUE_BOOL && input->as.boolean;
    case TEST_INTEGER:
        return input->kind == VALUE_INT;
    case TEST_FLOAT:
        return input->kind == VALUE_FLOAT;
    case TEST_NUMBER:
        return value_is_number(input);
    case TEST_STRING:
        return input->kind == VALUE_TEXT;
    case TEST_MAPPING:
        return input->kind == VALUE_DICT;
    case TEST_SEQUENCE:
        return is_sequence(input);
    case TEST_ITERABLE:
        return is_iterable(input);
    case TEST_CALLABLE:
        return is_callable(input);
    default:
        return input->kind == VALUE_TEXT && input->markup;
    }
}

static enum status run_test(struct run *run, enum test test, const struct value *input,
                            const struct value *argument, bool *result) {
    const struct value two = value_int(2);
    switch (test) {
    case TEST_LOWER:
    case TEST_UPPER:
        return has_case(run, input, test == TEST_UPPER, result);
    case TEST_ODD:
        return remainder_is(run, input, &two, 1, result);
    case TEST_EVEN:
        return remainder_is(run, input, &two, 0, result);
    case TEST_DIVISIBLE_BY:
        return remainder_is(run, input, argument, 0, result);
    case TEST_SAME_AS:
        *result = is_same(run, input, argument);
        return STATUS_OK;
    case TEST_IN:
        return run_contains(run, argument, input, result);
    case TEST_FILTER:
    case TEST_TEST:
        return known_name(run, input, test == TEST_FILTER, result);
    case TEST_EQ:
        return operate_compare(run, COMPARE_EQ, input, argument, result);
    case TEST_NE:
        return operate_compare(run, COMPARE_NE, input, argument, result);
    case TEST_LT:
        return operate_compare(run, COMPARE_LT, input, argument, result);
    case TEST_LE:
        return operate_compare(run, COMPARE_LE, input, argument, result);
    case TEST_GT:
        return operate_compare(run, COMPARE_GT, input, argument, result);
    case TEST_GE:
        return operate_compare(run, COMPARE_GE, input, argument, result);
    default:
        *result = holds_for_kind(test, input);
        return STATUS_OK;
    }
}

enum status test_call(struct run *run, const struct text *name, const struct value *input,
                      const struct arguments *arguments, bool *result) {
    static const char *const parameters[] = {""};
    struct value argument = {0};
    int found = find_test(name);
    TRY(run_steps(run, 1));
    if (found < 0)
        return run_fail(run, STATUS_BAD_INPUT, "there is no test '%.*s'",
                        (int)(name->size_bytes < 40 ? name->size_bytes : 40), name->data);
    size_t n = tests[found].n_arguments;
    TRY(bind_arguments(run, tests[found].name, arguments, parameters, n, n, &argument));
    return run_test(run, tests[found].test, input, &argument, result);
}

// ---- The variable "loop"
// -------------------------------------------------------------------------

enum { LOOP_CYCLE = 1, LOOP_CHANGED = 2 };

static const char *const loop_names[] = {"index",    "index0", "revindex", "revindex0", "first",
                                         "last",     "length", "depth",    "depth0",    "previtem",
                                         "nextitem", "cycle",  "changed"};

static struct value neighbour(const struct loop *loop, bool exists, size_t index) {
    return exists ? loop->items->items[index] : value_undefined(NULL);
}

enum status loop_attribute(struct run *run, struct loop *loop, const struct text *name,
                           struct value *result) {
    size_t n = loop->items->n_items, i = loop->index, which = 0;
    const size_t n_names = sizeof loop_names / sizeof loop_names[0];
    while (which < n_names && !text_equals(name, loop_names[which]))
        which++;
    *result = (struct value){.kind = VALUE_MISSING};
    if (which >= n_names) return STATUS_OK;
    if (which >= 11) {
        struct method *method = arena_alloc(&run->arena, sizeof *method);
        if (!method) return run_no_memory(run);
        method->self = (struct value){.kind = VALUE_LOOP, .as.loop = loop};
        method->which = which == 11 ? -LOOP_CYCLE : -LOOP_CHANGED;
        *result = (struct value){.kind = VALUE_METHOD, .as.method = method};
        return STATUS_OK;
    }
    const struct value values[] = {
        value_int((int64_t)i + 1),
        value_int((int64_t)i),
        value_int((int64_t)(n - i)),
        value_int((int64_t)(n - i) - 1),
        value_bool(i == 0),
        value_bool(i + 1 == n),
        value_int((int64_t)n),
        value_int(loop->depth + 1),
        value_int(loop->depth),
        neighbour(loop, i > 0, i - 1),
        neighbour(loop, i + 1 < n, i + 1),
    };
    *result = values[which];
    return STATUS_OK;
}

enum status loop_method(struct run *run, const struct method *method,
                        const struct arguments *arguments, struct value *result) {
    struct loop *loop = method->self.as.loop;
    if (method->which == -LOOP_CYCLE) {
        if (arguments->n_items == 0)
            return run_fail(run, STATUS_BAD_INPUT, "loop.cycle needs items");
        *result = arguments->items[loop->index % arguments->n_items];
        return STATUS_OK;
    }
    struct list *list;
    TRY(run_new_list(run, arguments->n_items, &list));
    for (size_t i = 0; i < arguments->n_items; i++)
        TRY(run_append(run, list, arguments->items[i]));
    struct value now = value_tuple(list);
    bool same = loop->has_changed_values &&
                value_equal(&run->arena, &loop->changed_values, &now, VALUE_DEPTH_MAX);
    loop->has_changed_values = true;
    loop->changed_values = now;
    *result = value_bool(!same);
    return STATUS_OK;
}
