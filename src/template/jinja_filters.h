// SPDX-License-Identifier: Apache-2.0
// What the two files of filters share.
#ifndef XL_TEMPLATE_JINJA_FILTERS_H
#define XL_TEMPLATE_JINJA_FILTERS_H

#include "template/jinja_run.h"

#ifdef __cplusplus
extern "C" {
#endif

struct filter_entry {
    const char *name;
    enum status (*call)(struct run *run, const struct value *input, const struct value *slots,
                        struct value *result);
    const char *parameters[FILTER_ARGUMENTS_MAX];
    size_t n_parameters, n_required;
};

const struct filter_entry *sequence_filter_find(const struct text *name); // NULL: no such
enum status filter_map(struct run *run, const struct value *input,
                       const struct arguments *arguments, struct value *result);
// select, reject, selectattr, rejectattr
enum status filter_select(struct run *run, const struct text *name, const struct value *input,
                          const struct arguments *arguments, struct value *result);

#ifdef __cplusplus
}
#endif
#endif
