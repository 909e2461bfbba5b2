// SPDX-License-Identifier: Apache-2.0
// See fhir_value.h.
#include "clinic/record/fhir_value.h"

#include <string.h>

enum { STEP_BYTES = 64 };

const json_t *fhir_find(const json_t *value, const char *path) {
    while (value) {
        if (json_is_array(value)) value = json_array_get(value, 0);
        if (*path == '\0') return value;
        char step[STEP_BYTES];
        size_t n = strcspn(path, ".|");
        if (n >= sizeof step) return NULL;
        memcpy(step, path, n);
        step[n] = '\0';
        value = json_object_get(value, step);
        path += n;
        if (*path == '|' || *path == '\0') break;
        path++;
    }
    if (json_is_array(value)) value = json_array_get(value, 0);
    return value && !json_is_null(value) ? value : NULL;
}

const char *fhir_string(const json_t *value, const char *path) {
    const char *text = json_string_value(fhir_find(value, path));
    return text && text[0] != '\0' ? text : NULL;
}

bool fhir_is(const json_t *value, const char *path, const char *word) {
    const char *text = fhir_string(value, path);
    return text && strcmp(text, word) == 0;
}

const char *fhir_concept(const json_t *concept) {
    if (json_is_array(concept)) concept = json_array_get(concept, 0);
    const char *text = fhir_string(concept, "text");
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; !text && i < json_array_size(codings); i++)
        text = fhir_string(json_array_get(codings, i), "display");
    return text ? text : fhir_string(concept, "coding.code");
}

const char *fhir_code(const json_t *concept, const char *system_part) {
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; i < json_array_size(codings); i++) {
        const json_t *coding = json_array_get(codings, i);
        const char *system = fhir_string(coding, "system");
        if (strstr(system ? system : "", system_part)) return fhir_string(coding, "code");
    }
    return NULL;
}

bool fhir_has_code(const json_t *concept, const char *code) {
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; i < json_array_size(codings); i++) {
        if (fhir_is(json_array_get(codings, i), "code", code)) return true;
    }
    return fhir_is(concept, "text", code);
}

bool fhir_any_code(const json_t *concepts, const char *code) {
    if (!json_is_array(concepts)) return fhir_has_code(concepts, code);
    for (size_t i = 0; i < json_array_size(concepts); i++) {
        if (fhir_has_code(json_array_get(concepts, i), code)) return true;
    }
    return false;
}

const char *fhir_type(const json_t *resource) {
    const char *type = fhir_string(resource, "resourceType");
    return type ? type : "";
}
