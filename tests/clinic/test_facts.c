// SPDX-License-Identifier: Apache-2.0
// Facts of the example episodes against their gold facts. The rules were developed on episodes 1 to
// 6; the rest is told apart, because only it says how they do on a record that nobody looked at.
#include "harness.h"

#include "clinic/facts/data_field.h"
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

// --- documents that are no evidence
// -----------------------------------------------------------------

struct planted {
    const char *c_code, *type, *title;
    bool is_signed;
    const char *text;
};

static const char PLANTED[] =
    "体温39.9℃，予万古霉素2.0 g静脉滴注。并发肺栓塞。行肝移植术。出院后5个月到门诊复查脑电图。";

// The episode with one more document behind the others, which tells what no other does.
static struct episode *with_document(const struct gold_episode *one, const struct planted *planted,
                                     json_t **root) {
    *root = json_deep_copy(one->root);
    json_t *docs = json_object_get(*root, "docs");
    json_t *doc = json_deep_copy(json_array_get(docs, json_array_size(docs) - 1));
    json_object_set_new(doc, "id", json_string("d-planted"));
    json_object_set_new(doc, "c_code", json_string(planted->c_code));
    json_object_set_new(doc, "type", json_string(planted->type));
    json_object_set_new(doc, "local_title", json_string(planted->title));
    json_object_set_new(doc, "sections",
                        json_pack("[{s:s, s:s}, {s:s, s:s}]", "name", "病程", "text", PLANTED,
                                  "name", "入院情况", "text", PLANTED));
    if (!planted->is_signed) json_object_del(doc, "sign_time");
    json_array_append_new(docs, doc);
    return episode_read(*root, NULL);
}

// The words of all facts and of the fields that are drawn from notes; malloc'd.
static char *told_words(const struct episode *episode) {
    static const char *const FIELDS[] = {"discharge_orders", "admission_summary",
                                         "discharge_condition", "chief_complaint"};
    struct fact_list facts;
    json_t *words = json_array();
    if (!facts_of_episode(episode, &facts, NULL)) return NULL;
    for (int i = 0; i < facts.n_facts; i++)
        json_array_append_new(words, json_string(facts.facts[i].text));
    fact_list_deinit(&facts);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        char *text = NULL;
        if (data_field(episode, FIELDS[i], &text, NULL, NULL))
            json_array_append_new(words, json_string(text));
        free(text);
    }
    char *all = json_dumps(words, 0);
    json_decref(words);
    return all;
}

// 1: the document changes what is told, 0: it does not; -1: it could not be planted.
static int changes_words(const struct gold_episode *one, const struct planted *planted) {
    json_t *root;
    struct episode *episode = with_document(one, planted, &root);
    char *before = told_words(one->episode), *after = episode ? told_words(episode) : NULL;
    int changes = before && after ? strcmp(before, after) != 0 : -1;
    free(before);
    free(after);
    episode_free(episode);
    json_decref(root);
    return changes;
}

static enum test_result test_evidence(void) {
    static const struct planted NONE[] = {
        {"C0038", "progress_note", "日常病程记录", false, PLANTED},
        {"C0039", "ward_round", "主任医师查房记录", false, PLANTED},
        {"C0049", "discharge_record", "出院记录", true, PLANTED},
        {"C0053", "discharge_summary", "出院小结", true, PLANTED},
        {"X-OTHER", "other", "出院记录（修改）", true, PLANTED},
    };
    static const struct planted SIGNED = {"C0038", "progress_note", "日常病程记录", true, PLANTED};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        CHECK_MESSAGE(changes_words(&episodes[i], &SIGNED) == 1, "%s: a signed note tells nothing",
                      episodes[i].folder);
        for (size_t k = 0; k < sizeof NONE / sizeof *NONE; k++)
            CHECK_MESSAGE(changes_words(&episodes[i], &NONE[k]) == 0, "%s: %s tells something",
                          episodes[i].folder, NONE[k].title);
    }
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

// What the last note tells of the stay is no order for the time behind it.
static enum test_result test_advice(void) {
    static const char *const STAY[] = {"自行停用", "不再加量", "接近目标", "1月2日", "是否口服"};
    static const struct planted NOTE = {
        "C0038", "progress_note", "日常病程记录", true,
        "患者3天前低血糖后自行停用胰岛素。血糖接近目标，不再加量。静脉万古霉素至少2周（至1月2日）。"
        "出院后是否口服抗菌药物。出院后5个月到门诊复查脑电图。"};
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        json_t *root;
        char *orders;
        struct episode *episode = with_document(&episodes[i], &NOTE, &root);
        CHECK(episode && data_field(episode, "discharge_orders", &orders, NULL, NULL));
        CHECK_MESSAGE(strstr(orders, "5个月"), "%s: %s", episodes[i].folder, orders);
        for (size_t k = 0; k < sizeof STAY / sizeof *STAY; k++)
            CHECK_MESSAGE(!strstr(orders, STAY[k]), "%s: %s", episodes[i].folder, orders);
        free(orders);
        episode_free(episode);
        json_decref(root);
    }
    gold_episodes_close(episodes, n);
    return TEST_PASS;
}

// A consultation is told by what was advised, not by what was found.
static enum test_result test_consultations(void) {
    static const char MARK[] = "意见：1. ";
    struct gold_episode episodes[GOLD_EPISODES_MAX];
    int n = gold_episodes_open(episodes), all = 0;
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        struct fact_list facts;
        CHECK(facts_of_episode(episodes[i].episode, &facts, NULL));
        for (int k = 0; k < facts.n_facts; k++) {
            const struct fact *fact = &facts.facts[k];
            for (int j = 0; fact->fact_class == FACT_CONSULT && j < fact->n_sources; j++) {
                const struct section *section =
                    source_section(episodes[i].episode, &fact->sources[j]);
                const char *mark = section ? strstr(section->text, MARK) : NULL;
                char first[13] = {0}; // four characters
                if (!mark) continue;
                memcpy(first, mark + strlen(MARK), sizeof first - 1);
                CHECK_MESSAGE(strstr(fact->text, first), "%s: %s", episodes[i].folder, fact->text);
                all++;
            }
        }
        fact_list_deinit(&facts);
    }
    gold_episodes_close(episodes, n);
    CHECK(all >= 12);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"recall", "facts that must be told are found, by class", test_recall},
        {"json", "facts survive their JSON", test_json},
        {"unsigned", "an unsigned document tells nothing", test_unsigned},
        {"evidence", "unsigned notes and earlier drafts tell nothing", test_evidence},
        {"advice", "what is told of the stay is no discharge order", test_advice},
        {"consultations", "consultations are told by their advice", test_consultations},
    };
    return harness_main("facts", tests, sizeof tests / sizeof *tests, argc, argv);
}
