/* SPDX-License-Identifier: MIT
 *
 * Makes a list of bytes objects out of a decoded bundle, in one call.
 *
 * cffi hands memory to Python, but it cannot make Python objects; and a slice for each packet costs Python as much as
 * decoding the bundle in Python would have. So this one function is written against CPython's limited API (abi3).
 */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

static PyObject *make_list(const Py_buffer *memory, const uint64_t *offsets, const uint32_t *sizes, Py_ssize_t count)
{
    const uint64_t length = (uint64_t)memory->len;
    PyObject *list = PyList_New(count);

    for (Py_ssize_t i = 0; list != NULL && i < count; i++)
    {
        PyObject *packet = NULL;
        if (offsets[i] > length || sizes[i] > length - offsets[i])
            PyErr_Format(PyExc_ValueError, "packet %zd lies outside the buffer", i);
        else
            packet = PyBytes_FromStringAndSize((const char *)memory->buf + offsets[i], (Py_ssize_t)sizes[i]);
        if (packet == NULL || PyList_SetItem(list, i, packet) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* The index is checked, not trusted: its arrays are Python objects, and someone may have got hold of them. */
static PyObject *packets(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    Py_buffer buffers[3] = {0}; /* the memory, the offsets, the sizes */
    PyObject *list = NULL;
    Py_ssize_t count = 0;

    (void)module;
    if (argument_count != 4)
        return PyErr_Format(PyExc_TypeError, "packets() takes memory, offsets, sizes and count");
    count = PyLong_AsSsize_t(arguments[3]);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    int taken = 0;
    while (taken < 3 && PyObject_GetBuffer(arguments[taken], &buffers[taken], PyBUF_SIMPLE) == 0)
        taken++;
    if (taken == 3)
    {
        if (count < 0 || buffers[1].len / (Py_ssize_t)sizeof(uint64_t) < count ||
            buffers[2].len / (Py_ssize_t)sizeof(uint32_t) < count)
            PyErr_Format(PyExc_ValueError, "offsets or sizes have fewer than %zd entries", count);
        else
            list = make_list(&buffers[0], buffers[1].buf, buffers[2].buf, count);
    }
    while (taken > 0)
        PyBuffer_Release(&buffers[--taken]);
    return list;
}

static PyMethodDef methods[] = {
    {"packets", (PyCFunction)(void (*)(void))packets, METH_FASTCALL,
     "packets(memory, offsets, sizes, count) -> list[bytes]\n\n"
     "Offsets are 64-bit, sizes 32-bit integers in native byte order. Raises ValueError for what lies outside."},
    {NULL, NULL, 0, NULL},
};

static int set_up(PyObject *module)
{
    return PyModule_AddStringConstant(module, "VERSION", VERSION_TEXT);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)set_up},
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_packets",
    .m_doc = "A decoded bundle's packets as bytes objects.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__packets(void);

PyMODINIT_FUNC PyInit__packets(void)
{
    return PyModuleDef_Init(&definition);
}
