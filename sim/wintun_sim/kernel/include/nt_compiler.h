/* SPDX-License-Identifier: MIT
 *
 * What Microsoft's compiler understands and gcc or clang spell differently.
 *
 * Three builds share these headers: the host image (gcc or clang, Linux and alike), the Windows image (clang with an
 * *-pc-windows-msvc target) and its second opinion (mingw gcc). Only this file and ntdef.h know which of them runs.
 * NT_HOST is 1 where the code runs in the host kernel with the host's own calling convention.
 */
#ifndef NT_COMPILER_H
#define NT_COMPILER_H

/* First, because a compiler's own headers may look at the keywords that are redefined below. */
#include <stdarg.h>
#include <stddef.h>

#if defined(_WIN32)
#define NT_HOST 0
#else
#define NT_HOST 1
#endif

/* A driver's sources test these; the host image claims to be Windows on the same processor. */
#if defined(__x86_64__) && !defined(_AMD64_)
#define _AMD64_ 1
#endif
#if defined(__aarch64__) && !defined(_ARM64_)
#define _ARM64_ 1
#endif
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "only x86-64 and AArch64 are described by these headers: structure layouts would be wrong elsewhere"
#endif
#ifndef _WIN64
#define _WIN64 1
#endif

#ifndef WINVER
#define WINVER 0x0A00
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#ifndef NTDDI_VERSION
#define NTDDI_VERSION 0x0A000008
#endif
#define NTDDI_WIN7       0x06010000
#define NTDDI_WIN8       0x06020000
#define NTDDI_WINBLUE    0x06030000
#define NTDDI_WIN10      0x0A000000
#define NTDDI_WIN10_RS5  0x0A000006
#define NTDDI_WIN10_19H1 0x0A000007
#define NTDDI_WIN10_VB   0x0A000008
#ifndef DBG
#define DBG 0
#endif

#if NT_HOST
/*
 * __declspec(align(16)) names an attribute that gcc does not know and drops. Pasting the name makes every attribute a
 * macro of its own, so that one which is not listed here fails to compile instead of vanishing.
 */
#undef __declspec
#define __declspec(attribute) __declspec_##attribute
#define __declspec_align(bytes) __attribute__((aligned(bytes)))
#define __declspec_noreturn     __attribute__((noreturn))
#define __declspec_noinline     __attribute__((noinline))
#define __declspec_selectany    __attribute__((weak))
#define __declspec_deprecated   __attribute__((deprecated))
#define __declspec_dllimport
#define __declspec_dllexport __attribute__((visibility("default")))
#define __declspec_restrict
#define __declspec_noalias
#define __declspec_novtable
#define __declspec_nothrow
#define __declspec_code_seg(name)
#define __declspec_allocate(name)
#define __declspec_uuid(text)

#define __cdecl
#define __stdcall
#define __fastcall
#define __vectorcall
#define _cdecl
#define _stdcall
#define __ptr64
#define __unaligned
#define __w64
#ifndef __clang__
#define __pragma(directive)
#endif
#define __forceinline inline __attribute__((always_inline))
#define __assume(condition) ((condition) ? (void)0 : __builtin_unreachable())
#define __noop(...)         ((void)0)
#define __debugbreak()      __builtin_trap()
#define _ReturnAddress()    __builtin_return_address(0)

/*
 * Structured exception handling, where nothing is ever handled: what would raise an exception ends the run and is
 * reported. A guarded block therefore runs to its end, or leaves by return or goto, and then without its __finally.
 */
#undef __try
#undef __except
#undef __finally
/* clang-format takes __except for a keyword, and would part it from its parameter. */
/* clang-format off */
#define __try                        if (1)
#define __except(filter)             else if ((void)(filter), 0)
#define __finally
/* clang-format on */
#define GetExceptionCode()           0
#define GetExceptionInformation()    ((void *)0)
#define AbnormalTermination()        0
#define EXCEPTION_EXECUTE_HANDLER    1
#define EXCEPTION_CONTINUE_SEARCH    0
#define EXCEPTION_CONTINUE_EXECUTION (-1)

/* size_t, SIZE_T, ULONG_PTR and ULONG64 are one type on 64-bit Windows: `long` keeps them one type on LP64 hosts. */
#undef __int64
#define __int64 long
#undef __int32
#define __int32 int
#undef __int16
#define __int16 short
#undef __int8
#define __int8 char
#elif defined(__MINGW32__)
#undef __declspec
#define __declspec(attribute) __declspec_##attribute
#define __declspec_align(bytes) __attribute__((aligned(bytes)))
#define __declspec_noreturn     __attribute__((noreturn))
#define __declspec_noinline     __attribute__((noinline))
#define __declspec_selectany    __attribute__((selectany))
#define __declspec_dllimport    __attribute__((dllimport))
#define __declspec_dllexport    __attribute__((dllexport))
#define __declspec_code_seg(name)
#define __declspec_allocate(name)
#ifndef __forceinline
#define __forceinline inline __attribute__((always_inline))
#endif
#define __assume(condition) ((condition) ? (void)0 : __builtin_unreachable())
#define __pragma(directive)
#define __noop(...)      ((void)0)
#define __debugbreak()   __builtin_trap()
#define _ReturnAddress() __builtin_return_address(0)
#ifndef __unaligned
#define __unaligned
#endif
#endif

#define DECLSPEC_ALIGN(bytes) __declspec(align(bytes))
#define DECLSPEC_NORETURN     __declspec(noreturn)
#define DECLSPEC_NOINLINE     __declspec(noinline)
#define DECLSPEC_SELECTANY    __declspec(selectany)
#define DECLSPEC_IMPORT       __declspec(dllimport)
#define DECLSPEC_CACHEALIGN   DECLSPEC_ALIGN(64)
#define DECLSPEC_NOTHROW
#define POINTER_ALIGNMENT           DECLSPEC_ALIGN(8)
#define TYPE_ALIGNMENT(type)        _Alignof(type)
#define SYSTEM_CACHE_ALIGNMENT_SIZE 64
#define MEMORY_ALLOCATION_ALIGNMENT 16

#define FORCEINLINE        __forceinline
#define FORCENOINLINE      __declspec(noinline)
#define CFORCEINLINE       FORCEINLINE
#define UNALIGNED          __unaligned
#define RESTRICTED_POINTER __restrict

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START \
    extern "C"         \
    {
#define EXTERN_C_END }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

/* Imports are ordinary external functions: the image builder, not the compiler, routes them to the kernel. */
#define NTAPI          __stdcall
#define FASTCALL       __fastcall
#define WINAPI         __stdcall
#define APIENTRY       __stdcall
#define CALLBACK       __stdcall
#define STDAPICALLTYPE __stdcall
#define NTSYSAPI
#define NTSYSCALLAPI
#define NTKERNELAPI
#define NTHALAPI

#define DUMMYUNIONNAME
#define DUMMYUNIONNAME2
#define DUMMYUNIONNAME3
#define DUMMYSTRUCTNAME
#define DUMMYSTRUCTNAME2

#endif
