/* Semantic channels: the largest of some, and the softmax over all, estimated for one channel of each pixel. */

#include <math.h>
#include <string.h>

#include "kernels.h"

enum { BLOCK = 256 };

/* exp of a number in [-infinity, 0], right to 3e-7 of it; below exp(-80) that. */
static inline float exponential(float exponent) {
    float halvings = (exponent > -80 ? exponent : -80) * 1.44269504f;
    /* Adding so large a number rounds to whole ones. */
    float rounded = halvings + 12582912.0f, whole = rounded - 12582912.0f;
    float rest = (halvings - whole) * 0.693147181f;
    float series = 1 + rest * (1 + rest * (0.5f + rest * (1 / 6.0f + rest * (1 / 24.0f + rest * (1 / 120.0f)))));
    int32_t bits = ((int32_t)whole + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

WIDE static void estimate_block(const float *logits, int64_t channels, int64_t pixels, const uint8_t *chosen,
                                int64_t block, float *estimates) {
    float most[BLOCK], total[BLOCK];
    for (int64_t k = 0; k < block; k++) {
        most[k] = logits[k];
        total[k] = 0;
        estimates[k] = logits[chosen[k] * pixels + k];
    }
    for (int64_t channel = 1; channel < channels; channel++) {
        const float *values = logits + channel * pixels;
        for (int64_t k = 0; k < block; k++)
            most[k] = values[k] > most[k] || values[k] != values[k] ? values[k] : most[k];
    }
    for (int64_t channel = 0; channel < channels; channel++) {
        const float *values = logits + channel * pixels;
        for (int64_t k = 0; k < block; k++)
            total[k] += exponential(values[k] - most[k]);
    }
    for (int64_t k = 0; k < block; k++)
        /* The difference is NaN where the largest is infinite or NaN. */
        estimates[k] = exponential(estimates[k] - most[k]) / total[k] + (most[k] - most[k]);
}

/* logits (channels, pixels); chosen (pixels,), each below `channels`; estimates (pixels,). */
KERNEL int64_t ph_softmax_estimates(const float *logits, int64_t channels, int64_t pixels, const uint8_t *chosen,
                                    float *estimates) {
    for (int64_t first = 0; first < pixels; first += BLOCK) {
        int64_t block = pixels - first < BLOCK ? pixels - first : BLOCK;
        estimate_block(logits + first, channels, pixels, chosen + first, block, estimates + first);
    }
    return 0;
}

WIDE static void largest_block(const float *logits, int64_t pixels, const int64_t *channels, int64_t count,
                               int64_t block, float *restrict most, int32_t *restrict places) {
    for (int64_t k = 0; k < block; k++) {
        most[k] = logits[channels[0] * pixels + k];
        places[k] = (int32_t)channels[0];
    }
    for (int64_t place = 1; place < count; place++) {
        const float *restrict values = logits + channels[place] * pixels;
        const int32_t channel = (int32_t)channels[place];
        /* Two loops: of one that keeps both, compilers make branches that nobody foresees. */
        for (int64_t k = 0; k < block; k++)
            places[k] = values[k] > most[k] ? channel : places[k];
        for (int64_t k = 0; k < block; k++)
            most[k] = values[k] > most[k] ? values[k] : most[k];
    }
}

/* logits (channels, pixels), not NaN; chosen (count,) channels below 256, at least one; most (pixels,) the largest logit
   among these, and winners (pixels,) its channel, of equal ones the first chosen. */
KERNEL int64_t ph_largest(const float *logits, int64_t pixels, const int64_t *chosen, int64_t count, float *most,
                          uint8_t *winners) {
    int32_t places[BLOCK];
    for (int64_t first = 0; first < pixels; first += BLOCK) {
        int64_t block = pixels - first < BLOCK ? pixels - first : BLOCK;
        largest_block(logits + first, pixels, chosen, count, block, most + first, places);
        for (int64_t k = 0; k < block; k++)
            winners[first + k] = (uint8_t)places[k];
    }
    return 0;
}
