// SPDX-License-Identifier: Apache-2.0
// Chat templates: the input is a template, rendered over a fixed conversation under tight budgets.
#include "base/status.h"
#include "template/chat_template.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const char context_text[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": "
    "[{\"type\": \"text\", \"text\": \"世\"}]}], \"tools\": [{\"a\": 1.5, \"b\": [null, true]}], "
    "\"bos_token\": \"<s>\", \"add_generation_prompt\": true, \"x\": 7, \"s\": \"a b\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    const struct chat_template_limits limits = {.steps_max = 100000,
                                                .output_bytes_max = 1 << 16,
                                                .memory_bytes_max = 1 << 24,
                                                .depth_max = 300};
    static json_t *context;
    struct chat_template *chat_template;
    struct error err;
    char *text;
    if (!context) context = json_loads(context_text, 0, NULL);
    if (chat_template_compile(&chat_template, (const char *)data, size_bytes, &err) != STATUS_OK)
        return 0;
    if (chat_template_render(chat_template, context, 0, &limits, &text, NULL, &err) == STATUS_OK)
        free(text);
    chat_template_destroy(chat_template);
    return 0;
}
