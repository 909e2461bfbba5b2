// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/html_text.h"

#include "clinic/record/utf8_text.h"

#include <string.h>
#include <strings.h>

enum { TAG_NAME_MAX = 16 };

// What a tag does to the text.
enum tag_effect {
    TAG_INLINE,  // a mark
    TAG_BREAK,   // a new line before and after
    TAG_CELL,    // a space and a mark
    TAG_DROPPED, // no text up to its end tag; without an end tag it is not believed
    TAG_SILENT,  // the same; without an end tag nothing follows
    TAG_RAISED,  // superscript
    TAG_FIELD,   // its value is text
    TAG_CHOICE   // its text counts if it is selected
};

struct tag_row {
    const char *name;
    enum tag_effect effect;
};

static const struct tag_row tag_rows[] = {
    {"address", TAG_BREAK},    {"article", TAG_BREAK},    {"aside", TAG_BREAK},
    {"blockquote", TAG_BREAK}, {"br", TAG_BREAK},         {"center", TAG_BREAK},
    {"dd", TAG_BREAK},         {"del", TAG_DROPPED},      {"div", TAG_BREAK},
    {"dl", TAG_BREAK},         {"dt", TAG_BREAK},         {"fieldset", TAG_BREAK},
    {"footer", TAG_BREAK},     {"form", TAG_BREAK},       {"h1", TAG_BREAK},
    {"h2", TAG_BREAK},         {"h3", TAG_BREAK},         {"h4", TAG_BREAK},
    {"h5", TAG_BREAK},         {"h6", TAG_BREAK},         {"header", TAG_BREAK},
    {"hr", TAG_BREAK},         {"iframe", TAG_SILENT},    {"input", TAG_FIELD},
    {"legend", TAG_BREAK},     {"li", TAG_BREAK},         {"main", TAG_BREAK},
    {"nav", TAG_BREAK},        {"noscript", TAG_DROPPED}, {"object", TAG_DROPPED},
    {"ol", TAG_BREAK},         {"option", TAG_CHOICE},    {"p", TAG_BREAK},
    {"pre", TAG_BREAK},        {"s", TAG_DROPPED},        {"script", TAG_SILENT},
    {"section", TAG_BREAK},    {"strike", TAG_DROPPED},   {"style", TAG_SILENT},
    {"sup", TAG_RAISED},       {"svg", TAG_DROPPED},      {"table", TAG_BREAK},
    {"tbody", TAG_BREAK},      {"td", TAG_CELL},          {"template", TAG_DROPPED},
    {"textarea", TAG_BREAK},   {"tfoot", TAG_BREAK},      {"th", TAG_CELL},
    {"thead", TAG_BREAK},      {"title", TAG_DROPPED},    {"tr", TAG_BREAK},
    {"ul", TAG_BREAK},
};
enum { N_TAG_ROWS = sizeof tag_rows / sizeof *tag_rows };

struct scanner {
    const char *html;
    size_t bytes, at;
    struct text_gather *text;
    bool is_raised;              // inside <sup>
    bool has_space;              // white space was read and is not written yet
    bool has_no_end[N_TAG_ROWS]; // no end tag of this name follows: looked for once
    bool has_no_quote[2];        // no " or ' follows
    bool is_quoting_broken, has_no_tag_end;
};

struct tag {
    char name[TAG_NAME_MAX];
    bool is_end;
    size_t attributes, end; // offsets: behind the name, of '>' (or the end of all)
};

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static void write_break(struct scanner *scanner) {
    struct text_gather *text = scanner->text;
    scanner->has_space = false;
    if (text->bytes > 0 && text->text[text->bytes - 1] != '\n') text_gather_add(text, "\n", 1);
}

static void write_mark(struct scanner *scanner) {
    static const char mark = HTML_TEXT_MARK;
    struct text_gather *text = scanner->text;
    if (text->bytes > 0 && text->text[text->bytes - 1] == mark) return;
    text_gather_add(text, &mark, 1);
}

static uint32_t raise(uint32_t character) {
    static const uint16_t digits[10] = {0x2070, 0xB9,   0xB2,   0xB3,   0x2074,
                                        0x2075, 0x2076, 0x2077, 0x2078, 0x2079};
    if (character >= '0' && character <= '9') return digits[character - '0'];
    if (character == '+') return 0x207A;
    return character == '-' || character == 0x2212 ? 0x207B : character;
}

static void write_character(struct scanner *scanner, uint32_t character) {
    if (character == ' ' || character == '\n' || character == '\t' || character == '\r' ||
        character == '\f' || character == 0xA0) {
        scanner->has_space = true;
        return;
    }
    if (utf8_text_is_invisible(character)) return; // is no text
    struct text_gather *text = scanner->text;
    bool begins = text->bytes == 0 || text->text[text->bytes - 1] == '\n';
    if (scanner->has_space && !begins) text_gather_add(text, " ", 1);
    scanner->has_space = false;
    text_gather_character(text, scanner->is_raised ? raise(character) : character);
}

// Characters and entities of html[start .. end).
static void write_text(struct scanner *scanner, size_t start, size_t end) {
    while (start < end) {
        uint32_t character;
        size_t length = 0;
        if (scanner->html[start] == '&')
            length = html_entity_read(scanner->html + start, end - start, &character);
        if (length == 0) character = utf8_text_read(scanner->html + start, end - start, &length);
        write_character(scanner, character);
        start += length;
    }
}

// The offset of the quote that ends the value which begins at `at`; `at` itself if there is none.
static size_t skip_quoted(struct scanner *scanner, size_t at, char quote) {
    bool *has_none = &scanner->has_no_quote[quote == '"'];
    if (*has_none) return at;
    const char *end = memchr(scanner->html + at, quote, scanner->bytes - at);
    *has_none = end == NULL;
    return end ? (size_t)(end - scanner->html) + 1 : at;
}

// The '>' that ends a tag; quotes hide it only in values of attributes. Where they would hide every
// one up to the end, they are no longer believed. `bytes`: there is none.
static size_t find_tag_end(struct scanner *scanner, size_t begin) {
    size_t at = begin;
    while (!scanner->is_quoting_broken && at < scanner->bytes && scanner->html[at] != '>') {
        char c = scanner->html[at++];
        if (c != '=') continue;
        while (at < scanner->bytes && is_space(scanner->html[at]))
            at++;
        if (at >= scanner->bytes) break;
        char quote = scanner->html[at];
        if (quote == '"' || quote == '\'') at = skip_quoted(scanner, at + 1, quote);
    }
    if (!scanner->is_quoting_broken && at < scanner->bytes) return at;
    scanner->is_quoting_broken = true;
    const char *end =
        scanner->has_no_tag_end ? NULL : memchr(scanner->html + begin, '>', scanner->bytes - begin);
    scanner->has_no_tag_end = end == NULL;
    return end ? (size_t)(end - scanner->html) : scanner->bytes;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// At '<' and a letter or '/' and a letter.
static struct tag read_tag(struct scanner *scanner, size_t at) {
    struct tag tag = {.is_end = scanner->html[at + 1] == '/'};
    at += tag.is_end ? 2 : 1;
    size_t n = 0;
    while (at < scanner->bytes && scanner->html[at] != '>' && scanner->html[at] != '/' &&
           scanner->html[at] != '<' && !is_space(scanner->html[at])) {
        char c = scanner->html[at++];
        if (n + 1 < TAG_NAME_MAX) tag.name[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    tag.attributes = at;
    tag.end = find_tag_end(scanner, at);
    return tag;
}

// The offset of "</name" with something behind it that ends a name, from `at` on; `bytes`: none.
static size_t find_end_tag(struct scanner *scanner, size_t at, int row) {
    const char *name = tag_rows[row].name;
    size_t length = strlen(name);
    while (!scanner->has_no_end[row] && at < scanner->bytes) {
        const char *found = memchr(scanner->html + at, '<', scanner->bytes - at);
        if (!found) break;
        at = (size_t)(found - scanner->html);
        if (scanner->bytes - at > length + 2 && found[1] == '/' &&
            strncasecmp(found + 2, name, length) == 0 && !is_letter(found[2 + length]))
            return at;
        at++;
    }
    scanner->has_no_end[row] = true;
    return scanner->bytes;
}

// The attribute's value in html[*start .. *end); false: the tag has none of that name.
static bool find_attribute(const struct scanner *scanner, const struct tag *tag, const char *name,
                           size_t *start, size_t *end) {
    const char *html = scanner->html;
    size_t at = tag->attributes, length = strlen(name);
    while (at < tag->end) {
        while (at < tag->end && (is_space(html[at]) || html[at] == '/'))
            at++;
        size_t word = at;
        while (at < tag->end && !is_space(html[at]) && html[at] != '=' && html[at] != '/')
            at++;
        bool is_it = at - word == length && strncasecmp(html + word, name, length) == 0;
        while (at < tag->end && is_space(html[at]))
            at++;
        *start = *end = at;
        if (at < tag->end && html[at] == '=') {
            at++;
            while (at < tag->end && is_space(html[at]))
                at++;
            char quote = at < tag->end ? html[at] : 0;
            bool is_quoted = quote == '"' || quote == '\'';
            *start = at = at + is_quoted;
            while (at < tag->end && (is_quoted ? html[at] != quote : !is_space(html[at])))
                at++;
            *end = at < tag->end ? at : tag->end;
            at += is_quoted;
        }
        if (is_it) return true;
        if (at == word) at++; // a byte that is no part of an attribute
    }
    return false;
}

static bool is_word(const struct scanner *scanner, size_t start, size_t end, const char *word) {
    return end - start == strlen(word) &&
           strncasecmp(scanner->html + start, word, end - start) == 0;
}

// What is typed into a line of a form belongs to the text, and which boxes are ticked.
static void write_field(struct scanner *scanner, const struct tag *tag) {
    static const char *const lines[] = {"text",  "number", "date",           "time",
                                        "month", "week",   "datetime-local", "tel",
                                        "email", "url",    "search",         NULL};
    enum { TICKED_BOX = 0x2611, EMPTY_BOX = 0x2610 };
    size_t start, end, unused[2];
    bool is_line = !find_attribute(scanner, tag, "type", &start, &end);
    if (!is_line &&
        (is_word(scanner, start, end, "checkbox") || is_word(scanner, start, end, "radio"))) {
        bool is_ticked = find_attribute(scanner, tag, "checked", &unused[0], &unused[1]);
        write_character(scanner, is_ticked ? TICKED_BOX : EMPTY_BOX);
        return;
    }
    for (int i = 0; !is_line && lines[i]; i++)
        is_line = is_word(scanner, start, end, lines[i]);
    if (is_line && find_attribute(scanner, tag, "value", &start, &end))
        write_text(scanner, start, end);
}

static int find_row(const char *name) {
    for (int i = 0; i < N_TAG_ROWS; i++) {
        if (strcmp(tag_rows[i].name, name) == 0) return i;
    }
    return -1;
}

// Returns where reading goes on.
static size_t skip_element(struct scanner *scanner, size_t after, int row) {
    size_t end = find_end_tag(scanner, after, row);
    if (end < scanner->bytes || tag_rows[row].effect == TAG_SILENT) return end;
    return after;
}

static size_t apply_tag(struct scanner *scanner, const struct tag *tag) {
    int row = find_row(tag->name);
    size_t after = tag->end + 1;
    size_t start, end;
    switch (row < 0 ? TAG_INLINE : tag_rows[row].effect) {
    case TAG_BREAK:
        scanner->is_raised = false;
        write_break(scanner);
        break;
    case TAG_CELL:
        scanner->is_raised = false;
        scanner->has_space = true;
        write_mark(scanner);
        break;
    case TAG_RAISED:
        scanner->is_raised = !tag->is_end;
        break;
    case TAG_FIELD:
        write_field(scanner, tag);
        break;
    case TAG_INLINE:
        write_mark(scanner);
        break;
    case TAG_DROPPED:
    case TAG_SILENT:
        if (!tag->is_end) after = skip_element(scanner, after, row);
        break;
    case TAG_CHOICE: // up to the next tag
        if (!tag->is_end && !find_attribute(scanner, tag, "selected", &start, &end)) {
            const char *next = memchr(scanner->html + after, '<', scanner->bytes - after);
            after = next ? (size_t)(next - scanner->html) : scanner->bytes;
        }
        break;
    }
    return after;
}

// At '<' and '!' or '?': comments, CDATA, declarations. Returns where reading goes on.
static size_t skip_declaration(const struct scanner *scanner, size_t at) {
    const char *html = scanner->html;
    size_t left = scanner->bytes - at;
    if (left >= 4 && memcmp(html + at, "<!--", 4) == 0) {
        // "<!-->" and "<!--->" are whole comments: the marks that begin one may end it.
        for (at += 2; at + 2 < scanner->bytes; at++) {
            if (html[at] != '-' || html[at + 1] != '-') continue;
            if (html[at + 2] == '>') return at + 3;
            if (html[at + 2] == '!' && at + 3 < scanner->bytes && html[at + 3] == '>')
                return at + 4;
        }
        return scanner->bytes;
    }
    const char *end = memchr(html + at, '>', left);
    return end ? (size_t)(end - html) + 1 : scanner->bytes;
}

void html_text_read(const char *html, size_t bytes, struct text_gather *text) {
    struct scanner scanner = {.html = html, .bytes = bytes, .text = text};
    while (scanner.at < bytes && !text->has_no_memory) {
        const char *next = memchr(html + scanner.at, '<', bytes - scanner.at);
        size_t open = next ? (size_t)(next - html) : bytes;
        write_text(&scanner, scanner.at, open);
        if (open >= bytes) return;
        char c = open + 1 < bytes ? html[open + 1] : 0;
        bool is_end = c == '/' && open + 2 < bytes && is_letter(html[open + 2]);
        struct tag tag = {.end = bytes};
        if (is_letter(c) || is_end) tag = read_tag(&scanner, open);
        if (tag.end < bytes) {
            scanner.at = apply_tag(&scanner, &tag);
        } else if (c == '!' || c == '?') {
            scanner.at = skip_declaration(&scanner, open);
        } else { // "白细胞<4.0": no tag
            write_character(&scanner, '<');
            scanner.at = open + 1;
        }
    }
}
