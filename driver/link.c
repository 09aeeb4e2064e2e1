/* SPDX-License-Identifier: MIT
 *
 * The link is up while a client has the device open.
 *
 * The indication itself cannot be made under the lock, and two made at once could overtake each other. So those who
 * open and close only count the changes, and one of them at a time tells NDIS, change by change. Since the changes
 * alternate, the number of a change says which way it went.
 */
#include "link.h"

_IRQL_requires_max_(DISPATCH_LEVEL)
static VOID TunLinkTell(_In_ const TUN_ADAPTER *Adapter, _In_ BOOLEAN Connected)
{
    NDIS_LINK_STATE State;
    NDIS_STATUS_INDICATION Indication;

    RtlZeroMemory(&State, sizeof(State));
    State.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    State.Header.Revision = NDIS_LINK_STATE_REVISION_1;
    State.Header.Size = NDIS_SIZEOF_LINK_STATE_REVISION_1;
    State.MediaConnectState = Connected ? MediaConnectStateConnected : MediaConnectStateDisconnected;
    State.MediaDuplexState = MediaDuplexStateFull;
    State.XmitLinkSpeed = TUN_LINK_SPEED;
    State.RcvLinkSpeed = TUN_LINK_SPEED;
    State.PauseFunctions = NdisPauseFunctionsUnsupported;

    RtlZeroMemory(&Indication, sizeof(Indication));
    Indication.Header.Type = NDIS_OBJECT_TYPE_STATUS_INDICATION;
    Indication.Header.Revision = NDIS_STATUS_INDICATION_REVISION_1;
    Indication.Header.Size = NDIS_SIZEOF_STATUS_INDICATION_REVISION_1;
    Indication.SourceHandle = Adapter->Handle;
    Indication.StatusCode = NDIS_STATUS_LINK_STATE;
    Indication.StatusBuffer = &State;
    Indication.StatusBufferSize = sizeof(State);
    NdisMIndicateStatusEx(Adapter->Handle, &Indication);
}

_Use_decl_annotations_
VOID TunLinkIndicateFirst(const TUN_ADAPTER *Adapter)
{
    TunLinkTell(Adapter, FALSE);
}

_Use_decl_annotations_
VOID TunLinkIndicate(TUN_ADAPTER *Adapter)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (!Adapter->LinkIndicating)
    {
        Adapter->LinkIndicating = TRUE;
        while (Adapter->LinkChangesIndicated != Adapter->LinkChanges)
        {
            const BOOLEAN Connected = (++Adapter->LinkChangesIndicated & 1) != 0;

            KeReleaseSpinLock(&Adapter->Lock, Irql);
            TunLinkTell(Adapter, Connected);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
        }
        Adapter->LinkIndicating = FALSE;
    }
    KeReleaseSpinLock(&Adapter->Lock, Irql);
}
