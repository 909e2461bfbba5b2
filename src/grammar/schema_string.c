// SPDX-License-Identifier: Apache-2.0
// Strings: any characters up to a length, a pattern, or a format that is a pattern.
#include "grammar/schema_compiler.h"
#include "grammar/schema_pattern.h"

#include <string.h>

// What each format allows here is a part of what its standard does, so that every validator agrees.
static const struct {
    const char *name, *pattern;
} formats[] = {
#define YEAR "[12][0-9]{3}"
#define LEAP_YEAR "(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)"
#define DATE                                                                                       \
    "(?:" YEAR "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"                                \
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define TIME                                                                                       \
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?"                                 \
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
#define NAME "[A-Za-z0-9]{1,30}(?:-[A-Za-z0-9]{1,30})?"
    {"date", "^" DATE "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" DATE "T" TIME "$"},
    {"duration", "^P(?:[0-9]{1,4}[YMWD]|T[0-9]{1,4}[HMS])$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"ipv4", "^(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
             "(?:\\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$"},
    {"hostname", "^[A-Za-z]{1,20}(?:\\." NAME "){0,2}\\.[A-Za-z]{2,20}$"},
    {"email", "^[A-Za-z0-9_+-]{1,30}(?:\\.[A-Za-z0-9_+-]{1,30})?@[A-Za-z]{1,20}"
              "(?:\\." NAME "){0,2}\\.[A-Za-z]{2,20}$"},
    {"uri", "^https?://[A-Za-z]{1,20}(?:\\." NAME "){0,2}\\.[A-Za-z]{2,20}(?::[1-9][0-9]{1,3})?"
            "(?:/[A-Za-z0-9._~-]{0,64}){0,8}(?:\\?[A-Za-z0-9._~=&-]{0,128})?$"},
};

#define HEX "0123456789abcdefABCDEF"
#define HEX_NOT_0 "123456789abcdefABCDEF"
#define HEX_NOT_0D "123456789abcefABCEF"

// One byte out of each list in turn.
static struct fragment build_bytes(struct grammar_builder *b, const char *const *lists) {
    struct fragment result = build_empty(b);
    for (; *lists; lists++) {
        struct byte_set set = {{0}};
        for (const char *byte = *lists; *byte; byte++)
            byte_set_add(&set, (uint8_t)*byte, (uint8_t)*byte);
        result = build_join(b, result, build_byte_set(b, &set));
    }
    return result;
}

// One character of a JSON string: itself or escaped. NUL and half surrogate pairs are left out.
static uint32_t character_rule(struct schema_compiler *c) {
    static const char *const escapes[][13] = {
        {"\\", "/"},
        {"\\", "u", HEX_NOT_0D, HEX, HEX, HEX},
        {"\\", "u", "dD", "01234567", HEX, HEX},
        {"\\", "u", "0", HEX_NOT_0, HEX, HEX},
        {"\\", "u", "0", "0", HEX_NOT_0, HEX},
        {"\\", "u", "0", "0", "0", HEX_NOT_0},
        {"\\", "u", "dD", "89abAB", HEX, HEX, "\\", "u", "dD", "cdefCDEF", HEX, HEX}};
    enum { N_ESCAPES = sizeof escapes / sizeof *escapes };
    struct grammar_builder *b = &c->builder;
    if (c->character != SCHEMA_NONE) return c->character;
    struct code_ranges set = {0};
    struct fragment ways[N_ESCAPES + 1];
    code_ranges_add(&set, 0x20, CODE_LAST);
    code_ranges_add(&set, 8, 10);
    code_ranges_add(&set, 12, 13);
    code_ranges_normalise(&set);
    ways[0] = pattern_build_class(b, &set);
    code_ranges_deinit(&set);
    for (int i = 0; i < N_ESCAPES; i++)
        ways[i + 1] = build_bytes(b, escapes[i]);
    c->character = build_rule(b);
    build_define(b, c->character, build_choice(b, ways, N_ESCAPES + 1));
    return c->character;
}

static enum status build_pattern(struct schema_compiler *c, const struct schema_shape *shape,
                                 uint32_t at, const char *pattern, struct fragment *fragment) {
    struct error err = {0};
    enum status status =
        pattern_build(&c->builder, pattern, shape->length_min, shape->length_max, fragment, &err);
    if (status != STATUS_UNSUPPORTED) {
        if (status != STATUS_OK && c->builder.status == STATUS_OK)
            error_set(c->err, status, "%s", err.message);
        return status;
    }
    if (c->builder.status != STATUS_OK) return c->builder.status;
    return schema_refuse(c, c->document.values[at].parent, c->document.values[at].key, err.message);
}

enum status schema_build_string(struct schema_compiler *c, const struct schema_shape *shape,
                                struct fragment *fragment) {
    struct grammar_builder *b = &c->builder;
    struct fragment inside;
    if (shape->pattern != SCHEMA_NONE && shape->format != SCHEMA_NONE)
        return schema_refuse(c, c->document.values[shape->pattern].parent, "pattern",
                             "together with format");
    if (shape->pattern != SCHEMA_NONE) {
        const char *pattern = json_string_value(c->document.values[shape->pattern].json);
        TRY(build_pattern(c, shape, shape->pattern, pattern, &inside));
    } else if (shape->format != SCHEMA_NONE) {
        const char *name = json_string_value(c->document.values[shape->format].json);
        size_t i = 0;
        while (i < sizeof formats / sizeof *formats && strcmp(formats[i].name, name) != 0)
            i++;
        if (i == sizeof formats / sizeof *formats)
            return schema_refuse(c, c->document.values[shape->format].parent, "format",
                                 "this format cannot be enforced");
        TRY(build_pattern(c, shape, shape->format, formats[i].pattern, &inside));
    } else {
        if (shape->length_min > shape->length_max) {
            *fragment = build_nothing(b);
            return b->status;
        }
        inside =
            build_repeat(b, build_call(b, character_rule(c)), shape->length_min, shape->length_max);
    }
    *fragment =
        build_join(b, build_join(b, build_text(b, "\"", 1), inside), build_text(b, "\"", 1));
    return b->status;
}
