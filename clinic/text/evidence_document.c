// SPDX-License-Identifier: Apache-2.0
// By code, by type and by title: hospitals push 出院记录 under codes of their own, and papers that
// are made from it (出院证明, 病历摘要) under any name.
#include "clinic/text/evidence_document.h"

#include "clinic/text/folded_text.h"

#include <string.h>

static bool has_word(const struct folded_text *title, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (folded_find(title, 0, title->n, words[i]) < title->n) {
            return true;
        }
    }
    return false;
}

// 出院记录, 出院病情摘要, but not 出院前沟通记录; blanks are folded away.
static bool is_summary_title(const char *text) {
    static const char *const words[] = {
        "出院记录", "出院小结", "出院总结", "出院摘要", "出院病历", "出院病情", "出院证明",
        "出院诊断", "出院志",   "病情摘要", "病历摘要", "病历总结", "住院摘要", "住院小结",
        "住院经过", "住院总结", "诊断证明", "疾病证明", "转院记录", "转院小结", "转院病历",
        "死亡记录", "死亡小结", "模板",     "discharge"};
    struct folded_text title;
    if (!folded_init(&title, text, strlen(text))) {
        return true; // no memory: not believed
    }
    bool found = has_word(&title, words, sizeof words / sizeof words[0]);
    folded_deinit(&title);
    return found;
}

bool document_is_evidence(const struct document *document) {
    static const char *const codes[] = {"C0049", "C0053", "C0050"};
    static const char *const types[] = {"discharge_record", "discharge_summary", "death_record"};
    // The one note of a stay of hours (24小时内入出院记录) is what there is.
    bool whole_stay = strcmp(document->c_code, "C0035") == 0 ||
                      strcmp(document->c_code, "C0036") == 0 ||
                      strstr(document->local_title, "入出院记录") ||
                      strstr(document->local_title, "入院死亡记录");
    bool drafted = !whole_stay && is_summary_title(document->local_title);
    for (size_t i = 0; i < 3 && !whole_stay; i++) {
        drafted = drafted || strcmp(document->c_code, codes[i]) == 0 ||
                  strcmp(document->type, types[i]) == 0;
    }
    return document->sign.seconds != MOMENT_UNKNOWN && !drafted;
}
