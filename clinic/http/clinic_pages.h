// SPDX-License-Identifier: Apache-2.0
// The clinic's pages inside the program (clinic/ui). They load nothing from elsewhere and run no
// script that is not a file of their own; only the draft window may be framed, by listed hosts.
#ifndef XL_CLINIC_CLINIC_PAGES_H
#define XL_CLINIC_CLINIC_PAGES_H

struct exchange;

void clinic_pages_handle(struct exchange *exchange);

#endif
