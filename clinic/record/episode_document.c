// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/episode_document.h"

#include "clinic/record/document_sections.h"
#include "clinic/record/html_text.h"
#include "clinic/record/member_table.h"
#include "clinic/record/plain_text.h"
#include "clinic/record/text_gather.h"
#include "clinic/record/utf8_text.h"

#include <string.h>

static bool check_content(const char *content, size_t bytes, struct clinic_error *error) {
    if (bytes > DOCUMENT_CONTENT_BYTES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the document is larger than 4 MiB");
    if (!utf8_text_is_valid(content, bytes))
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "the document is no UTF-8 text (GBK must be converted), or has NUL");
    return true;
}

json_t *document_sections_from(const char *content, size_t bytes, const char *format,
                               const char *local_title, const struct document_type *type,
                               struct clinic_error *error) {
    struct text_gather text = {0};
    json_t *sections = NULL;
    if (!check_content(content, bytes, error)) return NULL;
    if (strcmp(format, "html") == 0) {
        html_text_read(content, bytes, &text);
    } else if (strcmp(format, "text") == 0) {
        plain_text_add(&text, content, bytes);
    } else {
        clinic_fail(error, CLINIC_BAD_INPUT, "format: must be \"html\" or \"text\"");
        return NULL;
    }
    if (text.has_no_memory) {
        clinic_fail_memory(error);
    } else {
        sections = document_sections_read(text.text ? text.text : "", text.bytes, local_title, type,
                                          error);
    }
    text_gather_deinit(&text);
    return sections;
}

bool document_from_text(const char *content, size_t bytes, const char *format,
                        const char *local_title, const struct title_map *map, json_t **document,
                        struct clinic_error *error) {
    *document = NULL;
    size_t title_bytes = strlen(local_title);
    if (title_bytes == 0 || title_bytes > TEXT_BYTES_MAX ||
        !utf8_text_is_valid(local_title, title_bytes))
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "local_title: must be UTF-8 of 1 to 4096 bytes");
    const struct document_type *type = title_map_type(map, local_title);
    json_t *sections = document_sections_from(content, bytes, format, local_title, type, error);
    if (!sections) return false;
    *document = json_pack("{s:s, s:s, s:s, s:s, s:o}", "c_code", type->c_code, "type", type->type,
                          "local_title", local_title, "format", "text", "sections", sections);
    return *document || clinic_fail_memory(error);
}
