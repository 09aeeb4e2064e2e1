/* SPDX-License-Identifier: MIT
 *
 * What reads and writes have in common: the client's buffer, and the end.
 */
#include "irp.h"
#include "bundle.h"

_Use_decl_annotations_
NTSTATUS TunCompleteIrp(IRP *Irp, NTSTATUS Status, ULONG_PTR Information, CCHAR PriorityBoost)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, PriorityBoost);
    return Status;
}

_Use_decl_annotations_
NTSTATUS TunMapClientBuffer(const IRP *Irp, ULONG Requested, ULONG Smallest, VOID **Address, ULONG *Length)
{
    ULONG Usable;
    VOID *Mapped;

    if (Requested == 0 || Irp->MdlAddress == NULL)
        return STATUS_INVALID_PARAMETER;
    Usable = MmGetMdlByteCount(Irp->MdlAddress);
    if (Usable > Requested)
        Usable = Requested;
    if (Usable > BUNDLE_MAX_BUFFER_SIZE || Usable < Smallest)
        return STATUS_INVALID_USER_BUFFER;
    Mapped = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute);
    if (Mapped == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Address = Mapped;
    *Length = Usable;
    return STATUS_SUCCESS;
}
