// SPDX-License-Identifier: Apache-2.0
// Integers are 64 bits wide; Python's longer ones are refused, never wrapped.
#include "template/jinja_literal.h"

#include "base/utf8.h"
#include "template/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 400 };

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 99;
}

// End of digits of this base from `at`, "_" allowed between two of them; `at` if there are none.
static size_t skip_digits(const char *source, size_t size_bytes, size_t at, int base) {
    if (at >= size_bytes || digit_value(source[at]) >= base) return at;
    while (at < size_bytes) {
        if (digit_value(source[at]) < base)
            at++;
        else if (source[at] == '_' && at + 1 < size_bytes && digit_value(source[at + 1]) < base)
            at += 2;
        else
            break;
    }
    return at;
}

static bool parse_digits(const char *digits, size_t n, int base, int64_t *integer) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] == '_') continue;
        uint64_t digit = (uint64_t)digit_value(digits[i]);
        if (value > (INT64_MAX - digit) / (uint64_t)base) return false;
        value = value * (uint64_t)base + digit;
    }
    *integer = (int64_t)value;
    return true;
}

static bool parse_real(const char *digits, size_t n, double *real) {
    char text[NUMBER_TEXT_MAX];
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] == '_') continue;
        if (length + 1 >= sizeof text) return false;
        text[length++] = digits[i];
    }
    text[length] = '\0';
    char *end;
    *real = strtod(text, &end);
    return end == text + length && length > 0;
}

// Where a float that begins at `at` ends; 0 if it is not one.
static size_t float_end(const char *source, size_t size_bytes, size_t at) {
    if (at > 0 && source[at - 1] == '.') return 0;
    size_t whole = skip_digits(source, size_bytes, at, 10), end = whole;
    if (whole < size_bytes && source[whole] == '.') {
        size_t fraction = skip_digits(source, size_bytes, whole + 1, 10);
        if (fraction > whole + 1) end = fraction;
    }
    if (end < size_bytes && (source[end] == 'e' || source[end] == 'E')) {
        size_t exponent = end + 1;
        if (exponent < size_bytes && (source[exponent] == '+' || source[exponent] == '-'))
            exponent++;
        size_t after = skip_digits(source, size_bytes, exponent, 10);
        if (after > exponent) return after;
    }
    return end > whole ? end : 0;
}

const char *literal_number(const char *source, size_t source_bytes, size_t at,
                           struct number_literal *number) {
    memset(number, 0, sizeof *number);
    size_t end = float_end(source, source_bytes, at);
    if (end) {
        number->is_float = true;
        number->size_bytes = end - at;
        return parse_real(source + at, end - at, &number->real) ? NULL : "number is too long";
    }
    int base = 10;
    size_t digits = at;
    if (source[at] == '0' && at + 2 < source_bytes) {
        char letter = source[at + 1] | 0x20;
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        if (base != 10) {
            digits = at + 2 + (source[at + 2] == '_');
            if (skip_digits(source, source_bytes, digits, base) == digits) base = 10, digits = at;
        }
    }
    // A decimal that begins with 0 is zeros alone: "007" reads as 00 and then 7.
    end = base == 10 && source[at] == '0' ? skip_digits(source, source_bytes, digits, 1)
                                          : skip_digits(source, source_bytes, digits, base);
    number->size_bytes = end - at;
    return parse_digits(source + digits, end - digits, base, &number->integer)
               ? NULL
               : "integer needs more than 64 bits";
}

static const char *append_code(struct text_builder *builder, const char *hex, size_t n_digits,
                               size_t n_left) {
    uint32_t code = 0;
    if (n_left < n_digits) return "truncated escape in string";
    for (size_t i = 0; i < n_digits; i++) {
        if (digit_value(hex[i]) >= 16) return "truncated escape in string";
        code = code << 4 | (uint32_t)digit_value(hex[i]);
    }
    char bytes[4];
    if (utf8_write(code, bytes) == 0) return "escape in string is no character";
    builder_append_code(builder, code);
    return NULL;
}

// Up to three octal digits from source[at]; returns how many.
static size_t append_octal(struct text_builder *builder, const char *source, size_t n_left) {
    uint32_t code = 0;
    size_t n = 0;
    while (n < 3 && n < n_left && source[n] >= '0' && source[n] <= '7')
        code = code * 8 + (uint32_t)(source[n++] - '0');
    builder_append_code(builder, code);
    return n;
}

// A backslash before a character that is no escape stays; Python then spells the character out.
static size_t append_unknown(struct text_builder *builder, const char *at, size_t n_left) {
    uint32_t code;
    size_t used = utf8_decode(at, n_left, &code);
    builder_append_literal(builder, "\\");
    if (code < 0x80) {
        builder_append(builder, at, used);
    } else {
        char spelled[16];
        snprintf(spelled, sizeof spelled,
                 code < 0x100     ? "x%02x"
                 : code < 0x10000 ? "u%04x"
                                  : "U%08x",
                 code);
        builder_append_literal(builder, spelled);
    }
    return used;
}

// One escape sequence; at[0] is the character after the backslash. Sets how much was used.
static const char *unescape_one(struct text_builder *builder, const char *at, size_t n_left,
                                size_t *used) {
    static const char simple[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    *used = 1;
    if (*at == '\n') return NULL;
    for (const char *pair = simple; *pair; pair += 2) {
        if (*pair != *at) continue;
        builder_append(builder, pair + 1, 1);
        return NULL;
    }
    if (*at >= '0' && *at <= '7') {
        *used = append_octal(builder, at, n_left);
        return NULL;
    }
    size_t n_digits = *at == 'x' ? 2 : *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
    if (n_digits) {
        *used = 1 + n_digits;
        return append_code(builder, at + 1, n_digits, n_left - 1);
    }
    if (*at == 'N') return "named characters in strings are not supported";
    *used = append_unknown(builder, at, n_left);
    return NULL;
}

const char *literal_unescape(struct arena *arena, const char *source, size_t source_bytes,
                             struct text *text) {
    text->n_chars = TEXT_CHARS_UNKNOWN;
    text->data = source;
    text->size_bytes = source_bytes;
    if (source_bytes == 0 || !memchr(source, '\\', source_bytes)) return NULL;
    struct text_builder builder;
    builder_init(&builder, arena, source_bytes * 8);
    for (size_t i = 0; i < source_bytes;) {
        if (source[i] != '\\' || i + 1 == source_bytes) {
            builder_append(&builder, source + i++, 1);
            continue;
        }
        size_t used;
        const char *problem = unescape_one(&builder, source + i + 1, source_bytes - i - 1, &used);
        if (problem) return problem;
        i += 1 + used;
    }
    if (builder.failed) return "template is too large";
    text->data = builder.data ? builder.data : "";
    text->size_bytes = builder.size_bytes;
    return NULL;
}

void float_to_text(double real, char text[FLOAT_TEXT_MAX]) {
    if (isnan(real) || isinf(real)) {
        snprintf(text, FLOAT_TEXT_MAX, "%s", isnan(real) ? "nan" : real > 0 ? "inf" : "-inf");
        return;
    }
    char digits[FLOAT_TEXT_MAX];
    int precision = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", precision, real);
    while (precision++ < 17 && strtod(digits, NULL) != real);
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        // Python writes 1e+16 and 1e-05 just as printf does.
        snprintf(text, FLOAT_TEXT_MAX, "%s", digits);
        return;
    }
    int decimals = precision - 1 - exponent;
    snprintf(text, FLOAT_TEXT_MAX, "%.*f", decimals > 0 ? decimals : 1, real);
}

static void strip_number(const struct text *text, size_t *begin, size_t *end) {
    *begin = 0;
    *end = text->size_bytes;
    text_strip_range(text->data, begin, end, NULL, STRIP_LEFT | STRIP_RIGHT);
}

bool text_to_int(const struct text *text, int base, int64_t *integer) {
    size_t at, end;
    strip_number(text, &at, &end);
    if (at == end || base < 2 || base > 36) return false;
    bool negative = text->data[at] == '-';
    if (negative || text->data[at] == '+') at++;
    char prefix = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
    if (prefix && end - at > 2 && text->data[at] == '0' && (text->data[at + 1] | 0x20) == prefix)
        at += 2 + (text->data[at + 2] == '_');
    if (skip_digits(text->data, end, at, base) != end || at == end) return false;
    if (!parse_digits(text->data + at, end - at, base, integer)) return false;
    if (negative) *integer = -*integer;
    return true;
}

static bool is_word(const char *data, size_t n, const char *word) {
    if (n != strlen(word)) return false;
    for (size_t i = 0; i < n; i++)
        if ((data[i] | 0x20) != word[i]) return false;
    return true;
}

bool text_to_float(const struct text *text, double *real) {
    size_t at, end;
    strip_number(text, &at, &end);
    if (at == end) return false;
    bool negative = text->data[at] == '-';
    if (negative || text->data[at] == '+') at++;
    const char *data = text->data + at;
    size_t n = end - at;
    if (is_word(data, n, "nan"))
        *real = (double)NAN;
    else if (is_word(data, n, "inf") || is_word(data, n, "infinity"))
        *real = (double)INFINITY;
    else {
        for (size_t i = 0; i < n; i++)
            if (!strchr("0123456789.eE+-_", data[i]) || data[i] == '\0') return false;
        if (n == 0 || data[0] == '+' || data[0] == '-' || data[0] == '_' || data[n - 1] == '_')
            return false;
        if (!parse_real(data, n, real)) return false;
    }
    if (negative) *real = -*real;
    return true;
}
