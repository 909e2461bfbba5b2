// SPDX-License-Identifier: Apache-2.0
// Python pickles read as data. Opcodes build a tree of plain values; a global is only ever a number
// from the caller's allow-list, and "calling" one only notes the call. Nothing is looked up,
// imported or executed, and there is no other way to read a pickle here.
#ifndef XL_FORMAT_PICKLE_H
#define XL_FORMAT_PICKLE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,       // integer: 0 or 1
    PICKLE_INTEGER,    // integer
    PICKLE_BIG,        // text: little-endian two's complement of more than 8 bytes
    PICKLE_FLOAT,      // real
    PICKLE_TEXT,       // text: UTF-8 (or a Python 2 string: any bytes)
    PICKLE_BYTES,      // text
    PICKLE_LIST,       // items
    PICKLE_TUPLE,      // items
    PICKLE_DICT,       // items: key, value, key, value …
    PICKLE_GLOBAL,     // global
    PICKLE_CALL,       // global called with `argument` (a tuple)
    PICKLE_PERSISTENT, // argument: the id
};

// What applying arguments to a global means.
enum pickle_action {
    PICKLE_REFUSES_CALLS, // a class or constant that is only named
    PICKLE_NOTES_CALL,    // becomes PICKLE_CALL
    PICKLE_MAKES_DICT,    // collections.OrderedDict
    PICKLE_TAKES_FIRST    // torch.Size: the argument itself
};

struct pickle_global {
    const char *module, *name;
    enum pickle_action action;
    int meaning; // the caller's
};

struct pickle_value {
    enum pickle_kind kind;
    size_t offset_bytes; // of the opcode that made it, for errors
    union {
        int64_t integer;
        double real;
        struct {
            const char *data;
            size_t size_bytes;
        } text;
        struct {
            struct pickle_value **items;
            size_t n, capacity;
        } list;
        struct {
            const struct pickle_global *global; // PICKLE_GLOBAL, PICKLE_CALL
            struct pickle_value *argument;      // PICKLE_CALL, PICKLE_PERSISTENT
        } call;
    } as;
};

struct pickle_input {
    const char *label;          // a path, for errors
    uint64_t base_offset_bytes; // of `data` in that file
    const uint8_t *data;
    size_t size_bytes;
    const struct pickle_global *globals; // the allow-list
    size_t n_globals;
};

struct pickle {
    struct pickle_value *root;
    struct pickle_value *persistents; // a list of every PICKLE_PERSISTENT, also unused ones
    size_t used_bytes;                // up to and including STOP
    struct pickle_arena *arena;
};

// Texts in the tree point into input->data. Containers may contain themselves: whoever walks the
// tree bounds its steps. Deinit also after a failure.
enum status pickle_load(struct pickle *pickle, const struct pickle_input *input, struct error *err);
void pickle_deinit(struct pickle *pickle);

bool pickle_text_is(const struct pickle_value *value, const char *text);
// The value of a text key in a dict; the last one wins, as in Python. NULL: absent.
const struct pickle_value *pickle_dict_get(const struct pickle_value *dict, const char *key);

#ifdef __cplusplus
}
#endif
#endif
