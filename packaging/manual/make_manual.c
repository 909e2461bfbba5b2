// SPDX-License-Identifier: Apache-2.0
// Build step: make_manual TEXT_DIR OUT_DIR writes man pages, completions and the server's table of
// options. TEXT_DIR/PAGE.roff is what a page says beyond its options.
#include "manual.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_BYTES_MAX = 1 << 16, PATH_BYTES_MAX = 1024 };

static const char *text_dir, *out_dir;

static char *read_text(const char *page) {
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s.roff", text_dir, page);
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    char *text = calloc(1, TEXT_BYTES_MAX);
    if (text && fread(text, 1, TEXT_BYTES_MAX - 1, file) == 0) text[0] = '\0';
    fclose(file);
    return text;
}

static FILE *create(const char *name) {
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "make_manual: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return file;
}

static void finish(FILE *file) {
    if (ferror(file) || fclose(file) != 0) {
        fprintf(stderr, "make_manual: cannot write: %s\n", strerror(errno));
        exit(1);
    }
}

static const struct manual_command *serve_command(void) {
    size_t i = 0;
    while (strcmp(manual_commands[i].name, "serve") != 0)
        i++;
    return &manual_commands[i];
}

static void write_pages(void) {
    for (size_t i = 0; i < n_manual_commands; i++) {
        char name[64], file_name[80];
        const char *page = manual_name(&manual_commands[i], '-', name, sizeof name);
        snprintf(file_name, sizeof file_name, "%s.1", page);
        FILE *out = create(file_name);
        char *more = read_text(file_name);
        page_write_command(out, &manual_commands[i], more);
        free(more);
        finish(out);
    }
    static const struct {
        const char *file;
        int section;
        const char *brief;
    } frames[] = {
        {"xinglin.1", 1, "large language models on CPUs"},
        {"xinglin.7", 7, "a hospital's own language model on the Xeon it already has"},
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        FILE *out = create(frames[i].file);
        char *more = read_text(frames[i].file);
        page_write_frame(out, "xinglin", frames[i].section, frames[i].brief, more);
        free(more);
        finish(out);
    }
    FILE *out = create("xinglin-server.conf.5");
    char *more = read_text("xinglin-server.conf.5");
    page_write_config(out, serve_command(), more);
    free(more);
    finish(out);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: make_manual TEXT_DIR OUT_DIR\n");
        return 2;
    }
    text_dir = argv[1];
    out_dir = argv[2];
    if (mkdir(out_dir, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "make_manual: %s: %s\n", out_dir, strerror(errno));
        return 1;
    }
    if (!manual_collect()) {
        fprintf(stderr, "make_manual: a table is empty or too long\n");
        return 1;
    }
    write_pages();
    const struct {
        const char *file;
        void (*write)(FILE *out);
    } completions[] = {{"xinglin.bash", completion_write_bash},
                       {"_xinglin", completion_write_zsh},
                       {"xinglin.fish", completion_write_fish}};
    for (size_t i = 0; i < sizeof completions / sizeof *completions; i++) {
        FILE *out = create(completions[i].file);
        completions[i].write(out);
        finish(out);
    }
    FILE *out = create("server_options.md");
    table_write_options(out, serve_command());
    finish(out);
    return 0;
}
