// SPDX-License-Identifier: Apache-2.0
// Names that the record must have: drugs, diagnoses, people; the patient's sex and age.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

struct literal {
    const struct sentence_scan *scan;
    bool denied, affirmed;
    uint32_t denied_place, affirmed_place;
    double best;
};

static bool note_literal(void *user, uint32_t p, size_t at) {
    struct literal *literal = user;
    const struct record_index *index = &literal->scan->verifier->index;
    const struct place *place = &index->set.places[p];
    if (place_denies(index, place, at)) {
        literal->denied = true;
        literal->denied_place = p;
        return true;
    }
    double fit = place_fit(literal->scan, p) + (stands_in_condition(&place->folded, at) ? 0 : 1);
    if (!literal->affirmed || fit > literal->best) {
        literal->affirmed = true;
        literal->affirmed_place = p;
        literal->best = fit;
    }
    return true;
}

static struct literal find_literal(const struct sentence_scan *scan, size_t from, size_t to) {
    struct literal literal = {.scan = scan};
    index_each_place(&scan->verifier->index, &scan->folded, from, to, note_literal, &literal);
    return literal;
}

// The place that names the drug best; false: none does.
static bool find_drug(const struct sentence_scan *scan, const struct mention *claim,
                      uint32_t *place) {
    const struct record_index *index = &scan->verifier->index;
    double best = -1;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        if (!drugs_agree(claim, evidence_mention(index, evidence))) {
            continue;
        }
        double fit =
            place_fit(scan, evidence.place) + (evidence_place(index, evidence)->is_order ? 0.2 : 0);
        if (fit > best) {
            best = fit;
            *place = evidence.place;
        }
    }
    return best >= 0;
}

// Is it said to be given: 予, 改用, 加用 … right before the name?
static bool is_given(const struct folded_text *text, size_t at) {
    static const char *const words[] = {"予",   "改用", "加用", "改为", "给予",   "应用", "使用",
                                        "静滴", "口服", "联合", "换用", "更换为", "继续"};
    size_t from = at > 4 ? at - 4 : 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, from, at, words[i]) < at) {
            return true;
        }
    }
    return false;
}

// Named only as what might be given or what a germ is sensitive to.
static bool is_only_possible(const struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        if (!drugs_agree(claim, m)) {
            continue;
        }
        size_t to = m->end + 24 < place->folded.n ? m->end + 24 : place->folded.n;
        bool tested = folded_find(&place->folded, m->end, to, "敏感") < to ||
                      folded_find(&place->folded, m->end, to, "耐药") < to;
        bool condition = stands_in_condition(&place->folded, m->start) || m->is_negative ||
                         folded_find(&place->folded, m->end, to, "过敏") < to ||
                         place->source.kind == SOURCE_PATIENT;
        size_t before = m->start > 6 ? m->start - 6 : 0;
        bool kept_away = folded_find(&place->folded, before, m->start, "避") < m->start ||
                         folded_find(&place->folded, before, m->start, "禁") < m->start;
        bool no_use = condition || kept_away || place->is_warning;
        if (!no_use && (place->is_order || !tested)) {
            return false;
        }
    }
    return true;
}

// "停用二甲双胍" in the advice where it is taken home.
static bool is_stopped_at_home(const struct sentence_scan *scan, const struct mention *m) {
    const struct record_index *index = &scan->verifier->index;
    const struct folded_text *text = &scan->folded;
    size_t from = m->start > 4 ? m->start - 4 : 0;
    bool stops = folded_find(text, from, m->start, "停") < m->start ||
                 folded_find(text, from, m->start, "不再") < m->start;
    size_t before = m->start > 8 ? m->start - 8 : 0; // "自行停用胰岛素" tells what was
    stops = stops && scan->verbatim == UINT32_MAX &&
            folded_find(text, before, m->start, "自行") >= m->start;
    for (size_t i = 0; stops && scan->time == TIME_ORDERS && i < index->n_by_kind[MENTION_DRUG];
         i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct place *place = evidence_place(index, evidence);
        const struct mention *told = evidence_mention(index, evidence);
        const struct lexicon *lexicon = scan->verifier->lexicon;
        bool same =
            drugs_agree(m, told) || (m->n_concepts && told->n_concepts && // 胰岛素 is any of them
                                     strstr(lexicon_concept_name(lexicon, told->concepts[0]),
                                            lexicon_concept_name(lexicon, m->concepts[0])));
        if (place->is_order && same &&
            scan->verifier->episode->orders[place->source.row].is_discharge_drug) {
            return true;
        }
    }
    return false;
}

static void check_drug(struct sentence_scan *scan, const struct mention *m) {
    struct claim *claim = scan_claim(scan, CLAIM_DRUG, m->start, m->end);
    uint32_t place = 0;
    if (!claim) {
        return;
    }
    if (m->n_concepts == 0) {
        struct literal literal = find_literal(scan, m->subject_start, m->subject_end);
        for (size_t cut = 1;
             cut < 3 && !literal.affirmed && m->subject_end > m->subject_start + cut + 2;
             cut++) { // where the name begins is not known: 评估双膦酸盐
            literal = find_literal(scan, m->subject_start + cut, m->subject_end);
        }
        if (!literal.affirmed && literal.denied && m->is_negative) {
            claim_support(scan, claim, literal.denied_place);
        } else if (literal.affirmed) {
            claim_support(scan, claim, literal.affirmed_place);
        } else {
            claim_refuse(claim, "记录中没有这种药");
        }
    } else if (is_stopped_at_home(scan, m)) {
        claim_refuse(claim, "出院带药中有%.80s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
    } else if (!find_drug(scan, m, &place)) {
        claim_refuse(claim, "记录中没有%.80s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
    } else if (is_given(&scan->folded, m->start) && !stands_in_condition(&scan->folded, m->start) &&
               scan->verbatim == UINT32_MAX && is_only_possible(scan, m)) {
        claim_refuse(claim, "记录中没有使用%.80s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[place].source;
    } else {
        claim_support(scan, claim, place);
    }
}

// Told of as a risk or to be told apart: "4. 冠心病：无危险因素，不支持".
static bool is_weak(const struct place *place, size_t end) {
    static const char *const words[] = {"不支持", "排除", "除外", "可能性小", "不考虑", "待排"};
    size_t n = place->folded.n;
    bool weak = place->is_warning;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        weak = weak || folded_find(&place->folded, end, n, words[i]) < n;
    }
    return weak;
}

// The place of a diagnosis with the same concept that is affirmed (1), only denied (-1), none (0).
static int find_diagnosis(const struct sentence_scan *scan, const struct mention *claim,
                          uint32_t *place, bool *only_weak) {
    const struct record_index *index = &scan->verifier->index;
    int found = 0;
    double best = -1;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DIAGNOSIS]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DIAGNOSIS][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *there = evidence_place(index, evidence);
        if (m->concepts[0] != claim->concepts[0]) {
            continue;
        }
        bool denied = m->is_negative || place_denies(index, there, m->start);
        if (denied && found == 0) {
            found = -1;
            *place = evidence.place;
        }
        bool weak = is_weak(there, m->end) || stands_in_condition(&there->folded, m->start);
        double fit = place_fit(scan, evidence.place) + (weak ? 0 : 1) +
                     (there->source.kind == SOURCE_DIAGNOSIS ? 0.3 : 0);
        *only_weak = *only_weak && (denied || weak);
        if (!denied && fit > best) {
            best = fit;
            found = 1;
            *place = evidence.place;
        }
    }
    return found;
}

// The sentence itself says that it is ruled out or a risk.
static bool is_own_doubt(const struct sentence_scan *scan, const struct mention *m) {
    struct place here = {.folded = scan->folded};
    return is_weak(&here, m->end);
}

static void check_diagnosis(struct sentence_scan *scan, const struct mention *m) {
    if (m->is_negative) {
        return; // check_polarity looks at what is denied
    }
    struct claim *claim = scan_claim(scan, CLAIM_DIAGNOSIS, m->start, m->end);
    uint32_t place = 0;
    if (!claim) {
        return;
    }
    bool only_weak = true;
    int found = find_diagnosis(scan, m, &place, &only_weak);
    bool supposed = stands_in_condition(&scan->folded, m->start);
    bool copied = scan->verbatim != UINT32_MAX;
    if (found > 0 && only_weak && !supposed && !copied && !is_own_doubt(scan, m)) {
        claim_refuse(claim, "记录中仅作为鉴别诊断或风险提到%.60s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[place].source;
        return;
    }
    if (found <= 0) {
        struct literal literal = find_literal(scan, m->start, m->end);
        found = literal.affirmed ? 1 : literal.denied ? -1 : found;
        place = literal.affirmed ? literal.affirmed_place
                : literal.denied ? literal.denied_place
                                 : place;
    }
    if (found > 0 || (found < 0 && supposed)) {
        claim_support(scan, claim, place);
    } else if (found < 0) {
        claim_refuse(claim, "记录中否认或未见%.80s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[place].source;
    } else {
        claim_refuse(claim, "记录中没有%.80s",
                     lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]));
    }
}

// "既往有X病史": X must stand in the record, whatever it is.
static void check_history(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n; i++) {
        size_t from = i, end = i;
        if (!folded_match(text, i, "病史")) {
            continue;
        }
        while (from > 0 && i - from < 14 && character_is_han(text->chars[from - 1]) &&
               text->chars[from - 1] != 0x6709) { // 有
            from--;
        }
        bool told = from > 0 && text->chars[from - 1] == 0x6709 && end >= from + 3;
        for (size_t k = from; told && k < end; k++) { // known names have a check of their own
            told = lexicon_word_at(scan->verifier->lexicon, text, k, WORD_DIAGNOSIS).concept < 0;
        }
        struct literal literal = told ? find_literal(scan, from, end) : (struct literal){0};
        if (told && !literal.affirmed) {
            struct claim *claim = scan_claim(scan, CLAIM_DIAGNOSIS, from, end);
            if (claim) {
                claim_refuse(claim, "记录中没有这一病史");
            }
        }
    }
}

// 阴道, 月经 of a man; 前列腺 of a woman.
static void check_organs(struct sentence_scan *scan) {
    static const char *const women[] = {"阴道", "子宫", "月经", "妊娠", "卵巢",
                                        "宫颈", "产科", "分娩", "避孕", "附件区"};
    static const char *const men[] = {"前列腺", "阴囊", "睾丸", "阴茎"};
    bool is_man = strcmp(scan->verifier->episode->patient.sex, "男") == 0;
    bool is_woman = strcmp(scan->verifier->episode->patient.sex, "女") == 0;
    const char *const *words = is_man ? women : men;
    size_t n = is_man ? sizeof women / sizeof women[0] : sizeof men / sizeof men[0];
    for (size_t i = 0; (is_man || is_woman) && i < n; i++) {
        size_t at = folded_find(&scan->folded, 0, scan->folded.n, words[i]);
        struct claim *claim = at < scan->folded.n && scan->verbatim == UINT32_MAX
                                  ? scan_claim(scan, CLAIM_PATIENT, at,
                                               at + folded_match(&scan->folded, at, words[i]))
                                  : NULL;
        if (claim) {
            claim_refuse(claim, "与患者性别（%s）不符", scan->verifier->episode->patient.sex);
            return;
        }
    }
}

static void check_sex(struct sentence_scan *scan) {
    static const struct {
        const char *word, *sex;
    } words[] = {{"男性", "男"}, {"女性", "女"}, {"患者男", "男"},  {"患者女", "女"},
                 {",男,", "男"}, {",女,", "女"}, {"患者,男", "男"}, {"患者,女", "女"}};
    const char *sex = scan->verifier->episode->patient.sex;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t at = folded_find(&scan->folded, 0, scan->folded.n, words[i].word);
        size_t n = folded_match(&scan->folded, at, words[i].word);
        bool daughter = n && scan->folded.chars[at + n] == 0x513F; // 女儿
        if (n == 0 || daughter) {
            continue;
        }
        struct claim *claim = scan_claim(scan, CLAIM_PATIENT, at, at + n);
        if (claim && strcmp(words[i].sex, sex) != 0) {
            claim_refuse(claim, "患者性别为%s", sex);
        } else if (claim) {
            claim->is_supported = true;
        }
        return;
    }
}

static bool is_surname(uint32_t c) {
    static const char surnames[] = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭"
                                   "曾肖田董袁潘于蒋蔡余杜叶程苏魏吕"
                                   "丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段"
                                   "雷侯龙史陶黎贺顾毛郝龚邵万钱严"
                                   "覃武戴莫孔向汤";
    struct folded_text text;
    bool found = false;
    if (folded_init(&text, surnames, sizeof surnames - 1)) {
        for (size_t i = 0; i < text.n && !found; i++) {
            found = text.chars[i] == c;
        }
        folded_deinit(&text);
    }
    return found;
}

// A person: a surname and one or two characters between "患者" and a mark, or before a title.
static void check_person(struct sentence_scan *scan, size_t from, size_t to) {
    if (to < from + 2 || to > from + 3 || !is_surname(scan->folded.chars[from])) {
        return;
    }
    struct literal literal = find_literal(scan, from, to);
    size_t at = 0;
    bool known = literal.affirmed || literal.denied;
    for (int i = 0; !known && i < scan->verifier->episode->n_staff; i++) {
        struct place probe = {0};
        const char *name = scan->verifier->episode->staff[i].name;
        if (folded_init(&probe.folded, name, strlen(name))) {
            at = 0;
            known = place_has(&probe, &scan->folded, from, to, &at);
            folded_deinit(&probe.folded);
        }
    }
    struct claim *claim = scan_claim(scan, CLAIM_PATIENT, from, to);
    if (claim && literal.affirmed) {
        claim_support(scan, claim, literal.affirmed_place);
    } else if (claim && known) {
        claim->is_supported = true;
    } else if (claim) {
        claim_refuse(claim, "本例记录中没有此人");
    }
}

// A surname behind "患者" that begins no common word, and a name that is not the patient's.
static void check_patient_name(struct sentence_scan *scan, size_t from) {
    static const char surnames[] =
        "王李张刘陈杨赵吴徐孙朱郭林罗郑梁宋唐韩冯邓彭肖董袁潘蒋蔡杜魏吕丁沈姚"
        "卢姜崔谭汪范廖贾韦邹孟熊秦邱薛闫侯陶黎贺郝龚邵覃";
    const struct folded_text *text = &scan->folded;
    struct folded_text list, name;
    bool is_one = false;
    const char *patient = scan->verifier->episode->patient.name;
    if (!character_is_han(text->chars[from]) || !character_is_han(text->chars[from + 1]) ||
        text->chars[from + 1] == 0x53E3 || !folded_init(&list, surnames, sizeof surnames - 1)) {
        return; // 张口呼吸
    }
    for (size_t i = 0; i < list.n; i++) {
        is_one = is_one || list.chars[i] == text->chars[from];
    }
    folded_deinit(&list);
    if (!is_one || !folded_init(&name, patient, strlen(patient))) {
        return;
    }
    size_t same = 0, count = 0;
    while (same < name.n && text->chars[from + same] == name.chars[same]) {
        same++;
    }
    bool own = same == name.n;
    folded_deinit(&name);
    index_find(&scan->verifier->index, pair_at(text, from), &count);
    if (!own && (count == 0 || same >= 2)) {
        size_t end = from + 2 + (character_is_han(text->chars[from + 2]) ? 1 : 0);
        struct claim *claim = scan_claim(scan, CLAIM_PATIENT, from, end);
        if (claim) {
            claim_refuse(claim, "不是本例患者的姓名");
        }
    }
}

static void check_people(struct sentence_scan *scan) {
    static const char *const titles[] = {"主任医师", "副主任医师", "主治医师",
                                         "住院医师", "医师",       "教授"};
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n; i++) {
        size_t n = folded_match(text, i, "患者");
        n = n ? n : folded_match(text, i, "姓名:");
        if (n) {
            size_t to = i + n;
            while (character_is_han(text->chars[to]) && to < i + n + 4) {
                to++;
            }
            bool ends = !character_is_han(text->chars[to]);
            int before = scan->check->n_claims;
            check_patient_name(scan, i + n);
            if (ends && before == scan->check->n_claims) {
                check_person(scan, i + n, to);
            }
        }
        for (size_t t = 0; t < sizeof titles / sizeof titles[0]; t++) {
            bool title = folded_match(text, i, titles[t]) > 0;
            bool edge3 = title && i >= 3 && (i == 3 || !character_is_han(text->chars[i - 4]));
            bool edge2 = title && i >= 2 && (i == 2 || !character_is_han(text->chars[i - 3]));
            if (edge3 || edge2) {
                check_person(scan, edge3 ? i - 3 : i - 2, i);
                break;
            }
        }
    }
}

// Share of the item's pairs that a place has.
static double item_share(const struct sentence_scan *scan, const struct place *place, size_t from) {
    const struct folded_text *text = &scan->folded, *there = &place->folded;
    double share = pair_share(text, from, text->n, there, 0, there->n);
    return share < 0 ? 1 : share; // it names nothing
}

// The diagnoses say 非重症 and never 重症.
static bool is_never_severe(const struct verifier *verifier) {
    bool denied = false;
    for (size_t p = 0; p < verifier->index.set.count; p++) {
        const struct folded_text *text = &verifier->index.set.places[p].folded;
        bool listed = verifier->index.set.places[p].source.kind == SOURCE_DIAGNOSIS;
        size_t at = listed ? folded_find(text, 0, text->n, "重症") : text->n;
        if (at < text->n && (at == 0 || text->chars[at - 1] != 0x975E)) {
            return false;
        }
        denied = denied || at < text->n;
    }
    return denied;
}

// An item of a field of diagnoses must be one of the episode's diagnoses, or of a note's.
static void check_item(struct sentence_scan *scan) {
    const struct verifier *verifier = scan->verifier;
    size_t from = 0;
    double best = 0;
    while (from < scan->folded.n && !character_is_han(scan->folded.chars[from]) &&
           !(character_is_digit(scan->folded.chars[from]) && scan->folded.chars[from + 1] != '.')) {
        from++;
    }
    for (size_t p = 0; p < verifier->index.set.count && best < 0.75; p++) {
        const struct place *place = &verifier->index.set.places[p];
        bool listed = place->source.kind == SOURCE_DIAGNOSIS;
        if (place->source.kind == SOURCE_DOC) {
            const struct section *section = source_section(verifier->episode, &place->source);
            listed = place->is_trusted && strstr(section->name, "诊断") != NULL;
        }
        double share = listed ? item_share(scan, place, from) : 0;
        best = share > best ? share : best;
    }
    size_t severe = folded_find(&scan->folded, from, scan->folded.n, "重症");
    bool turned = severe < scan->folded.n && severe > 0 &&
                  scan->folded.chars[severe - 1] != 0x975E && is_never_severe(verifier);
    if ((best < 0.75 || turned) && from < scan->folded.n) {
        struct claim *claim = scan_claim(scan, CLAIM_DIAGNOSIS, from, scan->folded.n);
        if (claim) {
            claim_refuse(claim, "记录的诊断中没有这一项");
        }
    }
}

void check_names(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        struct mention m = scan->mentions.items[i];
        if (m.kind == MENTION_DRUG) {
            check_drug(scan, &m);
        } else if (m.kind == MENTION_DIAGNOSIS) {
            check_diagnosis(scan, &m);
        }
    }
    if (strstr(scan->field_id, "_diagnoses")) {
        check_item(scan);
    }
    check_history(scan);
    check_sex(scan);
    check_organs(scan);
    check_people(scan);
}
