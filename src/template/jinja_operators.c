// SPDX-License-Identifier: Apache-2.0
// Python's operators on the kinds that templates have. Results that Python would give in longer
// integers are refused; sizes of repeated sequences are checked before anything is built.
#include "template/jinja_run.h"

#include "template/jinja_lexer.h"

#include <math.h>
#include <string.h>

static enum status no_operation(struct run *run, const char *op, const struct value *left,
                                const struct value *right) {
    if (left->kind == VALUE_UNDEFINED || right->kind == VALUE_UNDEFINED) {
        const struct value *which = left->kind == VALUE_UNDEFINED ? left : right;
        const struct text *what = which->as.text;
        return run_fail(run, STATUS_BAD_INPUT, "'%s' with an undefined value%s%.*s", op,
                        what ? ": " : "",
                        what ? (what->size_bytes < 100 ? (int)what->size_bytes : 100) : 0,
                        what ? what->data : "");
    }
    return run_fail(run, STATUS_BAD_INPUT, "'%s' does not work for %s and %s", op,
                    value_type_name(left), value_type_name(right));
}

static enum status too_large(struct run *run) {
    return run_fail(run, STATUS_BAD_INPUT, "a number needs more than 64 bits");
}

static enum status divided_by_zero(struct run *run) {
    return run_fail(run, STATUS_BAD_INPUT, "division by zero");
}

static int64_t floor_divide(int64_t a, int64_t b) {
    int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static double floor_modulo(double a, double b) {
    double rest = fmod(a, b);
    if (rest != 0) return (rest < 0) != (b < 0) ? rest + b : rest;
    return copysign(0.0, b);
}

static double floor_divide_real(double a, double b) {
    double rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
    if (quotient == 0) return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static enum status power_ints(struct run *run, int64_t base, int64_t exponent,
                              struct value *result) {
    if (exponent < 0) {
        if (base == 0) return divided_by_zero(run);
        *result = value_float(pow((double)base, (double)exponent));
        return STATUS_OK;
    }
    int64_t power = 1;
    if (base == 0 || base == 1 || base == -1) {
        power = exponent == 0 || base == 1 ? 1 : base == 0 ? 0 : exponent % 2 ? -1 : 1;
        exponent = 0;
    }
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(power, base, &power)) return too_large(run);
    *result = value_int(power);
    return STATUS_OK;
}

static enum status operate_ints(struct run *run, int op, int64_t a, int64_t b,
                                struct value *result) {
    int64_t answer = 0;
    bool overflow = false;
    switch (op) {
    case TOKEN_ADD:
        overflow = __builtin_add_overflow(a, b, &answer);
        break;
    case TOKEN_SUB:
        overflow = __builtin_sub_overflow(a, b, &answer);
        break;
    case TOKEN_MUL:
        overflow = __builtin_mul_overflow(a, b, &answer);
        break;
    case TOKEN_POW:
        return power_ints(run, a, b, result);
    default:
        if (b == 0) return divided_by_zero(run);
        if (op == TOKEN_DIV) {
            *result = value_float((double)a / (double)b);
            return STATUS_OK;
        }
        overflow = a == INT64_MIN && b == -1;
        if (!overflow) answer = floor_divide(a, b);
        if (op == TOKEN_MOD) answer = overflow ? 0 : a - answer * b, overflow = false;
    }
    if (overflow) return too_large(run);
    *result = value_int(answer);
    return STATUS_OK;
}

static enum status operate_reals(struct run *run, int op, double a, double b,
                                 struct value *result) {
    bool divides = op == TOKEN_DIV || op == TOKEN_FLOORDIV || op == TOKEN_MOD;
    if (divides && b == 0) return divided_by_zero(run);
    double answer = op == TOKEN_ADD        ? a + b
                    : op == TOKEN_SUB      ? a - b
                    : op == TOKEN_MUL      ? a * b
                    : op == TOKEN_DIV      ? a / b
                    : op == TOKEN_FLOORDIV ? floor_divide_real(a, b)
                    : op == TOKEN_MOD      ? floor_modulo(a, b)
                                           : pow(a, b);
    if (op == TOKEN_POW && ((a == 0 && b < 0) || (isnan(answer) && !isnan(a) && !isnan(b)) ||
                            (isinf(answer) && !isinf(a) && !isinf(b))))
        return run_fail(run, STATUS_BAD_INPUT, "this power cannot be computed");
    *result = value_float(answer);
    return STATUS_OK;
}

static enum status add_texts(struct run *run, const struct value *left, const struct value *right,
                             struct value *result) {
    struct value a = *left, b = *right;
    bool markup = a.markup || b.markup;
    if (markup && !a.markup) TRY(escape_markup(run, left, &a));
    if (markup && !b.markup) TRY(escape_markup(run, right, &b));
    TRY(run_steps(run, 1 + b.as.text->size_bytes / 64));
    struct text *text = text_concat(&run->arena, a.as.text, b.as.text);
    if (!text) return run_no_memory(run);
    *result = value_text(text);
    result->markup = markup;
    return STATUS_OK;
}

static enum status add_lists(struct run *run, const struct value *left, const struct value *right,
                             struct value *result) {
    const struct list *a = left->as.list, *b = right->as.list;
    struct list *sum;
    TRY(run_new_list(run, a->n_items + b->n_items, &sum));
    for (size_t i = 0; i < a->n_items; i++)
        TRY(run_append(run, sum, a->items[i]));
    for (size_t i = 0; i < b->n_items; i++)
        TRY(run_append(run, sum, b->items[i]));
    *result = *left;
    result->as.list = sum;
    return STATUS_OK;
}

static enum status repeat_text(struct run *run, const struct value *value, size_t times,
                               struct value *result) {
    const struct text *text = value->as.text;
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (size_t i = 0; i < times && text->size_bytes && !builder.failed; i++) {
        TRY(run_steps(run, 1 + text->size_bytes / 64));
        builder_append_text(&builder, text);
    }
    TRY(run_built(run, &builder, result));
    result->markup = value->markup;
    return STATUS_OK;
}

static enum status repeat(struct run *run, const struct value *value, int64_t times,
                          struct value *result) {
    size_t n = times > 0 ? (size_t)times : 0;
    if (value->kind == VALUE_TEXT) return repeat_text(run, value, n, result);
    const struct list *list = value->as.list;
    struct list *product;
    TRY(run_new_list(run, 0, &product));
    for (size_t i = 0; i < n && list->n_items; i++)
        for (size_t j = 0; j < list->n_items; j++)
            TRY(run_append(run, product, list->items[j]));
    *result = *value;
    result->as.list = product;
    return STATUS_OK;
}

static bool is_sequence(const struct value *value) {
    return value->kind == VALUE_TEXT || value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

static bool is_whole(const struct value *value) {
    return value->kind == VALUE_INT || value->kind == VALUE_BOOL;
}

enum status operate_binary(struct run *run, int op, const struct value *left,
                           const struct value *right, struct value *result) {
    if (value_is_number(left) && value_is_number(right)) {
        if (is_whole(left) && is_whole(right))
            return operate_ints(run, op, value_as_int(left), value_as_int(right), result);
        return operate_reals(run, op, value_as_double(left), value_as_double(right), result);
    }
    if (op == TOKEN_ADD && left->kind == VALUE_TEXT && right->kind == VALUE_TEXT)
        return add_texts(run, left, right, result);
    if (op == TOKEN_ADD && left->kind == right->kind && is_sequence(left))
        return add_lists(run, left, right, result);
    if (op == TOKEN_MUL && is_sequence(left) && is_whole(right))
        return repeat(run, left, value_as_int(right), result);
    if (op == TOKEN_MUL && is_whole(left) && is_sequence(right))
        return repeat(run, right, value_as_int(left), result);
    if (op == TOKEN_MOD && left->kind == VALUE_TEXT)
        return format_percent(run, left, right, result);
    static const char *const names[] = {
        [TOKEN_ADD] = "+",       [TOKEN_SUB] = "-", [TOKEN_MUL] = "*",  [TOKEN_DIV] = "/",
        [TOKEN_FLOORDIV] = "//", [TOKEN_MOD] = "%", [TOKEN_POW] = "**",
    };
    return no_operation(run, names[op], left, right);
}

enum status operate_unary(struct run *run, int op, const struct value *operand,
                          struct value *result) {
    if (!value_is_number(operand))
        return no_operation(run, op == TOKEN_SUB ? "-" : "+", operand, operand);
    if (operand->kind == VALUE_FLOAT) {
        *result = value_float(op == TOKEN_SUB ? -operand->as.real : operand->as.real);
        return STATUS_OK;
    }
    int64_t integer = value_as_int(operand);
    if (op == TOKEN_SUB && integer == INT64_MIN) return too_large(run);
    *result = value_int(op == TOKEN_SUB ? -integer : integer);
    return STATUS_OK;
}

static enum status compare_order(struct run *run, int op, const struct value *left,
                                 const struct value *right, bool *result) {
    bool swapped = op == COMPARE_GT || op == COMPARE_LE;
    bool negated = op == COMPARE_LE || op == COMPARE_GE;
    bool is_nan = value_is_number(left) && value_is_number(right) &&
                  (isnan(value_as_double(left)) || isnan(value_as_double(right)));
    TRY(swapped ? run_less(run, right, left, result) : run_less(run, left, right, result));
    *result = is_nan ? false : *result != negated;
    return STATUS_OK;
}

enum status operate_compare(struct run *run, int op, const struct value *left,
                            const struct value *right, bool *result) {
    switch (op) {
    case COMPARE_EQ:
    case COMPARE_NE:
        *result = value_equal(&run->arena, left, right, VALUE_DEPTH_MAX) == (op == COMPARE_EQ);
        return run_steps(run, 1);
    case COMPARE_IN:
        return run_contains(run, right, left, result);
    case COMPARE_NOT_IN:
        TRY(run_contains(run, right, left, result));
        *result = !*result;
        return STATUS_OK;
    default:
        return compare_order(run, op, left, right, result);
    }
}
