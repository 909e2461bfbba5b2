// SPDX-License-Identifier: Apache-2.0
// See pickle.h. A stack machine: a table maps opcodes to functions with one argument. Every opcode
// takes at least one byte and makes at most one value, so a pickle's size bounds its memory; limits
// cut that off further. There is no recursion.
#include "format/pickle.h"

#include "base/bytes.h"
#include "format/pickle_arena.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum {
    STACK_FIRST = 256,
    STACK_MAX = 1 << 20,
    MARKS_MAX = 1 << 10,
    GLOBAL_NAME_MAX = 256,
    PROTOCOL_MAX = 5,
    MEMO_GAP_MAX = 256
};

struct machine {
    const struct pickle_input *input;
    struct pickle_arena *arena;
    struct bytes_reader reader;
    struct pickle_value *persistents;
    struct pickle_value **stack;
    size_t n_stack, stack_capacity;
    size_t marks[MARKS_MAX]; // stack heights
    size_t n_marks;
    struct pickle_value **memo;
    size_t memo_capacity, n_memoized;
    size_t at; // offset of the current opcode
    struct error *err;
};

#define REFUSE(machine, status, ...)                                                               \
    refuse_at((machine)->err, status, (machine)->input->label,                                     \
              (machine)->input->base_offset_bytes + (machine)->at, "pickle: " __VA_ARGS__)

static enum status truncated(struct machine *machine) {
    return REFUSE(machine, STATUS_BAD_INPUT, "the data ends inside an opcode");
}

// A number of size_bytes little-endian bytes.
static enum status read_number(struct machine *machine, int size_bytes, uint64_t *number) {
    const uint8_t *bytes;
    *number = 0; // also on failure: gcc -O3 cannot prove that callers then leave it alone
    if (!bytes_read_span(&machine->reader, (uint64_t)size_bytes, &bytes)) return truncated(machine);
    for (int i = 0; i < size_bytes; i++)
        *number |= (uint64_t)bytes[i] << (8 * i);
    return STATUS_OK;
}

static enum status explain(struct machine *machine, enum status status) {
    if (status == STATUS_BAD_INPUT)
        return REFUSE(machine, status, "it builds more than %d values", (int)PICKLE_VALUES_MAX);
    if (status != STATUS_OK) return error_no_memory(machine->err, "a pickle's values", 0);
    return STATUS_OK;
}

static enum status make(struct machine *machine, enum pickle_kind kind,
                        struct pickle_value **value) {
    TRY(explain(machine, pickle_arena_value(machine->arena, kind, value)));
    (*value)->offset_bytes = machine->at;
    return STATUS_OK;
}

static enum status push(struct machine *machine, struct pickle_value *value) {
    if (machine->n_stack == machine->stack_capacity) {
        size_t capacity = 2 * machine->stack_capacity;
        if (capacity > STACK_MAX)
            return REFUSE(machine, STATUS_BAD_INPUT, "a stack of more than %d", (int)STACK_MAX);
        struct pickle_value **larger = realloc(machine->stack, capacity * sizeof *larger);
        if (!larger) return error_no_memory(machine->err, "a stack", capacity * sizeof *larger);
        machine->stack = larger;
        machine->stack_capacity = capacity;
    }
    machine->stack[machine->n_stack++] = value;
    return STATUS_OK;
}

// Values below the last mark are out of reach, as in Python.
static size_t reachable(const struct machine *machine) {
    return machine->n_stack - (machine->n_marks ? machine->marks[machine->n_marks - 1] : 0);
}

static enum status need(struct machine *machine, size_t n) {
    return reachable(machine) >= n ? STATUS_OK
                                   : REFUSE(machine, STATUS_BAD_INPUT, "the stack is empty");
}

static enum status pop(struct machine *machine, struct pickle_value **value) {
    TRY(need(machine, 1));
    *value = machine->stack[--machine->n_stack];
    return STATUS_OK;
}

// Takes everything above the last mark off the stack; it stays readable in machine->stack.
static enum status pop_mark(struct machine *machine, struct pickle_value ***items, size_t *n) {
    if (machine->n_marks == 0) return REFUSE(machine, STATUS_BAD_INPUT, "no mark to go back to");
    size_t mark = machine->marks[--machine->n_marks];
    *items = machine->stack + mark;
    *n = machine->n_stack - mark;
    machine->n_stack = mark;
    return STATUS_OK;
}

static enum status push_integer(struct machine *machine, enum pickle_kind kind, int64_t integer) {
    struct pickle_value *value;
    TRY(make(machine, kind, &value));
    value->as.integer = integer;
    return push(machine, value);
}

static enum status read_unsigned(struct machine *machine, int size_bytes) {
    uint64_t number;
    TRY(read_number(machine, size_bytes, &number));
    return push_integer(machine, PICKLE_INTEGER, (int64_t)number);
}

static enum status read_signed(struct machine *machine, int size_bytes) {
    uint64_t number;
    TRY(read_number(machine, size_bytes, &number));
    return push_integer(machine, PICKLE_INTEGER, (int32_t)(uint32_t)number);
}

static enum status read_span(struct machine *machine, int length_bytes, enum pickle_kind kind) {
    uint64_t size_bytes;
    const uint8_t *text;
    struct pickle_value *value;
    TRY(read_number(machine, length_bytes, &size_bytes));
    if (!bytes_read_span(&machine->reader, size_bytes, &text)) return truncated(machine);
    TRY(make(machine, kind, &value));
    value->as.text.data = (const char *)text;
    value->as.text.size_bytes = (size_t)size_bytes;
    return push(machine, value);
}

static enum status read_text(struct machine *machine, int length_bytes) {
    return read_span(machine, length_bytes, PICKLE_TEXT);
}

static enum status read_bytes(struct machine *machine, int length_bytes) {
    return read_span(machine, length_bytes, PICKLE_BYTES);
}

// LONG1 and LONG4: two's complement of any length.
static enum status read_long(struct machine *machine, int length_bytes) {
    uint64_t size_bytes, bits = 0;
    const uint8_t *bytes;
    TRY(read_number(machine, length_bytes, &size_bytes));
    if (!bytes_read_span(&machine->reader, size_bytes, &bytes)) return truncated(machine);
    if (size_bytes > 8) {
        struct pickle_value *value;
        TRY(make(machine, PICKLE_BIG, &value));
        value->as.text.data = (const char *)bytes;
        value->as.text.size_bytes = (size_t)size_bytes;
        return push(machine, value);
    }
    for (size_t i = 0; i < 8; i++) {
        bool negative = size_bytes > 0 && bytes[size_bytes - 1] >= 0x80;
        bits |= (uint64_t)(i < size_bytes ? bytes[i] : negative ? 0xff : 0) << (8 * i);
    }
    return push_integer(machine, PICKLE_INTEGER, (int64_t)bits);
}

static enum status read_float(struct machine *machine, int size_bytes) {
    uint64_t number, swapped = 0;
    struct pickle_value *value;
    TRY(read_number(machine, size_bytes, &number));
    for (int i = 0; i < 8; i++)
        swapped = swapped << 8 | ((number >> (8 * i)) & 0xff); // big-endian in the file
    TRY(make(machine, PICKLE_FLOAT, &value));
    memcpy(&value->as.real, &swapped, sizeof swapped);
    return push(machine, value);
}

static enum status push_container(struct machine *machine, enum pickle_kind kind,
                                  struct pickle_value *const *items, size_t n) {
    struct pickle_value *value;
    TRY(make(machine, kind, &value));
    TRY(explain(machine, pickle_arena_append(machine->arena, value, items, n)));
    return push(machine, value);
}

static enum status push_tuple(struct machine *machine, int n_items) {
    size_t n = (size_t)n_items;
    TRY(need(machine, n));
    machine->n_stack -= n;
    return push_container(machine, PICKLE_TUPLE, machine->stack + machine->n_stack, n);
}

static enum status push_marked(struct machine *machine, int kind) {
    struct pickle_value **items = NULL;
    size_t n = 0;
    TRY(pop_mark(machine, &items, &n));
    if (kind == PICKLE_DICT && n % 2 != 0)
        return REFUSE(machine, STATUS_BAD_INPUT, "a key without a value");
    return push_container(machine, (enum pickle_kind)kind, items, n);
}

static enum status push_empty(struct machine *machine, int kind) {
    return push_container(machine, (enum pickle_kind)kind, NULL, 0);
}

// Adds n items from the top of the stack to the container below them.
static enum status extend(struct machine *machine, struct pickle_value **items, size_t n,
                          enum pickle_kind kind) {
    TRY(need(machine, 1));
    struct pickle_value *container = machine->stack[machine->n_stack - 1];
    if (container->kind != kind || (kind == PICKLE_DICT && n % 2 != 0))
        return REFUSE(machine, STATUS_BAD_INPUT,
                      "items added to something that does not hold them");
    return explain(machine, pickle_arena_append(machine->arena, container, items, n));
}

static enum status extend_marked(struct machine *machine, int kind) {
    struct pickle_value **items = NULL;
    size_t n = 0;
    TRY(pop_mark(machine, &items, &n));
    return extend(machine, items, n, (enum pickle_kind)kind);
}

static enum status extend_top(struct machine *machine, int kind) {
    size_t n = kind == PICKLE_DICT ? 2 : 1;
    TRY(need(machine, n + 1));
    machine->n_stack -= n;
    return extend(machine, machine->stack + machine->n_stack, n, (enum pickle_kind)kind);
}

// Real pickles number their memo from 0 without gaps; so a large index is no reason to allocate.
static enum status memo_put(struct machine *machine, uint64_t index) {
    TRY(need(machine, 1));
    if (index > machine->n_memoized + MEMO_GAP_MAX)
        return REFUSE(machine, STATUS_BAD_INPUT, "memo index %llu", (unsigned long long)index);
    if (index >= machine->memo_capacity) {
        size_t capacity = 2 * (size_t)index + 64;
        struct pickle_value **larger = realloc(machine->memo, capacity * sizeof *larger);
        if (!larger) return error_no_memory(machine->err, "a memo", capacity * sizeof *larger);
        memset(larger + machine->memo_capacity, 0,
               (capacity - machine->memo_capacity) * sizeof *larger);
        machine->memo = larger;
        machine->memo_capacity = capacity;
    }
    machine->memo[index] = machine->stack[machine->n_stack - 1];
    machine->n_memoized++;
    return STATUS_OK;
}

static enum status read_put(struct machine *machine, int index_bytes) {
    uint64_t index;
    TRY(read_number(machine, index_bytes, &index));
    return memo_put(machine, index);
}

static enum status memoize(struct machine *machine, int unused) {
    (void)unused;
    return memo_put(machine, machine->n_memoized);
}

static enum status read_get(struct machine *machine, int index_bytes) {
    uint64_t index;
    TRY(read_number(machine, index_bytes, &index));
    if (index >= machine->memo_capacity || !machine->memo[index])
        return REFUSE(machine, STATUS_BAD_INPUT, "memo index %llu was never set",
                      (unsigned long long)index);
    return push(machine, machine->memo[index]);
}

static enum status push_global(struct machine *machine, const char *module, size_t module_bytes,
                               const char *name, size_t name_bytes) {
    const struct pickle_input *input = machine->input;
    for (size_t i = 0; i < input->n_globals; i++) {
        const struct pickle_global *global = &input->globals[i];
        if (strlen(global->module) != module_bytes || strlen(global->name) != name_bytes ||
            memcmp(global->module, module, module_bytes) != 0 ||
            memcmp(global->name, name, name_bytes) != 0)
            continue;
        struct pickle_value *value;
        TRY(make(machine, PICKLE_GLOBAL, &value));
        value->as.call.global = global;
        return push(machine, value);
    }
    return REFUSE(machine, STATUS_UNSUPPORTED,
                  "the global %.*s.%.*s is not on the allow-list of what weights need; nothing was "
                  "executed",
                  refuse_quote(module_bytes), module, refuse_quote(name_bytes), name);
}

static enum status read_line(struct machine *machine, const char **line, size_t *size_bytes) {
    const uint8_t *begin = machine->reader.data + machine->reader.offset_bytes;
    size_t left = bytes_left(&machine->reader);
    const uint8_t *end =
        left ? memchr(begin, '\n', left < GLOBAL_NAME_MAX ? left : GLOBAL_NAME_MAX) : NULL;
    *line = (const char *)begin;
    *size_bytes = 0;
    if (!end)
        return REFUSE(machine, STATUS_BAD_INPUT,
                      "a global's name that does not end within %d bytes", (int)GLOBAL_NAME_MAX);
    *size_bytes = (size_t)(end - begin);
    machine->reader.offset_bytes += *size_bytes + 1;
    return STATUS_OK;
}

static enum status read_global(struct machine *machine, int unused) {
    (void)unused;
    const char *module, *name;
    size_t module_bytes, name_bytes;
    TRY(read_line(machine, &module, &module_bytes));
    TRY(read_line(machine, &name, &name_bytes));
    return push_global(machine, module, module_bytes, name, name_bytes);
}

static enum status stack_global(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value *module, *name;
    TRY(pop(machine, &name));
    TRY(pop(machine, &module));
    if (module->kind != PICKLE_TEXT || name->kind != PICKLE_TEXT)
        return REFUSE(machine, STATUS_BAD_INPUT, "a global whose name is no text");
    return push_global(machine, module->as.text.data, module->as.text.size_bytes,
                       name->as.text.data, name->as.text.size_bytes);
}

// OrderedDict() or OrderedDict([(key, value), …]).
static enum status call_dict(struct machine *machine, const struct pickle_value *arguments) {
    struct pickle_value *dict;
    TRY(make(machine, PICKLE_DICT, &dict));
    const struct pickle_value *pairs = arguments->as.list.n ? arguments->as.list.items[0] : NULL;
    if (arguments->as.list.n > 1 || (pairs && pairs->kind != PICKLE_LIST))
        return REFUSE(machine, STATUS_BAD_INPUT, "arguments that OrderedDict does not take");
    for (size_t i = 0; pairs && i < pairs->as.list.n; i++) {
        const struct pickle_value *pair = pairs->as.list.items[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->as.list.n != 2)
            return REFUSE(machine, STATUS_BAD_INPUT, "an OrderedDict item that is no pair");
        TRY(explain(machine, pickle_arena_append(machine->arena, dict, pair->as.list.items, 2)));
    }
    return push(machine, dict);
}

static enum status reduce(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value *arguments, *callable, *value;
    TRY(pop(machine, &arguments));
    TRY(pop(machine, &callable));
    if (callable->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_TUPLE)
        return REFUSE(machine, STATUS_BAD_INPUT, "a call of something that is no global");
    const struct pickle_global *global = callable->as.call.global;
    switch (global->action) {
    case PICKLE_MAKES_DICT:
        return call_dict(machine, arguments);
    case PICKLE_TAKES_FIRST:
        if (arguments->as.list.n == 1) return push(machine, arguments->as.list.items[0]);
        break;
    case PICKLE_NOTES_CALL:
        TRY(make(machine, PICKLE_CALL, &value));
        value->as.call.global = global;
        value->as.call.argument = arguments;
        return push(machine, value);
    case PICKLE_REFUSES_CALLS:
        break;
    }
    return REFUSE(machine, STATUS_BAD_INPUT, "%s.%s is not something to call like this",
                  global->module, global->name);
}

// State for an object: an OrderedDict carries attributes (_metadata) that no reader needs.
static enum status build(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value *state;
    TRY(pop(machine, &state));
    TRY(need(machine, 1));
    if (machine->stack[machine->n_stack - 1]->kind != PICKLE_DICT)
        return REFUSE(machine, STATUS_BAD_INPUT, "state for something that is no dictionary");
    return STATUS_OK;
}

static enum status persistent(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value *id, *value;
    TRY(pop(machine, &id));
    TRY(make(machine, PICKLE_PERSISTENT, &value));
    value->as.call.argument = id;
    TRY(explain(machine, pickle_arena_append(machine->arena, machine->persistents, &value, 1)));
    return push(machine, value);
}

static enum status read_protocol(struct machine *machine, int size_bytes) {
    uint64_t protocol;
    TRY(read_number(machine, size_bytes, &protocol));
    if (protocol <= PROTOCOL_MAX) return STATUS_OK;
    return REFUSE(machine, STATUS_UNSUPPORTED, "protocol %llu", (unsigned long long)protocol);
}

static enum status put_mark(struct machine *machine, int unused) {
    (void)unused;
    if (machine->n_marks == MARKS_MAX)
        return REFUSE(machine, STATUS_BAD_INPUT, "more than %d open marks", (int)MARKS_MAX);
    machine->marks[machine->n_marks++] = machine->n_stack;
    return STATUS_OK;
}

static enum status duplicate(struct machine *machine, int unused) {
    (void)unused;
    TRY(need(machine, 1));
    return push(machine, machine->stack[machine->n_stack - 1]);
}

static enum status drop(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value *ignored;
    if (reachable(machine) == 0 && machine->n_marks > 0) {
        machine->n_marks--; // Python's POP of a mark
        return STATUS_OK;
    }
    return pop(machine, &ignored);
}

static enum status drop_marked(struct machine *machine, int unused) {
    (void)unused;
    struct pickle_value **items = NULL;
    size_t n = 0;
    return pop_mark(machine, &items, &n);
}

// A frame only says how much follows; its bytes are opcodes like all others.
static enum status read_frame(struct machine *machine, int size_bytes) {
    uint64_t ignored;
    return read_number(machine, size_bytes, &ignored);
}

static enum status push_none(struct machine *machine, int unused) {
    (void)unused;
    return push_integer(machine, PICKLE_NONE, 0);
}

static enum status push_bool(struct machine *machine, int boolean) {
    return push_integer(machine, PICKLE_BOOL, boolean);
}

struct opcode {
    const char *name; // as Python's pickletools spells it; NULL: no such opcode
    enum status (*run)(struct machine *machine, int argument); // NULL: refused
    int argument;
};

enum { STOP = '.' };

static const struct opcode opcodes[256] = {
    ['('] = {"MARK", put_mark, 0},
    [')'] = {"EMPTY_TUPLE", push_empty, PICKLE_TUPLE},
    ['.'] = {"STOP", NULL, 0}, // ends the loop before it gets here
    ['0'] = {"POP", drop, 0},
    ['1'] = {"POP_MARK", drop_marked, 0},
    ['2'] = {"DUP", duplicate, 0},
    ['B'] = {"BINBYTES", read_bytes, 4},
    ['C'] = {"SHORT_BINBYTES", read_bytes, 1},
    ['F'] = {"FLOAT", NULL, 0},
    ['G'] = {"BINFLOAT", read_float, 8},
    ['I'] = {"INT", NULL, 0},
    ['J'] = {"BININT", read_signed, 4},
    ['K'] = {"BININT1", read_unsigned, 1},
    ['L'] = {"LONG", NULL, 0},
    ['M'] = {"BININT2", read_unsigned, 2},
    ['N'] = {"NONE", push_none, 0},
    ['P'] = {"PERSID", NULL, 0},
    ['Q'] = {"BINPERSID", persistent, 0},
    ['R'] = {"REDUCE", reduce, 0},
    ['S'] = {"STRING", NULL, 0},
    ['T'] = {"BINSTRING", read_text, 4},
    ['U'] = {"SHORT_BINSTRING", read_text, 1},
    ['V'] = {"UNICODE", NULL, 0},
    ['X'] = {"BINUNICODE", read_text, 4},
    [']'] = {"EMPTY_LIST", push_empty, PICKLE_LIST},
    ['a'] = {"APPEND", extend_top, PICKLE_LIST},
    ['b'] = {"BUILD", build, 0},
    ['c'] = {"GLOBAL", read_global, 0},
    ['d'] = {"DICT", push_marked, PICKLE_DICT},
    ['e'] = {"APPENDS", extend_marked, PICKLE_LIST},
    ['g'] = {"GET", NULL, 0},
    ['h'] = {"BINGET", read_get, 1},
    ['i'] = {"INST", NULL, 0},
    ['j'] = {"LONG_BINGET", read_get, 4},
    ['l'] = {"LIST", push_marked, PICKLE_LIST},
    ['o'] = {"OBJ", NULL, 0},
    ['p'] = {"PUT", NULL, 0},
    ['q'] = {"BINPUT", read_put, 1},
    ['r'] = {"LONG_BINPUT", read_put, 4},
    ['s'] = {"SETITEM", extend_top, PICKLE_DICT},
    ['t'] = {"TUPLE", push_marked, PICKLE_TUPLE},
    ['u'] = {"SETITEMS", extend_marked, PICKLE_DICT},
    ['}'] = {"EMPTY_DICT", push_empty, PICKLE_DICT},
    [0x80] = {"PROTO", read_protocol, 1},
    [0x81] = {"NEWOBJ", NULL, 0},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x85] = {"TUPLE1", push_tuple, 1},
    [0x86] = {"TUPLE2", push_tuple, 2},
    [0x87] = {"TUPLE3", push_tuple, 3},
    [0x88] = {"NEWTRUE", push_bool, 1},
    [0x89] = {"NEWFALSE", push_bool, 0},
    [0x8a] = {"LONG1", read_long, 1},
    [0x8b] = {"LONG4", read_long, 4},
    [0x8c] = {"SHORT_BINUNICODE", read_text, 1},
    [0x8d] = {"BINUNICODE8", read_text, 8},
    [0x8e] = {"BINBYTES8", read_bytes, 8},
    [0x8f] = {"EMPTY_SET", NULL, 0},
    [0x90] = {"ADDITEMS", NULL, 0},
    [0x91] = {"FROZENSET", NULL, 0},
    [0x92] = {"NEWOBJ_EX", NULL, 0},
    [0x93] = {"STACK_GLOBAL", stack_global, 0},
    [0x94] = {"MEMOIZE", memoize, 0},
    [0x95] = {"FRAME", read_frame, 8},
    [0x96] = {"BYTEARRAY8", NULL, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static enum status run(struct machine *machine, struct pickle_value **root) {
    for (;;) {
        uint8_t code;
        machine->at = machine->reader.offset_bytes;
        if (!bytes_read_u8(&machine->reader, &code))
            return REFUSE(machine, STATUS_BAD_INPUT, "the data ends before STOP");
        if (code == STOP) return pop(machine, root);
        const struct opcode *opcode = &opcodes[code];
        if (!opcode->name)
            return REFUSE(machine, STATUS_BAD_INPUT, "0x%02x is no opcode", (unsigned)code);
        if (!opcode->run)
            return REFUSE(machine, STATUS_UNSUPPORTED,
                          "opcode %s (0x%02x) is not on the allow-list of what weights need",
                          opcode->name, (unsigned)code);
        TRY(opcode->run(machine, opcode->argument));
    }
}

enum status pickle_load(struct pickle *pickle, const struct pickle_input *input,
                        struct error *err) {
    memset(pickle, 0, sizeof *pickle);
    pickle->arena = calloc(1, sizeof *pickle->arena);
    struct machine *machine = calloc(1, sizeof *machine);
    struct pickle_value **stack = malloc(STACK_FIRST * sizeof *stack); // never NULL from here on
    if (!pickle->arena || !machine || !stack) {
        free(machine);
        free(stack);
        return error_no_memory(err, "a pickle", sizeof *machine);
    }
    machine->stack = stack;
    machine->stack_capacity = STACK_FIRST;
    machine->input = input;
    machine->arena = pickle->arena;
    machine->err = err;
    machine->reader = (struct bytes_reader){.data = input->data, .size_bytes = input->size_bytes};
    enum status status = make(machine, PICKLE_LIST, &machine->persistents);
    pickle->persistents = machine->persistents;
    if (status == STATUS_OK) status = run(machine, &pickle->root);
    pickle->used_bytes = machine->reader.offset_bytes;
    free(machine->stack);
    free(machine->memo);
    free(machine);
    return status;
}

void pickle_deinit(struct pickle *pickle) {
    if (pickle->arena) pickle_arena_deinit(pickle->arena);
    free(pickle->arena);
    memset(pickle, 0, sizeof *pickle);
}

bool pickle_text_is(const struct pickle_value *value, const char *text) {
    size_t size_bytes = strlen(text);
    return value->kind == PICKLE_TEXT && value->as.text.size_bytes == size_bytes &&
           memcmp(value->as.text.data, text, size_bytes) == 0;
}

const struct pickle_value *pickle_dict_get(const struct pickle_value *dict, const char *key) {
    if (dict->kind != PICKLE_DICT) return NULL;
    for (size_t i = dict->as.list.n; i >= 2; i -= 2)
        if (pickle_text_is(dict->as.list.items[i - 2], key)) return dict->as.list.items[i - 1];
    return NULL;
}
