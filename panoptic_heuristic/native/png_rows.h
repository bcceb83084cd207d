/* Rows of 8-bit RGB PNGs as they are in the file once decompressed: a byte that names a filter, and 3 per pixel. */

#ifndef PANOPTIC_HEURISTIC_PNG_ROWS_H
#define PANOPTIC_HEURISTIC_PNG_ROWS_H

#include <stdint.h>

/* Undoes the filter of a row, 1 + 3 * width bytes. above: the colours of the row before it, zeros before the first.
   colors: 3 * width bytes, to be filled. A filter of another number than 0 to 4 is taken for none. */
void undo_filter(const uint8_t *row, const uint8_t *above, uint8_t *colors, int64_t width);

#endif
