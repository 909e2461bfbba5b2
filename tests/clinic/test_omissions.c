// SPDX-License-Identifier: Apache-2.0
// What a draft leaves out. A gold record leaves hardly anything out; when the sentences that tell a
// fact are taken from it, that fact is listed.
#include "harness.h"

#include "clinic/facts/episode_facts.h"
#include "clinic/facts/omission.h"
#include "gold_record.h"

#include <stdlib.h>
#include <string.h>

static bool is_must(const json_t *gold_fact) {
    const char *need = json_string_value(json_object_get(gold_fact, "need"));
    return need && strcmp(need, "must") == 0;
}

static enum test_result test_gold_omits_nothing(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), musts = 0, omitted = 0, mays = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct omission_list omissions;
        if (!episodes[i].gold) continue;
        char *text = gold_text(episodes[i].gold, NULL, NULL);
        CHECK(facts_of_episode(episodes[i].episode, &facts, NULL));
        CHECK(omissions_find(episodes[i].episode, &facts, (const char *const[]){text}, 1,
                             &omissions, NULL));
        for (int k = 0; k < facts.n_facts; k++)
            musts += facts.facts[k].is_must;
        for (int k = 0; k < omissions.n_omissions; k++) {
            const struct fact *fact = &facts.facts[omissions.omissions[k].fact];
            omitted += fact->is_must;
            mays += !fact->is_must;
            if (fact->is_must)
                printf("    %s: %s %s\n", episodes[i].folder, fact_class_name(fact->fact_class),
                       fact->text);
        }
        omission_list_deinit(&omissions);
        fact_list_deinit(&facts);
        free(text);
    }
    gold_episodes_close(episodes, n);
    printf("    %d of %d must-facts are said to be omitted by gold records (%.1f %%); %d mays\n",
           omitted, musts, 100.0 * omitted / musts, mays);
    CHECK(omitted * 20 <= musts);
    return TEST_PASS;
}

// --- deleted sentences
// ----------------------------------------------------------------------------

#define DELETED 0.4 // of a fact's pairs of characters: a sentence that tells at least so much goes

static bool is_han(const char *text) {
    return (unsigned char)*text >= 0xe4;
}

// Share of the fact's pairs of Chinese characters that stand in the sentence.
static double overlap(const char *fact, const char *sentence, size_t bytes) {
    int all = 0, found = 0;
    char *copy = strndup(sentence, bytes);
    for (const char *at = fact; *at; at++) {
        char pair[7] = {0};
        if (!is_han(at) || strlen(at) < 6 || !is_han(at + 3)) continue;
        memcpy(pair, at, 6);
        all++;
        found += copy && strstr(copy, pair) != NULL;
        at += 2;
    }
    free(copy);
    return all ? (double)found / all : 0;
}

static bool tells(void *user, const char *sentence, size_t bytes) {
    return overlap(user, sentence, bytes) >= DELETED;
}

static bool is_listed(const struct episode *episode, const struct fact_list *facts,
                      const struct omission_list *omissions, const json_t *gold_fact) {
    for (int i = 0; i < omissions->n_omissions; i++) {
        const struct fact *fact = &facts->facts[omissions->omissions[i].fact];
        if (gold_shares_place(episode, gold_fact, fact) || gold_shares_value(gold_fact, fact))
            return true;
    }
    return false;
}

static bool check_deletion(const struct gold_episode *one, const struct fact_list *facts,
                           const json_t *gold_fact, int *n_deleted, int *n_listed) {
    struct omission_list omissions;
    const char *words = json_string_value(json_object_get(gold_fact, "text"));
    char *whole = gold_text(one->gold, NULL, NULL);
    char *rest = gold_text(one->gold, tells, (void *)words);
    bool done = true;
    if (strlen(rest) < strlen(whole)) {
        done =
            omissions_find(one->episode, facts, (const char *const[]){rest}, 1, &omissions, NULL);
        bool listed = done && is_listed(one->episode, facts, &omissions, gold_fact);
        (*n_deleted)++;
        *n_listed += listed;
        if (!listed)
            printf("    not listed: %s %s %s\n", one->folder,
                   json_string_value(json_object_get(gold_fact, "id")), words);
        if (done) omission_list_deinit(&omissions);
    }
    free(whole);
    free(rest);
    return done;
}

static enum test_result test_deleted_is_listed(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), n_deleted = 0, n_listed = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        size_t k;
        json_t *gold_fact;
        if (!episodes[i].gold) continue;
        CHECK(facts_of_episode(episodes[i].episode, &facts, NULL));
        json_array_foreach(json_object_get(episodes[i].gold, "facts"), k, gold_fact) {
            if (is_must(gold_fact))
                CHECK(check_deletion(&episodes[i], &facts, gold_fact, &n_deleted, &n_listed));
        }
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    printf("    %d of %d must-facts are listed when their sentences are gone (%.1f %%)\n", n_listed,
           n_deleted, 100.0 * n_listed / n_deleted);
    CHECK(n_deleted > 50 && n_listed * 10 >= n_deleted * 9);
    return TEST_PASS;
}

static enum test_result test_empty_draft(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        struct omission_list omissions;
        const struct episode *episode = episodes[i].episode;
        CHECK(facts_of_episode(episode, &facts, NULL));
        CHECK(
            omissions_find(episode, &facts, (const char *const[]){NULL, ""}, 2, &omissions, NULL));
        CHECK(omissions.n_omissions > 0);
        json_t *json = omission_list_to_json(episode, &facts, &omissions);
        CHECK(json && json_array_size(json) == (size_t)omissions.n_omissions);
        const char *sentence =
            json_string_value(json_object_get(json_array_get(json, 0), "sentence"));
        CHECK(sentence && strlen(sentence) > strlen("。"));
        json_decref(json);
        omission_list_deinit(&omissions);
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"gold", "gold records omit (almost) no must-fact", test_gold_omits_nothing},
        {"deleted", "a fact whose sentences are deleted is listed", test_deleted_is_listed},
        {"empty", "an empty draft omits everything, each with a sentence", test_empty_draft},
    };
    return harness_main("omissions", tests, sizeof tests / sizeof *tests, argc, argv);
}
