// SPDX-License-Identifier: Apache-2.0
// Character references: all numbers, and the names that medical text uses.
#include "clinic/record/html_text.h"

#include <stdlib.h>
#include <string.h>

struct entity {
    const char *name;
    uint32_t character;
};

// By name, for bsearch.
static const struct entity entities[] = {
    {"Alpha", 0x391},  {"Beta", 0x392},    {"Delta", 0x394},   {"Gamma", 0x393},
    {"Omega", 0x3A9},  {"Prime", 0x2033},  {"alpha", 0x3B1},   {"amp", '&'},
    {"apos", '\''},    {"beta", 0x3B2},    {"bull", 0x2022},   {"cong", 0x2245},
    {"copy", 0xA9},    {"darr", 0x2193},   {"deg", 0xB0},      {"delta", 0x3B4},
    {"divide", 0xF7},  {"emsp", ' '},      {"ensp", ' '},      {"epsilon", 0x3B5},
    {"frac12", 0xBD},  {"frac14", 0xBC},   {"frac34", 0xBE},   {"gamma", 0x3B3},
    {"ge", 0x2265},    {"gt", '>'},        {"hellip", 0x2026}, {"infin", 0x221E},
    {"kappa", 0x3BA},  {"lambda", 0x3BB},  {"laquo", 0xAB},    {"larr", 0x2190},
    {"ldquo", 0x201C}, {"le", 0x2264},     {"lsquo", 0x2018},  {"lt", '<'},
    {"mdash", 0x2014}, {"micro", 0xB5},    {"middot", 0xB7},   {"minus", 0x2212},
    {"mu", 0x3BC},     {"nbsp", ' '},      {"ndash", 0x2013},  {"ne", 0x2260},
    {"omega", 0x3C9},  {"permil", 0x2030}, {"phi", 0x3C6},     {"plusmn", 0xB1},
    {"prime", 0x2032}, {"quot", '"'},      {"radic", 0x221A},  {"raquo", 0xBB},
    {"rarr", 0x2192},  {"rdquo", 0x201D},  {"reg", 0xAE},      {"rsquo", 0x2019},
    {"sigma", 0x3C3},  {"sim", 0x223C},    {"sup1", 0xB9},     {"sup2", 0xB2},
    {"sup3", 0xB3},    {"theta", 0x3B8},   {"thinsp", ' '},    {"times", 0xD7},
    {"trade", 0x2122}, {"uarr", 0x2191},   {"yen", 0xA5},
};
enum { NAME_BYTES_MAX = 8, DIGITS_MAX = 8 };

static int compare_names(const void *name, const void *row) {
    return strcmp(name, ((const struct entity *)row)->name);
}

static int digit_value(char c, int base) {
    if (c >= '0' && c <= '9') return c - '0';
    if (base == 16 && c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static size_t read_number(const char *text, size_t bytes, uint32_t *character) {
    bool is_hex = bytes > 2 && (text[2] == 'x' || text[2] == 'X');
    size_t at = is_hex ? 3 : 2, first = at;
    uint32_t value = 0;
    while (at < bytes && at - first < DIGITS_MAX && digit_value(text[at], is_hex ? 16 : 10) >= 0) {
        value = value * (is_hex ? 16 : 10) + (uint32_t)digit_value(text[at], is_hex ? 16 : 10);
        if (value > 0x110000) value = 0x110000;
        at++;
    }
    if (at == first) return 0;
    if (value == 0xA0) value = ' ';
    // Control characters are no text; a line break is a space, as every white space of HTML.
    if (value == '\n' || value == '\t' || value == '\r') value = ' ';
    *character = value < ' ' || (value >= 0x7F && value < 0xA0) ? 0xFFFD : value;
    return at < bytes && text[at] == ';' ? at + 1 : at;
}

size_t html_entity_read(const char *text, size_t bytes, uint32_t *character) {
    if (bytes < 3) return 0;
    if (text[1] == '#') return read_number(text, bytes, character);
    char name[NAME_BYTES_MAX + 1];
    size_t n = 0;
    while (n < NAME_BYTES_MAX && n + 1 < bytes) {
        char c = text[n + 1];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter) break;
        name[n++] = c;
    }
    name[n] = '\0';
    const struct entity *entity = bsearch(name, entities, sizeof entities / sizeof *entities,
                                          sizeof *entities, compare_names);
    if (!entity) return 0;
    *character = entity->character;
    return n + 1 < bytes && text[n + 1] == ';' ? n + 2 : n + 1;
}
