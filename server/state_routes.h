// SPDX-License-Identifier: Apache-2.0
// Routes about the server itself, answered by the I/O thread at once, also under full load: a probe
// waits for nothing.
#ifndef XL_SERVER_STATE_ROUTES_H
#define XL_SERVER_STATE_ROUTES_H

struct exchange;

void health_route_handle(struct exchange *exchange);  // the process lives
void ready_route_handle(struct exchange *exchange);   // the model is loaded, nothing drains
void metrics_route_handle(struct exchange *exchange); // for Prometheus
void models_route_handle(struct exchange *exchange);  // OpenAI's list of models
void model_route_handle(struct exchange *exchange);   // one of them
void openapi_route_handle(struct exchange *exchange); // every route and field

#endif
