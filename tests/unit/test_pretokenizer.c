// SPDX-License-Identifier: Apache-2.0
// Splitting: the five behaviours, nested character classes, spelled bytes, normal forms.
#include "base/buffer.h"
#include "harness.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"

#include <string.h>

static enum status append_piece(void *context, const char *piece, size_t piece_bytes,
                                struct error *err) {
    struct buffer *out = context;
    (void)err;
    buffer_append(out, "|", 1);
    return buffer_append(out, piece, piece_bytes);
}

// The pieces of text, each after a bar.
static bool gives(struct pretokenizer *pretokenizer, const char *text, const char *expected) {
    struct split_scratch *scratch = NULL;
    struct buffer out;
    struct error err = {0};
    buffer_init(&out, 1 << 16);
    enum status status = pretokenizer_run(pretokenizer, &scratch, text, strlen(text), true,
                                          append_piece, &out, &err);
    bool same = status == STATUS_OK && strcmp(out.data == NULL ? "" : out.data, expected) == 0;
    if (!same) printf("    \"%s\" gives %s %s\n", text, out.data, err.message);
    split_scratch_destroy(scratch);
    buffer_deinit(&out);
    return same;
}

static enum test_result test_behaviors(void) {
    static const struct {
        enum split_behavior behavior;
        bool invert;
        const char *expected;
    } cases[] = {{SPLIT_ISOLATED, false, "|the|-|final|-|-|countdown|-"},
                 {SPLIT_REMOVED, false, "|the|final|countdown"},
                 {SPLIT_REMOVED, true, "|-|-|-|-"},
                 {SPLIT_CONTIGUOUS, false, "|the|-|final|--|countdown|-"},
                 {SPLIT_MERGED_WITH_PREVIOUS, false, "|the-|final-|-|countdown-"},
                 {SPLIT_MERGED_WITH_NEXT, false, "|the|-final|-|-countdown|-"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pretokenizer pretokenizer = {.n_steps = 0};
        struct error err = {0};
        CHECK(pretokenizer_add_split(&pretokenizer, "-", 1, true, cases[i].behavior,
                                     cases[i].invert, &err) == STATUS_OK);
        CHECK(gives(&pretokenizer, "the-final--countdown-", cases[i].expected));
        pretokenizer_deinit(&pretokenizer);
    }
    return TEST_PASS;
}

static bool splits(const char *pattern, const char *text, const char *expected) {
    struct pretokenizer pretokenizer = {.n_steps = 0};
    struct error err = {0};
    if (pretokenizer_add_split(&pretokenizer, pattern, strlen(pattern), false, SPLIT_ISOLATED,
                               false, &err) != STATUS_OK) {
        printf("    %s: %s\n", pattern, err.message);
        return false;
    }
    bool same = gives(&pretokenizer, text, expected);
    pretokenizer_deinit(&pretokenizer);
    return same;
}

static enum test_result test_dialect(void) {
    CHECK(splits(" ?[^(\\s|[.,!?])]+", "ab cd.e", "|ab| cd|.|e")); // a class within a class
    CHECK(splits("[\\w]+",
                 "a\xcc\x81"
                 "b c",
                 "|a\xcc\x81"
                 "b| |c")); // marks are of words
    CHECK(splits("\\s",
                 "a\xe1\xa0\x8e"
                 "b",
                 "|a\xe1\xa0\x8e"
                 "b"));                                             // U+180E is no space
    CHECK(splits("(?=(\\d{3})+(?!\\d))", "1234567", "|1|234|567")); // empty matches
    CHECK(splits("[[:alpha:]]+", "ab1", "|ab|1"));
    CHECK(splits("\\s+$", "a  ", "|a|  "));
    CHECK(splits("\xe4\xb8\xad+", "\xff\xe4\xb8\xad\xfe", "|\xff|\xe4\xb8\xad|\xfe"));
    return TEST_PASS;
}

static enum test_result test_byte_level(void) {
    struct pretokenizer pretokenizer = {.n_steps = 0};
    struct error err = {0};
    const struct pretokenizer_step spell = {.kind = PRETOKENIZER_BYTE_LEVEL,
                                            .add_prefix_space = true};
    CHECK(pretokenizer_add_step(&pretokenizer, &spell, &err) == STATUS_OK);
    // Spelled, U+00B2 ends in the character of byte B2, which is a number.
    CHECK(pretokenizer_add_split(&pretokenizer, "\\p{N}", 5, false, SPLIT_ISOLATED, false, &err) ==
          STATUS_OK);
    CHECK(gives(&pretokenizer, "a\xc2\xb2", "| a\xc2|\xb2"));
    pretokenizer_deinit(&pretokenizer);
    return TEST_PASS;
}

static enum test_result test_metaspace(void) {
    struct pretokenizer pretokenizer = {.n_steps = 0};
    struct error err = {0};
    struct pretokenizer_step step = {
        .kind = PRETOKENIZER_METASPACE, .prepend = METASPACE_FIRST, .split = true, .mark = "_"};
    CHECK(pretokenizer_add_step(&pretokenizer, &step, &err) == STATUS_OK);
    CHECK(gives(&pretokenizer, "ab  c", "|_ab|_|_c"));
    CHECK(gives(&pretokenizer, " ab", "|_ab"));
    CHECK(gives(&pretokenizer, "", ""));
    pretokenizer_deinit(&pretokenizer);
    return TEST_PASS;
}

static bool normalizes(struct normalizer_step step, const char *text, const char *expected) {
    struct normalizer normalizer = {.n_steps = 0};
    struct split_scratch *scratch = NULL;
    struct buffer out;
    struct error err = {0};
    buffer_init(&out, 1 << 16);
    bool same =
        normalizer_add(&normalizer, &step, &err) == STATUS_OK &&
        normalizer_run(&normalizer, &scratch, text, strlen(text), &out, &err) == STATUS_OK &&
        strcmp(out.data == NULL ? "" : out.data, expected) == 0;
    if (!same) printf("    \"%s\" becomes \"%s\"\n", text, out.data);
    buffer_deinit(&out);
    split_scratch_destroy(scratch);
    normalizer_deinit(&normalizer);
    return same;
}

static enum test_result test_normalizers(void) {
    struct normalizer_step nfc = {.kind = NORMALIZER_NFC}, lower = {.kind = NORMALIZER_LOWERCASE};
    struct normalizer_step strip = {.kind = NORMALIZER_STRIP, .left = true};
    struct normalizer_step pieces = {.kind = NORMALIZER_SENTENCEPIECE,
                                     .remove_extra_whitespaces = true,
                                     .add_space_prefix = true,
                                     .escape = true};
    CHECK(normalizes(nfc, "xe\xcc\x81", "x\xc3\xa9"));
    CHECK(normalizes(nfc, "e\xff\xcc\x81", "e\xff\xcc\x81"));
    CHECK(normalizes(lower, "A\xc4\xb0\xce\xa3", "ai\xcc\x87\xcf\x83"));
    CHECK(normalizes(strip, " \xe3\x80\x80 a ", "a "));
    CHECK(normalizes(strip, "   ", ""));
    CHECK(normalizes(pieces, "  a  b ",
                     "\xe2\x96\x81"
                     "a\xe2\x96\x81"
                     "b"));
    CHECK(normalizes(pieces, "   ", ""));
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"behaviors", "what happens to matches", test_behaviors},
        {"dialect", "where regular expressions differ from PCRE2's", test_dialect},
        {"byte_level", "a step after the bytes were spelled", test_byte_level},
        {"metaspace", "marked spaces", test_metaspace},
        {"normalizers", "forms, case, spaces", test_normalizers},
    };
    return harness_main("pretokenizer", tests, sizeof tests / sizeof tests[0], argc, argv);
}
