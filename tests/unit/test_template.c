// SPDX-License-Identifier: Apache-2.0
// Chat templates: texts against jinja2's, what must be refused, and templates that mean harm.
#include "base/status.h"
#include "harness.h"
#include "template/chat_template.h"
#include "template_cases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum status render_with(const char *source, size_t source_bytes, const char *context_json,
                               const struct chat_template_limits *limits, char **text,
                               struct error *err) {
    struct chat_template *chat_template;
    json_t *context = json_loads(context_json, 0, NULL);
    *text = NULL;
    enum status status = chat_template_compile(&chat_template, source, source_bytes, err);
    if (status == STATUS_OK)
        status = chat_template_render(chat_template, context, CASE_NOW, limits, text, NULL, err);
    chat_template_destroy(chat_template);
    json_decref(context);
    return status;
}

static enum test_result test_texts(void) {
    for (size_t i = 0; i < sizeof template_cases / sizeof template_cases[0]; i++) {
        const struct template_case *test = &template_cases[i];
        struct error err = {0};
        char *text;
        enum status status =
            render_with(test->source, strlen(test->source), case_context, NULL, &text, &err);
        CHECK_MESSAGE(status == STATUS_OK, "%s: %s", test->name, err.message);
        CHECK_MESSAGE(strcmp(text, test->expected) == 0, "%s: got\n%s\nexpected\n%s", test->name,
                      text, test->expected);
        free(text);
    }
    return TEST_PASS;
}

static enum test_result test_refusals(void) {
    for (size_t i = 0; i < sizeof refused_templates / sizeof refused_templates[0]; i++) {
        struct error err = {0};
        char *text;
        enum status status = render_with(refused_templates[i], strlen(refused_templates[i]),
                                         case_context, NULL, &text, &err);
        CHECK_MESSAGE(status == STATUS_BAD_INPUT || status == STATUS_UNSUPPORTED, "%s: status %d",
                      refused_templates[i], (int)status);
        CHECK_MESSAGE(err.message[0], "%s: no message", refused_templates[i]);
    }
    return TEST_PASS;
}

static enum test_result test_messages(void) {
    struct error err = {0};
    char *text;
    CHECK(render_with("a\n{% if x %}\n  {{ + }}", 22, "{}", NULL, &text, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "line 3 column 8"), "%s", err.message);
    CHECK(render_with("{{ raise_exception('roles must alternate') }}", 45, "{}", NULL, &text,
                      &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "roles must alternate"), "%s", err.message);
    // A reason that quotes the conversation is not repeated.
    static const char *const quoting[] = {"{{ raise_exception(m) }}",
                                          "{{ raise_exception('bad: ' ~ m) }}"};
    for (size_t i = 0; i < 2; i++) {
        CHECK(render_with(quoting[i], strlen(quoting[i]), "{\"m\": \"chest pain\"}", NULL, &text,
                          &err) == STATUS_BAD_INPUT);
        CHECK_MESSAGE(!strstr(err.message, "chest pain"), "%s", err.message);
        CHECK_MESSAGE(strstr(err.message, "refuses"), "%s", err.message);
    }
    CHECK(render_with("{% include 'x' %}", 17, "{}", NULL, &text, &err) == STATUS_UNSUPPORTED);
    CHECK_MESSAGE(strstr(err.message, "include"), "%s", err.message);
    CHECK(render_with("{{ 'a' }}\xff", 10, "{}", NULL, &text, &err) == STATUS_BAD_INPUT);
    CHECK(render_with("x", 1, "[]", NULL, &text, &err) == STATUS_USAGE);
    return TEST_PASS;
}

// One hostile template under the default budgets: refused or rendered, soon.
static enum test_result survive(const char *name, const char *source, size_t source_bytes) {
    struct error err = {0};
    struct timespec before, after;
    char *text;
    clock_gettime(CLOCK_MONOTONIC, &before);
    enum status status = render_with(source, source_bytes, case_context, NULL, &text, &err);
    clock_gettime(CLOCK_MONOTONIC, &after);
    free(text);
    CHECK_MESSAGE(after.tv_sec - before.tv_sec < 120, "%s takes %ld s", name,
                  (long)(after.tv_sec - before.tv_sec));
    CHECK_MESSAGE(status == STATUS_OK || err.message[0], "%s: no message", name);
    return TEST_PASS;
}

static enum test_result test_hostile(void) {
    static const char *const sources[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ f() ~ f() }}{% endmacro %}{{ f() }}",
        "{{ 'x' * 99999999999 }}",
        "{{ ['x'] * 99999999999 }}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}"
        "{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}"
        "{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s, ns.s] %}"
        "{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] "
        "%}"
        "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
        "{% set ns = namespace(a=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}"
        "{% endfor %}{{ {ns.a: 1} }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
        "{% endfor %}{{ ns.a|tojson }}",
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a == ns.a }}{{ ns|string }}",
        "{{ '%99999999d' % 1 }}",
        "{{ '{:>99999999}'.format(1) }}",
        "{{ 'a'.center(999999999999) }}",
        "{{ 'a'|indent(999999999) }}",
        "{{ range(-9223372036854775807, 9223372036854775807)|list }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ -9223372036854775807 - 2 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ (-9223372036854775807 - 1) % -1 }}",
        "{{ 10 ** 9999999999 }}",
        "{{ ('ab' * 100000).split('') }}",
        "{% set s = 'ab' * 500000 %}{% for i in range(99999) %}{{ s.rfind('aab') }}{% endfor %}",
        "{% set s = 'ab' * 500000 %}{% for i in range(99999) %}{{ s|upper|length }}{% endfor %}",
        "{% set s = '世' * 500000 %}{% for i in range(99999) %}{{ s[i * 5] }}{% endfor %}",
        "{% set s = 'a' * 500000 %}{% for i in range(99999) %}{{ s.replace('a', s) }}{% endfor %}",
        "{% for i in tree recursive %}{{ loop(tree) }}{% endfor %}",
        "{{ ('x,' * 100000).split(',')|sort|unique|list|join|length }}",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (survive(sources[i], sources[i], strlen(sources[i])) != TEST_PASS) return TEST_FAIL;
    return TEST_PASS;
}

// Builds prefix, `repeated` n times, suffix.
static char *repeat(const char *prefix, const char *repeated, size_t n, const char *suffix) {
    size_t length = strlen(repeated), size = strlen(prefix) + n * length + strlen(suffix) + 1;
    char *text = malloc(size);
    if (!text) return NULL;
    size_t at = (size_t)snprintf(text, size, "%s", prefix);
    for (size_t i = 0; i < n; i++, at += length)
        memcpy(text + at, repeated, length);
    snprintf(text + at, size - at, "%s", suffix);
    return text;
}

static enum test_result test_deep(void) {
    static const char *const parts[][3] = {
        {"{{ ", "(", " }}"},
        {"{{ ", "[", " }}"},
        {"{{ ", "{1:", " }}"},
        {"{{ ", "not ", "1 }}"},
        {"{{ ", "-", "1 }}"},
        {"{{ 1", "+1", " }}"},
        {"{{ 1", "**1", " }}"},
        {"{{ a", ".a", " }}"},
        {"{{ a", "[0]", " }}"},
        {"{{ a", "()", " }}"},
        {"{{ 1", "|abs", " }}"},
        {"{{ 1", "~1", " }}"},
        {"{{ 1", " if 1 else 1", " }}"},
        {"{{ 1", " and 1", " }}"},
        {"{{ 1", " < 2", " }}"},
        {"", "{% if 1 %}", ""},
        {"", "{% for a in b %}", ""},
        {"{% if 1 %}", "{% elif 1 %}", "{% endif %}"},
        {"{{ f(", "f(", "}}"},
        {"", "{% macro f() %}", ""},
        {"", "{% set x %}", ""},
        {"{{ 'x'", " 'y'", " }}"},
        {"{{ [", "1,", "] }}"},
        {"", "{{ 1 }}", ""},
        {"{% set ", "(", "x = 1 %}"},
        {"", "{#", ""},
        {"", "{% raw %}", ""},
        {"{{ x", " is defined", " }}"},
        {"{% filter upper", "|upper", "%}{% endfilter %}"},
    };
    static const size_t counts[] = {100, 1000, 1000000};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            char *source = repeat(parts[i][0], parts[i][1], counts[j], parts[i][2]);
            CHECK(source);
            enum test_result result = survive(parts[i][1], source, strlen(source));
            free(source);
            if (result != TEST_PASS) return result;
        }
    return TEST_PASS;
}

static enum test_result test_budgets(void) {
    struct chat_template_limits limits;
    struct error err;
    char *text;
    chat_template_limits_default(&limits);
    const char *loop = "{% for i in range(1000) %}0123456789{% endfor %}";
    CHECK(render_with(loop, strlen(loop), "{}", &limits, &text, &err) == STATUS_OK);
    CHECK(strlen(text) == 10000);
    free(text);
    limits.output_bytes_max = 9999;
    CHECK(render_with(loop, strlen(loop), "{}", &limits, &text, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "9999"), "%s", err.message);
    chat_template_limits_default(&limits);
    limits.steps_max = 1000;
    CHECK(render_with(loop, strlen(loop), "{}", &limits, &text, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "steps"), "%s", err.message);
    chat_template_limits_default(&limits);
    limits.memory_bytes_max = 5000;
    CHECK(render_with(loop, strlen(loop), "{}", &limits, &text, &err) == STATUS_NO_MEMORY);
    CHECK_MESSAGE(strstr(err.message, "5000"), "%s", err.message);
    chat_template_limits_default(&limits);
    limits.depth_max = 10;
    const char *nested = "{{ [[[[[[[[[[[[[1]]]]]]]]]]]]] }}";
    CHECK(render_with(nested, strlen(nested), "{}", &limits, &text, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "deeper"), "%s", err.message);
    // Texts that grow piece by piece must not be copied whole each time.
    const char *growing = "{% set ns = namespace(s='') %}{% for i in range(90000) %}"
                          "{% set ns.s = ns.s + '0123456789' %}{% endfor %}{{ ns.s|length }}";
    CHECK(render_with(growing, strlen(growing), "{}", NULL, &text, &err) == STATUS_OK);
    CHECK(strcmp(text, "900000") == 0);
    free(text);
    return TEST_PASS;
}

// A compiled template is immutable: rendering it again gives the same.
static enum test_result test_again(void) {
    struct chat_template *chat_template;
    struct error err;
    const char *source = "{% set a = 'x' %}{% for i in range(3) %}{{ a + 'y' ~ i }}{% endfor %}";
    json_t *context = json_object();
    CHECK(chat_template_compile(&chat_template, source, strlen(source), &err) == STATUS_OK);
    for (int i = 0; i < 3; i++) {
        char *text;
        size_t text_bytes;
        CHECK(chat_template_render(chat_template, context, 0, NULL, &text, &text_bytes, &err) ==
              STATUS_OK);
        CHECK(strcmp(text, "xy0xy1xy2") == 0 && text_bytes == 9);
        free(text);
    }
    chat_template_destroy(chat_template);
    chat_template_destroy(NULL);
    json_decref(context);
    return TEST_PASS;
}

enum { N_THREADS = 4, N_RENDERINGS = 20 };

struct shared_rendering {
    const struct chat_template *chat_template;
    const char *expected;
};

// Returns NULL, or the template's name if a text was wrong.
static void *render_often(void *argument) {
    struct shared_rendering *shared = argument;
    json_t *context = json_loads(case_context, 0, NULL);
    void *wrong = NULL;
    for (int i = 0; i < N_RENDERINGS; i++) {
        struct error err;
        char *text = NULL;
        if (chat_template_render(shared->chat_template, context, CASE_NOW, NULL, &text, NULL,
                                 &err) != STATUS_OK ||
            strcmp(text, shared->expected) != 0)
            wrong = shared;
        free(text);
    }
    json_decref(context);
    return wrong;
}

static enum test_result test_threads(void) {
    for (size_t i = 0; i < sizeof template_cases / sizeof template_cases[0]; i++) {
        const struct template_case *test = &template_cases[i];
        struct chat_template *chat_template;
        struct error err;
        pthread_t threads[N_THREADS];
        bool all_right = true;
        CHECK(chat_template_compile(&chat_template, test->source, strlen(test->source), &err) ==
              STATUS_OK);
        struct shared_rendering shared = {chat_template, test->expected};
        for (int j = 0; j < N_THREADS; j++)
            CHECK(pthread_create(&threads[j], NULL, render_often, &shared) == 0);
        for (int j = 0; j < N_THREADS; j++) {
            void *wrong;
            pthread_join(threads[j], &wrong);
            all_right &= wrong == NULL;
        }
        chat_template_destroy(chat_template);
        CHECK_MESSAGE(all_right, "%s differs in a thread", test->name);
    }
    return TEST_PASS;
}

static const struct test tests[] = {
    {"texts", "templates give the texts that jinja2 gives", test_texts},
    {"refusals", "what jinja2 refuses is refused, with a message", test_refusals},
    {"messages", "errors name line and column, or carry the template's own words", test_messages},
    {"hostile", "loops, growth and widths end within the budgets", test_hostile},
    {"deep", "any nesting of a million levels is refused or rendered", test_deep},
    {"budgets", "each budget ends a rendering with its own message", test_budgets},
    {"threads", "threads share a compiled template", test_threads},
    {"again", "a compiled template can be rendered again", test_again},
};

int main(int argc, char **argv) {
    return harness_main("template", tests, sizeof tests / sizeof tests[0], argc, argv);
}
