// SPDX-License-Identifier: Apache-2.0
// Translates the few places where the dialects differ (nested classes, \w, script names) and runs
// PCRE2 under a step limit. Just-in-time compilation is used where the system allows it.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/split_regex.h"

#include "base/buffer.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATTERN_BYTES_MAX = 1 << 16,
    MATCH_LIMIT = 20000000,
    JIT_STACK_START_BYTES = 32 * 1024,
    JIT_STACK_BYTES = 4 * 1024 * 1024
};

struct split_regex {
    pcre2_code *code;
};

struct split_scratch {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

// What \w and \s stand for in both dialects; PCRE2's own differ in marks and in U+180E.
#define SPACE_CLASS                                                                                \
    "\\t-\\r "                                                                                     \
    "\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORD_CLASS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

// \p{Name}: a name of more than two letters is a script; PCRE2 alone would take script extensions.
static size_t translate_property(const char *pattern, size_t size, struct buffer *out) {
    size_t end = 3;
    while (end < size && pattern[end] != '}')
        end++;
    bool is_script = end > 5 && end < size && pattern[3] != '^' &&
                     memchr(pattern + 3, ':', end - 3) == NULL &&
                     memchr(pattern + 3, '=', end - 3) == NULL &&
                     strncmp(pattern + 3, "Any}", 4) != 0 && strncmp(pattern + 3, "Alpha", 5) != 0;
    buffer_append(out, pattern, 3);
    if (is_script) buffer_append_text(out, "sc:");
    buffer_append(out, pattern + 3, end - 3);
    return end;
}

static size_t translate_escape(const char *pattern, size_t size, bool in_class,
                               struct buffer *out) {
    if (size >= 3 && (pattern[1] == 'p' || pattern[1] == 'P') && pattern[2] == '{')
        return translate_property(pattern, size, out);
    static const struct {
        char letter;
        const char *inside, *outside; // of a class; NULL: left to PCRE2
    } classes[] = {{'w', WORD_CLASS, "[" WORD_CLASS "]"},
                   {'W', NULL, "[^" WORD_CLASS "]"},
                   {'s', SPACE_CLASS, "[" SPACE_CLASS "]"},
                   {'S', NULL, "[^" SPACE_CLASS "]"}};
    for (size_t i = 0; size >= 2 && i < sizeof classes / sizeof classes[0]; i++) {
        const char *text = in_class ? classes[i].inside : classes[i].outside;
        if (classes[i].letter != pattern[1] || text == NULL) continue;
        buffer_append_text(out, text);
        return 2;
    }
    size_t used = size >= 2 ? 2 : 1;
    buffer_append(out, pattern, used);
    return used;
}

// A nested class "[a[bc]]" is a union, which for PCRE2 is written without the inner brackets.
static enum status translate(const char *pattern, size_t size, struct buffer *out,
                             struct error *err) {
    int depth = 0;
    for (size_t i = 0; i < size;) {
        char c = pattern[i];
        bool next_is = i + 1 < size;
        if (c == '\\') {
            i += translate_escape(pattern + i, size - i, depth > 0, out);
            continue;
        }
        if (depth > 0 && next_is &&
            ((c == '&' && pattern[i + 1] == '&') || (c == '[' && pattern[i + 1] == '^')))
            return error_set(err, STATUS_UNSUPPORTED,
                             "tokenizer: character class intersection in a regular expression");
        if (c == '[' && depth > 0 && next_is && pattern[i + 1] == ':') {
            const char *close = memchr(pattern + i, ']', size - i);
            size_t length = close == NULL ? size - i : (size_t)(close - pattern) - i + 1;
            buffer_append(out, pattern + i, length);
            i += length;
            continue;
        }
        bool inner = (c == '[' && depth > 0) || (c == ']' && depth > 1);
        if (c == '[') depth++;
        if (c == ']' && depth > 0) depth--;
        if (!inner) buffer_append(out, &c, 1);
        i++;
        // "[]" and "[^]" open with a literal bracket.
        if (c == '[' && i < size && pattern[i] == '^') buffer_append(out, pattern + i++, 1);
        if (c == '[' && i < size && pattern[i] == ']') {
            buffer_append_text(out, "\\]");
            i++;
        }
    }
    return STATUS_OK;
}

static enum status translate_literal(const char *pattern, size_t size, struct buffer *out) {
    for (size_t i = 0; i < size; i++) {
        bool plain = (pattern[i] & 0x80) != 0 || (pattern[i] >= 'a' && pattern[i] <= 'z') ||
                     (pattern[i] >= 'A' && pattern[i] <= 'Z') ||
                     (pattern[i] >= '0' && pattern[i] <= '9');
        if (plain)
            buffer_append(out, &pattern[i], 1);
        else
            buffer_append_format(out, "\\x{%02x}", (unsigned)(unsigned char)pattern[i]);
    }
    return out->status;
}

enum status split_regex_compile(struct split_regex **regex, const char *pattern,
                                size_t pattern_bytes, bool literal, struct error *err) {
    *regex = NULL;
    if (pattern_bytes > PATTERN_BYTES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer: regular expression of %zu bytes",
                         pattern_bytes);
    struct buffer text;
    buffer_init(&text, (size_t)PATTERN_BYTES_MAX * 16);
    enum status status = literal ? translate_literal(pattern, pattern_bytes, &text)
                                 : translate(pattern, pattern_bytes, &text, err);
    struct split_regex *result = NULL;
    if (status == STATUS_OK && text.status == STATUS_OK) result = calloc(1, sizeof *result);
    if (result == NULL) {
        buffer_deinit(&text);
        return status != STATUS_OK ? status : error_no_memory(err, "regex", sizeof *result);
    }
    int code;
    PCRE2_SIZE offset;
    result->code = pcre2_compile(
        text.size_bytes == 0 ? (PCRE2_SPTR) "" : (PCRE2_SPTR)text.data, text.size_bytes,
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
    buffer_deinit(&text);
    if (result->code == NULL) {
        char message[128] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        free(result);
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer: regular expression: %s (at %zu)",
                         message, (size_t)offset);
    }
    // Failure only means slower matching.
    (void)pcre2_jit_compile(result->code, PCRE2_JIT_COMPLETE);
    *regex = result;
    return STATUS_OK;
}

void split_regex_destroy(struct split_regex *regex) {
    if (regex == NULL) return;
    pcre2_code_free(regex->code);
    free(regex);
}

enum status split_scratch_create(struct split_scratch **scratch, struct error *err) {
    struct split_scratch *result = calloc(1, sizeof *result);
    if (result != NULL) {
        result->match = pcre2_match_data_create(1, NULL);
        result->context = pcre2_match_context_create(NULL);
        result->stack = pcre2_jit_stack_create(JIT_STACK_START_BYTES, JIT_STACK_BYTES, NULL);
    }
    *scratch = result;
    if (result == NULL || result->match == NULL || result->context == NULL) {
        split_scratch_destroy(result);
        *scratch = NULL;
        return error_no_memory(err, "regex scratch", sizeof *result);
    }
    pcre2_set_match_limit(result->context, MATCH_LIMIT);
    if (result->stack != NULL) pcre2_jit_stack_assign(result->context, NULL, result->stack);
    return STATUS_OK;
}

void split_scratch_destroy(struct split_scratch *scratch) {
    if (scratch == NULL) return;
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch);
}

enum status split_regex_find(const struct split_regex *regex, struct split_scratch *scratch,
                             const char *text, size_t text_bytes, size_t start_bytes, bool *found,
                             size_t *begin_bytes, size_t *end_bytes, struct error *err) {
    PCRE2_SPTR subject = (PCRE2_SPTR)(text == NULL ? "" : text);
    int code = pcre2_match(regex->code, subject, text_bytes, start_bytes, PCRE2_NO_UTF_CHECK,
                           scratch->match, scratch->context);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(regex->code, subject, text_bytes, start_bytes,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->match, scratch->context);
    *found = code >= 0;
    if (code < 0 && code != PCRE2_ERROR_NOMATCH)
        return error_set(err, STATUS_FAILED,
                         "tokenizer: splitting a text of %zu bytes exceeded its limit (code %d); "
                         "feed shorter texts",
                         text_bytes, code);
    if (*found) {
        const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(scratch->match);
        *begin_bytes = offsets[0];
        *end_bytes = offsets[1];
    }
    return STATUS_OK;
}
