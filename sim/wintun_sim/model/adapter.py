"""The adapter as it is: every handler and dispatch routine together.

Its parts are classes of their own only so that each can be read by itself; ``Oids`` brings ``Life`` with it, since a
power state is set by an OID.
"""

from __future__ import annotations

from wintun_sim.model.client import Client
from wintun_sim.model.oids import Oids
from wintun_sim.model.sending import Sending


class Adapter(Oids, Client, Sending):
    """The adapter of this project, CURRENT: all that its parts say, together.

    A revision is a class derived from this one, which takes single steps back.
    """

    __slots__ = ()


CURRENT = Adapter
