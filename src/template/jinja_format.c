// SPDX-License-Identifier: Apache-2.0
// "…" % values, "…".format(…) and strftime. Formats come from the template, so widths and
// precisions are limited before anything is padded.
#include "template/jinja_literal.h"
#include "template/jinja_run.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH_MAX = 10000, PRECISION_MAX = 100, NUMBER_MAX = 512 };

// What stands between '%' or ':' and the type letter.
struct format_spec {
    uint32_t fill;
    char align; // '<' '>' '^' '=' or 0
    char sign;  // '+' ' ' or 0
    bool zero, alternate;
    char grouping;         // ',' '_' or 0
    long width, precision; // -1: not given
    char type;
};

static enum status bad_format(struct run *run) {
    return run_fail(run, STATUS_BAD_INPUT, "a format is not valid or not supported");
}

// Digits with a separator between thousands.
static void group_digits(const char *digits, char separator, char *out) {
    size_t n = strspn(digits, "0123456789"), length = 0;
    for (size_t i = 0; i < n; i++) {
        if (separator && i && (n - i) % 3 == 0) out[length++] = separator;
        out[length++] = digits[i];
    }
    snprintf(out + length, NUMBER_MAX - length, "%s", digits + n);
}

static void format_integer(int64_t integer, const struct format_spec *spec, char *digits) {
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    const char *prefix = "";
    if (spec->type == 'b') {
        size_t n = 0;
        while (n < 63 && magnitude >> (n + 1))
            n++;
        for (size_t i = 0; i <= n; i++)
            digits[i] = (char)('0' + (magnitude >> (n - i) & 1));
        digits[n + 1] = '\0';
        return;
    }
    if (spec->alternate) prefix = spec->type == 'x' ? "0x" : spec->type == 'X' ? "0X" : "";
    if (spec->alternate && spec->type == 'o') prefix = "0o";
    const char *format = spec->type == 'x'   ? "%s%llx"
                         : spec->type == 'X' ? "%s%llX"
                         : spec->type == 'o' ? "%s%llo"
                                             : "%s%llu";
    snprintf(digits, NUMBER_MAX, format, prefix, (unsigned long long)magnitude);
}

static void format_real(double real, const struct format_spec *spec, char *digits) {
    double magnitude = fabs(real);
    int precision = spec->precision < 0 ? 6 : (int)spec->precision;
    if (isnan(real) || isinf(real))
        snprintf(digits, NUMBER_MAX, "%s", isnan(real) ? "nan" : "inf");
    else if (spec->type == 'e' || spec->type == 'E')
        snprintf(digits, NUMBER_MAX, spec->type == 'e' ? "%.*e" : "%.*E", precision, magnitude);
    else if (spec->type == 'g' || spec->type == 'G')
        snprintf(digits, NUMBER_MAX, spec->type == 'g' ? "%.*g" : "%.*G", precision, magnitude);
    else if (spec->type == '%')
        snprintf(digits, NUMBER_MAX, "%.*f%%", precision, magnitude * 100);
    else if (spec->type == 'f' || spec->type == 'F')
        snprintf(digits, NUMBER_MAX, "%.*f", precision, magnitude);
    else
        float_to_text(magnitude, digits);
}

static void append_fill(struct text_builder *builder, uint32_t fill, long n) {
    for (long i = 0; i < n && !builder->failed; i++)
        builder_append_code(builder, fill);
}

// Pads `sign` and `body` (n_chars code points together) to the width.
static void append_padded(struct text_builder *builder, const struct format_spec *spec,
                          char default_align, const char *sign, const struct text *body,
                          size_t n_chars) {
    long n = spec->width - (long)(n_chars + strlen(sign));
    char align = spec->align ? spec->align : spec->zero ? '=' : default_align;
    uint32_t fill = spec->fill ? spec->fill : spec->zero ? '0' : ' ';
    if (n < 0) n = 0;
    long left = align == '<' ? 0 : align == '^' ? n / 2 : n;
    if (align != '=') append_fill(builder, fill, left);
    builder_append_literal(builder, sign);
    if (align == '=') append_fill(builder, fill, left);
    builder_append_text(builder, body);
    append_fill(builder, fill, n - left);
}

static enum status append_number(struct run *run, struct text_builder *builder,
                                 const struct value *value, struct format_spec *spec) {
    char digits[NUMBER_MAX], grouped[NUMBER_MAX];
    bool is_integer_type = spec->type && strchr("dboxX", spec->type);
    bool is_negative;
    if (value->kind == VALUE_FLOAT && is_integer_type) return bad_format(run);
    if (value->kind == VALUE_FLOAT || (spec->type && !is_integer_type)) {
        double real = value_as_double(value);
        if (fabs(real) > 1e300 && spec->type != 'e' && spec->type != 'g') return bad_format(run);
        is_negative = signbit(real) && !isnan(real);
        format_real(real, spec, digits);
    } else {
        is_negative = value_as_int(value) < 0;
        format_integer(value_as_int(value), spec, digits);
    }
    group_digits(digits, spec->grouping, grouped);
    const char sign[2] = {is_negative ? '-' : spec->sign, '\0'};
    struct text body = {.data = grouped, .size_bytes = strlen(grouped)};
    append_padded(builder, spec, '>', sign, &body, body.size_bytes);
    return STATUS_OK;
}

static void append_padded_text(struct text_builder *builder, struct text *text,
                               const struct format_spec *spec) {
    struct text cut = *text;
    if (spec->precision >= 0 && (size_t)spec->precision < text_chars(text)) {
        cut.size_bytes = text_offset(text, (size_t)spec->precision);
        cut.n_chars = (size_t)spec->precision;
    }
    append_padded(builder, spec, '<', "", &cut, text_chars(&cut));
}

// ---- "%d of %s" % values
// -------------------------------------------------------------------------

struct percent {
    struct run *run;
    const struct value *operand;
    size_t next;
    const char *at, *end;
};

static enum status next_operand(struct percent *percent, struct value *value) {
    const struct value *operand = percent->operand;
    size_t n = operand->kind == VALUE_TUPLE ? operand->as.list->n_items : 1;
    if (percent->next >= n)
        return run_fail(percent->run, STATUS_BAD_INPUT, "not enough values for a format");
    *value = operand->kind == VALUE_TUPLE ? operand->as.list->items[percent->next] : *operand;
    percent->next++;
    return STATUS_OK;
}

static enum status percent_number(struct percent *percent, long *number, long max) {
    if (percent->at < percent->end && *percent->at == '*') return bad_format(percent->run);
    long value = 0;
    while (percent->at < percent->end && *percent->at >= '0' && *percent->at <= '9') {
        value = value * 10 + (*percent->at++ - '0');
        if (value > max) return bad_format(percent->run);
    }
    *number = value;
    return STATUS_OK;
}

// After '%': "(name)", flags, width, precision, type.
static enum status percent_spec(struct percent *percent, struct format_spec *spec,
                                struct value *value, bool *has_value) {
    *spec = (struct format_spec){.width = -1, .precision = -1};
    *has_value = false;
    if (percent->at < percent->end && *percent->at == '(') {
        const char *close = memchr(percent->at, ')', (size_t)(percent->end - percent->at));
        if (!close || percent->operand->kind != VALUE_DICT) return bad_format(percent->run);
        struct value key;
        TRY(run_text(percent->run, percent->at + 1, (size_t)(close - percent->at - 1), &key));
        const struct value *found = dict_get(&percent->run->arena, percent->operand->as.dict, &key);
        if (!found) return run_fail(percent->run, STATUS_BAD_INPUT, "a format names no value");
        *value = *found;
        *has_value = true;
        percent->next = 1;
        percent->at = close + 1;
    }
    for (; percent->at < percent->end && strchr("-+ 0#", *percent->at) && *percent->at;
         percent->at++) {
        if (*percent->at == '-') spec->align = '<';
        if (*percent->at == '+') spec->sign = '+';
        if (*percent->at == ' ' && !spec->sign) spec->sign = ' ';
        if (*percent->at == '0') spec->zero = true;
        if (*percent->at == '#') spec->alternate = true;
    }
    TRY(percent_number(percent, &spec->width, WIDTH_MAX));
    if (percent->at < percent->end && *percent->at == '.') {
        percent->at++;
        TRY(percent_number(percent, &spec->precision, PRECISION_MAX));
    }
    if (percent->at == percent->end) return bad_format(percent->run);
    spec->type = *percent->at++;
    return STATUS_OK;
}

static enum status percent_one(struct percent *percent, struct text_builder *builder) {
    struct run *run = percent->run;
    struct format_spec spec;
    struct value value;
    bool has_value;
    TRY(percent_spec(percent, &spec, &value, &has_value));
    if (spec.type == '%') {
        builder_append_literal(builder, "%");
        return STATUS_OK;
    }
    if (!has_value) TRY(next_operand(percent, &value));
    TRY(run_steps(run, 1 + (spec.width > 0 ? (size_t)spec.width / 8 : 0)));
    if (spec.type == 's' || spec.type == 'r') {
        struct text_builder part;
        struct value text;
        builder_init(&part, &run->arena, run->arena.max_bytes);
        TRY(spec.type == 's' ? append_str(run, &part, &value) : append_repr(run, &part, &value));
        TRY(run_built(run, &part, &text));
        if (!spec.align) spec.align = '>';
        spec.zero = false;
        append_padded_text(builder, text.as.text, &spec);
        return STATUS_OK;
    }
    if (!value_is_number(&value) || !strchr("diufFeEgGxXo", spec.type)) return bad_format(run);
    if (strchr("diu", spec.type)) {
        spec.type = 'd';
        if (value.kind == VALUE_FLOAT) {
            if (!(fabs(value.as.real) < 9e18)) return bad_format(run);
            value = value_int((int64_t)value.as.real);
        }
    }
    if (spec.align == '<') spec.zero = false;
    return append_number(run, builder, &value, &spec);
}

enum status format_percent(struct run *run, const struct value *format, const struct value *operand,
                           struct value *result) {
    const struct text *text = format->as.text;
    struct percent percent = {run, operand, 0, text->data, text->data + text->size_bytes};
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(run_steps(run, 1 + text->size_bytes / 16));
    while (percent.at < percent.end) {
        const char *sign = memchr(percent.at, '%', (size_t)(percent.end - percent.at));
        const char *stop = sign ? sign : percent.end;
        builder_append(&builder, percent.at, (size_t)(stop - percent.at));
        percent.at = stop;
        if (!sign) break;
        percent.at++;
        TRY(percent_one(&percent, &builder));
    }
    bool may_be_unused = operand->kind == VALUE_DICT || operand->kind == VALUE_LIST ||
                         operand->kind == VALUE_RANGE || operand->kind == VALUE_UNDEFINED;
    size_t n_operands = operand->kind == VALUE_TUPLE ? operand->as.list->n_items : !may_be_unused;
    if (percent.next < n_operands)
        return run_fail(run, STATUS_BAD_INPUT, "not all values were used by a format");
    return run_built(run, &builder, result);
}

// ---- "{0} of {name:>8}".format(…)
// ----------------------------------------------------------------

struct braces {
    struct run *run;
    const struct arguments *arguments;
    size_t next;
};

static enum status find_argument(struct braces *braces, const char *name, size_t n,
                                 struct value *value) {
    char *end = NULL;
    char digits[12] = "";
    size_t index = braces->next;
    if (n && n < sizeof digits) memcpy(digits, name, n);
    if (n == 0)
        braces->next++;
    else
        index = (size_t)strtoul(digits, &end, 10);
    if (n == 0 || (end != digits && *end == '\0')) {
        if (index >= braces->arguments->n_items)
            return run_fail(braces->run, STATUS_BAD_INPUT, "not enough values for a format");
        *value = braces->arguments->items[index];
        return STATUS_OK;
    }
    const struct text key = {.data = name, .size_bytes = n};
    for (size_t i = 0; i < braces->arguments->n_keywords; i++)
        if (text_equal(braces->arguments->keywords[i].name, &key)) {
            *value = braces->arguments->keywords[i].value;
            return STATUS_OK;
        }
    return run_fail(braces->run, STATUS_BAD_INPUT, "a format names no value");
}

// "name.attribute[key]"
static enum status resolve_field(struct braces *braces, const char *at, const char *end,
                                 struct value *value) {
    const char *stop = at;
    while (stop < end && *stop != '.' && *stop != '[')
        stop++;
    TRY(find_argument(braces, at, (size_t)(stop - at), value));
    for (at = stop; at < end; at = stop) {
        struct value key, object = *value;
        bool is_item = *at++ == '[';
        stop = at;
        while (stop < end && (is_item ? *stop != ']' : *stop != '.' && *stop != '['))
            stop++;
        if (is_item && stop == end) return bad_format(braces->run);
        TRY(run_text(braces->run, at, (size_t)(stop - at), &key));
        int64_t index;
        if (is_item && text_to_int(key.as.text, 10, &index)) key = value_int(index);
        if (is_item)
            TRY(get_item(braces->run, &object, &key, value));
        else
            TRY(get_attribute(braces->run, &object, key.as.text, value));
        if (is_item) stop++;
    }
    return STATUS_OK;
}

static bool is_align(char c) {
    return c == '<' || c == '>' || c == '^' || c == '=';
}

static bool parse_count(const char **at, const char *end, long max, long *count) {
    if (*at == end || **at < '0' || **at > '9') return true;
    for (*count = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        *count = *count * 10 + (**at - '0');
        if (*count > max) return false;
    }
    return true;
}

// [[fill]align][sign][#][0][width][,][.precision][type]
static bool parse_spec(const char *at, const char *end, struct format_spec *spec) {
    *spec = (struct format_spec){.width = -1, .precision = -1};
    uint32_t code = 0;
    size_t used = at < end ? utf8_decode(at, (size_t)(end - at), &code) : 0;
    if (used && at + used < end && is_align(at[used])) {
        spec->fill = code;
        spec->align = at[used];
        at += used + 1;
    } else if (at < end && is_align(*at)) {
        spec->align = *at++;
    }
    if (at < end && (*at == '+' || *at == '-' || *at == ' ')) {
        spec->sign = *at == '-' ? '\0' : *at;
        at++;
    }
    if (at < end && *at == '#') spec->alternate = true, at++;
    if (at < end && *at == '0') spec->zero = true, at++;
    if (!parse_count(&at, end, WIDTH_MAX, &spec->width)) return false;
    if (at < end && (*at == ',' || *at == '_')) spec->grouping = *at++;
    if (at < end && *at == '.') {
        at++;
        if (!parse_count(&at, end, PRECISION_MAX, &spec->precision) || spec->precision < 0)
            return false;
    }
    if (at < end && strchr("sdbox XfFeEgG%", *at) && *at != ' ') spec->type = *at++;
    return at == end;
}

static enum status append_formatted(struct braces *braces, struct text_builder *builder,
                                    const struct value *value, struct format_spec *spec) {
    struct run *run = braces->run;
    TRY(run_steps(run, 1 + (spec->width > 0 ? (size_t)spec->width / 8 : 0)));
    bool is_plain_bool = value->kind == VALUE_BOOL && !spec->type && spec->width < 0;
    if (value_is_number(value) && !is_plain_bool && spec->type != 's') {
        if (value->kind == VALUE_FLOAT && !spec->type && spec->precision >= 0)
            return bad_format(run); // Python's own mix of 'g' and repr
        return append_number(run, builder, value, spec);
    }
    bool has_spec = spec->type || spec->width >= 0 || spec->precision >= 0 || spec->align;
    if (value->kind != VALUE_TEXT && !is_plain_bool && has_spec) return bad_format(run);
    if ((spec->type && spec->type != 's') || spec->sign || spec->align == '=')
        return bad_format(run);
    struct text *text;
    TRY(to_text(run, value, &text));
    if (spec->zero && !spec->align) spec->align = '<';
    append_padded_text(builder, text, spec);
    return STATUS_OK;
}

static enum status replace_field(struct braces *braces, struct text_builder *builder,
                                 const char *at, const char *end) {
    const char *colon = memchr(at, ':', (size_t)(end - at));
    const char *name_end = colon ? colon : end;
    const char *mark = memchr(at, '!', (size_t)(name_end - at));
    struct format_spec spec;
    struct value value;
    TRY(resolve_field(braces, at, mark ? mark : name_end, &value));
    if (mark && (name_end - mark != 2 || (mark[1] != 's' && mark[1] != 'r')))
        return bad_format(braces->run);
    if (!parse_spec(colon ? colon + 1 : end, end, &spec)) return bad_format(braces->run);
    if (mark) {
        struct text_builder part;
        builder_init(&part, &braces->run->arena, braces->run->arena.max_bytes);
        TRY(mark[1] == 's' ? append_str(braces->run, &part, &value)
                           : append_repr(braces->run, &part, &value));
        TRY(run_built(braces->run, &part, &value));
    }
    return append_formatted(braces, builder, &value, &spec);
}

enum status format_braces(struct run *run, const struct value *format, struct arguments *arguments,
                          struct value *result) {
    struct braces braces = {run, arguments, 0};
    struct text_builder builder;
    const char *at = format->as.text->data, *end = at + format->as.text->size_bytes;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(run_steps(run, 1 + format->as.text->size_bytes / 16));
    while (at < end) {
        if ((*at == '{' || *at == '}') && at + 1 < end && at[1] == *at) {
            builder_append(&builder, at, 1);
            at += 2;
        } else if (*at == '{') {
            const char *close = memchr(at, '}', (size_t)(end - at));
            if (!close || memchr(at + 1, '{', (size_t)(close - at - 1))) return bad_format(run);
            TRY(replace_field(&braces, &builder, at + 1, close));
            at = close + 1;
        } else if (*at == '}') {
            return bad_format(run);
        } else {
            builder_append(&builder, at++, 1);
        }
    }
    TRY(run_built(run, &builder, result));
    result->markup = format->markup;
    return STATUS_OK;
}
