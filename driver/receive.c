/* SPDX-License-Identifier: MIT
 *
 * The client's side of the receive path: what it writes is indicated to the stack.
 *
 * Nothing is copied. Each NBL describes the client's memory, and is indicated as one that the stack has to copy if it
 * wants to keep it (NDIS_RECEIVE_FLAGS_RESOURCES), so all is over when the indication returns. The client can change
 * that memory meanwhile; what the driver decides by, a record's size and a packet's first byte, it loads once.
 */
#include "receive.h"
#include "bundle.h"
#include "irp.h"
#include "nbl_chain.h"
#include "state.h"

#define TUN_ETHERTYPE_IPV4   0x0800
#define TUN_ETHERTYPE_IPV6   0x86DD
#define TUN_IPV4_HEADER_SIZE 20 /* the least, in bytes */
#define TUN_IPV6_HEADER_SIZE 40

/* What came of a write. */
typedef struct _TUN_RECEIVED
{
    ULONG64 Octets;  /* of the packets that the stack took */
    ULONG64 Packets; /* that the stack took */
    ULONG64 Errors;  /* packets that were not IP, could not be described, or were refused by the stack */
} TUN_RECEIVED;

/* The packet's EtherType, or 0 if it is not an IP packet. */
_IRQL_requires_max_(DISPATCH_LEVEL)
static USHORT TunEtherType(_In_ const struct bundle_record *Record)
{
    UCHAR Version;

    if (Record->size < TUN_IPV4_HEADER_SIZE)
        return 0;
    Version = *(const volatile UCHAR *)Record->packet >> 4;
    if (Version == 4)
        return TUN_ETHERTYPE_IPV4;
    if (Version == 6 && Record->size >= TUN_IPV6_HEADER_SIZE)
        return TUN_ETHERTYPE_IPV6;
    return 0;
}

/* Describes a packet to the stack. NULL: it is none that the stack could take, or memory is short. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
static NET_BUFFER_LIST *TunDescribe(_In_ const TUN_ADAPTER *Adapter, _In_ const struct bundle_record *Record)
{
    const USHORT EtherType = TunEtherType(Record);
    NET_BUFFER_LIST *Nbl;
    MDL *Mdl;

    if (EtherType == 0)
        return NULL;
    Mdl = NdisAllocateMdl(Adapter->Handle, (VOID *)Record->packet, Record->size);
    if (Mdl == NULL)
        return NULL;
    Nbl = NdisAllocateNetBufferAndNetBufferList(Adapter->NblPool, 0, 0, Mdl, 0, Record->size);
    if (Nbl == NULL)
    {
        NdisFreeMdl(Mdl);
        return NULL;
    }

    Nbl->SourceHandle = Adapter->Handle;
    NdisSetNblFlag(Nbl, EtherType == TUN_ETHERTYPE_IPV4 ? NDIS_NBL_FLAGS_IS_IPV4 : NDIS_NBL_FLAGS_IS_IPV6);
    NET_BUFFER_LIST_INFO(Nbl, NetBufferListFrameType) = (VOID *)(ULONG_PTR)RtlUshortByteSwap(EtherType);
    NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
    return Nbl;
}

/* Indicates NBLs, if there are any, in one call, and takes them apart. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static VOID TunIndicate(_In_ const TUN_ADAPTER *Adapter, _In_ const TUN_NBL_CHAIN *Batch,
                        _Inout_ TUN_RECEIVED *Received)
{
    NET_BUFFER_LIST *Next;

    if (Batch->First == NULL)
        return;
    NdisMIndicateReceiveNetBufferLists(Adapter->Handle, Batch->First, NDIS_DEFAULT_PORT_NUMBER, Batch->Count,
                                       NDIS_RECEIVE_FLAGS_RESOURCES);

    for (NET_BUFFER_LIST *Nbl = Batch->First; Nbl != NULL; Nbl = Next)
    {
        MDL *Mdl = NET_BUFFER_FIRST_MDL(NET_BUFFER_LIST_FIRST_NB(Nbl));

        Next = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        if (NT_SUCCESS(NET_BUFFER_LIST_STATUS(Nbl)))
        {
            Received->Octets += MmGetMdlByteCount(Mdl);
            ++Received->Packets;
        }
        else
            ++Received->Errors;
        NdisFreeMdl(Mdl);
        NdisFreeNetBufferList(Nbl);
    }
}

/* Goes through a bundle, up to the first record that is over-long or cut short. Returns the bytes consumed. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static SIZE_T TunReceiveBundle(_In_ const TUN_ADAPTER *Adapter, _In_ const VOID *Address, _In_ ULONG Length,
                               _Inout_ TUN_RECEIVED *Received)
{
    enum bundle_reason Reason = BUNDLE_OK;
    struct bundle_walker Walker;
    struct bundle_record Record;

    bundle_walker_init(&Walker, Address, Length, BUNDLE_NO_LIMIT);
    do
    {
        TUN_NBL_CHAIN Batch = TUN_NO_NBLS;

        /* Once it has stopped it is not asked again: the client may have changed the size that stopped it. */
        while (Batch.Count < BUNDLE_MAX_PACKETS && (Reason = bundle_next(&Walker, &Record)) == BUNDLE_OK)
        {
            NET_BUFFER_LIST *Nbl = TunDescribe(Adapter, &Record);

            if (Nbl == NULL)
                ++Received->Errors;
            else
                TunNblChainAppend(&Batch, Nbl);
        }
        TunIndicate(Adapter, &Batch, Received);
    } while (Reason == BUNDLE_OK);
    return Walker.offset;
}

/* Counts what came of an admitted write, and ends it. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static VOID TunWriteEnds(_Inout_ TUN_ADAPTER *Adapter, _In_ const TUN_RECEIVED *Received)
{
    BOOLEAN PauseEnds;
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Adapter->Statistics.ifHCInOctets += Received->Octets;
    Adapter->Statistics.ifHCInUcastOctets += Received->Octets;
    Adapter->Statistics.ifHCInUcastPkts += Received->Packets;
    Adapter->Statistics.ifInErrors += Received->Errors;
    PauseEnds = TunLeaveLocked(Adapter, 1);
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    if (PauseEnds)
        NdisMPauseComplete(Adapter->Handle);
}

_Use_decl_annotations_
NTSTATUS TunWrite(TUN_ADAPTER *Adapter, IRP *Irp, const IO_STACK_LOCATION *Stack)
{
    TUN_RECEIVED Received = {0, 0, 0};
    SIZE_T Consumed = 0;
    VOID *Address;
    ULONG Length;
    NTSTATUS Status;
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Status = TunAdmit(Adapter);
    if (NT_SUCCESS(Status))
        ++Adapter->Active;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    if (!NT_SUCCESS(Status))
        return TunCompleteIrp(Irp, Status, 0, IO_NO_INCREMENT);

    Status = TunMapClientBuffer(Irp, Stack->Parameters.Write.Length, BUNDLE_MIN_WRITE_SIZE, &Address, &Length);
    if (NT_SUCCESS(Status))
        Consumed = TunReceiveBundle(Adapter, Address, Length, &Received);
    TunWriteEnds(Adapter, &Received);
    return TunCompleteIrp(Irp, Status, Consumed, IO_NO_INCREMENT);
}
