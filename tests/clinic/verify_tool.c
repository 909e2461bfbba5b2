// SPDX-License-Identifier: Apache-2.0
// Runs the verifier for tests: lines of JSON {"field": id or null, "text": …} on standard input, a
// line of JSON each on standard output ({"sentences", "verified", "seconds"}).
//   verify_tool EPISODE.json
#include "clinic/verify/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool answer(struct verifier *verifier, const struct episode *episode, const char *line) {
    json_t *asked = json_loads(line, 0, NULL);
    const char *text = json_string_value(json_object_get(asked, "text"));
    const char *field = json_string_value(json_object_get(asked, "field"));
    struct text_check check;
    struct clinic_error error;
    if (!text) {
        fprintf(stderr, "verify_tool: a line without \"text\"\n");
        json_decref(asked);
        return false;
    }
    double start = now_seconds();
    if (!verifier_check(verifier, field, text, strlen(text), &check, &error)) {
        fprintf(stderr, "verify_tool: %s\n", error.message);
        json_decref(asked);
        return false;
    }
    double seconds = now_seconds() - start;
    json_t *told = text_check_to_json(episode, text, &check);
    json_object_set_new(told, "seconds", json_real(seconds));
    char *out = json_dumps(told, JSON_COMPACT);
    bool ok = out && puts(out) >= 0;
    free(out);
    json_decref(told);
    text_check_deinit(&check);
    json_decref(asked);
    return ok;
}

int main(int argc, char **argv) {
    struct clinic_error error = {0};
    json_t *root = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL;
    struct episode *episode = root ? episode_read(root, &error) : NULL;
    double start = now_seconds();
    struct verifier *verifier = episode ? verifier_create(episode, &error) : NULL;
    if (!verifier) {
        fprintf(stderr, "usage: verify_tool EPISODE.json\n%s\n", error.message);
        return 2;
    }
    fprintf(stderr, "index: %.4f s\n", now_seconds() - start);
    char *line = NULL;
    size_t size = 0;
    bool ok = true;
    while (ok && getline(&line, &size, stdin) > 0) {
        ok = answer(verifier, episode, line);
    }
    free(line);
    verifier_free(verifier);
    episode_free(episode);
    json_decref(root);
    return ok ? 0 : 1;
}
