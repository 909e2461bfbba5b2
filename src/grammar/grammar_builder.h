// SPDX-License-Identifier: Apache-2.0
// Puts a grammar_program together from fragments. A fragment has one way in and one way out; what
// was joined to something else must not be used again. Failures stick: compilers build on and look
// at `status` now and then.
#ifndef XL_GRAMMAR_GRAMMAR_BUILDER_H
#define XL_GRAMMAR_GRAMMAR_BUILDER_H

#include "grammar/code_ranges.h"
#include "grammar/grammar_program.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fragment {
    uint32_t start, end; // end: a NODE_PASS that leads nowhere yet
};

struct grammar_builder {
    struct grammar_program *program;
    uint32_t nodes_capacity, options_capacity, rules_capacity, sets_capacity;
    uint32_t *set_slots; // hash table over program->sets, index + 1
    enum status status;
    struct error *err;
};

enum status grammar_builder_init(struct grammar_builder *builder, struct error *err);
void grammar_builder_deinit(struct grammar_builder *builder);

struct fragment build_empty(struct grammar_builder *builder);
struct fragment build_nothing(struct grammar_builder *builder); // matches no text
struct fragment build_text(struct grammar_builder *builder, const char *text, size_t text_bytes);
struct fragment build_byte_set(struct grammar_builder *builder, const struct byte_set *set);
// One code point of a normalised set, as UTF-8; surrogates are left out.
struct fragment build_code(struct grammar_builder *builder, const struct code_ranges *set);
struct fragment build_join(struct grammar_builder *builder, struct fragment a, struct fragment b);
struct fragment build_choice(struct grammar_builder *builder, const struct fragment *choices,
                             uint32_t n);
struct fragment build_repeat(struct grammar_builder *builder, struct fragment body, uint32_t min,
                             uint32_t max);
struct fragment build_call(struct grammar_builder *builder, uint32_t rule);

// Networks that are no fragments, built from their ends: nodes lead to nodes, many to one.
uint32_t build_place(struct grammar_builder *builder); // leads nowhere until it is linked
void build_link(struct grammar_builder *builder, uint32_t place, uint32_t node);
// The fragment's way in; behind it comes `node`.
uint32_t build_before(struct grammar_builder *builder, struct fragment fragment, uint32_t node);
uint32_t build_fork(struct grammar_builder *builder, const uint32_t *nodes, uint32_t n);

// A rule may be called before it is defined.
uint32_t build_rule(struct grammar_builder *builder);
void build_define(struct grammar_builder *builder, uint32_t rule, struct fragment body);
enum status build_failed(struct grammar_builder *builder, enum status status, const char *message);

// Checks and finishes: *program is the caller's, the builder is empty. On STATUS_BAD_INPUT *rule is
// the one to blame: it begins with itself, or it is the root and no text satisfies it.
enum status grammar_builder_finish(struct grammar_builder *builder, uint32_t root,
                                   struct grammar_program **program, uint32_t *rule);

// grammar_analysis.c: rests, dead ends and rules that begin with themselves.
enum status grammar_program_analyse(struct grammar_program *program, uint32_t root, uint32_t *rule,
                                    struct error *err);

#ifdef __cplusplus
}
#endif
#endif
