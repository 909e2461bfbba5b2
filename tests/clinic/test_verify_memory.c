// SPDX-License-Identifier: Apache-2.0
// Memory that runs out: each allocation of the verifier fails once; it refuses or succeeds, and
// frees what it had (with AddressSanitizer: no leak).
#include "clinic/verify/verifier.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static long fail_at = -1, n_allocations; // -1: none fails

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
char *__real_strndup(const char *text, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strndup(const char *text, size_t bytes);

static bool fails(void) {
    return n_allocations++ == fail_at;
}

void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes) {
    return fails() ? NULL : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *old, size_t bytes) {
    return fails() ? NULL : __real_realloc(old, bytes);
}

char *__wrap_strndup(const char *text, size_t bytes) {
    return fails() ? NULL : __real_strndup(text, bytes);
}

static struct episode *episode;

static const char TEXT[] =
    "3月12日在全身麻醉下行腹腔镜下胆囊切除术，予头孢唑林钠1.0 g静脉滴注，无胆漏；"
    "谷丙转氨酶58 U/L，右上腹轻压痛，既往有高血压病史。";

// One life of a verifier; true if all of it went well.
static bool live(void) {
    struct clinic_error error = {0};
    struct text_check check;
    struct verifier *verifier = verifier_create(episode, &error);
    if (!verifier) {
        return false;
    }
    bool ok = verifier_check(verifier, "course", TEXT, sizeof TEXT - 1, &check, &error);
    if (ok) {
        text_check_deinit(&check);
    }
    verifier_free(verifier);
    return ok;
}

static enum test_result test_each(void) {
    n_allocations = 0;
    fail_at = -1;
    CHECK(live());
    long all = n_allocations, refused = 0, tried = 0;
    CHECK(all > 500);
    for (long i = 0; i < all; i += i < 60 || i > all - 120 ? 1 : 61) {
        n_allocations = 0;
        fail_at = i;
        refused += !live();
        tried++;
    }
    fail_at = -1;
    CHECK_MESSAGE(refused > tried / 2, "%ld of %ld refused", refused, tried);
    CHECK(live());
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"each", "each allocation fails once, cleanly", test_each},
    };
    char path[4096];
    json_t *root =
        harness_repo_path("examples/episodes/05-gallstones/episode.json", path, sizeof path)
            ? json_load_file(path, 0, NULL)
            : NULL;
    episode = root ? episode_read(root, NULL) : NULL;
    json_decref(root);
    if (!episode) {
        printf("FAIL the bundled episode cannot be read\n");
        return 1;
    }
    int status = harness_main("verify_memory", tests, sizeof tests / sizeof *tests, argc, argv);
    episode_free(episode);
    return status;
}
