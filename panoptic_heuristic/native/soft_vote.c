/* A vote of soft masks over pixels: each goes to the largest factor times mask probability, if that is above 0.

   PyTorch's grid_sample is the reference. Probabilities here are within `guard` of it, so that a pixel is decided
   where the best and the second best lie further apart than that allows. The others are listed, to be asked there. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

/* The pixels along one axis of a box: the cells of the mask that lie around each, and where between them. */
struct axis {
    int64_t first, end;       /* pixels */
    int32_t *restrict cells;  /* the first of two, from 0 for what lies two before the mask */
    float *restrict weights;  /* of the second */
    int32_t *restrict on_one; /* 1 so near to one cell that another rounding may take its other neighbour */
};

/* Where an instance looks, and what it votes with. */
struct voter {
    const float *mask;
    int64_t size;
    float factor;
    int32_t number;
    struct axis rows, columns;
};

/* The state of the vote, each (height, width) but for the line. */
struct vote {
    int64_t height, width;
    float guard;
    float *best, *second, *line, *row;
    int32_t *winner; /* below 0 where the pixel is in its mask for sure */
    uint8_t *open;
};

struct pairs {
    int32_t *places, *pixels;
    int64_t count, capacity;
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
        axis->on_one[k - axis->first] = rest < 1e-3 || rest > 1 - 1e-3;
    }
}

/* The mask of a voter along one row of its box, with zeros around. */
static void blend(float *line, const struct voter *voter, int64_t row) {
    int64_t size = voter->size, cell = voter->rows.cells[row] - BEFORE;
    float weight = voter->rows.weights[row];
    const float *upper = cell >= 0 && cell < size ? voter->mask + cell * size : NULL;
    const float *lower = cell + 1 >= 0 && cell + 1 < size ? voter->mask + (cell + 1) * size : NULL;
    for (int64_t k = 0; k < size; k++)
        line[BEFORE + k] = (upper ? upper[k] * (1 - weight) : 0) + (lower ? lower[k] * weight : 0);
}

static float probability_at(const float *line, const struct axis *columns, int64_t k) {
    const float *cell = line + columns->cells[k];
    return cell[0] + columns->weights[k] * (cell[1] - cell[0]);
}

static void list(struct pairs *pairs, int32_t place, int64_t pixel) {
    if (pairs->count < pairs->capacity) {
        pairs->places[pairs->count] = place;
        pairs->pixels[pairs->count] = (int32_t)pixel;
    }
    pairs->count++;
}

/* One row of a box votes. Returns the pixels that are in the mask for sure; `near` receives those that may be. */
WIDE static int64_t vote_row(const struct vote *vote, const struct voter *voter, int64_t on_one, int64_t start,
                             int64_t width, int64_t *near) {
    float *restrict best = vote->best + start, *restrict second = vote->second + start, *restrict row = vote->row;
    int32_t *restrict winner = vote->winner + start;
    const int32_t *restrict on_one_column = voter->columns.on_one;
    const float factor = voter->factor, above = 0.5f + vote->guard, below = 0.5f - vote->guard;
    const int32_t number = voter->number + 1, on_one_row = (int32_t)on_one;
    int32_t sure = 0, possible = 0;
    for (int64_t k = 0; k < width; k++)
        row[k] = probability_at(vote->line, &voter->columns, k);
    for (int64_t k = 0; k < width; k++) {
        /* Between cells of 0 the reference says 0, too, which is no vote. */
        float value = row[k] > 0 || (on_one_column[k] | on_one_row) ? factor * row[k] : -INFINITY;
        float most = best[k], next = second[k];
        int wins = value > most;
        float lesser = wins ? most : value;
        second[k] = lesser > next ? lesser : next;
        best[k] = wins ? value : most;
        winner[k] = wins ? (row[k] > above ? -number : number) : winner[k];
        sure += row[k] > above;
        possible += row[k] >= below;
    }
    *near = possible - sure;
    return sure;
}

/* A whole instance votes, and lists the pixels of which it is not sure that they are in its mask. */
static int64_t vote_box(const struct vote *vote, const struct voter *voter, struct pairs *pairs) {
    const struct axis *rows = &voter->rows, *columns = &voter->columns;
    int64_t width = columns->end - columns->first, area = 0;
    for (int64_t y = rows->first; y < rows->end; y++) {
        int64_t start = y * vote->width + columns->first, near;
        blend(vote->line, voter, y - rows->first);
        area += vote_row(vote, voter, rows->on_one[y - rows->first], start, width, &near);
        for (int64_t k = 0; near && k < width; k++)
            if (fabsf(vote->row[k] - 0.5f) <= vote->guard)
                list(pairs, voter->number, start + k);
    }
    return area;
}

/* Lists the open pixels that an instance may win; returns how many of these are in its mask for sure. */
static int64_t list_open(const struct vote *vote, const struct voter *voter, struct pairs *pairs) {
    const struct axis *rows = &voter->rows, *columns = &voter->columns;
    int64_t width = columns->end - columns->first, area = 0;
    for (int64_t y = rows->first; y < rows->end; y++) {
        int64_t start = y * vote->width + columns->first;
        const uint8_t *open = vote->open + start, *next = memchr(open, 1, (size_t)width);
        if (next)
            blend(vote->line, voter, y - rows->first);
        for (; next; next = memchr(next + 1, 1, (size_t)(open + width - next - 1))) {
            float probability = probability_at(vote->line, columns, next - open);
            int64_t pixel = start + (next - open);
            int is_far = vote->best[pixel] - voter->factor * probability > 2 * vote->guard;
            if (is_far || fabsf(probability - 0.5f) <= vote->guard)
                continue;
            list(pairs, voter->number, pixel);
            area += probability > 0.5f;
        }
    }
    return area;
}

static void run(const struct vote *vote, struct voter *voter, const float *masks, const float *boxes,
                const int64_t *ranked, const float *factors, int64_t count, int64_t *areas, struct pairs *pairs,
                int is_open) {
    for (int64_t number = 0; number < count; number++) {
        const float *box = boxes + 4 * ranked[number];
        if (!(box[0] < box[2] && box[1] < box[3]))
            continue;
        voter->mask = masks + ranked[number] * voter->size * voter->size;
        voter->factor = factors[number];
        voter->number = (int32_t)number;
        place(&voter->columns, box[0], box[2], voter->size, vote->width);
        place(&voter->rows, box[1], box[3], voter->size, vote->height);
        if (voter->columns.end <= voter->columns.first)
            continue;
        /* Pixels that are listed do not count. */
        areas[number] += is_open ? -list_open(vote, voter, pairs) : vote_box(vote, voter, pairs);
    }
}

/* masks (N, size, size) in [0, 1] and boxes (N, 4), finite; ranked and factors: `count` places in them, best first, and
   numbers of at most 1 in magnitude. winner, inside and open (height, width): from 1 the place in `ranked` of the
   largest value, 0 for none; whether its probability is at least 1/2; and 1 where the winner is not sure. areas
   (count,): pixels of at least 1/2, without those listed. pair_places and pair_pixels: the places in `ranked`, and
   pixels, to be asked about, `capacity` at most. Returns how many there are; -1 without memory. */
KERNEL int64_t ph_soft_vote(const float *masks, int64_t size, const float *boxes, const int64_t *ranked,
                            const float *factors, int64_t count, int64_t height, int64_t width, float guard,
                            int32_t *winner, uint8_t *inside, uint8_t *open, int64_t *areas, int32_t *pair_places,
                            int32_t *pair_pixels, int64_t capacity) {
    int64_t pixels = height * width, axis = 3 * (height + width);
    float *memory = malloc((size_t)(2 * pixels + axis + width + size + PADDING) * sizeof(float));
    if (!memory)
        return -1;
    float *axes = memory + 2 * pixels, *row = axes + axis, *line = row + width;
    struct vote vote = {height, width, guard, memory, memory + pixels, line, row, winner, open};
    struct voter voter = {
        .size = size,
        .rows = {.cells = (int32_t *)axes, .on_one = (int32_t *)axes + height, .weights = axes + 2 * height},
    };
    axes += 3 * height;
    voter.columns = (struct axis){
        .cells = (int32_t *)axes, .on_one = (int32_t *)axes + width, .weights = axes + 2 * width};
    struct pairs pairs = {pair_places, pair_pixels, 0, capacity};
    memset(vote.best, 0, (size_t)pixels * sizeof(float));
    for (int64_t k = 0; k < pixels; k++)
        vote.second[k] = -INFINITY;
    memset(winner, 0, (size_t)pixels * sizeof *winner);
    memset(areas, 0, (size_t)count * sizeof *areas);
    memset(line, 0, (size_t)(size + PADDING) * sizeof(float));
    run(&vote, &voter, masks, boxes, ranked, factors, count, areas, &pairs, 0);
    for (int64_t k = 0; k < pixels; k++) {
        open[k] = vote.best[k] - vote.second[k] <= 2 * guard;
        inside[k] = winner[k] < 0;
        winner[k] = winner[k] < 0 ? -winner[k] : winner[k];
    }
    run(&vote, &voter, masks, boxes, ranked, factors, count, areas, &pairs, 1);
    free(memory);
    return pairs.count;
}
