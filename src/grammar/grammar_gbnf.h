// SPDX-License-Identifier: Apache-2.0
// GBNF, the notation of llama.cpp's users, to a grammar_program:
//   root ::= greeting ("," ws name){1,3} # a comment
//   name ::= [A-Z] [a-zé\-]* | "\u674f" .?
// Rules, alternatives, groups, texts, classes with ranges and ^, the escapes \n \r \t \\ \" \[ \]
// \xHH \uHHHH \UHHHHHHHH, "." for any character, repetition * + ? {n} {n,} {m,n}. A rule may go on
// in the next line. Rules that begin with themselves are refused.
#ifndef XL_GRAMMAR_GRAMMAR_GBNF_H
#define XL_GRAMMAR_GRAMMAR_GBNF_H

#include "grammar/grammar_program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GBNF_BYTES_MAX = 1 << 20, GBNF_DEPTH_MAX = 200, GBNF_REPEAT_MAX = 1000000 };

// Errors name the line. Any bytes are fine as input.
enum status grammar_from_gbnf(struct grammar_program **program, const char *text, size_t text_bytes,
                              struct error *err);

#ifdef __cplusplus
}
#endif
#endif
