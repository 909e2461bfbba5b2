// SPDX-License-Identifier: Apache-2.0
// What test_crash.py kills: works on a store without end and says of each change that the store has
// acknowledged what it was, one line each, unbuffered. Usage: store_driver STORE EPISODE NAME
//   import ID VERSION MARK    document ID VERSION MARK    draft ID REVISION MARK
//   form EPISODE VERSION MARK (three fields at once)
// Ends with status 4 at the first failure, whose kind it prints: "failed KIND MESSAGE".
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct actor actor = {"driver", "doctor", NULL, NULL};

struct drive {
    struct store *store;
    json_t *episode, *draft;
    char id[64], draft_id[STORE_ID_BYTES], mark[64];
    int64_t revision, form_version;
    struct clinic_error error;
};

// One write each, so that a line is there whole or not at all.
static bool say(const char *what, const char *id, int64_t version, const char *mark) {
    char line[256];
    int n = snprintf(line, sizeof line, "%s %s %lld %s\n", what, id, (long long)version, mark);
    return n > 0 && n < (int)sizeof line && write(STDOUT_FILENO, line, (size_t)n) == n;
}

static bool import_episode(struct drive *drive) {
    struct put_result result;
    json_object_set_new(json_object_get(drive->episode, "encounter"), "bed",
                        json_string(drive->mark));
    return store_put_episode(drive->store, &actor, drive->episode, "json", &result,
                             &drive->error) &&
           say("import", drive->id, result.version, drive->mark);
}

static bool push_document(struct drive *drive) {
    struct put_result result;
    json_t *docs = json_object_get(drive->episode, "docs");
    json_t *document = json_deep_copy(json_array_get(docs, json_array_size(docs) - 1));
    json_t *section = json_array_get(json_object_get(document, "sections"), 0);
    json_object_set_new(section, "text", json_string(drive->mark));
    bool is_good =
        store_put_document(drive->store, &actor, drive->id, document, &result, &drive->error) &&
        say("document", drive->id, result.version, drive->mark);
    json_decref(document);
    return is_good;
}

static bool save_draft(struct drive *drive) {
    static const struct draft_change change = {.action = "draft.edit"};
    json_object_set_new(drive->draft, "mark", json_string(drive->mark));
    json_object_set_new(drive->draft, "state", json_string("running"));
    bool is_good = drive->draft_id[0]
                       ? store_save_draft(drive->store, &actor, drive->draft_id, drive->draft,
                                          drive->revision, &change, &drive->error)
                       : store_create_draft(drive->store, &actor, drive->id, "discharge-record",
                                            drive->draft, drive->draft_id, &drive->error);
    if (!is_good) return false;
    drive->revision++;
    return say("draft", drive->draft_id, drive->revision, drive->mark);
}

static bool fill_form(struct drive *drive) {
    struct form_field fields[3] = {{"course", NULL, drive->mark, drive->form_version},
                                   {"discharge_orders", NULL, drive->mark, drive->form_version},
                                   {"stay_days", NULL, drive->mark, drive->form_version}};
    struct form_fill fill = {drive->id, "discharge-record", fields, 3, NULL};
    if (!store_fill_form(drive->store, &actor, &fill, NULL, &drive->error)) return false;
    return say("form", drive->id, ++drive->form_version, drive->mark);
}

static bool work(struct drive *drive, const char *name) {
    for (int i = 0;; i++) {
        snprintf(drive->mark, sizeof drive->mark, "%s-%d", name, i);
        if ((i == 0 || i % 5 == 4) && !import_episode(drive)) return false;
        if (i % 5 == 0 && !push_document(drive)) return false;
        if ((i % 5 == 1 || i % 5 == 2) && !save_draft(drive)) return false;
        if (i % 5 == 3 && !fill_form(drive)) return false;
    }
}

int main(int argc, char **argv) {
    struct drive drive = {0};
    if (argc != 4) return 2;
    snprintf(drive.id, sizeof drive.id, "E-%.50s", argv[3]);
    drive.episode = json_load_file(argv[2], 0, NULL);
    drive.draft = json_object();
    json_object_set_new(json_object_get(drive.episode, "encounter"), "id", json_string(drive.id));
    drive.store = store_open(argv[1], true, &drive.error);
    if (drive.store) work(&drive, argv[3]);
    fprintf(stdout, "failed %d %s\n", (int)drive.error.failure, drive.error.message);
    store_close(drive.store);
    json_decref(drive.episode);
    json_decref(drive.draft);
    return 4;
}
