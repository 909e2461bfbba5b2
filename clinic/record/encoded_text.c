// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/encoded_text.h"

#include "clinic/record/utf8_text.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { META_BYTES = 1024 }; // as browsers look for it
enum encoding { ENCODING_UNKNOWN, ENCODING_UTF8, ENCODING_GB18030 };

static enum encoding encoding_of(const char *name, size_t length) {
    static const struct {
        const char *name;
        enum encoding encoding;
    } known[] = {{"utf-8", ENCODING_UTF8},      {"utf8", ENCODING_UTF8},
                 {"gb18030", ENCODING_GB18030}, {"gbk", ENCODING_GB18030},
                 {"gb2312", ENCODING_GB18030},  {"gb_2312-80", ENCODING_GB18030}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == length && strncasecmp(known[i].name, name, length) == 0)
            return known[i].encoding;
    return ENCODING_UNKNOWN;
}

bool encoded_text_knows(const char *charset) {
    return !charset || encoding_of(charset, strlen(charset)) != ENCODING_UNKNOWN;
}

static const char *find_word(const char *text, size_t bytes, const char *word) {
    size_t length = strlen(word);
    for (size_t at = 0; at + length <= bytes; at++)
        if (strncasecmp(text + at, word, length) == 0) return text + at;
    return NULL;
}

// <meta charset="gb2312"> or <meta … content="text/html; charset=gb2312">
static enum encoding encoding_of_meta(const char *bytes, size_t n_bytes) {
    if (n_bytes > META_BYTES) n_bytes = META_BYTES;
    const char *end = bytes + n_bytes, *meta = find_word(bytes, n_bytes, "<meta"),
               *at = meta ? find_word(meta, (size_t)(end - meta), "charset=") : NULL;
    if (!at) return ENCODING_UNKNOWN;
    at += strlen("charset=");
    while (at < end && (*at == '"' || *at == '\'' || *at == ' '))
        at++;
    size_t length = 0;
    while (at + length < end && at[length] && !strchr("\"' ;>/", at[length]))
        length++;
    return encoding_of(at, length);
}

// Two bytes become three at most, four stay four, one stays one.
static bool decode(const char *bytes, size_t n_bytes, char **text, size_t *text_bytes,
                   struct clinic_error *error) {
    iconv_t decoder = iconv_open("UTF-8", "GB18030");
    if (decoder == (iconv_t)-1)
        return clinic_fail(error, CLINIC_STORAGE, "this system cannot read GB18030");
    size_t room = n_bytes * 2 + 4, in_left = n_bytes, out_left = room;
    char *out = malloc(room), *to = out, *from = (char *)bytes;
    bool is_done = out && iconv(decoder, &from, &in_left, &to, &out_left) == 0 && in_left == 0;
    iconv_close(decoder);
    *text = is_done ? out : NULL;
    *text_bytes = room - out_left;
    if (is_done) return true;
    free(out);
    return out ? clinic_fail(error, CLINIC_BAD_INPUT, "the document is no GB18030 text at byte %zu",
                             n_bytes - in_left)
               : clinic_fail_memory(error);
}

static bool copy(const char *bytes, size_t n_bytes, char **text, size_t *text_bytes,
                 struct clinic_error *error) {
    *text = malloc(n_bytes + 1);
    if (!*text) return clinic_fail_memory(error);
    memcpy(*text, bytes, n_bytes);
    (*text)[n_bytes] = '\0';
    *text_bytes = n_bytes;
    return true;
}

bool encoded_text_read(const char *bytes, size_t n_bytes, const char *charset, char **text,
                       size_t *text_bytes, struct clinic_error *error) {
    bool is_utf8 = utf8_text_is_valid(bytes, n_bytes);
    enum encoding encoding = charset   ? encoding_of(charset, strlen(charset))
                             : is_utf8 ? ENCODING_UTF8
                                       : encoding_of_meta(bytes, n_bytes);
    *text = NULL;
    if (encoding == ENCODING_GB18030) return decode(bytes, n_bytes, text, text_bytes, error);
    if (encoding == ENCODING_UTF8 && is_utf8) return copy(bytes, n_bytes, text, text_bytes, error);
    return clinic_fail(
        error, CLINIC_BAD_INPUT,
        charset && encoding == ENCODING_UNKNOWN
            ? "charset must be utf-8, gb18030, gbk or gb2312"
            : "the document is no UTF-8 text, or has NUL, and names no other charset");
}
