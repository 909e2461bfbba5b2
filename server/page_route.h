// SPDX-License-Identifier: Apache-2.0
// GET / and its files: the page inside the program.
#ifndef XL_SERVER_PAGE_ROUTE_H
#define XL_SERVER_PAGE_ROUTE_H

struct exchange;

void page_route_handle(struct exchange *exchange);

#endif
