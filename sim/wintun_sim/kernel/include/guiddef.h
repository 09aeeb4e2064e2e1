/* SPDX-License-Identifier: MIT
 *
 * GUID and the DEFINE_GUID protocol: a declaration everywhere, the definition where INITGUID (initguid.h) precedes
 * it.
 */
#ifndef NT_GUIDDEF_H
#define NT_GUIDDEF_H

#include "nt_compiler.h"

#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID
{
    unsigned int Data1;
    unsigned short Data2;
    unsigned short Data3;
    unsigned char Data4[8];
} GUID;
_Static_assert(sizeof(GUID) == 16, "GUID");
#endif

typedef GUID *LPGUID, *PGUID;
typedef const GUID *LPCGUID;
typedef GUID IID, CLSID;
#define REFGUID const GUID *
#define REFIID  const GUID *

#define IsEqualGUID(first, second)       (__builtin_memcmp((first), (second), sizeof(GUID)) == 0)
#define InlineIsEqualGUID(first, second) IsEqualGUID(first, second)

#endif

#undef DEFINE_GUID
#ifdef INITGUID
#define DEFINE_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) \
    EXTERN_C const GUID name;                                      \
    const GUID DECLSPEC_SELECTANY name = {a, b, c, {d0, d1, d2, d3, d4, d5, d6, d7}}
#else
#define DEFINE_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) EXTERN_C const GUID name
#endif
