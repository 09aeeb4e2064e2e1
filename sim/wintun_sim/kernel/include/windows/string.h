/* SPDX-License-Identifier: MIT
 *
 * The part of <string.h> that ntoskrnl exports, for Windows builds without a C library (-nostdlibinc). Host builds
 * never see this folder: they have the C library's own.
 */
#ifndef NT_WINDOWS_STRING_H
#define NT_WINDOWS_STRING_H

#include <stddef.h>

void *memcpy(void *destination, const void *source, size_t count);
void *memmove(void *destination, const void *source, size_t count);
void *memset(void *destination, int value, size_t count);
int memcmp(const void *first, const void *second, size_t count);
size_t strlen(const char *string);
int strcmp(const char *first, const char *second);
int strncmp(const char *first, const char *second, size_t count);
char *strchr(const char *string, int character);
size_t wcslen(const wchar_t *string);
int wcscmp(const wchar_t *first, const wchar_t *second);

#endif
