/* The pixels of an image, grouped by all that they are told apart by. */

#include "kernels.h"

#include <string.h>

/* The groups found so far, each with the words that its pixels have in common. */
typedef struct {
    int64_t count, width;
    uint64_t *words;
    int32_t *table;
    uint64_t last_slot;
} Groups;

/* The group of some words, a new one if none has them. The words decide; a hash only says where to begin. */
static int64_t group_of(Groups *groups, const uint64_t *words) {
    uint64_t hash = 0;
    for (int64_t place = 0; place < groups->width; place++) {
        hash = (hash ^ words[place]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    const size_t bytes = (size_t)groups->width * sizeof *words;
    uint64_t slot = hash & groups->last_slot;
    for (; groups->table[slot]; slot = (slot + 1) & groups->last_slot) {
        const int64_t group = groups->table[slot] - 1;
        if (!memcmp(groups->words + group * groups->width, words, bytes)) return group;
    }
    memcpy(groups->words + groups->count * groups->width, words, bytes);
    groups->table[slot] = (int32_t)++groups->count;
    return groups->count - 1;
}

/* Chains the borders of all masks by pixel: `last_border` has of each pixel the last one from 1 on, `chain` of each
   border the mask and the border before it. What starts behind the image starts nothing. */
static void chain_borders(int64_t pixels, int64_t masks, const int64_t *run_stops, const int64_t *ends,
                          int32_t *last_border, int32_t *chain) {
    int64_t border = 0;
    for (int64_t mask = 0; mask < masks; mask++)
        for (; border < run_stops[mask]; border++) {
            if (ends[border] < 0 || ends[border] >= pixels) continue;
            chain[2 * border] = (int32_t)mask;
            chain[2 * border + 1] = last_border[ends[border]];
            last_border[ends[border]] = (int32_t)border + 1;
        }
}

/* Cuts an image, its pixels in column order, where a key changes or a mask starts or ends, and groups the pieces.

   A key is a value of each pixel: key k has runs up to key_stops[k] in `key_starts`, which ascend from 0, and
   `key_values`. A mask is given by the pixel after each of its runs, background first: mask m has those up to
   run_stops[m] in `ends`.

   Scratch: last_border (pixels,), zeros; chain (ends, 2); table (last_slot + 1,), zeros, a power of two above the
   most pieces, which is the number of starts and ends; state (keys + words of a set of masks,), zeros.
   Out: group and length of each piece; words, as long as `state`, and pixels of each group, which are numbered as
   they come. Returns the number of pieces, and that of groups in groups_found. */
KERNEL int64_t ph_group_pixels(int64_t pixels, int64_t keys, const int64_t *key_stops, const int64_t *key_starts,
                               const int64_t *key_values, int64_t masks, const int64_t *run_stops, const int64_t *ends,
                               int32_t *last_border, int32_t *chain, int64_t last_slot, int32_t *table,
                               int64_t width, uint64_t *state, int64_t *next_run, int64_t *group, int64_t *length,
                               uint64_t *words, int64_t *group_pixels, int64_t *groups_found) {
    Groups groups = {0, width, words, table, (uint64_t)last_slot};
    chain_borders(pixels, masks, run_stops, ends, last_border, chain);
    for (int64_t key = 0; key < keys; key++) next_run[key] = key ? key_stops[key - 1] : 0;
    int64_t pieces = 0, next_change = 0;
    for (int64_t pixel = 0; pixel < pixels;) {
        if (pixel == next_change) {
            next_change = pixels;
            for (int64_t key = 0; key < keys; key++) {
                int64_t run = next_run[key];
                if (run < key_stops[key] && key_starts[run] == pixel) state[key] = (uint64_t)key_values[run++];
                if (run < key_stops[key] && key_starts[run] < next_change) next_change = key_starts[run];
                next_run[key] = run;
            }
        }
        for (int32_t border = last_border[pixel]; border; border = chain[2 * border - 1]) {
            const int32_t mask = chain[2 * border - 2];
            state[keys + mask / 64] ^= (uint64_t)1 << mask % 64;
        }
        const int64_t first = pixel++;
        while (pixel < next_change && !last_border[pixel]) pixel++;
        const int64_t found = group_of(&groups, state);
        group[pieces] = found;
        length[pieces++] = pixel - first;
        group_pixels[found] += pixel - first;
    }
    *groups_found = groups.count;
    return pieces;
}
