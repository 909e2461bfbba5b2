// SPDX-License-Identifier: Apache-2.0
// See plain_text.h.
#include "clinic/record/plain_text.h"

#include "clinic/record/utf8_text.h"

static bool is_kept(uint32_t character) {
    return character == '\n' || character == '\t' || !utf8_text_is_invisible(character);
}

bool plain_text_is(const char *text, size_t bytes) {
    for (size_t at = 0, length; at < bytes; at += length) {
        if (!is_kept(utf8_text_read(text + at, bytes - at, &length))) return false;
    }
    return true;
}

void plain_text_add(struct text_gather *gather, const char *text, size_t bytes) {
    size_t begin = 0, length;
    for (size_t at = 0; at < bytes; at += length) {
        if (is_kept(utf8_text_read(text + at, bytes - at, &length))) continue;
        text_gather_add(gather, text + begin, at - begin);
        begin = at + length;
        bool ends_line = text[at] == '\r' && (begin == bytes || text[begin] != '\n');
        if (ends_line) text_gather_add(gather, "\n", 1);
    }
    text_gather_add(gather, text + begin, bytes - begin);
}

static bool clean_member(json_t *object, const char *member, struct clinic_error *error) {
    const json_t *value = json_object_get(object, member);
    if (!json_is_string(value)) return true;
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    if (plain_text_is(text, bytes)) return true;
    struct text_gather plain = {0};
    plain_text_add(&plain, text, bytes);
    bool is_set = !plain.has_no_memory &&
                  json_object_set_new(object, member,
                                      json_stringn(plain.text ? plain.text : "", plain.bytes)) == 0;
    text_gather_deinit(&plain);
    return is_set || clinic_fail_memory(error);
}

bool plain_text_clean_episode(json_t *canonical, struct clinic_error *error) {
    const json_t *docs = json_object_get(canonical, "docs");
    for (size_t i = 0; i < json_array_size(docs); i++) {
        const json_t *sections = json_object_get(json_array_get(docs, i), "sections");
        for (size_t k = 0; k < json_array_size(sections); k++) {
            if (!clean_member(json_array_get(sections, k), "text", error)) return false;
        }
    }
    const json_t *reports = json_object_get(canonical, "reports");
    for (size_t i = 0; i < json_array_size(reports); i++) {
        json_t *report = json_array_get(reports, i);
        if (!clean_member(report, "findings", error) || !clean_member(report, "conclusion", error))
            return false;
    }
    return true;
}
