// SPDX-License-Identifier: Apache-2.0
// Grammars over bytes and masks over tokens: what GBNF derives, what it refuses and where, and that
// a mask, remembered or not, says exactly which tokens will be accepted.
#include "harness.h"

#include "grammar/grammar_gbnf.h"
#include "grammar/grammar_matcher.h"
#include "grammar/grammar_schema.h"
#include "sampler/random_stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// 256 bytes, and longer texts that end and begin in the middle of things.
static const char *const words[] = {"ab",
                                    "abc",
                                    "aa",
                                    "aaaa",
                                    "aaaaaaaaaaaaaaaa",
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                    "\",",
                                    "\":",
                                    "\": \"",
                                    "\",\"",
                                    "{\"",
                                    "\"}",
                                    "}]",
                                    "]]",
                                    "[[",
                                    "[]",
                                    "]]]]",
                                    "[[[[",
                                    "}}",
                                    "},{",
                                    "\n  ",
                                    "\n    \"",
                                    " ",
                                    "  ",
                                    "12",
                                    "123",
                                    "1234567890123456789012345678901234567890",
                                    "true",
                                    "null",
                                    "\xe6\x9d",
                                    "\x8f\xe6\x9e",
                                    "\x97",
                                    "\xe6\x9d\x8f",
                                    "\xe6\x9e\x97",
                                    "\xf0\x9f",
                                    "\x98\x80",
                                    "\\n",
                                    "\\u00",
                                    "\\",
                                    "\"a",
                                    "a\"",
                                    "<",
                                    "</",
                                    "think>",
                                    "</think>",
                                    "</think>\n",
                                    "k>\n{",
                                    "x</",
                                    ">ab",
                                    "\xc3",
                                    "\xa9,",
                                    "(((",
                                    ")))",
                                    "0,",
                                    ", 1"};
enum { N_WORDS = sizeof words / sizeof *words, N_TOKENS = 256 + N_WORDS, MASK_WORDS = 8 };
_Static_assert(N_TOKENS <= MASK_WORDS * 64, "masks hold all tokens");

static char bytes[256];
static struct token_tries tries;

static const char *token_bytes(int token, size_t *size_bytes) {
    *size_bytes = token < 256 ? 1 : strlen(words[token - 256]);
    return token < 256 ? &bytes[token] : words[token - 256];
}

static bool make_tries(void) {
    struct token_text shorts[N_TOKENS], longs[N_TOKENS];
    size_t n_shorts = 0, n_longs = 0;
    struct error err;
    if (tries.n_tokens) return true;
    tries = (struct token_tries){.short_bytes_max = 8, .n_tokens = N_TOKENS};
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (int i = 0; i < N_TOKENS; i++) {
        size_t size_bytes;
        const char *text = token_bytes(i, &size_bytes);
        struct token_text item = {text, (uint32_t)size_bytes, i};
        if (size_bytes <= tries.short_bytes_max)
            shorts[n_shorts++] = item;
        else
            longs[n_longs++] = item;
    }
    return token_trie_init(&tries.shorts, shorts, n_shorts, &err) == STATUS_OK &&
           token_trie_init(&tries.longs, longs, n_longs, &err) == STATUS_OK;
}

// A matcher of GBNF, or of a JSON Schema if the text begins with {. NULL: *err says why.
static struct grammar_matcher *compile(const char *text, struct error *err) {
    struct grammar_program *program;
    struct grammar_matcher *matcher;
    if (!make_tries()) return NULL;
    enum status status = *text == '{' ? grammar_from_schema(&program, text, strlen(text), err)
                                      : grammar_from_gbnf(&program, text, strlen(text), err);
    if (status != STATUS_OK) return NULL;
    if (grammar_matcher_create(&matcher, program, &tries, err) != STATUS_OK) return NULL;
    return matcher;
}

// How far a text is taken, byte by byte; n + 1: all of it, and it is complete.
static size_t taken(struct grammar_matcher *matcher, const char *text, size_t n) {
    struct grammar_place place = {0};
    struct error err;
    size_t i = 0;
    if (grammar_matcher_begin(matcher, &place, false, &err) != STATUS_OK) return SIZE_MAX;
    while (i < n && grammar_matcher_accept(matcher, &place, text + i, 1, &err) == STATUS_OK)
        i++;
    if (i == n && place.is_complete) i++;
    grammar_place_deinit(&place);
    return i;
}

static bool derives(struct grammar_matcher *matcher, const char *text) {
    return taken(matcher, text, strlen(text)) == strlen(text) + 1;
}

static enum test_result test_notation(void) {
    static const struct {
        const char *grammar, *good[4], *bad[4];
    } cases[] = {
        {"root ::= \"a\" \"b\"", {"ab"}, {"a", "b", "abb", ""}},
        {"root ::= \"a\" | \"b\" | \"\"", {"a", "b", ""}, {"ab", "c"}},
        {"root ::= (\"a\" | \"b\" \"c\")+ \"!\"", {"a!", "bca!"}, {"!", "b!", "ab!"}},
        {"root ::= [a-c]{2,3}", {"ab", "abc"}, {"a", "abca", "ad"}},
        {"root ::= [a-c]{2}", {"ab"}, {"a", "abc"}},
        {"root ::= [a-c]{2,}", {"ab", "abcabcabc"}, {"a"}},
        {"root ::= \"ab\"{0,2} \"c\"?", {"", "ab", "ababc"}, {"ababab", "cc"}},
        {"root ::= [^a-z\"\\n]*", {"", "A1\xe6\x9d\x8f"}, {"a", "\"", "A\n", "\xe6\x9d"}},
        {"root ::= .", {"a", "\xe6\x9d\x8f", "\xf0\x9f\x98\x80"}, {"", "ab", "\xff"}},
        {"root ::= [\xe6\x9d\x8f-\xe6\x9e\x97] \"\\u6797\"", {"\xe6\x9d\x8f\xe6\x9e\x97"}, {"a"}},
        {"root ::= \"\\x41\\U0001F600\\t\\\"\\\\\" [\\]\\[^-]",
         {"A\xf0\x9f\x98\x80\t\"\\]"},
         {"A"}},
        {"root ::= item (\",\" item)*\nitem ::= [0-9]+ # digits\n", {"1", "1,22"}, {"1,", ","}},
        {"# first\nroot ::= a\n  | b\n\na ::= \"x\"\nb ::=\n  \"y\"\n", {"x", "y"}, {"xy"}},
        {"root ::= \"(\" root \")\" | \"\"", {"", "(())"}, {"(", "())"}},
        {"root ::= x \"b\"\nx ::= \"a\" x | \"\"", {"b", "aaab"}, {"a", "ba"}},
        {"root ::= ((\"a\"?){3,5}){2,} \"b\"", {"b", "aaaaaaaaaaaaab"}, {"aaa"}},
        {"root ::= (\"a\"{1,2} \",\"){2,3}", {"a,aa,", "a,a,a,"}, {"a,", "aaa,a,", "a,a,a,a,"}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct grammar_matcher *matcher = compile(cases[i].grammar, &err);
        CHECK_MESSAGE(matcher, "%s: %s", cases[i].grammar, err.message);
        for (int k = 0; k < 4; k++) {
            const char *good = cases[i].good[k], *bad = cases[i].bad[k];
            CHECK_MESSAGE(!good || derives(matcher, good), "%s: %s", cases[i].grammar, good);
            CHECK_MESSAGE(!bad || !derives(matcher, bad), "%s: not %s", cases[i].grammar, bad);
        }
        grammar_matcher_destroy(matcher);
    }
    return TEST_PASS;
}

static enum test_result test_refusals(void) {
    static const struct {
        const char *grammar, *message;
    } cases[] = {{"", "no rule \"root\""},
                 {"rot ::= \"a\"", "no rule \"root\""},
                 {"root ::= foo", "line 1: no rule \"foo\""},
                 {"root ::= \"a\"\n\nb ::= c", "line 3: no rule \"c\""},
                 {"root ::= root \"a\" | \"b\"", "\"root\": begins with itself"},
                 {"root ::= a\na ::= \"\" b\nb ::= \"x\"? a \"y\" | \"z\"", "begins with itself"},
                 {"root ::= \"a\" root", "no text satisfies it"},
                 {"root ::= \"a", "line 1: a text without its end"},
                 {"root ::= [a", "without"},
                 {"root ::= []", "empty class"},
                 {"root ::= [z-a]", "range"},
                 {"root ::= (\"a\"\n\n", "line 1: a ( without its )"},
                 {"root ::= \"a\")", "a ) without its ("},
                 {"root ::= *", "a repetition of nothing"},
                 {"root ::= \"a\"{3,2}", "more than its maximum"},
                 {"root ::= \"a\"{2", "without }"},
                 {"root ::= \"a\"{99999999}", "a million"},
                 {"root ::= \"\\q\"", "unknown escape"},
                 {"root ::= \"\\xZZ\"", "hexadecimal"},
                 {"root ::= \"\\ud800\"", "no character"},
                 {"root ::= \"\xff\"", "malformed UTF-8"},
                 {"root ::= \"a\"\nroot ::= \"b\"", "line 2: this rule is defined twice"},
                 {"root = \"a\"", "::= expected"},
                 {"::= \"a\"", "a rule begins with its name"},
                 {"root ::= <think>", "unexpected character"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct grammar_matcher *matcher = compile(cases[i].grammar, &err);
        CHECK_MESSAGE(!matcher && strstr(err.message, cases[i].message), "%s: %s", cases[i].grammar,
                      err.message);
    }
    return TEST_PASS;
}

static char *repeated(const char *before, const char *part, size_t n, const char *after) {
    size_t part_bytes = strlen(part), at = strlen(before);
    char *text = malloc(at + n * part_bytes + strlen(after) + 1);
    if (!text) return NULL;
    memcpy(text, before, at);
    for (size_t i = 0; i < n; i++, at += part_bytes)
        memcpy(text + at, part, part_bytes);
    memcpy(text + at, after, strlen(after) + 1);
    return text;
}

// A million of anything ends with an error, not with the stack.
static enum test_result test_depths(void) {
    static const struct {
        const char *before, *part, *after;
        size_t n;
    } cases[] = {{"root ::= ", "(", "", 1000000},
                 {"root ::= ", "(\"a\" ", "", 200000},
                 {"root ::= ", "\"a\"? ", "", 200000},
                 {"root ::= \"x\"", "\n", ")", 1000000},
                 {"{\"a\":", "[", "", 1000000},
                 {"", "{\"not\":", "", 1000000},
                 {"", "{\"items\":", "{}", 140000},
                 {"{\"type\":\"string\",\"pattern\":\"", "(", "\"}", 900000},
                 {"{\"$ref\":\"#", "/a", "\"}", 500000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *text = repeated(cases[i].before, cases[i].part, cases[i].n, cases[i].after);
        CHECK(text);
        struct grammar_matcher *matcher = compile(text, &err);
        free(text);
        CHECK_MESSAGE(!matcher && err.message[0], "case %zu", i);
    }
    // As deep as JSON may be.
    struct error err = {0};
    char *text = repeated("", "{\"items\":", 2000, "{}"), *whole;
    whole = repeated(text, "}", 2000, "");
    struct grammar_matcher *matcher = compile(whole, &err);
    CHECK_MESSAGE(matcher, "%s", err.message);
    grammar_matcher_destroy(matcher);
    free(text);
    free(whole);
    return TEST_PASS;
}

// Goes on by random allowed tokens and compares the mask with what is accepted, token by token.
static enum test_result walk(const char *grammar, uint64_t seed, int n_steps) {
    struct error err = {0};
    struct random_stream random;
    struct grammar_matcher *matcher = compile(grammar, &err);
    struct grammar_place place = {0}, next = {0};
    CHECK_MESSAGE(matcher, "%s: %s", grammar, err.message);
    random_stream_init(&random, seed);
    CHECK(grammar_matcher_begin(matcher, &place, false, &err) == STATUS_OK);
    for (int step = 0; step < n_steps && place.is_open; step++) {
        uint64_t mask[MASK_WORDS];
        int allowed[N_TOKENS], n_allowed = 0;
        CHECK_MESSAGE(grammar_matcher_mask(matcher, &place, mask, &err) == STATUS_OK, "%s: %s",
                      grammar, err.message);
        for (int token = 0; token < N_TOKENS; token++) {
            size_t size_bytes;
            const char *text = token_bytes(token, &size_bytes);
            CHECK(grammar_place_copy(&next, &place));
            bool accepted =
                grammar_matcher_accept(matcher, &next, text, size_bytes, &err) == STATUS_OK;
            CHECK_MESSAGE(accepted == ((mask[token >> 6] >> (token & 63) & 1) != 0),
                          "%s, seed %llu, step %d, token %d: accepted %d", grammar,
                          (unsigned long long)seed, step, token, accepted);
            if (accepted) allowed[n_allowed++] = token;
        }
        CHECK(n_allowed > 0);
        size_t size_bytes;
        int token = allowed[random_stream_next(&random) % (uint64_t)n_allowed];
        const char *text = token_bytes(token, &size_bytes);
        CHECK(grammar_matcher_accept(matcher, &place, text, size_bytes, &err) == STATUS_OK);
    }
    grammar_place_deinit(&place);
    grammar_place_deinit(&next);
    grammar_matcher_destroy(matcher);
    return TEST_PASS;
}

static enum test_result test_masks(void) {
    static const char *const grammars[] = {
        "root ::= [a-z]{0,60} \",\" [a-z]{30,60} \"!\"",
        "root ::= (\"a\"{1,3} \",\"?){5,40}",
        "root ::= list\nlist ::= \"[\" (list (\",\" list)*)? \"]\"",
        "root ::= .{3,50}",
        "root ::= (\"a\" | \"ab\" | \"abc\" | \"b\" | \"bc\")* \"!\"",
        "root ::= x{2,9} x{2,9}\nx ::= \"(\"+ x? \")\"+ | [0-9]",
        "root ::= \"(\" root \")\" | ([0-9]{1,3} \",\"){0,1000} \"x\"",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":20},\"b\":"
        "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":30}},"
        "\"additionalProperties\":{\"type\":\"boolean\"}}",
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}",
        "{}",
        "{\"type\":\"string\",\"pattern\":\"a+b|c{2,7}\"}"};
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            enum test_result result = walk(grammars[i], seed, 60);
            if (result != TEST_PASS) return result;
        }
    return TEST_PASS;
}

// Deeper than stacks may be: what is refused is refused in time, and the rest goes on.
static enum test_result test_deep_text(void) {
    struct error err = {0};
    struct grammar_matcher *matcher =
        compile("{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}", &err);
    struct grammar_place place = {0};
    int depth = 0;
    uint64_t mask[MASK_WORDS];
    CHECK(matcher && grammar_matcher_begin(matcher, &place, false, &err) == STATUS_OK);
    for (; depth < 100000; depth++) {
        CHECK(grammar_matcher_mask(matcher, &place, mask, &err) == STATUS_OK);
        bool offered = (mask['[' >> 6] >> ('[' & 63) & 1) != 0;
        bool accepted = grammar_matcher_accept(matcher, &place, "[", 1, &err) == STATUS_OK;
        CHECK(offered == accepted);
        if (!accepted) break;
    }
    CHECK(depth > 200 && depth < 5000);
    for (int i = 0; i < depth; i++)
        CHECK(grammar_matcher_accept(matcher, &place, "]", 1, &err) == STATUS_OK);
    CHECK(place.is_complete && !place.is_open);
    grammar_place_deinit(&place);
    grammar_matcher_destroy(matcher);
    return TEST_PASS;
}

// Counters and far stacks do not make new masks.
static enum test_result test_masks_are_remembered(void) {
    struct error err = {0};
    struct grammar_matcher_counts counts;
    struct grammar_matcher *matcher = compile("root ::= ([a-z]{0,2000} \",\"){0,2000}", &err);
    struct grammar_place place = {0};
    uint64_t mask[MASK_WORDS];
    CHECK(matcher && grammar_matcher_begin(matcher, &place, false, &err) == STATUS_OK);
    for (int i = 0; i < 5000; i++) {
        CHECK(grammar_matcher_mask(matcher, &place, mask, &err) == STATUS_OK);
        CHECK(grammar_matcher_accept(matcher, &place, i % 100 == 99 ? "," : "x", 1, &err) ==
              STATUS_OK);
    }
    grammar_matcher_describe(matcher, &counts);
    CHECK_MESSAGE(counts.n_masks == 5000 && counts.n_computed < 40, "%llu computed",
                  (unsigned long long)counts.n_computed);
    grammar_place_deinit(&place);
    grammar_matcher_destroy(matcher);
    return TEST_PASS;
}

static bool is_offered(const uint64_t *mask, const char *word) {
    for (int token = 0; token < N_TOKENS; token++) {
        size_t size_bytes;
        const char *text = token_bytes(token, &size_bytes);
        if (size_bytes == strlen(word) && memcmp(text, word, size_bytes) == 0)
            return (mask[token >> 6] >> (token & 63) & 1) != 0;
    }
    return false;
}

// Before the begin text everything may come, but not what ends it and then does not fit.
static enum test_result test_begin_text(void) {
    struct error err = {0};
    struct grammar_matcher *matcher = compile("{\"type\":\"object\"}", &err);
    struct begin_text begin;
    uint64_t mask[MASK_WORDS];
    CHECK(matcher && begin_text_init(&begin, "</think>"));
    CHECK(!begin_text_init(&(struct begin_text){.size_bytes = 0}, ""));
    CHECK(grammar_matcher_begin_mask(matcher, &begin, 0, mask, &err) == STATUS_OK);
    CHECK(is_offered(mask, "abc") && is_offered(mask, "</think>") && is_offered(mask, "</"));
    CHECK(is_offered(mask, "</think>\n") && is_offered(mask, ">ab"));
    CHECK(grammar_matcher_begin_mask(matcher, &begin, 7, mask, &err) == STATUS_OK);
    CHECK(is_offered(mask, ">") && !is_offered(mask, ">ab") && is_offered(mask, "abc"));
    CHECK(grammar_matcher_begin_mask(matcher, &begin, 6, mask, &err) == STATUS_OK);
    CHECK(is_offered(mask, "k>\n{"));
    uint32_t n = 0;
    for (const char *c = "a<</</thi</think"; *c; c++)
        n = begin_text_step(&begin, n, (uint8_t)*c);
    CHECK(n == 7);
    // Behind it a little white space may come first.
    struct grammar_place place = {0};
    CHECK(grammar_matcher_begin(matcher, &place, true, &err) == STATUS_OK);
    CHECK(grammar_matcher_accept(matcher, &place, "\n\n{}", 4, &err) == STATUS_OK);
    CHECK(place.is_complete);
    grammar_place_deinit(&place);
    grammar_matcher_destroy(matcher);
    return TEST_PASS;
}

// Too many ways at once: an error that says so, the same every time.
static enum test_result test_ambiguity(void) {
    struct error err = {0};
    char text[2000] = "root ::= r0\n";
    for (int i = 0; i < 30; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "r%d ::= r%d r%d | \"x\"?\n", i,
                 i + 1, i + 1);
    snprintf(text + strlen(text), sizeof text - strlen(text), "r30 ::= \"y\"?\n");
    struct grammar_matcher *matcher = compile(text, &err);
    struct grammar_place place = {0};
    CHECK_MESSAGE(matcher, "%s", err.message);
    for (int i = 0; i < 2; i++) {
        CHECK(grammar_matcher_begin(matcher, &place, false, &err) == STATUS_UNSUPPORTED);
        CHECK(strstr(err.message, "ambiguous"));
    }
    grammar_place_deinit(&place);
    grammar_matcher_destroy(matcher);
    return TEST_PASS;
}

static void *walk_in_thread(void *user) {
    struct grammar_matcher *matcher = user;
    struct grammar_place place = {0};
    struct error err;
    uint64_t mask[MASK_WORDS];
    bool good = grammar_matcher_begin(matcher, &place, false, &err) == STATUS_OK;
    for (int i = 0; i < 300 && good; i++) {
        good = grammar_matcher_mask(matcher, &place, mask, &err) == STATUS_OK &&
               is_offered(mask, "ab");
        good = good && grammar_matcher_accept(matcher, &place, "ab", 2, &err) == STATUS_OK;
    }
    grammar_place_deinit(&place);
    return good ? user : NULL;
}

static enum test_result test_threads(void) {
    struct error err = {0};
    struct grammar_matcher *matcher = compile("root ::= ([a-z]{2} [a-z]{0,3}){1,5000} \"!\"", &err);
    pthread_t threads[4];
    bool good = matcher != NULL;
    CHECK_MESSAGE(good, "%s", err.message);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, walk_in_thread, matcher) == 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        good = good && result;
    }
    grammar_matcher_destroy(matcher);
    CHECK(good);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"notation", "GBNF as it is written", test_notation},
    {"refusals", "mistakes are named with their line", test_refusals},
    {"depths", "a million levels of anything", test_depths},
    {"masks", "masks are what is accepted", test_masks},
    {"deep_text", "texts deeper than stacks may be", test_deep_text},
    {"remembered", "counters and stacks share masks", test_masks_are_remembered},
    {"begin_text", "a grammar that binds later", test_begin_text},
    {"ambiguity", "limits of live states", test_ambiguity},
    {"threads", "one grammar, many threads", test_threads},
};

int main(int argc, char **argv) {
    return harness_main("grammar", tests, sizeof tests / sizeof *tests, argc, argv);
}
