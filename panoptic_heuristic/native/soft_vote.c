/* A vote of soft masks over pixels: each goes to the largest factor times mask probability, if that is above 0.

   PyTorch's grid_sample is the reference. Probabilities here are within `guard` of it, so that a pixel is decided
   where the best and the second best lie further apart than that allows. The others are listed, to be asked there. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

/* The pixels along one axis of a box: the cells of the mask that lie around each, and where between them. */
struct axis {
    int64_t first, end; /* pixels */
    int32_t *cells;     /* from 0 for what lies two before the mask */
    float *weights;     /* of the later cell */
    uint8_t *at_centre; /* 1 where another rounding may choose other cells */
};

enum { BEFORE = 2, PADDING = 5 };

static double clamped(double value, double low, double high) {
    return value > low ? (value < high ? value : high) : low;
}

/* Fills an axis; the order of the float operations is that of paste.py, whose rounding it has to have. */
static void place(struct axis *axis, float low, float high, int64_t size, int64_t pixels) {
    axis->first = (int64_t)clamped(floor((double)low) - 1, 0, (double)pixels);
    axis->end = (int64_t)clamped(ceil((double)high) + 1, 0, (double)pixels);
    for (int64_t k = axis->first; k < axis->end; k++) {
        float place = ((float)k + 0.5f - low) / (high - low) * 2 - 1;
        double cell = clamped((place + 1) * ((float)size / 2) - 0.5f, -BEFORE, (double)size + 1);
        double whole = floor(cell), rest = cell - whole;
        axis->cells[k - axis->first] = (int32_t)whole + BEFORE;
        axis->weights[k - axis->first] = (float)rest;
        axis->at_centre[k - axis->first] = rest < 1e-3 || rest > 1 - 1e-3;
    }
}

/* One row of a box between two rows of a mask, with zeros around. */
static void blend(float *line, const float *mask, int64_t size, const struct axis *rows, int64_t row) {
    int64_t cell = rows->cells[row] - BEFORE;
    float weight = rows->weights[row];
    const float *upper = cell >= 0 && cell < size ? mask + cell * size : NULL;
    const float *lower = cell + 1 >= 0 && cell + 1 < size ? mask + (cell + 1) * size : NULL;
    for (int64_t k = 0; k < size; k++)
        line[BEFORE + k] = (upper ? upper[k] * (1 - weight) : 0) + (lower ? lower[k] * weight : 0);
}

/* masks (N, size, size) and boxes (N, 4) float32; ranked and factors: `count` places in them, best first, and numbers
   of at most 1 in magnitude. best, second and winner (height, width): the largest value, the one after it, and from 1
   the place in `ranked` of the largest, 0 for none. inside: the winner's probability is at least 1/2. areas (count,):
   pixels of at least 1/2, without those listed. pair_places and pair_pixels: the places in `ranked`, and pixels, to be
   asked about, `capacity` at most. Returns how many there are; -1 without memory. */
KERNEL int64_t ph_soft_vote(const float *masks, int64_t size, const float *boxes, const int64_t *ranked,
                            const float *factors, int64_t count, int64_t height, int64_t width, float guard,
                            float *best, float *second, int32_t *winner, uint8_t *inside, int64_t *areas,
                            int32_t *pair_places, int32_t *pair_pixels, int64_t capacity) {
    int64_t longest = height > width ? height : width, pairs = 0;
    char *memory = malloc((size_t)(2 * longest * (sizeof(int32_t) + sizeof(float) + 1)));
    float *line = calloc((size_t)(size + PADDING), sizeof(float));
    if (!memory || !line) {
        free(memory);
        free(line);
        return -1;
    }
    struct axis axes[2];
    for (int k = 0; k < 2; k++) {
        axes[k].cells = (int32_t *)memory + k * longest;
        axes[k].weights = (float *)(memory + 2 * longest * sizeof(int32_t)) + k * longest;
        axes[k].at_centre = (uint8_t *)(memory + 2 * longest * (sizeof(int32_t) + sizeof(float))) + k * longest;
    }
    for (int64_t pixel = 0; pixel < height * width; pixel++) {
        best[pixel] = 0;
        second[pixel] = -INFINITY;
    }
    memset(winner, 0, (size_t)(height * width) * sizeof *winner);
    memset(inside, 0, (size_t)(height * width));
    memset(areas, 0, (size_t)count * sizeof *areas);
    /* First who is best, then which pixels that leaves open. */
    for (int turn = 0; turn < 2; turn++)
        for (int64_t number = 0; number < count; number++) {
            const float *box = boxes + 4 * ranked[number], *mask = masks + ranked[number] * size * size;
            if (!(box[0] < box[2] && box[1] < box[3]))
                continue;
            struct axis *columns = &axes[0], *rows = &axes[1];
            place(columns, box[0], box[2], size, width);
            place(rows, box[1], box[3], size, height);
            for (int64_t row = rows->first; row < rows->end; row++) {
                blend(line, mask, size, rows, row - rows->first);
                int open_row = rows->at_centre[row - rows->first];
                for (int64_t column = columns->first; column < columns->end; column++) {
                    int64_t k = column - columns->first, pixel = row * width + column;
                    const float *cell = line + columns->cells[k];
                    float probability = cell[0] + columns->weights[k] * (cell[1] - cell[0]);
                    /* Between cells of 0 the reference says 0, too. */
                    if (probability == 0 && !open_row && !columns->at_centre[k])
                        continue;
                    float value = factors[number] * probability;
                    if (turn == 0) {
                        int wins = value > best[pixel];
                        float lesser = wins ? best[pixel] : value;
                        second[pixel] = lesser > second[pixel] ? lesser : second[pixel];
                        best[pixel] = wins ? value : best[pixel];
                        winner[pixel] = wins ? (int32_t)number + 1 : winner[pixel];
                        continue;
                    }
                    int is_open = best[pixel] - second[pixel] <= 2 * guard && best[pixel] - value <= 2 * guard;
                    if (is_open || fabsf(probability - 0.5f) <= guard) {
                        if (pairs < capacity) {
                            pair_places[pairs] = (int32_t)number;
                            pair_pixels[pairs] = (int32_t)pixel;
                        }
                        pairs++;
                    } else if (probability > 0.5f) {
                        areas[number]++;
                        inside[pixel] |= winner[pixel] == number + 1;
                    }
                }
            }
        }
    free(memory);
    free(line);
    return pairs;
}
