// SPDX-License-Identifier: Apache-2.0
// See date_rule.h.
#include "clinic/verify/date_rule.h"

bool scope_has(const struct sentence_scan *scan, struct stretch scope, const char *word) {
    return folded_find(&scan->folded, scope.from, scope.to, word) < scope.to;
}

struct stretch scope_first_clause(const struct sentence_scan *scan, struct stretch scope,
                                  size_t most) {
    size_t to = scope.from;
    while (to < scope.to && to < scope.from + most &&
           !(character_ends_clause(scan->folded.chars[to]) && scan->folded.chars[to] != ':')) {
        to++;
    }
    return (struct stretch){scope.from, to};
}
