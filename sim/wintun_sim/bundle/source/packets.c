/* SPDX-License-Identifier: MIT
 *
 * Makes a list of bytes objects out of a decoded bundle, or a bundle out of such a list, in one call.
 *
 * cffi hands memory to Python, but it cannot make Python objects or look into them; and a slice for each packet costs
 * Python as much as decoding the bundle in Python would have, as does joining all packets to hand them to C. So these
 * functions are written against CPython's limited API (abi3).
 */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../../../../shared/bundle.h"

#include <stdint.h>
#include <string.h>

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

/* Whether all are bytes and fit; nothing is written. The references are borrowed from a tuple, which cannot change. */
static int fit(const struct bundle_writer *writer, PyObject *objects, Py_ssize_t count)
{
    struct bundle_writer room = *writer;

    for (Py_ssize_t i = 0; i < count; i++)
    {
        PyObject *packet = PyTuple_GetItem(objects, i);
        if (!PyBytes_CheckExact(packet) || bundle_plan(&room, (size_t)PyBytes_Size(packet)) != BUNDLE_OK)
            return 0;
    }
    return 1;
}

static PyObject *encode_into(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    Py_buffer memory;
    struct bundle_writer writer;

    (void)module;
    if (argument_count != 2 || !PyTuple_CheckExact(arguments[1]))
        return PyErr_Format(PyExc_TypeError, "encode_into() takes memory and a tuple");
    if (PyObject_GetBuffer(arguments[0], &memory, PyBUF_WRITABLE) < 0)
        return NULL;
    const Py_ssize_t count = PyTuple_Size(arguments[1]);
    bundle_writer_init(&writer, memory.buf, (size_t)memory.len);
    const int good = fit(&writer, arguments[1], count);
    for (Py_ssize_t i = 0; good && i < count; i++)
    {
        char *packet = NULL;
        Py_ssize_t size = 0;
        void *where = NULL;
        /* Neither can fail: that was looked at. */
        (void)PyBytes_AsStringAndSize(PyTuple_GetItem(arguments[1], i), &packet, &size);
        (void)bundle_reserve(&writer, (size_t)size, &where);
        memcpy(where, packet, (size_t)size);
    }
    PyBuffer_Release(&memory);
    return PyLong_FromSsize_t(good ? (Py_ssize_t)bundle_written(&writer) : -1);
}

static PyObject *join_into(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    Py_buffer memory;
    Py_buffer sizes;
    Py_ssize_t length = 0;

    (void)module;
    if (argument_count != 3 || !PyTuple_CheckExact(arguments[2]))
        return PyErr_Format(PyExc_TypeError, "join_into() takes memory, sizes and a tuple");
    if (PyObject_GetBuffer(arguments[0], &memory, PyBUF_WRITABLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[1], &sizes, PyBUF_WRITABLE) < 0)
    {
        PyBuffer_Release(&memory);
        return NULL;
    }
    const Py_ssize_t count = PyTuple_Size(arguments[2]);
    int good = count <= sizes.len / (Py_ssize_t)sizeof(uint32_t);
    for (Py_ssize_t i = 0; good && i < count; i++)
    {
        PyObject *packet = PyTuple_GetItem(arguments[2], i);
        good = PyBytes_CheckExact(packet) && PyBytes_Size(packet) <= memory.len - length &&
               (uint64_t)PyBytes_Size(packet) <= UINT32_MAX;
        if (good)
        {
            const Py_ssize_t size = PyBytes_Size(packet);
            memcpy((char *)memory.buf + length, PyBytes_AsString(packet), (size_t)size);
            ((uint32_t *)sizes.buf)[i] = (uint32_t)size;
            length += size;
        }
    }
    PyBuffer_Release(&sizes);
    PyBuffer_Release(&memory);
    return PyLong_FromSsize_t(good ? length : -1);
}

static PyMethodDef methods[] = {
    {"join_into", (PyCFunction)(void (*)(void))join_into, METH_FASTCALL,
     "join_into(memory, sizes, packets) -> int\n\n"
     "Copy the bytes objects of a tuple one behind the other, note their sizes (32-bit integers), and return the sum\n"
     "of these. Return -1 when not all are bytes and fit; what was written then means nothing."},
    {"encode_into", (PyCFunction)(void (*)(void))encode_into, METH_FASTCALL,
     "encode_into(memory, packets) -> int\n\n"
     "Write the bundle of a tuple of bytes objects and return its size. Return -1, with nothing written, unless all "
     "are\n"
     "bytes and fit."},
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
    .m_doc = "Bundles from and to bytes objects.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__packets(void);

PyMODINIT_FUNC PyInit__packets(void)
{
    return PyModuleDef_Init(&definition);
}
