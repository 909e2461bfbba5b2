// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/fhir_attachment.h"

#include "clinic/record/base64_text.h"
#include "clinic/record/document_sections.h"
#include "clinic/record/encoded_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHARSET_BYTES = 32 };

// "text/html; charset=GB18030"; NULL: not one that is read.
static const char *format_of(const json_t *value) {
    const char *type = fhir_string(value, "contentType");
    if (!type) return NULL;
    size_t length = strcspn(type, "; ");
    if (length == 10 && strncasecmp(type, "text/plain", 10) == 0) return "text";
    if (length == 9 && strncasecmp(type, "text/html", 9) == 0) return "html";
    return length == 21 && strncasecmp(type, "application/xhtml+xml", 21) == 0 ? "html" : NULL;
}

// What the type says of the encoding; NULL: nothing.
static const char *charset_of(const json_t *value, char charset[CHARSET_BYTES]) {
    const char *at = fhir_string(value, "contentType");
    while (at && (at = strchr(at, ';')) != NULL) {
        at += 1 + strspn(at + 1, " ");
        if (strncasecmp(at, "charset=", 8) != 0) continue;
        at += 8 + (at[8] == '"');
        snprintf(charset, CHARSET_BYTES, "%.*s", (int)strcspn(at, "\"; "), at);
        return charset;
    }
    return NULL;
}

static bool is_readable_type(const json_t *value) {
    char charset[CHARSET_BYTES];
    return format_of(value) && encoded_text_knows(charset_of(value, charset));
}

const json_t *fhir_attachment_pick(const json_t *elements, const char *member, bool *is_readable) {
    const json_t *first = NULL;
    *is_readable = false;
    for (size_t i = 0; i < json_array_size(elements) && !*is_readable; i++) {
        const json_t *value = json_array_get(elements, i);
        if (member) value = json_object_get(value, member);
        *is_readable = is_readable_type(value) && fhir_string(value, "data");
        if (!first || *is_readable) first = value;
    }
    return first;
}

static bool decode(struct fhir_bundle *bundle, const json_t *resource, const json_t *value,
                   const char *bytes, size_t n_bytes, struct attachment *attachment) {
    char charset[CHARSET_BYTES];
    struct clinic_error error;
    if (encoded_text_read(bytes, n_bytes, charset_of(value, charset), &attachment->content,
                          &attachment->bytes, &error))
        return true;
    if (error.failure != CLINIC_BAD_INPUT) {
        if (bundle->error) *bundle->error = error;
        return false;
    }
    return fhir_fail(bundle, resource, "data", error.message);
}

bool fhir_attachment_read(struct fhir_bundle *bundle, const json_t *resource, const json_t *value,
                          struct attachment *attachment) {
    const json_t *data = fhir_find(value, "data");
    const char *text = json_string_value(data);
    size_t bytes = json_string_length(data), n_decoded = 0;
    *attachment = (struct attachment){.format = format_of(value)};
    if (!attachment->format || !is_readable_type(value))
        return fhir_fail(bundle, resource, "contentType",
                         "must be text/plain or text/html in UTF-8 or GB18030; leave others out");
    if (!text) return fhir_fail(bundle, resource, "data", "is missing; addresses are not fetched");
    char *decoded = malloc(bytes / 4 * 3 + 4);
    if (!decoded) return clinic_fail_memory(bundle->error);
    bool ok = base64_text_decode(text, bytes, decoded, &n_decoded)
                  ? decode(bundle, resource, value, decoded, n_decoded, attachment)
                  : fhir_fail(bundle, resource, "data", "is no base64");
    free(decoded);
    return ok;
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
