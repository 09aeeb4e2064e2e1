/* printf as Windows' kernel understands it: 16-bit wide characters, %wZ, %I64u, 32-bit long, no floating point
 * (format.c). */
#ifndef WINTUN_SIM_FORMAT_H
#define WINTUN_SIM_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct format_output
{
    uint16_t *wide; /* one of the two is NULL */
    char *narrow;
    size_t capacity; /* characters */
    size_t count;    /* characters that the whole text has, stored or not */
};

/* Appends to `output`; what is beyond its capacity is counted only. `format` is wide exactly if the output is. */
void format_text(struct format_output *output, const void *format, va_list arguments);

#endif
