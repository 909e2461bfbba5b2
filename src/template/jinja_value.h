// SPDX-License-Identifier: Apache-2.0
// Values of the template language, with Python's meaning: everything is immutable but namespaces,
// cyclers and iterators. All memory belongs to the arena of one rendering (or compilation).
#ifndef XL_TEMPLATE_JINJA_VALUE_H
#define XL_TEMPLATE_JINJA_VALUE_H

#include "template/jinja_arena.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum value_kind {
    VALUE_MISSING, // internal: an argument that was not given
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT,
    VALUE_VIEW,     // dict.keys(), .values(), .items(): a list that only can be walked
    VALUE_ITERATOR, // what map, select, … return: can be walked once
    VALUE_RANGE,
    VALUE_NAMESPACE,
    VALUE_MACRO,
    VALUE_FUNCTION,
    VALUE_METHOD, // a method bound to its object
    VALUE_LOOP,
    VALUE_CYCLER,
    VALUE_JOINER
};

// UTF-8 text; may hold NUL bytes. `storage` is shared by texts that are prefixes of each other, so
// that appending to the newest one need not copy (see text_concat).
struct text {
    const char *data;
    size_t size_bytes;
    size_t n_chars;               // code points; TEXT_CHARS_UNKNOWN until counted
    struct text_storage *storage; // NULL: not extensible
};

#define TEXT_CHARS_UNKNOWN ((size_t)-1)

struct text_storage {
    size_t used_bytes, capacity_bytes;
    char *data;
};

struct value {
    enum value_kind kind;
    bool markup; // of a text: marked "safe"; joining plain text to it escapes that text
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct text *text; // VALUE_TEXT; VALUE_UNDEFINED: what is undefined, or NULL
        struct list *list; // VALUE_LIST, VALUE_TUPLE, VALUE_VIEW
        struct dict *dict; // VALUE_DICT, VALUE_NAMESPACE
        struct iterator *iterator;
        struct range *range;
        struct macro *macro;
        struct method *method;
        struct loop *loop;
        struct cycler *cycler; // VALUE_CYCLER, VALUE_JOINER
        int function;          // enum of jinja_functions.c
    } as;
};

struct list {
    struct value *items;
    size_t n_items, capacity;
    const char *view_name; // "dict_keys", … for views
    bool is_group;         // what groupby makes: (grouper, list), also by these names
};

struct dict_entry {
    struct value key, value;
    uint64_t hash;
};

// Keeps the order of insertion; `slots` is an open-addressing index once there are many entries.
struct dict {
    struct dict_entry *entries;
    size_t n_entries, capacity;
    uint32_t *slots; // entry number + 1, 0: free
    size_t n_slots;  // power of two, or 0: search linearly
};

struct iterator {
    struct list *items; // NULL: none
    size_t next;
    const char *problem; // what goes wrong for who walks beyond the items, or NULL
};

struct range {
    int64_t start, stop, step;
    size_t n_items;
};

struct method {
    struct value self;
    int which; // index in jinja_methods.c; negative: a method of "loop"
};

struct cycler {
    struct list *items;
    size_t next;
    struct text *separator; // of a joiner
};

struct run;

struct value value_none(void);
struct value value_bool(bool boolean);
struct value value_int(int64_t integer);
struct value value_float(double real);
struct value value_text(struct text *text);
struct value value_list(struct list *list);
struct value value_tuple(struct list *list);
struct value value_dict(struct dict *dict);
struct value value_undefined(struct text *what);

// Python's name of the type, for messages ("str", "dict", …).
const char *value_type_name(const struct value *value);
bool value_is_number(const struct value *value);   // int, float or bool
double value_as_double(const struct value *value); // of a number
int64_t value_as_int(const struct value *value);   // of an int or bool
bool value_truth(const struct value *value);
bool value_is_hashable(struct arena *arena, const struct value *value, int depth);

bool text_equal(const struct text *a, const struct text *b);
bool text_equals(const struct text *text, const char *literal);
int text_compare(const struct text *a, const struct text *b); // by code points
size_t text_chars(struct text *text);
// Byte offset of code point number `index` (which may be one past the last).
size_t text_offset(struct text *text, size_t index);
struct text *text_create(struct arena *arena, const char *data, size_t size_bytes); // copies
struct text *text_wrap(struct arena *arena, const char *data, size_t size_bytes);   // does not
// left followed by right; extends left's storage in place where nothing follows it there.
struct text *text_concat(struct arena *arena, const struct text *left, const struct text *right);

struct list *list_create(struct arena *arena, size_t capacity);
bool list_append(struct arena *arena, struct list *list, struct value value);

struct dict *dict_create(struct arena *arena);
// Replaces the value of an equal key. False: out of memory. The key must be hashable.
bool dict_set(struct arena *arena, struct dict *dict, struct value key, struct value value);
const struct value *dict_get(struct arena *arena, const struct dict *dict,
                             const struct value *key); // NULL: absent
const struct value *dict_get_text(struct arena *arena, const struct dict *dict, const char *key);

// Python's ==. False too once the steps are exhausted or below `depth` levels of nesting.
bool value_equal(struct arena *arena, const struct value *a, const struct value *b, int depth);

enum { VALUE_DEPTH_MAX = 500 }; // nesting of lists and dicts that the functions here walk

#ifdef __cplusplus
}
#endif
#endif
