// SPDX-License-Identifier: Apache-2.0
// Template source to tokens. Owns the whitespace rules (trim_blocks, lstrip_blocks, "-" and "+"
// marks, one trailing newline dropped), raw blocks, comments and string escapes.
#ifndef XL_TEMPLATE_JINJA_LEXER_H
#define XL_TEMPLATE_JINJA_LEXER_H

#include "base/status.h"
#include "template/jinja_value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum token_kind {
    TOKEN_EOF,
    TOKEN_DATA,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_VARIABLE_BEGIN,
    TOKEN_VARIABLE_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_ADD,
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_FLOORDIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_TILDE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_GT,
    TOKEN_GTEQ,
    TOKEN_LT,
    TOKEN_LTEQ,
    TOKEN_ASSIGN,
    TOKEN_DOT,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_PIPE,
    TOKEN_SEMICOLON,
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_LBRACKET,
    TOKEN_RBRACKET,
    TOKEN_LBRACE,
    TOKEN_RBRACE
};

struct token {
    enum token_kind kind;
    int line, column; // from 1; column counts bytes
    struct text text; // DATA, NAME, STRING: the (unescaped) text
    int64_t integer;  // INTEGER
    double real;      // FLOAT
};

struct token_array {
    struct token *items; // ends with TOKEN_EOF
    size_t n_items, capacity;
};

// Tokens live in `arena`. STATUS_BAD_INPUT names line and column.
enum status jinja_lex(struct arena *arena, const char *source, size_t source_bytes,
                      struct token_array *tokens, struct error *err);
// What a message calls it: "name", "'+'", "end of statement block".
const char *token_kind_name(enum token_kind kind);

#ifdef __cplusplus
}
#endif
#endif
