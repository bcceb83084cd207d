/* An importable module around the kernels of this folder, so that setuptools builds and installs them.

   Nothing is called through it: panoptic_heuristic.native loads the file with ctypes and calls the exported functions,
   which are plain C and free Python's lock. Only the stable ABI of Python 3.10 is used. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

static struct PyModuleDef kernels = {
    PyModuleDef_HEAD_INIT, "_kernels", "The compiled kernels; see panoptic_heuristic.native.", -1, NULL,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModule_Create(&kernels); }
