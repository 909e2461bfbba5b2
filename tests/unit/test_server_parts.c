// SPDX-License-Identifier: Apache-2.0
// The parts of the server that need neither sockets nor a model; tests/server runs the whole.
#include "harness.h"

#include "server/answer_splitter.h"
#include "server/api_keys.h"
#include "server/host_check.h"
#include "server/json_reader.h"
#include "server/request_body.h"
#include "server/tool_schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts {
    char text[512];
    enum answer_part last;
    bool any;
};

static void note(void *user, enum answer_part part, const char *text, size_t text_bytes,
                 const char *tool_name) {
    struct parts *parts = user;
    size_t n = strlen(parts->text);
    bool goes_on = parts->any && parts->last == part && part != PART_TOOL_CALL;
    snprintf(parts->text + n, sizeof parts->text - n, "%s%s%s%.*s", goes_on ? "" : "|",
             goes_on                  ? ""
             : part == PART_REASONING ? "R:"
             : part == PART_CONTENT   ? "C:"
                                      : tool_name,
             part == PART_TOOL_CALL ? "=" : "", (int)text_bytes, text);
    parts->last = part;
    parts->any = true;
}

struct split_case {
    bool thinks, is_thinking, calls_tools, is_calling;
    const char *text, *wanted;
};

static const struct split_case split_cases[] = {
    {0, 0, 0, 0, "hello <think>", "|C:hello <think>"},
    {1, 0, 0, 0, "hello </think>", "|C:hello </think>"},
    {1, 0, 0, 0, "<think>\na b</think>\n\nc", "|R:a b|C:c"},
    {1, 0, 0, 0, " \n<think>a</think>c<think>d", "|R:a|C:c<think>d"},
    {1, 0, 0, 0, "<thin", "|C:<thin"},
    {1, 1, 0, 0, "a</thin</think> c", "|R:a</thin|C:c"},
    {1, 1, 0, 0, "never closed</thi", "|R:never closed</thi"},
    {0, 0, 1, 0, "so:<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\": 1}}\n</tool_call>\n",
     "|C:so:|f={\"a\":1}"},
    {0, 0, 1, 0,
     "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>"
     "{\"name\":\"g\",\"arguments\":{\"b\":[2]}}",
     "|f={}|g={\"b\":[2]}"},
    {0, 0, 1, 0, "<tool_call>no json</tool_call>!", "|C:<tool_call>no json!"},
    {0, 0, 1, 0, "<tool_call>{\"name\":\"f\",\"argu", "|C:<tool_call>{\"name\":\"f\",\"argu"},
    {0, 0, 1, 1, "{\"name\":\"f\",\"arguments\":{}}", "|f={}"},
    {1, 1, 1, 1, "hm</think>\n{\"name\":\"f\",\"arguments\":{}}", "|R:hm|f={}"},
    {0, 0, 1, 0, "a < b <tool", "|C:a < b <tool"},
};

static enum test_result split(void) {
    for (size_t i = 0; i < sizeof split_cases / sizeof split_cases[0]; i++)
        for (size_t step = 1; step < 80; step++) {
            const struct split_case *c = &split_cases[i];
            struct parts parts = {.text = ""};
            struct answer_splitter splitter = {.thinks = c->thinks,
                                               .is_thinking = c->is_thinking,
                                               .calls_tools = c->calls_tools,
                                               .is_calling = c->is_calling,
                                               .on_part = note,
                                               .user = &parts};
            size_t size = strlen(c->text);
            for (size_t at = 0; at < size; at += step)
                answer_splitter_add(&splitter, c->text + at, size - at < step ? size - at : step);
            answer_splitter_end(&splitter);
            answer_splitter_free(&splitter);
            if (strcmp(parts.text, c->wanted) != 0)
                printf("    case %zu, step %zu: %s\n", i, step, parts.text);
            CHECK(strcmp(parts.text, c->wanted) == 0);
        }
    return TEST_PASS;
}

static enum test_result schemas(void) {
    struct openai_error error = {0};
    json_t *tools = json_loads(
        "[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"x\":{\"$ref\":\"#/$defs/n\"},\"me\":{\"$ref\":\"#\"}},\"$defs\":{\"n\":"
        "{\"type\":\"integer\"}}}}},{\"type\":\"function\",\"function\":{\"name\":\"b\"}}]",
        0, NULL);
    CHECK(tool_schema_check(tools, &error));
    char *both = tool_schema_write(tools, NULL);
    char *second = tool_schema_write(tools, json_array_get(tools, 1));
    CHECK(both && strstr(both, "\"anyOf\"") && strstr(both, "\"#/$defs/tool0/$defs/n\"") &&
          strstr(both, "\"$ref\":\"#/$defs/tool0\""));
    CHECK(second && !strstr(second, "anyOf") && strstr(second, "\"const\":\"b\""));
    // The request's own JSON is not changed.
    const json_t *parameters =
        json_object_get(json_object_get(json_array_get(tools, 0), "function"), "parameters");
    const json_t *me = json_object_get(json_object_get(parameters, "properties"), "me");
    CHECK(strcmp(json_string_value(json_object_get(me, "$ref")), "#") == 0);
    free(both);
    free(second);
    json_t *messages = json_loads("[{\"role\":\"user\",\"content\":\"x\"}]", 0, NULL);
    CHECK(tool_schema_tell(messages, tools) && json_array_size(messages) == 2);
    CHECK(tool_schema_tell(messages, tools) && json_array_size(messages) == 2);
    json_decref(messages);
    json_decref(tools);
    return TEST_PASS;
}

struct numbers {
    int64_t whole;
    double part;
    const char *text;
    bool flag;
};

static const struct json_field number_fields[] = {
    {.name = "whole", .kind = FIELD_INT, .offset = offsetof(struct numbers, whole), .max = 9},
    {.name = "part", .kind = FIELD_NUMBER, .offset = offsetof(struct numbers, part), .max = 1},
    {.name = "text", .kind = FIELD_TEXT, .offset = offsetof(struct numbers, text), .max = 3},
    {.name = "flag", .kind = FIELD_BOOL, .offset = offsetof(struct numbers, flag)},
    {.name = "one", .kind = FIELD_ONLY, .only = "1", .help = "one"},
    {.name = "noise", .kind = FIELD_IGNORED},
};

static bool reads(const char *json) {
    const struct field_table table = {number_fields, sizeof number_fields / sizeof number_fields[0],
                                      0};
    struct numbers numbers = {.whole = 5};
    struct openai_error error = {0};
    json_t *object = json_loads(json, 0, NULL);
    bool is_read = json_reader_read(object, &table, 1, &numbers, "", &error);
    json_decref(object);
    return is_read == (error.http_status == 0) && is_read;
}

static enum test_result fields(void) {
    CHECK(reads("{}") && reads("{\"whole\":9,\"part\":0.5,\"text\":\"abc\",\"flag\":true}"));
    CHECK(reads("{\"whole\":null,\"one\":1.0,\"noise\":[{}]}") && reads("{\"whole\":3.0}"));
    CHECK(!reads("{\"whole\":10}") && !reads("{\"whole\":-1}") && !reads("{\"whole\":1.5}"));
    CHECK(!reads("{\"whole\":\"1\"}") && !reads("{\"part\":2}") && !reads("{\"text\":\"abcd\"}"));
    CHECK(!reads("{\"flag\":1}") && !reads("{\"one\":2}") && !reads("{\"other\":1}"));
    CHECK(!reads("{\"\\u4e2d\\u4e2d\":1}") && !reads("[]"));
    return TEST_PASS;
}

static enum test_result bodies(void) {
    enum { SIZE = 1 << 20 };
    struct openai_error error = {0};
    struct request_body body = {.max = SIZE + 8};
    bool is_full;
    CHECK(request_body_add(&body, "{\"a\":", 5, &is_full));
    for (int i = 0; i < SIZE / 8; i++)
        CHECK(request_body_add(&body, "[[[[[[[[", 8, &is_full));
    CHECK(!request_body_add(&body, "[[[[[[[[", 8, &is_full) && is_full);
    CHECK(!request_body_parse(&body, &error) && strcmp(error.code, "json_too_deep") == 0);
    request_body_free(&body);
    body.max = 64;
    static const char quoted[] = "{\"a\":\"[[\\\"[[\"}";
    CHECK(request_body_add(&body, quoted, sizeof quoted - 1, &is_full));
    json_t *root = request_body_parse(&body, &error);
    CHECK(json_object_size(root) == 1);
    json_decref(root);
    request_body_free(&body);
    return TEST_PASS;
}

static enum test_result errors(void) {
    struct openai_error error = {0};
    char text[700];
    for (size_t lead = 0; lead < 4; lead++) { // 中 cut at every byte
        memset(text, 'x', lead);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe4\xb8\xad", 4);
        openai_error_set(&error, 400, "a", text, "%s", text);
        struct json_writer writer = {0};
        openai_error_write(&error, &writer);
        json_t *json = json_loadb(writer.data, writer.size, 0, NULL);
        CHECK(json);
        json_decref(json);
        writer_free(&writer);
    }
    return TEST_PASS;
}

static enum test_result hosts(void) {
    struct server_settings settings;
    settings_default(&settings);
    settings.allowed_hosts = (struct settings_list){.items = {"llm.example"}, .n_items = 1};
    CHECK(host_check_host(&settings, "LLM.example:80") && host_check_host(&settings, "[::1]"));
    CHECK(!host_check_host(&settings, "x.llm.example") && !host_check_host(&settings, ":80"));
    CHECK(!host_check_host(&settings, "[::1]x.example") &&
          !host_check_host(&settings, "localhost:80.x.example"));
    CHECK(host_check_same("https://a.example", "a.example"));
    CHECK(!host_check_same("https://a.example:1", "a.example") && !host_check_same("null", "null"));
    CHECK(settings_is_loopback("127.8.9.1") && settings_is_loopback("::1"));
    CHECK(!settings_is_loopback("0.0.0.0") && !settings_is_loopback("::"));
    return TEST_PASS;
}

static enum test_result limits(void) {
    struct openai_error error = {0};
    struct api_key key = {.rate = 60, .requests_left = 60, .tokens = 600, .tokens_left = 600};
    for (int i = 0; i < 60; i++)
        CHECK(api_key_admit(&key, 100, &error));
    CHECK(!api_key_admit(&key, 100, &error) && error.http_status == 429 && error.retry_after >= 1);
    CHECK(api_key_admit(&key, 101, &error) && !api_key_admit(&key, 101, &error));
    CHECK(key.active == 61);
    api_key_charge(&key, 1000, 200); // what was not known before is paid back later
    CHECK(!api_key_admit(&key, 110, &error) && error.retry_after > 40);
    CHECK(api_key_admit(&key, 110 + 61, &error));
    key.concurrent = key.active;
    CHECK(!api_key_admit(&key, 500, &error));
    api_key_leave(&key);
    CHECK(api_key_admit(&key, 500, &error));
    return TEST_PASS;
}

static const struct test tests[] = {
    {"split", "thoughts, text and calls, cut at every place", split},
    {"schemas", "the schema of a call; references move with their schema", schemas},
    {"fields", "types, ranges and unknown names", fields},
    {"bodies", "limits before parsing", bodies},
    {"errors", "messages stay UTF-8 wherever they are cut", errors},
    {"hosts", "Host, Origin and loopback", hosts},
    {"limits", "rates by a clock of our own", limits},
};

int main(int argc, char **argv) {
    return harness_main("server_parts", tests, sizeof tests / sizeof tests[0], argc, argv);
}
