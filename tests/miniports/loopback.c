/* A loopback adapter, as another author might have written it: what the stack sends comes back to it as received.
 *
 * Nothing is done in the handlers themselves but taking note: one work item carries packets round, answers OID requests
 * and ends pauses and restarts, all asynchronously. Received NET_BUFFER_LISTs are the stack's until it returns them.
 * One NDIS spin lock guards an adapter; there is no device.
 *
 * Each BUG_… macro takes one thing out that the driver cannot do without.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ndis.h>

#define LB_TAG             'bkpL'
#define LB_MTU             9000
#define LB_HEADER          14
#define LB_FRAME           (LB_MTU + LB_HEADER)
#define LB_QUEUE_LIMIT     512
#define LB_SPEED           10000000000ULL
#define LB_MULTICAST_LIMIT 32

typedef enum _LB_STATE
{
    LbPaused,
    LbRestarting,
    LbRunning,
    LbPausing
} LB_STATE;

typedef struct _LB_QUEUE
{
    PNET_BUFFER_LIST pHead;
    PNET_BUFFER_LIST pTail;
    ULONG ulCount;
} LB_QUEUE, *PLB_QUEUE;

typedef struct _LB_ADAPTER
{
    NDIS_HANDLE hAdapter;
    NDIS_HANDLE hNblPool;
    NDIS_HANDLE hWorkItem;
    NDIS_SPIN_LOCK Lock;
    NDIS_EVENT Idle; /* set while no work is queued or under way and the stack has nothing of ours; see LbHalt */

    /* Guarded by Lock: */
    LB_STATE eState;
    BOOLEAN fWorkQueued;
    BOOLEAN fRemoved;
    BOOLEAN fAsleep;
    LB_QUEUE Sends;
    ULONG ulIndicated; /* received lists that the stack has */
    PNDIS_OID_REQUEST pOid;
    ULONG ulPacketFilter;
    ULONG ulLookahead;
    ULONG64 ullFrames;
    ULONG64 ullBytes;
    ULONG64 ullDropped;
} LB_ADAPTER, *PLB_ADAPTER;

/* What lies behind each received frame's data. */
typedef struct _LB_FRAME_BUFFER
{
    PMDL pMdl;
    ULONG cbFrame;
    UCHAR abFrame[1];
} LB_FRAME_BUFFER, *PLB_FRAME_BUFFER;

static NDIS_HANDLE g_hDriver;
static const UCHAR g_abAddress[6] = {0x02, 0x4C, 0x6F, 0x6F, 0x70, 0x01};

static NDIS_OID g_aulOids[] = {
    OID_GEN_SUPPORTED_LIST,
    OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_XMIT_OK,
    OID_GEN_RCV_OK,
    OID_GEN_STATISTICS,
    OID_GEN_VENDOR_ID,
    OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_INTERRUPT_MODERATION,
    OID_802_3_MULTICAST_LIST,
    OID_PNP_QUERY_POWER,
    OID_PNP_SET_POWER,
};

DRIVER_INITIALIZE DriverEntry;
static NDIS_IO_WORKITEM LbWork;

/* Queues of NET_BUFFER_LISTs */

static VOID LbPush(PLB_QUEUE pQueue, PNET_BUFFER_LIST pNbl)
{
    NET_BUFFER_LIST_NEXT_NBL(pNbl) = NULL;
    if (pQueue->pHead == NULL)
        pQueue->pHead = pNbl;
    else
        NET_BUFFER_LIST_NEXT_NBL(pQueue->pTail) = pNbl;
    pQueue->pTail = pNbl;
    pQueue->ulCount++;
}

static PNET_BUFFER_LIST LbPop(PLB_QUEUE pQueue)
{
    PNET_BUFFER_LIST pNbl = pQueue->pHead;

    if (pNbl != NULL)
    {
        pQueue->pHead = NET_BUFFER_LIST_NEXT_NBL(pNbl);
        NET_BUFFER_LIST_NEXT_NBL(pNbl) = NULL;
        pQueue->ulCount--;
    }
    return pNbl;
}

static VOID LbCompleteChain(PLB_ADAPTER pAdapter, PNET_BUFFER_LIST pChain, NDIS_STATUS ndisStatus, BOOLEAN fDispatch)
{
    PNET_BUFFER_LIST pNbl;

    for (pNbl = pChain; pNbl != NULL; pNbl = NET_BUFFER_LIST_NEXT_NBL(pNbl))
        NET_BUFFER_LIST_STATUS(pNbl) = ndisStatus;
    if (pChain != NULL)
        NdisMSendNetBufferListsComplete(pAdapter->hAdapter, pChain,
                                        fDispatch ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
}

/* The work item */

/* Lock is held. */
static VOID LbKick(PLB_ADAPTER pAdapter)
{
    if (pAdapter->fWorkQueued)
        return;
    pAdapter->fWorkQueued = TRUE;
    NdisResetEvent(&pAdapter->Idle);
    NdisQueueIoWorkItem(pAdapter->hWorkItem, LbWork, pAdapter);
}

/* Lock is held. */
static VOID LbSayIdle(PLB_ADAPTER pAdapter)
{
    if (!pAdapter->fWorkQueued && pAdapter->ulIndicated == 0)
        NdisSetEvent(&pAdapter->Idle);
}

/* Copies a sent NET_BUFFER into memory of our own. NULL when there is none, or the data cannot be mapped. */
static PLB_FRAME_BUFFER LbCopyFrame(PLB_ADAPTER pAdapter, PNET_BUFFER pNb)
{
    const ULONG cbFrame = NET_BUFFER_DATA_LENGTH(pNb);
    PLB_FRAME_BUFFER pBuffer;
    PVOID pvData;

    if (cbFrame == 0 || cbFrame > LB_FRAME)
        return NULL;
#ifdef BUG_SHORT_BUFFER
    pBuffer = NdisAllocateMemoryWithTagPriority(
        pAdapter->hAdapter, FIELD_OFFSET(LB_FRAME_BUFFER, abFrame) + cbFrame - 1, LB_TAG, NormalPoolPriority);
#else
    pBuffer = NdisAllocateMemoryWithTagPriority(pAdapter->hAdapter, FIELD_OFFSET(LB_FRAME_BUFFER, abFrame) + cbFrame,
                                                LB_TAG, NormalPoolPriority);
#endif
    if (pBuffer == NULL)
        return NULL;
    pBuffer->cbFrame = cbFrame;
    pvData = NdisGetDataBuffer(pNb, cbFrame, pBuffer->abFrame, 1, 0);
    if (pvData != NULL)
    {
        if (pvData != pBuffer->abFrame)
            NdisMoveMemory(pBuffer->abFrame, pvData, cbFrame);
        pBuffer->pMdl = NdisAllocateMdl(pAdapter->hAdapter, pBuffer->abFrame, cbFrame);
        if (pBuffer->pMdl != NULL)
            return pBuffer;
    }
    NdisFreeMemory(pBuffer, 0, 0);
    return NULL;
}

static VOID LbFreeFrame(PLB_FRAME_BUFFER pBuffer)
{
    NdisFreeMdl(pBuffer->pMdl);
    NdisFreeMemory(pBuffer, 0, 0);
}

/* One received list for a sent buffer; NULL when there is no memory. */
static PNET_BUFFER_LIST LbReceive(PLB_ADAPTER pAdapter, PNET_BUFFER pSent)
{
    PLB_FRAME_BUFFER pBuffer = LbCopyFrame(pAdapter, pSent);
    PNET_BUFFER_LIST pNbl;

    if (pBuffer == NULL)
        return NULL;
    pNbl = NdisAllocateNetBufferAndNetBufferList(pAdapter->hNblPool, 0, 0, pBuffer->pMdl, 0, pBuffer->cbFrame);
    if (pNbl == NULL)
    {
        LbFreeFrame(pBuffer);
        return NULL;
    }
    pNbl->SourceHandle = pAdapter->hAdapter;
    NET_BUFFER_LIST_MINIPORT_RESERVED(pNbl)[0] = pBuffer;
    return pNbl;
}

static VOID LbFreeReceived(PNET_BUFFER_LIST pNbl)
{
    PLB_FRAME_BUFFER pBuffer = NET_BUFFER_LIST_MINIPORT_RESERVED(pNbl)[0];

    NdisFreeNetBufferList(pNbl);
#ifndef BUG_LEAKS_FRAMES
    LbFreeFrame(pBuffer);
#else
    UNREFERENCED_PARAMETER(pBuffer);
#endif
}

/* Turns one sent list round: each of its buffers becomes a received list, and the whole is indicated at once. */
static NDIS_STATUS LbLoop(PLB_ADAPTER pAdapter, PNET_BUFFER_LIST pSent)
{
    LB_QUEUE Received = {NULL, NULL, 0};
    NDIS_STATUS ndisStatus = NDIS_STATUS_SUCCESS;
    ULONG64 cbTotal = 0;
    PNET_BUFFER pNb;
    BOOLEAN fUp;

    for (pNb = NET_BUFFER_LIST_FIRST_NB(pSent); pNb != NULL; pNb = NET_BUFFER_NEXT_NB(pNb))
    {
        PNET_BUFFER_LIST pNbl = LbReceive(pAdapter, pNb);

        if (pNbl == NULL)
        {
            ndisStatus = NET_BUFFER_DATA_LENGTH(pNb) > LB_FRAME ? NDIS_STATUS_INVALID_LENGTH : NDIS_STATUS_RESOURCES;
            continue;
        }
        cbTotal += NET_BUFFER_DATA_LENGTH(pNb);
        LbPush(&Received, pNbl);
    }
    NdisAcquireSpinLock(&pAdapter->Lock);
    fUp = pAdapter->eState == LbRunning && !pAdapter->fAsleep && Received.ulCount != 0;
    if (fUp)
    {
        pAdapter->ulIndicated += Received.ulCount;
        pAdapter->ullFrames += Received.ulCount;
        pAdapter->ullBytes += cbTotal;
    }
    else
        pAdapter->ullDropped += Received.ulCount;
    NdisReleaseSpinLock(&pAdapter->Lock);
    if (fUp)
    {
        NdisMIndicateReceiveNetBufferLists(pAdapter->hAdapter, Received.pHead, NDIS_DEFAULT_PORT_NUMBER,
                                           Received.ulCount, 0);
#ifdef BUG_FREES_INDICATED
        LbFreeReceived(Received.pHead);
#endif
    }
    else
        while (Received.pHead != NULL)
            LbFreeReceived(LbPop(&Received));
    return ndisStatus;
}

/* The next sent list, and whether it may still be turned round. */
static PNET_BUFFER_LIST LbNextSend(PLB_ADAPTER pAdapter, NDIS_STATUS *pndisStatus)
{
    PNET_BUFFER_LIST pNbl;

#ifdef BUG_POPS_WITHOUT_LOCK
    pNbl = LbPop(&pAdapter->Sends);
    NdisAcquireSpinLock(&pAdapter->Lock);
#else
    NdisAcquireSpinLock(&pAdapter->Lock);
    pNbl = LbPop(&pAdapter->Sends);
#endif
    *pndisStatus = pAdapter->fAsleep               ? NDIS_STATUS_LOW_POWER_STATE
                   : pAdapter->eState == LbRunning ? NDIS_STATUS_SUCCESS
                                                   : NDIS_STATUS_PAUSED;
    NdisReleaseSpinLock(&pAdapter->Lock);
    return pNbl;
}

static VOID LbCarry(PLB_ADAPTER pAdapter)
{
    NDIS_STATUS ndisStatus;
    PNET_BUFFER_LIST pNbl;

    while ((pNbl = LbNextSend(pAdapter, &ndisStatus)) != NULL)
    {
        if (ndisStatus == NDIS_STATUS_SUCCESS)
            ndisStatus = LbLoop(pAdapter, pNbl);
#ifdef BUG_COMPLETES_UNDER_LOCK
        NdisAcquireSpinLock(&pAdapter->Lock);
        LbCompleteChain(pAdapter, pNbl, ndisStatus, TRUE);
        NdisReleaseSpinLock(&pAdapter->Lock);
#else
        LbCompleteChain(pAdapter, pNbl, ndisStatus, FALSE);
#endif
#ifdef BUG_LOOKS_BACK
        if (NET_BUFFER_LIST_STATUS(pNbl) != ndisStatus)
            DbgPrint("the status has changed\n");
#endif
    }
}

/* OID requests */

static NDIS_STATUS LbAnswer(PNDIS_OID_REQUEST pOid, const VOID *pvData, ULONG cbData)
{
    struct _QUERY *pQuery = &pOid->DATA.QUERY_INFORMATION;

    if (pQuery->InformationBufferLength < cbData)
    {
        pQuery->BytesNeeded = cbData;
        return NDIS_STATUS_BUFFER_TOO_SHORT;
    }
    NdisMoveMemory(pQuery->InformationBuffer, pvData, cbData);
    pQuery->BytesWritten = cbData;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS LbAnswerNumber(PNDIS_OID_REQUEST pOid, ULONG64 ullValue)
{
    const ULONG ulValue = (ULONG)ullValue;

    if (pOid->DATA.QUERY_INFORMATION.InformationBufferLength >= sizeof ullValue)
        return LbAnswer(pOid, &ullValue, sizeof ullValue);
    return LbAnswer(pOid, &ulValue, sizeof ulValue);
}

static NDIS_STATUS LbAnswerStatistics(PLB_ADAPTER pAdapter, PNDIS_OID_REQUEST pOid)
{
    NDIS_STATISTICS_INFO Info;

    NdisZeroMemory(&Info, sizeof Info);
    Info.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Info.Header.Revision = NDIS_STATISTICS_INFO_REVISION_1;
    Info.Header.Size = NDIS_SIZEOF_STATISTICS_INFO_REVISION_1;
    Info.SupportedStatistics = NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV |
                               NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT |
                               NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS;
    NdisAcquireSpinLock(&pAdapter->Lock);
    Info.ifHCInUcastPkts = Info.ifHCOutUcastPkts = pAdapter->ullFrames;
    Info.ifHCInOctets = Info.ifHCOutOctets = pAdapter->ullBytes;
    Info.ifInDiscards = pAdapter->ullDropped;
    NdisReleaseSpinLock(&pAdapter->Lock);
    return LbAnswer(pOid, &Info, NDIS_SIZEOF_STATISTICS_INFO_REVISION_1);
}

static NDIS_STATUS LbQuery(PLB_ADAPTER pAdapter, PNDIS_OID_REQUEST pOid)
{
    static const char szVendor[] = "Loopback";

    switch (pOid->DATA.QUERY_INFORMATION.Oid)
    {
    case OID_GEN_SUPPORTED_LIST:
        return LbAnswer(pOid, g_aulOids, sizeof g_aulOids);
    case OID_GEN_CURRENT_PACKET_FILTER:
        return LbAnswerNumber(pOid, pAdapter->ulPacketFilter);
    case OID_GEN_CURRENT_LOOKAHEAD:
        return LbAnswerNumber(pOid, pAdapter->ulLookahead);
    case OID_GEN_XMIT_OK:
    case OID_GEN_RCV_OK:
        return LbAnswerNumber(pOid, pAdapter->ullFrames);
    case OID_GEN_STATISTICS:
        return LbAnswerStatistics(pAdapter, pOid);
    case OID_GEN_VENDOR_ID:
        return LbAnswerNumber(pOid, 0xFFFFFF);
    case OID_GEN_VENDOR_DESCRIPTION:
        return LbAnswer(pOid, szVendor, sizeof szVendor);
    case OID_PNP_QUERY_POWER:
        return NDIS_STATUS_SUCCESS;
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

static NDIS_STATUS LbTakeNumber(PNDIS_OID_REQUEST pOid, ULONG *pulValue)
{
    struct _SET *pSet = &pOid->DATA.SET_INFORMATION;

    if (pSet->InformationBufferLength < sizeof *pulValue)
    {
        pSet->BytesNeeded = sizeof *pulValue;
        return NDIS_STATUS_INVALID_LENGTH;
    }
    NdisMoveMemory(pulValue, pSet->InformationBuffer, sizeof *pulValue);
    pSet->BytesRead = sizeof *pulValue;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS LbSetPower(PLB_ADAPTER pAdapter, PNDIS_OID_REQUEST pOid)
{
    ULONG ulState = NdisDeviceStateUnspecified;
    NDIS_STATUS ndisStatus = LbTakeNumber(pOid, &ulState);

    if (ndisStatus != NDIS_STATUS_SUCCESS)
        return ndisStatus;
    if (ulState < NdisDeviceStateD0 || ulState > NdisDeviceStateD3)
        return NDIS_STATUS_INVALID_DATA;
    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->fAsleep = ulState != NdisDeviceStateD0;
    NdisReleaseSpinLock(&pAdapter->Lock);
    LbCarry(pAdapter); /* gives back what waits, if it is asleep now */
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS LbSet(PLB_ADAPTER pAdapter, PNDIS_OID_REQUEST pOid)
{
    struct _SET *pSet = &pOid->DATA.SET_INFORMATION;

    switch (pSet->Oid)
    {
    case OID_GEN_CURRENT_PACKET_FILTER:
        return LbTakeNumber(pOid, &pAdapter->ulPacketFilter);
    case OID_GEN_CURRENT_LOOKAHEAD:
        return LbTakeNumber(pOid, &pAdapter->ulLookahead);
    case OID_GEN_INTERRUPT_MODERATION:
        return NDIS_STATUS_INVALID_DATA;
    case OID_802_3_MULTICAST_LIST:
        if (pSet->InformationBufferLength % sizeof g_abAddress != 0)
            return NDIS_STATUS_INVALID_LENGTH;
        if (pSet->InformationBufferLength / sizeof g_abAddress > LB_MULTICAST_LIMIT)
            return NDIS_STATUS_MULTICAST_FULL;
        pSet->BytesRead = pSet->InformationBufferLength;
        return NDIS_STATUS_SUCCESS;
    case OID_PNP_SET_POWER:
        return LbSetPower(pAdapter, pOid);
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

static VOID LbAnswerOid(PLB_ADAPTER pAdapter)
{
    NDIS_STATUS ndisStatus = NDIS_STATUS_NOT_SUPPORTED;
    PNDIS_OID_REQUEST pOid;

    NdisAcquireSpinLock(&pAdapter->Lock);
    pOid = pAdapter->pOid;
    pAdapter->pOid = NULL;
    NdisReleaseSpinLock(&pAdapter->Lock);
    if (pOid == NULL)
        return;
    if (pOid->RequestType == NdisRequestQueryInformation || pOid->RequestType == NdisRequestQueryStatistics)
        ndisStatus = LbQuery(pAdapter, pOid);
    else if (pOid->RequestType == NdisRequestSetInformation)
        ndisStatus = LbSet(pAdapter, pOid);
#ifdef BUG_FORGETS_OID
    if (ndisStatus == NDIS_STATUS_BUFFER_TOO_SHORT)
        return;
#endif
    NdisMOidRequestComplete(pAdapter->hAdapter, pOid, ndisStatus);
}

/* Pause and restart */

static VOID LbFinishChange(PLB_ADAPTER pAdapter)
{
    BOOLEAN fRestarted = FALSE;
    BOOLEAN fPaused = FALSE;

    NdisAcquireSpinLock(&pAdapter->Lock);
    if (pAdapter->eState == LbRestarting)
    {
        pAdapter->eState = LbRunning;
        fRestarted = TRUE;
    }
#ifdef BUG_PAUSES_EARLY
    else if (pAdapter->eState == LbPausing && pAdapter->Sends.ulCount == 0)
#else
    else if (pAdapter->eState == LbPausing && pAdapter->Sends.ulCount == 0 && pAdapter->ulIndicated == 0)
#endif
    {
        pAdapter->eState = LbPaused;
        fPaused = TRUE;
    }
    NdisReleaseSpinLock(&pAdapter->Lock);
#ifndef BUG_FORGETS_RESTART
    if (fRestarted)
        NdisMRestartComplete(pAdapter->hAdapter, NDIS_STATUS_SUCCESS);
#else
    UNREFERENCED_PARAMETER(fRestarted);
#endif
    if (fPaused)
        NdisMPauseComplete(pAdapter->hAdapter);
}

static VOID LbWork(PVOID WorkItemContext, NDIS_HANDLE NdisIoWorkItemHandle)
{
    PLB_ADAPTER pAdapter = WorkItemContext;
    BOOLEAN fMore;

    UNREFERENCED_PARAMETER(NdisIoWorkItemHandle);
    do
    {
        LbAnswerOid(pAdapter);
        LbCarry(pAdapter);
        LbFinishChange(pAdapter);
        NdisAcquireSpinLock(&pAdapter->Lock);
        fMore = pAdapter->Sends.ulCount != 0 || pAdapter->pOid != NULL || pAdapter->eState == LbRestarting ||
                (pAdapter->eState == LbPausing && pAdapter->ulIndicated == 0);
        if (!fMore)
        {
            pAdapter->fWorkQueued = FALSE;
            LbSayIdle(pAdapter);
        }
        NdisReleaseSpinLock(&pAdapter->Lock);
    } while (fMore);
}

/* Handlers */

static VOID NTAPI LbSendNetBufferLists(NDIS_HANDLE MiniportAdapterContext, PNET_BUFFER_LIST NetBufferList,
                                       NDIS_PORT_NUMBER PortNumber, ULONG SendFlags)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;
    const BOOLEAN fDispatch = (SendFlags & NDIS_SEND_FLAGS_DISPATCH_LEVEL) != 0;
    LB_QUEUE Refused = {NULL, NULL, 0};
    NDIS_STATUS ndisStatus;

    UNREFERENCED_PARAMETER(PortNumber);
    NdisAcquireSpinLock(&pAdapter->Lock);
    ndisStatus = pAdapter->fRemoved              ? NDIS_STATUS_FAILURE
                 : pAdapter->fAsleep             ? NDIS_STATUS_LOW_POWER_STATE
                 : pAdapter->eState != LbRunning ? NDIS_STATUS_PAUSED
                                                 : NDIS_STATUS_RESOURCES;
    while (NetBufferList != NULL)
    {
        PNET_BUFFER_LIST pNext = NET_BUFFER_LIST_NEXT_NBL(NetBufferList);
        const BOOLEAN fTake = ndisStatus == NDIS_STATUS_RESOURCES && pAdapter->Sends.ulCount < LB_QUEUE_LIMIT;

        LbPush(fTake ? &pAdapter->Sends : &Refused, NetBufferList);
        NetBufferList = pNext;
    }
    if (pAdapter->Sends.ulCount != 0)
        LbKick(pAdapter);
    NdisReleaseSpinLock(&pAdapter->Lock);
    LbCompleteChain(pAdapter, Refused.pHead, ndisStatus, fDispatch);
}

static VOID NTAPI LbCancelSend(NDIS_HANDLE MiniportAdapterContext, PVOID CancelId)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;
    LB_QUEUE Cancelled = {NULL, NULL, 0};
    LB_QUEUE Kept = {NULL, NULL, 0};
    PNET_BUFFER_LIST pNbl;

    NdisAcquireSpinLock(&pAdapter->Lock);
    while ((pNbl = LbPop(&pAdapter->Sends)) != NULL)
        LbPush(NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(pNbl) == CancelId ? &Cancelled : &Kept, pNbl);
    pAdapter->Sends = Kept;
    NdisReleaseSpinLock(&pAdapter->Lock);
    LbCompleteChain(pAdapter, Cancelled.pHead, NDIS_STATUS_SEND_ABORTED, NDIS_CURRENT_IRQL() == DISPATCH_LEVEL);
}

static VOID NTAPI LbReturnNetBufferLists(NDIS_HANDLE MiniportAdapterContext, PNET_BUFFER_LIST NetBufferLists,
                                         ULONG ReturnFlags)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;
    ULONG ulCount = 0;

    UNREFERENCED_PARAMETER(ReturnFlags);
    while (NetBufferLists != NULL)
    {
        PNET_BUFFER_LIST pNext = NET_BUFFER_LIST_NEXT_NBL(NetBufferLists);

#ifndef BUG_FREES_INDICATED
        LbFreeReceived(NetBufferLists);
#endif
        NetBufferLists = pNext;
        ulCount++;
    }
    NdisAcquireSpinLock(&pAdapter->Lock);
#ifdef BUG_COUNTS_CHAINS
    ulCount = 1;
#endif
    pAdapter->ulIndicated -= ulCount;
    if (pAdapter->eState == LbPausing && pAdapter->ulIndicated == 0)
        LbKick(pAdapter);
    LbSayIdle(pAdapter);
    NdisReleaseSpinLock(&pAdapter->Lock);
}

static NDIS_STATUS NTAPI LbOidRequest(NDIS_HANDLE MiniportAdapterContext, PNDIS_OID_REQUEST OidRequest)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;

    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->pOid = OidRequest;
    LbKick(pAdapter);
    NdisReleaseSpinLock(&pAdapter->Lock);
    return NDIS_STATUS_PENDING;
}

static VOID NTAPI LbCancelOidRequest(NDIS_HANDLE MiniportAdapterContext, PVOID RequestId)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;
    PNDIS_OID_REQUEST pOid = NULL;

    NdisAcquireSpinLock(&pAdapter->Lock);
    if (pAdapter->pOid != NULL && pAdapter->pOid->RequestId == RequestId)
    {
        pOid = pAdapter->pOid;
        pAdapter->pOid = NULL;
    }
    NdisReleaseSpinLock(&pAdapter->Lock);
    if (pOid != NULL)
        NdisMOidRequestComplete(pAdapter->hAdapter, pOid, NDIS_STATUS_REQUEST_ABORTED);
}

static NDIS_STATUS NTAPI LbRestart(NDIS_HANDLE MiniportAdapterContext, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;

    UNREFERENCED_PARAMETER(Parameters);
    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->eState = LbRestarting;
    LbKick(pAdapter);
    NdisReleaseSpinLock(&pAdapter->Lock);
    return NDIS_STATUS_PENDING;
}

static NDIS_STATUS NTAPI LbPause(NDIS_HANDLE MiniportAdapterContext, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;

    UNREFERENCED_PARAMETER(Parameters);
    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->eState = LbPausing;
#ifndef BUG_FORGETS_PAUSE
    LbKick(pAdapter);
#endif
    NdisReleaseSpinLock(&pAdapter->Lock);
    return NDIS_STATUS_PENDING;
}

static VOID LbFree(PLB_ADAPTER pAdapter)
{
#ifndef BUG_LEAKS_WORK_ITEM
    if (pAdapter->hWorkItem != NULL)
        NdisFreeIoWorkItem(pAdapter->hWorkItem);
#endif
    if (pAdapter->hNblPool != NULL)
        NdisFreeNetBufferListPool(pAdapter->hNblPool);
    NdisFreeSpinLock(&pAdapter->Lock);
    NdisFreeMemory(pAdapter, 0, 0);
}

static VOID NTAPI LbHalt(NDIS_HANDLE MiniportAdapterContext, NDIS_HALT_ACTION HaltAction)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;

    UNREFERENCED_PARAMETER(HaltAction);
    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->eState = LbPaused;
    NdisReleaseSpinLock(&pAdapter->Lock);
    NdisWaitEvent(&pAdapter->Idle, 0);
    /* Whoever set the event held the lock: wait until it is out of there. */
    NdisAcquireSpinLock(&pAdapter->Lock);
    NdisReleaseSpinLock(&pAdapter->Lock);
    LbFree(pAdapter);
}

static VOID NTAPI LbShutdown(NDIS_HANDLE MiniportAdapterContext, NDIS_SHUTDOWN_ACTION ShutdownAction)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);
    UNREFERENCED_PARAMETER(ShutdownAction);
}

static VOID NTAPI LbPnpEvent(NDIS_HANDLE MiniportAdapterContext, PNET_DEVICE_PNP_EVENT NetDevicePnPEvent)
{
    PLB_ADAPTER pAdapter = MiniportAdapterContext;

    if (NetDevicePnPEvent->DevicePnPEvent != NdisDevicePnPEventSurpriseRemoved)
        return;
    NdisAcquireSpinLock(&pAdapter->Lock);
    pAdapter->fRemoved = TRUE;
    NdisReleaseSpinLock(&pAdapter->Lock);
}

static NDIS_STATUS LbRegister(PLB_ADAPTER pAdapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_STATUS ndisStatus;

    NdisZeroMemory(&Attributes, sizeof Attributes);
    Attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    Attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    Attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    Attributes.RegistrationAttributes.MiniportAdapterContext = pAdapter;
    Attributes.RegistrationAttributes.AttributeFlags =
        NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND | NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK;
    Attributes.RegistrationAttributes.InterfaceType = NdisInterfaceInternal;
    ndisStatus = NdisMSetMiniportAttributes(pAdapter->hAdapter, &Attributes);
    if (ndisStatus != NDIS_STATUS_SUCCESS)
        return ndisStatus;

    NdisZeroMemory(&Attributes, sizeof Attributes);
    Attributes.GeneralAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    Attributes.GeneralAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.MediaType = NdisMedium802_3;
    Attributes.GeneralAttributes.PhysicalMediumType = NdisPhysicalMediumUnspecified;
    Attributes.GeneralAttributes.MtuSize = LB_MTU;
    Attributes.GeneralAttributes.MaxXmitLinkSpeed = Attributes.GeneralAttributes.XmitLinkSpeed = LB_SPEED;
    Attributes.GeneralAttributes.MaxRcvLinkSpeed = Attributes.GeneralAttributes.RcvLinkSpeed = LB_SPEED;
    Attributes.GeneralAttributes.MediaConnectState = MediaConnectStateConnected;
    Attributes.GeneralAttributes.MediaDuplexState = MediaDuplexStateFull;
    Attributes.GeneralAttributes.LookaheadSize = LB_FRAME;
    Attributes.GeneralAttributes.MacOptions = NDIS_MAC_OPTION_TRANSFERS_NOT_PEND | NDIS_MAC_OPTION_NO_LOOPBACK;
    Attributes.GeneralAttributes.SupportedPacketFilters = NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST;
    Attributes.GeneralAttributes.MaxMulticastListSize = LB_MULTICAST_LIMIT;
    Attributes.GeneralAttributes.MacAddressLength = sizeof g_abAddress;
    NdisMoveMemory(Attributes.GeneralAttributes.PermanentMacAddress, g_abAddress, sizeof g_abAddress);
    NdisMoveMemory(Attributes.GeneralAttributes.CurrentMacAddress, g_abAddress, sizeof g_abAddress);
    Attributes.GeneralAttributes.AccessType = NET_IF_ACCESS_BROADCAST;
    Attributes.GeneralAttributes.DirectionType = NET_IF_DIRECTION_SENDRECEIVE;
    Attributes.GeneralAttributes.ConnectionType = NET_IF_CONNECTION_DEDICATED;
    Attributes.GeneralAttributes.IfType = IF_TYPE_ETHERNET_CSMACD;
    Attributes.GeneralAttributes.SupportedOidList = g_aulOids;
    Attributes.GeneralAttributes.SupportedOidListLength = sizeof g_aulOids;
    return NdisMSetMiniportAttributes(pAdapter->hAdapter, &Attributes);
}

static NDIS_STATUS NTAPI LbInitialize(NDIS_HANDLE NdisMiniportHandle, NDIS_HANDLE MiniportDriverContext,
                                      PNDIS_MINIPORT_INIT_PARAMETERS MiniportInitParameters)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool;
    NDIS_STATUS ndisStatus = NDIS_STATUS_RESOURCES;
    PLB_ADAPTER pAdapter;

    UNREFERENCED_PARAMETER(MiniportDriverContext);
    UNREFERENCED_PARAMETER(MiniportInitParameters);
    pAdapter = NdisAllocateMemoryWithTagPriority(NdisMiniportHandle, sizeof *pAdapter, LB_TAG, NormalPoolPriority);
    if (pAdapter == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(pAdapter, sizeof *pAdapter);
    pAdapter->hAdapter = NdisMiniportHandle;
    pAdapter->eState = LbPaused;
    pAdapter->ulLookahead = LB_FRAME;
    NdisAllocateSpinLock(&pAdapter->Lock);
    NdisInitializeEvent(&pAdapter->Idle);
    NdisSetEvent(&pAdapter->Idle);

    NdisZeroMemory(&Pool, sizeof Pool);
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.fAllocateNetBuffer = TRUE;
    Pool.PoolTag = LB_TAG;
    pAdapter->hNblPool = NdisAllocateNetBufferListPool(NdisMiniportHandle, &Pool);
    pAdapter->hWorkItem = NdisAllocateIoWorkItem(NdisMiniportHandle);
    if (pAdapter->hNblPool != NULL && pAdapter->hWorkItem != NULL)
        ndisStatus = LbRegister(pAdapter);
    if (ndisStatus != NDIS_STATUS_SUCCESS)
        LbFree(pAdapter);
    return ndisStatus;
}

static VOID NTAPI LbUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    NdisMDeregisterMiniportDriver(g_hDriver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Miniport;

    NdisZeroMemory(&Miniport, sizeof Miniport);
    Miniport.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    Miniport.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Miniport.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Miniport.MajorNdisVersion = 6;
    Miniport.MinorNdisVersion = 30;
    Miniport.MajorDriverVersion = 1;
    Miniport.InitializeHandlerEx = LbInitialize;
    Miniport.HaltHandlerEx = LbHalt;
    Miniport.UnloadHandler = LbUnload;
    Miniport.PauseHandler = LbPause;
    Miniport.RestartHandler = LbRestart;
    Miniport.OidRequestHandler = LbOidRequest;
    Miniport.CancelOidRequestHandler = LbCancelOidRequest;
    Miniport.SendNetBufferListsHandler = LbSendNetBufferLists;
    Miniport.CancelSendHandler = LbCancelSend;
    Miniport.ReturnNetBufferListsHandler = LbReturnNetBufferLists;
    Miniport.DevicePnPEventNotifyHandler = LbPnpEvent;
    Miniport.ShutdownHandlerEx = LbShutdown;
    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Miniport, &g_hDriver);
}
