// SPDX-License-Identifier: Apache-2.0
// Structural mutants of an episode, a FHIR Bundle and documents in HTML and text: each must be
// refused with an error that says what is wrong and no word of the patient's, or be read and be
// readable to the last byte; within time and memory. Then each allocation fails in turn: no result,
// or the same one.
//   fuzz_episode [--target NAME] [--mutants N] [--seed S] [--only MUTANT]
#include "allocation_limit.h"
#include "episode_probe.h"
#include "episode_seeds.h"
#include "json_damage.h"
#include "seed_map.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEEDS_MAX = 8, LIVE_BYTES_MAX = 32 << 20, HANG_SECONDS = 60 };

struct target {
    const char *name;
    void (*probe)(const char *text, size_t bytes, struct answer *answer);
    void (*map)(struct document *document);
    const char *const *seeds;                                // ends with NULL
    void (*probe_json)(json_t *root, struct answer *answer); // of JSON; else NULL
};

static void map_json(struct document *document) {
    seed_map_json(document, 0, document->size);
}

// Tags, texts between them, entities, and single characters of labels.
static void map_markup(struct document *document) {
    size_t begin = 0;
    for (size_t i = 0; i < document->size; i++) {
        uint8_t c = document->bytes[i];
        bool ends = c == '>' || c == ';' || c == '\n';
        bool begins = c == '<' || c == '&';
        if (begins && i > begin) {
            document_note_span(document, begin, i, SPAN_TEXT);
            begin = i;
        }
        if (ends) {
            document_note_span(document, begin, i + 1, SPAN_VALUE);
            begin = i + 1;
        }
        if (c == '=' || c == '"' || c == '/' || c == '<' || c == '>')
            document_note_span(document, i, i + 1, SPAN_SIGN);
    }
}

static const struct target targets[] = {
    {"episode", probe_episode, map_json, episode_seeds, probe_episode_json},
    {"fhir", probe_fhir, map_json, fhir_seeds, probe_fhir_json},
    {"html", probe_html, map_markup, html_seeds, NULL},
    {"text", probe_text, map_markup, text_seeds, NULL},
};
enum { N_TARGETS = sizeof targets / sizeof *targets };

struct run {
    const struct target *target;
    uint64_t seed;
    struct document seeds[SEEDS_MAX], mutant;
    size_t n_seeds;
    long n_read, n_refused, n_failed, n_no_json, n_starved;
};

// What a dying process should say; the sanitizer calls it too.
static char current[160];

static void say_current(void) {
    ssize_t ignored = write(STDERR_FILENO, current, strlen(current));
    (void)ignored;
}

static void on_alarm(int signal_number) {
    (void)signal_number;
    say_current();
    _exit(1);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static bool prepare(struct run *run) {
    bool ready = document_init(&run->mutant);
    for (int i = 0; ready && run->target->seeds[i] && i < SEEDS_MAX; i++) {
        struct document *seed = &run->seeds[run->n_seeds++];
        ready = document_init(seed);
        if (!ready) break;
        document_clear(seed);
        document_put(seed, run->target->seeds[i], strlen(run->target->seeds[i]));
        run->target->map(seed);
    }
    return ready;
}

static void finish(struct run *run) {
    for (size_t i = 0; i < run->n_seeds; i++)
        document_deinit(&run->seeds[i]);
    document_deinit(&run->mutant);
}

static void make_mutant(struct run *run, long number) {
    struct mutator mutator = {.state = run->seed ^ ((uint64_t)number << 20)};
    mutator_random(&mutator);
    size_t which = mutator_below(&mutator, run->n_seeds);
    mutator.donor = &run->seeds[mutator_below(&mutator, run->n_seeds)];
    document_copy(&run->mutant, &run->seeds[which]);
    if (run->target->probe_json && number % 4 != 0) {
        json_damage(&mutator, &run->mutant);
    } else {
        mutator_damage(&mutator, &run->mutant);
    }
}

static const char *judge(struct run *run, const struct answer *answer, bool within_limit) {
    const char *message = answer->error.message;
    if (!within_limit) return "allocates too much or leaks";
    if (answer->complaint) return answer->complaint;
    if (answer->error.failure == CLINIC_OK) {
        run->n_read++;
        return NULL;
    }
    run->n_refused++;
    run->n_no_json += strstr(message, "no valid JSON") != NULL;
    if (answer->error.failure != CLINIC_BAD_INPUT) return "is refused with the wrong kind of error";
    if (message[0] == '\0') return "is refused without a word";
    return strstr(message, "示") ? "is refused with a patient's text" : NULL;
}

static void try_mutant(struct run *run, long number) {
    struct answer answer = {0};
    size_t peak, left;
    snprintf(current, sizeof current, "fuzz_episode --target %s --seed %llu --only %ld\n",
             run->target->name, (unsigned long long)run->seed, number);
    make_mutant(run, number);
    char *exact = malloc(run->mutant.size ? run->mutant.size : 1); // a sanitizer sees the end
    if (!exact) return;
    memcpy(exact, run->mutant.bytes, run->mutant.size);
    alarm(HANG_SECONDS);
    allocation_limit_begin(LIVE_BYTES_MAX);
    run->target->probe(exact, run->mutant.size, &answer);
    bool has_result = answer.result != NULL;
    json_decref(answer.result);
    bool within_limit = allocation_limit_end(&peak, &left);
    alarm(0);
    free(exact);
    const char *complaint = judge(run, &answer, within_limit);
    if (!complaint && has_result != (answer.error.failure == CLINIC_OK))
        complaint = "has a result and an error, or neither";
    if (!complaint) return;
    run->n_failed++;
    printf("    %.*s: %s (peak %zu, left %zu): %s\n", (int)strcspn(current, "\n"), current,
           complaint, peak, left, answer.error.message);
}

static void probe_seed(const struct target *target, const struct document *seed, json_t *root,
                       struct answer *answer) {
    if (target->probe_json) {
        target->probe_json(root, answer);
    } else {
        target->probe((const char *)seed->bytes, seed->size, answer);
    }
}

// One seed again and again while the first, second, third … allocation fails: the same result, or
// none and the reason.
static void starve(struct run *run, const struct document *seed) {
    struct answer whole = {0};
    json_t *root = json_loadb((const char *)seed->bytes, seed->size, 0, NULL);
    probe_seed(run->target, seed, root, &whole);
    bool failed = true;
    long n = 1;
    for (; failed; n++) {
        struct answer answer = {0};
        size_t peak, left;
        snprintf(current, sizeof current, "%s: allocation %ld fails\n", run->target->name, n);
        allocation_limit_begin(LIVE_BYTES_MAX);
        json_set_alloc_funcs(malloc, free); // those that can fail
        allocation_limit_fail_at(n);
        probe_seed(run->target, seed, root, &answer);
        failed = allocation_limit_did_fail();
        bool is_right = answer.result ? json_equal(answer.result, whole.result)
                                      : answer.error.failure == CLINIC_NO_MEMORY;
        json_decref(answer.result);
        bool is_clean = allocation_limit_end(&peak, &left);
        if (is_clean && is_right) continue;
        run->n_failed++;
        printf("    %s allocation %ld fails: %s, %zu bytes left: %s\n", run->target->name, n,
               answer.result ? "another result" : "no result", left, answer.error.message);
    }
    run->n_starved += n - 2;
    json_decref(whole.result);
    json_decref(root);
}

static bool run_target(const struct target *target, uint64_t seed, long n_mutants, long only) {
    static struct run run;
    run = (struct run){.target = target, .seed = seed};
    bool ready = prepare(&run);
    for (long i = only >= 0 ? only : 0; ready && i < (only >= 0 ? only + 1 : n_mutants); i++)
        try_mutant(&run, i);
    for (size_t i = 0; ready && i < run.n_seeds && only < 0; i++)
        starve(&run, &run.seeds[i]);
    finish(&run);
    // Mutants that all fall at the first fence prove nothing.
    bool is_deep = only >= 0 || (run.n_read > n_mutants / 20 && run.n_no_json < n_mutants / 2);
    bool good = ready && run.n_failed == 0 && is_deep;
    printf("%s fuzz_episode.%s: %ld refused (%ld as no JSON), %ld read, %ld failed, "
           "%ld allocations\n",
           good ? "ok  " : "FAIL", target->name, run.n_refused, run.n_no_json, run.n_read,
           run.n_failed, run.n_starved);
    return good;
}

int main(int argc, char **argv) {
    const char *only_target = NULL;
    long n_mutants = 12000, only = -1;
    uint64_t seed = 20261123;
    int passed = 0, failed = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--target") == 0) only_target = argv[i + 1];
        if (strcmp(argv[i], "--mutants") == 0) n_mutants = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--only") == 0) only = strtol(argv[i + 1], NULL, 10);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, on_alarm);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(say_current);
    json_object_seed(1); // the same order in every run
    bool is_open = episode_probe_open();
    printf("seed %llu, %ld mutants a target\n", (unsigned long long)seed, n_mutants);
    for (int i = 0; i < N_TARGETS && is_open; i++) {
        if (only_target && strcmp(only_target, targets[i].name) != 0) continue;
        bool good = run_target(&targets[i], seed, n_mutants, only);
        passed += good, failed += !good;
    }
    episode_probe_close();
    printf("fuzz_episode: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed || passed == 0;
}
