"""Records the captures that ship with the package: real traffic of two Linux network stacks.

    python tests/data/record_captures.py [DIRECTORY]        (as root, with iproute2 and ping)

Two network namespaces stand for two machines. Each has one TUN device; this script is the wire between them: it reads
every packet that one stack sends, notes it, and hands it to the other. What crosses the wire is made by ordinary
programs: ping, the C library's resolver, sockets. Nothing outside of the two namespaces is changed, and they are
removed at the end.
"""

import argparse
import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wintun_sim.integrations.pcap import Captured, write_packets

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

# Addresses that are set aside for documentation: RFC 5737 and RFC 3849.
ADDRESSES_4 = ("192.0.2.1", "192.0.2.2")
ADDRESSES_6 = ("2001:db8::1", "2001:db8::2")
LARGEST_PACKET = 61_424
QUIET_SECONDS = 0.5


@dataclass
class Machine:
    """A network namespace with one TUN device, whose other end is `descriptor`."""

    name: str
    address_4: str
    address_6: str
    descriptor: int = -1

    def command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str) -> None:
        subprocess.run(self.command(*arguments), check=True, stdout=subprocess.DEVNULL)

    def set_mtu(self, mtu: int) -> None:
        self.run("ip", "link", "set", "tun0", "mtu", str(mtu))


@dataclass
class Wire:
    """Carries packets between two machines, and notes them."""

    machines: tuple[Machine, Machine]
    packets: list[Captured] = field(default_factory=list)

    def carry(self, until: Callable[[], bool]) -> None:
        """Carry packets until `until` holds and then no packet comes for a while."""
        ends = {self.machines[0].descriptor: self.machines[1], self.machines[1].descriptor: self.machines[0]}
        deadline = time.monotonic() + 60
        while True:
            readable, _, _ = select.select(list(ends), [], [], QUIET_SECONDS)
            if not readable and until():
                return
            if time.monotonic() > deadline:
                raise TimeoutError("the traffic did not end within a minute")
            for descriptor in readable:
                data = os.read(descriptor, 65_536)
                self.packets.append(Captured(time.time_ns(), data))
                os.write(ends[descriptor].descriptor, data)


def main() -> int:
    parser = argparse.ArgumentParser(description="Record the captures that ship with the package.")
    default = Path(__file__).parents[2] / "sim" / "wintun_sim" / "captures"
    parser.add_argument("directory", nargs="?", type=Path, default=default)
    parser.add_argument("--serve", choices=sorted(SERVERS), help=argparse.SUPPRESS)
    parser.add_argument("--family", choices=("4", "6"), default="4", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        SERVERS[arguments.serve](arguments.family)
        return 0
    if os.geteuid() != 0:
        print("record_captures.py: network namespaces and TUN devices need root", file=sys.stderr)
        return 2
    with two_machines() as machines:
        for name, traffic in CAPTURES.items():
            wire = Wire(machines)
            traffic(wire)
            count = write_packets(arguments.directory / f"{name}.pcap", wire.packets)
            print(f"{name}.pcap: {count} packets, {sum(len(packet.data) for packet in wire.packets)} bytes")
    return 0


@contextlib.contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Set up two machines that can reach each other, and take them away afterwards."""
    machines = tuple(
        Machine(f"wintun-sim-{os.getpid()}-{side}", *addresses)
        for side, addresses in enumerate(zip(ADDRESSES_4, ADDRESSES_6, strict=True))
    )
    with contextlib.ExitStack() as stack:
        for machine in machines:
            subprocess.run(["ip", "netns", "add", machine.name], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "del", machine.name], check=True)
            machine.descriptor = open_tun(machine)
            stack.callback(os.close, machine.descriptor)
            # `ip netns exec` shows these files as /etc/... to the programs it starts.
            files = Path("/etc/netns") / machine.name
            files.mkdir(parents=True)
            stack.callback(shutil.rmtree, files)
            (files / "resolv.conf").write_text(f"nameserver {ADDRESSES_4[1]}\n")
            (files / "nsswitch.conf").write_text("hosts: dns\n")
        yield (machines[0], machines[1])


def open_tun(machine: Machine) -> int:
    """Create the machine's TUN device, move it into the namespace, give it its addresses, and return our end of it."""
    device = f"ws{os.getpid() % 100_000}t{machine.name[-1]}"
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", device, "netns", machine.name, "name", "tun0"], check=True)
    # No router solicitations and no duplicate address detection: they would be in every file.
    machine.run("sysctl", "-qw", "net.ipv6.conf.tun0.accept_dad=0", "net.ipv6.conf.tun0.router_solicitations=0")
    machine.run("ip", "link", "set", "lo", "up")
    machine.run("ip", "link", "set", "tun0", "addrgenmode", "none", "up")
    machine.run("ip", "address", "add", f"{machine.address_4}/24", "dev", "tun0")
    machine.run("ip", "address", "add", f"{machine.address_6}/64", "dev", "tun0", "nodad")
    return descriptor


def client(wire: Wire, *arguments: str) -> None:
    """Run a program on the first machine and carry packets until it has ended."""
    process = subprocess.Popen(wire.machines[0].command(*arguments), stdout=subprocess.DEVNULL)
    wire.carry(until=lambda: process.poll() is not None)
    if process.returncode != 0:
        raise RuntimeError(f"{arguments} ended with status {process.returncode}")


@contextlib.contextmanager
def server(wire: Wire, name: str, family: str = "4") -> Iterator[None]:
    """Run one of SERVERS on the second machine."""
    program = [sys.executable, __file__, "--serve", name, "--family", family]
    process = subprocess.Popen(wire.machines[1].command(*program), stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the {name} server did not start")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def listening(kind: socket.SocketKind, family: str, port: int) -> socket.socket:
    """Return a bound socket, and tell the recorder that it is there."""
    version, address = (socket.AF_INET6, "::") if family == "6" else (socket.AF_INET, "0.0.0.0")
    listener = socket.socket(version, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    if kind == socket.SOCK_STREAM:
        listener.listen()
    print("ready", flush=True)
    return listener


def serve_tcp(family: str) -> None:
    """Answer a one-line request with as many bytes as it asks for, and close."""
    listener = listening(socket.SOCK_STREAM, family, 8080)
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as request:
            connection.sendall(bytes(i * i % 251 for i in range(int(request.readline()))))


def serve_udp(family: str) -> None:
    """Answer each datagram with its length, as text."""
    listener = listening(socket.SOCK_DGRAM, family, 7007)
    while True:
        data, sender = listener.recvfrom(65_536)
        listener.sendto(b"%d bytes\n" % len(data), sender)


def serve_dns(family: str) -> None:
    """Answer A and AAAA questions for www.example, and everything else with "no such name" (RFC 1035, RFC 3596)."""
    listener = listening(socket.SOCK_DGRAM, family, 53)
    known = b"\x03www\x07example\x00"
    records = {1: socket.inet_aton(ADDRESSES_4[1]), 28: socket.inet_pton(socket.AF_INET6, ADDRESSES_6[1])}
    while True:
        query, sender = listener.recvfrom(512)
        name_end = query.index(b"\0", 12) + 1
        question = query[12 : name_end + 4]
        (record_type,) = struct.unpack_from("!H", query, name_end)
        answer = b""
        if query[12:name_end].lower() == known and record_type in records:
            data = records[record_type]
            answer = struct.pack("!HHHIH", 0xC00C, record_type, 1, 300, len(data)) + data
        flags = 0x8580 if query[12:name_end].lower() == known else 0x8583
        header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        listener.sendto(header + question + answer, sender)


SERVERS: dict[str, Callable[[str], None]] = {"tcp": serve_tcp, "udp": serve_udp, "dns": serve_dns}

TCP_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 8080)) as connection:
    connection.sendall(sys.argv[2].encode() + b"\\n")
    received = 0
    while data := connection.recv(65536):
        received += len(data)
assert received == int(sys.argv[2])
"""

UDP_CLIENT = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as connection:
    connection.settimeout(5)
    connection.connect((sys.argv[1], 7007))
    for size in map(int, sys.argv[2:]):
        connection.send(bytes(i % 256 for i in range(size)))
        assert connection.recv(64) == b"%d bytes\\n" % size
"""


def ping(wire: Wire, address: str, size: int, count: int) -> None:
    client(wire, "ping", "-q", "-c", str(count), "-i", "0.01", "-s", str(size), address)


def icmp(wire: Wire) -> None:
    for size in (0, 1, 56, 1472):
        ping(wire, ADDRESSES_4[1], size, 2)


def tcp(wire: Wire) -> None:
    with server(wire, "tcp"):
        client(wire, sys.executable, "-c", TCP_CLIENT, ADDRESSES_4[1], "20000")


def udp(wire: Wire) -> None:
    with server(wire, "udp"):
        client(wire, sys.executable, "-c", UDP_CLIENT, ADDRESSES_4[1], "0", "1", "15", "16", "17", "512", "1472")
        # A datagram to a port where nobody listens brings an ICMP error back.
    client(wire, sys.executable, "-c", UDP_CLIENT.replace("assert", "continue #"), ADDRESSES_4[1], "8")


def dns(wire: Wire) -> None:
    with server(wire, "dns"):
        client(wire, "getent", "ahosts", "www.example")
        client(wire, "sh", "-c", "! getent ahosts nobody.example")


def ipv6(wire: Wire) -> None:
    ping(wire, ADDRESSES_6[1], 56, 2)
    with server(wire, "tcp", "6"):
        client(wire, sys.executable, "-c", TCP_CLIENT, ADDRESSES_6[1], "8000")
    with server(wire, "udp", "6"):
        client(wire, sys.executable, "-c", UDP_CLIENT, ADDRESSES_6[1], "0", "100", "1452")


def fragments(wire: Wire) -> None:
    ping(wire, ADDRESSES_4[1], 3000, 2)
    ping(wire, ADDRESSES_6[1], 3000, 2)


def jumbo(wire: Wire) -> None:
    for machine in wire.machines:
        machine.set_mtu(LARGEST_PACKET)
    try:
        with server(wire, "udp"):
            client(wire, sys.executable, "-c", UDP_CLIENT, ADDRESSES_4[1], str(LARGEST_PACKET - 28))
        ping(wire, ADDRESSES_6[1], 9000 - 48, 1)
    finally:
        for machine in wire.machines:
            machine.set_mtu(1500)


CAPTURES: dict[str, Callable[[Wire], None]] = {
    "icmp": icmp,
    "tcp": tcp,
    "udp": udp,
    "dns": dns,
    "ipv6": ipv6,
    "fragments": fragments,
    "jumbo": jumbo,
}

if __name__ == "__main__":
    sys.exit(main())
