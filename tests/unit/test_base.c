// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // sched_getaffinity
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/cpu_budget.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "base/utf8.h"
#include "harness.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum test_result errors(void) {
    struct error err;
    char long_text[2000];
    CHECK(error_set(&err, STATUS_BAD_INPUT, "%s at %d", "x\ny\x1b[1m", 7) == STATUS_BAD_INPUT);
    CHECK(err.status == STATUS_BAD_INPUT && strcmp(err.message, "x?y?[1m at 7") == 0);
    CHECK(error_prefix(&err, "file %d", 3) == STATUS_BAD_INPUT);
    CHECK(strcmp(err.message, "file 3: x?y?[1m at 7") == 0);
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    error_set(&err, STATUS_FAILED, "%s", long_text);
    CHECK(strlen(err.message) < ERROR_MESSAGE_MAX);
    error_prefix(&err, "%s", long_text);
    CHECK(strlen(err.message) < ERROR_MESSAGE_MAX);
    CHECK(error_set(NULL, STATUS_USAGE, "nobody listens") == STATUS_USAGE);
    CHECK(error_no_memory(&err, "a thing", 123) == STATUS_NO_MEMORY && strstr(err.message, "123"));
    for (int i = 0; i < STATUS_COUNT; i++)
        CHECK(status_name((enum status)i) && *status_name((enum status)i));
    return TEST_PASS;
}

static enum test_result buffers(void) {
    struct buffer buffer;
    buffer_init(&buffer, 100);
    CHECK(buffer_append_text(&buffer, "hello") == STATUS_OK);
    CHECK(buffer_append_format(&buffer, " %d", 42) == STATUS_OK);
    CHECK(buffer.size_bytes == 8 && strcmp(buffer.data, "hello 42") == 0);
    CHECK(buffer_append(&buffer, NULL, 0) == STATUS_OK);
    char filler[92];
    memset(filler, 'x', sizeof filler);
    CHECK(buffer_append(&buffer, filler, 92) == STATUS_OK); // exactly full
    CHECK(buffer_append(&buffer, "y", 1) == STATUS_FAILED);
    CHECK(buffer_append(&buffer, "", 0) == STATUS_FAILED); // sticky
    CHECK(buffer.size_bytes == 100 && buffer_take(&buffer, NULL) == NULL);
    buffer_reset(&buffer);
    CHECK(buffer_append_text(&buffer, "again") == STATUS_OK);
    size_t size_bytes;
    char *text = buffer_take(&buffer, &size_bytes);
    CHECK(text && size_bytes == 5 && strcmp(text, "again") == 0);
    free(text);
    text = buffer_take(&buffer, &size_bytes);
    CHECK(text && size_bytes == 0 && *text == '\0');
    free(text);
    CHECK(buffer_append_format(&buffer, "%200d", 1) == STATUS_FAILED);
    buffer_deinit(&buffer);
    return TEST_PASS;
}

static enum test_result readers(void) {
    uint8_t data[16];
    for (int i = 0; i < 16; i++)
        data[i] = (uint8_t)(i + 1);
    struct bytes_reader reader = {data, 15, 0};
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    const uint8_t *span;
    CHECK(bytes_read_u8(&reader, &one) && one == 1);
    CHECK(bytes_read_u16(&reader, &two) && two == 0x0302);
    CHECK(bytes_read_u32(&reader, &four) && four == 0x07060504);
    CHECK(bytes_read_u64(&reader, &eight) && eight == 0x0f0e0d0c0b0a0908u);
    CHECK(bytes_left(&reader) == 0 && !bytes_read_u8(&reader, &one));
    reader.offset_bytes = 8; // 7 bytes left
    CHECK(!bytes_read_u64(&reader, &eight) && reader.offset_bytes == 8);
    CHECK(!bytes_read_span(&reader, 8, &span) && !bytes_read_span(&reader, UINT64_MAX, &span));
    CHECK(bytes_read_span(&reader, 7, &span) && span == data + 8 && bytes_left(&reader) == 0);
    CHECK(bytes_read_span(&reader, 0, &span) && !bytes_read_u16(&reader, &two));
    return TEST_PASS;
}

static enum test_result sizes(void) {
    uint64_t result;
    CHECK(size_multiply(1u << 31, 1u << 31, &result) && result == (uint64_t)1 << 62);
    CHECK(!size_multiply((uint64_t)1 << 32, (uint64_t)1 << 32, &result));
    CHECK(!size_multiply(UINT64_MAX, 2, &result) && size_multiply(UINT64_MAX, 0, &result));
    CHECK(size_add(UINT64_MAX - 1, 1, &result) && result == UINT64_MAX);
    CHECK(!size_add(UINT64_MAX, 1, &result));
    return TEST_PASS;
}

static enum test_result utf8_round_trip(void) {
    for (uint32_t code = 0; code <= 0x110000; code++) {
        char bytes[4];
        uint32_t back;
        size_t n = utf8_write(code, bytes);
        bool is_scalar_value = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        CHECK_MESSAGE((n > 0) == is_scalar_value, "U+%X encodes to %zu bytes", code, n);
        if (n == 0) continue;
        CHECK(utf8_decode(bytes, n, &back) == n && back == code && utf8_is_valid(bytes, n));
        for (size_t cut = 1; cut < n; cut++) { // a beginning is pending, and invalid as it stands
            CHECK(utf8_complete_prefix(bytes, cut) == 0 && !utf8_is_valid(bytes, cut));
            CHECK(utf8_decode(bytes, cut, &back) == 1 && back == UTF8_INVALID);
        }
        CHECK(utf8_complete_prefix(bytes, n) == n);
    }
    return TEST_PASS;
}

static enum test_result utf8_malformed(void) {
    static const char *const bad[] = {
        "\x80", "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",    "\xed\xa0\x80",
        "\xff", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t code;
        CHECK(utf8_decode(bad[i], strlen(bad[i]), &code) == 1 && code == UTF8_INVALID);
        CHECK(!utf8_is_valid(bad[i], strlen(bad[i])));
        CHECK(utf8_complete_prefix(bad[i], strlen(bad[i])) ==
              strlen(bad[i])); // nothing to wait for
    }
    CHECK(utf8_complete_prefix("ab\xe6\x9d", 4) == 2 && utf8_complete_prefix("", 0) == 0);
    return TEST_PASS;
}

static bool write_file(const char *directory, const char *name, const char *text) {
    char path[1024];
    snprintf(path, sizeof path, "%s%s", directory, name);
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fputs(text, file);
    return fclose(file) == 0;
}

static enum test_result mapped_files(void) {
    struct mapped_file file;
    struct error err;
    char path[1024];
    const char *directory = harness_scratch();
    CHECK(mapped_file_open(&file, "/no/such/file", &err) == STATUS_NOT_FOUND);
    CHECK(strstr(err.message, "/no/such/file"));
    CHECK(mapped_file_open(&file, directory, &err) == STATUS_BAD_INPUT);
    CHECK(mapped_file_open(&file, "/dev/null", &err) == STATUS_BAD_INPUT);
    CHECK(write_file(directory, "/empty", "") && write_file(directory, "/text", "hello"));
    snprintf(path, sizeof path, "%s/empty", directory);
    CHECK(mapped_file_open(&file, path, &err) == STATUS_OK && file.size_bytes == 0 && !file.data);
    mapped_file_release(&file, 0, 10);
    mapped_file_close(&file);
    snprintf(path, sizeof path, "%s/text", directory);
    CHECK(mapped_file_open(&file, path, &err) == STATUS_OK && file.size_bytes == 5);
    mapped_file_release(&file, 0, 5);
    CHECK(memcmp(file.data, "hello", 5) == 0);
    mapped_file_close(&file);
    CHECK(file.data == NULL);
    return TEST_PASS;
}

static enum test_result time_moves_on(void) {
    double start = clock_seconds(), now = start;
    for (int i = 0; i < 1000000 && now == start; i++)
        now = clock_seconds();
    CHECK(now > start);
    return TEST_PASS;
}

static enum test_result budget_here(void) {
    struct cpu_budget budget;
    cpu_budget_read(&budget);
    CHECK(budget.n_affinity >= 1 && budget.n_physical_cores >= 1 && budget.quota_cpus >= 0);
    CHECK(budget.n_physical_cores <= budget.n_affinity);
    CHECK(budget.n_threads >= 1 && budget.n_threads <= budget.n_physical_cores);
    return TEST_PASS;
}

// The quota that a fake machine's control groups give.
static double quota_under(const char *machine, const char *group_line) {
    struct cpu_budget budget;
    char root[512];
    snprintf(root, sizeof root, "%s/%s", harness_scratch(), machine);
    mkdir(root, 0700);
    if (!write_file(root, "/proc/self/cgroup", group_line)) return -1;
    cpu_budget_read_under(&budget, root);
    if (budget.quota_cpus > 0 && budget.n_threads > 1 && budget.n_threads > budget.quota_cpus)
        return -1;
    return budget.quota_cpus;
}

static bool give(const char *machine, const char *name, const char *text) {
    char root[512];
    snprintf(root, sizeof root, "%s/%s", harness_scratch(), machine);
    mkdir(root, 0700);
    return write_file(root, name, text);
}

static enum test_result budget_of_groups(void) {
    CHECK(quota_under("none", "0::/\n") == 0);
    CHECK(give("v2", "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"));
    CHECK(quota_under("v2", "0::/a/b\n") == 0);
    CHECK(give("v2", "/sys/fs/cgroup/a/cpu.max", "150000 100000\n")); // a parent limits too
    CHECK(quota_under("v2", "0::/a/b\n") == 1.5);
    CHECK(give("v2", "/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n"));
    CHECK(quota_under("v2", "0::/a/b\n") == 0.5);
    CHECK(quota_under("v2", "0::/elsewhere\n") == 0);
    CHECK(give("box", "/sys/fs/cgroup/cpu.max", "200000 100000\n")); // path not visible inside
    CHECK(quota_under("box", "0::/system.slice/docker-1.scope\n") == 2);
    CHECK(give("v1", "/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_quota_us", "100000\n"));
    CHECK(give("v1", "/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_period_us", "100000\n"));
    CHECK(quota_under("v1", "12:memory:/m\n4:cpu,cpuacct:/g\n") == 1);
    CHECK(give("v1", "/sys/fs/cgroup/cpu,cpuacct/g/cpu.cfs_quota_us", "-1\n"));
    CHECK(quota_under("v1", "12:memory:/m\n4:cpu,cpuacct:/g\n") == 0);
    CHECK(quota_under("v1", "rubbish\n\n:::\n4:cpuset:/g\n") == 0);
    return TEST_PASS;
}

// Two logical CPUs of one core count as one.
static enum test_result budget_of_siblings(void) {
    struct cpu_budget budget;
    cpu_set_t set;
    int n_cores = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return harness_skip("affinity is unreadable");
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu += 2) {
        for (int i = cpu; i < cpu + 2; i++) {
            char name[128], text[32];
            if (!CPU_ISSET(i, &set)) continue;
            snprintf(name, sizeof name,
                     "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
            snprintf(text, sizeof text, "%d-%d\n", cpu, cpu + 1);
            CHECK(give("smt", name, text));
        }
        n_cores += CPU_ISSET(cpu, &set) || CPU_ISSET(cpu + 1, &set);
    }
    char root[512];
    snprintf(root, sizeof root, "%s/smt", harness_scratch());
    cpu_budget_read_under(&budget, root);
    CHECK(budget.n_affinity == CPU_COUNT(&set) && budget.n_physical_cores == n_cores);
    CHECK(budget.n_threads == n_cores);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"errors", "messages are one printable line, prefixed and cut", errors},
    {"buffers", "a buffer keeps its maximum and its failure", buffers},
    {"readers", "reads past the end are refused and move nothing", readers},
    {"sizes", "size arithmetic notices overflow", sizes},
    {"utf8", "every code point there and back, and cut in two", utf8_round_trip},
    {"utf8_malformed", "overlong forms, surrogates and strays are refused", utf8_malformed},
    {"mapped_files", "missing, empty, special and ordinary files", mapped_files},
    {"clock", "time moves on", time_moves_on},
    {"budget", "this machine's CPU budget is plausible", budget_here},
    {"budget_groups", "control group quotas, version 1 and 2, nested", budget_of_groups},
    {"budget_siblings", "logical CPUs of one core count once", budget_of_siblings},
};

int main(int argc, char **argv) {
    return harness_main("base", tests, sizeof tests / sizeof tests[0], argc, argv);
}
