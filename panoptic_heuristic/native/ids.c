/* Maps of segment ids: counting them, and changing them. Ids come in runs. */

#include <string.h>

#include "kernels.h"

/* The pixels of each id, into counts (largest + 1,). Returns 0; -1 if an id is not in [0, largest]. */
KERNEL int64_t ph_count_ids(const int32_t *ids, int64_t pixels, int64_t largest, int64_t *counts) {
    memset(counts, 0, (size_t)(largest + 1) * sizeof *counts);
    for (int64_t k = 0; k < pixels;) {
        int32_t id = ids[k];
        int64_t first = k;
        if (id < 0 || id > largest)
            return -1;
        while (k < pixels && ids[k] == id)
            k++;
        counts[id] += k - first;
    }
    return 0;
}

/* Writes numbers[id] for each id, numbers (largest + 1,). Returns 0; -1 if an id is not in [0, largest]. */
KERNEL int64_t ph_renumber_ids(const int32_t *ids, int64_t pixels, int64_t largest, const int32_t *numbers,
                               int32_t *renumbered) {
    for (int64_t k = 0; k < pixels;) {
        int32_t id = ids[k];
        if (id < 0 || id > largest)
            return -1;
        for (int32_t number = numbers[id]; k < pixels && ids[k] == id; k++)
            renumbered[k] = number;
    }
    return 0;
}

/* The same counts under a mask: ids (height, width) lie `row` numbers apart, mask (height, width) of bytes 0 and 1. */
KERNEL int64_t ph_count_ids_under(const int32_t *ids, int64_t row, const uint8_t *mask, int64_t height, int64_t width,
                                  int64_t largest, int64_t *counts) {
    memset(counts, 0, (size_t)(largest + 1) * sizeof *counts);
    for (int64_t y = 0; y < height; y++, ids += row, mask += width)
        for (int64_t x = 0; x < width;) {
            int32_t id = ids[x];
            int64_t pixels = 0;
            if (id < 0 || id > largest)
                return -1;
            for (; x < width && ids[x] == id; x++)
                pixels += mask[x];
            counts[id] += pixels;
        }
    return 0;
}

/* Under such a mask gives `id` the pixels of each id k that loses (largest + 1,) says 1 of. */
KERNEL int64_t ph_give_ids_under(int32_t *ids, int64_t row, const uint8_t *mask, int64_t height, int64_t width,
                                 int64_t largest, const uint8_t *loses, int32_t id) {
    for (int64_t y = 0; y < height; y++, ids += row, mask += width)
        for (int64_t x = 0; x < width; x++) {
            if (ids[x] < 0 || ids[x] > largest)
                return -1;
            ids[x] = mask[x] & loses[ids[x]] ? id : ids[x];
        }
    return 0;
}
