"""A Linux TUN device to measure against, in a network namespace of its own: nothing else on the machine sees it.

The client's end is the device's descriptor. The stack's end is a packet socket on the same device: what is written to
it goes out through the device as it is, and what comes in through the device is read from it, without UDP or IP in
between, as the host kernel's stack has none (packet(7)). So the device is measured at its best.

A process of its own makes both and sends them here (`python -m wintun_sim.bench.tun DESCRIPTOR`), since a process with
threads cannot enter a user namespace (unshare(2)), which is what a user who is not root needs. The namespace, and the
device with it, is gone when both descriptors are closed.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wintun_sim import native
from wintun_sim.errors import UnavailableError, WintunSimError

BURST: Final = 64  # packets at a time: what a socket's receive buffer holds by default, whatever their size

_CLONE_NEWUSER: Final = 0x10000000  # linux/sched.h
_CLONE_NEWNET: Final = 0x40000000
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN_NO_PI: Final = 0x1001
_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_IFF_UP: Final = 0x1
_ETH_P_IP: Final = 0x0800  # linux/if_ether.h
_NAME: Final = b"tun0"
_LARGEST: Final = 65_536
_PATIENCE: Final = 1.0  # seconds until a packet counts as lost
_PROGRAM: Final = ["-m", "wintun_sim.bench.tun"]


class Tun:
    """Both ends of a TUN device; a context manager that closes them.

    ``device`` and ``stack`` are descriptors that do not block; one write or read is one packet.
    """

    def __init__(self) -> None:
        """Make the device. Raises ``UnavailableError`` with the reason where that is not possible."""
        if not sys.platform.startswith("linux"):
            raise UnavailableError("TUN devices are Linux'")
        self._ffi, self._lib = native.load("wintun_sim.bench._tun")
        self.device, self.stack = _receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.device)
        os.close(self.stack)

    def carry(self, source: int, target: int, packet: bytes, count: int) -> None:
        """Carry a packet ``count`` times, a multiple of BURST, from one end to the other, in C.

        Raises ``WintunSimError`` when not all arrived.
        """
        arrived = self._lib.tun_carry(
            source, target, self._ffi.from_buffer("unsigned char[]", packet), len(packet), BURST, count // BURST
        )
        if arrived != count:
            raise WintunSimError(f"bench: of {count} packets through the TUN device {arrived} arrived")

    def carry_list(self, source: int, target: int, packets: Sequence[bytes]) -> list[bytes]:
        """Carry packets of one size, and return those that arrived, in Python.

        Raises ``WintunSimError`` when not all arrived.
        """
        arrived: list[bytes] = []
        for first in range(0, len(packets), BURST):
            burst = packets[first : first + BURST]
            for packet in burst:
                os.write(source, packet)
            awaited = len(arrived) + len(burst)
            while len(arrived) < awaited:
                try:
                    packet = os.read(target, _LARGEST)
                except BlockingIOError:
                    if not select.select([target], [], [], _PATIENCE)[0]:
                        raise WintunSimError("bench: a packet through the TUN device did not arrive") from None
                    continue
                if len(packet) == len(burst[0]):
                    arrived.append(packet)
        return arrived


def _receive() -> tuple[int, int]:
    """Return device and stack of the process that makes them."""
    here, there = socket.socketpair()
    with here:
        with there:
            done = subprocess.run(
                [sys.executable, *_PROGRAM, str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        if done.returncode != 0:
            raise UnavailableError(f"no TUN device: {(done.stderr.strip() or 'unknown reason').splitlines()[-1]}")
        _, descriptors, _, _ = socket.recv_fds(here, 1, 2)
    device, stack = descriptors
    return device, stack


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "a network namespace")


def _make() -> tuple[int, socket.socket]:
    """Return the two ends of a device in a new namespace, which this process then is in."""
    import fcntl

    _unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    silent = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
    if silent.exists():  # or the system would ask for routers through the device
        silent.write_text("1")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", _NAME, _IFF_TUN_NO_PI))
    stack = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(_ETH_P_IP))
    fcntl.ioctl(stack, _SIOCSIFFLAGS, struct.pack("16sH22x", _NAME, _IFF_UP))
    stack.bind((_NAME.decode(), _ETH_P_IP))
    return device, stack


def main(descriptor: int) -> None:
    """Make a device and send its ends to the socket ``descriptor``; on failure, the last line says why."""
    try:
        device, stack = _make()
    except OSError as error:
        sys.exit(f"{error.filename or 'its set-up'}: {error.strerror}")
    with socket.socket(fileno=descriptor) as parent:
        socket.send_fds(parent, [b"!"], [device, stack.fileno()])


if __name__ == "__main__":
    main(int(sys.argv[1]))
