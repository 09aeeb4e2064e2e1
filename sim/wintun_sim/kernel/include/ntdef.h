/* SPDX-License-Identifier: MIT
 *
 * The basic types of NT: integers of fixed width, strings, lists, status tests and layout helpers.
 *
 * Windows is LLP64: LONG and ULONG have 32 bits on every machine, WCHAR 16. Hosts are LP64, hence `int` behind LONG
 * here, and -fshort-wchar. Types: learn.microsoft.com/windows/win32/winprog/windows-data-types.
 */
#ifndef NT_NTDEF_H
#define NT_NTDEF_H
#define _NTDEF_

#include "nt_compiler.h"
#include "sal.h"
#include "driverspecs.h"
#include "guiddef.h"

_Static_assert(sizeof(wchar_t) == 2, "compile with -fshort-wchar: WCHAR has 16 bits");

#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif
#ifndef CONST
#define CONST const
#endif
#ifndef VOID
#define VOID void
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif

typedef char CHAR, *PCHAR, *LPCH, *PCH, CCHAR, *PCCHAR, *PSZ, *PSTR, *LPSTR;
typedef const char *PCSZ, *PCSTR, *LPCSTR, *LPCCH, *PCCH;
typedef unsigned char UCHAR, *PUCHAR, BYTE, *PBYTE, BOOLEAN, *PBOOLEAN;
typedef short SHORT, *PSHORT, CSHORT, *PCSHORT;
typedef unsigned short USHORT, *PUSHORT, WORD, *PWORD;
#if NT_HOST
typedef int LONG, *PLONG;
typedef unsigned int ULONG, *PULONG, DWORD, *PDWORD;
#else
typedef long LONG, *PLONG;
typedef unsigned long ULONG, *PULONG, DWORD, *PDWORD;
#endif
typedef int INT, *PINT, BOOL, *PBOOL;
typedef unsigned int UINT, *PUINT;
typedef signed char INT8, *PINT8;
typedef unsigned char UINT8, *PUINT8;
typedef short INT16, *PINT16;
typedef unsigned short UINT16, *PUINT16;
typedef int INT32, *PINT32, LONG32, *PLONG32;
typedef unsigned int UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32;
typedef __int64 LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64, *PINT64;
typedef unsigned __int64 ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, UINT64, *PUINT64, DWORD64, *PDWORD64, DWORDLONG;
typedef __int64 INT_PTR, *PINT_PTR, LONG_PTR, *PLONG_PTR, SSIZE_T, *PSSIZE_T;
typedef unsigned __int64 UINT_PTR, *PUINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, SIZE_T, *PSIZE_T, KAFFINITY;
typedef KAFFINITY *PKAFFINITY;
typedef USHORT UHALF_PTR;
typedef void *PVOID, *LPVOID, *PVOID64, *HANDLE, **PHANDLE;
typedef const void *LPCVOID, *PCVOID;
typedef wchar_t WCHAR, *PWCHAR, *LPWCH, *PWCH, *NWPSTR, *LPWSTR, *PWSTR;
typedef const wchar_t *PCWCH, *LPCWSTR, *PCWSTR, *LPCWCH;
typedef LONG NTSTATUS, *PNTSTATUS, HRESULT;
typedef UCHAR KIRQL, *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
typedef ULONG CLONG, *PCLONG, LCID, *PLCID, LOGICAL, *PLOGICAL;
typedef ULONG ACCESS_MASK, *PACCESS_MASK;
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

typedef enum _MODE
{
    KernelMode,
    UserMode,
    MaximumMode
} MODE;

typedef union _LARGE_INTEGER
{
    struct
    {
        ULONG LowPart;
        LONG HighPart;
    };
    struct
    {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER, PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef union _ULARGE_INTEGER
{
    struct
    {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct
    {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _LUID
{
    ULONG LowPart;
    LONG HighPart;
} LUID, *PLUID;

typedef struct _STRING
{
    USHORT Length; /* bytes, without a terminator */
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, UTF8_STRING, *PUTF8_STRING;
typedef const STRING *PCANSI_STRING, *PCSTRING;

typedef struct _UNICODE_STRING
{
    USHORT Length; /* bytes, without a terminator */
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

#define UNICODE_NULL ((WCHAR)0)
#define ANSI_NULL    ((CHAR)0)
#define DECLARE_CONST_UNICODE_STRING(name, text) \
    const WCHAR name##_buffer[] = text;          \
    const UNICODE_STRING name = {sizeof(text) - sizeof(WCHAR), sizeof(text), (PWCH)name##_buffer}
#define DECLARE_GLOBAL_CONST_UNICODE_STRING(name, text)  \
    extern const DECLSPEC_SELECTANY UNICODE_STRING name; \
    const UNICODE_STRING DECLSPEC_SELECTANY name = {sizeof(text) - sizeof(WCHAR), sizeof(text), (PWCH)text}
#define DECLARE_UNICODE_STRING_SIZE(name, characters) \
    WCHAR name##_buffer[characters];                  \
    UNICODE_STRING name = {0, (characters) * sizeof(WCHAR), name##_buffer}
#define RTL_CONSTANT_STRING(text)                                     \
    {                                                                 \
        sizeof(text) - sizeof((text)[0]), sizeof(text), (PVOID)(text) \
    }

typedef struct _LIST_ENTRY
{
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY
{
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef struct DECLSPEC_ALIGN(16) _SLIST_ENTRY
{
    struct _SLIST_ENTRY *Next;
} SLIST_ENTRY, *PSLIST_ENTRY;

typedef union DECLSPEC_ALIGN(16) _SLIST_HEADER
{
    struct
    {
        ULONGLONG Alignment;
        ULONGLONG Region;
    };
    struct
    {
        ULONGLONG Depth : 16;
        ULONGLONG Sequence : 48;
        ULONGLONG Reserved : 4;
        ULONGLONG NextEntry : 60;
    } HeaderX64;
} SLIST_HEADER, *PSLIST_HEADER;

typedef struct _OBJECT_ATTRIBUTES
{
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT            0x00000002
#define OBJ_PERMANENT          0x00000010
#define OBJ_EXCLUSIVE          0x00000020
#define OBJ_CASE_INSENSITIVE   0x00000040
#define OBJ_OPENIF             0x00000080
#define OBJ_OPENLINK           0x00000100
#define OBJ_KERNEL_HANDLE      0x00000200
#define OBJ_FORCE_ACCESS_CHECK 0x00000400
#define InitializeObjectAttributes(attributes, name, flags, root, security) \
    do                                                                      \
    {                                                                       \
        (attributes)->Length = sizeof(OBJECT_ATTRIBUTES);                   \
        (attributes)->RootDirectory = (root);                               \
        (attributes)->Attributes = (flags);                                 \
        (attributes)->ObjectName = (name);                                  \
        (attributes)->SecurityDescriptor = (security);                      \
        (attributes)->SecurityQualityOfService = NULL;                      \
    } while (0)

#define NT_SUCCESS(status)     (((NTSTATUS)(status)) >= 0)
#define NT_INFORMATION(status) ((((ULONG)(status)) >> 30) == 1)
#define NT_WARNING(status)     ((((ULONG)(status)) >> 30) == 2)
#define NT_ERROR(status)       ((((ULONG)(status)) >> 30) == 3)

#define MINCHAR      0x80
#define MAXCHAR      0x7f
#define MINSHORT     0x8000
#define MAXSHORT     0x7fff
#define MINLONG      0x80000000
#define MAXLONG      0x7fffffff
#define MAXUCHAR     0xff
#define MAXUSHORT    0xffff
#define MAXULONG     0xffffffff
#define MAXLONGLONG  (0x7fffffffffffffffLL)
#define MAXULONGLONG (~(ULONGLONG)0)

#define UNREFERENCED_PARAMETER(parameter)         ((void)(parameter))
#define DBG_UNREFERENCED_PARAMETER(parameter)     ((void)(parameter))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(variable) ((void)(variable))
#define ARGUMENT_PRESENT(pointer)                 ((pointer) != NULL)
#define FIELD_OFFSET(type, field)                 ((LONG)offsetof(type, field))
#define UFIELD_OFFSET(type, field)                ((ULONG)offsetof(type, field))
#define RTL_FIELD_SIZE(type, field)               (sizeof(((type *)0)->field))
#define RTL_SIZEOF_THROUGH_FIELD(type, field)     (offsetof(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_CONTAINS_FIELD(structure, size, field) \
    (((PCHAR)(&(structure)->field) + sizeof((structure)->field)) <= (((PCHAR)(structure)) + (size)))
#define CONTAINING_RECORD(address, type, field) ((type *)((PCHAR)(address)-offsetof(type, field)))
#define RTL_NUMBER_OF(array)                    (sizeof(array) / sizeof((array)[0]))
#define ARRAYSIZE(array)                        RTL_NUMBER_OF(array)
#define _ARRAYSIZE(array)                       RTL_NUMBER_OF(array)
#define RTL_BITS_OF(object)                     (sizeof(object) * 8)
#define C_ASSERT(condition)                     _Static_assert(condition, #condition)
#define UnsignedMultiplyHigh(first, second)     ((ULONG64)(((unsigned __int128)(first) * (second)) >> 64))

#define ROUND_TO_SIZE(length, alignment)          ALIGN_UP_BY(length, alignment)
#define ALIGN_DOWN_BY(length, alignment)          ((ULONG_PTR)(length) & ~((ULONG_PTR)(alignment)-1))
#define ALIGN_UP_BY(length, alignment)            (ALIGN_DOWN_BY(((ULONG_PTR)(length) + (alignment)-1), alignment))
#define ALIGN_DOWN(length, type)                  ALIGN_DOWN_BY(length, sizeof(type))
#define ALIGN_UP(length, type)                    ALIGN_UP_BY(length, sizeof(type))
#define ALIGN_DOWN_POINTER_BY(address, alignment) ((PVOID)ALIGN_DOWN_BY(address, alignment))
#define ALIGN_UP_POINTER_BY(address, alignment)   ((PVOID)ALIGN_UP_BY(address, alignment))
#define ALIGN_DOWN_POINTER(address, type)         ALIGN_DOWN_POINTER_BY(address, sizeof(type))
#define ALIGN_UP_POINTER(address, type)           ALIGN_UP_POINTER_BY(address, sizeof(type))

#define HandleToULong(handle)   ((ULONG)(ULONG_PTR)(handle))
#define HandleToUlong(handle)   HandleToULong(handle)
#define ULongToHandle(number)   ((HANDLE)(ULONG_PTR)(number))
#define UlongToHandle(number)   ULongToHandle(number)
#define PtrToUlong(pointer)     ((ULONG)(ULONG_PTR)(pointer))
#define PtrToULong(pointer)     PtrToUlong(pointer)
#define UlongToPtr(number)      ((PVOID)(ULONG_PTR)(number))
#define ULongToPtr(number)      UlongToPtr(number)
#define Add2Ptr(pointer, bytes) ((PVOID)((PUCHAR)(pointer) + (bytes)))

#define DEFINE_ENUM_FLAG_OPERATORS(type)

#if !defined(NOMINMAX) && !defined(__cplusplus)
#ifndef min
#define min(first, second) (((first) < (second)) ? (first) : (second))
#endif
#ifndef max
#define max(first, second) (((first) > (second)) ? (first) : (second))
#endif
#endif

_Static_assert(sizeof(LONG) == 4 && sizeof(ULONG_PTR) == 8 && sizeof(LONG64) == 8, "integers");
_Static_assert(sizeof(SIZE_T) == sizeof(size_t) && sizeof(PVOID) == 8, "pointers");
_Static_assert(sizeof(UNICODE_STRING) == 16 && offsetof(UNICODE_STRING, Buffer) == 8, "UNICODE_STRING");
_Static_assert(sizeof(LIST_ENTRY) == 16, "LIST_ENTRY");
_Static_assert(sizeof(SLIST_HEADER) == 16 && _Alignof(SLIST_HEADER) == 16, "SLIST_HEADER");
_Static_assert(sizeof(SLIST_ENTRY) == 16, "SLIST_ENTRY");
_Static_assert(sizeof(OBJECT_ATTRIBUTES) == 48, "OBJECT_ATTRIBUTES");

#endif
