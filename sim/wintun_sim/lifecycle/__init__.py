"""What Windows does to an adapter, and when: states, the transition table, what may overlap, and who keeps count.

Theory of operation
===================

NDIS drives a miniport adapter through seven states (learn.microsoft.com/windows-hardware/drivers/network/
miniport-adapter-states-and-operations, and adapter-states-of-a-miniport-driver).

An adapter begins **Halted**: NDIS knows it, the driver does not. MiniportInitializeEx makes it **Initializing** and,
if it succeeds, **Paused**: the device exists and every resource is there, but no packets flow. MiniportRestart makes
it **Restarting**, then **Running**: now the stack sends and the driver indicates received packets. MiniportPause
makes it **Pausing**: the driver gives back every NET_BUFFER_LIST it holds, refuses new ones and waits for its own
receive indications; then it is **Paused** again. NDIS pauses an adapter before everything that changes the stack
above it (a filter comes or goes, the machine sleeps, the driver is updated), so pauses are frequent and short.
MiniportHaltEx makes a Paused adapter Halted. MiniportShutdownEx makes it **Shutdown** from any state between: the
machine is going down, and nothing follows.

None of this is known to the I/O manager. A client that opened the adapter's device keeps its handle through pause and
restart, and its requests arrive in every state, even after halt. On one handle it keeps an order of its own: the create
comes first; then reads and writes; one cleanup when the last user handle is closed, while requests may still be under
way; and one close when every request is complete (…/drivers/kernel/irp-mj-cleanup, irp-mj-close). A driver is unloaded
when each of its adapters is halted, and its image leaves when no handle is open any more.

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
