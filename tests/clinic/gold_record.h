// SPDX-License-Identifier: Apache-2.0
// The episodes of examples/episodes with their gold records and defects, for tests.
#ifndef XL_TESTS_GOLD_RECORD_H
#define XL_TESTS_GOLD_RECORD_H

#include "clinic/facts/fact.h"

#define GOLD_EPISODES_MAX 32

struct gold_episode {
    char folder[64];         // "01-pneumonia"
    json_t *root;            // episode.json
    struct episode *episode; // of root
    json_t *gold;            // gold.json; NULL: none yet
    json_t *defects;         // defects.json; NULL: none
};

// All episodes, sorted. Returns how many; 0 when the folder is missing. Prints what cannot be read.
int gold_episodes_open(struct gold_episode episodes[GOLD_EPISODES_MAX]);
void gold_episodes_close(struct gold_episode *episodes, int n);

// A fact of gold.json and one of ours are read from the same place: the same row of a table, or
// stretches of one text that overlap.
bool gold_shares_place(const struct episode *episode, const json_t *gold_fact,
                       const struct fact *fact);
// Every part of the gold fact's value ("74 g/L; 92 g/L") stands in the fact's words.
bool gold_shares_value(const json_t *gold_fact, const struct fact *fact);
// The text of gold.json's fields, one a line, malloc'd; without the sentences for which `drop` is
// true (drop may be NULL).
char *gold_text(const json_t *gold, bool (*drop)(void *user, const char *sentence, size_t bytes),
                void *user);

// The episode with one defect applied, read; *root is to be given back after episode_free(). NULL:
// the patch does not fit.
struct episode *gold_defective(const struct gold_episode *clean, const json_t *defect,
                               json_t **root);

#endif
