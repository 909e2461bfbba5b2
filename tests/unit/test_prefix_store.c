// SPDX-License-Identifier: Apache-2.0
// The prefix store as its users see it: what is saved is found again, by anybody with the same
// beginning, after a restart too; the budget; keys; several threads.
#include "cache/prefix_cipher.h"
#include "harness.h"
#include "prefix_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS_MAX = FIXTURE_PAGES_MAX * PREFIX_PAGE_TOKENS };

static enum test_result round_trip(void) {
    const size_t sizes[] = {1, 63, 4096, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 700001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct prefix_fixture fixture;
        char name[32];
        int32_t tokens[TOKENS_MAX];
        snprintf(name, sizeof name, "round%zu", sizes[i]);
        CHECK(fixture_init(&fixture, name, sizes[i]) && fixture_open(&fixture));
        fixture_tokens(1, 0, 6, tokens);
        CHECK(prefix_store_find(fixture.store, tokens, 6 * 64) == 0);
        CHECK(fixture_save(&fixture, tokens, 5, NULL) == STATUS_OK);
        CHECK(prefix_store_find(fixture.store, tokens, 6 * 64) == 5);
        CHECK(prefix_store_find(fixture.store, tokens, 5 * 64) == 5);
        CHECK(prefix_store_find(fixture.store, tokens, 5 * 64 - 1) == 4);
        CHECK(prefix_store_find(fixture.store, tokens, 63) == 0);
        CHECK(fixture_read(&fixture, tokens, 0, 5) == 5);
        CHECK(fixture_read(&fixture, tokens, 2, 2) == 2);
        CHECK(fixture_read(&fixture, tokens, 3, 3) == 2); // the sixth is not there
        CHECK(fixture_read(&fixture, tokens, 5, 1) == 0);
        fixture_close(&fixture);
        CHECK(fixture_open(&fixture)); // after a restart
        CHECK(prefix_store_find(fixture.store, tokens, 6 * 64) == 5);
        CHECK(fixture_read(&fixture, tokens, 0, 6) == 5);
        fixture_close(&fixture);
    }
    return TEST_PASS;
}

static enum test_result shared_beginnings(void) {
    struct prefix_fixture fixture;
    struct prefix_store_stats stats;
    int32_t tokens[TOKENS_MAX], other[TOKENS_MAX];
    CHECK(fixture_init(&fixture, "shared", 5000) && fixture_open(&fixture));
    fixture_tokens(0, 0, 10, tokens);
    fixture_tokens(1, 4, 10, other);
    CHECK(fixture_save(&fixture, tokens, 6, NULL) == STATUS_OK);
    CHECK(prefix_store_find(fixture.store, other, 10 * 64) == 4);
    prefix_store_describe(fixture.store, &stats);
    uint64_t first_bytes = stats.bytes;
    CHECK(fixture_save(&fixture, other, 7, NULL) == STATUS_OK); // three new pages
    prefix_store_describe(fixture.store, &stats);
    CHECK(stats.files == 2 && stats.bytes - first_bytes < 4 * 5000);
    CHECK(fixture_save(&fixture, tokens, 10, NULL) == STATUS_OK); // four more on the first
    CHECK(fixture_save(&fixture, tokens, 10, NULL) == STATUS_OK); // nothing new
    CHECK(fixture_save(&fixture, tokens, 3, NULL) == STATUS_OK);
    CHECK(fixture_count_files(&fixture) == 3);
    for (int i = 0; i < 2; i++) {
        CHECK(fixture_read(&fixture, tokens, 0, 10) == 10);
        CHECK(fixture_read(&fixture, other, 0, 10) == 7);
        CHECK(fixture_read(&fixture, other, 3, 4) == 4); // across two files
        fixture_close(&fixture);
        CHECK(fixture_open(&fixture));
    }
    fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result others_are_ignored(void) {
    struct prefix_fixture fixture, stranger;
    struct prefix_store_stats stats;
    int32_t tokens[TOKENS_MAX];
    CHECK(fixture_init(&fixture, "mine", 100) && fixture_open(&fixture));
    fixture_tokens(0, 0, 3, tokens);
    CHECK(fixture_save(&fixture, tokens, 3, NULL) == STATUS_OK);
    fixture_close(&fixture);
    CHECK(fixture_init(&stranger, "stranger", 100));
    for (int i = 0; i < 3; i++) { // another key, another model, another layout
        struct prefix_fixture changed = fixture;
        if (i == 0) memcpy(changed.key_path, stranger.key_path, sizeof changed.key_path);
        if (i == 1) changed.fingerprint++;
        if (i == 2) changed.page_bytes++;
        CHECK(fixture_open(&changed));
        CHECK(prefix_store_find(changed.store, tokens, 3 * 64) == 0);
        CHECK(fixture_read(&changed, tokens, 0, 3) == 0);
        prefix_store_describe(changed.store, &stats);
        CHECK(stats.ignored == 1 && stats.files == 0 && stats.bytes == 0);
        fixture_close(&changed);
    }
    CHECK(fixture_open(&fixture)); // and is unharmed
    CHECK(fixture_read(&fixture, tokens, 0, 3) == 3);
    fixture_close(&fixture);
    return TEST_PASS;
}

static enum status open_with_key(const char *path, struct error *err) {
    struct prefix_key *key;
    enum status status = prefix_key_open(&key, path, err);
    prefix_key_close(key);
    return status;
}

static enum test_result key_files(void) {
    char path[512];
    uint8_t secret[64] = {1};
    struct error err;
    struct stat info;
    snprintf(path, sizeof path, "%s/key", harness_scratch());
    CHECK(open_with_key(path, &err) == STATUS_NOT_FOUND);
    CHECK(strstr(err.message, "--new-prefix-key"));
    for (int length = 0; length <= 64; length++) {
        CHECK(fixture_write_file(path, secret, (size_t)length, 0600));
        CHECK(open_with_key(path, &err) == (length == 32 ? STATUS_OK : STATUS_BAD_INPUT));
    }
    const int bad_modes[] = {0644, 0640, 0604, 0620, 0666, 0601};
    for (size_t i = 0; i < sizeof bad_modes / sizeof *bad_modes; i++) {
        CHECK(fixture_write_file(path, secret, 32, bad_modes[i]));
        CHECK(open_with_key(path, &err) == STATUS_USAGE && strstr(err.message, "chmod 600"));
    }
    CHECK(fixture_write_file(path, secret, 32, 0400));
    CHECK(open_with_key(path, &err) == STATUS_OK);
    CHECK(open_with_key(harness_scratch(), &err) == STATUS_BAD_INPUT);
    CHECK(open_with_key("/dev/zero", &err) == STATUS_BAD_INPUT);
    CHECK(prefix_key_create(path, &err) == STATUS_USAGE); // would replace one
    unlink(path);
    CHECK(prefix_key_create(path, &err) == STATUS_OK);
    CHECK(stat(path, &info) == 0 && info.st_size == 32 && (info.st_mode & 0777) == 0600);
    CHECK(open_with_key(path, &err) == STATUS_OK);
    return TEST_PASS;
}

static enum test_result budget(void) {
    struct prefix_fixture fixture;
    struct prefix_store_stats stats;
    struct error err;
    int32_t tokens[4][TOKENS_MAX];
    CHECK(fixture_init(&fixture, "budget", 10000));
    fixture.budget_bytes = 65000; // three files of two pages
    CHECK(fixture_open(&fixture));
    for (int i = 0; i < 4; i++)
        fixture_tokens(i + 1, 0, 8, tokens[i]);
    for (int i = 0; i < 3; i++)
        CHECK(fixture_save(&fixture, tokens[i], 2, NULL) == STATUS_OK);
    CHECK(fixture_read(&fixture, tokens[0], 0, 2) == 2); // so that the second is the oldest
    fixture_close(&fixture);
    CHECK(fixture_open(&fixture)); // which a restart does not change
    CHECK(fixture_save(&fixture, tokens[3], 2, NULL) == STATUS_OK);
    CHECK(prefix_store_find(fixture.store, tokens[1], 128) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(i == 1 || fixture_read(&fixture, tokens[i], 0, 2) == 2);
    prefix_store_describe(fixture.store, &stats);
    CHECK(stats.files == 3 && stats.evicted == 1 && stats.bytes <= 65000 && stats.ignored == 0);
    // What follows goes before its beginning.
    CHECK(fixture_save(&fixture, tokens[0], 4, NULL) == STATUS_OK);
    CHECK(fixture_save(&fixture, tokens[3], 3, NULL) == STATUS_OK);
    CHECK(prefix_store_find(fixture.store, tokens[0], 512) == 2);
    CHECK(prefix_store_find(fixture.store, tokens[3], 512) == 3);
    // What can never fit, alone or with what it continues, is refused and costs nothing.
    CHECK(fixture_save(&fixture, tokens[2], 7, &err) == STATUS_NO_SPACE);
    CHECK(fixture_save(&fixture, tokens[3], 7, &err) == STATUS_NO_SPACE);
    CHECK(strstr(err.message, "budget"));
    CHECK(fixture_read(&fixture, tokens[3], 0, 3) == 3);
    fixture_close(&fixture);
    fixture.budget_bytes = 0;
    CHECK(fixture_open(&fixture));
    CHECK(fixture_save(&fixture, tokens[1], 2, &err) == STATUS_NO_SPACE);
    fixture_close(&fixture);
    return TEST_PASS;
}

static enum test_result one_store_a_directory(void) {
    struct prefix_fixture fixture;
    CHECK(fixture_init(&fixture, "locked", 64) && fixture_open(&fixture));
    struct prefix_fixture second = fixture;
    struct prefix_store_options options = {.directory = fixture.directory,
                                           .key_path = fixture.key_path,
                                           .page = {64, 64, 0},
                                           .budget_bytes = 1 << 20};
    struct error err;
    CHECK(prefix_store_open(&second.store, &options, &err) == STATUS_FAILED);
    CHECK(second.store == NULL && strstr(err.message, "another process"));
    fixture_close(&fixture);
    CHECK(fixture_open(&second));
    fixture_close(&second);
    options.page.page_bytes = 0;
    CHECK(prefix_store_open(&second.store, &options, &err) == STATUS_USAGE);
    options.page.page_bytes = 64;
    options.directory = "/nowhere/at/all";
    CHECK(prefix_store_open(&second.store, &options, &err) == STATUS_NOT_FOUND);
    options.directory = fixture.key_path; // a file
    CHECK(prefix_store_open(&second.store, &options, &err) == STATUS_FAILED);
    return TEST_PASS;
}

// A page that lies in blocks is the same file as one in one piece.
static enum test_result pages_in_blocks(void) {
    enum { BLOCK = 24, BLOCKS = 5, STRIDE = 40, PAGE = BLOCK * BLOCKS };
    struct prefix_fixture fixture;
    uint8_t apart[STRIDE * BLOCKS], whole[PAGE];
    int32_t tokens[TOKENS_MAX];
    const void *pages[1] = {apart};
    void *read[1] = {whole};
    for (int i = 0; i < STRIDE * BLOCKS; i++)
        apart[i] = (uint8_t)(i + 1);
    fixture_tokens(1, 0, 1, tokens);
    CHECK(fixture_init(&fixture, "blocks", PAGE));
    struct prefix_store_options options = {.directory = fixture.directory,
                                           .key_path = fixture.key_path,
                                           .page = {PAGE, BLOCK, STRIDE},
                                           .budget_bytes = 1 << 20};
    CHECK(prefix_store_open(&fixture.store, &options, NULL) == STATUS_OK);
    CHECK(prefix_store_save(fixture.store, tokens, pages, 1, NULL) == STATUS_OK);
    prefix_store_close(fixture.store);
    options.page = (struct page_shape){PAGE, PAGE, 0};
    CHECK(prefix_store_open(&fixture.store, &options, NULL) == STATUS_OK);
    CHECK(prefix_store_read(fixture.store, tokens, 0, read, 1) == 1);
    prefix_store_close(fixture.store);
    for (int i = 0; i < PAGE; i++)
        CHECK(whole[i] == apart[i / BLOCK * STRIDE + i % BLOCK]);
    options.page = (struct page_shape){PAGE, BLOCK, STRIDE};
    memset(apart, 0xa5, sizeof apart);
    read[0] = apart;
    CHECK(prefix_store_open(&fixture.store, &options, NULL) == STATUS_OK);
    CHECK(prefix_store_read(fixture.store, tokens, 0, read, 1) == 1);
    fixture_close(&fixture);
    for (int i = 0; i < STRIDE * BLOCKS; i++)
        CHECK(apart[i] == (i % STRIDE < BLOCK ? (uint8_t)(i + 1) : 0xa5));
    return TEST_PASS;
}

static bool contains(const unsigned char *data, size_t size, const void *part, size_t part_size) {
    for (size_t i = 0; i + part_size <= size; i++)
        if (memcmp(data + i, part, part_size) == 0) return true;
    return false;
}

static enum test_result files_reveal_nothing(void) {
    struct prefix_fixture fixture;
    char path[2][600];
    unsigned char *data[2], page[256];
    size_t size[2];
    int32_t tokens[TOKENS_MAX];
    const void *pages[1] = {page};
    memset(page, 'P', sizeof page);
    fixture_tokens(1, 0, 1, tokens);
    CHECK(fixture_init(&fixture, "quiet", sizeof page));
    for (int i = 0; i < 2; i++) {
        CHECK(fixture_open(&fixture));
        CHECK(prefix_store_save(fixture.store, tokens, pages, 1, NULL) == STATUS_OK);
        CHECK(fixture_only_file(&fixture, path[i], sizeof path[i]));
        CHECK((data[i] = fixture_read_file(path[i], &size[i])) != NULL);
        struct stat info;
        CHECK(stat(path[i], &info) == 0 && (info.st_mode & 0777) == 0600);
        CHECK(stat(fixture.directory, &info) == 0 && (info.st_mode & 0777) == 0700);
        fixture_close(&fixture);
        CHECK(unlink(path[i]) == 0);
    }
    CHECK(strcmp(path[0], path[1]) == 0 && size[0] == size[1]);
    // The same twice is different bytes from the salt on, so nothing is to be learnt from a change.
    CHECK(memcmp(data[0] + 48, data[1] + 48, 16) != 0);
    for (size_t at = 80; at + 16 <= size[0]; at += 16)
        CHECK(memcmp(data[0] + at, data[1] + at, 16) != 0);
    for (int i = 0; i < 2; i++) {
        CHECK(!contains(data[i], size[i], page, 8) && !contains(data[i], size[i], tokens, 8));
        free(data[i]);
    }
    return TEST_PASS;
}

struct user {
    struct prefix_fixture *fixture;
    int branch;
    bool failed;
};

static void *use_store(void *argument) {
    struct user *user = argument;
    for (int i = 0; i < 20; i++) {
        int32_t tokens[TOKENS_MAX];
        struct prefix_store_stats stats;
        fixture_tokens(user->branch + i % 3, 2, 5, tokens);
        if (fixture_save(user->fixture, tokens, 3 + (size_t)i % 3, NULL) != STATUS_OK)
            user->failed = true;
        size_t n = prefix_store_find(user->fixture->store, tokens, 5 * 64);
        if (fixture_read(user->fixture, tokens, 0, n) < 0) user->failed = true;
        prefix_store_describe(user->fixture->store, &stats);
        if (stats.ignored) user->failed = true;
    }
    return NULL;
}

static enum test_result several_threads(void) {
    struct prefix_fixture fixture;
    struct user users[4];
    pthread_t threads[4];
    CHECK(fixture_init(&fixture, "threads", 3000));
    fixture.budget_bytes = 120000; // a little less than all need
    CHECK(fixture_open(&fixture));
    for (int i = 0; i < 4; i++) {
        users[i] = (struct user){.fixture = &fixture, .branch = 10 * i};
        CHECK(pthread_create(&threads[i], NULL, use_store, &users[i]) == 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        CHECK(!users[i].failed);
    fixture_close(&fixture);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"round_trip", "pages of any size are found and read, also after a restart", round_trip},
    {"shared_beginnings", "a common beginning is stored once", shared_beginnings},
    {"others_are_ignored", "another key, model or layout finds nothing", others_are_ignored},
    {"key_files", "a key file has 32 bytes and one reader", key_files},
    {"budget", "the longest unused goes, what follows before its beginning", budget},
    {"one_store_a_directory", "two stores never share a directory", one_store_a_directory},
    {"pages_in_blocks", "pages lie in memory as they like", pages_in_blocks},
    {"files_reveal_nothing", "neither names nor contents, nor twice the same",
     files_reveal_nothing},
    {"several_threads", "save, find and read at the same time", several_threads},
};

int main(int argc, char **argv) {
    if (!prefix_cipher_available()) {
        printf("skip prefix_store (built without GnuTLS)\nprefix_store: 0 passed, 0 failed, 1 "
               "skipped\n");
        return 77;
    }
    return harness_main("prefix_store", tests, sizeof tests / sizeof *tests, argc, argv);
}
