// SPDX-License-Identifier: Apache-2.0
// A side holds if the record tells that side of that site. Where it tells both sides, the words
// around them decide which of the two the sentence speaks of.
#include "clinic/verify/sentence_scan.h"

#define WINDOW 12
#define EVIDENCE_MAX 512

static struct surroundings around(const struct folded_text *text, const struct mention *m) {
    size_t from = m->start > WINDOW ? m->start - WINDOW : 0;
    size_t to = m->subject_end + WINDOW < text->n ? m->subject_end + WINDOW : text->n;
    return surroundings_of(text, from, to);
}

static size_t site_in_common(const struct folded_text *a, const struct mention *x,
                             const struct folded_text *b, const struct mention *y) {
    size_t n = 0;
    while (x->subject_start + n < x->subject_end && y->subject_start + n < y->subject_end &&
           a->chars[x->subject_start + n] == b->chars[y->subject_start + n]) {
        n++;
    }
    return n;
}

// Something is denied of this side: 左侧胸腔未见积液.
static bool is_denied(const struct record_index *index, const struct place *place,
                      const struct mention *m) {
    for (size_t i = m->start; i < m->end + 6 && i < place->folded.n; i++) {
        if (character_ends_clause(place->folded.chars[i])) {
            return false;
        }
        if (place_denies(index, place, i)) {
            return true;
        }
    }
    return false;
}

static bool is_denied_here(const struct sentence_scan *scan, const struct mention *m) {
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *other = &scan->mentions.items[i];
        if (other->kind == MENTION_NEGATION && other->subject_end > m->start &&
            other->subject_start < m->end + 6) {
            for (size_t k = m->start; k < other->subject_start; k++) {
                if (character_ends_clause(scan->folded.chars[k])) {
                    return false;
                }
            }
            return true;
        }
    }
    return false;
}

struct side_match {
    double score;
    struct evidence evidence;
};

// 髋 of 右髋疼痛 is the site by itself, whatever stands behind it.
static bool is_whole_site(uint32_t c) {
    static const uint32_t sites[] = {0x9ACB, 0x819D, 0x80A9, 0x8098, 0x8155, 0x8E1D, 0x773C,
                                     0x8033, 0x80BE, 0x80BA, 0x4E73, 0x8DB3, 0x624B, 0x80A2};
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) { // 髋膝肩肘腕踝眼耳肾肺乳足手肢
        if (c == sites[i]) {
            return true;
        }
    }
    return false;
}

static bool sides_agree(char claim, char record) {
    return claim == record || (record == 'B' && claim != 0);
}

static void check_side(struct sentence_scan *scan, size_t at) {
    const struct record_index *index = &scan->verifier->index;
    const struct mention m = scan->mentions.items[at];
    struct surroundings near = around(&scan->folded, &m);
    struct side_match same = {0}, other = {0}, loose = {0};
    bool denied = is_denied_here(scan, &m);
    size_t least = m.subject_end - m.subject_start >= 2 ? 2 : m.subject_end - m.subject_start;
    struct claim *claim = scan_claim(scan, CLAIM_SIDE, m.start, m.end);
    if (!claim) {
        return;
    }
    if (least == 0) {
        claim->is_supported = true; // a side of nothing: nothing to look up
        return;
    }
    for (size_t i = 0; i < index->n_by_kind[MENTION_SIDE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_SIDE][i];
        const struct mention *told = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        size_t common = site_in_common(&scan->folded, &m, &place->folded, told);
        if (common == 0) {
            continue;
        }
        struct surroundings there = around(&place->folded, told);
        int shared = surroundings_shared(&near, &there);
        bool agrees = sides_agree(m.side, told->side);
        double score =
            0.5 * (double)(common < 3 ? common : 3) + shared * 0.4 +
            place_fit(scan, evidence.place) +
            time_fit(scan, scan->days[at], place, index->set.mention_days[evidence.mention]) -
            (denied != is_denied(index, place, told) ? 2 : 0) -
            (m.side != told->side && agrees ? 0.5 : 0);
        if (agrees && common < least && shared < 4) { // 左心 is no proof for 左下
            if (is_whole_site(scan->folded.chars[m.subject_start]) && score > loose.score) {
                loose = (struct side_match){score, evidence};
            }
            continue;
        }
        struct side_match *best = agrees ? &same : &other;
        if (score > best->score) {
            *best = (struct side_match){score, evidence};
        }
    }
    if (same.score <= 0 && other.score <= 0 && m.side != 'B') {
        same = loose; // nothing is told of the other side either
    }
    if (same.score > 0 && same.score + 1.6 >= other.score) {
        claim_support(scan, claim, same.evidence.place);
    } else if (other.score > 0) {
        const struct place *place = evidence_place(index, other.evidence);
        const struct mention *told = evidence_mention(index, other.evidence);
        char words[80];
        record_words(scan, place, told->start, told->end, words);
        claim_refuse(claim, "记录中为“%s”", words);
        claim->has_source = true;
        claim->source = place->source;
    } else {
        claim_refuse(claim, "记录中没有这一部位的侧别");
    }
}

void check_sides(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        if (scan->mentions.items[i].kind == MENTION_SIDE) {
            check_side(scan, i);
        }
    }
}
