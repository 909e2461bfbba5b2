// SPDX-License-Identifier: Apache-2.0
#include "json_damage.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// The containers of a value, in the order of a walk; at most CONTAINERS_MAX.
enum { CONTAINERS_MAX = 2048 };

struct containers {
    json_t *all[CONTAINERS_MAX];
    size_t n;
};

static void list(struct containers *containers, json_t *value) {
    if ((!json_is_object(value) && !json_is_array(value)) || containers->n == CONTAINERS_MAX)
        return;
    containers->all[containers->n++] = value;
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) list(containers, member);
    for (size_t i = 0; i < json_array_size(value); i++)
        list(containers, json_array_get(value, i));
}

// A child of a container: the index of an array or the name of an object's member.
struct child {
    json_t *container, *value;
    size_t index;
    const char *name;
};

static struct child pick(struct mutator *mutator, json_t *root) {
    static struct containers containers;
    containers.n = 0;
    list(&containers, root);
    struct child child = {.container = containers.all[mutator_below(mutator, containers.n)]};
    size_t n = json_is_array(child.container) ? json_array_size(child.container)
                                              : json_object_size(child.container);
    if (n == 0) return child;
    child.index = mutator_below(mutator, n);
    if (json_is_array(child.container)) {
        child.value = json_array_get(child.container, child.index);
        return child;
    }
    size_t at = 0;
    json_t *value;
    json_object_foreach(child.container, child.name, value) {
        child.value = value;
        if (at++ == child.index) break;
    }
    return child;
}

static void replace(const struct child *child, json_t *value) {
    if (json_is_array(child->container)) {
        json_array_set_new(child->container, child->index, value);
    } else {
        char name[256]; // the old member's name may go with its value
        size_t bytes = strlen(child->name);
        if (bytes >= sizeof name) {
            json_decref(value);
            return;
        }
        memcpy(name, child->name, bytes + 1);
        json_object_set_new(child->container, name, value);
    }
}

static void drop(const struct child *child) {
    if (json_is_array(child->container)) {
        json_array_remove(child->container, child->index);
    } else {
        json_object_del(child->container, child->name);
    }
}

static json_t *odd_value(struct mutator *mutator) {
    static const char *const texts[] = {"",   "x",          "\n",
                                        "d1", "2025-02-30", "2025-11-03T09:40:00Z",
                                        "#x", "|",          "9999-12-31T23:59:59-14:00"};
    switch (mutator_below(mutator, 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(mutator_below(mutator, 2));
    case 2:
        return json_integer((json_int_t)mutator_random(mutator));
    case 3:
        return json_integer((json_int_t)mutator_below(mutator, 5) - 2);
    case 4:
        return json_real(1e300 / (double)(1 + mutator_below(mutator, 1000)));
    case 5:
        return json_array();
    case 6:
        return json_object();
    default:
        return json_string(texts[mutator_below(mutator, sizeof texts / sizeof *texts)]);
    }
}

// The same text without its end, or twice.
static json_t *other_length(struct mutator *mutator, const json_t *value) {
    const char *text = json_string_value(value);
    if (!text) return json_deep_copy(value);
    if (mutator_below(mutator, 2)) return json_sprintf("%s%s", text, text);
    size_t bytes = mutator_below(mutator, strlen(text) + 1);
    while (bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80)
        bytes--;
    return json_stringn(text, bytes);
}

static void change(struct mutator *mutator, json_t *root, json_t *donor) {
    struct child child = pick(mutator, root);
    if (!child.value) return;
    struct child other = pick(mutator, mutator_below(mutator, 2) ? donor : root);
    switch (mutator_below(mutator, 6)) {
    case 0:
        drop(&child);
        break;
    case 1:
        replace(&child, odd_value(mutator));
        break;
    case 2:
        replace(&child, other_length(mutator, child.value));
        break;
    case 3:
        if (json_is_array(child.container))
            json_array_append_new(child.container, json_deep_copy(child.value));
        else
            replace(&child, json_pack("[O]", child.value));
        break;
    case 4:
        if (other.value && !json_is_object(other.value))
            replace(&child, json_deep_copy(other.value));
        break;
    default:
        if (other.value) replace(&child, json_deep_copy(other.value));
        break;
    }
}

static json_t *parse(const struct document *document) {
    return json_loadb((const char *)document->bytes, document->size, 0, NULL);
}

void json_damage(struct mutator *mutator, struct document *document) {
    json_t *root = parse(document), *donor = parse(mutator->donor);
    for (uint64_t n = 1 + mutator_below(mutator, 4); root && donor && n > 0; n--)
        change(mutator, root, donor);
    char *text = json_dumps(root, JSON_COMPACT);
    if (text && strlen(text) < DOCUMENT_BYTES_MAX) {
        document_clear(document);
        document_put(document, text, strlen(text));
    }
    free(text);
    json_decref(root);
    json_decref(donor);
}
