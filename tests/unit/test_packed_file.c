// SPDX-License-Identifier: Apache-2.0
// The cache file of packed weights: whatever is wrong with it, a load gives the same bytes, and
// only a file that is right in every byte is used.
#include "harness.h"

#include "base/hash64.h"
#include "model/loaded_model.h"
#include "model/packed_file.h"
#include "numeric/packed.h"
#include "typed_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_TOKENS = 9, N_THREADS = 2 };

// What a load came to.
struct loaded {
    enum weights_origin origin;
    uint64_t hash; // of the panels and of some logits
};

static enum status hash_logits(const struct model *model, struct thread_pool *pool, uint64_t *hash,
                               struct error *err) {
    struct kernels kernels;
    struct kv_cache cache = {0};
    struct forward_workspace *workspace = NULL;
    static float logits[N_TOKENS * TYPED_VOCAB];
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++)
        tokens[i] = (i * 31 + 5) % TYPED_VOCAB;
    kernels_select(&kernels, isa_best());
    enum status status = kv_cache_init(&cache, DTYPE_F32, TYPED_LAYERS, TYPED_KV,
                                       TYPED_EMBD / TYPED_HEADS, N_TOKENS, err);
    if (status == STATUS_OK)
        status =
            forward_workspace_create(&workspace, model, &kernels, pool, N_TOKENS, N_TOKENS, err);
    if (status == STATUS_OK)
        status = model_forward(model, &cache, workspace, tokens, N_TOKENS, true, logits, err);
    if (status == STATUS_OK) *hash = hash64(logits, sizeof logits, *hash);
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    return status;
}

static enum status load(const char *path, const char *cache, bool copy, struct loaded *loaded,
                        struct error *err) {
    struct checkpoint *checkpoint = NULL;
    struct model *model = NULL;
    struct thread_pool *pool = NULL;
    double seconds;
    enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, err);
    if (status == STATUS_OK) status = thread_pool_create(&pool, N_THREADS, err);
    struct model_load how = {.pool = pool, .cache_directory = cache, .copy_cached = copy};
    if (status == STATUS_OK) status = model_open(&model, checkpoint, &how, err);
    if (status == STATUS_OK) {
        loaded->origin = model_weights_origin(model, &seconds);
        loaded->hash = 0;
        for (size_t i = 0; i < model->weights.n_sources; i++) {
            const struct weight *w = model->weights.sources[i].weight;
            loaded->hash = hash64(w->panels, packed_size_bytes(w->dtype, w->n_rows, w->n_columns),
                                  loaded->hash);
        }
        status = hash_logits(model, pool, &loaded->hash, err);
    }
    model_close(model);
    thread_pool_destroy(pool);
    checkpoint_close(checkpoint);
    if (status != STATUS_OK) printf("    %s\n", err->message);
    return status;
}

// A fresh model and a cache directory that does not exist yet.
struct place {
    char model[600], cache[600];
    struct loaded plain; // without a cache
};

static bool place_init(struct place *place, const char *name, enum dtype dtype, unsigned variant) {
    struct error err = {0};
    snprintf(place->model, sizeof place->model, "%s/%s.gguf", harness_scratch(), name);
    snprintf(place->cache, sizeof place->cache, "%s/%s/deeper", harness_scratch(), name);
    return typed_model_write(place->model, dtype, variant, &err) == STATUS_OK &&
           load(place->model, NULL, false, &place->plain, &err) == STATUS_OK &&
           place->plain.origin == WEIGHTS_PACKED;
}

// Loads with the cache; the bytes must be those of a load without.
static bool load_is(const struct place *place, bool copy, enum weights_origin origin) {
    struct error err = {0};
    struct loaded loaded;
    if (load(place->model, place->cache, copy, &loaded, &err) != STATUS_OK) return false;
    if (loaded.hash != place->plain.hash) printf("    other bytes\n");
    if (loaded.origin != origin) printf("    origin %d, expected %d\n", loaded.origin, origin);
    return loaded.hash == place->plain.hash && loaded.origin == origin;
}

// Number of entries in the cache; path of the last.
static int list_cache(const struct place *place, char path[1200]) {
    DIR *handle = opendir(place->cache);
    int n = 0;
    if (!handle) return -1;
    for (struct dirent *entry; (entry = readdir(handle)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, 1200, "%s/%s", place->cache, entry->d_name);
        n++;
    }
    closedir(handle);
    return n;
}

static enum test_result build_map_copy(void) {
    for (int i = 0; i <= TYPED_TYPES; i++)
        for (unsigned variant = 0; variant <= TYPED_UNTIED; variant += TYPED_UNTIED) {
            struct place place;
            char name[64], path[1200];
            enum dtype dtype = i < TYPED_TYPES ? typed_model_types[i] : DTYPE_F64;
            snprintf(name, sizeof name, "build-%d-%u", i, variant);
            CHECK(place_init(&place, name, dtype, variant));
            CHECK(load_is(&place, false, WEIGHTS_KEPT));
            CHECK(load_is(&place, false, WEIGHTS_MAPPED));
            CHECK(load_is(&place, true, WEIGHTS_COPIED));
            CHECK(list_cache(&place, path) == 1);
            struct stat info;
            CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
            CHECK(stat(place.cache, &info) == 0 && (info.st_mode & 0777) == 0700);
        }
    return TEST_PASS;
}

static enum test_result changed_source(void) {
    struct place place;
    char path[1200], other[1200];
    CHECK(place_init(&place, "changed", DTYPE_Q4_0, 0));
    CHECK(load_is(&place, false, WEIGHTS_KEPT) && list_cache(&place, path) == 1);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000, .tv_nsec = 1}};
    CHECK(utimensat(AT_FDCWD, place.model, times, 0) == 0);
    CHECK(load_is(&place, false, WEIGHTS_KEPT)); // and the older one is gone
    CHECK(list_cache(&place, other) == 1 && strcmp(path, other) != 0);
    CHECK(load_is(&place, false, WEIGHTS_MAPPED));
    times[1].tv_nsec = 2;
    CHECK(utimensat(AT_FDCWD, place.model, times, 0) == 0);
    CHECK(load_is(&place, false, WEIGHTS_KEPT));
    // Another checkpoint's file under our name.
    struct place foreign;
    CHECK(place_init(&foreign, "foreign", DTYPE_Q4_0, 0));
    CHECK(load_is(&foreign, false, WEIGHTS_KEPT));
    CHECK(list_cache(&place, path) == 1 && list_cache(&foreign, other) == 1);
    CHECK(rename(other, path) == 0);
    CHECK(load_is(&place, false, WEIGHTS_KEPT) && load_is(&place, false, WEIGHTS_MAPPED));
    return TEST_PASS;
}

static bool flip(const char *path, off_t at, uint8_t bits) {
    uint8_t byte = 0;
    int fd = open(path, O_RDWR);
    bool done = fd >= 0 && pread(fd, &byte, 1, at) == 1;
    byte ^= bits;
    done = done && pwrite(fd, &byte, 1, at) == 1;
    if (fd >= 0) close(fd);
    return done;
}

static enum test_result flipped_bytes(void) {
    struct place place;
    struct stat info;
    char path[1200];
    CHECK(place_init(&place, "flipped", DTYPE_Q5_K, 0));
    CHECK(load_is(&place, false, WEIGHTS_KEPT) && list_cache(&place, path) == 1);
    CHECK(stat(path, &info) == 0);
    // All of the header, much of the table, some of the panels.
    for (off_t at = 0; at < info.st_size; at += at < 64 ? 1 : at < 4096 ? 37 : 50021) {
        CHECK(flip(path, at, (uint8_t)(1u << at % 8)));
        CHECK_MESSAGE(load_is(&place, at % 2, WEIGHTS_KEPT), "byte %ld", (long)at);
    }
    CHECK(flip(path, info.st_size - 1, 0x80) && load_is(&place, false, WEIGHTS_KEPT));
    CHECK(load_is(&place, false, WEIGHTS_MAPPED));
    return TEST_PASS;
}

static enum test_result hostile_files(void) {
    struct place place;
    struct stat info;
    char path[1200], link[1300];
    CHECK(place_init(&place, "hostile", DTYPE_Q8_0, 0));
    CHECK(load_is(&place, false, WEIGHTS_KEPT) && list_cache(&place, path) == 1);
    CHECK(stat(path, &info) == 0);
    off_t sizes[] = {
        0, 1, 63, 64, 4095, 4096, info.st_size / 2, info.st_size - 1, info.st_size + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK(truncate(path, sizes[i]) == 0);
        CHECK(load_is(&place, false, WEIGHTS_KEPT));
    }
    CHECK(chmod(path, 0620) == 0 && load_is(&place, false, WEIGHTS_KEPT));
    CHECK(chmod(path, 0602) == 0 && load_is(&place, false, WEIGHTS_KEPT));
    CHECK(chmod(path, 0644) == 0 && load_is(&place, false, WEIGHTS_MAPPED));
    if (geteuid() == 0) {
        CHECK(chown(path, 12345, (gid_t)-1) == 0 && load_is(&place, false, WEIGHTS_KEPT));
    }
    snprintf(link, sizeof link, "%s/moved", harness_scratch());
    CHECK(rename(path, link) == 0 && symlink(link, path) == 0);
    CHECK(load_is(&place, false, WEIGHTS_KEPT));
    CHECK(lstat(path, &info) == 0 && S_ISREG(info.st_mode));
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    CHECK(load_is(&place, false, WEIGHTS_KEPT));
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    CHECK(load_is(&place, false, WEIGHTS_PACKED)); // cannot be named, and is not needed
    CHECK(rmdir(path) == 0 && load_is(&place, false, WEIGHTS_KEPT));
    return TEST_PASS;
}

static enum test_result unwritable(void) {
    struct place place;
    CHECK(place_init(&place, "unwritable", DTYPE_Q4_K, 0));
    snprintf(place.cache, sizeof place.cache, "%s", "/dev/null/cache");
    CHECK(load_is(&place, false, WEIGHTS_PACKED));
    snprintf(place.cache, sizeof place.cache, "%s", "/proc/self/cache");
    CHECK(load_is(&place, false, WEIGHTS_PACKED));
    if (geteuid() == 0) return TEST_PASS; // root writes everywhere else
    snprintf(place.cache, sizeof place.cache, "%s/read-only", harness_scratch());
    CHECK(mkdir(place.cache, 0500) == 0);
    CHECK(load_is(&place, false, WEIGHTS_PACKED));
    return TEST_PASS;
}

// In a child, because the limit stays.
static enum test_result file_size_limit(void) {
    struct place place;
    char path[1200];
    CHECK(place_init(&place, "limited", DTYPE_F32, 0));
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {100000, 100000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(load_is(&place, false, WEIGHTS_PACKED) ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(list_cache(&place, path) == 0);
    return TEST_PASS;
}

static enum test_result full_disk(void) {
    struct place place;
    char path[1200], directory[300];
    CHECK(place_init(&place, "full", DTYPE_F32, 0));
    snprintf(directory, sizeof directory, "%s/tmpfs", harness_scratch());
    CHECK(mkdir(directory, 0700) == 0);
    if (mount("none", directory, "tmpfs", 0, "size=1m") != 0)
        return harness_skip("only root can mount a small disk");
    snprintf(place.cache, sizeof place.cache, "%s/cache", directory);
    bool fell_back = load_is(&place, false, WEIGHTS_PACKED);
    int n_files = list_cache(&place, path);
    umount(directory);
    CHECK(fell_back && n_files == 0);
    return TEST_PASS;
}

static enum test_result several_at_once(void) {
    enum { N_CHILDREN = 6 };
    struct place place;
    char path[1200];
    pid_t children[N_CHILDREN];
    CHECK(place_init(&place, "several", DTYPE_Q6_K, 0));
    for (int i = 0; i < N_CHILDREN; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        struct error err = {0};
        struct loaded loaded;
        bool good = true;
        for (int round = 0; round < 5 && good; round++)
            good = load(place.model, place.cache, false, &loaded, &err) == STATUS_OK &&
                   loaded.hash == place.plain.hash &&
                   (loaded.origin == WEIGHTS_KEPT || loaded.origin == WEIGHTS_MAPPED);
        _exit(good ? 0 : 1);
    }
    int status, n_good = 0;
    for (int i = 0; i < N_CHILDREN; i++)
        n_good += waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status) &&
                  WEXITSTATUS(status) == 0;
    CHECK(n_good == N_CHILDREN);
    CHECK(list_cache(&place, path) == 1 && load_is(&place, false, WEIGHTS_MAPPED));
    return TEST_PASS;
}

static enum test_result small_models_are_not_kept(void) {
    struct place place;
    struct checkpoint *checkpoint;
    struct model *model;
    double seconds;
    char path[1200];
    CHECK(place_init(&place, "small", DTYPE_Q4_0, 0));
    CHECK(checkpoint_open(&checkpoint, place.model, CHECKPOINT_AUTO, NULL) == STATUS_OK);
    struct model_load how = {.cache_directory = place.cache, .cache_min_bytes = 64 << 20};
    CHECK(model_open(&model, checkpoint, &how, NULL) == STATUS_OK);
    CHECK(model_weights_origin(model, &seconds) == WEIGHTS_PACKED);
    CHECK(list_cache(&place, path) == -1);
    model_close(model);
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

static enum test_result directories(void) {
    char directory[64];
    setenv("XINGLIN_CACHE", "/a/b", 1);
    CHECK(packed_file_directory(directory, sizeof directory) && !strcmp(directory, "/a/b"));
    setenv("XINGLIN_CACHE", "off", 1);
    CHECK(!packed_file_directory(directory, sizeof directory));
    unsetenv("XINGLIN_CACHE");
    setenv("XDG_CACHE_HOME", "/c", 1);
    CHECK(packed_file_directory(directory, sizeof directory));
    CHECK(!strcmp(directory, "/c/xinglin/packed"));
    setenv("XDG_CACHE_HOME", "relative", 1); // to be ignored, says the XDG specification
    setenv("HOME", "/h", 1);
    CHECK(packed_file_directory(directory, sizeof directory));
    CHECK(!strcmp(directory, "/h/.cache/xinglin/packed"));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK(!packed_file_directory(directory, sizeof directory));
    setenv("XINGLIN_CACHE", "/abcdefghi", 1);
    CHECK(!packed_file_directory(directory, 5));
    return TEST_PASS;
}

static const struct test tests[] = {
    {"build_map_copy", "built, mapped and copied weights are the same bytes", build_map_copy},
    {"changed_source", "a changed checkpoint makes a new file", changed_source},
    {"flipped_bytes", "a damaged byte anywhere: rebuilt", flipped_bytes},
    {"hostile_files", "sizes, owners, modes and kinds of file that are not ours", hostile_files},
    {"unwritable", "a directory that cannot be written is no error", unwritable},
    {"file_size_limit", "nor is a limit on the size of files", file_size_limit},
    {"full_disk", "nor a full disk", full_disk},
    {"several_at_once", "processes that build at the same time", several_at_once},
    {"small_models", "small models are not kept", small_models_are_not_kept},
    {"directories", "where the cache is", directories},
};

int main(int argc, char **argv) {
    return harness_main("packed_file", tests, sizeof tests / sizeof tests[0], argc, argv);
}
