// SPDX-License-Identifier: Apache-2.0
// Python's methods of str. self is a text; slots hold the arguments, VALUE_MISSING where not given.
#ifndef XL_TEMPLATE_JINJA_STR_H
#define XL_TEMPLATE_JINJA_STR_H

#include "template/jinja_run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum status str_method(struct run *run, const struct value *self, const struct value *slots,
                               struct value *result);

// jinja_str.c: cutting, searching, joining
str_method str_strip, str_lstrip, str_rstrip, str_split, str_rsplit, str_splitlines;
str_method str_startswith, str_endswith, str_replace, str_join, str_find, str_rfind, str_index;
str_method str_count, str_partition, str_rpartition, str_removeprefix, str_removesuffix;
// jinja_str_shape.c: case, padding, classes
str_method str_upper, str_lower, str_title, str_capitalize, str_swapcase;
str_method str_ljust, str_rjust, str_center, str_zfill;
str_method str_isalpha, str_isdigit, str_isalnum, str_isspace, str_isupper, str_islower;
str_method str_isascii;

// The bytes [from, to) of `of` as a value with the same mark.
enum status str_part(struct run *run, const struct value *of, size_t from, size_t to,
                     struct value *result);
// old by new, at most `count` times (negative: all).
enum status str_replace_text(struct run *run, const struct text *text, const struct text *old,
                             const struct text *with, int64_t count, struct value *result);
enum status str_split_lines(struct run *run, const struct value *self, bool keep_ends,
                            struct list **lines);

#ifdef __cplusplus
}
#endif
#endif
