// SPDX-License-Identifier: Apache-2.0
// The parts of the commands that compute or parse: option tables, the statistics of `eval`, result
// files that appear whole or not at all, and the machine's own speed.
#include "harness.h"

#include "tools/divergence.h"
#include "tools/machine_speed.h"
#include "tools/option_table.h"
#include "tools/output_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct parsed {
    int flag, number;
    float real;
    uint64_t seed;
    const char *text;
    struct option_ints ints;
    struct option_texts texts;
    const char *positionals[2];
    int n_positionals;
};

// Parses one line of words; the messages of refused lines go to stderr, which is closed meanwhile.
static int parse(struct parsed *p, const char *words) {
    static char copy[512];
    char *argv[32];
    int argc = 0;
    memset(p, 0, sizeof *p);
    snprintf(copy, sizeof copy, "tool %s", words);
    for (char *word = copy; word && argc < 32;) {
        argv[argc++] = word;
        word = strchr(word, ' ');
        if (word) *word++ = '\0';
    }
    const struct option_row rows[] = {
        {0, NULL, OPTION_SECTION, NULL, NULL, "Section", 0, 0},
        {'f', "flag", OPTION_FLAG, &p->flag, NULL, "a flag", 0, 0},
        {'n', "number", OPTION_INT, &p->number, "N", "a number", 1, 100},
        {0, "real", OPTION_NUMBER, &p->real, "X", "a real number", 0, 2},
        {0, "seed", OPTION_U64, &p->seed, "N", "a seed", 0, 0},
        {'t', "text", OPTION_TEXT, &p->text, "TEXT", "a text", 0, 0},
        {0, "ints", OPTION_INTS, &p->ints, "N,..", "numbers", -5, 5},
        {'m', NULL, OPTION_TEXTS, &p->texts, "T,..", "texts", 0, 0},
    };
    struct command_line line = {.usage = "[flags] FILE",
                                .summary = "A test.",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows,
                                .positionals = p->positionals,
                                .n_positionals_max = 2};
    int kept = dup(STDERR_FILENO);
    if (!freopen("/dev/null", "w", stderr)) return -2;
    int status = options_parse(&line, argc, argv);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    p->n_positionals = line.n_positionals;
    return status;
}

static enum test_result test_options(void) {
    static struct parsed p;
    CHECK(parse(&p, "-f -n 7 --real=1.5 --seed 18446744073709551615 -tabc --ints -1,2,5 a") ==
          OPTIONS_GO_ON);
    CHECK(p.flag == 1 && p.number == 7 && p.real == 1.5f && p.seed == UINT64_MAX);
    CHECK(strcmp(p.text, "abc") == 0 && p.ints.n_items == 3 && p.ints.items[0] == -1);
    CHECK(p.n_positionals == 1 && strcmp(p.positionals[0], "a") == 0);
    CHECK(parse(&p, "-m x,y -m z -- -f") == OPTIONS_GO_ON);
    CHECK(p.texts.n_items == 3 && strcmp(p.texts.items[2], "z") == 0 && p.flag == 0);
    CHECK(p.n_positionals == 1 && strcmp(p.positionals[0], "-f") == 0);
    CHECK(parse(&p, "-") == OPTIONS_GO_ON && p.n_positionals == 1); // stdin
    const char *const refused[] = {"-q",       "--flagg",     "--flag=1",   "-n",
                                   "-n 0",     "-n 101",      "-n 5x",      "-n ",
                                   "a b c",    "--real nan",  "--real 2.1", "--seed -1",
                                   "--seed x", "--ints 1,,2", "--ints 9",   "-m a,,b"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        CHECK_MESSAGE(parse(&p, refused[i]) == 2, "accepted: %s", refused[i]);
    return TEST_PASS;
}

static enum test_result test_divergence(void) {
    struct divergence d;
    struct divergence_summary s;
    const float even[2] = {3, 3}, odd[2] = {logf(3), 0}; // 1/2 1/2 and 3/4 1/4
    CHECK(divergence_init(&d, 2, true));
    CHECK(divergence_perplexity(&d) == 0);
    CHECK(divergence_add(&d, even, odd, 2, 0) == 0);
    CHECK(divergence_add(&d, odd, odd, 2, 1) == 0);
    divergence_summarise(&d, &s);
    double kl = 0.75 * log(1.5) + 0.25 * log(0.5);
    CHECK(s.n_positions == 2);
    CHECK(fabs(s.nll - (log(2) + log(4)) / 2) < 1e-6);
    CHECK(fabs(s.perplexity - sqrt(8)) < 1e-5);
    CHECK(fabs(s.perplexity_error - sqrt(8) * log(2) / 2) < 1e-5);
    CHECK(fabs(s.reference_perplexity - exp((log(4.0 / 3) + log(4)) / 2)) < 1e-5);
    CHECK(fabs(s.kl_mean - kl / 2) < 1e-6 && fabs(s.kl_max - kl) < 1e-6);
    CHECK(s.top1_agreement == 1);
    divergence_deinit(&d);
    return TEST_PASS;
}

static enum test_result test_output_file(void) {
    char path[512];
    struct output_file output;
    snprintf(path, sizeof path, "%s/result", harness_scratch());
    CHECK(output_file_open(&output, path));
    output_file_write(&output, "abc", 3);
    CHECK(access(path, F_OK) != 0); // not before it is complete
    CHECK(output_file_commit(&output) && access(path, F_OK) == 0);
    CHECK(access(output.temporary, F_OK) != 0);
    CHECK(unlink(path) == 0);
    CHECK(output_file_open(&output, path));
    output_file_abort(&output);
    CHECK(access(path, F_OK) != 0 && access(output.temporary, F_OK) != 0);
    struct stat info;
    CHECK(output_file_open(&output, "/dev/null")); // written to, not replaced
    output_file_write(&output, "abc", 3);
    CHECK(output_file_commit(&output));
    CHECK(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    CHECK(output_file_open(&output, "/dev/full"));
    output_file_write(&output, "abc", 3);
    CHECK(!output_file_commit(&output) && errno == ENOSPC);
    CHECK(output_file_open(&output, NULL) && output_file_commit(&output));
    CHECK(!output_file_open(&output, "/nonexistent/folder/result"));
    return TEST_PASS;
}

static enum test_result test_machine_speed(void) {
    struct machine_speed speed;
    CHECK(machine_speed_measure(&speed, 2));
    CHECK_MESSAGE(speed.read_bytes_per_s > 1e8 && speed.read_bytes_per_s < 1e13, "%g bytes/s",
                  speed.read_bytes_per_s);
    CHECK_MESSAGE(speed.float_ops_per_s > 1e8 && speed.float_ops_per_s < 1e14, "%g ops/s",
                  speed.float_ops_per_s);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"options", "option tables accept and refuse", test_options},
    {"divergence", "perplexity and KL of known distributions", test_divergence},
    {"output_file", "result files are whole or absent", test_output_file},
    {"machine_speed", "plausible limits of this machine", test_machine_speed},
};

int main(int argc, char **argv) {
    return harness_main("tools", tests, sizeof tests / sizeof *tests, argc, argv);
}
