/* Maps of segment ids: counting them, and changing them. */

#include <string.h>

#include "kernels.h"

/* The largest of some ids; negative ones count as larger than any other, as they do without a sign. */
WIDE static uint32_t largest_id(const int32_t *ids, int64_t pixels) {
    uint32_t most = 0;
    for (int64_t k = 0; k < pixels; k++)
        most = (uint32_t)ids[k] > most ? (uint32_t)ids[k] : most;
    return most;
}

/* So few ids are counted in four tables in turn: adding to one number again and again waits for itself. */
enum { TABLES = 4, FEW = 512 };

static void count_few(const int32_t *ids, int64_t pixels, int64_t largest, int64_t *counts) {
    int64_t tables[TABLES][FEW] = {{0}}, k = 0;
    for (; k + TABLES <= pixels; k += TABLES)
        for (int table = 0; table < TABLES; table++)
            tables[table][ids[k + table]]++;
    for (; k < pixels; k++)
        tables[0][ids[k]]++;
    for (int64_t id = 0; id <= largest; id++)
        for (int table = 0; table < TABLES; table++)
            counts[id] += tables[table][id];
}

/* The pixels of each id, into counts (largest + 1,). Returns 0; -1 if an id is not in [0, largest]. */
KERNEL int64_t ph_count_ids(const int32_t *ids, int64_t pixels, int64_t largest, int64_t *counts) {
    if (largest_id(ids, pixels) > largest)
        return -1;
    memset(counts, 0, (size_t)(largest + 1) * sizeof *counts);
    if (largest < FEW) {
        count_few(ids, pixels, largest, counts);
        return 0;
    }
    for (int64_t k = 0; k < pixels; k++)
        counts[ids[k]]++;
    return 0;
}

/* Writes numbers[id] for each id, numbers (largest + 1,). Returns 0; -1 if an id is not in [0, largest]. */
WIDE KERNEL int64_t ph_renumber_ids(const int32_t *ids, int64_t pixels, int64_t largest, const int32_t *numbers,
                                    int32_t *restrict renumbered) {
    if (largest_id(ids, pixels) > largest)
        return -1;
    for (int64_t k = 0; k < pixels; k++)
        renumbered[k] = numbers[ids[k]];
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
