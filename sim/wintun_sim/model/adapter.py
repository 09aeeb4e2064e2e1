"""The adapter as it is: every handler and dispatch routine together."""

from __future__ import annotations

from wintun_sim.model.client import Client
from wintun_sim.model.oids import Oids


class Adapter(Oids, Client):
    """The adapter of this project, CURRENT: all that its parts say, together.

    A revision is a class derived from this one, which takes single steps back.
    """

    __slots__ = ()


CURRENT = Adapter
