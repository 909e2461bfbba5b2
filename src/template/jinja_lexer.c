// SPDX-License-Identifier: Apache-2.0
// Two modes: data between tags, and the inside of tags. The source is first normalized (one kind of
// newline, one trailing newline dropped), so columns refer to that form.
#include "template/jinja_lexer.h"

#include "base/utf8.h"
#include "template/jinja_literal.h"
#include "template/jinja_text.h"

#include <string.h>

enum { BRACKETS_MAX = 1000 };

struct lexer {
    struct arena *arena;
    char *source;
    size_t size_bytes, at;
    struct token_array *tokens;
    char brackets[BRACKETS_MAX]; // closing brackets that are due
    size_t n_brackets;
    size_t line_at; // where line and line_start were last counted to
    int line;
    size_t line_start;
    struct error *err;
};

const char *token_kind_name(enum token_kind kind) {
    static const char *const names[] = {
        [TOKEN_EOF] = "end of template",
        [TOKEN_DATA] = "template text",
        [TOKEN_BLOCK_BEGIN] = "'{%'",
        [TOKEN_BLOCK_END] = "'%}'",
        [TOKEN_VARIABLE_BEGIN] = "'{{'",
        [TOKEN_VARIABLE_END] = "'}}'",
        [TOKEN_NAME] = "name",
        [TOKEN_STRING] = "string",
        [TOKEN_INTEGER] = "integer",
        [TOKEN_FLOAT] = "float",
        [TOKEN_ADD] = "'+'",
        [TOKEN_SUB] = "'-'",
        [TOKEN_MUL] = "'*'",
        [TOKEN_DIV] = "'/'",
        [TOKEN_FLOORDIV] = "'//'",
        [TOKEN_MOD] = "'%'",
        [TOKEN_POW] = "'**'",
        [TOKEN_TILDE] = "'~'",
        [TOKEN_EQ] = "'=='",
        [TOKEN_NE] = "'!='",
        [TOKEN_GT] = "'>'",
        [TOKEN_GTEQ] = "'>='",
        [TOKEN_LT] = "'<'",
        [TOKEN_LTEQ] = "'<='",
        [TOKEN_ASSIGN] = "'='",
        [TOKEN_DOT] = "'.'",
        [TOKEN_COLON] = "':'",
        [TOKEN_COMMA] = "','",
        [TOKEN_PIPE] = "'|'",
        [TOKEN_SEMICOLON] = "';'",
        [TOKEN_LPAREN] = "'('",
        [TOKEN_RPAREN] = "')'",
        [TOKEN_LBRACKET] = "'['",
        [TOKEN_RBRACKET] = "']'",
        [TOKEN_LBRACE] = "'{'",
        [TOKEN_RBRACE] = "'}'",
    };
    return names[kind];
}

static void locate(struct lexer *lexer, size_t at, int *line, int *column) {
    for (; lexer->line_at < at; lexer->line_at++)
        if (lexer->source[lexer->line_at] == '\n') {
            lexer->line++;
            lexer->line_start = lexer->line_at + 1;
        }
    *line = lexer->line;
    *column = (int)(at - lexer->line_start) + 1;
}

static enum status fail(struct lexer *lexer, const char *what) {
    int line, column;
    locate(lexer, lexer->at, &line, &column);
    return error_set(lexer->err, STATUS_BAD_INPUT, "template line %d column %d: %s", line, column,
                     what);
}

static enum status add_token(struct lexer *lexer, enum token_kind kind, size_t at,
                             struct token **added) {
    struct token_array *tokens = lexer->tokens;
    if (tokens->n_items == tokens->capacity) {
        size_t capacity = tokens->capacity ? tokens->capacity * 2 : 64;
        struct token *items = arena_grow(lexer->arena, tokens->items,
                                         tokens->n_items * sizeof *items, capacity * sizeof *items);
        if (!items) return error_set(lexer->err, STATUS_NO_MEMORY, "template is too large");
        tokens->items = items;
        tokens->capacity = capacity;
    }
    struct token *token = &tokens->items[tokens->n_items++];
    *token = (struct token){.kind = kind, .text = {.data = "", .n_chars = TEXT_CHARS_UNKNOWN}};
    locate(lexer, at, &token->line, &token->column);
    if (added) *added = token;
    return STATUS_OK;
}

static enum status add_data(struct lexer *lexer, size_t from, size_t to) {
    if (from == to) return STATUS_OK;
    struct token *token;
    TRY(add_token(lexer, TOKEN_DATA, from, &token));
    token->text.data = lexer->source + from;
    token->text.size_bytes = to - from;
    return STATUS_OK;
}

static bool is_at(const struct lexer *lexer, size_t at, const char *literal) {
    size_t length = strlen(literal);
    return at <= lexer->size_bytes && lexer->size_bytes - at >= length &&
           memcmp(lexer->source + at, literal, length) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t at) {
    size_t end = lexer->size_bytes;
    text_strip_range(lexer->source, &at, &end, NULL, STRIP_LEFT);
    return at;
}

// The end of a tag at `at`: "+X", "-X" and the white space after it, or "X" and (trim_blocks) one
// newline. Returns the position after it, or 0.
static size_t match_end(const struct lexer *lexer, size_t at, const char *closing, bool trim) {
    if (trim && is_at(lexer, at, "+") && is_at(lexer, at + 1, closing)) return at + 3;
    if (is_at(lexer, at, "-") && is_at(lexer, at + 1, closing)) return skip_space(lexer, at + 3);
    if (!is_at(lexer, at, closing)) return 0;
    at += 2;
    return trim && is_at(lexer, at, "\n") ? at + 1 : at;
}

// Data [from, to) before a tag with this sign: strips what the sign or lstrip_blocks takes away.
static size_t strip_data(const struct lexer *lexer, size_t from, size_t to, char sign,
                         bool is_variable) {
    size_t begin = from, end = to;
    if (sign == '-') {
        text_strip_range(lexer->source, &begin, &end, NULL, STRIP_RIGHT);
        return end;
    }
    if (sign == '+' || is_variable) return to;
    size_t line = to;
    while (line > from && lexer->source[line - 1] != '\n')
        line--;
    if (line == from && from > 0 && lexer->source[from - 1] != '\n') return to;
    return skip_space(lexer, line) >= to ? line : to;
}

static char sign_at(const struct lexer *lexer, size_t at) {
    return is_at(lexer, at, "-") ? '-' : is_at(lexer, at, "+") ? '+' : '\0';
}

// "{% raw %}": returns the position after it, or 0.
static size_t match_raw_begin(const struct lexer *lexer, size_t at) {
    at += 2;
    if (sign_at(lexer, at)) at++;
    at = skip_space(lexer, at);
    if (!is_at(lexer, at, "raw")) return 0;
    at = skip_space(lexer, at + 3);
    return match_end(lexer, at, "%}", false);
}

static enum status lex_raw(struct lexer *lexer) {
    size_t from = lexer->at;
    for (size_t at = from; at < lexer->size_bytes; at++) {
        if (!is_at(lexer, at, "{%")) continue;
        char sign = sign_at(lexer, at + 2);
        size_t name = skip_space(lexer, at + 2 + (sign != '\0'));
        if (!is_at(lexer, name, "endraw")) continue;
        size_t end = match_end(lexer, skip_space(lexer, name + 6), "%}", true);
        if (!end) continue;
        TRY(add_data(lexer, from, strip_data(lexer, from, at, sign, false)));
        lexer->at = end;
        return STATUS_OK;
    }
    // Python's lexer ends quietly where nothing at all follows.
    return from == lexer->size_bytes ? STATUS_OK : fail(lexer, "missing end of raw block");
}

static enum status lex_comment(struct lexer *lexer) {
    for (size_t at = lexer->at; at < lexer->size_bytes; at++) {
        size_t end = match_end(lexer, at, "#}", true);
        if (!end) continue;
        lexer->at = end;
        return STATUS_OK;
    }
    return lexer->at == lexer->size_bytes ? STATUS_OK : fail(lexer, "missing end of comment");
}

static size_t find_tag(const struct lexer *lexer) {
    size_t at = lexer->at;
    while (at + 1 < lexer->size_bytes) {
        const char *brace = memchr(lexer->source + at, '{', lexer->size_bytes - at - 1);
        if (!brace) break;
        at = (size_t)(brace - lexer->source);
        char second = brace[1];
        if (second == '%' || second == '{' || second == '#') return at;
        at++;
    }
    return lexer->size_bytes;
}

static const struct {
    char text[3];
    enum token_kind kind;
} operators[] = {
    {"//", TOKEN_FLOORDIV}, {"**", TOKEN_POW},      {"==", TOKEN_EQ},    {"!=", TOKEN_NE},
    {">=", TOKEN_GTEQ},     {"<=", TOKEN_LTEQ},     {"+", TOKEN_ADD},    {"-", TOKEN_SUB},
    {"/", TOKEN_DIV},       {"*", TOKEN_MUL},       {"%", TOKEN_MOD},    {"~", TOKEN_TILDE},
    {"[", TOKEN_LBRACKET},  {"]", TOKEN_RBRACKET},  {"(", TOKEN_LPAREN}, {")", TOKEN_RPAREN},
    {"{", TOKEN_LBRACE},    {"}", TOKEN_RBRACE},    {">", TOKEN_GT},     {"<", TOKEN_LT},
    {"=", TOKEN_ASSIGN},    {".", TOKEN_DOT},       {":", TOKEN_COLON},  {"|", TOKEN_PIPE},
    {",", TOKEN_COMMA},     {";", TOKEN_SEMICOLON},
};

static enum status track_bracket(struct lexer *lexer, char c) {
    static const char closing[] = {['('] = ')', ['['] = ']', ['{'] = '}'};
    if (c == '(' || c == '[' || c == '{') {
        if (lexer->n_brackets == BRACKETS_MAX) return fail(lexer, "brackets nest too deep");
        lexer->brackets[lexer->n_brackets++] = closing[(unsigned char)c];
    } else if (c == ')' || c == ']' || c == '}') {
        if (lexer->n_brackets == 0 || lexer->brackets[lexer->n_brackets - 1] != c)
            return fail(lexer, "unexpected closing bracket");
        lexer->n_brackets--;
    }
    return STATUS_OK;
}

static enum status lex_operator(struct lexer *lexer) {
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!is_at(lexer, lexer->at, operators[i].text)) continue;
        TRY(track_bracket(lexer, operators[i].text[0]));
        TRY(add_token(lexer, operators[i].kind, lexer->at, NULL));
        lexer->at += strlen(operators[i].text);
        return STATUS_OK;
    }
    return fail(lexer, "unexpected character");
}

static enum status lex_name(struct lexer *lexer) {
    size_t from = lexer->at;
    while (lexer->at < lexer->size_bytes) {
        uint32_t code;
        size_t used = utf8_decode(lexer->source + lexer->at, lexer->size_bytes - lexer->at, &code);
        if (!code_is_identifier(code)) break;
        lexer->at += used;
    }
    struct token *token;
    TRY(add_token(lexer, TOKEN_NAME, from, &token));
    token->text.data = lexer->source + from;
    token->text.size_bytes = lexer->at - from;
    return STATUS_OK;
}

static enum status lex_string(struct lexer *lexer) {
    char quote = lexer->source[lexer->at];
    size_t from = lexer->at + 1, to = from;
    while (to < lexer->size_bytes && lexer->source[to] != quote)
        to += lexer->source[to] == '\\' ? 2 : 1;
    if (to >= lexer->size_bytes) return fail(lexer, "string has no end");
    struct token *token;
    TRY(add_token(lexer, TOKEN_STRING, lexer->at, &token));
    const char *problem =
        literal_unescape(lexer->arena, lexer->source + from, to - from, &token->text);
    if (problem) return fail(lexer, problem);
    lexer->at = to + 1;
    return STATUS_OK;
}

static enum status lex_number(struct lexer *lexer) {
    struct number_literal number;
    const char *problem = literal_number(lexer->source, lexer->size_bytes, lexer->at, &number);
    if (problem) return fail(lexer, problem);
    struct token *token;
    TRY(add_token(lexer, number.is_float ? TOKEN_FLOAT : TOKEN_INTEGER, lexer->at, &token));
    token->integer = number.integer;
    token->real = number.real;
    lexer->at += number.size_bytes;
    return STATUS_OK;
}

// The inside of a tag, up to and with its end.
static enum status lex_tag(struct lexer *lexer, bool is_block) {
    lexer->n_brackets = 0;
    for (;;) {
        lexer->at = skip_space(lexer, lexer->at);
        if (lexer->at >= lexer->size_bytes) return fail(lexer, "tag has no end");
        if (lexer->n_brackets == 0) {
            size_t end = match_end(lexer, lexer->at, is_block ? "%}" : "}}", is_block);
            if (end) {
                TRY(add_token(lexer, is_block ? TOKEN_BLOCK_END : TOKEN_VARIABLE_END, lexer->at,
                              NULL));
                lexer->at = end;
                return STATUS_OK;
            }
        }
        char c = lexer->source[lexer->at];
        uint32_t code;
        utf8_decode(lexer->source + lexer->at, lexer->size_bytes - lexer->at, &code);
        if (c >= '0' && c <= '9')
            TRY(lex_number(lexer));
        else if (code_is_identifier(code))
            TRY(lex_name(lexer));
        else if (c == '"' || c == '\'')
            TRY(lex_string(lexer));
        else
            TRY(lex_operator(lexer));
    }
}

static enum status lex_template(struct lexer *lexer) {
    while (lexer->at < lexer->size_bytes) {
        size_t from = lexer->at, tag = find_tag(lexer);
        if (tag == lexer->size_bytes) {
            lexer->at = tag;
            return add_data(lexer, from, tag);
        }
        char kind = lexer->source[tag + 1], sign = sign_at(lexer, tag + 2);
        TRY(add_data(lexer, from, strip_data(lexer, from, tag, sign, kind == '{')));
        size_t after_raw = kind == '%' ? match_raw_begin(lexer, tag) : 0;
        lexer->at = after_raw ? after_raw : tag + 2 + (sign != '\0');
        if (after_raw) {
            TRY(lex_raw(lexer));
        } else if (kind == '#') {
            TRY(lex_comment(lexer));
        } else {
            TRY(add_token(lexer, kind == '%' ? TOKEN_BLOCK_BEGIN : TOKEN_VARIABLE_BEGIN, tag,
                          NULL));
            TRY(lex_tag(lexer, kind == '%'));
        }
    }
    return STATUS_OK;
}

// A copy with "\n" for every kind of newline and without one newline at the end.
static enum status normalize(struct lexer *lexer, const char *source, size_t source_bytes) {
    if (!utf8_is_valid(source, source_bytes))
        return error_set(lexer->err, STATUS_BAD_INPUT, "template is not valid UTF-8");
    lexer->source = arena_alloc(lexer->arena, source_bytes + 1);
    if (!lexer->source) return error_set(lexer->err, STATUS_NO_MEMORY, "template is too large");
    for (size_t i = 0; i < source_bytes; i++) {
        if (source[i] != '\r')
            lexer->source[lexer->size_bytes++] = source[i];
        else if (i + 1 == source_bytes || source[i + 1] != '\n')
            lexer->source[lexer->size_bytes++] = '\n';
    }
    if (lexer->size_bytes && lexer->source[lexer->size_bytes - 1] == '\n') lexer->size_bytes--;
    return STATUS_OK;
}

enum status jinja_lex(struct arena *arena, const char *source, size_t source_bytes,
                      struct token_array *tokens, struct error *err) {
    struct lexer lexer = {.arena = arena, .tokens = tokens, .line = 1, .err = err};
    *tokens = (struct token_array){0};
    TRY(normalize(&lexer, source, source_bytes));
    TRY(lex_template(&lexer));
    return add_token(&lexer, TOKEN_EOF, lexer.size_bytes, NULL);
}
