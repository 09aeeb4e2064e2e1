/* SPDX-License-Identifier: MIT
 *
 * The device file, and how requests on it outlive the adapter or do not.
 *
 * The I/O manager knows nothing of NDIS: requests arrive from the device's registration until long after
 * MiniportHaltEx, for as long as a client keeps its handle. So every request is let in by the rundown in the device
 * object's extension, which outlives the adapter's context, and keeps it until its completion call returned. Halt
 * closes the rundown and waits. None of those inside waits for a client by then, so the wait ends, however stubborn the
 * clients are; and whoever comes later needs nothing of the context.
 */
#include "device.h"
#include "bundle.h"
#include "entry.h"
#include "irp.h"
#include "link.h"
#include "read_queue.h"
#include "receive.h"
#include "send_queue.h"
#include "serve.h"
#include "state.h"

#include <ntstrsafe.h>

#define TUN_DEVICE_NAME   L"\\Device\\WINTUN%u"
#define TUN_SYMBOLIC_NAME L"\\DosDevices\\WINTUN%u"
#define TUN_NAME_LENGTH   (sizeof(TUN_SYMBOLIC_NAME) / sizeof(WCHAR) + 8) /* an index has 24 bits, hence 8 digits */

_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NTSTATUS TunCreate(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (++Adapter->Handles == 1)
        ++Adapter->LinkChanges;
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    TunLinkIndicate(Adapter);
    return TunCompleteIrp(Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

/* With the last handle goes what was meant for it: the next client shall not read what the stack sent to this one. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NTSTATUS TunClose(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp)
{
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (--Adapter->Handles == 0)
    {
        ++Adapter->LinkChanges;
        Chain = TunSendQueueFlush(Adapter, NDIS_STATUS_MEDIA_DISCONNECTED);
    }
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    TunGiveBack(Adapter, Chain, 0);
    TunLinkIndicate(Adapter);
    return TunCompleteIrp(Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NTSTATUS TunCleanup(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp, _In_ const IO_STACK_LOCATION *Stack)
{
    TunReadQueueCleanup(Adapter, Stack->FileObject);
    return TunCompleteIrp(Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NTSTATUS TunRead(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp, _In_ const IO_STACK_LOCATION *Stack)
{
    VOID *Address;
    ULONG Length;
    NTSTATUS Status;

    Status = TunMapClientBuffer(Irp, Stack->Parameters.Read.Length, BUNDLE_MIN_READ_SIZE, &Address, &Length);
    if (!NT_SUCCESS(Status))
        return TunCompleteIrp(Irp, Status, 0, IO_NO_INCREMENT);

    /* The read outlasts this call, so it needs a hold of its own. */
    if (!ExAcquireRundownProtection(&Adapter->Extension->Rundown))
        return TunCompleteIrp(Irp, STATUS_INVALID_HANDLE, 0, IO_NO_INCREMENT);

    Irp->Tail.Overlay.DriverContext[0] = Address;
    Irp->Tail.Overlay.DriverContext[1] = (VOID *)(ULONG_PTR)Length;
    IoMarkIrpPending(Irp);
    TunReadQueueInsert(Adapter, Irp, TunReadQueueTail);
    TunServe(Adapter, 0);
    return STATUS_PENDING;
}

static DRIVER_DISPATCH TunDispatch;
_Use_decl_annotations_
static NTSTATUS TunDispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    TUN_EXTENSION *Extension = (TUN_EXTENSION *)NdisGetDeviceReservedExtension(DeviceObject);
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)ReadPointerAcquire(&Extension->Adapter);
    const IO_STACK_LOCATION *Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status;

    if (Adapter == NULL || !ExAcquireRundownProtection(&Extension->Rundown))
        return TunCompleteIrp(Irp, STATUS_INVALID_HANDLE, 0, IO_NO_INCREMENT);

    switch (Stack->MajorFunction)
    {
    case IRP_MJ_CREATE:
        Status = TunCreate(Adapter, Irp);
        break;
    case IRP_MJ_CLEANUP:
        Status = TunCleanup(Adapter, Irp, Stack);
        break;
    case IRP_MJ_CLOSE:
        Status = TunClose(Adapter, Irp);
        break;
    case IRP_MJ_READ:
        Status = TunRead(Adapter, Irp, Stack);
        break;
    case IRP_MJ_WRITE:
        Status = TunWrite(Adapter, Irp, Stack);
        break;
    default: /* not registered */
        Status = TunCompleteIrp(Irp, STATUS_INVALID_DEVICE_REQUEST, 0, IO_NO_INCREMENT);
        break;
    }

    ExReleaseRundownProtection(&Extension->Rundown);
    return Status;
}

_Use_decl_annotations_
NDIS_STATUS TunDeviceCreate(TUN_ADAPTER *Adapter, ULONG LuidIndex)
{
    static const UNICODE_STRING SystemOnly = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)");
    WCHAR DeviceNameCharacters[TUN_NAME_LENGTH];
    WCHAR SymbolicNameCharacters[TUN_NAME_LENGTH];
    UNICODE_STRING DeviceName;
    UNICODE_STRING SymbolicName;
    PDRIVER_DISPATCH Dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1] = {NULL};
    NDIS_DEVICE_OBJECT_ATTRIBUTES Attributes;
    DEVICE_OBJECT *DeviceObject;
    NDIS_STATUS Status;

    RtlInitEmptyUnicodeString(&DeviceName, DeviceNameCharacters, sizeof(DeviceNameCharacters));
    RtlInitEmptyUnicodeString(&SymbolicName, SymbolicNameCharacters, sizeof(SymbolicNameCharacters));
    if (!NT_SUCCESS(RtlUnicodeStringPrintf(&DeviceName, TUN_DEVICE_NAME, LuidIndex)) ||
        !NT_SUCCESS(RtlUnicodeStringPrintf(&SymbolicName, TUN_SYMBOLIC_NAME, LuidIndex)))
        return NDIS_STATUS_FAILURE;

    /* What is not here NDIS answers itself. */
    Dispatch[IRP_MJ_CREATE] = TunDispatch;
    Dispatch[IRP_MJ_CLEANUP] = TunDispatch;
    Dispatch[IRP_MJ_CLOSE] = TunDispatch;
    Dispatch[IRP_MJ_READ] = TunDispatch;
    Dispatch[IRP_MJ_WRITE] = TunDispatch;

    RtlZeroMemory(&Attributes, sizeof(Attributes));
    Attributes.Header.Type = NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES;
    Attributes.Header.Revision = NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    Attributes.Header.Size = NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    Attributes.DeviceName = &DeviceName;
    Attributes.SymbolicName = &SymbolicName;
    Attributes.MajorFunctions = Dispatch;
    Attributes.ExtensionSize = sizeof(TUN_EXTENSION);
    Attributes.DefaultSDDLString = &SystemOnly;
    Status = NdisRegisterDeviceEx(TunDriverHandle, &Attributes, &DeviceObject, &Adapter->DeviceHandle);
    if (Status != NDIS_STATUS_SUCCESS)
        return Status;

    /* Before the first read or write, for that takes a handle, and none is given before the extension names the
     * adapter. */
    DeviceObject->Flags &= ~(ULONG)DO_BUFFERED_IO;
    DeviceObject->Flags |= DO_DIRECT_IO;

    Adapter->Extension = (TUN_EXTENSION *)NdisGetDeviceReservedExtension(DeviceObject);
    if (Adapter->Extension == NULL)
    {
        NdisDeregisterDeviceEx(Adapter->DeviceHandle);
        return NDIS_STATUS_FAILURE;
    }
    ExInitializeRundownProtection(&Adapter->Extension->Rundown);
    WritePointerRelease(&Adapter->Extension->Adapter, Adapter);
    return NDIS_STATUS_SUCCESS;
}

_Use_decl_annotations_
VOID TunDeviceDestroy(TUN_ADAPTER *Adapter)
{
    ExWaitForRundownProtectionRelease(&Adapter->Extension->Rundown);
    WritePointerRelease(&Adapter->Extension->Adapter, NULL);
    NdisDeregisterDeviceEx(Adapter->DeviceHandle);
}
