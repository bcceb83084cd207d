/* The filters of PNG rows, undone: https://www.w3.org/TR/png-3/#9Filters. Each byte of a row is the difference to what
   the filter predicts from the same channel of the pixel before, of the one above, and of the one before that. */

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "png_rows.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "written for machines that keep the low byte first"
#endif

enum { PIXEL = 3 };

/* The pixels from `from` up to `to`; `color` is the one before them, and then the last of them. */
static inline void add_up(const uint8_t *row, uint8_t *out, int64_t from, int64_t to, uint8_t color[PIXEL]) {
    for (int64_t i = from; i < to; i += PIXEL)
        for (int c = 0; c < PIXEL; c++) out[i + c] = color[c] += row[i + c];
}

/* Flat colours have mostly zeros here, which are copies of the pixel before: eight pixels go at once. */
static void undo_sub(const uint8_t *row, uint8_t *out, int64_t length) {
    enum { EIGHT = 8 * PIXEL };
    uint8_t color[PIXEL] = {0};
    uint64_t words[PIXEL], copies[PIXEL] = {0};
    int64_t i = 0;
    for (; i + EIGHT <= length; i += EIGHT) {
        memcpy(words, row + i, EIGHT);
        if ((words[0] | words[1] | words[2]) == 0) {
            memcpy(out + i, copies, EIGHT);
            continue;
        }
        add_up(row, out, i, i + EIGHT, color);
        const uint64_t one = color[0] | (uint64_t)color[1] << 8 | (uint64_t)color[2] << 16;
        copies[0] = one | one << 24 | one << 48;
        copies[1] = one >> 16 | one << 8 | one << 32 | one << 56;
        copies[2] = one >> 8 | one << 16 | one << 40;
    }
    add_up(row, out, i, length, color);
}

static void undo_up(const uint8_t *row, const uint8_t *above, uint8_t *out, int64_t length) {
    for (int64_t i = 0; i < length; i++) out[i] = (uint8_t)(row[i] + above[i]);
}

static void undo_average(const uint8_t *row, const uint8_t *above, uint8_t *out, int64_t length) {
    for (int64_t i = 0; i < length; i++) {
        int before = i < PIXEL ? 0 : out[i - PIXEL];
        out[i] = (uint8_t)(row[i] + (before + above[i]) / 2);
    }
}

/* The one of three that is nearest to left + up - corner, the first of them where several are. */
static int paeth(int left, int up, int corner) {
    const int to_left = abs(up - corner), to_up = abs(left - corner), to_corner = abs(left + up - 2 * corner);
    return to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
}

static void undo_paeth(const uint8_t *row, const uint8_t *above, uint8_t *out, int64_t length) {
    static const uint8_t nothing[PIXEL] = {0};
    for (int64_t i = 0; i < length; i += PIXEL) {
        const uint8_t *left = i ? out + i - PIXEL : nothing, *up = above + i, *corner = i ? up - PIXEL : nothing;
        /* Flat colours have one of these two nearly everywhere, and it decides. */
        const uint8_t *nearest = memcmp(up, corner, PIXEL) == 0 ? left : memcmp(left, corner, PIXEL) == 0 ? up : NULL;
        for (int c = 0; c < PIXEL; c++)
            out[i + c] = (uint8_t)(row[i + c] + (nearest ? nearest[c] : paeth(left[c], up[c], corner[c])));
    }
}

void undo_filter(const uint8_t *row, const uint8_t *above, uint8_t *colors, int64_t width) {
    const int64_t length = PIXEL * width;
    switch (*row++) {
        case 1: undo_sub(row, colors, length); break;
        case 2: undo_up(row, above, colors, length); break;
        case 3: undo_average(row, above, colors, length); break;
        case 4: undo_paeth(row, above, colors, length); break;
        default: memcpy(colors, row, (size_t)length);
    }
}

/* rows: height * (1 + 3 * width) bytes. above: 3 * width zeros. colors: height * width * 3 bytes, to be filled.
   Returns 0. */
KERNEL int64_t ph_undo_png_filters(const uint8_t *rows, int64_t height, int64_t width, const uint8_t *above,
                                   uint8_t *colors) {
    for (int64_t y = 0; y < height; y++, above = colors, colors += PIXEL * width, rows += 1 + PIXEL * width)
        undo_filter(rows, above, colors, width);
    return 0;
}
