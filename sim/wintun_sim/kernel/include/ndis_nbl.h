/* SPDX-License-Identifier: MIT
 *
 * NET_BUFFER and NET_BUFFER_LIST: packets as NDIS 6 passes them, their accessors, pools, and MDLs over packet data.
 *
 * learn.microsoft.com/windows-hardware/drivers/network/net-buffer-architecture; layouts of x64 Windows. How long
 * NetBufferListInfo is depends on the NDIS version a driver is built for; it is the last field, so NDIS allocates for
 * the newest and every driver finds what it knows.
 */
#ifndef NT_NDIS_NBL_H
#define NT_NDIS_NBL_H

#include "ndis_types.h"
#include "nt_mdl.h"

typedef struct _NET_BUFFER NET_BUFFER, *PNET_BUFFER;
typedef struct _NET_BUFFER_LIST NET_BUFFER_LIST, *PNET_BUFFER_LIST;
typedef struct _NET_BUFFER_SHARED_MEMORY *PNET_BUFFER_SHARED_MEMORY;
typedef struct _SCATTER_GATHER_LIST *PSCATTER_GATHER_LIST;
typedef PHYSICAL_ADDRESS NDIS_PHYSICAL_ADDRESS, *PNDIS_PHYSICAL_ADDRESS;

typedef union _NET_BUFFER_DATA_LENGTH
{
    ULONG DataLength;
    SIZE_T stDataLength;
} NET_BUFFER_DATA_LENGTH, *PNET_BUFFER_DATA_LENGTH;

typedef struct _NET_BUFFER_DATA
{
    PNET_BUFFER Next;
    PMDL CurrentMdl;
    ULONG CurrentMdlOffset;
    NET_BUFFER_DATA_LENGTH NbDataLength;
    PMDL MdlChain;
    ULONG DataOffset;
} NET_BUFFER_DATA, *PNET_BUFFER_DATA;

typedef union _NET_BUFFER_HEADER
{
    NET_BUFFER_DATA NetBufferData;
    SLIST_HEADER Link;
} NET_BUFFER_HEADER, *PNET_BUFFER_HEADER;

struct _NET_BUFFER
{
    union
    {
        struct
        {
            PNET_BUFFER Next;
            PMDL CurrentMdl;
            ULONG CurrentMdlOffset;
            union
            {
                ULONG DataLength;
                SIZE_T stDataLength;
            };
            PMDL MdlChain;
            ULONG DataOffset;
        };
        SLIST_HEADER Link;
        NET_BUFFER_HEADER NetBufferHeader;
    };
    USHORT ChecksumBias;
    USHORT Reserved;
    NDIS_HANDLE NdisPoolHandle;
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID NdisReserved[2];
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID ProtocolReserved[6];
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID MiniportReserved[4];
    NDIS_PHYSICAL_ADDRESS DataPhysicalAddress;
    union
    {
        PNET_BUFFER_SHARED_MEMORY SharedMemoryInfo;
        PSCATTER_GATHER_LIST ScatterGatherList;
    };
};

typedef struct _NET_BUFFER_LIST_CONTEXT
{
    struct _NET_BUFFER_LIST_CONTEXT *Next;
    USHORT Size;
    USHORT Offset;
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) UCHAR ContextData[];
} NET_BUFFER_LIST_CONTEXT, *PNET_BUFFER_LIST_CONTEXT;

typedef struct _NET_BUFFER_LIST_DATA
{
    PNET_BUFFER_LIST Next;
    PNET_BUFFER FirstNetBuffer;
} NET_BUFFER_LIST_DATA, *PNET_BUFFER_LIST_DATA;

typedef union _NET_BUFFER_LIST_HEADER
{
    NET_BUFFER_LIST_DATA NetBufferListData;
    SLIST_HEADER Link;
} NET_BUFFER_LIST_HEADER, *PNET_BUFFER_LIST_HEADER;

/* learn.microsoft.com/windows-hardware/drivers/ddi/nblinfo/ne-nblinfo-ndis_net_buffer_list_info */
typedef enum _NDIS_NET_BUFFER_LIST_INFO
{
    TcpIpChecksumNetBufferListInfo,
    TcpOffloadBytesTransferred = TcpIpChecksumNetBufferListInfo,
    IPsecOffloadV1NetBufferListInfo,
    IPsecOffloadV2NetBufferListInfo = IPsecOffloadV1NetBufferListInfo,
    TcpLargeSendNetBufferListInfo,
    TcpReceiveNoPush = TcpLargeSendNetBufferListInfo,
    ClassificationHandleNetBufferListInfo,
    Ieee8021QNetBufferListInfo,
    NetBufferListCancelId,
    MediaSpecificInformation,
    NetBufferListFrameType,
    NetBufferListProtocolId = NetBufferListFrameType,
    NetBufferListHashValue,
    NetBufferListHashInfo,
    WfpNetBufferListInfo,
#if NDIS_SUPPORT_NDIS61
    IPsecOffloadV2TunnelNetBufferListInfo,
    IPsecOffloadV2HeaderNetBufferListInfo,
#endif
#if NDIS_SUPPORT_NDIS620
    NetBufferListCorrelationId,
    NetBufferListFilteringInfo,
    MediaSpecificInformationEx,
    NblOriginalInterfaceIfIndex,
    NblReAuthWfpFlowContext = NblOriginalInterfaceIfIndex,
    TcpReceiveBytesTransferred,
#endif
#if NDIS_SUPPORT_NDIS630
    SwitchForwardingReserved,
    SwitchForwardingDetail,
    VirtualSubnetInfo,
    IMReserved,
    TcpRecvSegCoalesceInfo,
    RscTcpTimestampDelta,
#endif
#if NDIS_SUPPORT_NDIS650
    GftOffloadInformation,
    GftFlowEntryId,
#endif
#if NDIS_SUPPORT_NDIS680
    NetBufferListInfoReserved3,
#endif
    MaxNetBufferListInfo
} NDIS_NET_BUFFER_LIST_INFO, *PNDIS_NET_BUFFER_LIST_INFO;

struct _NET_BUFFER_LIST
{
    union
    {
        struct
        {
            PNET_BUFFER_LIST Next;
            PNET_BUFFER FirstNetBuffer;
        };
        SLIST_HEADER Link;
        NET_BUFFER_LIST_HEADER NetBufferListHeader;
    };
    PNET_BUFFER_LIST_CONTEXT Context;
    PNET_BUFFER_LIST ParentNetBufferList;
    NDIS_HANDLE NdisPoolHandle;
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID NdisReserved[2];
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID ProtocolReserved[4];
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) PVOID MiniportReserved[2];
    PVOID Scratch;
    NDIS_HANDLE SourceHandle;
    ULONG NblFlags;
    LONG ChildRefCount;
    ULONG Flags;
    union
    {
        NDIS_STATUS Status;
        ULONG NdisReserved2;
    };
    PVOID NetBufferListInfo[MaxNetBufferListInfo];
};

_Static_assert(sizeof(NET_BUFFER) == 176 && _Alignof(NET_BUFFER) == 16, "NET_BUFFER");
_Static_assert(offsetof(NET_BUFFER, DataLength) == 24 && offsetof(NET_BUFFER, MdlChain) == 32, "NET_BUFFER");
_Static_assert(offsetof(NET_BUFFER, DataOffset) == 40 && offsetof(NET_BUFFER, ChecksumBias) == 48, "NET_BUFFER");
_Static_assert(offsetof(NET_BUFFER, ProtocolReserved) == 80 && offsetof(NET_BUFFER, MiniportReserved) == 128,
               "NET_BUFFER");
_Static_assert(offsetof(NET_BUFFER, SharedMemoryInfo) == 168, "NET_BUFFER");
_Static_assert(offsetof(NET_BUFFER_LIST, NdisPoolHandle) == 32 && offsetof(NET_BUFFER_LIST, NdisReserved) == 48,
               "NET_BUFFER_LIST");
_Static_assert(offsetof(NET_BUFFER_LIST, ProtocolReserved) == 64 && offsetof(NET_BUFFER_LIST, MiniportReserved) == 96,
               "NET_BUFFER_LIST");
_Static_assert(offsetof(NET_BUFFER_LIST, SourceHandle) == 120 && offsetof(NET_BUFFER_LIST, NblFlags) == 128,
               "NET_BUFFER_LIST");
_Static_assert(offsetof(NET_BUFFER_LIST, Status) == 140 && offsetof(NET_BUFFER_LIST, NetBufferListInfo) == 144,
               "NET_BUFFER_LIST");
_Static_assert(offsetof(NET_BUFFER_LIST_CONTEXT, ContextData) == 16, "NET_BUFFER_LIST_CONTEXT");
#if NDIS_SUPPORT_NDIS680
_Static_assert(MaxNetBufferListInfo == 27 && sizeof(NET_BUFFER_LIST) == 368, "NET_BUFFER_LIST of NDIS 6.80");
#elif NDIS_MINIPORT_MINOR_VERSION == 30
_Static_assert(MaxNetBufferListInfo == 24 && sizeof(NET_BUFFER_LIST) == 336, "NET_BUFFER_LIST of NDIS 6.30");
#elif NDIS_MINIPORT_MINOR_VERSION == 20
_Static_assert(MaxNetBufferListInfo == 18 && sizeof(NET_BUFFER_LIST) == 288, "NET_BUFFER_LIST of NDIS 6.20");
#endif

#define NET_BUFFER_NEXT_NB(nb)               ((nb)->Next)
#define NET_BUFFER_FIRST_MDL(nb)             ((nb)->MdlChain)
#define NET_BUFFER_CURRENT_MDL(nb)           ((nb)->CurrentMdl)
#define NET_BUFFER_CURRENT_MDL_OFFSET(nb)    ((nb)->CurrentMdlOffset)
#define NET_BUFFER_DATA_LENGTH(nb)           ((nb)->DataLength)
#define NET_BUFFER_DATA_OFFSET(nb)           ((nb)->DataOffset)
#define NET_BUFFER_CHECKSUM_BIAS(nb)         ((nb)->ChecksumBias)
#define NET_BUFFER_PROTOCOL_RESERVED(nb)     ((nb)->ProtocolReserved)
#define NET_BUFFER_MINIPORT_RESERVED(nb)     ((nb)->MiniportReserved)
#define NET_BUFFER_DATA_PHYSICAL_ADDRESS(nb) ((nb)->DataPhysicalAddress)
#define NET_BUFFER_SCATTER_GATHER_LIST(nb)   ((nb)->ScatterGatherList)

#define NET_BUFFER_LIST_NEXT_NBL(nbl)               ((nbl)->Next)
#define NET_BUFFER_LIST_FIRST_NB(nbl)               ((nbl)->FirstNetBuffer)
#define NET_BUFFER_LIST_FLAGS(nbl)                  ((nbl)->Flags)
#define NET_BUFFER_LIST_NBL_FLAGS(nbl)              ((nbl)->NblFlags)
#define NET_BUFFER_LIST_PROTOCOL_RESERVED(nbl)      ((nbl)->ProtocolReserved)
#define NET_BUFFER_LIST_MINIPORT_RESERVED(nbl)      ((nbl)->MiniportReserved)
#define NET_BUFFER_LIST_STATUS(nbl)                 ((nbl)->Status)
#define NDIS_NBL_TO_STATUS(nbl)                     NET_BUFFER_LIST_STATUS(nbl)
#define NET_BUFFER_LIST_INFO(nbl, id)               ((nbl)->NetBufferListInfo[(id)])
#define NET_BUFFER_LIST_CONTEXT_DATA_START(nbl)     ((PUCHAR)(((nbl)->Context) + 1) + (nbl)->Context->Offset)
#define NET_BUFFER_LIST_CONTEXT_DATA_SIZE(nbl)      (((nbl)->Context)->Size)
#define NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(nbl)     ((nbl)->NetBufferListInfo[NetBufferListCancelId])
#define NDIS_SET_NET_BUFFER_LIST_CANCEL_ID(nbl, id) ((nbl)->NetBufferListInfo[NetBufferListCancelId] = (id))

#define NdisSetNblFlag(nbl, flag)    ((nbl)->NblFlags |= (flag))
#define NdisClearNblFlag(nbl, flag)  ((nbl)->NblFlags &= ~(flag))
#define NdisTestNblFlag(nbl, flag)   (((nbl)->NblFlags & (flag)) != 0)
#define NdisTestNblFlags(nbl, flags) (((nbl)->NblFlags & (flags)) == (flags))

#if NDIS_SUPPORT_NDIS630
#define NBL_FLAGS_PROTOCOL_RESERVED 0xFFF00003
#define NBL_FLAGS_NDIS_RESERVED     0x00000FFC
#else
#define NBL_FLAGS_PROTOCOL_RESERVED 0xFFF00000
#define NBL_FLAGS_NDIS_RESERVED     0x00000FFF
#endif
#define NBL_FLAGS_MINIPORT_RESERVED                          0x0000F000
#define NBL_FLAGS_SCRATCH                                    0x000F0000
#define NDIS_NBL_FLAGS_SEND_READ_ONLY                        0x00000001
#define NDIS_NBL_FLAGS_RECV_READ_ONLY                        0x00000002
#define NDIS_NBL_FLAGS_HD_SPLIT                              0x00000100
#define NDIS_NBL_FLAGS_IS_IPV4                               0x00000200
#define NDIS_NBL_FLAGS_IS_IPV6                               0x00000400
#define NDIS_NBL_FLAGS_IS_TCP                                0x00000800
#define NDIS_NBL_FLAGS_IS_UDP                                0x00001000
#define NDIS_NBL_FLAGS_SPLIT_AT_UPPER_LAYER_PROTOCOL_HEADER  0x00002000
#define NDIS_NBL_FLAGS_SPLIT_AT_UPPER_LAYER_PROTOCOL_PAYLOAD 0x00004000
#define NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET                    0x00008000

typedef struct _NET_BUFFER_LIST_POOL_PARAMETERS
{
    NDIS_OBJECT_HEADER Header;
    UCHAR ProtocolId;
    BOOLEAN fAllocateNetBuffer;
    USHORT ContextSize; /* bytes, a multiple of MEMORY_ALLOCATION_ALIGNMENT */
    ULONG PoolTag;
    ULONG DataSize; /* bytes */
} NET_BUFFER_LIST_POOL_PARAMETERS, *PNET_BUFFER_LIST_POOL_PARAMETERS;
#define NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 1
#define NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 \
    RTL_SIZEOF_THROUGH_FIELD(NET_BUFFER_LIST_POOL_PARAMETERS, DataSize)
_Static_assert(sizeof(NET_BUFFER_LIST_POOL_PARAMETERS) == 16, "NET_BUFFER_LIST_POOL_PARAMETERS");

typedef struct _NET_BUFFER_POOL_PARAMETERS
{
    NDIS_OBJECT_HEADER Header;
    ULONG PoolTag;
    ULONG DataSize;
} NET_BUFFER_POOL_PARAMETERS, *PNET_BUFFER_POOL_PARAMETERS;
#define NET_BUFFER_POOL_PARAMETERS_REVISION_1             1
#define NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1 RTL_SIZEOF_THROUGH_FIELD(NET_BUFFER_POOL_PARAMETERS, DataSize)
_Static_assert(sizeof(NET_BUFFER_POOL_PARAMETERS) == 12, "NET_BUFFER_POOL_PARAMETERS");

typedef PMDL NET_BUFFER_ALLOCATE_MDL_HANDLER(PULONG BufferSize);
typedef NET_BUFFER_ALLOCATE_MDL_HANDLER *NET_BUFFER_ALLOCATE_MDL_HANDLER_PTR;
typedef VOID NET_BUFFER_FREE_MDL_HANDLER(PMDL Mdl);
typedef NET_BUFFER_FREE_MDL_HANDLER *NET_BUFFER_FREE_MDL_HANDLER_PTR;

NDIS_HANDLE NTAPI NdisAllocateNetBufferListPool(NDIS_HANDLE NdisHandle, PNET_BUFFER_LIST_POOL_PARAMETERS Parameters);
VOID NTAPI NdisFreeNetBufferListPool(NDIS_HANDLE PoolHandle);
NDIS_HANDLE NTAPI NdisAllocateNetBufferPool(NDIS_HANDLE NdisHandle, PNET_BUFFER_POOL_PARAMETERS Parameters);
VOID NTAPI NdisFreeNetBufferPool(NDIS_HANDLE PoolHandle);
PNET_BUFFER_LIST NTAPI NdisAllocateNetBufferList(NDIS_HANDLE PoolHandle, USHORT ContextSize, USHORT ContextBackFill);
PNET_BUFFER_LIST NTAPI NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE PoolHandle, USHORT ContextSize,
                                                             USHORT ContextBackFill, PMDL MdlChain, ULONG DataOffset,
                                                             SIZE_T DataLength);
VOID NTAPI NdisFreeNetBufferList(PNET_BUFFER_LIST NetBufferList);
PNET_BUFFER NTAPI NdisAllocateNetBuffer(NDIS_HANDLE PoolHandle, PMDL MdlChain, ULONG DataOffset, SIZE_T DataLength);
PNET_BUFFER NTAPI NdisAllocateNetBufferMdlAndData(NDIS_HANDLE PoolHandle);
VOID NTAPI NdisFreeNetBuffer(PNET_BUFFER NetBuffer);
PVOID NTAPI NdisGetDataBuffer(PNET_BUFFER NetBuffer, ULONG BytesNeeded, PVOID Storage, ULONG AlignMultiple,
                              ULONG AlignOffset);
NDIS_STATUS NTAPI NdisRetreatNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG DataOffsetDelta, ULONG DataBackFill,
                                                NET_BUFFER_ALLOCATE_MDL_HANDLER_PTR AllocateMdlHandler);
VOID NTAPI NdisAdvanceNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG DataOffsetDelta, BOOLEAN FreeMdl,
                                         NET_BUFFER_FREE_MDL_HANDLER_PTR FreeMdlHandler);
NDIS_STATUS NTAPI NdisCopyFromNetBufferToNetBuffer(PNET_BUFFER Destination, ULONG DestinationOffset, ULONG BytesToCopy,
                                                   PNET_BUFFER Source, ULONG SourceOffset, PULONG BytesCopied);

PMDL NTAPI NdisAllocateMdl(NDIS_HANDLE NdisHandle, PVOID VirtualAddress, UINT Length);
VOID NTAPI NdisFreeMdl(PMDL Mdl);

/* A NULL address is what a failed mapping gives: the caller must check. */
FORCEINLINE VOID NdisQueryMdlAddress(PMDL Mdl, PVOID *VirtualAddress, PUINT Length, ULONG Priority)
{
    if (VirtualAddress != NULL)
        *VirtualAddress = MmGetSystemAddressForMdlSafe(Mdl, Priority);
    *Length = MmGetMdlByteCount(Mdl);
}
#define NdisQueryMdl(Mdl, VirtualAddress, Length, Priority) \
    NdisQueryMdlAddress((Mdl), (PVOID *)(VirtualAddress), (PUINT)(Length), (ULONG)(Priority))
#define NdisQueryMdlOffset(Mdl, Offset, Length) \
    ((void)(*(Offset) = MmGetMdlByteOffset(Mdl), *(Length) = MmGetMdlByteCount(Mdl)))
#define NdisGetNextMdl(CurrentMdl, NextMdl) ((void)(*(NextMdl) = (CurrentMdl)->Next))
#define NdisGetMdlPhysicalArraySize(Mdl, ArraySize) \
    ((void)(*(ArraySize) = ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(Mdl), MmGetMdlByteCount(Mdl))))

#endif
