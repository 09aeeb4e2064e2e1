/* Counted strings, GUIDs and versions: the Rtl functions of nt_string.h.
 *
 * Letters are compared without case as far as Latin-1 goes; Windows knows more alphabets, device names and SDDL do not.
 * Documentation: learn.microsoft.com/windows-hardware/drivers/ddi/wdm/ (nf-wdm-rtlcopyunicodestring and neighbours).
 */
#include <ntddk.h>

#include "host.h"

enum
{
    STRING_LIMIT = 0xFFFE /* bytes: the longest even USHORT */
};

static WCHAR upcase(WCHAR letter)
{
    bool lower = (letter >= 'a' && letter <= 'z') || (letter >= 0xE0 && letter <= 0xFE && letter != 0xF7);
    return lower ? (WCHAR)(letter - 0x20) : letter;
}

static size_t length_of(PCWSTR text)
{
    size_t length = 0;
    while (text[length] != 0)
        length += 1;
    return length;
}

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    size_t bytes = SourceString == NULL ? 0 : length_of(SourceString) * sizeof(WCHAR);
    if (bytes > STRING_LIMIT - sizeof(WCHAR))
        bytes = STRING_LIMIT - sizeof(WCHAR);
    DestinationString->Length = (USHORT)bytes;
    DestinationString->MaximumLength = SourceString == NULL ? (USHORT)0 : (USHORT)(bytes + sizeof(WCHAR));
    DestinationString->Buffer = (PWSTR)(uintptr_t)SourceString;
}

VOID NTAPI RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString)
{
    size_t bytes = SourceString == NULL ? 0 : strlen(SourceString);
    if (bytes > STRING_LIMIT)
        bytes = STRING_LIMIT;
    DestinationString->Length = (USHORT)bytes;
    DestinationString->MaximumLength = SourceString == NULL ? (USHORT)0 : (USHORT)(bytes + 1);
    DestinationString->Buffer = (PCHAR)(uintptr_t)SourceString;
}

VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    USHORT bytes = SourceString == NULL ? (USHORT)0 : SourceString->Length;
    if (bytes > DestinationString->MaximumLength)
        bytes = DestinationString->MaximumLength;
    DestinationString->Length = bytes;
    if (bytes != 0)
        memmove(DestinationString->Buffer, SourceString->Buffer, bytes);
    if (bytes + sizeof(WCHAR) <= DestinationString->MaximumLength)
        DestinationString->Buffer[bytes / sizeof(WCHAR)] = 0;
}

static NTSTATUS append(PUNICODE_STRING destination, const WCHAR *source, size_t bytes)
{
    if (bytes > (size_t)destination->MaximumLength || destination->Length > destination->MaximumLength - bytes)
        return STATUS_BUFFER_TOO_SMALL;
    if (bytes != 0)
        memmove((uint8_t *)destination->Buffer + destination->Length, source, bytes);
    destination->Length = (USHORT)(destination->Length + bytes);
    if (destination->Length + sizeof(WCHAR) <= destination->MaximumLength)
        destination->Buffer[destination->Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return append(Destination, Source->Buffer, Source->Length);
}

NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    return Source == NULL ? STATUS_SUCCESS : append(Destination, Source, length_of(Source) * sizeof(WCHAR));
}

LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    size_t first = String1->Length / sizeof(WCHAR);
    size_t second = String2->Length / sizeof(WCHAR);
    for (size_t i = 0; i < first && i < second; i++)
    {
        WCHAR left = CaseInSensitive ? upcase(String1->Buffer[i]) : String1->Buffer[i];
        WCHAR right = CaseInSensitive ? upcase(String2->Buffer[i]) : String2->Buffer[i];
        if (left != right)
            return (LONG)left - (LONG)right;
    }
    return (LONG)first - (LONG)second;
}

BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}

NTSTATUS NTAPI RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
    if (Base != 0 && Base != 2 && Base != 8 && Base != 10 && Base != 16)
        return STATUS_INVALID_PARAMETER;
    ULONG base = Base == 0 ? 10 : Base;
    WCHAR digits[32];
    size_t count = 0;
    do
        digits[32 - ++count] = (WCHAR) "0123456789ABCDEF"[Value % base];
    while ((Value /= base) != 0);
    if (count * sizeof(WCHAR) > String->MaximumLength)
        return STATUS_BUFFER_OVERFLOW;
    String->Length = 0;
    return append(String, &digits[32 - count], count * sizeof(WCHAR));
}

static int digit_of(WCHAR letter)
{
    WCHAR upper = upcase(letter);
    return upper >= '0' && upper <= '9' ? upper - '0' : upper >= 'A' && upper <= 'F' ? upper - 'A' + 10 : 99;
}

NTSTATUS NTAPI RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
    if (Base != 0 && Base != 2 && Base != 8 && Base != 10 && Base != 16)
        return STATUS_INVALID_PARAMETER;
    const WCHAR *letter = String->Buffer;
    const WCHAR *end = letter + String->Length / sizeof(WCHAR);
    while (letter < end && *letter <= ' ')
        letter += 1;
    bool negative = letter < end && *letter == '-';
    if (letter < end && (*letter == '-' || *letter == '+'))
        letter += 1;
    int base = Base == 0 ? 10 : (int)Base;
    if (Base == 0 && end - letter >= 2 && letter[0] == '0' &&
        (letter[1] == 'x' || letter[1] == 'o' || letter[1] == 'b'))
    {
        base = letter[1] == 'x' ? 16 : letter[1] == 'o' ? 8 : 2;
        letter += 2;
    }
    ULONG value = 0;
    for (; letter < end && digit_of(*letter) < base; letter++)
        value = value * (ULONG)base + (ULONG)digit_of(*letter);
    *Value = negative ? 0 - value : value;
    return STATUS_SUCCESS;
}

enum
{
    GUID_LETTERS = 38, /* {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx} */
    GUID_BYTES = 16
};

/* Which byte of a GUID in memory is the n-th in its text: the first three fields are little-endian. */
static const uint8_t guid_order[GUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static bool hyphen_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

NTSTATUS NTAPI RtlStringFromGUID(const GUID *Guid, PUNICODE_STRING GuidString)
{
    WCHAR *text = arena_allocate(BLOCK_POOL, (GUID_LETTERS + 1) * sizeof(WCHAR), 0x72745355, "RtlStringFromGUID");
    if (text == NULL)
        return STATUS_NO_MEMORY;
    const uint8_t *bytes = (const uint8_t *)Guid;
    size_t used = 0;
    text[used++] = '{';
    for (int i = 0; i < GUID_BYTES; i++)
    {
        if (hyphen_before(i))
            text[used++] = '-';
        text[used++] = (WCHAR) "0123456789ABCDEF"[bytes[guid_order[i]] >> 4];
        text[used++] = (WCHAR) "0123456789ABCDEF"[bytes[guid_order[i]] & 15];
    }
    text[used++] = '}';
    text[used] = 0;
    GuidString->Buffer = text;
    GuidString->Length = (USHORT)(used * sizeof(WCHAR));
    GuidString->MaximumLength = (USHORT)((used + 1) * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGUIDFromString(PCUNICODE_STRING GuidString, GUID *Guid)
{
    const WCHAR *letter = GuidString->Buffer;
    if (GuidString->Length != GUID_LETTERS * sizeof(WCHAR) || letter[0] != '{' || letter[GUID_LETTERS - 1] != '}')
        return STATUS_INVALID_PARAMETER;
    uint8_t bytes[GUID_BYTES];
    letter += 1;
    for (int i = 0; i < GUID_BYTES; i++, letter += 2)
    {
        if (hyphen_before(i) && *letter++ != '-')
            return STATUS_INVALID_PARAMETER;
        if (digit_of(letter[0]) > 15 || digit_of(letter[1]) > 15)
            return STATUS_INVALID_PARAMETER;
        bytes[guid_order[i]] = (uint8_t)(digit_of(letter[0]) << 4 | digit_of(letter[1]));
    }
    memcpy(Guid, bytes, sizeof bytes);
    return STATUS_SUCCESS;
}

VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    if (UnicodeString->Buffer != NULL)
        arena_free(BLOCK_POOL, UnicodeString->Buffer, 0, "RtlFreeUnicodeString");
    memset(UnicodeString, 0, sizeof *UnicodeString);
}

SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    const uint8_t *first = Source1;
    const uint8_t *second = Source2;
    SIZE_T equal = 0;
    while (equal < Length && first[equal] == second[equal])
        equal += 1;
    return equal;
}

/* Windows 10 22H2. */
NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW VersionInformation)
{
    VersionInformation->dwMajorVersion = 10;
    VersionInformation->dwMinorVersion = 0;
    VersionInformation->dwBuildNumber = 19045;
    VersionInformation->dwPlatformId = 2;
    VersionInformation->szCSDVersion[0] = 0;
    return STATUS_SUCCESS;
}

const struct export string_exports[] = {
    EXPORT(RtlInitUnicodeString),
    EXPORT(RtlInitAnsiString),
    EXPORT(RtlCopyUnicodeString),
    EXPORT(RtlAppendUnicodeStringToString),
    EXPORT(RtlAppendUnicodeToString),
    EXPORT(RtlCompareUnicodeString),
    EXPORT(RtlEqualUnicodeString),
    EXPORT(RtlIntegerToUnicodeString),
    EXPORT(RtlUnicodeStringToInteger),
    EXPORT(RtlStringFromGUID),
    EXPORT(RtlGUIDFromString),
    EXPORT(RtlFreeUnicodeString),
    EXPORT(RtlCompareMemory),
    EXPORT(RtlGetVersion),
    EXPORTS_END,
};
