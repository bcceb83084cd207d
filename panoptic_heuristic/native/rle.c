/* Masks as COCO stores them: the lengths of runs of pixels in column order, background first. */

#include <string.h>

#include "kernels.h"

/* No run of an image that can be read has more digits. */
enum { MOST_DIGITS = 7 };

/* Reads one number at `place` of a text that ends at `stop`: little-endian digits of 5 bits in a byte each, the sixth
   bit set where another follows, the highest bit of the last digit being the sign. Returns the place after it, -1 if
   there is none. */
static int64_t read_number(const uint8_t *text, int64_t place, int64_t stop, int64_t *number)
{
    int64_t value = 0;
    for (int shift = 0; shift < 5 * MOST_DIGITS && place < stop; shift += 5) {
        const uint8_t digit = (uint8_t)(text[place++] - 48);
        if (digit > 63)
            return -1;
        value |= (int64_t)(digit & 31) << shift;
        if (digit < 32) {
            *number = digit & 16 ? value - ((int64_t)1 << (shift + 5)) : value;
            return place;
        }
    }
    return -1;
}

/* Writes the pixel after each run of all masks of an image, one mask after the other.

   texts: the masks' compressed counts; mask k ends at stops[k], which ascend. ends: as many as the texts have bytes.
   run_stops: of each mask where its runs end in `ends`. Returns -1 if a mask cannot be read, is of no run, has a
   negative one, or does not end at `pixels`. */
KERNEL int64_t ph_rle_ends(const uint8_t *texts, const int64_t *stops, int64_t masks, int64_t pixels, int64_t *ends,
                           int64_t *run_stops)
{
    int64_t place = 0, runs = 0;
    for (int64_t mask = 0; mask < masks; mask++) {
        const int64_t first = runs;
        /* From the fourth run on, a number is the difference to the run before the last. */
        int64_t before_last = 0, last = 0, end = 0;
        while (place < stops[mask]) {
            int64_t run;
            place = read_number(texts, place, stops[mask], &run);
            if (place < 0)
                return -1;
            if (runs - first > 2)
                run += before_last;
            if (run < 0 || run > pixels - end)
                return -1;
            before_last = last;
            last = run;
            ends[runs++] = end += run;
        }
        if (runs == first || end != pixels)
            return -1;
        run_stops[mask] = runs;
    }
    return runs;
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
