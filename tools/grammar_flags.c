// SPDX-License-Identifier: Apache-2.0
#include "tools/grammar_flags.h"

#include "tools/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRAMMAR_BYTES_MAX = 8 << 20 };

// The whole file in malloc'd memory; NULL with errno.
static char *read_file(const char *path, size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = malloc(GRAMMAR_BYTES_MAX);
    if (text) {
        *size_bytes = fread(text, 1, GRAMMAR_BYTES_MAX, file);
        if (ferror(file) || *size_bytes == GRAMMAR_BYTES_MAX) {
            if (!ferror(file)) errno = EFBIG;
            free(text);
            text = NULL;
        }
    }
    int code = errno;
    fclose(file);
    errno = code;
    return text;
}

// Is it the schema itself and not a file's name?
static int is_schema_text(const char *text) {
    text += strspn(text, " \t\r\n");
    return *text == '{' || strcmp(text, "true") == 0;
}

int grammar_flags_open(const struct generation_flags *flags, const char *command, xl_engine *engine,
                       xl_grammar **grammar) {
    const char *given = flags->json_schema ? flags->json_schema : flags->grammar_file;
    xl_error error;
    size_t size_bytes = 0;
    *grammar = NULL;
    if (!given) return OPTIONS_GO_ON;
    char *text;
    if (flags->json_schema && is_schema_text(given)) {
        text = strdup(given);
        size_bytes = strlen(given);
    } else {
        text = read_file(given, &size_bytes);
    }
    if (!text)
        return terminal_fail_text(command, 3, "%s: cannot read the %s: %s", given,
                                  flags->json_schema ? "JSON Schema" : "grammar", strerror(errno));
    xl_status status = flags->json_schema
                           ? xl_grammar_from_json_schema(engine, text, size_bytes, grammar, &error)
                           : xl_grammar_from_gbnf(engine, text, size_bytes, grammar, &error);
    free(text);
    return status == XL_OK ? OPTIONS_GO_ON : terminal_fail(command, &error);
}
