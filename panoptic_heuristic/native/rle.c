/* The runs of COCO's compressed masks. */

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
