/* What all kernels share. A kernel is `KERNEL int64_t ph_name(...)`: plain C on arrays that the caller has checked,
   without memory of its own that it keeps, and without Python. */

#ifndef PANOPTIC_HEURISTIC_KERNELS_H
#define PANOPTIC_HEURISTIC_KERNELS_H

#include <stdint.h>

#define KERNEL __attribute__((visibility("default")))

#endif
