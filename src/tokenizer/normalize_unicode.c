// SPDX-License-Identifier: Apache-2.0
// utf8proc does the tables; malformed bytes are copied between the well-formed runs.
#include "tokenizer/normalize_unicode.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

static void append_code(struct buffer *out, uint32_t code) {
    char bytes[4];
    buffer_append(out, bytes, utf8_write(code, bytes));
}

bool unicode_is_space(uint32_t code) {
    return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

static void normalize_run(enum unicode_form form, const char *text, size_t text_bytes,
                          struct buffer *out) {
    static const int options[] = {
        [UNICODE_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    utf8proc_uint8_t *result = NULL;
    utf8proc_ssize_t size =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)text_bytes, &result,
                     (utf8proc_option_t)options[form]);
    if (size < 0)
        out->status = STATUS_NO_MEMORY;
    else
        buffer_append(out, result, (size_t)size);
    free(result);
}

// ASCII needs no tables; the last ASCII character before others may take part in a composition.
static size_t plain_prefix(const char *text, size_t text_bytes) {
    size_t n = 0;
    while (n < text_bytes && (text[n] & 0x80) == 0)
        n++;
    return n < text_bytes && n > 0 ? n - 1 : n;
}

void unicode_normalize(enum unicode_form form, const char *text, size_t text_bytes,
                       struct buffer *out) {
    size_t plain = plain_prefix(text, text_bytes);
    buffer_append(out, text, plain);
    size_t begin = plain;
    for (size_t i = plain; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        if (code == UTF8_INVALID) {
            if (i > begin) normalize_run(form, text + begin, i - begin, out);
            buffer_append(out, text + i, used);
            begin = i + used;
        }
        i += used;
    }
    if (text_bytes > begin) normalize_run(form, text + begin, text_bytes - begin, out);
}

void unicode_lowercase(const char *text, size_t text_bytes, struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        if (code == UTF8_INVALID) {
            buffer_append(out, text + i, used);
        } else if (code == 0x130) { // the only letter whose lower case is two characters
            append_code(out, 'i');
            append_code(out, 0x307);
        } else {
            append_code(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code));
        }
        i += used;
    }
}

void unicode_strip_marks(const char *text, size_t text_bytes, bool only_nonspacing,
                         struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        utf8proc_category_t category = UTF8PROC_CATEGORY_CN;
        if (code != UTF8_INVALID) category = utf8proc_category((utf8proc_int32_t)code);
        bool is_mark = category == UTF8PROC_CATEGORY_MN ||
                       (!only_nonspacing &&
                        (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME));
        if (!is_mark) buffer_append(out, text + i, used);
        i += used;
    }
}

static bool is_control(uint32_t code) {
    if (code == '\t' || code == '\n' || code == '\r') return false;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}

void unicode_clean(const char *text, size_t text_bytes, struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        bool dropped = code == 0 || code == 0xfffd || code == UTF8_INVALID || is_control(code);
        if (!dropped && unicode_is_space(code))
            buffer_append(out, " ", 1);
        else if (!dropped)
            buffer_append(out, text + i, used);
        i += used;
    }
}

static bool is_ideograph(uint32_t code) {
    return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) ||
           (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f) ||
           (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b920 && code <= 0x2ceaf) ||
           (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}

void unicode_separate_ideographs(const char *text, size_t text_bytes, struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        bool separate = is_ideograph(code);
        if (separate) buffer_append(out, " ", 1);
        buffer_append(out, text + i, used);
        if (separate) buffer_append(out, " ", 1);
        i += used;
    }
}

void unicode_clean_nmt(const char *text, size_t text_bytes, struct buffer *out) {
    for (size_t i = 0; i < text_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, text_bytes - i, &code);
        bool dropped = (code >= 1 && code <= 8) || code == 0xb || (code >= 0xe && code <= 0x1f) ||
                       code == 0x7f || code == 0x8f || code == 0x9f;
        bool space = code == 9 || code == 10 || code == 12 || code == 13 || code == 0x1680 ||
                     (code >= 0x200b && code <= 0x200f) || code == 0x2028 || code == 0x2029 ||
                     code == 0x2581 || code == 0xfeff || code == 0xfffd;
        if (space)
            buffer_append(out, " ", 1);
        else if (!dropped)
            buffer_append(out, text + i, used);
        i += used;
    }
}

size_t unicode_grapheme(const char *text, size_t text_bytes) {
    uint32_t before;
    size_t end = utf8_decode(text, text_bytes, &before);
    utf8proc_int32_t state = 0;
    while (end < text_bytes && before != UTF8_INVALID) {
        uint32_t code;
        size_t used = utf8_decode(text + end, text_bytes - end, &code);
        if (code == UTF8_INVALID || utf8proc_grapheme_break_stateful(
                                        (utf8proc_int32_t)before, (utf8proc_int32_t)code, &state))
            break;
        before = code;
        end += used;
    }
    return end;
}
