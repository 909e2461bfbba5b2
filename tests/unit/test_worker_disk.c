// SPDX-License-Identifier: Apache-2.0
// Known beginnings on disk: found again by another worker, with the same bytes; among cancels and
// shortage of memory; and what is damaged is not used.
#include "harness.h"

#include "request_wish.h"
#include "tiny_model.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { N_MIX = 16, PAGE_BYTES = 64 * 2 * 2 * 8 * 2 * 4 };

static char directory[512], key[512];

static enum test_result prepare(const char *name) {
    xl_error error;
    snprintf(directory, sizeof directory, "%s/%s", harness_scratch(), name);
    snprintf(key, sizeof key, "%s/%s.key", harness_scratch(), name);
    if (xl_prefix_key_create(key, &error) == XL_OK) return TEST_PASS;
    if (error.status == XL_UNSUPPORTED) return harness_skip("built without cryptography");
    printf("    %s\n", error.message);
    return TEST_FAIL;
}

static xl_worker *open_worker(xl_engine *engine, int n_pages) {
    xl_worker_options options = xl_worker_options_default();
    xl_worker *worker = NULL;
    xl_error error;
    options.kv_bytes = (uint64_t)n_pages * PAGE_BYTES;
    options.prefix_dir = directory;
    options.prefix_key = key;
    if (xl_worker_open(engine, &options, &worker, &error) != XL_OK)
        printf("    %s\n", error.message);
    return worker;
}

static bool run(xl_worker *worker, struct wish *wish) {
    wish_forget(wish);
    if (!wish_submit(worker, wish)) return false;
    request_log_wait(&wish->worker);
    xl_request_release(wish->worker.request);
    return wish->worker.n_ends == 1;
}

static void make_plain(struct wish *wish) {
    wish_make(wish, 3);
    wish->options.n_prompt = 180;
    wish->options.no_prefix = false;
    wish->generate.max_tokens = 10;
    wish->generate.ignore_end = true;
    wish->generate.n_stops = 0;
}

// Flips a bit in the middle of every file.
static void damage_files(void) {
    DIR *listing = opendir(directory);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r+b");
        if (!file) continue;
        if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 1000) {
            long middle = ftell(file) / 2;
            int byte = fseek(file, middle, SEEK_SET) == 0 ? fgetc(file) : EOF;
            if (byte != EOF && fseek(file, middle, SEEK_SET) == 0) fputc(byte ^ 1, file);
        }
        fclose(file);
    }
    if (listing) closedir(listing);
}

static enum test_result test_restart(void) {
    static struct wish wish;
    enum test_result prepared = prepare("restart");
    if (prepared != TEST_PASS) return prepared;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 32) : NULL;
    CHECK(worker);
    wish_seed(4);
    make_plain(&wish);
    CHECK(request_log_alone(&wish.alone, engine, &wish.options));
    wish.options.save_prefix = true;
    wish.generate.max_tokens = 0; // does only that
    CHECK(run(worker, &wish) && wish.worker.last.status == XL_OK && wish.worker.n_tokens == 0);
    xl_worker_stats stats = {.size = sizeof stats};
    xl_worker_describe(worker, &stats);
    CHECK(stats.prefix_files == 1 && stats.prefix_file_bytes > 2 * PAGE_BYTES);
    xl_worker_close(worker);

    wish.options.save_prefix = false;
    wish.generate.max_tokens = 10;
    worker = open_worker(engine, 32);
    CHECK(worker && run(worker, &wish) && wish_judge(&wish));
    CHECK_MESSAGE(wish.worker.last.disk_tokens == 128 && wish.worker.last.memory_tokens == 0, "%d",
                  wish.worker.last.disk_tokens);
    CHECK(run(worker, &wish) && wish_judge(&wish)); // now from memory
    CHECK(wish.worker.last.disk_tokens == 0 && wish.worker.last.memory_tokens == 179);
    wish.options.no_prefix = true;
    CHECK(run(worker, &wish) && wish_judge(&wish) && wish.worker.last.memory_tokens == 0);
    wish.options.no_prefix = false;
    xl_worker_close(worker);

    damage_files();
    worker = open_worker(engine, 32);
    CHECK(worker && run(worker, &wish) && wish_judge(&wish));
    CHECK(wish.worker.last.disk_tokens < 128);
    xl_worker_describe(worker, &stats);
    CHECK(stats.prefix_ignored > 0 && stats.failed == 0);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Saving and loading among others, with cancels, in too little memory, through several workers.
static enum test_result test_mix(void) {
    static struct wish wishes[N_MIX];
    enum test_result prepared = prepare("mix");
    if (prepared != TEST_PASS) return prepared;
    xl_engine *engine = wish_open_engine();
    CHECK(engine);
    wish_seed(14);
    int disk_tokens = 0;
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
        wishes[i].options.save_prefix = !wishes[i].options.no_prefix && i % 2 == 0;
    }
    for (int round = 0; round < 6; round++) {
        xl_worker *worker = open_worker(engine, 8 + 4 * round);
        CHECK(worker);
        for (int i = 0; i < N_MIX; i++) {
            wish_forget(&wishes[i]);
            if (round % 2 && wish_random(4) == 0)
                wishes[i].worker.n_tokens_max = 1 + wish_random(10);
            CHECK(wish_submit(worker, &wishes[i]));
            if (round % 2 && wish_random(6) == 0) xl_request_cancel(wishes[i].worker.request);
        }
        for (int i = 0; i < N_MIX; i++) {
            request_log_wait(&wishes[i].worker);
            CHECK_MESSAGE(wish_judge(&wishes[i]), "request %d, round %d: %s", i, round,
                          wishes[i].worker.message);
            disk_tokens += wishes[i].worker.last.disk_tokens;
            xl_request_release(wishes[i].worker.request);
        }
        xl_worker_close(worker);
    }
    CHECK_MESSAGE(disk_tokens >= 64, "%d", disk_tokens);
    xl_engine_close(engine);
    return TEST_PASS;
}

// The tiny model with one bit of one weight changed, far from a tensor's ends.
static xl_engine *open_changed(const char *path) {
    if (!tiny_model_write(path, 8, false)) return NULL;
    FILE *file = fopen(path, "r+b");
    if (!file) return NULL;
    long place = fseek(file, 0, SEEK_END) == 0 ? ftell(file) - 1500 : -1;
    int byte = place > 0 && fseek(file, place, SEEK_SET) == 0 ? fgetc(file) : EOF;
    bool changed = byte != EOF && fseek(file, place, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF;
    xl_engine *engine = NULL;
    if (fclose(file) == 0 && changed) engine = wish_open_file(path);
    return engine;
}

static enum test_result test_other_model(void) {
    static struct wish wish;
    char paths[2][600];
    xl_engine *engine = NULL;
    enum test_result prepared = prepare("other");
    if (prepared != TEST_PASS) return prepared;
    for (int i = 0; i < 2; i++)
        snprintf(paths[i], sizeof paths[i], "%s/other-%d.gguf", harness_scratch(), i);
    CHECK(tiny_model_write(paths[0], 8, false));
    for (int i = 0; i < 3; i++) { // who saves, another, the first again
        if (i == 1)
            engine = open_changed(paths[1]);
        else
            engine = wish_open_file(paths[0]);
        xl_worker *worker = engine ? open_worker(engine, 32) : NULL;
        CHECK(worker);
        wish_seed(4);
        make_plain(&wish);
        wish.options.save_prefix = i == 0;
        CHECK(run(worker, &wish) && wish.worker.last.status == XL_OK);
        CHECK_MESSAGE(wish.worker.last.disk_tokens == (i == 2 ? 128 : 0), "%d, round %d",
                      wish.worker.last.disk_tokens, i);
        xl_worker_close(worker);
        xl_engine_close(engine);
    }
    return TEST_PASS;
}

static enum test_result test_options(void) {
    static struct wish wish;
    xl_worker_options options = xl_worker_options_default();
    xl_worker *worker = NULL;
    xl_request *request;
    xl_engine *engine = wish_open_engine();
    CHECK(engine);
    options.prefix_dir = harness_scratch();
    CHECK(xl_worker_open(engine, &options, &worker, NULL) == XL_USAGE && !worker); // no key
    CHECK(xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    make_plain(&wish);
    wish.options.save_prefix = true;
    CHECK(xl_request_submit(worker, &wish.options, &request, NULL) == XL_USAGE);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"restart", "another worker finds what one has saved, unless it is damaged", test_restart},
    {"other_model", "a bit of one weight makes it another model", test_other_model},
    {"mix", "the same bytes from disk, in any company", test_mix},
    {"options", "no directory, no key, no saving", test_options},
};

int main(int argc, char **argv) {
    return harness_main("worker_disk", tests, sizeof tests / sizeof *tests, argc, argv);
}
