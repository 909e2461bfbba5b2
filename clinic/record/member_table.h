// SPDX-License-Identifier: Apache-2.0
// Reads one JSON object of an episode into a struct by a table, one row a member. Members that no
// row names are left alone: they stay in the JSON. Messages name the place and the member, never
// what stands there.
#ifndef XL_CLINIC_MEMBER_TABLE_H
#define XL_CLINIC_MEMBER_TABLE_H

#include "clinic/record/episode.h"

enum member_kind {
    MEMBER_ID,     // const char *: 1 to 64 ASCII characters without spaces, quotes, <>
    MEMBER_TEXT,   // const char *: at most TEXT_BYTES_MAX, nothing invisible in it
    MEMBER_PROSE,  // const char *: at most PROSE_BYTES_MAX
    MEMBER_NUMBER, // double
    MEMBER_INT,    // int, 0 to 1e6
    MEMBER_BOOL,
    MEMBER_MOMENT,
    MEMBER_DATE // const char *: "2025-11-03"
};

enum member_need {
    MEMBER_REQUIRED, // and not empty, where it is a text
    MEMBER_OPTIONAL, // absent: "", 0, false, unknown
    MEMBER_NULLABLE  // absent: NULL (texts)
};

enum { ID_BYTES_MAX = 64, TEXT_BYTES_MAX = 4096, PROSE_BYTES_MAX = 1 << 20 };

struct member {
    const char *name;
    enum member_kind kind;
    enum member_need need;
    size_t offset;      // in the target
    const char *choice; // of texts: "|男|女|", the words that are allowed; NULL: any
};

// Where an object stands: "docs[3] d04". `id` is NULL or a valid id.
struct place {
    const char *table;
    size_t row;
    const char *id;
};

// null counts as absent. False: the error names place and member.
bool member_table_read(const json_t *object, const struct member *members, size_t n_members,
                       void *target, const struct place *place, struct clinic_error *error);

// Fails with "TABLE[ROW] ID: MEMBER: WHAT".
bool place_fail(const struct place *place, const char *member, struct clinic_error *error,
                const char *what);

bool id_is_valid(const char *id);
// "2025-11-03", a day that the calendar has.
bool calendar_day_parse(const char *text, struct calendar_day *day);

#endif
