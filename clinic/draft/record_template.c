// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/record_template.h"

#include "clinic/facts/data_field.h"
#include "clinic/facts/fact.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 120, TEXT_BYTES_MAX = 4000 };

// Where in a file something is wrong, for messages.
struct place {
    const char *where;
    int field; // < 0: not in a field
    struct clinic_error *error;
};

static bool refuse(const struct place *place, const char *member, const char *what) {
    if (place->field < 0)
        return clinic_fail(place->error, CLINIC_BAD_INPUT, "%.80s: \"%.40s\" %s", place->where,
                           member, what);
    return clinic_fail(place->error, CLINIC_BAD_INPUT, "%.80s: fields[%d]: \"%.40s\" %s",
                       place->where, place->field, member, what);
}

static bool check_members(const struct place *place, const json_t *object,
                          const char *const *known) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i]) return refuse(place, name, "is not known; see docs/CLINIC.md, Templates");
    }
    return true;
}

// A text of 1 to bytes_max bytes.
static bool read_text(const struct place *place, const json_t *object, const char *member,
                      bool is_required, size_t bytes_max, const char **text) {
    const json_t *value = json_object_get(object, member);
    *text = NULL;
    if (!value && !is_required) return true;
    *text = json_string_value(value);
    if (!*text || !**text) return refuse(place, member, "must be a text that is not empty");
    size_t bytes = strlen(*text);
    if (bytes == json_string_length(value) && bytes <= bytes_max) return true;
    return refuse(place, member, "is too long or has a NUL");
}

// Ids are parts of paths, form names and CSS: plain ones only.
static bool read_id(const struct place *place, const json_t *object, const char **id) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    if (!read_text(place, object, "id", true, 40, id)) return false;
    if (strspn(*id, plain) == strlen(*id)) return true;
    return refuse(place, "id", "may have a-z, 0-9, - and _ only");
}

static bool read_texts(const struct place *place, const json_t *object, const char *member,
                       const char **texts, int *n_texts) {
    const json_t *list = json_object_get(object, member);
    size_t i;
    json_t *item;
    if (!list) return true;
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > TEMPLATE_LIST_MAX)
        return refuse(place, member, "must be a list of 1 to 32 texts");
    json_array_foreach((json_t *)list, i, item) {
        const char *text = json_string_value(item);
        if (!text || !*text || strlen(text) > NAME_BYTES_MAX)
            return refuse(place, member, "must be a list of short texts");
        texts[(*n_texts)++] = text;
    }
    return true;
}

static bool read_word(const struct place *place, const json_t *object, const char *member,
                      const char *const *words, int n_words, int *index) {
    const char *text;
    if (!read_text(place, object, member, false, 40, &text)) return false;
    for (int i = 0; text && i < n_words; i++)
        if (strcmp(words[i], text) == 0) {
            *index = i;
            return true;
        }
    return !text || refuse(place, member, "is none of the words that are known here");
}

static bool read_classes(const struct place *place, const json_t *object, unsigned *classes) {
    const char *names[TEMPLATE_LIST_MAX];
    int n_names = 0;
    if (!read_texts(place, object, "facts", names, &n_names)) return false;
    for (int i = 0; i < n_names; i++) {
        int found = 0;
        while (found < FACT_CLASSES &&
               strcmp(fact_class_name((enum fact_class)found), names[i]) != 0)
            found++;
        if (found == FACT_CLASSES) return refuse(place, "facts", "names a class that is not known");
        *classes |= 1u << found;
    }
    return true;
}

static bool read_examples(const struct place *place, const json_t *object,
                          struct template_field *field) {
    static const char *const known[] = {"piece", "text", NULL};
    const json_t *list = json_object_get(object, "examples");
    size_t i, most = sizeof field->examples / sizeof field->examples[0];
    json_t *item;
    if (!list) return true;
    if (!json_is_array(list) || json_array_size(list) > most)
        return refuse(place, "examples", "must be a list of at most 8 objects");
    json_array_foreach((json_t *)list, i, item) {
        struct template_example *example = &field->examples[field->n_examples++];
        if (!json_is_object(item)) return refuse(place, "examples", "must be a list of objects");
        if (!check_members(place, item, known) ||
            !read_text(place, item, "piece", true, TEXT_BYTES_MAX, &example->piece) ||
            !read_text(place, item, "text", true, TEXT_BYTES_MAX, &example->text))
            return false;
    }
    return true;
}

// The member "text" is what streams into the field; the rest is the template's own business.
static bool read_schema(const struct place *place, const json_t *object,
                        struct template_field *field) {
    const json_t *schema = json_object_get(object, "schema");
    if (!schema) return true;
    const json_t *text = json_object_get(json_object_get(schema, "properties"), "text");
    const char *type = json_string_value(json_object_get(text, "type"));
    if (!type || strcmp(type, "string") != 0)
        return refuse(place, "schema", "must be an object's with a text member \"text\"");
    field->schema = schema;
    return true;
}

static bool is_outline(const struct template_field *field) {
    return field->value && strcmp(field->value, "outline") == 0;
}

static bool check_origin(const struct place *place, const struct template_field *field) {
    bool is_composed = field->origin == ORIGIN_RULE || field->origin == ORIGIN_MODEL;
    if (field->origin == ORIGIN_COPY) {
        if (field->value || field->n_sections == 0 || field->n_documents == 0)
            return refuse(place, "from", "copy needs \"documents\" and \"sections\", no \"value\"");
    } else if (!field->value) {
        return refuse(place, "value", "is missing");
    } else if (field->n_sections) {
        return refuse(place, "sections", "is for \"from\": \"copy\"");
    } else if (!(is_composed && is_outline(field)) && !data_field_exists(field->value)) {
        return refuse(place, "value", "is no value that is known");
    }
    if (field->origin != ORIGIN_MODEL && (field->prompt || field->schema || field->n_examples))
        return refuse(place, "from", "says that no model writes this, but there is a prompt");
    if (field->origin == ORIGIN_MODEL && !field->prompt)
        return refuse(place, "prompt", "is missing");
    if (field->fact_classes && !is_outline(field))
        return refuse(place, "facts", "is for \"value\": \"outline\"");
    return true;
}

static bool read_field(struct place *place, const json_t *object, struct template_field *field) {
    static const char *const known[] = {"id",       "name",      "from",    "value",
                                        "sections", "documents", "facts",   "max_characters",
                                        "prompt",   "examples",  "context", "schema",
                                        "wording",  "loinc",     "element", NULL};
    static const char *const origins[] = {"data", "copy", "rule", "model"};
    static const char *const contexts[] = {"chart", "documents", "none"};
    static const char *const wordings[] = {"outline", "own"};
    const json_t *characters = json_object_get(object, "max_characters");
    int origin = -1, context = CONTEXT_CHART, wording = WORDING_OUTLINE;
    if (!json_is_object(object)) return refuse(place, "fields", "must be a list of objects");
    if (!check_members(place, object, known) || !read_id(place, object, &field->id) ||
        !read_text(place, object, "name", true, NAME_BYTES_MAX, &field->name) ||
        !read_text(place, object, "value", false, NAME_BYTES_MAX, &field->value) ||
        !read_text(place, object, "prompt", false, TEXT_BYTES_MAX, &field->prompt) ||
        !read_text(place, object, "loinc", false, NAME_BYTES_MAX, &field->loinc) ||
        !read_text(place, object, "element", false, NAME_BYTES_MAX, &field->element) ||
        !read_word(place, object, "from", origins, 4, &origin) ||
        !read_word(place, object, "context", contexts, 3, &context) ||
        !read_word(place, object, "wording", wordings, 2, &wording) ||
        !read_texts(place, object, "documents", field->documents, &field->n_documents) ||
        !read_texts(place, object, "sections", field->sections, &field->n_sections) ||
        !read_classes(place, object, &field->fact_classes) ||
        !read_examples(place, object, field) || !read_schema(place, object, field))
        return false;
    if (origin < 0) return refuse(place, "from", "is missing");
    field->origin = (enum field_origin)origin;
    field->context = (enum field_context)context;
    field->wording = (enum field_wording)wording;
    field->max_characters = TEMPLATE_CHARACTERS_MAX;
    if (characters) {
        json_int_t n = json_integer_value(characters);
        if (!json_is_integer(characters) || n < 1 || n > TEMPLATE_CHARACTERS_MAX)
            return refuse(place, "max_characters", "must be a number from 1 to 8000");
        field->max_characters = (int)n;
    }
    return check_origin(place, field);
}

static bool read_fields(struct place *place, struct record_template *record) {
    const json_t *list = json_object_get(record->root, "fields");
    size_t i;
    json_t *item;
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > TEMPLATE_FIELDS_MAX)
        return refuse(place, "fields", "must be a list of 1 to 40 objects");
    json_array_foreach((json_t *)list, i, item) {
        place->field = (int)i;
        if (!read_field(place, item, &record->fields[i])) return false;
        if (record_template_field(record, record->fields[i].id))
            return refuse(place, "id", "is there twice");
        record->n_fields++;
    }
    return true;
}

static bool read_all(struct place *place, struct record_template *record) {
    static const char *const known[] = {"format", "version", "id",     "name",   "c_code",
                                        "loinc",  "system",  "fields", "notice", NULL};
    const json_t *root = record->root;
    const char *format, *notice;
    if (!json_is_object(root)) return refuse(place, "the file", "must be a JSON object");
    if (!check_members(place, root, known) ||
        !read_text(place, root, "format", true, NAME_BYTES_MAX, &format))
        return false;
    if (strcmp(format, "xinglin-record-template") != 0)
        return refuse(place, "format", "must be \"xinglin-record-template\"");
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return refuse(place, "version", "must be 1");
    return read_id(place, root, &record->id) &&
           read_text(place, root, "name", true, NAME_BYTES_MAX, &record->name) &&
           read_text(place, root, "c_code", false, NAME_BYTES_MAX, &record->c_code) &&
           read_text(place, root, "loinc", false, NAME_BYTES_MAX, &record->loinc) &&
           read_text(place, root, "notice", false, TEXT_BYTES_MAX, &notice) &&
           read_text(place, root, "system", false, TEXT_BYTES_MAX, &record->system) &&
           read_fields(place, record);
}

struct record_template *record_template_read(json_t *root, const char *where,
                                             struct clinic_error *error) {
    struct place place = {.where = where, .field = -1, .error = error};
    struct record_template *record = calloc(1, sizeof *record);
    if (!record) {
        clinic_fail_memory(error);
        return NULL;
    }
    record->root = json_incref(root);
    if (read_all(&place, record)) return record;
    record_template_free(record);
    return NULL;
}

void record_template_free(struct record_template *record) {
    if (!record) return;
    json_decref(record->root);
    free(record);
}

const struct template_field *record_template_field(const struct record_template *record,
                                                   const char *id) {
    for (int i = 0; i < record->n_fields; i++)
        if (strcmp(record->fields[i].id, id) == 0) return &record->fields[i];
    return NULL;
}

const char *field_origin_name(enum field_origin origin) {
    static const char *const names[] = {"data", "copy", "rule", "model"};
    return names[origin];
}
