// SPDX-License-Identifier: Apache-2.0
// The forms that drafts are filled into: one text a field, with versions. All fields of a call
// change or none; every earlier text is kept.
#ifndef XL_CLINIC_STORE_FORMS_H
#define XL_CLINIC_STORE_FORMS_H

#include "clinic/store/store.h"

struct form_field {
    const char *id, *name; // name may be NULL: id
    const char *text;
    int64_t expected_version; // 0: never filled; < 0: whatever it is
};

// "from" is who put the text there, "draft" or "typed"; "draft" is the draft that the text comes
// from, also after somebody typed changes into it, until the field was empty: an AI label stays.
struct form_fill {
    const char *episode, *template;
    const struct form_field *fields;
    int n_fields;
    const char *draft; // the text comes from this draft (audit: form.fill); NULL: typed (form.type)
};

// CLINIC_CONFLICT if a field has another version than expected: nothing is changed, and `form` is
// the form as it is. On success `form` is the new form. `form` may be NULL.
bool store_fill_form(struct store *store, const struct actor *actor, const struct form_fill *fill,
                     json_t **form, struct clinic_error *error);
// {"episode", "template", "fields": [{"id", "name", "text", "version", "from", "draft", "by",
// "at"}]}, by id; fields that nobody has filled are not in it. An episode without a form: no
// fields.
bool store_get_form(struct store *store, const char *episode, const char *template, json_t **form,
                    struct clinic_error *error);
// One of such a form's fields: borrowed; NULL: nobody has filled it.
json_t *store_form_field(const json_t *form, const char *id);
// The text before the last change, as a new version; again: the one before that. CLINIC_CONFLICT:
// another version, or nothing to undo. What comes back is what stood there, whatever the record has
// become since. Audit: form.undo, its "restores" is the version that came back (0: empty).
bool store_undo_form(struct store *store, const struct actor *actor, const char *episode,
                     const char *template, const char *field, int64_t expected_version,
                     json_t **form, struct clinic_error *error);
// [{"version", "text", "from", "draft", "by", "at", "restores", "action"}] of one field, newest
// first.
bool store_form_history(struct store *store, const char *episode, const char *template,
                        const char *field, json_t **history, struct clinic_error *error);

#endif
