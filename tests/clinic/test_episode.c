// SPDX-License-Identifier: Apache-2.0
// Episodes are read whole or refused with table and member named: the examples, each member of them
// dropped or altered in turn, ids, budgets, times, sources there and back.
#include "harness.h"

#include "clinic/record/episode.h"
#include "clinic/record/source.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name) {
    char relative[512], path[1024];
    snprintf(relative, sizeof relative, "examples/episodes/%s/episode.json", name);
    if (!harness_repo_path(relative, path, sizeof path)) return NULL;
    return json_load_file(path, 0, NULL);
}

// Reads a copy with one thing changed; returns whether it was read.
static bool reads(json_t *root, struct clinic_error *error) {
    *error = (struct clinic_error){0};
    struct episode *episode = episode_read(root, error);
    episode_free(episode);
    return episode != NULL;
}

static int for_each_example(bool (*check)(const char *name)) {
    char path[1024];
    if (!harness_repo_path("examples/episodes", path, sizeof path)) return 0;
    DIR *folder = opendir(path);
    if (!folder) return 0;
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        if (!check(entry->d_name)) {
            printf("    %s\n", entry->d_name);
            n = -1000;
        }
        n++;
    }
    closedir(folder);
    return n;
}

static bool reads_example(const char *name) {
    json_t *root = load(name);
    struct clinic_error error = {0};
    struct episode *e = episode_read(root, &error);
    bool is_right = e && e->n_docs > 4 && e->n_orders > 9 && e->n_labs > 9 && e->n_vitals > 5 &&
                    episode_stay_days(e) > 0 && e->n_diagnoses > 1 && e->n_reports > 1;
    if (!e) printf("    %s\n", error.message);
    for (int i = 1; is_right && i < e->n_docs; i++)
        is_right = e->docs[i - 1].event.seconds <= e->docs[i].event.seconds;
    episode_free(e);
    json_decref(root);
    return is_right;
}

static enum test_result test_examples(void) {
    CHECK(for_each_example(reads_example) >= 9);
    json_t *root = load("01-pneumonia");
    struct clinic_error error;
    struct episode *e = episode_read(root, &error);
    json_decref(root);
    CHECK(e && strcmp(e->patient.sex, "男") == 0 && episode_age_years(e) == 66);
    CHECK(episode_stay_days(e) == 8 && strcmp(e->docs[0].c_code, "C0034") == 0);
    CHECK(e->labs[0].is_number && e->labs[0].value == 15.62);
    CHECK(strcmp(e->labs[0].text, "15.62") == 0 && strcmp(e->diagnoses[2].id, "dx3") == 0);
    CHECK(strcmp(episode_staff(e, "p-res")->title, "住院医师") == 0 && !episode_staff(e, "nobody"));
    episode_free(e);
    return TEST_PASS;
}

// What a member must be: altering or dropping it must give this answer.
enum wanted { REFUSED, READ };

struct member_case {
    const char *table, *member;
    enum wanted dropped, as_object, as_text; // text: "\x7f?" of the wrong kind
};

// Rows of tables, the first that has the member. "" is the root itself.
static json_t *find_row(json_t *root, const char *table, const char *member) {
    json_t *value = root;
    if (strcmp(table, "encounter.events") == 0) {
        value = json_object_get(json_object_get(root, "encounter"), "events");
    } else if (table[0] != '\0') {
        value = json_object_get(root, table);
    }
    if (json_is_object(value)) return json_object_get(value, member) ? value : NULL;
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *row = json_array_get(value, i);
        if (json_object_get(row, member)) return row;
    }
    return NULL;
}

static const struct member_case member_cases[] = {
    {"", "format", REFUSED, REFUSED, REFUSED},
    {"", "version", REFUSED, REFUSED, REFUSED},
    {"", "notice", READ, READ, READ},
    {"", "patient", REFUSED, REFUSED, REFUSED},
    {"", "encounter", REFUSED, REFUSED, REFUSED},
    {"", "staff", REFUSED, REFUSED, REFUSED},
    {"", "diagnoses", READ, REFUSED, REFUSED},
    {"", "docs", REFUSED, REFUSED, REFUSED}, // operations refer to documents
    {"", "orders", REFUSED, REFUSED, REFUSED},
    {"", "labs", READ, REFUSED, REFUSED},
    {"", "vitals", READ, REFUSED, REFUSED},
    {"", "reports", READ, REFUSED, REFUSED},
    {"", "operations", READ, REFUSED, REFUSED},
    {"patient", "id", REFUSED, REFUSED, REFUSED},
    {"patient", "name", REFUSED, REFUSED, READ},
    {"patient", "sex", REFUSED, REFUSED, REFUSED},
    {"patient", "birth_date", REFUSED, REFUSED, REFUSED},
    {"patient", "id_card", READ, REFUSED, READ},
    {"patient", "allergies", READ, REFUSED, REFUSED},
    {"encounter", "id", REFUSED, REFUSED, REFUSED},
    {"encounter", "hospital", READ, REFUSED, READ},
    {"encounter", "department", REFUSED, REFUSED, READ},
    {"encounter", "ward", READ, REFUSED, READ},
    {"encounter", "bed", READ, REFUSED, READ},
    {"encounter", "route", READ, REFUSED, READ},
    {"encounter", "disposition", READ, REFUSED, READ},
    {"encounter", "events", REFUSED, REFUSED, REFUSED},
    {"encounter.events", "type", REFUSED, REFUSED, REFUSED},
    {"encounter.events", "time", REFUSED, REFUSED, REFUSED},
    {"staff", "id", REFUSED, REFUSED, REFUSED},
    {"staff", "name", REFUSED, REFUSED, READ},
    {"staff", "title", READ, REFUSED, READ},
    {"diagnoses", "stage", REFUSED, REFUSED, REFUSED},
    {"diagnoses", "rank", REFUSED, REFUSED, REFUSED},
    {"diagnoses", "name", REFUSED, REFUSED, READ},
    {"diagnoses", "icd10", READ, REFUSED, READ},
    {"diagnoses", "outcome", READ, REFUSED, READ},
    {"diagnoses", "present_on_admission", READ, REFUSED, READ},
    {"diagnoses", "time", READ, REFUSED, REFUSED},
    {"operations", "id", REFUSED, REFUSED, REFUSED},
    {"operations", "name", REFUSED, REFUSED, READ},
    {"operations", "icd9cm3", READ, REFUSED, READ},
    {"operations", "operator", READ, REFUSED, REFUSED},
    {"operations", "anaesthesia", READ, REFUSED, READ},
    {"operations", "record", READ, REFUSED, REFUSED},
    {"operations", "start", REFUSED, REFUSED, REFUSED},
    {"operations", "end", READ, REFUSED, REFUSED},
    {"operations", "emergency", READ, REFUSED, REFUSED},
    {"docs", "id", REFUSED, REFUSED, REFUSED},
    {"docs", "c_code", REFUSED, REFUSED, REFUSED},
    {"docs", "type", REFUSED, REFUSED, REFUSED},
    {"docs", "local_title", REFUSED, REFUSED, READ},
    {"docs", "author", READ, REFUSED, REFUSED},
    {"docs", "cosigner", READ, REFUSED, REFUSED},
    {"docs", "event_time", REFUSED, REFUSED, REFUSED},
    {"docs", "create_time", READ, REFUSED, REFUSED},
    {"docs", "sign_time", READ, REFUSED, REFUSED},
    {"docs", "format", READ, REFUSED, REFUSED},
    {"docs", "sections", REFUSED, REFUSED, REFUSED},
    {"orders", "id", REFUSED, REFUSED, REFUSED},
    {"orders", "kind", REFUSED, REFUSED, REFUSED},
    {"orders", "class", REFUSED, REFUSED, REFUSED},
    {"orders", "name", REFUSED, REFUSED, READ},
    {"orders", "dose", READ, REFUSED, REFUSED},
    {"orders", "route", READ, REFUSED, READ},
    {"orders", "frequency", READ, REFUSED, READ},
    {"orders", "start", REFUSED, REFUSED, REFUSED},
    {"orders", "stop", READ, REFUSED, REFUSED},
    {"orders", "prescriber", READ, REFUSED, REFUSED},
    {"orders", "course_days", READ, REFUSED, REFUSED},
    {"orders", "antibacterial", READ, REFUSED, REFUSED},
    {"labs", "id", REFUSED, REFUSED, REFUSED},
    {"labs", "panel", READ, REFUSED, READ},
    {"labs", "code", READ, REFUSED, READ},
    {"labs", "name", REFUSED, REFUSED, READ},
    {"labs", "value", REFUSED, REFUSED, READ},
    {"labs", "unit", READ, REFUSED, READ},
    {"labs", "specimen", READ, REFUSED, READ},
    {"labs", "flag", READ, REFUSED, REFUSED},
    {"labs", "low", READ, REFUSED, REFUSED},
    {"labs", "high", READ, REFUSED, REFUSED},
    {"labs", "collect_time", REFUSED, REFUSED, REFUSED},
    {"labs", "report_time", READ, REFUSED, REFUSED},
    {"vitals", "time", REFUSED, REFUSED, REFUSED},
    {"vitals", "temperature_c", READ, REFUSED, REFUSED},
    {"vitals", "pulse_per_min", READ, REFUSED, REFUSED},
    {"vitals", "spo2_percent", READ, REFUSED, REFUSED},
    {"vitals", "systolic_mmhg", READ, REFUSED, REFUSED},
    {"reports", "id", REFUSED, REFUSED, REFUSED},
    {"reports", "type", REFUSED, REFUSED, REFUSED},
    {"reports", "name", REFUSED, REFUSED, READ},
    {"reports", "order", READ, REFUSED, REFUSED},
    {"reports", "exam_time", READ, REFUSED, REFUSED},
    {"reports", "report_time", READ, REFUSED, REFUSED},
    {"reports", "findings", READ, REFUSED, READ},
    {"reports", "conclusion", READ, REFUSED, READ},
};

// The error names table and member, and not a word of the values.
static bool is_told(const struct member_case *c, const struct clinic_error *error) {
    bool names_it = strstr(error->message, c->member) || strstr(error->message, c->table);
    return error->failure == CLINIC_BAD_INPUT && names_it && !strstr(error->message, "示");
}

static bool check_change(json_t *root, const struct member_case *c, const char *what,
                         enum wanted wanted) {
    struct clinic_error error;
    bool is_read = reads(root, &error);
    bool is_right = is_read == (wanted == READ) && (is_read || is_told(c, &error));
    if (!is_right)
        printf("    %s.%s %s: %s\n", c->table, c->member, what, is_read ? "read" : error.message);
    return is_right;
}

static bool check_member(json_t *whole, const struct member_case *c) {
    json_t *changed = json_deep_copy(whole);
    json_t *row = find_row(changed, c->table, c->member);
    bool is_right = row != NULL;
    if (!row) printf("    %s.%s is in no row\n", c->table, c->member);
    if (is_right) {
        json_object_del(row, c->member);
        is_right = check_change(changed, c, "dropped", c->dropped);
        json_object_set_new(row, c->member, json_pack("{s:i}", "a", 1));
        is_right = check_change(changed, c, "as an object", c->as_object) && is_right;
        json_object_set_new(row, c->member, json_string("no such thing"));
        is_right = check_change(changed, c, "as a text", c->as_text) && is_right;
    }
    json_decref(changed);
    return is_right;
}

static enum test_result test_members(void) {
    json_t *whole = load("02-stemi-pci");
    bool is_right = true;
    CHECK(whole);
    json_t *order = json_array_get(json_object_get(whole, "orders"), 0);
    CHECK(json_object_set_new(order, "antibacterial", json_true()) == 0);
    for (size_t i = 0; i < sizeof member_cases / sizeof *member_cases; i++)
        is_right = check_member(whole, &member_cases[i]) && is_right;
    json_decref(whole);
    CHECK(is_right);
    return TEST_PASS;
}

// A small valid episode, of which each case replaces one piece of text.
static const char small[] =
    "{\"format\":\"xinglin-episode\",\"version\":1,"
    "\"patient\":{\"id\":\"P1\",\"name\":\"某示\",\"sex\":\"女\",\"birth_date\":\"2000-02-29\","
    "\"allergies\":[{\"substance\":\"青霉素\",\"avoid\":[\"青霉素\"]}]},"
    "\"encounter\":{\"id\":\"E1\",\"department\":\"内科\",\"events\":[{\"type\":\"admit\","
    "\"time\":\"2025-11-03T23:40:00+08:00\"},{\"type\":\"transfer\",\"from\":\"内科\",\"to\":"
    "\"外科\","
    "\"time\":\"2025-11-04T01:00:00+08:00\"}]},\"staff\":[{\"id\":\"s1\",\"name\":\"医示\"}],"
    "\"docs\":[{\"id\":\"d2\",\"c_code\":\"C0038\",\"type\":\"progress_note\",\"local_title\":"
    "\"病程\","
    "\"author\":\"s1\",\"event_time\":\"2025-11-05T00:00:00Z\",\"sections\":[{\"name\":\"病程\","
    "\"text\":\"好\"}]},{\"id\":\"d1\",\"c_code\":\"C0034\",\"type\":\"admission_note\","
    "\"local_title\":\"入院记录\",\"event_time\":\"2025-11-04T00:00+08:00\",\"sections\":[]}],"
    "\"labs\":[{\"id\":\"l1\",\"name\":\"钾\",\"value\":4.0,\"low\":3.5,\"high\":3.8,"
    "\"collect_time\":\"2025-11-04T00:00:00.250+08:00\"},{\"id\":\"l2\",\"name\":\"尿糖\","
    "\"value\":\"3+\",\"collect_time\":\"2025-11-04T00:00:00+08:00\"}],"
    "\"vitals\":[{\"time\":\"2025-11-04T00:00:00+08:00\",\"temperature_c\":36.5}]}";

static struct episode *parse_with(const char *from, const char *to, struct clinic_error *error) {
    char text[4096];
    const char *at = strstr(small, from);
    *error = (struct clinic_error){0};
    if (!at) return NULL;
    int n =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small), small, to, at + strlen(from));
    return episode_parse(text, (size_t)n, error);
}

static bool refuses(const char *from, const char *to, const char *message_part) {
    struct clinic_error error;
    struct episode *episode = parse_with(from, to, &error);
    bool is_right = !episode && strstr(error.message, message_part);
    if (!is_right) printf("    %s: %s\n", to, episode ? "read" : error.message);
    episode_free(episode);
    return is_right;
}

static enum test_result test_small(void) {
    struct clinic_error error;
    struct episode *e = parse_with("\"format\"", "\"format\"", &error);
    CHECK_MESSAGE(e, "%s", error.message);
    CHECK(strcmp(e->docs[0].id, "d1") == 0 && e->docs[0].row == 1); // by time, not by place
    CHECK(episode_stay_days(e) < 0 && episode_age_years(e) == 25);
    CHECK(strcmp(e->labs[0].text, "4.0") == 0 && strcmp(e->labs[0].flag, "H") == 0);
    CHECK(strcmp(e->labs[1].text, "3+") == 0 && !e->labs[1].is_number);
    CHECK(e->docs[0].author[0] == '\0' && !e->docs[0].cosigner && !e->patient.id_card);
    CHECK(e->docs[0].sign.seconds == MOMENT_UNKNOWN && isnan(e->vitals[0].pulse_per_min));
    CHECK(e->vitals[0].temperature_c == 36.5 &&
          strcmp(e->patient.allergies[0].avoid[0], "青霉素") == 0);
    CHECK(strcmp(e->events[1].to, "外科") == 0 && !e->events[0].to);
    episode_free(e);
    return TEST_PASS;
}

static enum test_result test_refusals(void) {
    CHECK(refuses("\"d1\"", "\"d2\"", "docs: two rows have the id d2"));
    CHECK(refuses("\"l2\"", "\"l1\"", "labs: two rows have the id l1"));
    CHECK(refuses("\"author\":\"s1\"", "\"author\":\"s2\"", "docs d2: author: staff has no row"));
    CHECK(refuses("\"E1\"", "\"../E1\"", "encounter: id"));
    CHECK(refuses("\"P1\"", "\"P 1\"", "patient: id: is no id"));
    CHECK(refuses("某示", "某\\u202e示", "patient: name: has control characters"));
    CHECK(refuses("某示", "某\\u001b示", "patient: name: has control characters"));
    CHECK(refuses("\"内科\"", "\"\\u200b内科\"", "encounter: department: has control"));
    CHECK(refuses("[\"青霉素\"]", "[\"青\\ufeff霉素\"]", "patient.allergies[0]: avoid"));
    CHECK(refuses("\"3+\"", "\"3+\\n\"", "labs[1] l2: value: has control"));
    CHECK(refuses("2000-02-29", "2001-02-29", "birth_date"));
    CHECK(refuses("23:40:00", "24:40:00", "encounter.events[0]"));
    CHECK(refuses("23:40:00+08:00", "23:40:00", "encounter.events[0]"));
    CHECK(refuses("23:40:00+08:00", "23:40:00+15:00", "encounter.events[0]"));
    CHECK(refuses("\"transfer\"", "\"admit\"", "once in an episode"));
    CHECK(refuses("\"女\"", "\"|\"", "patient: sex"));
    CHECK(refuses("4.0", "1e999", "no valid JSON"));
    CHECK(refuses("4.0", "true", "labs[0] l1: value"));
    CHECK(refuses("3.5", "3.9", "labs[0] l1: low: is above high"));
    CHECK(refuses("36.5", "\"36.5\"", "vitals[0]: temperature_c: must be a number"));
    CHECK(refuses("\"text\":\"好\"", "\"text\":\"\\u0000\"", "no valid JSON"));
    CHECK(refuses("好", "\xff\xfe", "no valid JSON"));
    CHECK(refuses("\"version\":1", "\"version\":2", "version"));
    CHECK(refuses("\"version\":1", "\"version\":1,\"version\":1", "a member is there twice"));
    CHECK(refuses("{\"name\":\"病程\",\"text\":\"好\"}",
                  "{\"name\":\"a\",\"text\":\"\"},{\"name\":\"a\",\"text\":\"\"}", "same name"));
    CHECK(refuses("\"sections\":[]", "\"sections\":[],\"format\":\"html\"", "format"));
    CHECK(refuses("}]}", "}]", "no valid JSON"));
    return TEST_PASS;
}

// Too much of anything is refused before it is read into tables.
static enum test_result test_budgets(void) {
    struct clinic_error error;
    json_t *root = json_loads(small, 0, NULL);
    json_t *docs = json_object_get(root, "docs"), *row = json_array_get(docs, 0);
    char *text = malloc((1 << 20) + 2);
    CHECK(root && text);
    memset(text, 'a', (1 << 20) + 1);
    text[1 << 20] = '\0';
    json_t *section = json_array_get(json_object_get(row, "sections"), 0);
    json_object_set_new(section, "text", json_string(text));
    CHECK(reads(root, &error)); // exactly 1 MiB
    text[1 << 20] = 'a';
    text[(1 << 20) + 1] = '\0';
    json_object_set_new(section, "text", json_string(text));
    CHECK(!reads(root, &error) && strstr(error.message, "text: is too long"));
    free(text);
    json_object_set_new(section, "text", json_stringn_nocheck("\xc3\x28", 2));
    CHECK(!reads(root, &error) && strstr(error.message, "UTF-8"));
    json_object_set_new(section, "text", json_stringn_nocheck("a\0b", 3));
    CHECK(!reads(root, &error) && strstr(error.message, "NUL"));
    json_object_set_new(section, "text", json_string(""));
    for (int i = 0; i < 1999; i++) {
        json_t *copy = json_deep_copy(row);
        json_object_set_new(copy, "id", json_sprintf("x%d", i));
        json_array_append_new(docs, copy);
    }
    CHECK(!reads(root, &error) && strstr(error.message, "docs: more than 2000 rows"));
    json_array_remove(docs, 2);
    CHECK(reads(root, &error));
    json_t *deep = json_array();
    for (int i = 0; i < 40; i++)
        deep = json_pack("[o]", deep);
    json_object_set_new(root, "unknown", deep);
    CHECK(!reads(root, &error) && strstr(error.message, "32 deep"));
    json_decref(root);
    return TEST_PASS;
}

static enum test_result test_moments(void) {
    static const char *const wrong[] = {"2025-11-03",
                                        "2025-11-03T09:40:00",
                                        "2025-11-03 09:40:00Z",
                                        "2025-02-30T09:40:00Z",
                                        "2025-11-03T09:40:60Z",
                                        "2025-11-03T09:40:00+8:00",
                                        "2025-11-03T09:40:00Z ",
                                        "9999-11-03T09:40:00Z",
                                        "2025-11-03T09:40:00.Z",
                                        ""};
    struct moment moment;
    char text[32];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_MESSAGE(!moment_parse(wrong[i], &moment), "%s", wrong[i]);
    CHECK(moment_parse("1970-01-01T00:00:00Z", &moment) && moment.seconds == 0);
    CHECK(moment_parse("2024-02-29T00:30:00+08:00", &moment));
    CHECK(moment.seconds == 1709137800 && moment.offset_minutes == 480);
    struct calendar_day day = moment_day(moment);
    CHECK(day.year == 2024 && day.month == 2 && day.day == 29);
    moment_write(moment, text);
    CHECK(strcmp(text, "2024-02-29T00:30:00+08:00") == 0);
    // Every day of 400 years there and back, west of Greenwich.
    for (int64_t at = -62000; at < 84000; at++) {
        struct moment noon = {at * 86400 + 43200, -210}, back;
        moment_write(noon, text);
        CHECK(moment_parse(text, &back) && back.seconds == noon.seconds);
        CHECK(back.offset_minutes == -210 && moment_day_number(noon) == at);
    }
    return TEST_PASS;
}

static bool returns(const struct episode *e, struct source source) {
    struct source back;
    json_t *json = source_to_json(e, &source);
    bool is_same = json && source_from_json(e, json, &back) && back.kind == source.kind &&
                   back.row == source.row && back.section == source.section &&
                   back.start == source.start && back.end == source.end &&
                   json_string_value(json_object_get(json, "quote")) &&
                   json_string_value(json_object_get(json, "label"));
    json_decref(json);
    return is_same;
}

static enum test_result test_sources(void) {
    json_t *root = load("02-stemi-pci");
    struct clinic_error error;
    struct episode *e = episode_read(root, &error);
    json_decref(root);
    CHECK(e);
    for (int i = 0; i < e->n_docs; i++) {
        for (int k = 0; k < e->docs[i].n_sections; k++) {
            const struct section *section = &e->docs[i].sections[k];
            size_t n = characters_before(section->text, section->text_bytes);
            size_t third = bytes_before(section->text, section->text_bytes, n / 3);
            CHECK(returns(e, (struct source){SOURCE_DOC, i, k, third, section->text_bytes}));
        }
    }
    for (int i = 0; i < e->n_labs; i++)
        CHECK(returns(e, (struct source){SOURCE_LAB, i, 0, 0, 0}));
    for (int i = 0; i < e->n_orders; i++)
        CHECK(returns(e, (struct source){SOURCE_ORDER, i, 0, 0, 0}));
    for (int i = 0; i < e->n_vitals; i++)
        CHECK(returns(e, (struct source){SOURCE_VITAL, i, 0, 0, 0}));
    for (int i = 0; i < e->n_events; i++)
        CHECK(returns(e, (struct source){SOURCE_EVENT, i, 0, 0, 0}));
    CHECK(returns(e, (struct source){SOURCE_DIAGNOSIS, 1, 0, 0, 0}));
    CHECK(returns(e, (struct source){SOURCE_OPERATION, 0, 0, 0, 0}));
    CHECK(returns(e, (struct source){SOURCE_PATIENT, 0, 0, 0, 0}));
    CHECK(returns(e, (struct source){SOURCE_REPORT, 0, 1, 0, e->reports[0].conclusion.text_bytes}));
    CHECK(!returns(e, (struct source){SOURCE_LAB, e->n_labs, 0, 0, 0}));
    CHECK(!returns(e, (struct source){SOURCE_LAB, -1, 0, 0, 0}));
    static const char *const wrong[] = {
        "{\"kind\":\"doc\",\"id\":\"d01\",\"section\":\"无\"}",
        "{\"kind\":\"doc\",\"id\":\"d01\",\"section\":\"主诉\",\"start\":3,\"end\":2}",
        "{\"kind\":\"doc\",\"id\":\"d01\",\"section\":\"主诉\",\"start\":0,\"end\":99999}",
        "{\"kind\":\"doc\",\"id\":\"d01\",\"section\":\"主诉\",\"start\":-1,\"end\":1}",
        "{\"kind\":\"none\",\"id\":\"d01\"}",
        "{\"kind\":\"lab\",\"id\":\"d01\"}",
        "[]",
        "null"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct source source;
        json_t *json = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        CHECK_MESSAGE(!source_from_json(e, json, &source), "%s", wrong[i]);
        json_decref(json);
    }
    episode_free(e);
    return TEST_PASS;
}

// Sources of gold.json are found, and the quote is what they say.
static bool finds_gold(const char *name) {
    char relative[512], path[1024];
    snprintf(relative, sizeof relative, "examples/episodes/%s/gold.json", name);
    json_t *root = load(name), *gold = NULL;
    if (harness_repo_path(relative, path, sizeof path)) gold = json_load_file(path, 0, NULL);
    struct episode *e = episode_read(root, NULL);
    bool is_right = e && gold;
    size_t i, k;
    json_t *fact, *value;
    json_array_foreach(json_object_get(gold, "facts"), i, fact) {
        json_array_foreach(json_object_get(fact, "sources"), k, value) {
            struct source source;
            bool is_found = e && source_from_json(e, value, &source);
            json_t *json = is_found ? source_to_json(e, &source) : NULL;
            json_t *quote = json_object_get(value, "quote");
            if (!json || (quote && !json_equal(quote, json_object_get(json, "quote"))))
                is_right = false;
            json_decref(json);
        }
    }
    episode_free(e);
    json_decref(root);
    json_decref(gold);
    return is_right;
}

static enum test_result test_gold(void) {
    CHECK(for_each_example(finds_gold) >= 9);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"examples", "all bundled episodes are read", test_examples},
        {"small", "what is absent, sorted and computed", test_small},
        {"members", "each member dropped or altered", test_members},
        {"refusals", "ids, references, times, words", test_refusals},
        {"budgets", "too long, too many, too deep", test_budgets},
        {"moments", "times and days there and back", test_moments},
        {"sources", "sources there and back", test_sources},
        {"gold", "the sources of gold.json", test_gold},
    };
    return harness_main("episode", tests, sizeof tests / sizeof *tests, argc, argv);
}
