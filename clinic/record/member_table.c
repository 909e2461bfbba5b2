// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/member_table.h"

#include "clinic/record/utf8_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool place_fail(const struct place *place, const char *member, struct clinic_error *error,
                const char *what) {
    char where[160];
    if (place->row == SIZE_MAX) {
        snprintf(where, sizeof where, "%s", place->table);
    } else {
        snprintf(where, sizeof where, "%s[%zu]%s%s", place->table, place->row, place->id ? " " : "",
                 place->id ? place->id : "");
    }
    return clinic_fail(error, CLINIC_BAD_INPUT, "%s%s%s: %s", where, member ? ": " : "",
                       member ? member : "", what);
}

bool id_is_valid(const char *id) {
    size_t bytes = strlen(id);
    if (bytes == 0 || bytes > ID_BYTES_MAX) return false;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)id[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '<' || c == '>') return false;
    }
    return true;
}

// The word between bars: "|男|女|".
static bool is_choice(const char *choice, const char *word) {
    size_t bytes = strlen(word);
    if (strchr(word, '|')) return false;
    for (const char *at = choice; (at = strchr(at, '|')) != NULL; at++) {
        if (strncmp(at + 1, word, bytes) == 0 && at[1 + bytes] == '|') return bytes > 0;
    }
    return false;
}

static const char *read_text(const struct member *member, const json_t *value,
                             const char **target) {
    if (!json_is_string(value)) return "must be a string";
    size_t bytes = json_string_length(value);
    size_t most = member->kind == MEMBER_PROSE ? PROSE_BYTES_MAX : TEXT_BYTES_MAX;
    if (bytes > most) return "is too long";
    const char *text = json_string_value(value);
    struct calendar_day day;
    if (bytes == 0 && member->need == MEMBER_REQUIRED) return "must not be empty";
    if (bytes == 0 && member->need == MEMBER_NULLABLE) text = NULL;
    if (member->kind == MEMBER_ID && bytes > 0 && !id_is_valid(text))
        return "is no id: 1 to 64 ASCII characters without spaces and quotes";
    if (member->kind == MEMBER_DATE && bytes > 0 && !calendar_day_parse(text, &day))
        return "is no date: write 2025-11-03";
    if (member->kind == MEMBER_TEXT && !utf8_text_is_plain(json_string_value(value), bytes))
        return "has control characters, or characters that show nothing";
    if (member->kind == MEMBER_TEXT && member->need == MEMBER_REQUIRED &&
        !utf8_text_shows(json_string_value(value), bytes))
        return "must not be blank";
    if (member->choice && text && bytes > 0 && !is_choice(member->choice, text))
        return "is none of the words that are allowed here";
    *target = text;
    return NULL;
}

static const char *read_int(const json_t *value, int *target) {
    if (!json_is_integer(value)) return "must be a whole number";
    json_int_t number = json_integer_value(value);
    if (number < 0 || number > 1000000) return "must be from 0 to 1000000";
    *target = (int)number;
    return NULL;
}

static const char *read_number(const json_t *value, double *target) {
    if (!json_is_number(value)) return "must be a number";
    double number = json_number_value(value);
    if (!isfinite(number) || fabs(number) > 1e15) return "is too large a number";
    *target = number;
    return NULL;
}

// NULL: read; else what is wrong with it.
static const char *read_member(const struct member *member, const json_t *value, void *target) {
    switch (member->kind) {
    case MEMBER_NUMBER:
        return read_number(value, target);
    case MEMBER_INT:
        return read_int(value, target);
    case MEMBER_BOOL:
        if (!json_is_boolean(value)) return "must be true or false";
        *(bool *)target = json_is_true(value);
        return NULL;
    case MEMBER_MOMENT:
        if (!json_is_string(value)) return "must be a string";
        if (!moment_parse(json_string_value(value), target))
            return "is no time: write 2025-11-03T09:40:00+08:00, with the offset";
        return NULL;
    case MEMBER_ID:
    case MEMBER_TEXT:
    case MEMBER_PROSE:
    case MEMBER_DATE:
        break;
    }
    return read_text(member, value, target);
}

// What a member is that is not there. Numbers and booleans keep what the target holds.
static void set_absent(const struct member *member, void *target) {
    switch (member->kind) {
    case MEMBER_MOMENT:
        ((struct moment *)target)->seconds = MOMENT_UNKNOWN;
        break;
    case MEMBER_ID:
    case MEMBER_TEXT:
    case MEMBER_PROSE:
    case MEMBER_DATE:
        *(const char **)target = member->need == MEMBER_NULLABLE ? NULL : "";
        break;
    case MEMBER_NUMBER:
    case MEMBER_INT:
    case MEMBER_BOOL:
        break;
    }
}

bool member_table_read(const json_t *object, const struct member *members, size_t n_members,
                       void *target, const struct place *place, struct clinic_error *error) {
    if (!json_is_object(object)) return place_fail(place, NULL, error, "must be an object");
    struct place here = *place;
    for (size_t i = 0; i < n_members; i++) {
        const struct member *member = &members[i];
        void *field = (char *)target + member->offset;
        const json_t *value = json_object_get(object, member->name);
        if (!value || json_is_null(value)) {
            if (member->need == MEMBER_REQUIRED)
                return place_fail(&here, member->name, error, "is missing");
            set_absent(member, field);
            continue;
        }
        const char *wrong = read_member(member, value, field);
        if (wrong) return place_fail(&here, member->name, error, wrong);
        if (i == 0 && member->kind == MEMBER_ID && !here.id) here.id = *(const char **)field;
    }
    return true;
}
