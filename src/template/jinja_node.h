// SPDX-License-Identifier: Apache-2.0
// The syntax tree. One node type for all: a kind and a few fields whose meaning the kind decides.
#ifndef XL_TEMPLATE_JINJA_NODE_H
#define XL_TEMPLATE_JINJA_NODE_H

#include "template/jinja_value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum node_kind {
    // Expressions
    NODE_CONST,    // value
    NODE_NAME,     // name
    NODE_LIST,     // children
    NODE_TUPLE,    // children; as a target: what is assigned to
    NODE_DICT,     // children: key, value, key, value, …
    NODE_BINARY,   // op, left, right
    NODE_UNARY,    // op (TOKEN_ADD or TOKEN_SUB), left
    NODE_CONCAT,   // children
    NODE_COMPARE,  // left, then children with comparison ops: see compare_ops
    NODE_AND,      // left, right
    NODE_OR,       // left, right
    NODE_NOT,      // left
    NODE_IF_ELSE,  // left if third else right (NULL)
    NODE_GET_ATTR, // left.name
    NODE_GET_ITEM, // left[right]
    NODE_SLICE,    // left[children 0 : 1 : 2], each may be NULL
    NODE_CALL,     // left(arguments)
    NODE_FILTER,   // left | name(arguments); left NULL in filter and set blocks
    NODE_TEST,     // left is name(arguments)
    NODE_NS_REF,   // name.attribute as a target; `attribute`
    // Statements
    NODE_DATA,         // name: the text
    NODE_PRINT,        // children
    NODE_SET,          // left = right
    NODE_SET_BLOCK,    // left = body, filtered by right (or NULL)
    NODE_IF,           // branches: children are conditions (NULL: else) and blocks in turn
    NODE_FOR,          // for left in right if third; body; otherwise
    NODE_MACRO,        // name, signature; body
    NODE_CALL_BLOCK,   // left: the call; signature; body
    NODE_FILTER_BLOCK, // right: filters; body
    NODE_WITH,         // children: target, value, …; body
    NODE_SCOPE,        // body in a scope of its own (generation blocks)
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_BLOCK // children: statements one after another
};

enum compare_op {
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_LT,
    COMPARE_LE,
    COMPARE_GT,
    COMPARE_GE,
    COMPARE_IN,
    COMPARE_NOT_IN
};

struct node;

struct argument_nodes {
    struct node **positional;
    size_t n_positional;
    struct text **names; // of keyword arguments
    struct node **keyword;
    size_t n_keyword;
    struct node *more_positional, *more_keyword; // *args and **kwargs, or NULL
};

// Parameters of a macro or a call block. The last n_defaults have default values.
struct signature {
    struct text **names;
    size_t n_names;
    struct node **defaults;
    size_t n_defaults;
    bool uses_caller, uses_varargs, uses_kwargs; // the body mentions these names
};

struct node {
    enum node_kind kind;
    int line;
    int height; // of the tree below, this node included
    int op;     // enum token_kind or enum compare_op
    bool flag;  // FOR: recursive
    struct value value;
    struct text *name, *attribute; // interned: equal names are the same pointer
    struct node *left, *right, *third;
    struct node **children;
    int *ops; // of COMPARE, one for each child
    size_t n_children;
    struct node *body, *otherwise; // NODE_BLOCK
    struct argument_nodes *arguments;
    struct signature *signature;
};

#ifdef __cplusplus
}
#endif
#endif
