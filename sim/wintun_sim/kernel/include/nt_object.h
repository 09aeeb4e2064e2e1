/* SPDX-License-Identifier: MIT
 *
 * Objects, handles, access rights.
 *
 * learn.microsoft.com/windows-hardware/drivers/kernel/managing-kernel-objects. ObReferenceObject and
 * ObDereferenceObject are the imports ObfReferenceObject and ObfDereferenceObject (IRQL <= DISPATCH_LEVEL); what
 * takes or gives a handle is PASSIVE_LEVEL.
 */
#ifndef NT_OBJECT_H
#define NT_OBJECT_H

#include "nt_device.h"

typedef struct _OBJECT_TYPE *POBJECT_TYPE;
typedef struct _ACCESS_STATE *PACCESS_STATE;
typedef ULONG SECURITY_INFORMATION, *PSECURITY_INFORMATION;

typedef struct _OBJECT_HANDLE_INFORMATION
{
    ULONG HandleAttributes;
    ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;
_Static_assert(sizeof(OBJECT_HANDLE_INFORMATION) == 8, "OBJECT_HANDLE_INFORMATION");

#define DELETE                   0x00010000
#define READ_CONTROL             0x00020000
#define WRITE_DAC                0x00040000
#define WRITE_OWNER              0x00080000
#define SYNCHRONIZE              0x00100000
#define STANDARD_RIGHTS_REQUIRED 0x000F0000
#define STANDARD_RIGHTS_READ     READ_CONTROL
#define STANDARD_RIGHTS_WRITE    READ_CONTROL
#define STANDARD_RIGHTS_ALL      0x001F0000
#define GENERIC_READ             0x80000000
#define GENERIC_WRITE            0x40000000
#define GENERIC_EXECUTE          0x20000000
#define GENERIC_ALL              0x10000000
#define FILE_ALL_ACCESS          (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x1FF)

/* Pointers to object types are data exports of ntoskrnl. A host image binds functions only, so a function gives them.
 */
#if NT_HOST
POBJECT_TYPE *NtHostIoFileObjectType(VOID);
POBJECT_TYPE *NtHostPsProcessType(VOID);
#define IoFileObjectType NtHostIoFileObjectType()
#define PsProcessType    NtHostPsProcessType()
#else
extern DECLSPEC_IMPORT POBJECT_TYPE *IoFileObjectType;
extern DECLSPEC_IMPORT POBJECT_TYPE *PsProcessType;
#endif

NTKERNELAPI LONG_PTR FASTCALL ObfReferenceObject(PVOID Object);
NTKERNELAPI LONG_PTR FASTCALL ObfDereferenceObject(PVOID Object);
#define ObReferenceObject(Object)   ObfReferenceObject(Object)
#define ObDereferenceObject(Object) ObfDereferenceObject(Object)
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                     KPROCESSOR_MODE AccessMode, PVOID *Object,
                                                     POBJECT_HANDLE_INFORMATION HandleInformation);
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                      KPROCESSOR_MODE AccessMode);
NTKERNELAPI NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                                 ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                 KPROCESSOR_MODE AccessMode, PHANDLE Handle);
NTKERNELAPI NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode);
NTSYSAPI NTSTATUS NTAPI ZwClose(HANDLE Handle);

#endif
