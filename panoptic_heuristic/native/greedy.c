/* The greedy claim on regions, under many settings at once. */

#include "kernels.h"

#include <math.h>
#include <string.h>

/* Regions, and of each instance those that it covers: instance i has those up to stops[i] in `members`. */
typedef struct {
    const double *pixels;
    const int64_t *members, *stops;
} Covered;

/* How many of an instance's pixels nobody owns. Sums of pixels are whole numbers, so they are exact. */
static double free_area(const Covered *covered, int64_t first, int64_t stop, const int16_t *owner, int16_t nobody) {
    double area = 0;
    for (int64_t place = first; place < stop; place++) {
        const int64_t region = covered->members[place];
        if (owner[region] == nobody) area += covered->pixels[region];
    }
    return area;
}

/* What the settings ask of the instance at a rank. */
typedef struct {
    int64_t settings, threshold_step;
    const double *thresholds;
    const uint8_t *takes_part;
} Asked;

static int keeps(const Asked *asked, int64_t setting, double lost) {
    return lost <= asked->thresholds[setting * asked->threshold_step] &&
           (!asked->takes_part || asked->takes_part[setting]);
}

/* Gives the settings that keep the instance an outcome of their own where others of the same outcome let it go.

   lost: of each outcome the fraction that is claimed already. Out: copy_of, of each new outcome the one that it
   comes from; stays, of each outcome whether the instance is kept. Returns the number of new ones. */
static int64_t part(const Asked *asked, const double *lost, int64_t outcomes, int64_t *outcome, int64_t *let_go,
                    int64_t *part_of, int64_t *copy_of, uint8_t *stays) {
    memset(let_go, 0, (size_t)outcomes * sizeof *let_go);
    memset(stays, 0, (size_t)outcomes);
    for (int64_t setting = 0; setting < asked->settings; setting++) {
        const int64_t one = outcome[setting];
        if (keeps(asked, setting, lost[one])) stays[one] = 1;
        else let_go[one]++;
    }
    int64_t parts = 0;
    for (int64_t one = 0; one < outcomes; one++) {
        if (!stays[one] || !let_go[one]) continue;
        stays[one] = 0;
        stays[outcomes + parts] = 1;
        part_of[one] = outcomes + parts;
        copy_of[parts++] = one;
    }
    if (!parts) return 0;
    for (int64_t setting = 0; setting < asked->settings; setting++) {
        const int64_t one = outcome[setting];
        if (let_go[one] && !stays[one] && keeps(asked, setting, lost[one])) outcome[setting] = part_of[one];
    }
    return parts;
}

/* Who owns which region. Settings part only where an instance stays for some and goes for others; until then one
   outcome answers them.

   members, stops: as in Covered. ranked: (ranks,) instances, best first. Of rank r and setting s the threshold is
   thresholds[r * rank_step + s * setting_step], and the setting lets it take part unless takes_part,
   (ranks, settings), is 0 there or is NULL.

   Scratch: lost, (settings,); numbers, (3, settings); stays, (settings,).
   Out: owner, (settings, regions), of each outcome the rank that owns each region, `ranks` for nobody; kept,
   (settings, ranks), those that have a pixel; outcome, (settings,), that of each setting.
   Returns the number of outcomes. */
KERNEL int64_t ph_greedy_claims(int64_t regions, const double *pixels, const int64_t *members, const int64_t *stops,
                                int64_t ranks, const int64_t *ranked, int64_t settings, const double *thresholds,
                                int64_t rank_step, int64_t setting_step, const uint8_t *takes_part, double *lost,
                                int64_t *numbers, uint8_t *stays, int16_t *owner, uint8_t *kept, int64_t *outcome) {
    const Covered covered = {pixels, members, stops};
    const int16_t nobody = (int16_t)ranks;
    int64_t outcomes = 1;
    memset(outcome, 0, (size_t)settings * sizeof *outcome);
    for (int64_t region = 0; region < regions; region++) owner[region] = nobody;

    for (int64_t rank = 0; rank < ranks; rank++) {
        const int64_t instance = ranked[rank], first = instance ? stops[instance - 1] : 0, stop = stops[instance];
        double area = 0;
        for (int64_t place = first; place < stop; place++) area += pixels[members[place]];
        for (int64_t one = 0; one < outcomes; one++) {
            const double free = free_area(&covered, first, stop, owner + one * regions, nobody);
            /* Without a free pixel an instance never stays; an empty mask has none. */
            lost[one] = free > 0 ? (area - free) / area : INFINITY;
        }
        const Asked asked = {settings, setting_step, thresholds + rank * rank_step,
                             takes_part ? takes_part + rank * settings : NULL};
        int64_t *copy_of = numbers + 2 * settings;
        const int64_t parts =
            part(&asked, lost, outcomes, outcome, numbers, numbers + settings, copy_of, stays);
        for (int64_t one = 0; one < parts; one++) {
            memcpy(owner + (outcomes + one) * regions, owner + copy_of[one] * regions,
                   (size_t)regions * sizeof *owner);
            memcpy(kept + (outcomes + one) * ranks, kept + copy_of[one] * ranks, (size_t)rank);
        }
        outcomes += parts;
        for (int64_t one = 0; one < outcomes; one++) {
            kept[one * ranks + rank] = stays[one];
            if (!stays[one]) continue;
            int16_t *const owners = owner + one * regions;
            for (int64_t place = first; place < stop; place++)
                if (owners[members[place]] == nobody) owners[members[place]] = (int16_t)rank;
        }
    }
    return outcomes;
}
