// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies. Frequencies and angles are rounded to float before cos and sin, because that
// is how the models were trained and how references compute them.
#include "model/rope_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static float plain_frequency(double base, int i, int n_rot) {
    return (float)(1.0 / pow(base, 2.0 * i / n_rot));
}

// Long waves are stretched by rope_factor, short ones left alone, those between interpolated.
float rope_llama3_factor(const struct model_config *config, int i) {
    double frequency = plain_frequency(config->rope_base, i, config->n_rot);
    double wavelength = 2 * pi / frequency;
    double low = config->rope_low_freq_factor, high = config->rope_high_freq_factor;
    double context = config->rope_context_original;
    if (wavelength < context / high) return 1.0f;
    if (wavelength > context / low) return config->rope_factor;
    double smooth = (context / wavelength - low) / (high - low);
    return (float)(1.0 / ((1 - smooth) / config->rope_factor + smooth));
}

// The dimension whose wave turns n_turns times over the original context.
static double yarn_dimension(const struct model_config *config, double n_turns) {
    return config->n_rot * log(config->rope_context_original / (n_turns * 2 * pi)) /
           (2 * log(config->rope_base));
}

// YaRN (Peng et al. 2023): dimensions below `low` keep their frequency, above `high` they are
// divided by rope_factor, a ramp between.
static float yarn_frequency(const struct model_config *config, int i) {
    double low = floor(yarn_dimension(config, config->rope_beta_fast));
    double high = ceil(yarn_dimension(config, config->rope_beta_slow));
    if (low < 0) low = 0;
    if (high > config->n_rot - 1) high = config->n_rot - 1;
    if (high <= low) high = low + 0.001;
    double ramp = (i - low) / (high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    double frequency = plain_frequency(config->rope_base, i, config->n_rot);
    return (float)(frequency / config->rope_factor * ramp + frequency * (1 - ramp));
}

static float scaled_frequency(const struct model_config *config, int i) {
    float frequency = plain_frequency(config->rope_base, i, config->n_rot);
    switch (config->rope_scaling) {
    case ROPE_NONE:
        return frequency;
    case ROPE_LINEAR:
        return frequency / config->rope_factor;
    case ROPE_LLAMA3:
        return frequency / rope_llama3_factor(config, i);
    case ROPE_YARN:
        return yarn_frequency(config, i);
    }
    return frequency;
}

static void fill_means(struct rope_table *table) {
    for (int set = 0; set < 2; set++) {
        bool use_local = set == 1 && table->local_frequencies;
        const float *frequencies = use_local ? table->local_frequencies : table->frequencies;
        double factor = use_local ? 1 : (double)table->attention_factor;
        for (int i = 0; i < table->n_pairs; i++) {
            double end = (double)frequencies[i] * ROPE_MEAN_POSITIONS; // integrals of cos and sin
            table->mean_cosine[set][i] = (float)(factor * (end > 0 ? sin(end) / end : 1));
            table->mean_sine[set][i] = (float)(factor * (end > 0 ? (1 - cos(end)) / end : 0));
        }
    }
}

enum status rope_table_init(struct rope_table *table, const struct model_config *config,
                            const float *factors, struct error *err) {
    memset(table, 0, sizeof *table);
    table->n_pairs = config->n_rot / 2;
    table->attention_factor = config->rope_attention_factor;
    size_t size_bytes = (size_t)table->n_pairs * sizeof(float);
    table->frequencies = malloc(size_bytes);
    bool has_local = config->rope_base_local > 0 && config->sliding_window > 0;
    if (has_local) table->local_frequencies = malloc(size_bytes);
    float *means = malloc(4 * size_bytes);
    table->mean_cosine[0] = means;
    if (!table->frequencies || (has_local && !table->local_frequencies) || !means) {
        rope_table_deinit(table);
        return error_no_memory(err, "rotary frequencies", size_bytes);
    }
    table->mean_sine[0] = means + table->n_pairs;
    table->mean_cosine[1] = means + 2 * table->n_pairs;
    table->mean_sine[1] = means + 3 * table->n_pairs;
    for (int i = 0; i < table->n_pairs; i++) {
        table->frequencies[i] = scaled_frequency(config, i);
        if (factors) table->frequencies[i] /= factors[i];
        if (has_local)
            table->local_frequencies[i] =
                plain_frequency(config->rope_base_local, i, config->n_rot);
    }
    fill_means(table);
    return STATUS_OK;
}

void rope_table_deinit(struct rope_table *table) {
    free(table->frequencies);
    free(table->local_frequencies);
    free(table->mean_cosine[0]); // and the other means
    memset(table, 0, sizeof *table);
}

void rope_table_fill(const struct rope_table *table, bool local, int position, float *cosine,
                     float *sine) {
    bool use_local = local && table->local_frequencies;
    const float *frequencies = use_local ? table->local_frequencies : table->frequencies;
    float factor = use_local ? 1.0f : table->attention_factor;
    for (int i = 0; i < table->n_pairs; i++) {
        float angle = (float)position * frequencies[i];
        cosine[i] = (float)cos((double)angle) * factor;
        sine[i] = (float)sin((double)angle) * factor;
    }
}
