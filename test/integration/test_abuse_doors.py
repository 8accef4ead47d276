"""Who abuses what lies below MQTT: TLS, WebSocket, the PROXY header. What holds is the same as in
test_abuse."""
import itertools
import ssl
import subprocess

import pytest

import daemon
import wire
from authority import Authority
from siege import BY_DEFAULT, Siege, attackers
from test_abuse import KB, MB
from web import Web

HELLO_BYTES = 300               # less than any ClientHello of OpenSSL's
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates")).issue("server")

pytestmark = BY_DEFAULT


@pytest.fixture
def siege(daemons, tmp_path, certificate):
    made = itertools.count()

    def make(kind, **more):
        """Attackers come by a listener of that kind."""
        options = {f"listener.{kind}.door.{key}": value for key, value in more.items()}
        if kind == "tls":
            options[f"listener.{kind}.door.certfile"] = certificate[0]
            options[f"listener.{kind}.door.keyfile"] = certificate[1]
        port = daemon.free_port()
        it = Siege(daemons, tmp_path / str(next(made)), durability="memory",
                   **{f"listener.{kind}.door": f"127.0.0.1:{port}", **options})
        it.port = port
        return it
    return make


# ---- TLS -----------------------------------------------------------------------------------------

def client_hello():
    """The first flight of a client, which has nothing that one could go on with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    begun = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    return outgoing.read()


def test_handshakes_that_do_not_go_on(siege):
    it, count, hello = siege("tls"), attackers(), client_hello()
    with it.attack("TLS: half a ClientHello", count, 48 * KB) as links:
        links.many(count, hello[:HELLO_BYTES // 2])
        it.watcher.wait_for(connections=count + 3)
    it = siege("tls")
    with it.attack("TLS: a ClientHello, and no more", count, 96 * KB) as links:
        for link in links.many(count, hello):
            assert link.recv(1)
    it = siege("tls")
    with it.attack("TLS: a ClientHello, and gone", count, 96 * KB) as links:
        for _ in range(count):
            link = links.open()
            links.send(link, hello)
            link.close()


def test_what_is_not_tls(siege):
    it, count = siege("tls"), attackers()
    with it.attack("TLS: plain CONNECTs", count, 48 * KB) as links:
        links.wait_closed(links.many(count, wire.connect("plain", 5, clean=True)))
    assert it.said("connection.refused", "transport=", "skipped=")
    it = siege("tls")
    with it.attack("TLS: records of zeros", count, 48 * KB) as links:
        links.pour(links.many(count), [b"\x16\x03\x01\x40\x00" + bytes(16384)], 4)
    assert it.said("connection.refused")


def test_nobody_negotiates_again(siege, certificate):
    """TLS 1.2 had it. OpenSSL's client asks when it reads R."""
    it = siege("tls")
    with it.attack("TLS 1.2: renegotiation", 1, MB):
        asked = subprocess.run(["openssl", "s_client", "-tls1_2", "-connect",
                                f"127.0.0.1:{it.port}"], input=b"R\n", capture_output=True,
                               timeout=wire.SECONDS_MAX, check=False)
    assert b"RENEGOTIATING" in asked.stdout + asked.stderr
    assert b"no renegotiation" in asked.stdout + asked.stderr


# ---- WebSocket -----------------------------------------------------------------------------------

def upgrade(fields=""):
    return (f"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
            f"Sec-WebSocket-Protocol: mqtt\r\n{fields}\r\n").encode()


def frame(opcode, payload, final=True, masked=True, size=None):
    """`size`: what it says of its length."""
    size = len(payload) if size is None else size
    first = bytes([0x80 * final | opcode])
    mask = 0x80 if masked else 0
    length = (bytes([mask | size]) if size < 126 else
              bytes([mask | 126]) + size.to_bytes(2, "big") if size < 1 << 16 else
              bytes([mask | 127]) + size.to_bytes(8, "big"))
    return first + length + (bytes(4) if masked else b"") + payload


CONTINUATION, TEXT, BINARY, PING, PONG = 0, 1, 2, 9, 10
CONNECT = wire.connect("web", 5, clean=True)


REQUESTS = {
    "no upgrade": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", 100),
    "a path that is none": (b"GET /" + b"x" * 5000, b"y" * 5000, 100),
    "fields without end": (upgrade()[:-2], b"X-Field: value\r\n" * 64, 1000),
    "one field without end": (upgrade()[:-2] + b"X: ", b"x" * 4096, 1000),
    "binary garbage": (b"\x00\xff\x80" * 100, b"\x80\xff" * 1000, 10),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_requests(siege, what):
    first, rest, times = REQUESTS[what]
    it, count = siege("ws"), attackers(0.2)
    with it.attack(f"WebSocket: {what}", count, 48 * KB) as links:
        made = links.many(count, first)
        links.pour(made, [rest], times)
    assert it.said("connection.refused", 'transport="websocket"')


FRAMES = {
    "unmasked frames": (b"", frame(BINARY, CONNECT, masked=False), 100, True),
    "frames of 2^63 - 1 bytes": (b"", frame(BINARY, b"x" * 1000, size=(1 << 63) - 1), 1, True),
    "a CONNECT in a frame of 1 GB that does not end": (
        b"", frame(BINARY, b"\x10" + wire.length(100000) + b"x" * 1000, size=1 << 30), 1, True),
    "control frames that are too long": (b"", frame(PING, b"x" * 200), 10, True),
    "pings without end": (b"", frame(PING, b"x" * 100) * 100, 100, False),
    "pongs without end": (b"", frame(PONG, b"x" * 100) * 100, 100, False),
    "empty fragments without end": (frame(BINARY, b"", final=False),
                                    frame(CONTINUATION, b"", final=False) * 1000, 100, False),
    "fragments of a byte without end": (frame(BINARY, b"\x10", final=False),
                                        frame(CONTINUATION, b"\x7f", final=False) * 1000, 10,
                                        True),
    "unknown opcodes": (b"", frame(5, b"x"), 10, True),
    "text": (b"", frame(TEXT, CONNECT), 10, True),
}


@pytest.mark.parametrize("what", FRAMES)
def test_frames(siege, what):
    """Before there is a CONNECT."""
    first, rest, times, named = FRAMES[what]
    it, count = siege("ws"), attackers(0.2)
    with it.attack(f"WebSocket: {what}", count, 64 * KB) as links:
        made = links.many(count, upgrade() + first)
        links.pour(made, [rest], times)
    said = it.said("connection.refused", 'transport="websocket"') or it.said("packet.refused")
    assert said == named


def test_a_client_that_pings_without_end(siege):
    """Frames of WebSocket's own do not keep it from its turn's end."""
    it, count = siege("ws"), attackers(0.1)
    with it.attack("WebSocket: a client's pings and fragments", count, 96 * KB, count) as links:
        made = []
        for i in range(count):
            web = Web(links.open())
            web.connect(f"web-{i}")
            made.append(web.socket)
        links.pour(made, [frame(PING, b"x" * 100) * 50 + frame(BINARY, b"", final=False)
                          + frame(PING, b"") + frame(CONTINUATION, b"\xc0\0")], 100)


# ---- the PROXY header ----------------------------------------------------------------------------

V2 = b"\r\n\r\n\0\r\nQUIT\n"
SPOOFED = {"version 1": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 1883\r\n",
           "version 2": V2 + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 7, 91])}


@pytest.mark.parametrize("version", SPOOFED)
def test_headers_of_who_is_no_proxy(siege, version):
    it, count = siege("tcp", proxy_protocol="on", proxy_protocol_trusted="192.0.2.0/24",
                      allow_anonymous="on"), attackers(4)
    with it.attack(f"PROXY {version} from who is no proxy", count, 4 * KB) as links:
        for _ in range(count):
            link = links.open()
            links.send(link, SPOOFED[version] + wire.connect("spoofed", 5, clean=True))
            link.close()
    assert it.said("connection.denied", 'why="not one of proxy_protocol_trusted"', "skipped=")
    assert not any("spoofed" in line for line in it.daemon.lines)


HEADERS = {
    "version 1 without end": (b"PROXY TCP4 ", b"1" * 100, 100),
    "version 2 of 64 KB": (V2 + b"\x21\x11\xff\xff", b"\0" * 4096, 32),
    "version 2 that does not go on": (V2[:8], b"", 0),
    "half of version 1": (b"PROXY TC", b"", 0),
}


@pytest.mark.parametrize("what", HEADERS)
def test_headers_of_a_proxy(siege, what):
    first, rest, times = HEADERS[what]
    it, count = siege("tcp", proxy_protocol="on", proxy_protocol_trusted="127.0.0.1",
                      proxy_protocol_timeout="1s", allow_anonymous="on"), attackers()
    with it.attack(f"PROXY {what}", count, 80 * KB) as links:
        made = links.many(count, first)
        links.pour(made, [rest], times)
        links.wait_closed(made)
    assert it.said("connection.refused")
