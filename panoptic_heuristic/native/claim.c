/* Masks that take free pixels one after the other. Wider registers than the usual ones are no use: rows are short. */

#include "kernels.h"

/* A mask inside its box, of which the image has the pixels from `place` on. */
typedef struct {
    const uint8_t *mask;
    int64_t place, height, width;
} Crop;

static void count(const Crop *crop, const uint8_t *is_free, int64_t image_width, int64_t *area, int64_t *free_area)
{
    *area = *free_area = 0;
    for (int64_t y = 0; y < crop->height; y++) {
        const uint8_t *mask = crop->mask + y * crop->width, *row = is_free + crop->place + y * image_width;
        uint32_t pixels = 0, open = 0;
        for (int64_t x = 0; x < crop->width; x++) {
            pixels += mask[x];
            open += mask[x] & row[x];
        }
        *area += pixels;
        *free_area += open;
    }
}

static void take(const Crop *crop, int32_t id, uint8_t *is_free, int32_t *ids, int64_t image_width)
{
    for (int64_t y = 0; y < crop->height; y++) {
        const uint8_t *mask = crop->mask + y * crop->width;
        uint8_t *row = is_free + crop->place + y * image_width;
        int32_t *owner = ids + crop->place + y * image_width;
        for (int64_t x = 0; x < crop->width; x++) {
            uint8_t taken = mask[x] & row[x];
            /* Free pixels have no id yet. */
            owner[x] |= id & -(int32_t)taken;
            row[x] ^= taken;
        }
    }
}

/* K masks in turn take their free pixels, but for those of which more than a threshold is taken, or all.

   crops: (K, 5) address of a mask of bytes 0 and 1, row by row, then left, top, height, width of its box in the image.
   thresholds: (K,). is_free: (H, W) all 1. ids: (H, W) all 0; the k-th that takes some gives k. met: (K, 2) receives the
   pixels of a mask and its free ones. Gives the number of those that took some. */
KERNEL int64_t ph_claim(const int64_t *crops, const double *thresholds, int64_t masks, int64_t image_width,
                        uint8_t *is_free, int32_t *ids, int64_t *met)
{
    int32_t id = 0;
    for (int64_t k = 0; k < masks; k++, crops += 5, met += 2) {
        Crop crop = {(const uint8_t *)(intptr_t)crops[0], crops[2] * image_width + crops[1], crops[3], crops[4]};
        count(&crop, is_free, image_width, &met[0], &met[1]);
        if (met[1] && (double)(met[0] - met[1]) / (double)met[0] <= thresholds[k])
            take(&crop, ++id, is_free, ids, image_width);
    }
    return id;
}
