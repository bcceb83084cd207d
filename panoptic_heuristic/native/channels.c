/* Semantic channels: the largest of some, and the softmax over all, estimated for one channel of each pixel. */

#include <math.h>
#include <string.h>

#include "kernels.h"

enum { BLOCK = 256 };

/* exp, right to 3e-6 of it; of less than -80 and more than 80 that of these. */
static inline float exponential(float exponent) {
    float above = exponent > -80 ? exponent : -80, halvings = (above < 80 ? above : 80) * 1.44269504f;
    /* Adding so large a number rounds to whole ones. */
    float whole = halvings + 12582912.0f - 12582912.0f, rest = halvings - whole;
    /* 2 to the power of the rest, which is in [-1/2, 1/2]: a fit whose largest error is the smallest. */
    float last = 0.240247443f + rest * (0.0559178591f + rest * 0.00957010128f);
    float series = 0.999999285f + rest * (0.693121791f + rest * last);
    int32_t bits = ((int32_t)whole + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

WIDE static void estimate_block(const float *logits, int64_t channels, int64_t pixels, const uint8_t *chosen,
                                int64_t block, float *restrict estimates) {
    float asked[BLOCK], total[BLOCK];
    for (int64_t k = 0; k < block; k++) {
        asked[k] = logits[chosen[k] * pixels + k];
        total[k] = 0;
    }
    for (int64_t channel = 0; channel < channels; channel++) {
        const float *restrict values = logits + channel * pixels;
        for (int64_t k = 0; k < block; k++)
            /* The second difference is NaN where a logit is infinite or NaN, else 0. */
            total[k] += exponential(values[k] - asked[k]) + (values[k] - values[k]);
    }
    for (int64_t k = 0; k < block; k++)
        estimates[k] = 1 / total[k];
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

/* logits (channels, pixels), not NaN; chosen (count,) channels below 256, at least one; most (pixels,) the largest
   logit among these, and winners (pixels,) its channel, of equal ones the first chosen. */
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
