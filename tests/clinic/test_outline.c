// SPDX-License-Identifier: Apache-2.0
// 诊疗经过 without a model, and the fields from data: on every episode the verifier supports each
// sentence, each line has sources, and a long stay does not become a line a day.
#include "harness.h"

#include "clinic/facts/data_field.h"
#include "clinic/facts/episode_facts.h"
#include "clinic/facts/omission.h"
#include "clinic/facts/outline.h"
#include "clinic/verify/verifier.h"
#include "gold_record.h"

#include <stdlib.h>
#include <string.h>

#define OUTLINE_CHARACTERS_MAX 2500

static int count_unsupported(const struct gold_episode *one, struct verifier *verifier,
                             const char *field_id, const char *text) {
    struct text_check check = {0};
    int n = 0;
    if (!verifier_check(verifier, field_id, text, strlen(text), &check, NULL)) return 1;
    for (int i = 0; i < check.n_sentences; i++) {
        const struct sentence_check *sentence = &check.sentences[i];
        if (sentence->verdict != VERDICT_UNSUPPORTED) continue;
        n++;
        printf("    %s %s: %.*s\n", one->folder, field_id, (int)(sentence->end - sentence->start),
               text + sentence->start);
        for (int k = 0; k < sentence->n_claims; k++) {
            const struct claim *claim = &sentence->claims[k];
            if (!claim->is_supported)
                printf("        %.*s: %s\n", (int)(claim->end - claim->start), text + claim->start,
                       claim->why);
        }
    }
    text_check_deinit(&check);
    return n;
}

static bool check_lines(const struct episode *episode, const struct outline *outline) {
    int days = episode_stay_days(episode);
    bool is_right = outline->n_lines > 0 && outline->n_lines <= (days > 17 ? 18 : days + 1);
    for (int i = 0; i < outline->n_lines; i++) {
        const struct outline_line *line = &outline->lines[i];
        is_right = is_right && line->n_sources > 0 && line->day <= line->last_day &&
                   (i == 0 || line->day > outline->lines[i - 1].last_day) &&
                   strcmp(line->text + strlen(line->text) - strlen("。"), "。") == 0;
    }
    return is_right;
}

static enum test_result test_outline(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), unsupported = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct outline outline;
        const struct episode *episode = episodes[i].episode;
        struct verifier *verifier = verifier_create(episode, NULL);
        CHECK(verifier && facts_of_episode(episode, &facts, NULL));
        CHECK(outline_make(episode, &facts, &outline, NULL));
        char *text = outline_text(&outline);
        CHECK(text);
        size_t characters = characters_before(text, strlen(text));
        printf("    %s: %d days, %d lines, %zu characters\n", episodes[i].folder,
               episode_stay_days(episode), outline.n_lines, characters);
        CHECK(check_lines(episode, &outline));
        CHECK(characters <= OUTLINE_CHARACTERS_MAX);
        unsupported += count_unsupported(&episodes[i], verifier, "course", text);
        json_t *json = outline_to_json(episode, &outline);
        CHECK(json && json_array_size(json) == (size_t)outline.n_lines);
        json_decref(json);
        free(text);
        outline_deinit(&outline);
        fact_list_deinit(&facts);
        verifier_free(verifier);
    }
    gold_episodes_close(episodes, n);
    CHECK_MESSAGE(unsupported == 0, "%d unsupported sentences", unsupported);
    return TEST_PASS;
}

static enum test_result test_fields(void) {
    static const struct {
        const char *value, *field;
    } FIELDS[] = {{"admit_date", "admit_date"},
                  {"discharge_date", "discharge_date"},
                  {"stay_days", "stay_days"},
                  {"admission_diagnoses", "admission_diagnoses"},
                  {"discharge_diagnoses", "discharge_diagnoses"},
                  {"admission_summary", "admission_condition"},
                  {"discharge_condition", "discharge_condition"},
                  {"discharge_orders", "discharge_orders"}};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), unsupported = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct verifier *verifier = verifier_create(episodes[i].episode, NULL);
        CHECK(verifier);
        for (size_t k = 0; k < sizeof FIELDS / sizeof *FIELDS; k++) {
            char *text;
            struct source_list sources;
            CHECK(data_field(episodes[i].episode, FIELDS[k].value, &text, &sources, NULL));
            CHECK_MESSAGE(text[0] && sources.n_sources > 0, "%s: %s is empty", episodes[i].folder,
                          FIELDS[k].value);
            unsupported += count_unsupported(&episodes[i], verifier, FIELDS[k].field, text);
            free(text);
        }
        verifier_free(verifier);
    }
    gold_episodes_close(episodes, n);
    CHECK_MESSAGE(unsupported == 0, "%d unsupported sentences", unsupported);
    return TEST_PASS;
}

// Each sentence that is offered for insertion can stand in the record as it is.
static enum test_result test_insertions(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), unsupported = 0, all = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct omission_list omissions;
        struct verifier *verifier = verifier_create(episodes[i].episode, NULL);
        CHECK(verifier && facts_of_episode(episodes[i].episode, &facts, NULL));
        CHECK(omissions_find(episodes[i].episode, &facts, NULL, 0, &omissions, NULL));
        for (int k = 0; k < omissions.n_omissions; k++)
            unsupported +=
                count_unsupported(&episodes[i], verifier, omissions.omissions[k].field_id,
                                  omissions.omissions[k].sentence);
        all += omissions.n_omissions;
        omission_list_deinit(&omissions);
        fact_list_deinit(&facts);
        verifier_free(verifier);
    }
    gold_episodes_close(episodes, n);
    printf("    %d of %d sentences for insertion are unsupported\n", unsupported, all);
    CHECK(all > 100 && unsupported == 0);
    return TEST_PASS;
}

static bool is_operation(const struct fact *fact, int row) {
    return fact->n_sources && fact->sources[0].kind == SOURCE_OPERATION &&
           fact->sources[0].row == row;
}

// Without the name the text must be said to omit the operation, and as a must.
static bool lists_operation(const struct episode *episode, const struct fact_list *facts,
                            const char *text, int row) {
    struct omission_list omissions;
    const char *name = episode->operations[row].name, *at = strstr(text, name);
    char *without = strdup(text);
    bool is_listed = false;
    memmove(without + (at - text), at + strlen(name), strlen(at + strlen(name)) + 1);
    if (omissions_find(episode, facts, (const char *const[]){without}, 1, &omissions, NULL)) {
        for (int i = 0; i < omissions.n_omissions; i++) {
            const struct fact *fact = &facts->facts[omissions.omissions[i].fact];
            is_listed = is_listed || (fact->is_must && is_operation(fact, row));
        }
        omission_list_deinit(&omissions);
    }
    free(without);
    return is_listed;
}

// Every row of the operations table is told in the outline, whatever is like it, and is missed
// where its name is gone.
static enum test_result test_operations(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), all = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct outline outline;
        const struct episode *episode = episodes[i].episode;
        CHECK(facts_of_episode(episode, &facts, NULL));
        CHECK(outline_make(episode, &facts, &outline, NULL));
        char *text = outline_text(&outline);
        CHECK(text);
        for (int row = 0; row < episode->n_operations; row++, all++) {
            const char *name = episode->operations[row].name;
            CHECK_MESSAGE(strstr(text, name), "%s: %s is not told", episodes[i].folder, name);
            CHECK_MESSAGE(lists_operation(episode, &facts, text, row), "%s: %s is not missed",
                          episodes[i].folder, name);
        }
        free(text);
        outline_deinit(&outline);
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    printf("    %d operations\n", all);
    CHECK(all >= 16);
    return TEST_PASS;
}

static int count_words(const char *text, const char *words) {
    int n = 0;
    for (; (text = strstr(text, words)) != NULL; text += strlen(words))
        n++;
    return n;
}

// Each rescue stands in the course, with what was wrong, and is missed where the course is gone.
static enum test_result test_rescues(void) {
    static const char WORDS[] = "抢救成功";
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), all = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct outline outline;
        struct omission_list omissions;
        const struct episode *episode = episodes[i].episode;
        int rescues = 0, missed = 0;
        CHECK(facts_of_episode(episode, &facts, NULL));
        CHECK(outline_make(episode, &facts, &outline, NULL));
        CHECK(omissions_find(episode, &facts, NULL, 0, &omissions, NULL));
        char *text = outline_text(&outline);
        for (int k = 0; k < episode->n_docs; k++)
            rescues += strcmp(episode->docs[k].type, "rescue_record") == 0;
        for (int k = 0; k < omissions.n_omissions; k++)
            missed += facts.facts[omissions.omissions[k].fact].is_must &&
                      strstr(omissions.omissions[k].sentence, WORDS) != NULL;
        CHECK_MESSAGE(text && count_words(text, WORDS) == rescues && missed == rescues,
                      "%s: %d rescues, %d missed", episodes[i].folder, rescues, missed);
        all += rescues;
        free(text);
        omission_list_deinit(&omissions);
        outline_deinit(&outline);
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    CHECK(all >= 5);
    return TEST_PASS;
}

static bool tells_what_never_leaves(const struct episode *episode, const char *text) {
    int rescues = 0;
    for (int i = 0; i < episode->n_operations; i++) {
        if (!strstr(text, episode->operations[i].name)) return false;
    }
    for (int i = 0; i < episode->n_docs; i++)
        rescues += strcmp(episode->docs[i].type, "rescue_record") == 0;
    return count_words(text, "抢救成功") == rescues;
}

// With less room what is least missed leaves; operations and rescues stay, in order and with their
// places, and what stands there is true.
static enum test_result test_short(void) {
    static const size_t LIMITS[] = {1500, 1000, 600, 300, 1};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), unsupported = 0, met = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        const struct episode *episode = episodes[i].episode;
        struct verifier *verifier = verifier_create(episode, NULL);
        struct outline whole;
        CHECK(verifier && facts_of_episode(episode, &facts, NULL));
        CHECK(outline_make(episode, &facts, &whole, NULL));
        for (size_t k = 0; k < sizeof LIMITS / sizeof *LIMITS; k++) {
            struct outline outline;
            CHECK(outline_make_within(episode, &facts, LIMITS[k], &outline, NULL));
            char *text = outline_text(&outline);
            CHECK(text && tells_what_never_leaves(episode, text));
            CHECK(outline.n_lines == 0 || check_lines(episode, &outline));
            CHECK(outline_characters(&outline) <= outline_characters(&whole));
            met += outline_characters(&outline) <= LIMITS[k];
            unsupported += count_unsupported(&episodes[i], verifier, "course", text);
            free(text);
            outline_deinit(&outline);
        }
        outline_deinit(&whole);
        fact_list_deinit(&facts);
        verifier_free(verifier);
    }
    gold_episodes_close(episodes, n);
    printf("    %d of %d limits were met\n", met, n * 5);
    CHECK_MESSAGE(unsupported == 0, "%d unsupported sentences", unsupported);
    CHECK(met >= 3 * n);
    return TEST_PASS;
}

static const char *gold_field(const json_t *gold, const char *name) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(gold, "fields"), i, field) {
        const char *other = json_string_value(json_object_get(field, "field"));
        if (other && strcmp(other, name) == 0)
            return json_string_value(json_object_get(field, "text"));
    }
    return NULL;
}

// What comes from data is what the gold record says, word for word.
static enum test_result test_data(void) {
    static const struct {
        const char *value, *name;
    } FIELDS[] = {{"admit_date", "入院日期"},
                  {"discharge_date", "出院日期"},
                  {"stay_days", "住院天数"},
                  {"admission_diagnoses", "入院诊断"},
                  {"discharge_diagnoses", "出院诊断"}};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; episodes[i].gold && k < sizeof FIELDS / sizeof *FIELDS; k++) {
            const char *gold = gold_field(episodes[i].gold, FIELDS[k].name);
            char *text;
            CHECK(data_field(episodes[i].episode, FIELDS[k].value, &text, NULL, NULL));
            CHECK_MESSAGE(!gold || strcmp(text, gold) == 0, "%s %s: %s", episodes[i].folder,
                          FIELDS[k].name, text);
            free(text);
        }
    }
    struct clinic_error error = {0};
    char *text;
    CHECK(!data_field(episodes[0].episode, "no_such_value", &text, NULL, &error));
    CHECK(error.failure == CLINIC_NOT_FOUND && !text);
    CHECK(data_field_exists("discharge_drugs") && !data_field_exists("no_such_value"));
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"outline", "each sentence of the outlines is supported", test_outline},
        {"fields", "each sentence of the fields is supported", test_fields},
        {"insertions", "each sentence for insertion is supported", test_insertions},
        {"operations", "each operation is told, and missed without", test_operations},
        {"rescues", "each rescue is told, and missed without", test_rescues},
        {"short", "with less room what is least missed leaves", test_short},
        {"data", "fields from data are what the gold records say", test_data},
    };
    return harness_main("outline", tests, sizeof tests / sizeof *tests, argc, argv);
}
