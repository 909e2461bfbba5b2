// SPDX-License-Identifier: Apache-2.0
// What a step over n tokens takes, learnt from the steps that were made: running averages for some
// sizes, straight lines between them. From it follow how much of a prompt can be read without
// holding up running streams, and how many guessed tokens pay.
#ifndef XL_ENGINE_STEP_COST_H
#define XL_ENGINE_STEP_COST_H

#ifdef __cplusplus
extern "C" {
#endif

enum { STEP_SIZES = 24 };

struct step_cost {
    double seconds[STEP_SIZES];  // 0: not measured
    double n_tokens[STEP_SIZES]; // average of the steps that were counted here
};

void step_cost_learn(struct step_cost *cost, int n_tokens, double seconds);
// Beyond the largest measured size a step is taken to cost as much as that one (is_hopeful: trying
// shows the truth), or in proportion to its tokens. 0: nothing was measured yet.
double step_cost_predict(const struct step_cost *cost, int n_tokens, int is_hopeful);

#ifdef __cplusplus
}
#endif
#endif
