// SPDX-License-Identifier: Apache-2.0
// What of a drug's name people write: 盐酸氨溴索注射液 and 氨溴索 are one drug.
#ifndef XL_CLINIC_DRUG_STEM_H
#define XL_CLINIC_DRUG_STEM_H

#include "clinic/record/episode.h"

#define DRUG_STEM_BYTES 64

// Without salts in front, dose forms and salts behind and parentheses; the name itself where too
// little would remain. Cut at the buffer's end on a character.
void drug_stem(const char *name, char stem[DRUG_STEM_BYTES]);
bool drug_stem_is_same(const char *name, const char *other);
// 鸡蛋, 花粉, 尘螨: not what a statement about drugs speaks of.
bool allergy_is_food(const char *substance);
bool allergy_is_drug(const char *substance);
// Infusions, antacids, painkillers …: what a discharge record may leave out.
bool drug_is_supportive(const struct order *order);
// Supportive, and no diagnosis of the stay asks for it: potassium is support, but the treatment of
// 低钾血症.
bool drug_is_support_of(const struct episode *episode, const struct order *order);
// Given for hours or a few days, and still the treatment: heparin by pump, thrombolysis, insulin by
// pump, octreotide …
bool drug_is_acute(const struct order *order);

#endif
