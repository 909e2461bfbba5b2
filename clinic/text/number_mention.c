// SPDX-License-Identifier: Apache-2.0
// Numbers: digits or Chinese numerals, powers of ten, ranges, pairs (128/76), units, and the
// quantity they are a value of. Numbers of list items and names (CA125, V1) are none.
#include "clinic/text/mention_scan.h"
#include "clinic/text/unit_table.h"

#include <math.h>
#include <string.h>

#define QUANTITY_GAP 14

size_t scan_digits(const struct folded_text *text, size_t at, int *value) {
    size_t n = 0;
    *value = 0;
    while (character_is_digit(text->chars[at + n]) && n < 9) {
        *value = *value * 10 + (int)(text->chars[at + n] - '0');
        n++;
    }
    return n;
}

size_t scan_decimal(const struct folded_text *text, size_t at, double *value) {
    size_t n = 0;
    double scale = 1;
    *value = 0;
    while (character_is_digit(text->chars[at + n]) && n < 15) {
        *value = *value * 10 + (text->chars[at + n++] - '0');
    }
    if (n && text->chars[at + n] == '.' && character_is_digit(text->chars[at + n + 1])) {
        n++;
        while (character_is_digit(text->chars[at + n]) && n < 24) {
            scale *= 10;
            *value = *value * 10 + (text->chars[at + n++] - '0');
        }
    }
    *value /= scale;
    return n;
}

static int han_digit(uint32_t c) {
    static const uint32_t digits[] = {0x96F6, 0x4E00, 0x4E8C, 0x4E09, 0x56DB,
                                      0x4E94, 0x516D, 0x4E03, 0x516B, 0x4E5D};
    for (int i = 0; i < 10; i++) {
        if (c == digits[i]) {
            return i;
        }
    }
    return c == 0x4E24 ? 2 : -1; // 两
}

size_t scan_han_number(const struct folded_text *text, size_t at, double *value) {
    const uint32_t ten = 0x5341, half = 0x534A;
    int first = han_digit(text->chars[at]);
    if (folded_match(text, at, "百分之")) {
        size_t more = scan_han_number(text, at + 3, value);
        return more ? 3 + more : 0;
    }
    if (text->chars[at] == half) {
        *value = 0.5;
        return 1;
    }
    if (first < 0 && text->chars[at] != ten) {
        return 0;
    }
    size_t n = first >= 0 ? 1 : 0;
    *value = first >= 0 ? first : 1;
    if (text->chars[at + n] == ten) {
        n++;
        int last = han_digit(text->chars[at + n]);
        *value = *value * 10 + (last > 0 ? last : 0);
        n += last > 0 ? 1 : 0;
    }
    if (text->chars[at + n] == 0x70B9 && han_digit(text->chars[at + n + 1]) >= 0) { // 点
        *value += han_digit(text->chars[at + n + 1]) / 10.0;
        n += 2;
    }
    return han_digit(text->chars[at + n]) >= 0 ? 0 : n;
}

// x10^9, and what is left of it where superscripts were lost (x109/l).
static size_t power_of_ten(const struct folded_text *text, size_t at, double *factor) {
    int exponent = 0;
    *factor = 1;
    if ((text->chars[at] != 'x' && text->chars[at] != '*') || text->chars[at + 1] != '1' ||
        text->chars[at + 2] != '0') {
        return 0;
    }
    if (text->chars[at + 3] == '^') {
        size_t n = scan_digits(text, at + 4, &exponent);
        *factor = n && exponent <= 18 ? pow(10, exponent) : 1;
        return n ? 4 + n : 0;
    }
    size_t n = scan_digits(text, at + 3, &exponent);
    if (n && (exponent == 9 || exponent == 12 || exponent == 6) && text->chars[at + 3 + n] == '/') {
        *factor = pow(10, exponent);
        return 3 + n;
    }
    return 0;
}

// "1." before an item, "(1)", "①": counts, says nothing.
static bool is_item_number(const struct folded_text *text, size_t at, size_t n) {
    uint32_t before = at ? text->chars[at - 1] : 0, behind = text->chars[at + n];
    bool begins = character_ends_clause(before) || before == '(' || before == ' ';
    if (n > 2 || !begins) {
        return false;
    }
    if (before == '(') {
        return behind == ')';
    }
    return (behind == '.' && !character_is_digit(text->chars[at + n + 1])) || behind == 0x3001 ||
           (behind == ')' && before != '(');
}

// Part of a name: a letter touches it and no unit follows.
static bool is_in_name(const struct folded_text *text, size_t at, size_t n, bool has_unit) {
    if (at == 0) {
        return false;
    }
    uint32_t before = text->chars[at - 1];
    bool touches = text->offsets[at] - text->offsets[at - 1] == 1;
    if (before == '^' || (before == '.' && at > 1 && character_is_digit(text->chars[at - 2]))) {
        return true;
    }
    if ((character_is_latin(before) ||
         (before == '-' && at > 1 && character_is_latin(text->chars[at - 2]))) &&
        touches) {
        return !has_unit;
    }
    (void)n;
    return false;
}

struct parsed {
    struct mention mention;
    size_t end;
};

// "3.0x28 mm", "5x4x3 cm": the unit behind the last factor is that of each.
static struct unit unit_of_product(const struct folded_text *text, size_t at) {
    double value;
    for (int factors = 0; factors < 3 && text->chars[at] == 'x'; factors++) {
        size_t n = scan_decimal(text, at + 1, &value);
        if (n == 0 || (value == 10 && text->chars[at + 1 + n] == '^')) {
            break;
        }
        at += 1 + n;
        struct unit unit = unit_at(text, at);
        if (unit.length) {
            unit.length = 0;
            return unit;
        }
    }
    return (struct unit){"", 1, 0};
}

static size_t skip_vague(const struct folded_text *text, size_t at) {
    return text->chars[at] == 0x4F59 || text->chars[at] == 0x591A || text->chars[at] == 0x51E0
               ? at + 1
               : at; // 余 多 几
}

static bool is_range_mark(uint32_t c) {
    return c == '~' || c == '-' || c == 0x81F3 || c == 0x5230 || c == 0x2192; // 至 到 →
}

// The second number of a range or a pair, in the unit that both have.
static size_t second_number(const struct folded_text *text, size_t at, const struct unit *first,
                            double power, struct mention *mention, struct unit *unit) {
    double value, factor;
    uint32_t mark = text->chars[at];
    size_t digits = 0, n;
    bool is_pair = mark == '/' && first->length == 0;
    if (!(is_range_mark(mark) || is_pair) || !(digits = scan_decimal(text, at + 1, &value))) {
        return 0;
    }
    n = 1 + digits;
    n += power_of_ten(text, at + n, &factor);
    *unit = unit_at(text, at + n);
    if (is_pair && strcmp(unit->base, "mmHg") != 0) {
        return 0;
    }
    if (unit->length == 0 && first->length == 0 && !is_pair) {
        return 0;
    }
    if (first->length && unit->length && strcmp(first->base, unit->base) != 0) {
        return 0; // 由12 U至3天
    }
    if (unit->length == 0) {
        unit->base = first->base;
        unit->factor = first->factor;
    }
    mention->form = is_pair ? NUMBER_PAIR : NUMBER_RANGE;
    double low_factor = first->length ? first->factor : unit->factor;
    mention->value *= (power == 1 ? factor : power) * low_factor;
    mention->value_high = value * factor * unit->factor;
    mention->unit = unit->base;
    return n + unit->length;
}

static bool has_ordinal(const struct folded_text *text, size_t at) {
    return at > 0 && text->chars[at - 1] == 0x7B2C; // 第
}

// The number at text[at]; false if nothing to check stands there.
static bool parse_number(const struct folded_text *text, size_t at, struct parsed *out) {
    double value = 0, factor = 1;
    size_t n = scan_decimal(text, at, &value);
    bool is_han = n == 0;
    n = n ? n : scan_han_number(text, at, &value);
    if (n == 0 || (!is_han && is_item_number(text, at, n))) {
        return false;
    }
    size_t end = at + n;
    end += is_han ? 0 : power_of_ten(text, end, &factor);
    struct unit unit = unit_at(text, skip_vague(text, end));
    if (is_han && text->chars[at] == 0x767E) { // 百分之
        unit = (struct unit){"%", 1, 0};
    }
    if (!is_han && unit.length == 0 && text->chars[end] == 'x') {
        unit = unit_of_product(text, end);
    }
    size_t vague = unit.length ? skip_vague(text, end) : end;
    if (!is_han && is_in_name(text, at, n, unit.length > 0)) {
        return false;
    }
    struct mention m = mention_make(MENTION_NUMBER, at, end);
    m.written = value;
    m.value = value;
    struct unit second;
    size_t more = is_han ? 0 : second_number(text, vague + unit.length, &unit, factor, &m, &second);
    if (more) {
        m.end = out->end = vague + unit.length + more;
    } else {
        bool ordinal = has_ordinal(text, at);
        m.value *= ordinal ? 1 : factor * unit.factor;
        m.value_high = m.value;
        m.unit = ordinal ? "第" : unit.base;
        m.end = out->end = vague + unit.length;
    }
    static const char *const counted[] = {"h",  "月", "岁", "次", "个", "周期", "期", "级",
                                          "度", "g",  "ml", "U",  "片", "粒",   "支"};
    bool is_counted = !is_han || strcmp(unit.base, "%") == 0;
    for (size_t i = 0; is_han && i < sizeof counted / sizeof counted[0]; i++) {
        is_counted = is_counted || (unit.length && strcmp(unit.base, counted[i]) == 0);
    }
    if (is_han && (value == 1 || value == 0.5) && strcmp(unit.base, "h") &&
        strcmp(unit.base, "月")) {
        is_counted = false; // 一次, 一个, 一级 are hardly numbers
    }
    out->mention = m;
    return is_counted && unit.length + !is_han > 0;
}

// Turns that lead from one value of a quantity to its next: 由12 U调整为14 U.
static bool leads_on(const struct folded_text *text, size_t from, size_t to) {
    static const char *const words[] = {"升至",   "降至",   "增至",   "减至",   "调整为",
                                        "改为",   "上升至", "下降至", "升高至", "降为",
                                        "增加至", "减少至", "至",     "→",      "-"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, from, to, words[i]) < to) {
            return to - from <= 12;
        }
    }
    return false;
}

// The quantity before a number: the last such word in the clause, near enough. A number between
// them ends the search unless the text leads on from it.
static void find_quantity(struct mention_scan *scan, struct mention *m,
                          const struct mention *last) {
    const struct folded_text *text = scan->text;
    size_t from = m->start > QUANTITY_GAP + 12 ? m->start - QUANTITY_GAP - 12 : 0;
    for (size_t i = m->start; i > from; i--) {
        uint32_t c = text->chars[i - 1];
        bool breaks = (character_ends_clause(c) && c != ':') || c == 0x3001;
        if (breaks) {
            from = i;
            break;
        }
    }
    bool follows = last && last->kind == MENTION_NUMBER && last->end > from;
    if (follows && leads_on(text, last->end, m->start)) {
        m->subject_start = last->subject_start;
        m->subject_end = last->subject_end;
        m->concepts[0] = last->concepts[0];
        m->n_concepts = last->n_concepts;
        return;
    }
    from = follows ? last->end : from;
    for (size_t i = from; i < m->start;) {
        struct word word = lexicon_word_at(scan->lexicon, text, i, WORD_QUANTITY);
        bool near = word.concept >= 0 && i + word.length <= m->start &&
                    m->start - i - word.length <= QUANTITY_GAP;
        if (near) {
            m->subject_start = i;
            m->subject_end = i + word.length;
            m->concepts[0] = word.concept;
            m->n_concepts = 1;
        }
        i += near ? word.length : 1;
    }
}

// No laboratory value has a unit of counting, of mass alone or of days: 每日测血糖4次, 糖类15 g.
static bool may_be_value(const struct mention_scan *scan, const struct mention *m) {
    static const char *const counts[] = {"次", "第", "个", "岁", "套", "支", "片",  "粒",
                                         "袋", "h",  "月", "g",  "ml", "U",  "周期"};
    static const char *const counted[] = {"吸烟", "饮酒",   "体重", "尿量", "出血",
                                          "超滤", "尿蛋白", "身高", "失血", "年龄"};
    const char *name = lexicon_concept_name(scan->lexicon, m->concepts[0]);
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        if (strstr(name, counted[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (strcmp(m->unit, counts[i]) == 0) {
            return false;
        }
    }
    return true;
}

// "钾3.1 mmol/L，补钾后9月25日4.2 mmol/L": the same unit goes on with the same quantity.
static void inherit_quantity(const struct mention_scan *scan, struct mention *m,
                             const struct mention *last) {
    bool same = last && last->n_concepts && last->unit[0] && strcmp(last->unit, m->unit) == 0 &&
                (strchr(m->unit, '/') || strcmp(m->unit, "℃") == 0);
    for (size_t i = same ? last->end : m->start; i < m->start; i++) {
        same = same && !character_ends_sentence(scan->text->chars[i]);
    }
    if (same) {
        m->subject_start = last->subject_start;
        m->subject_end = last->subject_end;
        m->concepts[0] = last->concepts[0];
        m->n_concepts = last->n_concepts;
    }
}

void scan_numbers(struct mention_scan *scan) {
    const struct folded_text *text = scan->text;
    struct mention last = {0};
    for (size_t i = 0; i < text->n;) {
        struct parsed parsed;
        if (scan->taken[i] || !parse_number(text, i, &parsed)) {
            bool digit = character_is_digit(text->chars[i]);
            i++;
            while (digit && (character_is_digit(text->chars[i]))) {
                i++;
            }
            continue;
        }
        find_quantity(scan, &parsed.mention, last.end ? &last : NULL);
        if (parsed.mention.n_concepts && !may_be_value(scan, &parsed.mention)) {
            parsed.mention.n_concepts = 0;
            parsed.mention.subject_end = parsed.mention.subject_start = parsed.mention.start;
        }
        if (parsed.mention.n_concepts == 0 && last.end) {
            inherit_quantity(scan, &parsed.mention, &last);
        }
        scan_keep(scan, &parsed.mention);
        last = parsed.mention;
        i = parsed.end > i ? parsed.end : i + 1;
    }
}
