// SPDX-License-Identifier: Apache-2.0
#include "tools/clinic_page.h"

#include "clinic/record/utf8_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 76, NAME_WIDTH = 10 };

void clinic_page_init(struct clinic_page *page) {
    const char *term = getenv("TERM");
    page->has_colour =
        isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !getenv("NO_COLOR");
}

static int columns_of(uint32_t c) {
    bool is_wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                   (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                   (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                   (c >= 0x20000 && c <= 0x3fffd);
    return is_wide ? 2 : 1;
}

static int text_columns(const char *text) {
    size_t n = strlen(text), length;
    int columns = 0;
    for (size_t i = 0; i < n; i += length)
        columns += columns_of(utf8_text_read(text + i, n - i, &length));
    return columns;
}

void clinic_page_colour(const struct clinic_page *page, const char *code) {
    if (page->has_colour) printf("\033[%sm", code ? code : "0");
}

void clinic_page_rule(const char *mark) {
    for (int i = 0; i < WIDTH; i++)
        fputs(mark, stdout);
    putchar('\n');
}

void clinic_page_centre(const struct clinic_page *page, const char *text) {
    int space = (WIDTH - text_columns(text)) / 2;
    printf("%*s", space > 0 ? space : 0, "");
    clinic_page_colour(page, "1");
    fputs(text, stdout);
    clinic_page_colour(page, NULL);
    putchar('\n');
}

void clinic_page_name(struct clinic_page *page, const char *name, const char *code) {
    int columns = text_columns(name);
    clinic_page_colour(page, code);
    fputs(name, stdout);
    clinic_page_colour(page, NULL);
    printf("%*s", columns < NAME_WIDTH ? NAME_WIDTH - columns : 1, "");
    page->column = columns < NAME_WIDTH ? NAME_WIDTH : columns + 1;
}

void clinic_page_break(struct clinic_page *page) {
    printf("\n%*s", NAME_WIDTH, "");
    page->column = NAME_WIDTH;
}

static bool may_hang(uint32_t c) { // never begins a line
    return c == 0xff0c || c == 0x3002 || c == 0xff1b || c == 0xff1a || c == 0x3001 || c == 0xff09 ||
           c == 0x201d;
}

static void put_word(struct clinic_page *page) {
    if (!page->word_bytes) return;
    if (page->column + page->word_columns > WIDTH && page->column > NAME_WIDTH)
        clinic_page_break(page);
    fwrite(page->word, 1, page->word_bytes, stdout);
    page->column += page->word_columns;
    page->word_bytes = 0;
    page->word_columns = 0;
}

static void put_character(struct clinic_page *page, const char *text, size_t bytes, uint32_t c) {
    put_word(page);
    if (page->column + columns_of(c) > WIDTH && !may_hang(c)) clinic_page_break(page);
    fwrite(text, 1, bytes, stdout);
    page->column += columns_of(c);
}

static bool is_number_end(const struct clinic_page *page) {
    size_t n = page->word_bytes;
    return n > 0 && n + 1 < sizeof page->word && page->word[n - 1] >= '0' &&
           page->word[n - 1] <= '9';
}

static void write_character(struct clinic_page *page, const char *text, size_t bytes, uint32_t c) {
    bool is_word = (c > 0x20 && c < 0x7f) || c == 0xd7 || c == 0x2079 || c == 0xb2 || c == 0xb5 ||
                   c == 0x3bc || c == 0x2103;
    if (c == '\n') {
        put_word(page);
        clinic_page_break(page);
    } else if (is_word && page->word_bytes + bytes <= sizeof page->word) {
        memcpy(page->word + page->word_bytes, text, bytes);
        page->word_bytes += bytes;
        page->word_columns += columns_of(c);
    } else if (c == ' ' && is_number_end(page)) { // a number and its unit stay together
        page->word[page->word_bytes++] = ' ';
        page->word_columns++;
    } else if (c == ' ') {
        put_word(page);
        if (page->column > NAME_WIDTH) put_character(page, text, bytes, c);
    } else if (c >= 0x20 && c != 0x7f) { // what moves the cursor is no text
        put_character(page, text, bytes, c);
    }
}

void clinic_page_write(struct clinic_page *page, const char *text, size_t bytes) {
    size_t length;
    for (size_t i = 0; i < bytes; i += length) {
        uint32_t c = utf8_text_read(text + i, bytes - i, &length);
        if (c >= 0x80 && c < 0xa0) continue;
        write_character(page, text + i, length, c);
    }
    fflush(stdout);
}

void clinic_page_end(struct clinic_page *page) {
    put_word(page);
    putchar('\n');
    page->column = 0;
    fflush(stdout);
}
