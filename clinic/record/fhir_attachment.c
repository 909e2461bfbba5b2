// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/fhir_attachment.h"

#include "clinic/record/base64_text.h"
#include "clinic/record/document_sections.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// "text/html; charset=UTF-8"; NULL: not one that is read.
static const char *format_of(const json_t *value) {
    const char *type = fhir_string(value, "contentType");
    if (!type) return NULL;
    size_t length = strcspn(type, "; ");
    bool names_charset = strstr(type, "charset") || strstr(type, "Charset");
    if (names_charset && !strstr(type, "utf-8") && !strstr(type, "UTF-8")) return NULL;
    if (length == 10 && strncasecmp(type, "text/plain", 10) == 0) return "text";
    if (length == 9 && strncasecmp(type, "text/html", 9) == 0) return "html";
    return length == 21 && strncasecmp(type, "application/xhtml+xml", 21) == 0 ? "html" : NULL;
}

const json_t *fhir_attachment_pick(const json_t *elements, const char *member, bool *is_readable) {
    const json_t *first = NULL;
    *is_readable = false;
    for (size_t i = 0; i < json_array_size(elements) && !*is_readable; i++) {
        const json_t *value = json_array_get(elements, i);
        if (member) value = json_object_get(value, member);
        *is_readable = format_of(value) && fhir_string(value, "data");
        if (!first || *is_readable) first = value;
    }
    return first;
}

bool fhir_attachment_read(struct fhir_bundle *bundle, const json_t *resource, const json_t *value,
                          struct attachment *attachment) {
    const json_t *data = fhir_find(value, "data");
    const char *text = json_string_value(data);
    size_t bytes = json_string_length(data);
    attachment->content = NULL;
    attachment->format = format_of(value);
    if (!attachment->format)
        return fhir_fail(bundle, resource, "contentType",
                         "must be text/plain or text/html in UTF-8; leave others out");
    if (!text) return fhir_fail(bundle, resource, "data", "is missing; addresses are not fetched");
    attachment->content = malloc(bytes / 4 * 3 + 4);
    if (!attachment->content) return clinic_fail_memory(bundle->error);
    if (base64_text_decode(text, bytes, attachment->content, &attachment->bytes)) return true;
    free(attachment->content);
    attachment->content = NULL;
    return fhir_fail(bundle, resource, "data", "is no base64");
}

json_t *fhir_attachment_text(struct fhir_bundle *bundle, const json_t *resource,
                             const json_t *value) {
    static const struct document_type plain = {.c_code = "X", .type = "x", .body = "x"};
    struct attachment attachment;
    if (!fhir_attachment_read(bundle, resource, value, &attachment)) return NULL;
    json_t *sections = document_sections_from(attachment.content, attachment.bytes,
                                              attachment.format, "", &plain, bundle->error);
    free(attachment.content);
    json_t *text = json_incref(json_object_get(json_array_get(sections, 0), "text"));
    json_decref(sections);
    return text;
}
