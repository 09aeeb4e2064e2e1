"""The adapter as a program to read: small steps, each of which is all that happens while nobody else gets in between.

Begin with :mod:`wintun_sim.lifecycle`, which explains the words and what Windows wants of an adapter. Then read this
package, in this order; whoever wants to understand pause and nothing else can stop after ``life``:

``requests``  what is handed to an adapter: NBLs, file objects, reads and writes
``core``      what all calls share: the state, who may come in, what goes out
``life``      what moves an adapter from state to state: initialize, restart, pause, power, halt, shutdown
``pump``      packets meet reads
``sending``   what the stack sends, and cancels
``client``    what a client asks: create, cleanup, close, read, write, cancel
``oids``      what NDIS asks
``adapter``   all together: CURRENT; ``attributes`` is what NDIS is told of it
``repairs``   the same with one repair taken back, each a small class; ``revisions`` puts them together
``machine``   the model as a machine, operations in and events out
``interleave``  several calls at once, step by step; ``space`` and ``outcomes`` find all that may come of them

The driver in C tells the same: ``core`` is its ``state.c``, ``irp.c`` and ``link.c``, ``life`` its ``lifecycle.c`` and
``state.c``, ``pump`` its ``serve.c``, ``sending`` its ``send.c`` and ``send_queue.c``, ``client`` its ``device.c``,
``read_queue.c`` and ``receive.c``, ``oids`` its ``oid.c``.
"""

from wintun_sim.model.adapter import CURRENT, Adapter
from wintun_sim.model.core import Steps, Until
from wintun_sim.model.machine import ModelMachine, Stuck
from wintun_sim.model.repairs import UndefinedUpstream
from wintun_sim.model.requests import FileObject, ReadRequest, SentNbl, WriteRequest
from wintun_sim.model.revisions import BEFORE, REPAIRS, REVISIONS, UPSTREAM, revision, taken_back

__all__ = [
    "BEFORE",
    "CURRENT",
    "REPAIRS",
    "REVISIONS",
    "UPSTREAM",
    "Adapter",
    "FileObject",
    "ModelMachine",
    "ReadRequest",
    "SentNbl",
    "Steps",
    "Stuck",
    "UndefinedUpstream",
    "Until",
    "WriteRequest",
    "revision",
    "taken_back",
]
