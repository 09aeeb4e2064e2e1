/* SPDX-License-Identifier: MIT
 *
 * What the codec is compiled with to have its accesses counted: this file is included before it (-include). Loads and
 * stores that are copies are calls, so that the counting program sees them as well.
 */
#ifndef COUNT_LOADS_H
#define COUNT_LOADS_H

#include <stddef.h>

void *counted_memcpy(void *to, const void *from, size_t size);
void *counted_memmove(void *to, const void *from, size_t size);
void *counted_memset(void *to, int value, size_t size);

#ifdef COUNTED
#define __builtin_memcpy  counted_memcpy
#define __builtin_memmove counted_memmove
#define __builtin_memset  counted_memset
#endif

#endif
