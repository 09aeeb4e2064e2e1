/* SPDX-License-Identifier: MIT
 *
 * The formatting functions that ntoskrnl exports, for Windows builds without a C library.
 */
#ifndef NT_WINDOWS_STDIO_H
#define NT_WINDOWS_STDIO_H

#include <stdarg.h>
#include <stddef.h>

int _snprintf(char *buffer, size_t count, const char *format, ...);
int _vsnprintf(char *buffer, size_t count, const char *format, va_list arguments);
int _snwprintf(wchar_t *buffer, size_t count, const wchar_t *format, ...);
int _vsnwprintf(wchar_t *buffer, size_t count, const wchar_t *format, va_list arguments);

#endif
