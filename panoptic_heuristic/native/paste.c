/* Binary masks of RoI probabilities over their boxes, in time that grows with a mask's outline.

   Between the centres of neighbouring cells the interpolated probability is linear along a row, so where both ends are
   on one side of the threshold all pixels between are. Legend: masks of M x M cells, cells -1 and M are 0. */

#include <math.h>
#include <string.h>

#include "kernels.h"

enum { OUTSIDE, INSIDE, DOUBTFUL };

/* Above `high` a pixel is inside, below `low` outside, and doubtful between, which is more than rounding makes. */
typedef struct {
    float low, high;
} Threshold;

/* A side of a box in pixels and the window of pixels that it reaches. */
typedef struct {
    double start, pixels_per_cell;
    int64_t first, end, cells;
} Axis;

static Axis axis_of(float low, float high, int64_t first, int64_t end, int64_t cells)
{
    Axis axis = {low, ((double)high - low) / (double)cells, first, end, cells};
    return axis;
}

/* The place of a pixel's centre in units of cells, 0 at the centre of the first one. */
static double place(const Axis *axis, int64_t pixel)
{
    return ((double)pixel + 0.5 - axis->start) / axis->pixels_per_cell - 0.5;
}

/* The first pixel of the window whose place is not before a cell's centre, or the window's end. */
static int64_t first_from(const Axis *axis, int64_t cell)
{
    double pixel = ceil(axis->start - 0.5 + ((double)cell + 0.5) * axis->pixels_per_cell);
    if (pixel <= (double)axis->first)
        return axis->first;
    return pixel < (double)axis->end ? (int64_t)pixel : axis->end;
}

/* The probabilities along a row of pixels at the centres of cells -1 to M; 0 if the row is clear of the mask. */
static int row_values(const float *mask, const Axis *down, int64_t row, float *values)
{
    int64_t cells = down->cells, column;
    double at = place(down, row);
    if (!(at > -1 && at < (double)cells))
        return 0;
    int64_t above = (int64_t)floor(at);
    float weight = (float)(at - (double)above);
    const float *upper = mask + above * cells, *lower = upper + cells;
    values[0] = values[cells + 1] = 0;
    values++;
    if (above < 0)
        for (column = 0; column < cells; column++)
            values[column] = weight * lower[column];
    else if (above == cells - 1)
        for (column = 0; column < cells; column++)
            values[column] = upper[column] - weight * upper[column];
    else
        for (column = 0; column < cells; column++)
            values[column] = upper[column] + weight * (lower[column] - upper[column]);
    return 1;
}

static uint8_t side_of(double value, Threshold threshold)
{
    return value > threshold.high ? INSIDE : value < threshold.low ? OUTSIDE : DOUBTFUL;
}

/* Pixels between the centres of two cells whose sides differ; gives the number of doubtful ones. */
static int64_t paint_between(const Axis *across, int64_t cell, int64_t first, int64_t end, const float *ends,
                             Threshold threshold, uint8_t *row)
{
    int64_t doubtful = 0;
    double slope = (double)ends[1] - ends[0];
    for (int64_t pixel = first; pixel < end; pixel++) {
        uint8_t side = side_of(ends[0] + (place(across, pixel) - (double)cell) * slope, threshold);
        row[pixel - across->first] = side;
        doubtful += side == DOUBTFUL;
    }
    return doubtful;
}

/* One row of the window. */
static int64_t paint_row(const Axis *across, const int64_t *starts, const float *values, Threshold threshold,
                         uint8_t *row)
{
    int64_t cells = across->cells, doubtful = 0, painted = across->first;
    uint8_t side = OUTSIDE, next;
    /* Pixels from `painted` on are of `side`, as far as all was clear. */
    for (int64_t cell = -1; cell < cells; cell++, side = next) {
        const float *ends = values + cell + 1;
        int64_t first = starts[cell + 1], end = starts[cell + 2];
        next = side_of(ends[1], threshold);
        if (next == side && side != DOUBTFUL)
            continue;
        if (side != DOUBTFUL)
            memset(row + painted - across->first, side, (size_t)(first - painted));
        doubtful += paint_between(across, cell, first, end, ends, threshold, row);
        painted = end;
    }
    /* Beyond the last cell is 0. */
    memset(row + painted - across->first, OUTSIDE, (size_t)(across->end - painted));
    return doubtful;
}

/* Paints K masks one after the other.

   masks: (N, M, M) in [0, 1]. boxes: (N, 4) x0, y0, x1, y1. crops: (K, 6) the place of each in both, and left, top, width,
   height of its window, which is not empty; the last column receives the number of doubtful pixels. painted: room for all
   windows, row by row: 0 outside, 1 inside, 2 doubtful. scratch: room for 2 * (M + 2). */
KERNEL int64_t ph_paste(const float *masks, int64_t cells, const float *boxes, int64_t *crops, int64_t count, float low,
                        float high, uint8_t *painted, int64_t *scratch)
{
    Threshold threshold = {low, high};
    int64_t *starts = scratch;
    float *values = (float *)(scratch + cells + 2);
    for (int64_t k = 0; k < count; k++, crops += 6) {
        const float *box = boxes + 4 * crops[0], *mask = masks + crops[0] * cells * cells;
        int64_t width = crops[3], height = crops[4];
        Axis across = axis_of(box[0], box[2], crops[1], crops[1] + width, cells);
        Axis down = axis_of(box[1], box[3], crops[2], crops[2] + height, cells);
        for (int64_t cell = -1; cell <= cells; cell++)
            starts[cell + 1] = first_from(&across, cell);
        crops[5] = 0;
        for (int64_t row = down.first; row < down.end; row++, painted += width) {
            if (row_values(mask, &down, row, values))
                crops[5] += paint_row(&across, starts, values, threshold, painted);
            else
                memset(painted, OUTSIDE, (size_t)width);
        }
    }
    return 0;
}
