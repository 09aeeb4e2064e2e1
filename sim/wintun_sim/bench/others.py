"""Bundles in the two libraries that people take formats apart with: construct, and scapy.

Each says the format as its manual would have it, and makes an object of each record; that is what their users get, and
what the codec is compared with. construct is no requirement of this package: `pip install 'wintun-sim[bench]'`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from wintun_sim.errors import UnavailableError

Decode = Callable[[bytes], list[bytes]]


def missing() -> str:
    """Say which of the libraries is not here and how to get it; nothing where both are."""
    if importlib.util.find_spec("construct") is None:
        return "construct is not installed (pip install 'wintun-sim[bench]')"
    return ""


def with_construct(*, compiled: bool = False) -> Decode:
    """Return a decoder that construct makes of a declaration; ``compiled``: by way of Python code that it writes.

    Raises UnavailableError where construct is not installed.
    """
    try:
        import construct
    except ImportError as error:
        raise UnavailableError(f"{missing() or error}") from error
    size: Any = construct.this.size
    record = construct.Struct(
        "size" / construct.Int32un,
        construct.Padding(12),
        "packet" / construct.Bytes(size),
        construct.Padding(-size % 16),
    )
    bundle = construct.GreedyRange(record)
    parser = bundle.compile() if compiled else bundle
    return lambda data: [each.packet for each in parser.parse(data)]


def with_scapy() -> Decode:
    """Return a decoder that is a scapy packet of records."""
    import sys

    from scapy.fields import FieldLenField, LEFieldLenField, PacketListField, StrFixedLenField, StrLenField
    from scapy.packet import Packet

    class Record(Packet):  # type: ignore[misc]
        fields_desc = (
            LEFieldLenField("size", None, length_of="data", fmt="<I")
            if sys.byteorder == "little"
            else FieldLenField("size", None, length_of="data", fmt=">I"),
            StrFixedLenField("reserved", bytes(12), 12),
            StrLenField("data", b"", length_from=lambda packet: packet.size),
            StrLenField("padding", b"", length_from=lambda packet: -packet.size % 16),
        )

        def extract_padding(self, rest: bytes) -> tuple[bytes, bytes]:
            """Leave what is behind a record to the next one."""
            return b"", rest

    class Records(Packet):  # type: ignore[misc]
        fields_desc = (PacketListField("records", [], Record, max_count=1 << 20),)

    return lambda data: [record.data for record in Records(data).records]
