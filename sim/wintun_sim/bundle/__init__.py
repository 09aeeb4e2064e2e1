"""Bundles: what a read from the adapter, or a write to it, carries; packets in, bytes out, and back.

    >>> from wintun_sim import bundle
    >>> data = bundle.encode([b"ping", b"pong!"])
    >>> len(data)
    64
    >>> bundle.decode(data).tolist()
    [b'ping', b'pong!']

A bundle is made of records: a header of 16 bytes (the packet's size as 4 bytes in native byte order, 12 bytes of zero),
the packet, and zeros up to the next multiple of 16. The code that does the work is the driver's own (shared/bundle.c),
and its limits are those of the device: 256 packets in a bundle, 61,424 bytes in a packet. `encode_many` and
`decode_many` take any number of bundles in one call; `diagnose` tells a person what is wrong with one. numpy is
imported only when arrays are asked for.
"""

from wintun_sim.bundle.decoding import Bundle, Bundles, decode, decode_many
from wintun_sim.bundle.diagnosis import Diagnosis, Gravity, Record, Remark, diagnose, records
from wintun_sim.bundle.encoding import encode, encode_into, encode_many, split
from wintun_sim.bundle.format import (
    ALIGNMENT,
    HEADER_SIZE,
    MAX_BUFFER_SIZE,
    MAX_PACKET_SIZE,
    MAX_PACKETS,
    MAX_RECORD_SIZE,
    MIN_READ_SIZE,
    MIN_WRITE_SIZE,
    BundleError,
    Reason,
    Stop,
    record_size,
)
from wintun_sim.bundle.layouts import Layout

__all__ = [
    "encode",
    "encode_into",
    "encode_many",
    "split",
    "decode",
    "decode_many",
    "diagnose",
    "records",
    "Bundle",
    "Bundles",
    "BundleError",
    "Diagnosis",
    "Gravity",
    "Layout",
    "Reason",
    "Record",
    "Remark",
    "Stop",
    "record_size",
    "ALIGNMENT",
    "HEADER_SIZE",
    "MAX_BUFFER_SIZE",
    "MAX_PACKET_SIZE",
    "MAX_PACKETS",
    "MAX_RECORD_SIZE",
    "MIN_READ_SIZE",
    "MIN_WRITE_SIZE",
]
