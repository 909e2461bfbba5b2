// SPDX-License-Identifier: Apache-2.0
// See outline.h. Facts have weights; when the outline would be longer than a course is, the light
// ones leave first, and then days of a long stay join into phases.
#include "clinic/facts/outline.h"

#include "clinic/facts/outline_day.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OUTLINE_BYTES 4500   // about 1500 characters,
#define OUTLINE_DAY_BYTES 75 // and 25 for each day
#define LINES_MAX 18         // more days than this join into phases
#define PHASE_DAYS 7
#define SHRINK 4 // each try has a quarter less room

static bool grow_line(struct outline *outline, struct clinic_error *error) {
    size_t n = (size_t)outline->n_lines + 1;
    struct outline_line *lines = realloc(outline->lines, n * sizeof *lines);
    if (!lines) return clinic_fail_memory(error);
    outline->lines = lines;
    outline->lines[outline->n_lines] = (struct outline_line){0};
    return true;
}

void outline_deinit(struct outline *outline) {
    for (int i = 0; i < outline->n_lines; i++)
        free(outline->lines[i].text);
    free(outline->lines);
    *outline = (struct outline){0};
}

static size_t outline_bytes(const struct outline *outline) {
    size_t bytes = 0;
    for (int i = 0; i < outline->n_lines; i++)
        bytes += strlen(outline->lines[i].text);
    return bytes;
}

static int64_t phase_of(const struct episode *episode, int64_t day, bool in_phases) {
    if (!in_phases) return day;
    int64_t first = moment_day_number(episode->encounter.admit);
    return day < first ? first : first + (day - first) / PHASE_DAYS * PHASE_DAYS;
}

static int64_t fact_day(const struct episode *episode, const struct fact *fact) {
    int64_t first = moment_day_number(episode->encounter.admit);
    if (fact->at.seconds == MOMENT_UNKNOWN) return first;
    int64_t day = moment_day_number(fact->at);
    return day < first ? first : day;
}

static bool make_lines(const struct episode *episode, const struct fact_list *facts,
                       const struct outline_choice *choice, bool in_phases, struct outline *outline,
                       struct clinic_error *error) {
    for (int i = 0; i < facts->n_facts;) {
        int64_t phase = phase_of(episode, fact_day(episode, &facts->facts[i]), in_phases);
        int end = i;
        while (end < facts->n_facts &&
               phase_of(episode, fact_day(episode, &facts->facts[end]), in_phases) == phase)
            end++;
        if (!grow_line(outline, error)) return false;
        struct outline_line *line = &outline->lines[outline->n_lines];
        line->day = fact_day(episode, &facts->facts[i]);
        line->last_day = fact_day(episode, &facts->facts[end - 1]);
        char *before = outline_text(outline);
        bool done =
            before && outline_day_write(episode, facts, i, end, choice, before, line, error);
        if (!before) clinic_fail_memory(error);
        free(before);
        if (!done) return false;
        outline->n_lines += line->text != NULL;
        i = end;
    }
    return true;
}

static size_t bytes_allowed(const struct episode *episode) {
    int days = episode_stay_days(episode);
    return OUTLINE_BYTES + (size_t)(days > 0 && days < 90 ? days : 10) * OUTLINE_DAY_BYTES;
}

static bool is_too_long(const struct episode *episode, const struct outline *outline) {
    return outline->n_lines > LINES_MAX || outline_bytes(outline) > bytes_allowed(episode);
}

static bool try_outline(const struct episode *episode, const struct fact_list *facts,
                        const struct outline_choice *choice, bool in_phases,
                        struct outline *outline, struct clinic_error *error) {
    outline_deinit(outline);
    return make_lines(episode, facts, choice, in_phases, outline, error);
}

bool outline_make(const struct episode *episode, const struct fact_list *facts,
                  struct outline *outline, struct clinic_error *error) {
    struct outline_choice choice;
    *outline = (struct outline){0};
    if (!outline_choice_init(&choice, episode, facts, error)) return false;
    bool done = true, fits = false;
    for (choice.weight_min = 1; done && !fits && choice.weight_min <= 3; choice.weight_min++) {
        done = try_outline(episode, facts, &choice, false, outline, error);
        fits = done && !is_too_long(episode, outline);
    }
    if (done && !fits) {
        outline_choice_keep(&choice, facts, bytes_allowed(episode));
        done = try_outline(episode, facts, &choice, outline->n_lines > LINES_MAX, outline, error);
    }
    outline_choice_deinit(&choice);
    if (!done) outline_deinit(outline);
    return done;
}

size_t outline_characters(const struct outline *outline) {
    size_t n = 0;
    for (int i = 0; i < outline->n_lines; i++)
        n += characters_before(outline->lines[i].text, strlen(outline->lines[i].text));
    return n;
}

// One try with so many bytes for the facts that may leave. Consultations are told by who was asked:
// what was answered is mostly told again by what was done.
static bool try_within(const struct episode *episode, const struct fact_list *facts, size_t bytes,
                       struct outline *outline, struct clinic_error *error) {
    struct outline_choice choice;
    if (!outline_choice_init(&choice, episode, facts, error)) return false;
    choice.is_brief = true;
    outline_choice_keep(&choice, facts, bytes);
    bool done = try_outline(episode, facts, &choice, false, outline, error);
    if (done && outline->n_lines > LINES_MAX)
        done = try_outline(episode, facts, &choice, true, outline, error);
    outline_choice_deinit(&choice);
    return done;
}

bool outline_make_within(const struct episode *episode, const struct fact_list *facts,
                         size_t characters_max, struct outline *outline,
                         struct clinic_error *error) {
    size_t bytes = characters_max > SIZE_MAX / 8 ? SIZE_MAX / 2 : characters_max * 4;
    bool done = outline_make(episode, facts, outline, error);
    while (done && outline_characters(outline) > characters_max && bytes >= SHRINK) {
        done = try_within(episode, facts, bytes, outline, error);
        bytes -= bytes / SHRINK;
    }
    if (!done) outline_deinit(outline);
    return done;
}

char *outline_text(const struct outline *outline) {
    size_t bytes = outline_bytes(outline), at = 0;
    char *text = malloc(bytes + 1);
    if (!text) return NULL;
    for (int i = 0; i < outline->n_lines; i++) {
        size_t line = strlen(outline->lines[i].text);
        memcpy(text + at, outline->lines[i].text, line);
        at += line;
    }
    text[at] = '\0';
    return text;
}

static void write_day(int64_t day, char text[16]) {
    char moment[32];
    moment_write((struct moment){.seconds = day * 86400}, moment);
    memcpy(text, moment, 10);
    text[10] = '\0';
}

static json_t *line_to_json(const struct episode *episode, const struct outline_line *line) {
    char first[16], last[16];
    json_t *sources = json_array();
    for (int i = 0; sources && i < line->n_sources; i++) {
        json_t *source = source_to_json(episode, &line->sources[i]);
        if (!source || json_array_append_new(sources, source) != 0) {
            json_decref(sources);
            return NULL;
        }
    }
    write_day(line->day, first);
    write_day(line->last_day, last);
    if (!sources) return NULL;
    return json_pack("{s:s, s:s, s:s, s:o}", "day", first, "last_day", last, "text", line->text,
                     "sources", sources);
}

json_t *outline_to_json(const struct episode *episode, const struct outline *outline) {
    json_t *array = json_array();
    for (int i = 0; array && i < outline->n_lines; i++) {
        json_t *line = line_to_json(episode, &outline->lines[i]);
        if (!line || json_array_append_new(array, line) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
