/* SPDX-License-Identifier: MIT
 *
 * The adapter's context, and the rules under which its fields may be touched.
 *
 * One spin lock, Lock, guards all that changes while the adapter lives, except for the list of waiting reads, which has
 * ReadQueue.Lock because the cancel-safe queue takes that one from a cancel routine. ReadQueue.Lock nests inside Lock,
 * never the other way round. No call that can come back into the driver (completing an IRP or an NBL, indicating
 * packets, status or the end of a pause) is made while either is held.
 *
 * A field marked "constant" is written before anybody else can see it and never again.
 */
#pragma once

#include <ndis.h>

#include "version.h"

#define TUN_MEMORY_TAG         0x6E757477      /* "wtun" in memory */
#define TUN_LINK_SPEED         100000000000ULL /* bits per second, claimed for both directions */
#define TUN_SEND_QUEUE_LIMIT   1000            /* NBLs */
#define TUN_VENDOR_DESCRIPTION "Wintun Tunnel"
#define TUN_VENDOR_ID          0xFFFFFF00 /* no vendor code of the IEEE's */

/* What MiniportPause and its kin leave behind. Restarting is not among them: a restart is a single step here. The page
 * network/miniport-adapter-states-and-operations has all states and what leads from one to the next. */
typedef enum _TUN_STATE
{
    TunStatePaused, /* also while initializing: both refuse sends and writes */
    TunStateRunning,
    TunStatePausing,
    TunStateShutdown, /* final, but for Halt */
    TunStateHalted    /* final; in truth "halting": when it is over there is no context left to say so */
} TUN_STATE;

/* What the stack sent and the client has not read yet. */
typedef struct _TUN_SEND_QUEUE
{
    /* NBLs in the order of their arrival, linked by Next; the queue owns them. NULL both or neither. */
    NET_BUFFER_LIST *First;
    NET_BUFFER_LIST *Last;

    /* The next NB of First to be read; NULL if and only if the queue is empty. So First always has an unread NB. */
    NET_BUFFER *NextNb;

    /* NBLs from First to Last; at most TUN_SEND_QUEUE_LIMIT. */
    ULONG Count;

    /* The NBL some NBs of which are being copied outside the lock while the rest of it waits, or NULL. It is either
     * First, or detached: no longer in the queue, so that whoever copies has to complete it. Nobody else completes it
     * in the meantime. Only whoever serves reads writes Copying, and therefore may read it without the lock. */
    NET_BUFFER_LIST *Copying;
    BOOLEAN CopyingDetached;
} TUN_SEND_QUEUE;

/* The reads that wait for packets, of all handles. */
typedef struct _TUN_READ_QUEUE
{
    IO_CSQ Csq;      /* constant but for what the I/O manager keeps in it */
    KSPIN_LOCK Lock; /* guards the rest, and the mark of a cleanup in FILE_OBJECT.FsContext */
    LIST_ENTRY List; /* IRPs by Tail.Overlay.ListEntry, oldest first; each is marked pending and holds the rundown */
    BOOLEAN Closed;  /* by Halt, for good: nothing enters List any more */
} TUN_READ_QUEUE;

typedef struct _TUN_ADAPTER
{
    NDIS_HANDLE Handle;               /* constant: what NDIS calls this adapter */
    NDIS_HANDLE NblPool;              /* constant: NBLs for received packets */
    NDIS_HANDLE DeviceHandle;         /* constant */
    struct _TUN_EXTENSION *Extension; /* constant: of the device object; outlives this context */

    KSPIN_LOCK Lock; /* guards everything below, ReadQueue apart */

    TUN_STATE State;
    NDIS_DEVICE_POWER_STATE Power; /* NdisDeviceStateD0 to D3 */

    /* Creates less closes. Never negative; more than 0 if and only if LinkChanges is odd. */
    LONG64 Handles;

    /* NBLs owned, plus sends and writes that were admitted and are still inside. Grows in TunStateRunning only, so that
     * a pause under way sees it fall. */
    LONG64 Active;

    /* MiniportPause returned, or is about to return, NDIS_STATUS_PENDING, and whoever brings Active to 0 takes this
     * back and calls NdisMPauseComplete. Implies Active > 0. */
    BOOLEAN PausePending;

    /* OID_PNP_SET_POWER waits for Idle, and whoever brings Active to 0 takes this back and sets Idle. As above. */
    BOOLEAN IdleAwaited;
    KEVENT Idle;

    /* Somebody serves reads and will look at both queues again, under Lock, before clearing this. */
    BOOLEAN Serving;

    /* Times that the link has changed since it was indicated as disconnected in MiniportInitializeEx, so odd means
     * connected; and how many of these changes were indicated: <= LinkChanges, but for both wrapping around. */
    ULONG LinkChanges;
    ULONG LinkChangesIndicated;
    BOOLEAN LinkIndicating; /* Somebody indicates, and will not stop before both are equal. */

    NDIS_STATISTICS_INFO Statistics;

    TUN_SEND_QUEUE SendQueue;

    TUN_READ_QUEUE ReadQueue; /* has a lock of its own */
} TUN_ADAPTER;

/* What the device object keeps for us. It outlives the context for as long as a client keeps a handle open, and is all
 * that a request after Halt finds. NdisRegisterDeviceEx zeroes it. */
typedef struct _TUN_EXTENSION
{
    /* Held by each request from its admission until its completion call has returned, whoever makes that call.
     * Initialised before Adapter is published, closed by Halt for good. */
    EX_RUNDOWN_REF Rundown;

    /* The TUN_ADAPTER, or NULL before MiniportInitializeEx publishes it and after MiniportHaltEx. Written with release,
     * read with acquire; what it points at may be touched only under Rundown, or by NDIS's handlers, which never
     * overlap Halt. */
    VOID *Adapter;
} TUN_EXTENSION;
