// SPDX-License-Identifier: Apache-2.0
// Templates: those of the binary, strict reading, folders that add and replace; and the text member
// of an answer that arrives in pieces.
#include "clinic/draft/json_text_stream.h"
#include "tests/clinic/draft_fixture.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

static struct draft_fixture fixture; // its prompt is too large for a stack

static const char good[] =
    "{\"format\":\"xinglin-record-template\",\"version\":1,\"id\":\"day-note\",\"name\":"
    "\"日间小结\","
    "\"fields\":[{\"id\":\"when\",\"name\":\"入院日期\",\"from\":\"data\",\"value\":\"admit_date\"}"
    ","
    "{\"id\":\"why\",\"name\":\"主诉\",\"from\":\"copy\",\"documents\":[\"C0034\"],"
    "\"sections\":[\"主诉\"]},"
    "{\"id\":\"drugs\",\"name\":\"用药经过\",\"from\":\"model\",\"value\":\"outline\","
    "\"facts\":[\"drug\"],\"prompt\":\"改写：\",\"context\":\"none\"}]}";

static enum test_result test_built_in(void) {
    static const char *const ids[] = {"discharge-record", "discharge-summary", "stage-summary"};
    static const char *const fields[] = {
        "admit_date",          "discharge_date",      "stay_days",
        "admission_diagnoses", "discharge_diagnoses", "course",
        "admission_condition", "discharge_condition", "discharge_orders"};
    struct clinic_error error;
    struct template_set *set = template_set_open(NULL, &error);
    CHECK(set && template_set_count(set) == 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(template_set_find(set, ids[i]));
    const struct record_template *record = template_set_find(set, ids[0]);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        CHECK_MESSAGE(record_template_field(record, fields[i]), "no field %s", fields[i]);
    CHECK(record_template_field(record, "stay_days")->origin == ORIGIN_DATA);
    CHECK(!template_set_find(set, "no-such-type") && !template_set_at(set, 99));
    template_set_close(set);
    return TEST_PASS;
}

// `old` in the good template becomes `new`; the message must name what is wrong.
static bool is_refused(const char *old, const char *new, const char *named) {
    char text[2048];
    struct clinic_error error = {CLINIC_OK, ""};
    const char *at = strstr(good, old);
    if (!at) return false;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, new, at + strlen(old));
    json_t *root = json_loads(text, 0, NULL);
    struct record_template *record = root ? record_template_read(root, "x.json", &error) : NULL;
    bool is_good = root && !record && error.failure == CLINIC_BAD_INPUT &&
                   strstr(error.message, named) && strstr(error.message, "x.json");
    if (!is_good) printf("    %s: %s\n", new, error.message);
    record_template_free(record);
    json_decref(root);
    return is_good;
}

static enum test_result test_refused(void) {
    CHECK(is_refused("\"version\":1", "\"version\":2", "version"));
    CHECK(is_refused("\"version\":1", "\"version\":1,\"colour\":\"red\"", "colour"));
    CHECK(is_refused("xinglin-record-template", "other", "format"));
    CHECK(is_refused("day-note", "Day Note", "\"id\""));
    CHECK(is_refused("day-note", "../../x", "\"id\""));
    CHECK(is_refused("\"id\":\"why\"", "\"id\":\"when\"", "twice"));
    CHECK(is_refused("\"from\":\"data\"", "\"from\":\"magic\"", "from"));
    CHECK(is_refused("\"from\":\"data\",", "", "from"));
    CHECK(is_refused("\"value\":\"admit_date\"", "\"value\":\"shoe_size\"", "value"));
    CHECK(is_refused("\"value\":\"admit_date\"", "\"value\":\"admit_date\",\"prompt\":\"x\"",
                     "from"));
    CHECK(is_refused("\"prompt\":\"改写：\",", "", "prompt"));
    CHECK(is_refused("\"facts\":[\"drug\"]", "\"facts\":[\"magic\"]", "facts"));
    CHECK(is_refused("\"facts\":[\"drug\"]", "\"max_characters\":0", "max_characters"));
    CHECK(is_refused("\"facts\":[\"drug\"]", "\"schema\":{\"type\":\"string\"}", "schema"));
    CHECK(is_refused("\"sections\":[\"主诉\"]", "\"sections\":[]", "sections"));
    CHECK(is_refused("\"context\":\"none\"", "\"context\":\"all\"", "context"));
    CHECK(is_refused("\"context\":\"none\"", "\"wording\":\"free\"", "wording"));
    CHECK(is_refused("\"name\":\"主诉\"", "\"name\":7", "name"));
    return TEST_PASS;
}

static bool write_file(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) return false;
    bool is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

// A new type is a file: it drafts without a line of code.
static enum test_result test_folder(void) {
    struct clinic_error error;
    const char *folder = harness_scratch();
    CHECK(draft_fixture_open(&fixture, "01-pneumonia", NULL));
    CHECK(write_file(folder, "day.json", good) && write_file(folder, "notes.txt", "{"));
    struct template_set *set = template_set_open(folder, &error);
    CHECK(set && template_set_count(set) == 4);
    fixture.request.record = template_set_find(set, "day-note");
    json_t *draft = draft_fixture_compose(&fixture, NULL);
    CHECK(draft && strcmp(draft_fixture_text(draft, "why"), "") != 0);
    CHECK(strstr(draft_fixture_text(draft, "drugs"), "头孢曲松钠2.0 g"));
    CHECK(!strstr(draft_fixture_text(draft, "drugs"), "肺炎克雷伯菌，ESBL"));
    CHECK(!strstr(fixture.writer.last_prompt, "【")); // context none: no document is shown
    json_decref(draft);
    template_set_close(set);
    // One with a known id replaces it; a damaged one is named.
    CHECK(write_file(folder, "day.json", "{\"format\": 1"));
    CHECK(!template_set_open(folder, &error) && strstr(error.message, "day.json"));
    CHECK(!template_set_open("/no/such/folder", &error));
    draft_fixture_close(&fixture);
    return TEST_PASS;
}

// ---- Answers in pieces -------------------------------------------------------------------------

static char heard[512];

static void hear(void *user, const char *text, size_t text_bytes) {
    (void)user;
    strncat(heard, text, text_bytes);
}

// Whatever the pieces are, the text is the same.
static bool gives(const char *json, const char *text, bool is_closed) {
    size_t n = strlen(json);
    for (size_t step = 1; step <= n; step++) {
        struct json_text_stream stream;
        heard[0] = '\0';
        json_text_stream_init(&stream, hear, NULL);
        for (size_t i = 0; i < n; i += step)
            json_text_stream_push(&stream, json + i, n - i < step ? n - i : step);
        if (strcmp(heard, text) != 0 || json_text_stream_is_closed(&stream) != is_closed) {
            printf("    %s by %zu: \"%s\"\n", json, step, heard);
            return false;
        }
    }
    return true;
}

static enum test_result test_stream(void) {
    CHECK(gives("{\"text\": \"11月3日入院。\"}", "11月3日入院。", true));
    CHECK(gives("{\"text\":\"a\\\"b\\\\c\\/d\\n\\te\"}", "a\"b\\c/de", true));
    CHECK(gives("{\"text\":\"\\u5165\\u9662\\ud83d\\ude00\\ude00\"}", "入院😀\xef\xbf\xbd", true));
    CHECK(gives("{\"why\":\"text\",\"deep\":{\"text\":\"no\"},\"text\":\"yes\"}", "yes", true));
    CHECK(gives("{\"text\":\"cut", "cut", false));
    CHECK(gives("{\"text\":\"<b>x</b>体温<3.9，P<0.05\"}", "x体温<3.9，P<0.05", true));
    // What is thought is no text, wherever it stands and however it ends.
    CHECK(gives("{\"text\":\"<think>好的，<b>36.5</b></think>体温<3.9\"}", "体温<3.9", true));
    CHECK(gives("{\"text\":\"体温，<thinking>or 37?\\n\\u003c/thinking>好\"}", "体温，好", true));
    CHECK(gives("{\"text\":\"好。<think>不\"}", "好。", true));
    CHECK(gives("<think>好的</think>{\"text\":\"好。\"}", "好。", true));
    CHECK(gives("{\"text\":\"<|im_end|><script>a</script><b\"}", "a<b", true));
    CHECK(gives("[\"text\",\"no\"]", "", false));
    CHECK(gives("no JSON at all", "", false));
    return TEST_PASS;
}

static const struct test tests[] = {
    {"built_in", "three types are in the binary", test_built_in},
    {"refused", "what is not known or makes no sense is refused by name", test_refused},
    {"folder", "a new type is a file", test_folder},
    {"stream", "the text member, whatever the pieces", test_stream},
};

int main(int argc, char **argv) {
    return harness_main("record_template", tests, sizeof tests / sizeof tests[0], argc, argv);
}
