/*
 * Counted string functions of ntstrsafe.h: learn.microsoft.com/windows-hardware/drivers/ddi/ntstrsafe/.
 *
 * The WDK implements them inline over ntoskrnl's _vsnwprintf and friends, so an image imports _vsnwprintf, whose wide
 * characters have 16 bits; a host kernel therefore exports its own, never the C library's. IRQL = PASSIVE_LEVEL.
 */
#ifndef NT_NTSTRSAFE_H
#define NT_NTSTRSAFE_H

#include "wdm.h"

#define NTSTRSAFE_MAX_CCH                2147483647
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH (0xFFFF / sizeof(WCHAR))
#define STRSAFE_MAX_CCH                  NTSTRSAFE_MAX_CCH

int __cdecl _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments);
int __cdecl _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);

FORCEINLINE NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, va_list Arguments)
{
    size_t capacity = DestinationString->MaximumLength / sizeof(WCHAR);
    int count;

    if (DestinationString->Length > DestinationString->MaximumLength ||
        DestinationString->Length % sizeof(WCHAR) != 0 || DestinationString->MaximumLength % sizeof(WCHAR) != 0 ||
        (DestinationString->Buffer == NULL && DestinationString->MaximumLength != 0))
        return STATUS_INVALID_PARAMETER;
    if (capacity == 0)
        return Format[0] == 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
    count = _vsnwprintf(DestinationString->Buffer, capacity, Format, Arguments);
    if (count < 0 || (size_t)count > capacity)
    {
        DestinationString->Length = (USHORT)(capacity * sizeof(WCHAR));
        return STATUS_BUFFER_OVERFLOW;
    }
    DestinationString->Length = (USHORT)((size_t)count * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* Functions with variable arguments cannot be inlined, so each image has its own copy, as with the WDK's. */
static __attribute__((unused)) NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, ...)
{
    va_list arguments;
    NTSTATUS status;

    va_start(arguments, Format);
    status = RtlUnicodeStringVPrintf(DestinationString, Format, arguments);
    va_end(arguments);
    return status;
}

FORCEINLINE NTSTATUS RtlStringCbLengthW(PCWSTR String, size_t MaximumBytes, size_t *LengthBytes)
{
    size_t length = 0, capacity = MaximumBytes / sizeof(WCHAR);

    if (String == NULL || capacity > NTSTRSAFE_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    while (length < capacity && String[length] != 0)
        length++;
    if (length == capacity)
        return STATUS_INVALID_PARAMETER;
    if (LengthBytes != NULL)
        *LengthBytes = length * sizeof(WCHAR);
    return STATUS_SUCCESS;
}

#endif
