// SPDX-License-Identifier: Apache-2.0
#include "template/jinja_str.h"

#include "base/utf8.h"

#include <string.h>

static enum status change_case(struct run *run, const struct value *self, enum text_case how,
                               struct value *result) {
    TRY(run_steps(run, 1 + self->as.text->size_bytes / 8));
    struct text *text = text_change_case(&run->arena, self->as.text, how);
    if (!text) return run_no_memory(run);
    *result = value_text(text);
    result->markup = self->markup;
    return STATUS_OK;
}

enum status str_upper(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    (void)slots;
    return change_case(run, self, CASE_UPPER, result);
}

enum status str_lower(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    (void)slots;
    return change_case(run, self, CASE_LOWER, result);
}

enum status str_title(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    (void)slots;
    return change_case(run, self, CASE_TITLE, result);
}

enum status str_capitalize(struct run *run, const struct value *self, const struct value *slots,
                           struct value *result) {
    (void)slots;
    return change_case(run, self, CASE_CAPITALIZE, result);
}

enum status str_swapcase(struct run *run, const struct value *self, const struct value *slots,
                         struct value *result) {
    (void)slots;
    return change_case(run, self, CASE_SWAP, result);
}

static enum status pad(struct run *run, const struct value *self, size_t n_left, size_t n_right,
                       const struct text *fill, struct value *result) {
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(run_steps(run, 1 + (n_left + n_right) / 8));
    for (size_t i = 0; i < n_left && !builder.failed; i++)
        builder_append_text(&builder, fill);
    builder_append_text(&builder, self->as.text);
    for (size_t i = 0; i < n_right && !builder.failed; i++)
        builder_append_text(&builder, fill);
    TRY(run_built(run, &builder, result));
    result->markup = self->markup;
    return STATUS_OK;
}

// How many fill characters are due, and which.
static enum status padding(struct run *run, const struct value *self, const struct value *slots,
                           size_t *n, struct text *fill) {
    int64_t width;
    struct text *given;
    *fill = (struct text){.data = " ", .size_bytes = 1, .n_chars = 1};
    TRY(want_int(run, &slots[0], "a width", &width));
    if (slots[1].kind != VALUE_MISSING) {
        TRY(want_text(run, &slots[1], "a fill character", &given));
        *fill = *given;
    }
    if (text_chars(fill) != 1)
        return run_fail(run, STATUS_BAD_INPUT, "a fill must be one character");
    int64_t length = (int64_t)text_chars(self->as.text);
    *n = width > length ? (size_t)(width - length) : 0;
    return STATUS_OK;
}

enum status str_ljust(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    size_t n = 0;
    struct text fill;
    TRY(padding(run, self, slots, &n, &fill));
    return pad(run, self, 0, n, &fill, result);
}

enum status str_rjust(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    size_t n = 0;
    struct text fill;
    TRY(padding(run, self, slots, &n, &fill));
    return pad(run, self, n, 0, &fill, result);
}

enum status str_center(struct run *run, const struct value *self, const struct value *slots,
                       struct value *result) {
    size_t n = 0;
    struct text fill;
    TRY(padding(run, self, slots, &n, &fill));
    // Python puts the odd one left where the width is odd.
    size_t width = n + text_chars(self->as.text), left = n / 2 + (n & width & 1);
    return pad(run, self, left, n - left, &fill, result);
}

enum status str_zfill(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    size_t n = 0;
    struct text fill;
    struct value width[2] = {slots[0], {0}}, sign, rest, padded;
    TRY(padding(run, self, width, &n, &fill));
    const struct text *text = self->as.text;
    size_t n_sign = text->size_bytes && (text->data[0] == '-' || text->data[0] == '+');
    fill.data = "0";
    TRY(str_part(run, self, 0, n_sign, &sign));
    TRY(str_part(run, self, n_sign, text->size_bytes, &rest));
    TRY(pad(run, &rest, n, 0, &fill, &padded));
    struct text *joined = text_concat(&run->arena, sign.as.text, padded.as.text);
    if (!joined) return run_no_memory(run);
    *result = value_text(joined);
    return STATUS_OK;
}

static enum status all_are(struct run *run, const struct value *self, bool (*is)(uint32_t code),
                           struct value *result) {
    const struct text *text = self->as.text;
    bool all = text->size_bytes > 0;
    for (size_t i = 0; all && i < text->size_bytes;) {
        uint32_t code;
        i += utf8_decode(text->data + i, text->size_bytes - i, &code);
        all = is(code);
    }
    *result = value_bool(all);
    return run_steps(run, 1 + text->size_bytes / 8);
}

static bool is_alnum(uint32_t code) {
    return code_is_alpha(code) || code_is_digit(code);
}

enum status str_isalpha(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return all_are(run, self, code_is_alpha, result);
}

enum status str_isdigit(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return all_are(run, self, code_is_digit, result);
}

enum status str_isalnum(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return all_are(run, self, is_alnum, result);
}

enum status str_isspace(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return all_are(run, self, code_is_space, result);
}

// True if some character has this case and none has another.
static enum status has_case(struct run *run, const struct value *self, bool (*is)(uint32_t code),
                            struct value *result) {
    const struct text *text = self->as.text;
    bool some = false, others = false;
    for (size_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        i += utf8_decode(text->data + i, text->size_bytes - i, &code);
        if (is(code))
            some = true;
        else
            others |= code_is_cased(code);
    }
    *result = value_bool(some && !others);
    return run_steps(run, 1 + text->size_bytes / 8);
}

enum status str_isupper(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return has_case(run, self, code_is_upper, result);
}

enum status str_islower(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    return has_case(run, self, code_is_lower, result);
}

enum status str_isascii(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    (void)slots;
    *result = value_bool(text_chars(self->as.text) == self->as.text->size_bytes);
    return run_steps(run, 1 + self->as.text->size_bytes / 64);
}
