// SPDX-License-Identifier: Apache-2.0
#include "tests/clinic/draft_fixture.h"

#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- The writer --------------------------------------------------------------------------------

// The piece stands behind the first line of the instruction.
static const char *find_piece(const struct writing_task *task, size_t *bytes) {
    const char *piece = strchr(task->instruction, '\n');
    piece = piece ? piece + 1 : task->instruction;
    const char *hint = strchr(piece, '\n');
    *bytes = hint ? (size_t)(hint - piece) : strlen(piece);
    return piece;
}

static void remember(struct fake_writer *writer, const struct writing_task *task) {
    size_t at = 0, room = sizeof writer->last_prompt;
    at += (size_t)snprintf(writer->last_prompt, room, "%s\n", task->system);
    for (int i = 0; i < task->n_parts && at < room; i++)
        at += (size_t)snprintf(writer->last_prompt + at, room - at, "%.*s",
                               (int)task->parts[i].text_bytes, task->parts[i].text);
    if (at < room) snprintf(writer->last_prompt + at, room - at, "%s", task->instruction);
}

static int prompt_bytes(const struct writing_task *task) {
    size_t n = strlen(task->system) + strlen(task->instruction);
    for (int i = 0; i < task->n_examples; i++)
        n += strlen(task->examples[i].question) + strlen(task->examples[i].answer);
    for (int i = 0; i < task->n_parts; i++)
        n += task->parts[i].text_bytes;
    return (int)n;
}

static bool measure(void *user, const struct writing_task *task, int *prompt_tokens,
                    int *context_tokens, struct clinic_error *error) {
    const struct fake_writer *writer = user;
    (void)error;
    *prompt_tokens = prompt_bytes(task);
    *context_tokens = writer->context ? writer->context : 1 << 30;
    return true;
}

static void say_changed(const struct writing_listener *listener, const char *text, size_t bytes) {
    static const char right[] = "2.0 g", wrong[] = "20.0 g";
    char copy[8192];
    snprintf(copy, sizeof copy, "%.*s", (int)bytes, text);
    char *at = strstr(copy, right);
    if (!at) {
        listener->on_text(listener->user, text, bytes);
        return;
    }
    listener->on_text(listener->user, copy, (size_t)(at - copy));
    listener->on_text(listener->user, wrong, strlen(wrong));
    listener->on_text(listener->user, at + strlen(right), strlen(at + strlen(right)));
}

static size_t without_last(const char *piece, size_t bytes) {
    size_t last = bytes;
    for (size_t i = 0; i + 3 < bytes; i++)
        if (memcmp(piece + i, "；", 3) == 0) last = i;
    return last;
}

static void say(struct fake_writer *writer, const struct writing_listener *listener,
                const char *piece, size_t bytes) {
    static const char other_day[] = "白细胞15.62×10⁹/L。";
    const char *comma = strstr(piece, "，");
    if (writer->mode == FAKE_SHORT && comma) bytes = (size_t)(comma - piece);
    if (writer->mode == FAKE_DROP_LAST) bytes = without_last(piece, bytes);
    if (writer->mode == FAKE_WRONG)
        say_changed(listener, piece, bytes);
    else
        listener->on_text(listener->user, piece, bytes);
    if (writer->mode == FAKE_OTHER_DAY)
        listener->on_text(listener->user, other_day, strlen(other_day));
}

static bool write_text(void *user, const struct writing_task *task,
                       const struct writing_listener *listener, struct writing_result *result,
                       struct clinic_error *error) {
    struct fake_writer *writer = user;
    size_t bytes;
    const char *piece = find_piece(task, &bytes);
    writer->n_asked++;
    writer->n_too_long += writer->context && prompt_bytes(task) > writer->context;
    remember(writer, task);
    if (writer->mode == FAKE_FAIL) return clinic_fail(error, CLINIC_BUSY, "no room");
    say(writer, listener, piece, bytes);
    if (writer->stop_after && writer->n_asked >= writer->stop_after) writer->wants_stop = true;
    if (listener->is_stopped(listener->user))
        return clinic_fail(error, CLINIC_CONFLICT, "the draft was stopped");
    *result = (struct writing_result){.is_complete = writer->mode != FAKE_ENDLESS};
    return true;
}

static void warm(void *user, const struct writing_task *task) {
    struct fake_writer *writer = user;
    (void)task;
    writer->n_warmed++;
}

void fake_writer_init(struct fake_writer *writer, enum fake_mode mode) {
    memset(writer, 0, sizeof *writer);
    writer->mode = mode;
    writer->interface = (struct text_writer){
        .user = writer, .name = "fake", .measure = measure, .write = write_text, .warm = warm};
}

// ---- Episodes ----------------------------------------------------------------------------------

bool draft_fixture_open(struct draft_fixture *fixture, const char *name,
                        bool (*change)(json_t *root)) {
    char relative[128], path[1024];
    struct clinic_error error = {CLINIC_OK, ""};
    memset(fixture, 0, sizeof *fixture);
    snprintf(relative, sizeof relative, "examples/episodes/%s/episode.json", name);
    if (!harness_repo_path(relative, path, sizeof path)) return false;
    json_t *root = json_load_file(path, 0, NULL);
    bool is_open = root && (!change || change(root));
    if (is_open) is_open = (fixture->episode = episode_read(root, &error)) != NULL;
    json_decref(root);
    if (is_open) is_open = (fixture->ground = draft_ground_open(fixture->episode, &error)) != NULL;
    if (is_open) is_open = (fixture->templates = template_set_open(NULL, &error)) != NULL;
    if (!is_open) {
        printf("    %s: %s\n", name, error.message);
        draft_fixture_close(fixture);
        return false;
    }
    fake_writer_init(&fixture->writer, FAKE_COPY);
    fixture->request =
        (struct draft_request){.ground = fixture->ground,
                               .record = template_set_find(fixture->templates, "discharge-record"),
                               .writer = &fixture->writer.interface};
    return fixture->request.record != NULL;
}

bool draft_fixture_allow_own_wording(struct draft_fixture *fixture) {
    struct clinic_error error = {CLINIC_OK, ""};
    json_t *root = json_deep_copy(fixture->request.record->root);
    json_t *course = draft_field(root, "course");
    if (course && json_object_set_new(course, "wording", json_string("own")) == 0)
        fixture->own_wording = record_template_read(root, "own wording", &error);
    json_decref(root);
    if (fixture->own_wording) fixture->request.record = fixture->own_wording;
    return fixture->own_wording != NULL;
}

void draft_fixture_close(struct draft_fixture *fixture) {
    record_template_free(fixture->own_wording);
    fixture->own_wording = NULL;
    draft_ground_close(fixture->ground);
    episode_free(fixture->episode);
    template_set_close(fixture->templates);
    fixture->ground = NULL;
    fixture->episode = NULL;
    fixture->templates = NULL;
}

json_t *draft_fixture_compose(struct draft_fixture *fixture, const struct draft_events *events) {
    struct clinic_error error;
    json_t *draft;
    if (draft_compose(&fixture->request, events, &draft, &error)) return draft;
    printf("    %s\n", error.message);
    return NULL;
}

const char *draft_fixture_member(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

const char *draft_fixture_text(const json_t *draft, const char *field) {
    return draft_fixture_member(draft_field(draft, field), "text");
}
