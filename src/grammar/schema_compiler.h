// SPDX-License-Identifier: Apache-2.0
// What the files of the JSON Schema compiler share. Its unit is a set of schemas that one value
// must satisfy together: $ref and allOf add members, anyOf and oneOf make one set a branch, and
// equal sets are one rule. So whatever stands side by side is combined exactly.
//
// grammar_schema.c   sets to rules
// schema_set.c       members of sets: references, keywords that are known at all
// schema_shape.c     the set's other keywords, gathered: types, bounds, lengths
// schema_apart.c     can no value satisfy both of two shapes? (oneOf)
// schema_values.c    enum and const;  schema_number.c  schema_string.c
// schema_array.c     schema_object.c
#ifndef XL_GRAMMAR_SCHEMA_COMPILER_H
#define XL_GRAMMAR_SCHEMA_COMPILER_H

#include "grammar/grammar_builder.h"
#include "grammar/schema_document.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SCHEMA_SET_MAX = 200, SCHEMA_WORK_MAX = 1 << 20 };

// ---- Sets --------------------------------------------------------------------------------------

// A branch of its anyOf or oneOf was added already; its $ref and allOf were.
enum { SEEN_ANY_OF = 1, SEEN_ONE_OF = 2, SEEN_FOLLOWED = 4, SEEN_BITS = 3 };

struct schema_member {
    uint32_t value;
    uint32_t seen;
    uint32_t because; // the member whose $ref, allOf, anyOf or oneOf brought it; SCHEMA_NONE
};

struct schema_set {
    struct schema_member members[SCHEMA_SET_MAX];
    uint32_t n;
    bool is_nothing; // a false schema belongs to it
};

// ---- Shapes ------------------------------------------------------------------------------------

enum {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INTEGER = 4,
    TYPE_FRACTION = 8, // numbers that are no integers
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_ALL = 127
};

// A bound: digits / 10^scale.
struct schema_bound {
    bool is_set, excludes; // excludes: the bound itself
    int64_t digits;
    int scale;
};

struct schema_shape {
    unsigned types;       // what the type keywords allow
    unsigned types_meant; // a part of them: what the keywords are about, if no type is given
    uint32_t values;      // an enum's or a const's value; SCHEMA_NONE: any
    struct schema_bound lower, upper;
    uint64_t multiple;                                // 0: any
    uint32_t length_min, length_max, pattern, format; // pattern, format: values or SCHEMA_NONE
    uint32_t items_min, items_max, keys_min, keys_max;
    bool is_unique;
};

// ---- The compiler ------------------------------------------------------------------------------

struct schema_rule {
    uint32_t first, n; // keys[first .. first + n)
    uint32_t rule, hash;
};

struct schema_compiler {
    struct schema_document document;
    struct grammar_builder builder;
    struct schema_rule *rules; // those from n_defined on wait
    uint32_t n_rules, n_defined, rules_capacity;
    uint32_t *keys, n_keys, keys_capacity; // members of the rules' sets: value << SEEN_BITS | seen
    uint32_t *slots;                       // hash table over rules, index + 1
    uint32_t character, integer, number, space; // rules that many use; SCHEMA_NONE: not yet
    uint32_t work;                              // of SCHEMA_WORK_MAX
    struct error *err;
};

// STATUS_UNSUPPORTED "JSON Schema: KEYWORD at POINTER: why".
enum status schema_refuse(const struct schema_compiler *c, uint32_t value, const char *keyword,
                          const char *why);
// STATUS_BAD_INPUT of the same form.
enum status schema_wrong(const struct schema_compiler *c, uint32_t value, const char *keyword,
                         const char *why);
enum status schema_spend(struct schema_compiler *c, uint32_t work);

// grammar_schema.c
enum status schema_rule_of(struct schema_compiler *c, const struct schema_set *set, uint32_t *rule);
// A call of the rule that one value must satisfy.
enum status schema_call(struct schema_compiler *c, const struct schema_set *set,
                        struct fragment *fragment);
struct fragment schema_space(struct schema_compiler *c); // between values, bounded

// schema_set.c
enum status schema_set_add(const struct schema_compiler *c, struct schema_set *set, uint32_t value,
                           uint32_t because);
// Follows $ref and allOf of all members.
enum status schema_set_complete(struct schema_compiler *c, struct schema_set *set);
// A member with an anyOf (or oneOf, `seen` says which) of which no branch was added; SCHEMA_NONE.
uint32_t schema_set_branching(const struct schema_compiler *c, const struct schema_set *set,
                              const char *keyword, uint32_t seen);

// schema_shape.c
enum status schema_shape_of(struct schema_compiler *c, const struct schema_set *set,
                            struct schema_shape *shape);
unsigned schema_type_of(const json_t *value);
int schema_compare_bounds(const struct schema_bound *a, const struct schema_bound *b);
// Whether a JSON number keeps the shape's bounds and multiple.
bool schema_number_fits(const struct schema_shape *shape, const json_t *number);

// schema_apart.c: *apart if no value satisfies both complete sets.
enum status schema_are_apart(struct schema_compiler *c, const struct schema_set *a,
                             const struct schema_set *b, unsigned depth, bool *apart);

// schema_values.c
bool schema_equal(const json_t *a, const json_t *b); // 1 equals 1.0
// The values of an enum or const that satisfy the shape; NULL without err: the shape has no such
// list. The caller decrefs.
enum status schema_values_of(struct schema_compiler *c, const struct schema_set *set,
                             const struct schema_shape *shape, json_t **values);
enum status schema_build_values(struct schema_compiler *c, json_t *values,
                                struct fragment *fragment);
char *schema_text_of(const json_t *value); // compact JSON, free() it; NULL: no memory

// One fragment a type.
enum status schema_build_number(struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *shape, unsigned types,
                                struct fragment *fragment);
enum status schema_build_string(struct schema_compiler *c, const struct schema_shape *shape,
                                struct fragment *fragment);
enum status schema_build_array(struct schema_compiler *c, const struct schema_set *set,
                               const struct schema_shape *shape, struct fragment *fragment);
enum status schema_build_object(struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *shape, struct fragment *fragment);

#ifdef __cplusplus
}
#endif
#endif
