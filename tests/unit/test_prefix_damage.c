// SPDX-License-Identifier: Apache-2.0
// The prefix store against everything that can happen to its files: each byte changed, each length,
// files under other names, kill -9 while writing, a full disk. Never a wrong page.
#include "cache/prefix_cipher.h"
#include "harness.h"
#include "prefix_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TOKENS_MAX = FIXTURE_PAGES_MAX * PREFIX_PAGE_TOKENS };

// One file with two small pages, in memory and on disk.
struct victim {
    struct prefix_fixture fixture;
    int32_t tokens[TOKENS_MAX];
    char path[600];
    unsigned char *data;
    size_t size_bytes;
};

static bool victim_init(struct victim *victim, const char *name) {
    struct prefix_fixture *fixture = &victim->fixture;
    fixture_tokens(3, 0, 2, victim->tokens);
    if (!fixture_init(fixture, name, 40) || !fixture_open(fixture)) return false;
    bool ok = fixture_save(fixture, victim->tokens, 2, NULL) == STATUS_OK &&
              fixture_only_file(fixture, victim->path, sizeof victim->path);
    fixture_close(fixture);
    victim->data = ok ? fixture_read_file(victim->path, &victim->size_bytes) : NULL;
    return victim->data != NULL;
}

// Opens, reads, closes. Pages that were right; -1 if a wrong one was given or nothing was counted.
static int pages_left(struct victim *victim) {
    struct prefix_store_stats stats;
    if (!fixture_open(&victim->fixture)) return -1;
    int n = fixture_read(&victim->fixture, victim->tokens, 0, 2);
    prefix_store_describe(victim->fixture.store, &stats);
    if (n < 2 && stats.ignored != 1) n = -1;
    if (n < 2 && stats.files != 0) n = -1;
    fixture_close(&victim->fixture);
    return n;
}

static enum test_result each_byte(void) {
    struct victim victim;
    CHECK(victim_init(&victim, "flips"));
    for (size_t at = 0; at < victim.size_bytes; at++) {
        for (int bit = 0; bit < 8; bit += at < 80 ? 1 : 7) {
            victim.data[at] ^= (unsigned char)(1 << bit);
            CHECK(fixture_write_file(victim.path, victim.data, victim.size_bytes, 0600));
            int n = pages_left(&victim);
            // Damage of the second page leaves the first, which has its own tag.
            size_t second_page = victim.size_bytes - 40 - PREFIX_TAG_BYTES;
            CHECK_MESSAGE(n == (at >= second_page ? 1 : 0), "byte %zu bit %d: %d pages", at, bit,
                          n);
            victim.data[at] ^= (unsigned char)(1 << bit);
        }
    }
    CHECK(fixture_write_file(victim.path, victim.data, victim.size_bytes, 0600));
    CHECK(pages_left(&victim) == 2);
    free(victim.data);
    return TEST_PASS;
}

static enum test_result each_length(void) {
    struct victim victim;
    CHECK(victim_init(&victim, "lengths"));
    unsigned char *longer = calloc(1, victim.size_bytes + 100);
    CHECK(longer != NULL);
    memcpy(longer, victim.data, victim.size_bytes);
    for (size_t size = 0; size < victim.size_bytes + 100; size++) {
        CHECK(fixture_write_file(victim.path, longer, size, 0600));
        CHECK_MESSAGE(pages_left(&victim) == (size == victim.size_bytes ? 2 : 0), "%zu bytes",
                      size);
    }
    free(longer);
    free(victim.data);
    return TEST_PASS;
}

// Damage that happens after the store has read the head: found when the page is read, once.
static enum test_result damage_while_open(void) {
    struct victim victim;
    struct prefix_store_stats stats;
    CHECK(victim_init(&victim, "later") && fixture_open(&victim.fixture));
    victim.data[victim.size_bytes - 1] ^= 1;
    CHECK(fixture_write_file(victim.path, victim.data, victim.size_bytes, 0600));
    CHECK(prefix_store_find(victim.fixture.store, victim.tokens, 128) == 2);
    CHECK(fixture_read(&victim.fixture, victim.tokens, 0, 2) == 1);
    CHECK(prefix_store_find(victim.fixture.store, victim.tokens, 128) == 0); // it is gone
    CHECK(access(victim.path, F_OK) != 0);
    prefix_store_describe(victim.fixture.store, &stats);
    CHECK(stats.ignored == 1 && stats.files == 0 && stats.bytes == 0);
    CHECK(fixture_save(&victim.fixture, victim.tokens, 2, NULL) == STATUS_OK); // and comes back
    CHECK(fixture_read(&victim.fixture, victim.tokens, 0, 2) == 2);
    CHECK(unlink(victim.path) == 0); // somebody removes it
    CHECK(fixture_read(&victim.fixture, victim.tokens, 0, 2) == 0);
    CHECK(prefix_store_find(victim.fixture.store, victim.tokens, 128) == 0);
    fixture_close(&victim.fixture);
    free(victim.data);
    return TEST_PASS;
}

// Whole, of our key and model, but under the name of another beginning.
static enum test_result other_names(void) {
    struct victim victim;
    struct prefix_store_stats stats;
    int32_t other[TOKENS_MAX];
    char path[700];
    CHECK(victim_init(&victim, "names") && fixture_open(&victim.fixture));
    fixture_tokens(4, 0, 2, other);
    CHECK(unlink(victim.path) == 0);
    CHECK(fixture_save(&victim.fixture, other, 2, NULL) == STATUS_OK);
    CHECK(fixture_only_file(&victim.fixture, path, sizeof path));
    fixture_close(&victim.fixture);
    CHECK(fixture_write_file(path, victim.data, victim.size_bytes, 0600));
    CHECK(fixture_open(&victim.fixture));
    CHECK(fixture_read(&victim.fixture, other, 0, 2) == 0);
    CHECK(fixture_read(&victim.fixture, victim.tokens, 0, 2) == 0);
    prefix_store_describe(victim.fixture.store, &stats);
    CHECK(stats.ignored == 1 && stats.files == 0);
    // Saving puts the right file in its place.
    CHECK(fixture_save(&victim.fixture, other, 2, NULL) == STATUS_OK);
    CHECK(fixture_count_files(&victim.fixture) == 1);
    CHECK(fixture_read(&victim.fixture, other, 0, 2) == 2);
    fixture_close(&victim.fixture);
    free(victim.data);
    return TEST_PASS;
}

static enum test_result strange_files(void) {
    struct victim victim;
    struct prefix_store_stats stats;
    char path[700];
    const char *hex = "00112233445566778899aabbccddeeff.prefix";
    CHECK(victim_init(&victim, "strange"));
    const char *const strangers[] = {"notes.txt", "0011.prefix", "00112233445566778899aabbccddeeff",
                                     "ZZ112233445566778899aabbccddeeff.prefix"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", victim.fixture.directory, strangers[i]);
        CHECK(fixture_write_file(path, "x", 1, 0600));
    }
    snprintf(path, sizeof path, "%s/%s.77.1.tmp", victim.fixture.directory, hex);
    CHECK(fixture_write_file(path, "half", 4, 0600)); // what kill -9 may leave
    snprintf(path, sizeof path, "%s/f%s", victim.fixture.directory, hex + 1);
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(path, sizeof path, "%s/e%s", victim.fixture.directory, hex + 1);
    CHECK(symlink(victim.path, path) == 0);
    snprintf(path, sizeof path, "%s/d%s", victim.fixture.directory, hex + 1);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(fixture_open(&victim.fixture));
    CHECK(fixture_count_files(&victim.fixture) == 8); // all but the temporary one
    prefix_store_describe(victim.fixture.store, &stats);
    CHECK(stats.files == 1 && stats.ignored == 0);
    CHECK(fixture_read(&victim.fixture, victim.tokens, 0, 2) == 2);
    fixture_close(&victim.fixture);
    free(victim.data);
    return TEST_PASS;
}

// Files that cannot be used take part in the budget, and go first.
static enum test_result ignored_go_first(void) {
    struct victim victim;
    struct prefix_store_stats stats;
    int32_t tokens[TOKENS_MAX];
    CHECK(victim_init(&victim, "stale"));
    victim.data[100] ^= 1;
    CHECK(fixture_write_file(victim.path, victim.data, victim.size_bytes, 0600));
    victim.fixture.budget_bytes = 2 * victim.size_bytes;
    CHECK(fixture_open(&victim.fixture));
    for (int i = 0; i < 2; i++) {
        fixture_tokens(10 + i, 0, 2, tokens);
        CHECK(fixture_save(&victim.fixture, tokens, 2, NULL) == STATUS_OK);
        CHECK((access(victim.path, F_OK) == 0) == (i == 0));
    }
    prefix_store_describe(victim.fixture.store, &stats);
    CHECK(stats.files == 2 && stats.evicted == 0 && stats.ignored == 1);
    fixture_close(&victim.fixture);
    free(victim.data);
    return TEST_PASS;
}

static void save_forever(struct prefix_fixture *fixture) {
    if (!fixture_open(fixture)) _exit(1);
    for (int i = 0;; i++) {
        int32_t tokens[TOKENS_MAX];
        fixture_tokens(1 + i % 50, 2, 6, tokens);
        if (fixture_save(fixture, tokens, 3 + (size_t)i % 4, NULL) != STATUS_OK) _exit(2);
    }
}

static enum test_result killed_while_writing(void) {
    enum { N_KILLS = 60 };
    struct prefix_fixture fixture;
    CHECK(fixture_init(&fixture, "killed", 90000));
    fixture.budget_bytes = 4 << 20;
    unsigned random = 1;
    for (int i = 0; i < N_KILLS; i++) {
        pid_t child = fork();
        if (child == 0) save_forever(&fixture);
        random = random * 1103515245u + 12345u;
        struct timespec pause = {0, 2000000 + random % 23 * 1000000};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        struct prefix_store_stats stats;
        CHECK(fixture_open(&fixture));
        prefix_store_describe(fixture.store, &stats);
        CHECK_MESSAGE(stats.ignored == 0, "kill %d: %d files that are not whole", i,
                      (int)stats.ignored);
        CHECK((int)stats.files == fixture_count_files(&fixture)); // nothing else is left
        for (int branch = 1; branch <= 50; branch += 7) {
            int32_t tokens[TOKENS_MAX];
            fixture_tokens(branch, 2, 6, tokens);
            size_t n = prefix_store_find(fixture.store, tokens, 6 * 64);
            CHECK(fixture_read(&fixture, tokens, 0, n) == (int)n);
        }
        fixture_close(&fixture);
    }
    return TEST_PASS;
}

// In a child, because the limit stays. Exit status 0: refused clearly, nothing lost.
static int save_beyond_limit(struct prefix_fixture *fixture, const int32_t *kept,
                             const int32_t *tokens) {
    struct error err = {0};
    if (!fixture_open(fixture)) return 1;
    if (fixture_save(fixture, tokens, 4, &err) != STATUS_NO_SPACE) return 2;
    if (!strstr(err.message, "free some space")) return 3;
    if (fixture_read(fixture, kept, 0, 1) != 1) return 4;
    if (fixture_count_files(fixture) != 1) return 5;
    if (prefix_store_find(fixture->store, tokens, 256) != 0) return 6;
    fixture_close(fixture);
    return 0;
}

static enum test_result file_size_limit(void) {
    struct prefix_fixture fixture;
    int32_t kept[TOKENS_MAX], tokens[TOKENS_MAX];
    CHECK(fixture_init(&fixture, "limited", 300000) && fixture_open(&fixture));
    fixture_tokens(1, 0, 1, kept);
    fixture_tokens(2, 0, 4, tokens);
    CHECK(fixture_save(&fixture, kept, 1, NULL) == STATUS_OK);
    fixture_close(&fixture);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {700000, 700000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(save_beyond_limit(&fixture, kept, tokens));
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK_MESSAGE(WEXITSTATUS(status) == 0, "child: %d", WEXITSTATUS(status));
    return TEST_PASS;
}

static enum test_result full_disk(void) {
    struct prefix_fixture fixture;
    int32_t kept[TOKENS_MAX], tokens[TOKENS_MAX];
    char directory[600];
    CHECK(fixture_init(&fixture, "full", 300000));
    snprintf(directory, sizeof directory, "%s/tmpfs", harness_scratch());
    CHECK(mkdir(directory, 0700) == 0);
    if (mount("none", directory, "tmpfs", 0, "size=1m") != 0)
        return harness_skip("only root can mount a small disk");
    snprintf(fixture.directory, sizeof fixture.directory, "%.500s/store", directory);
    fixture_tokens(1, 0, 1, kept);
    fixture_tokens(2, 0, 4, tokens);
    bool ok = fixture_open(&fixture) && fixture_save(&fixture, kept, 1, NULL) == STATUS_OK;
    fixture_close(&fixture);
    int failed = ok ? save_beyond_limit(&fixture, kept, tokens) : -1;
    umount(directory);
    CHECK_MESSAGE(failed == 0, "step %d", failed);
    return TEST_PASS;
}

// The test's own allocations go through these, too, but fail only while it says so.
static long fail_at = -1; // counts down; -1: never

static bool fails_now(void) {
    return fail_at >= 0 && fail_at-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return fails_now() ? NULL : __real_realloc(memory, size);
}

// Opens, finds, reads, saves two more pages; 0: all of it went well, 1: some of it not, 2: wrong.
static int use_with_failure(struct prefix_fixture *fixture, const int32_t *tokens, long n) {
    uint8_t memory[4][40], expected[4][40];
    void *pages[4] = {memory[0], memory[1], memory[2], memory[3]};
    struct prefix_store_options options = {.directory = fixture->directory,
                                           .key_path = fixture->key_path,
                                           .fingerprint = fixture->fingerprint,
                                           .page = {fixture->page_bytes, fixture->page_bytes, 0},
                                           .budget_bytes = fixture->budget_bytes};
    struct error err;
    memset(expected, 7, sizeof expected);
    fail_at = n;
    enum status status = prefix_store_open(&fixture->store, &options, &err);
    if (status == STATUS_OK) {
        size_t n_found = prefix_store_find(fixture->store, tokens, 256);
        size_t n_read = prefix_store_read(fixture->store, tokens, 0, pages, n_found);
        if (memcmp(memory, expected, n_read * sizeof memory[0]) != 0) return 2;
        for (int i = 0; i < 4; i++)
            pages[i] = expected[i];
        status = prefix_store_save(fixture->store, tokens, (const void *const *)pages, 4, &err);
        if (n_read < n_found) status = STATUS_NO_MEMORY;
    }
    fail_at = -1;
    fixture_close(fixture);
    if (status != STATUS_OK && status != STATUS_NO_MEMORY) return 2;
    return status == STATUS_OK ? 0 : 1;
}

static enum test_result each_allocation(void) {
    struct prefix_fixture fixture;
    struct prefix_store_stats stats;
    int32_t tokens[TOKENS_MAX];
    uint8_t page[40];
    const void *pages[2] = {page, page};
    memset(page, 7, sizeof page);
    fixture_tokens(5, 0, 4, tokens);
    CHECK(fixture_init(&fixture, "memory", sizeof page));
    int result = 1;
    long n = 0;
    for (; result == 1; n++) {
        char path[700];
        if (fixture_only_file(&fixture, path, sizeof path)) unlink(path);
        CHECK(fixture_open(&fixture));
        if (prefix_store_find(fixture.store, tokens, 256) == 0)
            CHECK(prefix_store_save(fixture.store, tokens, pages, 2, NULL) == STATUS_OK);
        fixture_close(&fixture);
        result = use_with_failure(&fixture, tokens, n);
        CHECK_MESSAGE(result != 2, "allocation %ld", n);
        CHECK(fixture_open(&fixture)); // whatever failed, what was stored is there and whole
        prefix_store_describe(fixture.store, &stats);
        CHECK(stats.ignored == 0 && stats.files >= 1);
        CHECK(prefix_store_find(fixture.store, tokens, 256) >= 2);
        fixture_close(&fixture);
    }
    CHECK_MESSAGE(n > 20, "only %ld allocations", n);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"each_byte", "a change of any byte is seen", each_byte},
    {"each_length", "a file cut or lengthened anywhere is ignored", each_length},
    {"damage_while_open", "damage after opening is seen when reading", damage_while_open},
    {"other_names", "a whole file under another name is ignored", other_names},
    {"strange_files", "files that are not ours stay, temporary ones go", strange_files},
    {"ignored_go_first", "what cannot be used makes room first", ignored_go_first},
    {"killed_while_writing", "kill -9 leaves whole files only", killed_while_writing},
    {"file_size_limit", "a write that fails loses nothing", file_size_limit},
    {"full_disk", "a full disk is a clear error", full_disk},
    {"each_allocation", "memory that runs out loses nothing and drops nothing", each_allocation},
};

int main(int argc, char **argv) {
    if (!prefix_cipher_available()) {
        printf("skip prefix_damage (built without GnuTLS)\nprefix_damage: 0 passed, 0 failed, 1 "
               "skipped\n");
        return 77;
    }
    return harness_main("prefix_damage", tests, sizeof tests / sizeof *tests, argc, argv);
}
