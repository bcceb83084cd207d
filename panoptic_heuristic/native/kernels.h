/* What all kernels share. A kernel is `KERNEL int64_t ph_name(...)`: plain C on arrays that the caller has checked,
   without memory of its own that it keeps, and without Python. */

#ifndef PANOPTIC_HEURISTIC_KERNELS_H
#define PANOPTIC_HEURISTIC_KERNELS_H

#include <stdint.h>

#define KERNEL __attribute__((visibility("default")))

/* Of a hot loop: built for wider registers, too, where the loader can choose by the machine. */
#if defined(__x86_64__) && defined(__gnu_linux__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#endif
