"""A DNS server of raw messages, by UDP and TCP at one port, that answers as a test says."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Answer = Callable[[dns.message.Message], dns.message.Message | None]


@dataclass
class DnsServer:
    """`asked`: how ("udp", "tcp") and for what name, in order. `answer` may return None: silence."""

    address: str
    asked: list[tuple[str, str]] = field(default_factory=list)


def records(*lines: str, rcode: int = dns.rcode.NOERROR) -> Answer:
    """SRV records as a zone has them: "10 5 8082 router-1.example."; NXDOMAIN and such by `rcode`."""

    def answer(query: dns.message.Message) -> dns.message.Message:
        made = dns.message.make_response(query)
        made.set_rcode(rcode)
        if lines:
            made.answer.append(dns.rrset.from_text(query.question[0].name, 30, "IN", "SRV", *lines))
        return made

    return answer


def silence(_: dns.message.Message) -> None:
    """Says nothing."""


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, line = self.request
        if said := self.server.respond("udp", data):
            line.sendto(said, self.client_address)


class _Tcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        if said := self.server.respond("tcp", self.rfile.read(length)):
            self.wfile.write(struct.pack("!H", len(said)) + said)


@contextmanager
def dns_server(answer: Answer, *, by_udp: Answer | None = None) -> Iterator[DnsServer]:
    """`by_udp`: where that differs from what is answered by TCP."""

    def respond(how: str, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        made.asked.append((how, query.question[0].name.to_text()))
        said = (by_udp or answer if how == "udp" else answer)(query)
        return said.to_wire() if said else b""

    with ExitStack() as stack:
        tcp = stack.enter_context(socketserver.TCPServer(("127.0.0.1", 0), _Tcp))
        udp = stack.enter_context(socketserver.UDPServer(tcp.server_address, _Udp))
        made = DnsServer("{}:{}".format(*tcp.server_address))
        for server in (tcp, udp):
            server.respond = respond
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
        yield made
