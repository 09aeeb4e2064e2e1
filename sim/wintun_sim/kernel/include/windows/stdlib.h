/* SPDX-License-Identifier: MIT
 *
 * The part of <stdlib.h> that ntoskrnl exports, for Windows builds without a C library.
 */
#ifndef NT_WINDOWS_STDLIB_H
#define NT_WINDOWS_STDLIB_H

#include <stddef.h>

int atoi(const char *text);
unsigned long strtoul(const char *text, char **end, int base);
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *first, const void *second));

#endif
