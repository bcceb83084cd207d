/* Masks as COCO stores them: the lengths of runs of pixels in column order, background first. */

#include <string.h>

#include "kernels.h"

/* A number has at most this many bits: seven digits of five. */
enum { BITS = 35 };

/* The ends of the runs of one mask from its text: a run is little-endian digits of 5 bits, one per character, 0x20 marking
   those that are followed by another; from the fourth run on it is the difference to the run before the last. Returns
   their number, or -1 where the text is none or its runs do not fill the pixels. */
static int64_t unpack(const uint8_t *text, int64_t length, int64_t pixels, int64_t *ends) {
    int64_t number = 0, end = 0, last = 0, before_last = 0;
    for (int64_t i = 0; i < length;) {
        int64_t run = 0;
        int digit = 0, shift = 0;
        do {
            if (i == length || shift == BITS) return -1;
            digit = text[i++] - '0';
            if (digit < 0 || digit > 63) return -1;
            run |= (int64_t)(digit & 31) << shift;
            shift += 5;
        } while (digit & 32);
        /* The highest bit of the last digit is the sign. */
        if (digit & 16) run -= (int64_t)1 << shift;
        if (number > 2) run += before_last;
        if (run < 0 || run > pixels - end) return -1;
        before_last = last;
        last = run;
        ends[number++] = end += run;
    }
    return number > 0 && end == pixels ? number : -1;
}

/* The ends of the runs of `number` masks of `pixels` pixels each. texts: one after the other, up to text_ends. ends: as
   many as there are characters, to be filled without gaps; those of a mask are up to ends_up_to. Returns how many masks
   were read: all, or those before the first that cannot be. */
KERNEL int64_t ph_unpack_runs(const uint8_t *texts, const int64_t *text_ends, int64_t number, int64_t pixels,
                              int64_t *ends, int64_t *ends_up_to) {
    int64_t start = 0, filled = 0;
    for (int64_t k = 0; k < number; start = text_ends[k++]) {
        const int64_t runs = unpack(texts + start, text_ends[k] - start, pixels, ends + filled);
        if (runs < 0) return k;
        ends_up_to[k] = filled += runs;
    }
    return number;
}

/* The tight box of a mask. ends: of its runs, never falling. box: x0, y0, and the pixel after the last of either, to be
   filled. Returns the pixels of the mask; where there are none, the box is not filled. */
KERNEL int64_t ph_box_of_runs(const int64_t *ends, int64_t number, int64_t height, int64_t *box) {
    int64_t pixels = 0, x0 = 0, x1 = 0, y0 = height, y1 = 0, column = 0;
    for (int64_t k = 1; k < number; k += 2) {
        const int64_t start = ends[k - 1], stop = ends[k];
        if (start >= stop) continue;
        while ((column + 1) * height <= start) column++;
        if (pixels == 0) x0 = column;
        /* A run that enters a second column holds both the lowest and the highest row. */
        const int is_in_one = stop <= (column + 1) * height;
        const int64_t top = is_in_one ? start - column * height : 0;
        const int64_t bottom = is_in_one ? stop - column * height : height;
        x1 = is_in_one ? column + 1 : (stop - 1) / height + 1;
        y0 = top < y0 ? top : y0;
        y1 = bottom > y1 ? bottom : y1;
        pixels += stop - start;
    }
    if (pixels) box[0] = x0, box[1] = y0, box[2] = x1, box[3] = y1;
    return pixels;
}

/* Paints a mask of columns of `height` pixels into the part of them that a box holds. ends: of its runs, never falling.
   box: as above, it must hold the mask. columns: (box[2] - box[0]) * (box[3] - box[1]) bytes, column by column. Returns
   the pixels of the mask, or -1, and stops, where a run leaves the box. */
KERNEL int64_t ph_paint_runs(const int64_t *ends, int64_t number, int64_t height, const int64_t *box, uint8_t value,
                             uint8_t *columns) {
    const int64_t rows = box[3] - box[1], size = (box[2] - box[0]) * rows;
    /* The place in the box of the first pixel of a column, and that pixel. */
    int64_t place = -box[0] * rows - box[1], first = 0;
    int64_t pixels = 0;
    for (int64_t k = 1; k < number; k += 2) {
        const int64_t length = ends[k] - ends[k - 1];
        if (length <= 0) continue;
        for (; first + height <= ends[k - 1]; first += height) place += rows;
        const int64_t start = place + ends[k - 1] - first;
        if (start < 0 || start > size - length) return -1;
        memset(columns + start, value, (size_t)length);
        pixels += length;
    }
    return pixels;
}
