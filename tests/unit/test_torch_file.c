// SPDX-License-Identifier: Apache-2.0
// PyTorch files: pickles by hand against the allow-list and the budgets, archives that lie.
#include "harness.h"

#include "base/buffer.h"
#include "format/pickle.h"
#include "format/torch_file.h"
#include "format/torch_tensors.h"

#include <stdlib.h>
#include <string.h>

struct script {
    const char *name, *bytes;
    size_t size;
    enum status status;
    const char *phrase; // of the message; NULL: it loads
};

#define SCRIPT(name, bytes, status, phrase)                                                        \
    { name, bytes, sizeof bytes - 1, status, phrase }
#define REFUSED(name, bytes, phrase) SCRIPT(name, bytes, STATUS_UNSUPPORTED, phrase)
#define BAD(name, bytes, phrase) SCRIPT(name, bytes, STATUS_BAD_INPUT, phrase)
#define GOOD(name, bytes) SCRIPT(name, bytes, STATUS_OK, NULL)

static const struct script scripts[] = {
    GOOD("none", "\x80\x02N."),
    GOOD("ints", "\x80\x02(K\x01M\x01\x02J\xff\xff\xff\xff\x8a\x00\x8a\x01\xff\x88\x89t."),
    GOOD("frame", "\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00N."),
    GOOD("list in itself", "\x80\x02]q\x00h\x00"
                           "a."),
    GOOD("memoize", "\x80\x04\x8c\x01xq\x00\x94h\x01\x86"
                    "."),
    GOOD("ordered dict", "\x80\x02"
                         "ccollections\nOrderedDict\n)R}U\x01xK\x01sb."),
    GOOD("old ordered dict", "\x80\x02"
                             "ccollections\nOrderedDict\n](]X\x01\x00\x00\x00kaK\x01"
                             "ae\x85R."),
    GOOD("dtype", "\x80\x02"
                  "ctorch\nfloat16\n."),
    GOOD("size", "\x80\x02"
                 "ctorch\nSize\nK\x02K\x03\x86\x85R."),
    REFUSED("os.system",
            "\x80\x02"
            "cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
            "global os.system is not"),
    REFUSED("builtins",
            "\x80\x02"
            "cbuiltins\neval\n.",
            "global builtins.eval is not"),
    REFUSED("__builtin__",
            "\x80\x02"
            "c__builtin__\nexec\n.",
            "global __builtin__.exec is not"),
    REFUSED("subprocess", "\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93.",
            "subprocess.Popen is not"),
    REFUSED("near miss",
            "\x80\x02"
            "ctorch._utils\n_rebuild_tensor_v22\n.",
            "_v22 is not"),
    REFUSED("dotted name",
            "\x80\x02"
            "ccollections\nOrderedDict.__init__\n.",
            "__init__ is not"),
    REFUSED("hub",
            "\x80\x02"
            "ctorch.hub\nload\n.",
            "global torch.hub.load is not"),
    REFUSED("inst", "\x80\x02(ios\nsystem\n.", "opcode INST"),
    REFUSED("obj", "\x80\x02(o.", "opcode OBJ"),
    REFUSED("newobj", "\x80\x02NN\x81.", "opcode NEWOBJ"),
    REFUSED("newobj_ex", "\x80\x04NNN\x92.", "opcode NEWOBJ_EX"),
    REFUSED("extension", "\x80\x02\x82\x01.", "opcode EXT1"),
    REFUSED("text opcode", "I1\n.", "opcode INT"),
    REFUSED("protocol 6", "\x80\x06N.", "protocol 6"),
    BAD("no opcode", "\x80\x02\xff.", "0xff is no opcode"),
    BAD("no STOP", "\x80\x02N", "ends before STOP"),
    BAD("empty", "", "ends before STOP"),
    BAD("nothing to return", "\x80\x02.", "the stack is empty"),
    BAD("under the mark", "\x80\x02N(.", "the stack is empty"),
    BAD("tuple under the mark", "\x80\x02NN(N\x87.", "the stack is empty"),
    BAD("no mark", "\x80\x02t.", "no mark"),
    BAD("append to none", "\x80\x02NNa.", "does not hold them"),
    BAD("append to tuple", "\x80\x02)Na.", "does not hold them"),
    BAD("odd dict", "\x80\x02}(Nu.", "does not hold them"),
    BAD("odd marked dict", "\x80\x02(Nd.", "key without a value"),
    BAD("memo never set", "\x80\x02h\x07.", "memo index 7"),
    BAD("memo far away", "\x80\x02Nr\xff\xff\xff\xff.", "memo index 4294967295"),
    BAD("text past the end",
        "\x80\x02X\xff\xff\xff\xff"
        "abc.",
        "ends inside"),
    BAD("long text past the end", "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "ends inside"),
    BAD("global without end",
        "\x80\x02"
        "ctorch",
        "does not end"),
    BAD("call of text", "\x80\x02U\x01x)R.", "no global"),
    BAD("arguments no tuple",
        "\x80\x02"
        "ccollections\nOrderedDict\nNR.",
        "no global"),
    BAD("dtype called",
        "\x80\x02"
        "ctorch\nfloat32\n)R.",
        "not something to call"),
    BAD("size of two",
        "\x80\x02"
        "ctorch\nSize\nNN\x86R.",
        "not something to call"),
    BAD("state for a list", "\x80\x02]}b.", "no dictionary"),
    BAD("global of numbers", "\x80\x04K\x01K\x02\x93.", "no text"),
};
enum { N_SCRIPTS = sizeof scripts / sizeof *scripts };

static enum status load(struct pickle *pickle, const void *data, size_t size, struct error *err) {
    struct pickle_input input = {.label = "x.pkl",
                                 .data = data,
                                 .size_bytes = size,
                                 .globals = torch_globals,
                                 .n_globals = torch_n_globals};
    return pickle_load(pickle, &input, err);
}

static enum test_result pickles(void) {
    for (int i = 0; i < N_SCRIPTS; i++) {
        struct pickle pickle;
        struct error err = {0};
        uint8_t *copy = malloc(scripts[i].size ? scripts[i].size : 1); // a sanitizer sees the end
        CHECK(copy);
        memcpy(copy, scripts[i].bytes, scripts[i].size);
        enum status status = load(&pickle, copy, scripts[i].size, &err);
        CHECK_MESSAGE(status == scripts[i].status, "%s: %s: %s", scripts[i].name,
                      status_name(status), err.message);
        if (scripts[i].phrase)
            CHECK_MESSAGE(strstr(err.message, scripts[i].phrase) &&
                              strstr(err.message, "x.pkl: at byte "),
                          "%s: %s", scripts[i].name, err.message);
        else
            CHECK(pickle.root && pickle.used_bytes == scripts[i].size);
        pickle_deinit(&pickle);
        free(copy);
    }
    return TEST_PASS;
}

static enum test_result values(void) {
    static const char bytes[] = "\x80\x04(K\xc8M\x10\x27J\xfe\xff\xff\xff\x8a\x02\x00\x80"
                                "G\x3f\xf8\x00\x00\x00\x00\x00\x00\x8c\x02hi"
                                "C\x01\xff\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01t.";
    struct pickle pickle;
    struct error err = {0};
    CHECK_MESSAGE(load(&pickle, bytes, sizeof bytes - 1, &err) == STATUS_OK, "%s", err.message);
    const struct pickle_value *root = pickle.root;
    CHECK(root->kind == PICKLE_TUPLE && root->as.list.n == 8);
    struct pickle_value **items = root->as.list.items;
    CHECK(items[0]->as.integer == 200 && items[1]->as.integer == 10000);
    CHECK(items[2]->as.integer == -2 && items[3]->as.integer == -32768);
    CHECK(items[4]->kind == PICKLE_FLOAT && items[4]->as.real == 1.5);
    CHECK(pickle_text_is(items[5], "hi") && items[6]->kind == PICKLE_BYTES);
    CHECK(items[7]->kind == PICKLE_BIG);
    pickle_deinit(&pickle);
    return TEST_PASS;
}

// `head`, then `unit` n times, then `tail`.
static enum status load_repeated(const char *head, const char *unit, size_t unit_bytes, size_t n,
                                 const char *tail, struct error *err) {
    struct buffer bytes;
    struct pickle pickle;
    buffer_init(&bytes, 64 << 20);
    buffer_append_text(&bytes, head);
    for (size_t i = 0; i < n; i++)
        buffer_append(&bytes, unit, unit_bytes);
    buffer_append_text(&bytes, tail);
    enum status status = load(&pickle, bytes.data, bytes.size_bytes, err);
    pickle_deinit(&pickle);
    buffer_deinit(&bytes);
    return status;
}

// Deep, wide and repetitive pickles end in a refusal, not in a stack or memory overflow.
static enum test_result budgets(void) {
    struct error err = {0};
    CHECK(load_repeated("\x80\x02", "]", 1, 100000, ".", &err) == STATUS_OK);
    CHECK(load_repeated("\x80\x02]", "\x85", 1, 1000000, ".", &err) == STATUS_OK);
    CHECK(load_repeated("\x80\x02", "(", 1, 2000, ".", &err) == STATUS_BAD_INPUT);
    CHECK(strstr(err.message, "open marks"));
    CHECK(load_repeated("\x80\x02", "N", 1, 2000000, ".", &err) == STATUS_BAD_INPUT);
    CHECK(strstr(err.message, "a stack of more"));
    CHECK(load_repeated("\x80\x02", "N0", 2, 3000000, "N.", &err) == STATUS_BAD_INPUT);
    CHECK(strstr(err.message, "values"));
    // 100 pairs copied by each of 100000 calls of OrderedDict.
    struct buffer head;
    buffer_init(&head, 1 << 20);
    buffer_append_text(&head, "\x80\x02"
                              "ccollections\nOrderedDict\nq\x01]");
    for (int i = 0; i < 100; i++)
        buffer_append_text(&head, "NN\x86"
                                  "a");
    buffer_append_text(&head, "\x85q\x02");
    CHECK(load_repeated(head.data, "h\1h\2R0", 6, 100000, ".", &err) == STATUS_BAD_INPUT);
    CHECK(strstr(err.message, "values"));
    buffer_deinit(&head);
    return TEST_PASS;
}

static uint8_t *read_golden(const char *name, size_t *size) {
    char path[1024], relative[256];
    snprintf(relative, sizeof relative, "tests/golden/formats/%s", name);
    FILE *file = harness_repo_path(relative, path, sizeof path) ? fopen(path, "rb") : NULL;
    uint8_t *data = malloc(65536);
    *size = file && data ? fread(data, 1, 65536, file) : 0;
    if (file) fclose(file);
    uint8_t *exact = *size ? realloc(data, *size) : NULL;
    if (!exact) free(data);
    return exact;
}

static enum test_result truncation(void) {
    static const char *const names[] = {"zip.pth", "deflated.pth", "legacy.pth"};
    for (int i = 0; i < 3; i++) {
        size_t size;
        uint8_t *data = read_golden(names[i], &size);
        CHECK(data);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 300) {
            struct torch_file *file;
            struct error err = {0};
            uint8_t *copy = malloc(cut ? cut : 1);
            CHECK(copy);
            memcpy(copy, data, cut);
            enum status status = torch_file_open_memory(&file, "cut.pth", copy, cut, &err);
            CHECK_MESSAGE(status == STATUS_BAD_INPUT && strstr(err.message, "cut.pth: "),
                          "%s cut to %zu: %s", names[i], cut, err.message);
            free(copy);
        }
        free(data);
    }
    return TEST_PASS;
}

static uint8_t *find(uint8_t *data, size_t size, const char *bytes, size_t n) {
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(data + i, bytes, n) == 0) return data + i;
    return NULL;
}

struct zip_damage {
    const char *name, *where; // the signature of the record to damage
    size_t offset;            // of the damaged bytes in it
    uint32_t value;
    int n_bytes;
    const char *phrase;
};

static const struct zip_damage zip_damages[] = {
    {"local offset", "PK\1\2", 42, 0xfffffff0, 4, "a local header is not"},
    {"packed size", "PK\1\2", 20, 0x7fffffff, 4, "stored entry with two sizes"},
    {"two sizes", "PK\1\2", 24, 12345, 4, "stored entry with two sizes"},
    {"method", "PK\1\2", 10, 12, 2, "compression method 12"},
    {"encrypted", "PK\1\2", 8, 1, 2, "encrypted"},
    {"name", "PK\1\2", 46, 'x', 1, "differ in a name"},
    {"local name length", "PK\3\4", 26, 60000, 2, "reaches into the central directory"},
    {"local method", "PK\3\4", 8, 8, 2, "differ in the method"},
    {"name length", "PK\1\2", 28, 65000, 2, "ends inside an entry"},
    {"directory offset", "PK\5\6", 16, 0x7ffffff0, 4, "outside the file"},
    {"directory size", "PK\5\6", 12, 0x7ffffff0, 4, "outside the file"},
    {"entries", "PK\5\6", 10, 60000, 2, "more entries"},
    {"one entry", "PK\5\6", 10, 1, 2, "no entry data/"},
    {"no entries", "PK\5\6", 10, 0, 2, "without data.pkl"},
    {"disks", "PK\5\6", 4, 1, 2, "several volumes"},
    {"comment", "PK\5\6", 20, 1, 2, "no end record"},
};

static enum test_result archives(void) {
    for (size_t i = 0; i < sizeof zip_damages / sizeof *zip_damages; i++) {
        const struct zip_damage *damage = &zip_damages[i];
        struct torch_file *file;
        struct error err = {0};
        size_t size;
        uint8_t *data = read_golden("zip.pth", &size);
        CHECK(data);
        uint8_t *at = find(data, size, damage->where, 4);
        CHECK(at);
        // The golden archive ends with 64-bit records that would answer for the plain ones.
        uint8_t *end64 = find(data, size, "PK\6\7", 4);
        if (end64 && damage->where[2] == 5) memset(end64, 0, 4);
        memcpy(at + damage->offset, &damage->value, (size_t)damage->n_bytes);
        enum status status = torch_file_open_memory(&file, "bad.pth", data, size, &err);
        CHECK_MESSAGE(status != STATUS_OK && strstr(err.message, damage->phrase), "%s: %s",
                      damage->name, err.message);
        free(data);
    }
    return TEST_PASS;
}

// An entry that claims to unpack to more than deflate can make of it.
static enum test_result bomb(void) {
    struct torch_file *file;
    struct error err = {0};
    size_t size;
    uint32_t huge = 0x7fffffff;
    uint8_t *data = read_golden("deflated.pth", &size);
    CHECK(data);
    uint8_t *at = find(data, size, "PK\1\2", 4);
    CHECK(at);
    memcpy(at + 24, &huge, 4);
    CHECK(torch_file_open_memory(&file, "bomb.pth", data, size, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "impossible size"), "%s", err.message);
    free(data);
    return TEST_PASS;
}

// Flips one byte of a packed storage: the CRC must notice when it is read.
static enum test_result packed_damage(void) {
    struct torch_file *file;
    struct error err = {0};
    size_t size;
    uint8_t *data = read_golden("deflated.pth", &size);
    CHECK(data);
    uint8_t *at = find(data, size, "zip/data/0", 10);
    CHECK(at);
    at[10 + 4] ^= 0x10;
    if (torch_file_open_memory(&file, "flip.pth", data, size, &err) == STATUS_OK) {
        uint8_t bytes[256];
        CHECK(torch_file_tensor_at(file, 0)->size_bytes <= sizeof bytes);
        CHECK(torch_file_read(file, 0, bytes, &err) == STATUS_BAD_INPUT);
        torch_file_close(file);
    }
    CHECK_MESSAGE(strstr(err.message, "flip.pth: at byte "), "%s", err.message);
    free(data);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"pickles", "opcodes and globals, allowed and refused by name", pickles},
    {"values", "numbers and texts come out right", values},
    {"budgets", "deep, wide and repetitive pickles", budgets},
    {"truncation", "prefixes of real files are refused", truncation},
    {"archives", "zip records that lie", archives},
    {"bomb", "an impossible compression ratio", bomb},
    {"packed_damage", "a damaged packed storage", packed_damage},
};

int main(int argc, char **argv) {
    return harness_main("torch_file", tests, sizeof tests / sizeof *tests, argc, argv);
}
