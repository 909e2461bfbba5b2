// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/episode_budget.h"

#include "clinic/record/utf8_text.h"

#include <string.h>

struct walk {
    const char *what;
    size_t n_values, n_bytes;
    struct clinic_error *error;
};

static bool refuse(const struct walk *walk, const char *why) {
    return clinic_fail(walk->error, CLINIC_BAD_INPUT, "%s %s", walk->what, why);
}

static bool walk_text(struct walk *walk, const char *text, size_t bytes) {
    walk->n_bytes += bytes;
    if (walk->n_bytes > EPISODE_BYTES_MAX) return refuse(walk, "has more than 32 MiB of text");
    if (!utf8_text_is_valid(text, bytes)) return refuse(walk, "has text with NUL or bad UTF-8");
    return true;
}

static bool walk_value(struct walk *walk, const json_t *value, int depth) {
    if (depth > EPISODE_DEPTH_MAX) return refuse(walk, "is nested more than 32 deep");
    if (++walk->n_values > EPISODE_VALUES_MAX) return refuse(walk, "has more than 4000000 values");
    if (json_is_string(value))
        return walk_text(walk, json_string_value(value), json_string_length(value));
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member) {
        if (!walk_text(walk, name, strlen(name)) || !walk_value(walk, member, depth + 1))
            return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!walk_value(walk, json_array_get(value, i), depth + 1)) return false;
    }
    return true;
}

bool episode_budget_check(const json_t *root, const char *what, struct clinic_error *error) {
    struct walk walk = {.what = what, .error = error};
    return walk_value(&walk, root, 1);
}

json_t *episode_budget_parse(const char *text, size_t bytes, const char *what,
                             struct clinic_error *error) {
    if (bytes > EPISODE_BYTES_MAX) {
        clinic_fail(error, CLINIC_BAD_INPUT, "%s is larger than 32 MiB", what);
        return NULL;
    }
    json_error_t wrong;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &wrong);
    if (!root) {
        bool is_memory = json_error_code(&wrong) == json_error_out_of_memory;
        if (is_memory) {
            clinic_fail_memory(error);
        } else {
            clinic_fail(error, CLINIC_BAD_INPUT, "%s is no valid JSON: line %d, column %d%s", what,
                        wrong.line, wrong.column,
                        json_error_code(&wrong) == json_error_duplicate_key
                            ? " (a member is there twice)"
                            : "");
        }
        return NULL;
    }
    if (episode_budget_check(root, what, error)) return root;
    json_decref(root);
    return NULL;
}
