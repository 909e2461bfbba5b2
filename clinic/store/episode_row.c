// SPDX-License-Identifier: Apache-2.0
// See episode_row.h. Works on the JSON, not on struct episode, so that what an earlier version of
// episode_read() let in can still be verified.
#include "clinic/store/episode_row.h"

#include "clinic/record/episode.h"

#include <stdio.h>
#include <string.h>

enum { SEARCH_BYTES = 2048 };

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

// The first admission, the last discharge.
static const char *event_time(const json_t *encounter, const char *type) {
    const char *time = NULL;
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(encounter, "events"), i, event) {
        const char *found = text_of(event, "type");
        if (!found || strcmp(found, type) != 0) continue;
        if (!time || strcmp(type, "discharge") == 0) time = text_of(event, "time");
    }
    return time;
}

static const char *main_diagnosis(const json_t *state) {
    const char *name = NULL;
    json_int_t best = INT64_MAX;
    size_t i;
    json_t *diagnosis;
    json_array_foreach(json_object_get(state, "diagnoses"), i, diagnosis) {
        const char *stage = text_of(diagnosis, "stage");
        json_int_t rank = json_integer_value(json_object_get(diagnosis, "rank"));
        if (!stage || strcmp(stage, "discharge") != 0) rank += 1000000; // only if there is no other
        if (rank >= best) continue;
        best = rank;
        name = text_of(diagnosis, "name");
    }
    return name;
}

static json_t *age_years(const char *birth_date, const struct moment *admit) {
    int year, month, day;
    if (!birth_date || admit->seconds == MOMENT_UNKNOWN ||
        sscanf(birth_date, "%4d-%2d-%2d", &year, &month, &day) != 3)
        return json_null();
    struct calendar_day at = moment_day(*admit);
    bool is_before = at.month < month || (at.month == month && at.day < day);
    return json_integer(at.year - year - is_before);
}

void search_fold(char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
}

// Cut behind a whole character; the parts are short in truth.
static void search_add(char search[SEARCH_BYTES], const char *text) {
    size_t used = strlen(search), length = text ? strlen(text) : 0;
    if (length == 0) return;
    if (length > SEARCH_BYTES - used - 2) length = SEARCH_BYTES - used - 2;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    memcpy(search + used, text, length);
    search[used + length] = '\n';
    search[used + length + 1] = '\0';
}

json_t *episode_row_make(const json_t *state, int64_t version, int64_t seq, int64_t at_ms) {
    const json_t *patient = json_object_get(state, "patient");
    const json_t *encounter = json_object_get(state, "encounter");
    const char *department = text_of(encounter, "department");
    const char *admit_text = event_time(encounter, "admit");
    const char *discharge_text = event_time(encounter, "discharge");
    struct moment admit = {MOMENT_UNKNOWN, 0}, discharge = {MOMENT_UNKNOWN, 0};
    if (!admit_text || !moment_parse(admit_text, &admit)) admit.seconds = MOMENT_UNKNOWN;
    bool has_left = discharge_text && moment_parse(discharge_text, &discharge);
    bool has_stay = has_left && admit.seconds != MOMENT_UNKNOWN;
    char search[SEARCH_BYTES] = "\n";
    const char *parts[] = {text_of(patient, "name"),   text_of(patient, "id"),
                           text_of(encounter, "id"),   text_of(encounter, "bed"),
                           text_of(encounter, "ward"), department,
                           main_diagnosis(state)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        search_add(search, parts[i]);
    search_fold(search);
    json_t *stay = has_stay ? json_integer(moment_day_number(discharge) - moment_day_number(admit))
                            : json_null();
    json_t *second = admit.seconds == MOMENT_UNKNOWN ? json_null() : json_integer(admit.seconds);
    return json_pack("[s? I I I s? s? s? o s s? s? s? o s? o s? I s]", text_of(encounter, "id"),
                     (json_int_t)version, (json_int_t)seq, (json_int_t)at_ms,
                     text_of(patient, "id"), text_of(patient, "name"), text_of(patient, "sex"),
                     age_years(text_of(patient, "birth_date"), &admit),
                     department ? department : "", text_of(encounter, "ward"),
                     text_of(encounter, "bed"), admit_text, second, discharge_text, stay,
                     main_diagnosis(state),
                     (json_int_t)json_array_size(json_object_get(state, "docs")), search);
}
