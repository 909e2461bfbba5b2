// SPDX-License-Identifier: Apache-2.0
#include "clinic/writer/model_prompt.h"

#include "server/chat_prompt.h"
#include "server/model_host.h"
#include "server/special_guard.h"

#include <stdlib.h>
#include <string.h>

enum { NO_THINKING = 0 };

static bool add_message(json_t *messages, const char *role, json_t *content) {
    json_t *message = json_pack("{s:s,s:o}", "role", role, "content", content);
    return message && json_array_append_new(messages, message) == 0;
}

// {"text": "…"}: what the grammar lets the model answer.
static json_t *answer_content(const char *text) {
    json_t *answer = json_pack("{s:s}", "text", text);
    char *json = answer ? json_dumps(answer, 0) : NULL;
    json_t *content = json ? json_string(json) : NULL;
    free(json);
    json_decref(answer);
    return content;
}

static json_t *question_content(const struct writing_task *task) {
    size_t bytes = strlen(task->instruction), at = 0;
    for (int i = 0; i < task->n_parts; i++)
        bytes += task->parts[i].text_bytes;
    char *text = malloc(bytes + 1);
    if (!text) return NULL;
    for (int i = 0; i < task->n_parts; i++) {
        memcpy(text + at, task->parts[i].text, task->parts[i].text_bytes);
        at += task->parts[i].text_bytes;
    }
    memcpy(text + at, task->instruction, bytes - at);
    json_t *content = json_stringn(text, bytes);
    explicit_bzero(text, bytes);
    free(text);
    return content;
}

static json_t *make_messages(const struct writing_task *task) {
    json_t *messages = json_array();
    bool is_done = messages && add_message(messages, "system", json_string(task->system));
    for (int i = 0; is_done && i < task->n_examples; i++)
        is_done = add_message(messages, "user", json_string(task->examples[i].question)) &&
                  add_message(messages, "assistant", answer_content(task->examples[i].answer));
    if (is_done && add_message(messages, "user", question_content(task))) return messages;
    json_decref(messages);
    return NULL;
}

static bool fail_from_server(struct clinic_error *error, const struct openai_error *from) {
    enum clinic_failure failure = from->http_status == 503 ? CLINIC_NO_MEMORY : CLINIC_BAD_INPUT;
    return clinic_fail(error, failure, "the prompt: %.200s", from->message);
}

// A template that opens <think> whatever it is told gets it closed: the answer is the record's
// text.
static bool close_thinking(struct chat_prompt *prompt) {
    static const char end[] = "\n</think>\n\n";
    if (!prompt->is_thinking) return true;
    char *grown = realloc(prompt->text, prompt->text_bytes + sizeof end);
    if (!grown) return false;
    memcpy(grown + prompt->text_bytes, end, sizeof end);
    prompt->text = grown;
    prompt->text_bytes += sizeof end - 1;
    return true;
}

bool model_prompt_make(const struct model_host *host, const struct writing_task *task,
                       int32_t **tokens, size_t *n_tokens, struct clinic_error *error) {
    struct openai_error server_error = {0};
    struct chat_prompt prompt;
    xl_error engine_error;
    *tokens = NULL;
    json_t *messages = make_messages(task);
    struct chat_prompt_request request = {
        .messages = messages, .choice = TOOLS_NONE, .thinking = NO_THINKING};
    if (!messages) return clinic_fail_memory(error);
    bool is_made = chat_prompt_make(host, &request, false, &prompt, &server_error);
    json_decref(messages);
    if (!is_made) return fail_from_server(error, &server_error);
    xl_status status = XL_NO_MEMORY;
    if (close_thinking(&prompt))
        status = special_guard_tokenize(host->guard, host->engine, prompt.text, prompt.text_bytes,
                                        tokens, n_tokens, &engine_error);
    chat_prompt_free(&prompt);
    if (status == XL_OK) return true;
    if (status == XL_NO_MEMORY) return clinic_fail_memory(error);
    return clinic_fail(error, CLINIC_BAD_INPUT, "the prompt cannot be tokenized: %.160s",
                       xl_status_name(status));
}
