// SPDX-License-Identifier: Apache-2.0
// Which documents may bear what a draft says: signed ones that are not themselves of the kind that
// is drafted at the end of a stay. A record that was filled back must not confirm the next draft.
#ifndef XL_CLINIC_EVIDENCE_DOCUMENT_H
#define XL_CLINIC_EVIDENCE_DOCUMENT_H

#include "clinic/record/episode.h"

bool document_is_evidence(const struct document *document);

#endif
