// SPDX-License-Identifier: Apache-2.0
// Lists, dictionaries, truth and equality.
#include "template/jinja_value.h"

#include <math.h>
#include <string.h>

enum { LINEAR_SEARCH_MAX = 8 };

struct value value_none(void) {
    return (struct value){.kind = VALUE_NONE};
}
struct value value_bool(bool boolean) {
    return (struct value){.kind = VALUE_BOOL, .as.boolean = boolean};
}
struct value value_int(int64_t integer) {
    return (struct value){.kind = VALUE_INT, .as.integer = integer};
}
struct value value_float(double real) {
    return (struct value){.kind = VALUE_FLOAT, .as.real = real};
}
struct value value_text(struct text *text) {
    return (struct value){.kind = VALUE_TEXT, .as.text = text};
}
struct value value_list(struct list *list) {
    return (struct value){.kind = VALUE_LIST, .as.list = list};
}
struct value value_tuple(struct list *list) {
    return (struct value){.kind = VALUE_TUPLE, .as.list = list};
}
struct value value_dict(struct dict *dict) {
    return (struct value){.kind = VALUE_DICT, .as.dict = dict};
}
struct value value_undefined(struct text *what) {
    return (struct value){.kind = VALUE_UNDEFINED, .as.text = what};
}

const char *value_type_name(const struct value *value) {
    static const char *const names[] = {
        [VALUE_MISSING] = "missing", [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "NoneType",   [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int",         [VALUE_FLOAT] = "float",
        [VALUE_TEXT] = "str",        [VALUE_LIST] = "list",
        [VALUE_TUPLE] = "tuple",     [VALUE_DICT] = "dict",
        [VALUE_VIEW] = "dict view",  [VALUE_ITERATOR] = "generator",
        [VALUE_RANGE] = "range",     [VALUE_NAMESPACE] = "Namespace",
        [VALUE_MACRO] = "Macro",     [VALUE_FUNCTION] = "function",
        [VALUE_METHOD] = "method",   [VALUE_LOOP] = "LoopContext",
        [VALUE_CYCLER] = "Cycler",   [VALUE_JOINER] = "Joiner",
    };
    return names[value->kind];
}

bool value_is_number(const struct value *value) {
    return value->kind == VALUE_INT || value->kind == VALUE_FLOAT || value->kind == VALUE_BOOL;
}

int64_t value_as_int(const struct value *value) {
    return value->kind == VALUE_BOOL ? value->as.boolean : value->as.integer;
}

double value_as_double(const struct value *value) {
    return value->kind == VALUE_FLOAT ? value->as.real : (double)value_as_int(value);
}

bool value_truth(const struct value *value) {
    switch (value->kind) {
    case VALUE_MISSING:
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOL:
        return value->as.boolean;
    case VALUE_INT:
        return value->as.integer != 0;
    case VALUE_FLOAT:
        return value->as.real != 0;
    case VALUE_TEXT:
        return value->as.text->size_bytes > 0;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_VIEW:
        return value->as.list->n_items > 0;
    case VALUE_DICT:
        return value->as.dict->n_entries > 0;
    case VALUE_RANGE:
        return value->as.range->n_items > 0;
    default:
        return true;
    }
}

bool value_is_hashable(struct arena *arena, const struct value *value, int depth) {
    switch (value->kind) {
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_VIEW:
        return false;
    case VALUE_TUPLE:
        if (depth <= 0 || !arena_spend(arena, value->as.list->n_items)) return false;
        for (size_t i = 0; i < value->as.list->n_items; i++)
            if (!value_is_hashable(arena, &value->as.list->items[i], depth - 1)) return false;
        return true;
    default:
        return true;
    }
}

struct list *list_create(struct arena *arena, size_t capacity) {
    struct list *list = arena_alloc(arena, sizeof *list);
    if (!list) return NULL;
    list->capacity = capacity;
    if (capacity == 0) return list;
    list->items = arena_array(arena, capacity, sizeof *list->items);
    return list->items ? list : NULL;
}

bool list_append(struct arena *arena, struct list *list, struct value value) {
    if (list->n_items == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        struct value *items =
            arena_grow(arena, list->items, list->n_items * sizeof *items, capacity * sizeof *items);
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n_items++] = value;
    return true;
}

static uint64_t mix(uint64_t hash) {
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    return hash;
}

// Equal values have equal hashes: True, 1 and 1.0 are one key, as in Python.
static uint64_t hash_value(struct arena *arena, const struct value *value, int depth) {
    uint64_t hash = 1469598103934665603u;
    if (!arena_spend(arena, 1)) return 0;
    switch (value->kind) {
    case VALUE_BOOL:
    case VALUE_INT:
        return mix((uint64_t)value_as_int(value));
    case VALUE_FLOAT:
        if (value->as.real >= -9e18 && value->as.real <= 9e18 &&
            value->as.real == floor(value->as.real))
            return mix((uint64_t)(int64_t)value->as.real);
        memcpy(&hash, &value->as.real, sizeof hash);
        return mix(hash);
    case VALUE_TEXT:
        for (size_t i = 0; i < value->as.text->size_bytes; i++)
            hash = (hash ^ (unsigned char)value->as.text->data[i]) * 1099511628211u;
        return mix(hash);
    case VALUE_TUPLE:
        for (size_t i = 0; depth > 0 && i < value->as.list->n_items; i++)
            hash = mix(hash ^ hash_value(arena, &value->as.list->items[i], depth - 1));
        return hash;
    default:
        return (uint64_t)value->kind;
    }
}

static size_t find_entry(struct arena *arena, const struct dict *dict, const struct value *key,
                         uint64_t hash) {
    if (dict->n_slots == 0) {
        for (size_t i = 0; i < dict->n_entries; i++)
            if (dict->entries[i].hash == hash &&
                value_equal(arena, &dict->entries[i].key, key, VALUE_DEPTH_MAX))
                return i;
        return SIZE_MAX;
    }
    for (size_t slot = hash & (dict->n_slots - 1);; slot = (slot + 1) & (dict->n_slots - 1)) {
        if (dict->slots[slot] == 0) return SIZE_MAX;
        size_t i = dict->slots[slot] - 1;
        if (dict->entries[i].hash == hash &&
            value_equal(arena, &dict->entries[i].key, key, VALUE_DEPTH_MAX))
            return i;
    }
}

static void index_entry(struct dict *dict, size_t number) {
    size_t slot = dict->entries[number].hash & (dict->n_slots - 1);
    while (dict->slots[slot])
        slot = (slot + 1) & (dict->n_slots - 1);
    dict->slots[slot] = (uint32_t)number + 1;
}

static bool make_room(struct arena *arena, struct dict *dict) {
    if (dict->n_entries == dict->capacity) {
        size_t capacity = dict->capacity ? dict->capacity * 2 : 4;
        if (capacity > UINT32_MAX / 4) return false;
        struct dict_entry *entries = arena_array(arena, capacity, sizeof *entries);
        if (!entries) return false;
        if (dict->n_entries) memcpy(entries, dict->entries, dict->n_entries * sizeof *entries);
        dict->entries = entries;
        dict->capacity = capacity;
    }
    if (dict->n_entries < LINEAR_SEARCH_MAX || dict->n_entries * 2 < dict->n_slots) return true;
    size_t n_slots = dict->n_slots ? dict->n_slots * 2 : 32;
    dict->slots = arena_array(arena, n_slots, sizeof *dict->slots);
    if (!dict->slots) return false;
    dict->n_slots = n_slots;
    for (size_t i = 0; i < dict->n_entries; i++)
        index_entry(dict, i);
    return true;
}

struct dict *dict_create(struct arena *arena) {
    return arena_alloc(arena, sizeof(struct dict));
}

bool dict_set(struct arena *arena, struct dict *dict, struct value key, struct value value) {
    uint64_t hash = hash_value(arena, &key, VALUE_DEPTH_MAX);
    size_t found = find_entry(arena, dict, &key, hash);
    if (found != SIZE_MAX) {
        dict->entries[found].value = value;
        return true;
    }
    if (!make_room(arena, dict)) return false;
    dict->entries[dict->n_entries] = (struct dict_entry){key, value, hash};
    if (dict->n_slots) index_entry(dict, dict->n_entries);
    dict->n_entries++;
    return true;
}

const struct value *dict_get(struct arena *arena, const struct dict *dict,
                             const struct value *key) {
    if (dict->n_entries == 0) return NULL;
    size_t found = find_entry(arena, dict, key, hash_value(arena, key, VALUE_DEPTH_MAX));
    return found == SIZE_MAX ? NULL : &dict->entries[found].value;
}

const struct value *dict_get_text(struct arena *arena, const struct dict *dict, const char *key) {
    struct text text = {.data = key, .size_bytes = strlen(key), .n_chars = TEXT_CHARS_UNKNOWN};
    struct value value = value_text(&text);
    return dict_get(arena, dict, &value);
}

static bool lists_equal(struct arena *arena, const struct list *a, const struct list *b,
                        int depth) {
    if (a->n_items != b->n_items) return false;
    for (size_t i = 0; i < a->n_items; i++)
        if (!value_equal(arena, &a->items[i], &b->items[i], depth)) return false;
    return true;
}

static bool dicts_equal(struct arena *arena, const struct dict *a, const struct dict *b,
                        int depth) {
    if (a->n_entries != b->n_entries) return false;
    for (size_t i = 0; i < a->n_entries; i++) {
        const struct value *other = dict_get(arena, b, &a->entries[i].key);
        if (!other || !value_equal(arena, &a->entries[i].value, other, depth)) return false;
    }
    return true;
}

static bool ranges_equal(const struct range *a, const struct range *b) {
    if (a->n_items != b->n_items) return false;
    if (a->n_items == 0) return true;
    return a->start == b->start && (a->n_items == 1 || a->step == b->step);
}

bool value_equal(struct arena *arena, const struct value *a, const struct value *b, int depth) {
    if (depth <= 0 || !arena_spend(arena, 1)) return false;
    if (value_is_number(a) && value_is_number(b)) {
        if (a->kind == VALUE_FLOAT || b->kind == VALUE_FLOAT)
            return value_as_double(a) == value_as_double(b);
        return value_as_int(a) == value_as_int(b);
    }
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case VALUE_MISSING:
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return true;
    case VALUE_TEXT:
        return text_equal(a->as.text, b->as.text);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return a->as.list == b->as.list || lists_equal(arena, a->as.list, b->as.list, depth - 1);
    case VALUE_DICT:
        return a->as.dict == b->as.dict || dicts_equal(arena, a->as.dict, b->as.dict, depth - 1);
    case VALUE_RANGE:
        return ranges_equal(a->as.range, b->as.range);
    case VALUE_FUNCTION:
        return a->as.function == b->as.function;
    default:
        return a->as.list == b->as.list;
    }
}
