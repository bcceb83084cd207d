/* The largest channel of every output pixel, from a semantic head's small logits.

   An output pixel is a weighted mean of a window of SPAN x SPAN cells, so a channel whose largest value there is below
   the smallest of another one is out. In most windows one channel is left. Elsewhere those left are interpolated, and
   pixels whose best two are too close for this rounding are listed: PyTorch's own operations decide them. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { SPAN = 3, BITS = 32 };

/* One output axis: the first cell of each place's window, ascending, and the weights of its cells, (places, SPAN). */
struct axis {
    const int32_t *cells;
    const float *weights;
    int64_t places;
};

/* The windows that begin in one row of cells, by the column they begin in. */
struct windows {
    int64_t count;
    float *high, *low;             /* (count + SPAN - 1,): one channel's extremes down each column of SPAN cells */
    float *largest;                /* (channels, count) */
    float *certain;                /* what the best channel has at least, up to rounding */
    float guard;                   /* values that are further apart are in the reference's order */
    uint32_t *rivals;              /* (words, count): a bit per channel that may win */
    uint8_t *label, *is_contested; /* the only rival, or one of several */
};

struct work {
    const float *logits;
    int64_t channels, height, width, words;
    struct axis rows, columns;
    float guard, smallest_guard;
    float *magnitudes; /* (height,): the largest of each row of cells, over all channels */
    struct windows windows;
    int64_t *found; /* (channels,): the rivals of one window */
    float *lines;   /* (channels, SPAN): they, interpolated down to one output row */
    uint8_t *labels, *is_unsure, *is_close;
    int64_t *points, capacity, close;
};

static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float smaller(float a, float b) { return a < b ? a : b; }

/* The extremes of SPAN lines below each other, `width` numbers apart, column by column. */
WIDE static void extremes_down(const float *restrict line, int64_t width, int64_t columns, float *restrict high,
                               float *restrict low) {
    for (int64_t x = 0; x < columns; x++) {
        float a = line[x], b = line[x + width], c = line[x + 2 * width];
        high[x] = larger(larger(a, b), c);
        low[x] = smaller(smaller(a, b), c);
    }
}

/* Of these the extremes of SPAN columns side by side, in `count` windows: one channel's largest value, and the least
   that the best channel so far has. */
WIDE static void extremes_across(const float *restrict high, const float *restrict low, int64_t count,
                                 float *restrict largest, float *restrict certain) {
    for (int64_t x = 0; x < count; x++) {
        float least = smaller(smaller(low[x], low[x + 1]), low[x + 2]);
        largest[x] = larger(larger(high[x], high[x + 1]), high[x + 2]);
        certain[x] = larger(certain[x], least);
    }
}

/* Sets a channel's bit in the windows where it may win. */
WIDE static void mark_rival(const float *restrict largest, const float *restrict certain, int64_t count, uint32_t bit,
                            uint32_t *restrict rivals) {
    for (int64_t x = 0; x < count; x++)
        rivals[x] |= largest[x] >= certain[x] ? bit : 0;
}

/* The rivals of one window, ascending. */
static int64_t find_rivals(const struct work *work, int64_t window, int64_t *found) {
    int64_t count = 0;
    for (int64_t word = 0; word < work->words; word++)
        for (uint32_t bits = work->windows.rivals[word * work->windows.count + window]; bits; bits &= bits - 1)
            found[count++] = word * BITS + __builtin_ctz(bits);
    return count;
}

/* Who may win in the windows that begin in a row of cells. */
static void survey(struct work *work, int64_t row) {
    struct windows *windows = &work->windows;
    int64_t count = windows->count;
    for (int64_t x = 0; x < count; x++)
        windows->certain[x] = -INFINITY;
    for (int64_t k = 0; k < work->channels; k++) {
        const float *line = work->logits + (k * work->height + row) * work->width;
        extremes_down(line, work->width, count + SPAN - 1, windows->high, windows->low);
        extremes_across(windows->high, windows->low, count, windows->largest + k * count, windows->certain);
    }
    for (int64_t x = 0; x < count; x++)
        windows->certain[x] -= windows->guard;
    memset(windows->rivals, 0, (size_t)(work->words * count) * sizeof *windows->rivals);
    for (int64_t k = 0; k < work->channels; k++)
        mark_rival(windows->largest + k * count, windows->certain, count, 1u << k % BITS,
                   windows->rivals + k / BITS * count);
    for (int64_t x = 0; x < count; x++) {
        windows->is_contested[x] = find_rivals(work, x, work->found) > 1;
        windows->label[x] = (uint8_t)work->found[0];
    }
}

static inline float mean(const float *values, int64_t step, const float *weights) {
    return values[0] * weights[0] + values[step] * weights[1] + values[2 * step] * weights[2];
}

/* Lists the rivals of a pixel that are too close to its best one. */
static void list_close(struct work *work, int64_t y, int64_t x, int64_t count, float limit) {
    work->is_unsure[y * work->columns.places + x] = 1;
    for (int64_t k = 0; k < count; k++)
        if (mean(work->lines + k * SPAN, 1, work->columns.weights + x * SPAN) >= limit) {
            work->is_close[work->found[k]] = 1;
            if (work->close < work->capacity) {
                int64_t *point = work->points + 3 * work->close;
                point[0] = work->found[k], point[1] = y, point[2] = x;
            }
            work->close++;
        }
}

/* Labels the pixels [begin, end) of an output row, all of one window, by interpolating its rivals. */
static void decide(struct work *work, int64_t row, int64_t y, int64_t begin, int64_t end, int64_t count) {
    int64_t window = work->columns.cells[begin], width = work->width;
    for (int64_t k = 0; k < count; k++) {
        const float *cell = work->logits + (work->found[k] * work->height + row) * width + window;
        for (int64_t i = 0; i < SPAN; i++)
            work->lines[k * SPAN + i] = mean(cell + i, width, work->rows.weights + y * SPAN);
    }
    for (int64_t x = begin; x < end; x++) {
        const float *weights = work->columns.weights + x * SPAN;
        float best = mean(work->lines, 1, weights), second = -INFINITY;
        int64_t winner = 0;
        for (int64_t k = 1; k < count; k++) {
            float value = mean(work->lines + k * SPAN, 1, weights);
            winner = value > best ? k : winner;
            second = larger(second, smaller(best, value));
            best = larger(best, value);
        }
        work->labels[y * work->columns.places + x] = (uint8_t)work->found[winner];
        if (best - second <= work->windows.guard)
            list_close(work, y, x, count, best - work->windows.guard);
    }
}

/* Labels the output rows [first, last), whose windows begin in the same row of cells. */
static void label_rows(struct work *work, int64_t first, int64_t last) {
    const struct windows *windows = &work->windows;
    const int32_t *cells = work->columns.cells;
    int64_t row = work->rows.cells[first], width = work->columns.places;
    uint8_t *line = work->labels + first * width;
    survey(work, row);
    for (int64_t x = 0; x < width; x++)
        line[x] = windows->label[cells[x]];
    for (int64_t y = first + 1; y < last; y++)
        memcpy(work->labels + y * width, line, (size_t)width);
    for (int64_t begin = 0, end; begin < width; begin = end) {
        for (end = begin + 1; end < width && cells[end] == cells[begin]; end++)
            ;
        if (windows->is_contested[cells[begin]]) {
            int64_t count = find_rivals(work, cells[begin], work->found);
            for (int64_t y = first; y < last; y++)
                decide(work, row, y, begin, end, count);
        }
    }
}

/* The largest magnitude of a channel's row, and before, as bits: these are in the order of the magnitudes, and those
   of infinities and NaN come last. */
WIDE static int32_t largest_magnitude(const float *cells, int64_t width, int32_t largest) {
    for (int64_t x = 0; x < width; x++) {
        int32_t bits;
        memcpy(&bits, cells + x, sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

/* 1 if all numbers of some rows of cells are below `limit` in magnitude; not so are NaN. */
static int are_fit(struct work *work, int64_t first, int64_t last, float limit) {
    int fit = 1;
    for (int64_t row = first; row < last; row++) {
        int32_t largest = 0;
        for (int64_t k = 0; k < work->channels; k++)
            largest = largest_magnitude(work->logits + (k * work->height + row) * work->width, work->width, largest);
        memcpy(work->magnitudes + row, &largest, sizeof largest);
        fit &= work->magnitudes[row] < limit;
    }
    return fit;
}

/* By the largest magnitude in the windows that begin in a row of cells, of all channels. */
static float guard_of(const struct work *work, int64_t row) {
    const float *magnitudes = work->magnitudes + row;
    float magnitude = larger(larger(magnitudes[0], magnitudes[1]), magnitudes[2]);
    return larger(magnitude * work->guard, work->smallest_guard);
}

/* Labels row by row; each row of cells is looked at before it is needed, and while it is in the cache. */
static int label_all(struct work *work, float limit) {
    int64_t fit_to = 0;
    for (int64_t first = 0, last; first < work->rows.places; first = last) {
        int64_t row = work->rows.cells[first];
        for (last = first + 1; last < work->rows.places && work->rows.cells[last] == row; last++)
            ;
        if (!are_fit(work, fit_to, row + SPAN, limit))
            return 0;
        fit_to = row + SPAN;
        work->windows.guard = guard_of(work, row);
        label_rows(work, first, last);
    }
    return are_fit(work, fit_to, work->height, limit);
}

/* The next piece of a block of memory; before there is one, its end is all that is learned. */
static void *cut(char *memory, size_t *end, int64_t count, size_t size) {
    void *piece = memory ? memory + *end : NULL;
    *end += ((size_t)count * size + 63) / 64 * 64;
    return piece;
}

/* Gives all working arrays their places in `memory`. Returns the bytes that they take. */
static size_t lay_out(struct work *work, char *memory) {
    struct windows *windows = &work->windows;
    int64_t channels = work->channels, count = windows->count;
    size_t end = 0;
    work->found = cut(memory, &end, channels, sizeof(int64_t));
    work->lines = cut(memory, &end, channels * SPAN, sizeof(float));
    work->magnitudes = cut(memory, &end, work->height, sizeof(float));
    windows->high = cut(memory, &end, count + SPAN - 1, sizeof(float));
    windows->low = cut(memory, &end, count + SPAN - 1, sizeof(float));
    windows->largest = cut(memory, &end, channels * count, sizeof(float));
    windows->certain = cut(memory, &end, count, sizeof(float));
    windows->rivals = cut(memory, &end, work->words * count, sizeof(uint32_t));
    windows->label = cut(memory, &end, count, 1);
    windows->is_contested = cut(memory, &end, count, 1);
    return end;
}

/* logits (channels, height, width), both sides at least SPAN, at most 256 channels. row_ and column_: see
   `struct axis`, each window inside. guard: of values, per magnitude; smallest_guard: at least that; limit: numbers must be below it.
   labels and is_unsure (rows, columns): the latter 1 where the best two are too close, else as it was, 0. is_close
   (channels,): 1 where a channel is close to the best one in such a pixel. points (capacity, 3): channel, row and
   column of such pairs, as many as go in. Returns their number; -1 if a number is not fit, or without memory. */
KERNEL int64_t ph_enlarged_labels(const float *logits, int64_t channels, int64_t height, int64_t width,
                                  const int32_t *row_cells, const float *row_weights, int64_t rows,
                                  const int32_t *column_cells, const float *column_weights, int64_t columns,
                                  float guard, float smallest_guard, float limit, uint8_t *labels,
                                  uint8_t *is_unsure, uint8_t *is_close, int64_t *points, int64_t capacity) {
    struct work work = {.logits = logits, .channels = channels, .height = height, .width = width,
                        .words = (channels + BITS - 1) / BITS,
                        .rows = {row_cells, row_weights, rows}, .columns = {column_cells, column_weights, columns},
                        .guard = guard, .smallest_guard = smallest_guard,
                        .labels = labels, .is_unsure = is_unsure, .is_close = is_close,
                        .points = points, .capacity = capacity};
    work.windows.count = column_cells[columns - 1] + 1;
    char *memory = malloc(lay_out(&work, NULL));
    if (!memory)
        return -1;
    lay_out(&work, memory);
    int fit = label_all(&work, limit);
    free(memory);
    return fit ? work.close : -1;
}
