/* Maps of labels below 255, of a byte each, and what is done with them beside a map of segments, 0 where free. */

#include <string.h>

#include "kernels.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the first of eight bytes must be the lowest: this machine does without kernels"
#endif

static const uint64_t ONES = 0x0101010101010101u;

static uint64_t eight(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* Counts labels by their runs, which end where a label differs from the next one. */
static void count_runs(const uint8_t *labels, int64_t pixels, int64_t *counts)
{
    int64_t begin = 0, i = 0;
    for (; i + 9 <= pixels; i += 8)
        for (uint64_t differ = eight(labels + i) ^ eight(labels + i + 1); differ;) {
            int byte = __builtin_ctzll(differ) / 8;
            int64_t end = i + byte + 1;
            counts[labels[end - 1]] += end - begin;
            begin = end;
            differ &= ~((uint64_t)255 << 8 * byte);
        }
    for (; i < pixels; i++)
        if (i + 1 == pixels || labels[i] != labels[i + 1]) {
            counts[labels[i]] += i + 1 - begin;
            begin = i + 1;
        }
}

/* What is narrowed is counted while it is in the cache. */
enum { BLOCK = 8192 };

/* Labels of another size as bytes; gives the bits that any of them has. */
#define NARROW(type)                                                                                                   \
    static uint64_t narrow_##type(const type *labels, int64_t pixels, uint8_t *bytes)                                  \
    {                                                                                                                  \
        type bits = 0;                                                                                                 \
        for (int64_t i = 0; i < pixels; i++) {                                                                         \
            bits |= labels[i];                                                                                         \
            bytes[i] = (uint8_t)labels[i];                                                                             \
        }                                                                                                              \
        return bits;                                                                                                   \
    }

NARROW(uint8_t)
NARROW(uint16_t)
NARROW(uint32_t)
NARROW(uint64_t)

static uint64_t narrow(const uint8_t *labels, int64_t size, int64_t first, int64_t pixels, uint8_t *bytes)
{
    const void *begin = labels + first * size;
    switch (size) {
    case 1:
        return narrow_uint8_t(begin, pixels, bytes);
    case 2:
        return narrow_uint16_t(begin, pixels, bytes);
    case 4:
        return narrow_uint32_t(begin, pixels, bytes);
    default:
        return narrow_uint64_t(begin, pixels, bytes);
    }
}

/* Makes bytes of labels of 1, 2, 4 or 8 bytes, negative ones of which count as large, and adds to the 256 counts the
   pixels of each. Gives 1, or 0, with the rest left undone, if one is above 255. */
KERNEL int64_t ph_narrow_labels(const uint8_t *labels, int64_t size, int64_t pixels, uint8_t *bytes, int64_t *counts)
{
    for (int64_t first = 0; first < pixels; first += BLOCK) {
        int64_t length = pixels - first < BLOCK ? pixels - first : BLOCK;
        if (narrow(labels, size, first, length, bytes + first) > 255)
            return 0;
        count_runs(bytes + first, length, counts);
    }
    return 1;
}

/* Adds to the 256 counts the pixels of each label that have a segment. */
KERNEL int64_t ph_count_taken(const uint8_t *labels, const int32_t *segments, int64_t pixels, int64_t *counts)
{
    int64_t i = 0;
    for (; i + 8 <= pixels; i += 8) {
        int32_t any = 0, taken = 0;
        for (int64_t j = i; j < i + 8; j++)
            any |= segments[j];
        if (!any)
            continue;
        if (eight(labels + i) == labels[i] * ONES) {
            for (int64_t j = i; j < i + 8; j++)
                taken += segments[j] != 0;
            counts[labels[i]] += taken;
        } else
            for (int64_t j = i; j < i + 8; j++)
                counts[labels[j]] += segments[j] != 0;
    }
    for (; i < pixels; i++)
        counts[labels[i]] += segments[i] != 0;
    return 0;
}

/* Copies segments, and gives free pixels the value of their label. */
KERNEL WIDE int64_t ph_fill_free(const uint8_t *labels, const int32_t *segments, int64_t pixels, const int32_t *values,
                                 int32_t *restrict filled)
{
    for (int64_t i = 0; i < pixels; i++) {
        int32_t value = values[labels[i]], segment = segments[i];
        filled[i] = segment ? segment : value;
    }
    return 0;
}
