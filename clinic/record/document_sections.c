// SPDX-License-Identifier: Apache-2.0
// A label begins a section if it stands at the beginning of a line and a colon or the end of the
// line or of its element follows, or if it is the whole text of an element. Documents that have no
// two such labels are read once more: then a label counts inside a line, too, after a full stop or
// a space, if it comes later in the order of its type. Notes name other parts of the record in
// passing.
#include "clinic/record/document_sections.h"

#include "clinic/record/html_text.h"
#include "clinic/record/member_table.h"
#include "clinic/record/text_gather.h"

#include <stdlib.h>
#include <string.h>

struct splitter {
    const char *text;
    size_t bytes;
    const struct document_type *type;
    struct text_gather *parts; // [n_labels + 1] by the first label of a name; the last is the body
    int *sequence;             // [n_labels] parts in the order in which they begin
    int n_sequence;
    int current;   // which part text goes to
    int order;     // of the section that is being read; -1: the body
    bool is_loose; // labels count inside lines, too
};

static bool starts(const char *text, size_t bytes, const char *word) {
    size_t length = strlen(word);
    return bytes >= length && memcmp(text, word, length) == 0;
}

// White space and marks; the ideographic space is three bytes.
static size_t skip_blank(const char *text, size_t bytes, size_t at) {
    for (;;) {
        if (at < bytes && (text[at] == ' ' || text[at] == '\t' || text[at] == HTML_TEXT_MARK)) {
            at++;
        } else if (starts(text + at, bytes - at, "\xE3\x80\x80")) {
            at += 3;
        } else {
            return at;
        }
    }
}

// "一、", "（三）", "2.", "3、" in front of a label.
static size_t skip_number(const char *text, size_t bytes, size_t at) {
    static const char *const digits[] = {"一", "二", "三", "四", "五", "六",
                                         "七", "八", "九", "十", NULL};
    size_t begin = at;
    if (starts(text + at, bytes - at, "（")) at += strlen("（");
    size_t first = at;
    for (;;) {
        size_t before = at;
        if (at < bytes && text[at] >= '0' && text[at] <= '9') at++;
        for (int i = 0; digits[i] && at == before; i++) {
            if (starts(text + at, bytes - at, digits[i])) at += strlen(digits[i]);
        }
        if (at == before) break;
        if (at - first > 9) return begin;
    }
    static const char *const ends[] = {"、", "．", "）", ".", ")", NULL};
    for (int i = 0; at > first && ends[i]; i++) {
        if (starts(text + at, bytes - at, ends[i])) return at + strlen(ends[i]);
    }
    return begin;
}

// The label, with blanks between its characters allowed: "主　诉". Returns where it ends; 0: no.
static size_t match_label(const char *text, size_t bytes, size_t at, const char *label) {
    if (at >= bytes || text[at] != label[0]) return 0;
    while (*label != '\0') {
        size_t length = 1;
        while (((unsigned char)label[length] & 0xC0) == 0x80)
            length++;
        if (bytes - at < length || memcmp(text + at, label, length) != 0) return 0;
        at += length;
        label += length;
        if (*label != '\0') at = skip_blank(text, bytes, at);
    }
    return at;
}

// What stands before and behind a place where a label may be.
struct spot {
    bool begins_line, begins_element; // neither: after a full stop or a space
};

// The end of what belongs to a label that ends at `at`: colon, bracket, end of line. 0: it is none.
static size_t end_label(const char *text, size_t bytes, size_t at, bool has_bracket,
                        struct spot spot) {
    size_t behind = skip_blank(text, bytes, at);
    if (has_bracket) {
        size_t length = starts(text + behind, bytes - behind, "】") ? strlen("】")
                        : behind < bytes && text[behind] == ']'     ? 1
                                                                    : 0;
        if (length == 0) return 0;
        behind = skip_blank(text, bytes, behind + length);
    }
    size_t end = behind;
    if (starts(text + behind, bytes - behind, "：")) end = behind + strlen("：");
    if (behind < bytes && text[behind] == ':') end = behind + 1;
    size_t next = skip_blank(text, bytes, end);
    bool ends_line = next >= bytes || text[next] == '\n';
    bool ends_element = ends_line || memchr(text + at, HTML_TEXT_MARK, next - at) != NULL;
    if (spot.begins_element && !spot.begins_line) return ends_element ? end : 0;
    if (end > behind || has_bracket) return end;
    return spot.begins_line && ends_element ? end : 0;
}

// The label at `at`, if it may begin a section there; `*end`: where its text begins.
static const struct section_label *find_label(const struct splitter *splitter, size_t at,
                                              struct spot spot, size_t *end) {
    const char *text = splitter->text;
    size_t bytes = splitter->bytes, begin = skip_blank(text, bytes, at);
    if (spot.begins_line) begin = skip_blank(text, bytes, skip_number(text, bytes, begin));
    bool is_wide = starts(text + begin, bytes - begin, "【");
    bool has_bracket = is_wide || (begin < bytes && text[begin] == '[');
    if (has_bracket) begin = skip_blank(text, bytes, begin + (is_wide ? strlen("【") : 1));
    for (int i = 0; i < splitter->type->n_labels; i++) {
        const struct section_label *label = &splitter->type->labels[i];
        bool needs_order = label->is_forward || !(spot.begins_line || spot.begins_element);
        if (needs_order && label->order <= splitter->order) continue;
        size_t behind = match_label(text, bytes, begin, label->label);
        *end = behind == 0 ? 0 : end_label(text, bytes, behind, has_bracket, spot);
        if (*end > 0) return label;
    }
    return NULL;
}

// The part that a section's text goes to: that of the first label with its name.
static int find_part(const struct document_type *type, const char *name) {
    for (int i = 0; i < type->n_labels; i++) {
        if (strcmp(type->labels[i].name, name) == 0) return i;
    }
    return type->n_labels;
}

static void open_part(struct splitter *splitter, const struct section_label *label) {
    splitter->order = label->order;
    splitter->current = find_part(splitter->type, label->name);
    int seen = 0;
    while (seen < splitter->n_sequence && splitter->sequence[seen] != splitter->current)
        seen++;
    if (seen == splitter->n_sequence)
        splitter->sequence[splitter->n_sequence++] = splitter->current;
    struct text_gather *part = &splitter->parts[splitter->current];
    if (part->bytes > 0 && part->text[part->bytes - 1] != '\n') text_gather_add(part, "\n", 1);
}

static bool ends_sentence(const char *text, size_t at) {
    return (at >= 3 &&
            (memcmp(text + at - 3, "。", 3) == 0 || memcmp(text + at - 3, "；", 3) == 0)) ||
           (at >= 1 && (text[at - 1] == ' ' || text[at - 1] == ';'));
}

// Bytes that may come before a label: looked at before labels are compared.
static bool is_spot(const struct splitter *splitter, size_t at, struct spot *spot) {
    const char *text = splitter->text;
    spot->begins_line = at == 0 || text[at - 1] == '\n';
    spot->begins_element = text[at] == HTML_TEXT_MARK;
    if (spot->begins_line || spot->begins_element) return true;
    // Only the first that is not blank, lest a long row of blanks be read again and again.
    return splitter->is_loose && text[at] != ' ' && text[at] != '\t' && ends_sentence(text, at);
}

static void split(struct splitter *splitter) {
    const char *text = splitter->text;
    for (size_t at = 0; at < splitter->bytes;) {
        struct spot spot;
        size_t end;
        const struct section_label *label = NULL;
        if (((unsigned char)text[at] & 0xC0) != 0x80 && is_spot(splitter, at, &spot))
            label = find_label(splitter, at, spot, &end);
        // Another word for the section that is being read is its text.
        if (label && find_part(splitter->type, label->name) == splitter->current) label = NULL;
        if (label) {
            open_part(splitter, label);
            at = end;
            continue;
        }
        if (text[at] != HTML_TEXT_MARK)
            text_gather_add(&splitter->parts[splitter->current], text + at, 1);
        at++;
    }
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Without blanks at both ends of each line and without empty lines, in place.
static void trim_lines(struct text_gather *part) {
    char *text = part->text;
    size_t n = 0;
    for (size_t at = 0; at < part->bytes;) {
        while (at < part->bytes && is_blank(text[at]))
            at++;
        size_t begin = n;
        while (at < part->bytes && text[at] != '\n')
            text[n++] = text[at++];
        while (n > begin && is_blank(text[n - 1]))
            n--;
        if (n > begin) text[n++] = '\n';
    }
    if (n > 0) n--;
    part->bytes = n;
}

// The first line of the body is often the title again.
static void drop_title(struct text_gather *body, const char *local_title) {
    size_t length = strlen(local_title);
    if (length == 0 || body->bytes < length || memcmp(body->text, local_title, length) != 0) return;
    if (body->bytes > length && body->text[length] != '\n') return;
    size_t skip = body->bytes > length ? length + 1 : length;
    memmove(body->text, body->text + skip, body->bytes - skip);
    body->bytes -= skip;
}

static bool add_section(json_t *sections, const char *name, struct text_gather *part,
                        struct clinic_error *error) {
    if (part->has_no_memory) return clinic_fail_memory(error);
    if (part->bytes == 0) return true;
    if (part->bytes > PROSE_BYTES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "the document: a section has more than 1 MiB of text");
    json_t *section = json_pack("{s:s, s:s%}", "name", name, "text", part->text, part->bytes);
    return json_array_append_new(sections, section) == 0 || clinic_fail_memory(error);
}

static bool gather_sections(struct splitter *splitter, const char *local_title, json_t *sections,
                            struct clinic_error *error) {
    const struct document_type *type = splitter->type;
    int body = type->n_labels;
    for (int i = 0; i <= body; i++)
        trim_lines(&splitter->parts[i]);
    drop_title(&splitter->parts[body], local_title);
    // The body has a label of its own name in some types: one section then.
    int same = find_part(type, type->body);
    if (same < body && splitter->parts[same].bytes > 0 && splitter->parts[body].bytes > 0) {
        struct text_gather *whole = &splitter->parts[body];
        text_gather_add(whole, "\n", 1);
        text_gather_add(whole, splitter->parts[same].text, splitter->parts[same].bytes);
        splitter->parts[same].bytes = 0;
    }
    if (!add_section(sections, type->body, &splitter->parts[body], error)) return false;
    for (int i = 0; i < splitter->n_sequence; i++) {
        int part = splitter->sequence[i];
        if (!add_section(sections, type->labels[part].name, &splitter->parts[part], error))
            return false;
    }
    return json_array_size(sections) > 0 ||
           clinic_fail(error, CLINIC_BAD_INPUT, "the document: there is no text in it");
}

json_t *document_sections_read(const char *text, size_t bytes, const char *local_title,
                               const struct document_type *type, struct clinic_error *error) {
    struct splitter splitter = {
        .text = text, .bytes = bytes, .type = type, .current = type->n_labels, .order = -1};
    json_t *sections = json_array();
    splitter.parts = calloc((size_t)type->n_labels + 1, sizeof *splitter.parts);
    splitter.sequence = calloc((size_t)type->n_labels + 1, sizeof *splitter.sequence);
    bool is_made = splitter.parts && splitter.sequence && sections;
    if (is_made) {
        split(&splitter);
        if (splitter.n_sequence < 2) {
            for (int i = 0; i <= type->n_labels; i++)
                splitter.parts[i].bytes = 0;
            splitter.current = type->n_labels;
            splitter.order = -1;
            splitter.n_sequence = 0;
            splitter.is_loose = true;
            split(&splitter);
        }
        is_made = gather_sections(&splitter, local_title, sections, error);
    } else {
        clinic_fail_memory(error);
    }
    for (int i = 0; splitter.parts && i <= type->n_labels; i++)
        text_gather_deinit(&splitter.parts[i]);
    free(splitter.parts);
    free(splitter.sequence);
    if (is_made) return sections;
    json_decref(sections);
    return NULL;
}
