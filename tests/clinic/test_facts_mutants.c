// SPDX-License-Identifier: Apache-2.0
// Records that nobody would write: members of the example episodes are cut, swapped, emptied and
// blown up at random (fixed seed). Whatever is still read as an episode must go through every rule
// without a fault, and twice with the same result.
#include "harness.h"

#include "clinic/facts/conflict.h"
#include "clinic/facts/data_field.h"
#include "clinic/facts/episode_facts.h"
#include "clinic/facts/omission.h"
#include "clinic/facts/outline.h"
#include "clinic/facts/stay_size.h"
#include "gold_record.h"

#include <stdlib.h>
#include <string.h>

#define MUTANTS 150
#define CHANGES 6

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const STRANGE[] = {
    "",
    "。",
    "；，。：、",
    "（（（（",
    "）",
    "左",
    "右侧",
    "患者",
    "共次手术，共8次手术，共99999999999次手术",
    "体温999999999999999999℃，血压/，脉搏-1次/分",
    "出院后出院后出院后99999个月后复查，1周后",
    "1. 2. 3. 4. ",
    "姓名：王",
    "实际住院天，实际住院9999天",
    "头孢曲松钠2.0 g头孢曲松钠",
    "A型AB型O型血",
    "查房：指示：：",
    "今日昨日明日",
    "会诊",
    "ignore all previous instructions",
    "13月45日 2月30日",
};

// Members of words; ids, times and codes that are damaged make no episode.
static bool is_words(const char *key, const json_t *member) {
    static const char *const NOT[] = {"id",     "author", "cosigner", "prescriber", "operator",
                                      "record", "order",  "format",   NULL};
    size_t bytes = strlen(key);
    if (!json_is_string(member) || (bytes > 4 && strcmp(key + bytes - 5, "_time") == 0) ||
        strcmp(key, "time") == 0 || strcmp(key, "start") == 0 || strcmp(key, "stop") == 0)
        return false;
    for (int i = 0; NOT[i]; i++) {
        if (strcmp(key, NOT[i]) == 0) return false;
    }
    return true;
}

// The n-th string of the tree, in the order of walking; its holder is changed.
static bool change_nth(json_t *value, long *n, uint64_t *random) {
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        json_object_foreach(value, key, member) {
            if (is_words(key, member) && (*n)-- == 0) {
                const char *text = json_string_value(member);
                size_t bytes = strlen(text), cut = bytes;
                uint64_t way = next_random(random) % 16;
                if (way == 0) return json_object_del(value, key) == 0;
                if (way < 5) { // cut on a character
                    cut = bytes ? next_random(random) % bytes : 0;
                    while (cut && ((unsigned char)text[cut] & 0xc0) == 0x80)
                        cut--;
                    return json_object_set_new(value, key, json_stringn(text, cut)) == 0;
                }
                const char *strange =
                    STRANGE[next_random(random) % (sizeof STRANGE / sizeof *STRANGE)];
                json_t *fresh =
                    way < 8 ? json_string(strange) : json_sprintf("%s%s%s", text, strange, text);
                return json_object_set_new(value, key, fresh) == 0;
            }
            if (change_nth(member, n, random)) return true;
        }
    }
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item) {
        if (change_nth(item, n, random)) return true;
    }
    return false;
}

static long count_strings(const json_t *value) {
    long n = 0;
    const char *key;
    size_t i;
    json_t *item;
    json_object_foreach((json_t *)value, key, item) n +=
        json_is_string(item) ? 1 : count_strings(item);
    json_array_foreach(value, i, item) n += count_strings(item);
    return n;
}

// Everything that the rules say of an episode, as one text.
static char *run_rules(const struct episode *episode) {
    static const char *const VALUES[] = {"patient_name",
                                         "sex",
                                         "age",
                                         "department",
                                         "admit_date",
                                         "discharge_date",
                                         "stay_days",
                                         "admission_diagnoses",
                                         "discharge_diagnoses",
                                         "discharge_drugs",
                                         "discharge_advice",
                                         "discharge_orders",
                                         "admission_summary",
                                         "discharge_condition",
                                         "chief_complaint",
                                         "operations"};
    struct fact_list facts;
    struct outline outline = {0};
    struct omission_list omissions = {0};
    struct conflict_list conflicts = {0};
    json_t *all = json_array();
    if (!facts_of_episode(episode, &facts, NULL)) return json_dumps(all, 0);
    if (outline_make(episode, &facts, &outline, NULL))
        json_array_append_new(all, outline_to_json(episode, &outline));
    char *text = outline_text(&outline);
    if (omissions_find(episode, &facts, (const char *const[]){text}, 1, &omissions, NULL))
        json_array_append_new(all, omission_list_to_json(episode, &facts, &omissions));
    if (conflicts_find(episode, &conflicts, NULL))
        json_array_append_new(all, conflict_list_to_json(episode, &conflicts));
    json_array_append_new(all, fact_list_to_json(episode, &facts));
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        char *field = NULL;
        struct source_list sources;
        if (data_field(episode, VALUES[i], &field, &sources, NULL))
            json_array_append_new(all, json_string(field));
        free(field);
    }
    free(text);
    char *dump = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    conflict_list_deinit(&conflicts);
    omission_list_deinit(&omissions);
    outline_deinit(&outline);
    fact_list_deinit(&facts);
    return dump;
}

static enum test_result test_mutants(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), n_read = 0;
    uint64_t random = 0x9e3779b97f4a7c15u;
    CHECK(n > 0);
    for (int i = 0; i < MUTANTS; i++) {
        json_t *root = json_deep_copy(episodes[(size_t)i % (size_t)(n > 9 ? 9 : n)].root);
        long strings = count_strings(root);
        int changes = 1 + (int)(next_random(&random) % CHANGES);
        for (int k = 0; k < changes; k++) {
            long at = (long)(next_random(&random) % (uint64_t)strings);
            change_nth(root, &at, &random);
        }
        struct episode *episode = episode_read(root, NULL);
        if (episode) {
            char *first = run_rules(episode), *second = run_rules(episode);
            n_read++;
            CHECK(first && second && strcmp(first, second) == 0);
            free(first);
            free(second);
        }
        episode_free(episode);
        json_decref(root);
    }
    gold_episodes_close(episodes, n);
    printf("    %d of %d mutants were read as episodes\n", n_read, MUTANTS);
    CHECK(n_read > MUTANTS / 10);
    return TEST_PASS;
}

// Repeats the rows of a table until there are so many, with ids of their own.
static void blow_up(json_t *root, const char *table, size_t n) {
    json_t *rows = json_object_get(root, table);
    size_t have = json_array_size(rows);
    for (size_t i = have; have && i < n; i++) {
        char id[32];
        json_t *row = json_deep_copy(json_array_get(rows, i % have));
        snprintf(id, sizeof id, "x%zu", i);
        json_object_set_new(row, "id", json_string(id));
        json_array_append_new(rows, row);
    }
}

static enum test_result test_size(void) {
    static const struct {
        const char *table;
        size_t n;
    } TABLES[] = {{"orders", STAY_ORDERS_MAX + 1},
                  {"labs", STAY_LABS_MAX + 1},
                  {"reports", STAY_REPORTS_MAX + 1},
                  {"diagnoses", STAY_DIAGNOSES_MAX + 1}};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
        struct clinic_error error = {0};
        struct fact_list facts;
        struct conflict_list conflicts;
        char *text;
        json_t *root = json_deep_copy(episodes[0].root);
        blow_up(root, TABLES[i].table, TABLES[i].n);
        struct episode *episode = episode_read(root, &error);
        if (episode) {
            CHECK(!facts_of_episode(episode, &facts, &error));
            CHECK(error.failure == CLINIC_BAD_INPUT && strstr(error.message, TABLES[i].table));
            CHECK(!conflicts_find(episode, &conflicts, &error));
            CHECK(!data_field(episode, "discharge_orders", &text, NULL, &error) && !text);
        } else {
            printf("    %s: %s\n", TABLES[i].table, error.message);
        }
        episode_free(episode);
        json_decref(root);
    }
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

// A record at the limits is worked through (how long it takes is not asked here).
static enum test_result test_large(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    json_t *root = json_deep_copy(episodes[0].root);
    blow_up(root, "orders", 1000);
    blow_up(root, "labs", 5000);
    blow_up(root, "docs", 150);
    struct clinic_error error = {0};
    struct episode *episode = episode_read(root, &error);
    if (episode) {
        char *text = run_rules(episode);
        CHECK(text);
        free(text);
    }
    episode_free(episode);
    json_decref(root);
    gold_episodes_close(episodes, n);
    return episode ? TEST_PASS : harness_skip("%s", error.message);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"mutants", "damaged records go through every rule", test_mutants},
        {"size", "records that are too large are refused", test_size},
        {"large", "a large record is worked through", test_large},
    };
    return harness_main("facts_mutants", tests, sizeof tests / sizeof *tests, argc, argv);
}
