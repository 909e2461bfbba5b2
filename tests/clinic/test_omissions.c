// SPDX-License-Identifier: Apache-2.0
// What a draft leaves out. A gold record leaves hardly anything out; when the sentences that tell a
// fact are taken from it, that fact is listed.
#include "harness.h"

#include "clinic/facts/episode_facts.h"
#include "clinic/facts/omission.h"
#include "gold_record.h"

#include <stdlib.h>
#include <string.h>

#define DEVELOPED "07" // folders before this one were developed on

static bool is_must(const json_t *gold_fact) {
    const char *need = json_string_value(json_object_get(gold_fact, "need"));
    return need && strcmp(need, "must") == 0;
}

struct tally {
    int all, counted;
};

static double percent(struct tally tally) {
    return tally.all ? 100.0 * tally.counted / tally.all : 0;
}

static bool tally_gold(const struct gold_episode *one, struct tally *tally, int *mays) {
    struct fact_list facts;
    struct omission_list omissions;
    char *text = gold_text(one->gold, NULL, NULL);
    bool done =
        facts_of_episode(one->episode, &facts, NULL) &&
        omissions_find(one->episode, &facts, (const char *const[]){text}, 1, &omissions, NULL);
    for (int k = 0; done && k < facts.n_facts; k++)
        tally->all += facts.facts[k].is_must;
    for (int k = 0; done && k < omissions.n_omissions; k++) {
        const struct omission *omission = &omissions.omissions[k];
        const struct fact *fact = &facts.facts[omission->fact];
        tally->counted += omission->is_must;
        *mays += !omission->is_must;
        if (omission->is_must)
            printf("    %s: %s %s\n", one->folder, fact_class_name(fact->fact_class), fact->text);
    }
    if (done) omission_list_deinit(&omissions);
    fact_list_deinit(&facts);
    free(text);
    return done;
}

static enum test_result test_gold_omits_nothing(void) {
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    struct tally developed = {0}, unseen = {0};
    int n = gold_episodes_open(episodes), mays = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        bool is_developed = strcmp(episodes[i].folder, DEVELOPED) < 0;
        if (episodes[i].gold)
            CHECK(tally_gold(&episodes[i], is_developed ? &developed : &unseen, &mays));
    }
    gold_episodes_close(episodes, n);
    printf(
        "    must-facts that gold records are said to omit: developed on %d of %d (%.1f %%), not "
        "seen %d of %d (%.1f %%); %d mays in all\n",
        developed.counted, developed.all, percent(developed), unseen.counted, unseen.all,
        percent(unseen), mays);
    CHECK(percent(developed) <= 3.0 && percent(unseen) <= 3.0);
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
                           const json_t *gold_fact, struct tally *tally) {
    struct omission_list omissions;
    const char *words = json_string_value(json_object_get(gold_fact, "text"));
    char *whole = gold_text(one->gold, NULL, NULL);
    char *rest = gold_text(one->gold, tells, (void *)words);
    bool done = true;
    if (strlen(rest) < strlen(whole)) {
        done =
            omissions_find(one->episode, facts, (const char *const[]){rest}, 1, &omissions, NULL);
        bool listed = done && is_listed(one->episode, facts, &omissions, gold_fact);
        tally->all++;
        tally->counted += listed;
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
    struct tally developed = {0}, unseen = {0};
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        size_t k;
        json_t *gold_fact;
        if (!episodes[i].gold) continue;
        bool is_developed = strcmp(episodes[i].folder, DEVELOPED) < 0;
        CHECK(facts_of_episode(episodes[i].episode, &facts, NULL));
        json_array_foreach(json_object_get(episodes[i].gold, "facts"), k, gold_fact) {
            if (is_must(gold_fact))
                CHECK(check_deletion(&episodes[i], &facts, gold_fact,
                                     is_developed ? &developed : &unseen));
        }
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    printf("    must-facts that are listed when their sentences are gone: developed on %d of %d "
           "(%.1f %%), not seen %d of %d (%.1f %%)\n",
           developed.counted, developed.all, percent(developed), unseen.counted, unseen.all,
           percent(unseen));
    CHECK(developed.all > 50 && percent(developed) >= 94.0 && percent(unseen) >= 84.0);
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
