// SPDX-License-Identifier: Apache-2.0
// A text as an array of characters in which one thing is written one way: full-width forms, ASCII
// case, superscripts (10⁹ = 10^9) and blanks are folded away. What is found in it is told in bytes
// of the text as it was. Bytes that are no UTF-8 become U+FFFD; any input is a text.
#ifndef XL_CLINIC_FOLDED_TEXT_H
#define XL_CLINIC_FOLDED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct folded_text {
    uint32_t *chars;   // [n + 1], 0 at the end
    uint32_t *offsets; // [n + 1]: first byte of each character in the text; bytes at the end
    size_t n;
};

// false: no memory, or more than 4 GiB. The result owns its arrays; folded_deinit() frees them.
bool folded_init(struct folded_text *folded, const char *text, size_t bytes);
void folded_deinit(struct folded_text *folded);

// Byte behind the character before `index` (blanks that follow it are left out).
size_t folded_end_byte(const struct folded_text *folded, const char *text, size_t index);

bool character_is_digit(uint32_t c);
bool character_is_latin(uint32_t c); // a-z after folding
bool character_is_han(uint32_t c);
// True at an end of a clause: , ; : 。 ! ? newline and the end.
bool character_ends_clause(uint32_t c);
// True at an end of a sentence: 。 ; ! ? newline and the end.
bool character_ends_sentence(uint32_t c);

// A letter stands at `index` and touches the one before it: no blank was dropped between them.
bool folded_goes_on(const struct folded_text *folded, size_t index);

// Characters of `word` that stand at chars[at], at <= n; 0: not there. The word is in folded form,
// UTF-8 of up to three bytes a character, and the program's own: it is not checked.
size_t folded_match(const struct folded_text *folded, size_t at, const char *word);
// The first place in [from, to) where the word stands; `to` if nowhere.
size_t folded_find(const struct folded_text *folded, size_t from, size_t to, const char *word);
// The end of [from, to) without the words (NULL ends them; two characters at most) behind it,
// however many stand there.
size_t folded_trim_end(const struct folded_text *folded, size_t from, size_t to,
                       const char *const *words);

#endif
