// SPDX-License-Identifier: Apache-2.0
// A consultation is told by who was asked and what was answered, as an opinion: whether it was
// followed, the orders tell.
#ifndef XL_CLINIC_CONSULT_FACTS_H
#define XL_CLINIC_CONSULT_FACTS_H

#include "clinic/facts/note_class.h"

// context: of the signed document doc_row, a consultation.
bool facts_of_consultation(const struct note_context *context, int doc_row, struct fact_list *facts,
                           struct clinic_error *error);

#endif
