/* The pixels that two maps share, by pair of values. */

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "kernels.h"
#include "png_rows.h"

/* Slots of the hash table: a power of two. At most half of them are taken, so that there is a free one near. */
enum { SLOTS = 1 << 13 };

/* A map of pixels of `size` bytes, the least significant first: ids of 4 or 8 bytes, or the colours, 3 bytes, in PNG
   rows whose filters are undone one by one, in two lines. */
typedef struct {
    const uint8_t *bytes;
    int64_t size, width;
    uint8_t *lines;
} Map;

/* The pixels of a row; the rows are asked for in order. */
static const uint8_t *row_of(const Map *map, int64_t y) {
    const int64_t length = map->size * map->width;
    if (map->size != 3) return map->bytes + y * length;
    uint8_t *colors = map->lines + y % 2 * length;
    undo_filter(map->bytes + y * (1 + length), map->lines + (y + 1) % 2 * length, colors, map->width);
    return colors;
}

/* How many of the first STEP bytes are equal in both places, counted up to the first that is not. */
#ifdef __SSE2__
enum { STEP = 16 };
static int64_t equal_bytes(const uint8_t *a, const uint8_t *b) {
    const __m128i both[2] = {_mm_loadu_si128((const void *)a), _mm_loadu_si128((const void *)b)};
    const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(both[0], both[1]));
    return equal == 0xFFFF ? STEP : __builtin_ctz(~(unsigned)equal);
}
#else
enum { STEP = 8 };
static int64_t equal_bytes(const uint8_t *a, const uint8_t *b) {
    int64_t k = memcmp(a, b, STEP) == 0 ? STEP : 0;
    while (k < STEP && a[k] == b[k]) k++;
    return k;
}
#endif

/* The pixel that a byte belongs to. A division by a number that the compiler knows takes a tenth of the time. */
static int64_t pixel_of(int64_t byte, int64_t size) { return size == 3 ? byte / 3 : size == 4 ? byte / 4 : byte / 8; }

/* The first pixel after `pixel` that is not equal to the one before it, or the width. Segments are long runs of equal
   pixels, so many bytes at a time are compared with those of one pixel earlier. */
static int64_t end_of_run(const uint8_t *row, int64_t size, int64_t pixel, int64_t width) {
    const int64_t end = width * size;
    int64_t i = (pixel + 1) * size;
    for (; i + STEP <= end; i += STEP) {
        const int64_t equal = equal_bytes(row + i, row + i - size);
        if (equal < STEP) return pixel_of(i + equal, size);
    }
    while (i < end && row[i] == row[i - size]) i++;
    return pixel_of(i, size);
}

static uint64_t value_at(const uint8_t *row, int64_t size, int64_t pixel) {
    uint64_t value = 0;
    for (int64_t k = size - 1; k >= 0; k--) value = value << 8 | row[pixel * size + k];
    return value;
}

/* The pairs found so far, in the order in which they appeared, and where they are in the hash table. */
typedef struct {
    uint64_t *gt, *pred, *pixels;
    int64_t number, most;
    uint16_t pair_of_slot[SLOTS]; /* Counted from 1; 0 is a free slot. */
} Pairs;

/* Adds pixels to a pair. Returns 0 where there is no room for one more. */
static int add(Pairs *pairs, uint64_t gt, uint64_t pred, uint64_t pixels) {
    /* Two odd numbers without a pattern in their bits; the highest bits of the product depend on all others. */
    const uint64_t mixed = (gt * 0x9E3779B97F4A7C15u + pred) * 0xD6E8FEB86659FD93u;
    uint64_t slot = mixed / (UINT64_MAX / SLOTS + 1), pair;
    while ((pair = pairs->pair_of_slot[slot]) && (pairs->gt[pair - 1] != gt || pairs->pred[pair - 1] != pred))
        slot = (slot + 1) % SLOTS;
    if (pair == 0) {
        if (pairs->number == pairs->most || pairs->number == SLOTS / 2) return 0;
        pair = (uint64_t)++pairs->number;
        pairs->pair_of_slot[slot] = (uint16_t)pair;
        pairs->gt[pair - 1] = gt, pairs->pred[pair - 1] = pred, pairs->pixels[pair - 1] = 0;
    }
    pairs->pixels[pair - 1] += pixels;
    return 1;
}

/* gt, pred: maps of height x width pixels of gt_size and pred_size bytes, see Map. lines: 2 * 2 * 3 * width zeros to
   work on. found: 3 * most, to be filled with values of gt, values of pred, and pixels. Returns the number of pairs, or
   -1 where there are more than fit: maps of noise, which are counted elsewhere. */
KERNEL int64_t ph_count_pairs(const uint8_t *gt, int64_t gt_size, const uint8_t *pred, int64_t pred_size,
                              int64_t height, int64_t width, uint8_t *lines, uint64_t *found, int64_t most) {
    const Map gt_map = {gt, gt_size, width, lines}, pred_map = {pred, pred_size, width, lines + 2 * 3 * width};
    Pairs pairs = {found, found + most, found + 2 * most, 0, most, {0}};
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *gt_row = row_of(&gt_map, y), *pred_row = row_of(&pred_map, y);
        int64_t gt_end = 0, pred_end = 0;
        uint64_t gt_value = 0, pred_value = 0;
        for (int64_t start = 0, end; start < width; start = end) {
            if (gt_end == start) {
                gt_value = value_at(gt_row, gt_size, start);
                gt_end = end_of_run(gt_row, gt_size, start, width);
            }
            if (pred_end == start) {
                pred_value = value_at(pred_row, pred_size, start);
                pred_end = end_of_run(pred_row, pred_size, start, width);
            }
            end = gt_end < pred_end ? gt_end : pred_end;
            if (!add(&pairs, gt_value, pred_value, (uint64_t)(end - start))) return -1;
        }
    }
    return pairs.number;
}
