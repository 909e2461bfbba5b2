// SPDX-License-Identifier: Apache-2.0
// The server's configuration: every option from every source, who wins, and that mistakes are named
// with their place.
#include "server/config.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

// Reads with these arguments (NULL ends them); -m M is added unless `bare`.
static enum config_action read_with(struct config *config, bool bare,
                                    const char *const *arguments) {
    static char sets[2][ARGUMENTS_MAX][256]; // two configs live at a time
    static char *argv[ARGUMENTS_MAX + 1];
    static int turn;
    char(*copies)[256] = sets[turn++ % 2];
    int argc = 0;
    const char *const beginning[] = {"xinglin serve", "-m", "M"};
    for (int i = 0; i < (bare ? 1 : 3); i++)
        snprintf(copies[argc++], sizeof copies[0], "%s", beginning[i]);
    for (; *arguments; arguments++)
        snprintf(copies[argc++], sizeof copies[0], "%s", *arguments);
    for (int i = 0; i < argc; i++)
        argv[i] = copies[i];
    argv[argc] = NULL;
    return config_read(config, argc, argv);
}

#define READ(config, ...) read_with(config, false, (const char *const[]){__VA_ARGS__, NULL})

static const char *write_config(const char *text) {
    static char path[600];
    snprintf(path, sizeof path, "%s/server.conf", harness_scratch());
    FILE *file = fopen(path, "w");
    if (!file) return NULL;
    fputs(text, file);
    fclose(file);
    return path;
}

static void clear_environment(void) {
    for (size_t i = 0; i < n_config_options; i++) {
        char name[CONFIG_VARIABLE_BYTES];
        if (!config_options[i].name) continue;
        config_variable(&config_options[i], name);
        unsetenv(name);
    }
    unsetenv("XINGLIN_CONFIG");
}

static enum test_result table_is_sound(void) {
    CHECK(n_config_options <= CONFIG_OPTIONS_MAX);
    struct server_settings defaults;
    settings_default(&defaults);
    for (size_t i = 0; i < n_config_options; i++) {
        const struct config_option *option = &config_options[i];
        CHECK(option->help && *option->help);
        if (!option->name) continue;
        CHECK(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-") == strlen(option->name));
        CHECK((option->argument == NULL) == (option->kind == CONFIG_SWITCH));
        for (size_t j = 0; j < i; j++) {
            const struct config_option *other = &config_options[j];
            if (!other->name) continue;
            CHECK(strcmp(other->name, option->name) != 0 && other->offset != option->offset);
            CHECK(!option->short_name || other->short_name != option->short_name);
        }
        char value[64]; // a default is in range, or the range is wrong
        config_spell(option, &defaults, value, sizeof value);
        bool is_number = option->kind == CONFIG_INT || option->kind == CONFIG_NUMBER;
        double number = strtod(value, NULL);
        CHECK_MESSAGE(!is_number || (number >= option->min && number <= option->max), "%s",
                      option->name);
    }
    return TEST_PASS;
}

// Every option by flag, by variable and by file, with a value other than the default.
static enum test_result every_option(void) {
    struct config config;
    for (size_t i = 0; i < n_config_options; i++) {
        const struct config_option *option = &config_options[i];
        if (!option->name) continue;
        char value[64], flag[64], line[160], variable[CONFIG_VARIABLE_BYTES], spelt[64];
        snprintf(value, sizeof value, "%.0f", option->max < 100 ? option->max : option->min + 3);
        if (option->kind == CONFIG_SWITCH) snprintf(value, sizeof value, "yes");
        if (option->kind == CONFIG_TEXT || option->kind == CONFIG_PATH)
            snprintf(value, sizeof value, "some text");
        if (option->kind == CONFIG_LIST) snprintf(value, sizeof value, "one, two");
        snprintf(flag, sizeof flag, "--%s=%.40s", option->name, value);
        snprintf(line, sizeof line, "\n  %s =  %s  \r\n# end", option->name, value);
        config_variable(option, variable);
        for (int source = 0; source < 3; source++) {
            const char *none[] = {"--print-config", NULL, NULL, NULL};
            if (source == 0) none[1] = flag;
            if (source == 1) setenv(variable, value, 1);
            if (source == 2) none[1] = "--config", none[2] = write_config(line);
            enum config_action action = read_with(&config, true, none);
            unsetenv(variable);
            CHECK_MESSAGE(action == CONFIG_PRINT, "%s: %s", option->name, config.message);
            config_spell(option, &config.settings, spelt, sizeof spelt);
            CHECK_MESSAGE(strcmp(spelt, value) == 0, "%s: %s", option->name, spelt);
            const enum config_origin origins[] = {CONFIG_FROM_FLAG, CONFIG_FROM_ENVIRONMENT,
                                                  CONFIG_FROM_FILE};
            CHECK(config.origins[i] == origins[source]);
            CHECK(source != 2 || config.lines[i] == 2);
            config_close(&config);
        }
    }
    return TEST_PASS;
}

static enum test_result precedence(void) {
    struct config config;
    const char *path = write_config("port = 1001\nqueue = 11\nparallel = 21\nallowed-hosts = a\n"
                                    "allowed_hosts = b , c\nno-page = yes\n");
    CHECK(path != NULL);
    setenv("XINGLIN_PORT", "1002", 1);
    setenv("XINGLIN_QUEUE", "12", 1);
    setenv("XINGLIN_PARALLEL", "", 1); // empty is unset
    CHECK(READ(&config, "--config", path, "--port", "1003", "--no-page=no") == CONFIG_SERVE);
    CHECK(config.settings.port == 1003 && config.settings.queue == 12);
    CHECK(config.settings.parallel == 21 && config.settings.no_page == 0);
    CHECK(config.settings.allowed_hosts.n_items == 3);
    CHECK(strcmp(config.settings.allowed_hosts.items[1], "b") == 0);
    config_close(&config);
    setenv("XINGLIN_CONFIG", path, 1); // by the environment; a list replaces, never adds up
    CHECK(READ(&config, "--allowed-hosts", "x", "--allowed-hosts=y", "--port=1", "--port=2") ==
          CONFIG_SERVE);
    CHECK(config.settings.allowed_hosts.n_items == 2 && config.settings.port == 2);
    CHECK(strcmp(config.settings.allowed_hosts.items[0], "x") == 0 &&
          strcmp(config.settings.allowed_hosts.items[1], "y") == 0);
    config_close(&config);
    clear_environment();
    return TEST_PASS;
}

// `text` as a file gives a message that contains `expected`.
static bool file_fails(const char *text, const char *expected) {
    struct config config;
    bool ok = READ(&config, "--config", write_config(text)) == CONFIG_MISTAKE &&
              strstr(config.message, expected) != NULL;
    if (!ok) printf("    \"%s\" instead of \"%s\"\n", config.message, expected);
    config_close(&config);
    return ok;
}

static enum test_result mistakes_in_files(void) {
    CHECK(
        file_fails("\nprot = 1\n", "server.conf:2: unknown name \"prot\"; did you mean \"port\""));
    CHECK(file_fails("zzzzzz = 1\n", "server.conf:1: unknown name \"zzzzzz\""));
    CHECK(file_fails("port = 1\n#\nport = 2\n", "server.conf:3: \"port\" has a value already, in "
                                                "line 1"));
    CHECK(file_fails("port = many\n", "server.conf:1: port: \"many\" is no whole number from 0"));
    CHECK(file_fails("port = 65536\n", "from 0 to 65535"));
    CHECK(file_fails("port = 80x\n", "\"80x\""));
    CHECK(file_fails("port =\n", "\"\""));
    CHECK(file_fails("top-p = nan\n", "top-p"));
    CHECK(file_fails("no-page = maybe\n", "neither yes nor no"));
    CHECK(file_fails("[server]\n", "server.conf:1: this is not \"name = value\""));
    CHECK(file_fails("host = \"x\n", "not closed"));
    CHECK(file_fails("= 3\n", "unknown name"));
    CHECK(file_fails("config = other\n", "unknown name \"config\""));
    CHECK(file_fails("no\x1bise = 3\n", "no?ise"));
    struct config config;
    CHECK(READ(&config, "--config", "/no/such/file") == CONFIG_MISTAKE);
    CHECK(strstr(config.message, "/no/such/file") && config.settings.model == NULL);
    config_close(&config);
    CHECK(READ(&config, "--config", harness_scratch()) == CONFIG_MISTAKE);
    config_close(&config);
    CHECK(READ(&config, "--config", "/dev/zero") == CONFIG_MISTAKE);
    config_close(&config);
    return TEST_PASS;
}

static enum test_result mistakes_in_flags(void) {
    const struct {
        const char *first, *second, *expected;
    } cases[] = {
        {"--prot", "1", "unknown flag \"--prot\" (did you mean --port?)"},
        {"--port", NULL, "missing after \"--port\""},
        {"--port=1e3", NULL, "\"1e3\""},
        {"-q", NULL, "unknown flag \"-q\""},
        {"--", NULL, "unknown flag \"--\""},
        {"-", NULL, "unknown flag \"-\""},
        {"file.gguf", NULL, "unexpected argument \"file.gguf\""},
        {"--print-config=yes", NULL, "takes no value"},
        {"--print-config", "--check-config", "do not go together"},
        {"--new-key=x", NULL, "--api-key-file"},
        {"--key-limits=x", NULL, "--new-key"},
        {"--config=", NULL, "needs a value"},
        {"--host=0.0.0.0", NULL, "needs keys"},
        {"--prefix-dir=x", NULL, "--prefix-key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        CHECK_MESSAGE(READ(&config, cases[i].first, cases[i].second) == CONFIG_MISTAKE, "%s",
                      cases[i].first);
        CHECK_MESSAGE(strstr(config.message, cases[i].expected), "%s", config.message);
        config_close(&config);
    }
    setenv("XINGLIN_PORT", "x", 1);
    struct config config;
    CHECK(READ(&config, NULL) == CONFIG_MISTAKE && strstr(config.message, "XINGLIN_PORT"));
    config_close(&config);
    clear_environment();
    return TEST_PASS;
}

static enum test_result actions(void) {
    struct config config;
    CHECK(READ(&config, "-h") == CONFIG_HELP);
    CHECK(READ(&config, "--help", "--port", "3") == CONFIG_HELP);
    CHECK(READ(&config, "--version") == CONFIG_VERSION);
    CHECK(READ(&config, "--check-config") == CONFIG_CHECK);
    config_close(&config);
    const char *const no_model[] = {"--check-config", NULL};
    CHECK(read_with(&config, true, no_model) == CONFIG_MISTAKE);
    CHECK(strstr(config.message, "no model"));
    config_close(&config);
    CHECK(READ(&config, "--new-prefix-key", "/p") == CONFIG_NEW_PREFIX_KEY);
    CHECK(strcmp(config.new_prefix_key, "/p") == 0);
    CHECK(READ(&config, "--new-key=ward", "--api-key-file", "/k", "--key-limits", "rate=6") ==
          CONFIG_NEW_KEY);
    CHECK(strcmp(config.new_key, "ward") == 0 && strcmp(config.key_limits, "rate=6") == 0);
    CHECK(strcmp(config.settings.api_key_file, "/k") == 0);
    config_close(&config);
    CHECK(READ(&config, "-t4", "-c", "99") == CONFIG_SERVE);
    CHECK(config.settings.threads == 4 && config.settings.context == 99);
    config_close(&config);
    return TEST_PASS;
}

static char *printed(const struct config *config) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    config_write_values(config, out);
    fclose(out);
    return text;
}

// What --print-config shows is a configuration file that means the same.
static enum test_result printed_values_read_back(void) {
    struct config config, again;
    setenv("XINGLIN_QUEUE", "12", 1);
    setenv("XINGLIN_QEUE", "13", 1);
    CHECK(READ(&config, "--print-config", "--port=99", "--allowed-hosts=a,b", "--no-page",
               "--model-alias= padded \t", "--access-log=", "--top-p=0.25") == CONFIG_PRINT);
    char *text = printed(&config);
    CHECK(text && strstr(text, "# flag\nport = 99\n"));
    CHECK(strstr(text, "# environment variable XINGLIN_QUEUE\nqueue = 12\n"));
    CHECK(strstr(text, "# default\nhost = 127.0.0.1\n"));
    CHECK(strstr(text, "not a variable of the server: XINGLIN_QEUE"));
    clear_environment();
    unsetenv("XINGLIN_QEUE");
    const char *const arguments[] = {"--print-config", "--config", write_config(text), NULL};
    CHECK_MESSAGE(read_with(&again, true, arguments) == CONFIG_PRINT, "%s", again.message);
    for (size_t i = 0; i < n_config_options; i++) {
        char first[256], second[256];
        if (!config_options[i].name) continue;
        config_spell(&config_options[i], &config.settings, first, sizeof first);
        config_spell(&config_options[i], &again.settings, second, sizeof second);
        CHECK_MESSAGE(strcmp(first, second) == 0, "%s: %s", first, second);
    }
    free(text);
    config_close(&config);
    config_close(&again);
    return TEST_PASS;
}

// Bytes that nobody meant: a mistake or not, never anything else.
static enum test_result random_files(void) {
    static const char *const pieces[] = {
        "port",  "=",       "\n",    " ",  "\"",  "#",    "allowed-hosts",
        ",",     "9999999", "\r\n",  "\t", "yes", "\xff", "model",
        "top-p", "nan",     "1e999", "-",  ";",   "_",    "a,b,,c"};
    enum { N_PIECES = sizeof pieces / sizeof *pieces, N_FILES = 4000 };
    unsigned random = 1;
    int n_served = 0;
    for (int i = 0; i < N_FILES; i++) {
        char text[512] = "";
        size_t used = 0;
        random = random * 1103515245u + 12345u;
        for (unsigned j = 0; j < random >> 28 << 1; j++) {
            unsigned pick = (random = random * 1103515245u + 12345u) >> 16;
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s", pieces[pick % N_PIECES]);
        }
        struct config config;
        enum config_action action = READ(&config, "--config", write_config(text));
        CHECK(action == CONFIG_SERVE || (action == CONFIG_MISTAKE && config.message[0]));
        n_served += action == CONFIG_SERVE;
        config_close(&config);
    }
    CHECK(n_served > 0 && n_served < N_FILES);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"table_is_sound", "names are unique, defaults in range", table_is_sound},
    {"every_option", "each option by flag, variable and file", every_option},
    {"precedence", "flag, environment, file, default", precedence},
    {"mistakes_in_files", "named with file and line", mistakes_in_files},
    {"mistakes_in_flags", "named, with what was probably meant", mistakes_in_flags},
    {"actions", "what ends the program", actions},
    {"random_files", "any bytes are a mistake or a configuration", random_files},
    {"printed_values_read_back", "--print-config is a configuration file",
     printed_values_read_back},
};

int main(int argc, char **argv) {
    clear_environment();
    return harness_main("config", tests, sizeof tests / sizeof *tests, argc, argv);
}
