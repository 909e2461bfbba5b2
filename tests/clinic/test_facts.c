// SPDX-License-Identifier: Apache-2.0
// Facts of the example episodes against their gold facts. The rules were developed on episodes 1 to
// 6; the rest is told apart, because only it says how they do on a record that nobody looked at.
#include "harness.h"

#include "clinic/facts/episode_facts.h"
#include "gold_record.h"

#include <stdlib.h>
#include <string.h>

#define DEVELOPED "07" // folders before this one were developed on

struct count {
    int all, found, found_by_place;
};

static bool is_must(const json_t *gold_fact) {
    const char *need = json_string_value(json_object_get(gold_fact, "need"));
    return need && strcmp(need, "must") == 0;
}

static int class_index(const json_t *gold_fact) {
    const char *name = json_string_value(json_object_get(gold_fact, "class"));
    for (int i = 0; name && i < FACT_CLASSES; i++) {
        if (strcmp(name, fact_class_name((enum fact_class)i)) == 0) return i;
    }
    return FACT_EVENT;
}

static void count_fact(const struct gold_episode *one, const struct fact_list *facts,
                       const json_t *gold_fact, struct count counts[FACT_CLASSES]) {
    bool by_place = false, by_value = false;
    for (int i = 0; i < facts->n_facts; i++) {
        by_place = by_place || gold_shares_place(one->episode, gold_fact, &facts->facts[i]);
        by_value = by_value || gold_shares_value(gold_fact, &facts->facts[i]);
    }
    struct count *count = &counts[class_index(gold_fact)];
    count->all++;
    count->found_by_place += by_place;
    count->found += by_place || by_value;
    if (!by_place && !by_value)
        printf("    missed: %s %s %s\n", one->folder,
               json_string_value(json_object_get(gold_fact, "id")),
               json_string_value(json_object_get(gold_fact, "text")));
}

static bool count_episode(const struct gold_episode *one, struct count counts[FACT_CLASSES]) {
    struct clinic_error error = {0};
    struct fact_list facts;
    size_t i;
    json_t *gold_fact;
    if (!facts_of_episode(one->episode, &facts, &error)) {
        printf("    %s: %s\n", one->folder, error.message);
        return false;
    }
    json_array_foreach(json_object_get(one->gold, "facts"), i, gold_fact) {
        if (is_must(gold_fact)) count_fact(one, &facts, gold_fact, counts);
    }
    fact_list_deinit(&facts);
    return true;
}

static struct count print_counts(const char *title, const struct count counts[FACT_CLASSES]) {
    struct count sum = {0};
    printf("    %-14s %8s %8s %8s\n", title, "must", "found", "by place");
    for (int i = 0; i < FACT_CLASSES; i++) {
        if (counts[i].all)
            printf("    %-14s %8d %8d %8d\n", fact_class_name((enum fact_class)i), counts[i].all,
                   counts[i].found, counts[i].found_by_place);
        sum.all += counts[i].all;
        sum.found += counts[i].found;
        sum.found_by_place += counts[i].found_by_place;
    }
    printf("    %-14s %8d %8d %8d (%.1f %%)\n", "all", sum.all, sum.found, sum.found_by_place,
           sum.all ? 100.0 * sum.found / sum.all : 100.0);
    return sum;
}

static enum test_result test_recall(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    struct count developed[FACT_CLASSES] = {0}, unseen[FACT_CLASSES] = {0};
    int n = gold_episodes_open(episodes);
    bool done = n > 0;
    for (int i = 0; i < n && done; i++) {
        if (episodes[i].gold)
            done = count_episode(&episodes[i],
                                 strcmp(episodes[i].folder, DEVELOPED) < 0 ? developed : unseen);
    }
    gold_episodes_close(episodes, n);
    CHECK(done);
    struct count first = print_counts("developed on", developed);
    struct count rest = print_counts("not seen", unseen);
    CHECK(first.all > 0 && first.found * 10 >= first.all * 9);
    CHECK(rest.found * 10 >= rest.all * 9);
    return TEST_PASS;
}

static bool is_equal(const struct fact *a, const struct fact *b) {
    return a->fact_class == b->fact_class && a->is_must == b->is_must &&
           strcmp(a->text, b->text) == 0 && !a->value == !b->value &&
           (!a->value || strcmp(a->value, b->value) == 0) && a->n_sources == b->n_sources;
}

static enum test_result test_json(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts, again = {0};
        const struct episode *episode = episodes[i].episode;
        CHECK(facts_of_episode(episode, &facts, NULL));
        json_t *json = fact_list_to_json(episode, &facts);
        CHECK(json && fact_list_from_json(episode, json, &again, NULL));
        CHECK(again.n_facts == facts.n_facts);
        for (int k = 0; k < facts.n_facts; k++)
            CHECK(is_equal(&facts.facts[k], &again.facts[k]));
        json_decref(json);
        fact_list_deinit(&facts);
        fact_list_deinit(&again);
    }
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

// What nobody signed tells nothing.
static enum test_result test_unsigned(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    size_t i;
    json_t *doc;
    json_array_foreach(json_object_get(episodes[0].root, "docs"), i, doc)
        json_object_set_new(doc, "sign_time", json_null());
    struct episode *episode = episode_read(episodes[0].root, NULL);
    if (episode) {
        for (int k = 0; k < episode->n_docs; k++) {
            struct fact_list facts = {0};
            CHECK(facts_of_document(episode, k, &facts, NULL));
            CHECK(facts.n_facts == 0);
        }
        CHECK(!facts_of_document(episode, episode->n_docs, &(struct fact_list){0}, NULL));
    }
    episode_free(episode);
    gold_episodes_close(episodes, n);
    return episode ? TEST_PASS : harness_skip("a record may not hold unsigned documents");
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"recall", "facts that must be told are found, by class", test_recall},
        {"json", "facts survive their JSON", test_json},
        {"unsigned", "an unsigned document tells nothing", test_unsigned},
    };
    return harness_main("facts", tests, sizeof tests / sizeof *tests, argc, argv);
}
