// SPDX-License-Identifier: Apache-2.0
// Renders chat templates for check_templates.py: one JSON object {"template", "context", "now"} a
// line on stdin, one line {"text"} or {"error", "status"} each on stdout.
#include "base/status.h"
#include "template/chat_template.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *answer(const json_t *request) {
    const char *source = json_string_value(json_object_get(request, "template"));
    struct chat_template *chat_template = NULL;
    struct error err = {0};
    char *text = NULL;
    size_t text_bytes = 0;
    if (!source) return json_pack("{s:s}", "error", "no template");
    enum status status = chat_template_compile(
        &chat_template, source, json_string_length(json_object_get(request, "template")), &err);
    if (status == STATUS_OK)
        status = chat_template_render(chat_template, json_object_get(request, "context"),
                                      json_integer_value(json_object_get(request, "now")), NULL,
                                      &text, &text_bytes, &err);
    json_t *result =
        status == STATUS_OK
            ? json_pack("{s:o}", "text", json_stringn(text, text_bytes))
            : json_pack("{s:s, s:s}", "error", err.message, "status", status_name(status));
    free(text);
    chat_template_destroy(chat_template);
    return result;
}

int main(void) {
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        json_t *request = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);
        json_t *result = answer(request);
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(request);
        json_decref(result);
    }
    free(line);
    return 0;
}
