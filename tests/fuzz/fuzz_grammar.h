// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of grammars do with a program.
#ifndef XL_TESTS_FUZZ_GRAMMAR_H
#define XL_TESTS_FUZZ_GRAMMAR_H

#include "grammar/grammar_program.h"

// Follows the program, which it takes over, by bytes that its masks allow. Aborts if a mask and
// acceptance differ.
void fuzz_grammar_follow(struct grammar_program *program);

#endif
