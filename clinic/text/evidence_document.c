// SPDX-License-Identifier: Apache-2.0
// By code, by type and by title: hospitals push 出院记录 under codes of their own, too.
#include "clinic/text/evidence_document.h"

#include <string.h>

bool document_is_evidence(const struct document *document) {
    static const char *const codes[] = {"C0049", "C0053", "C0050"};
    static const char *const types[] = {"discharge_record", "discharge_summary", "death_record"};
    static const char *const titles[] = {"出院记录", "出院小结", "死亡记录"};
    // The one note of a stay of hours (24小时内入出院记录) is what there is.
    bool whole_stay = strcmp(document->c_code, "C0035") == 0 ||
                      strcmp(document->c_code, "C0036") == 0 ||
                      strstr(document->local_title, "入出院记录") ||
                      strstr(document->local_title, "入院死亡记录");
    bool drafted = false;
    for (size_t i = 0; i < 3 && !whole_stay; i++) {
        drafted = drafted || strcmp(document->c_code, codes[i]) == 0 ||
                  strcmp(document->type, types[i]) == 0 ||
                  strstr(document->local_title, titles[i]) != NULL;
    }
    return document->sign.seconds != MOMENT_UNKNOWN && !drafted;
}
