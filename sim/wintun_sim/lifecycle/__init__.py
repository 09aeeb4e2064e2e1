"""What Windows does to an adapter, and when: states, the transition table, what may overlap, and who keeps count.

Read this page first, then ``table`` and ``overlap``, which are what it says, in tables, and then the adapter itself
(:mod:`wintun_sim.model`). ``records``, ``refusals`` and ``ledger`` come later: they are how a host keeps to the tables.
``…`` stands for learn.microsoft.com/windows-hardware/drivers.

Words
=====

**NDIS** is the part of the Windows kernel that stands between network protocols, the *stack*, and the drivers of
network cards. Such a driver is a *miniport driver*, and what it drives, or pretends to, is a *miniport adapter*. NDIS
calls the driver's handlers, Miniport…; the driver calls NDIS, NdisM… (…/network/ndis-miniport-drivers).

The data of a packet lie in a **NET_BUFFER**, NET_BUFFERs in a **NET_BUFFER_LIST**, an **NBL** (…/network/
net-buffer-architecture). An NBL that the stack sends is lent: the driver owns it until it *completes* it, which is to
give it back with a status, exactly once, by NdisMSendNetBufferListsComplete. The other way, the driver *indicates*
received packets to the stack by NdisMIndicateReceiveNetBufferLists.

A program, here a *client*, opens the adapter's *device*. To the kernel an open handle is a *file object*, and what a
client asks is an **IRP**, an I/O request packet: create, read, write, cleanup, close (…/kernel/handling-irps). An IRP
is *pending* until the driver completes it; one that waits in a queue can be cancelled.

The **IRQL** says what may interrupt a processor. At PASSIVE_LEVEL code may wait. At DISPATCH_LEVEL it may not, and with
a spin lock held it is at DISPATCH_LEVEL (…/kernel/managing-hardware-priorities). Sends come at either; so neither they
nor anything they call can wait.

A handler that cannot finish at once may return **NDIS_STATUS_PENDING**, if its page allows that: it is not done, and
the driver will say so later, by the function that belongs to the handler.

Theory of operation
===================

NDIS drives a miniport adapter through seven states (…/network/miniport-adapter-states-and-operations, and
adapter-states-of-a-miniport-driver).

An adapter begins **Halted**: NDIS knows it, the driver does not. MiniportInitializeEx makes it **Initializing** and,
if it succeeds, **Paused**: the device exists and every resource is there, but no packets flow. MiniportRestart makes
it **Restarting**, then **Running**: now the stack sends and the driver indicates received packets. MiniportPause
makes it **Pausing**: the driver gives back every NBL it holds, refuses new ones and waits for its own receive
indications; then it is **Paused** again. MiniportHaltEx makes a Paused adapter Halted. MiniportShutdownEx makes it
**Shutdown** from any state between: the machine is going down, and nothing follows.

None of this is known to the I/O manager. A client that opened the adapter's device keeps its handle through pause and
restart, and its requests arrive in every state, even after halt. On one handle it keeps an order of its own: the create
comes first; then reads and writes; one cleanup when the last user handle is closed, while requests may still be under
way; and one close when every request is complete (…/kernel/irp-mj-cleanup, irp-mj-close). A driver is unloaded when
each of its adapters is halted (…/ddi/ndis/nc-ndis-miniport_unload), and its image leaves when no handle is open any
more.

Pause
-----

NDIS pauses an adapter before everything that changes the stack above it: a filter comes or goes, a protocol is bound,
the machine sleeps, the driver is updated. So pauses are frequent, and should be short. A pause is over when no packet
is on its way in either direction (…/ddi/ndis/nc-ndis-miniport_pause, …/network/pausing-an-adapter).

*Why may MiniportPause return NDIS_STATUS_PENDING?* It cannot fail, and what it must wait for is in the hands of other
processors: one copies a packet out of an NBL, another is inside a receive indication that the stack has not returned
from. If nothing of that is left when the handler returns, it returns NDIS_STATUS_SUCCESS, and the adapter is Paused.
Otherwise it returns NDIS_STATUS_PENDING, and the adapter stays Pausing.

*Who ends it then?* Whoever ends the last packet, on whatever processor, by calling NdisMPauseComplete: exactly once,
and only for a pause that returned NDIS_STATUS_PENDING (…/ddi/ndis/nf-ndis-ndismpausecomplete). It may be called at
DISPATCH_LEVEL, where packets end; and it may be called even before MiniportPause has returned, since the other
processor does not wait for that.

*What does an adapter do meanwhile, and while Paused?* It refuses sends, with NDIS_STATUS_PAUSED. It still answers OID
requests and may tell of its link. NDIS itself begins no other PnP operation, no halt, restart or change of power, until
the pause is complete.

*What does a pause not concern?* Everything that is no packet on its way: open handles, a client's pending reads, the
link. Microsoft's pages on pause do not speak of IRPs at all. A driver that cuts its client off at a pause breaks no
rule of NDIS, but its client.

Power, halt, shutdown
---------------------

OID_PNP_SET_POWER comes between a pause and a restart, or, if a driver asks for it, to a Running adapter. It ends
packets as a pause does, with NDIS_STATUS_LOW_POWER_STATE, but within the handler, at PASSIVE_LEVEL
(…/network/oid-pnp-set-power).

MiniportHaltEx frees all that MiniportInitializeEx allocated, and may wait (…/ddi/ndis/nc-ndis-miniport_halt). NDIS
begins it when no send and no OID request is outstanding; but the client's requests are a matter of the driver, which
must end them before it frees what they use. When the handler returns, the adapter is gone.

MiniportShutdownEx has nothing to free, since the machine goes down (…/ddi/ndis/nc-ndis-miniport_shutdown). In a bug
check, a crash, it must not even try: a lock may be held by a processor that is stopped for good.

Two orders
----------

In the **strict** order the host calls an adapter as Windows drives a whole stack. MiniportPause, for one, comes only
when every binding above has its packets back, so that a driver that keeps a packet is never paused at all
(…/network/pausing-a-driver-stack). In the **raw** order the host also does what the handlers' own pages oblige a
miniport to cope with: sends in Paused and Restarting, halt from Running, SET_POWER while Running, a client in kernel
mode that reads after cleanup. What neither page nor stack would ever do is refused in both.

Whoever plays the host keeps a :class:`Ledger`. It is told each operation and each event, and says of an operation why
Windows would never do it now, naming state and page. A refused operation changes nothing.
"""

from wintun_sim.lifecycle.ledger import Ledger
from wintun_sim.lifecycle.overlap import OVERLAP, Call, may_overlap, why_apart
from wintun_sim.lifecycle.records import DriverPhase, HandlePhase
from wintun_sim.lifecycle.table import TABLE, Cell, Order, State, Trigger

__all__ = [
    "OVERLAP",
    "TABLE",
    "Call",
    "Cell",
    "DriverPhase",
    "HandlePhase",
    "Ledger",
    "Order",
    "State",
    "Trigger",
    "may_overlap",
    "why_apart",
]
