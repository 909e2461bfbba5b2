// SPDX-License-Identifier: Apache-2.0
// Damage to a JSON text that leaves it JSON: members are dropped, doubled, moved, given values of
// other members or of the wrong type, strings cut and joined.
#ifndef XL_TESTS_JSON_DAMAGE_H
#define XL_TESTS_JSON_DAMAGE_H

#include "mutation.h"

// One to four changes, the donor's values among them. The document's map no longer fits.
void json_damage(struct mutator *mutator, struct document *document);

#endif
