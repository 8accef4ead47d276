"""MQTT 3.1.1 and 5.0 as bytes: for tests that choose packet ids, DUP and acknowledgements."""
import contextlib
import socket

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)
NAMES = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
         "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT",
         "AUTH")
QUOTA_EXCEEDED = 0x97
SECONDS_MAX = 20


def length(n):
    out = bytearray()
    while True:
        n, digit = n >> 7, n & 0x7f
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return len(value).to_bytes(2, "big") + value


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + length(len(body)) + body


def auth_properties(method, data):
    return b"\x15" + text(method) + b"\x16" + text(data)


def connect(name, version=4, clean=False, username=None, password=None, method=None, data=b"",
            will=None):
    """`will`: its topic; the payload is "will"."""
    flags = 2 * clean | 0x80 * (username is not None) | 0x40 * (password is not None)
    flags |= 4 * (will is not None)
    body = text("MQTT") + bytes([version, flags, 0, 0])
    if version == 5:        # the session outlives the connection
        properties = b"" if clean else b"\x11\xff\xff\xff\xff"
        if method is not None:
            properties += auth_properties(method, data)
        body += length(len(properties)) + properties
    body += text(name)
    if will is not None:
        body += (b"\0" if version == 5 else b"") + text(will) + text("will")
    for credential in username, password:
        body += b"" if credential is None else text(credential)
    return packet(CONNECT, 0, body)


def auth(reason, method, data):
    properties = auth_properties(method, data)
    return packet(AUTH, 0, bytes([reason]) + length(len(properties)) + properties)


def publish(topic, payload, qos=0, number=0, version=4, dup=False, retain=False):
    body = text(topic)
    if qos > 0:
        body += number.to_bytes(2, "big")
    if version == 5:
        body += b"\0"
    return packet(PUBLISH, 8 * dup | qos << 1 | retain, body + payload)


def ack(kind, number):
    return packet(kind, 2 if kind == PUBREL else 0, number.to_bytes(2, "big"))


def subscribe(number, topic_filter, qos, version=4, *more):
    """`more` are filters, too."""
    body = number.to_bytes(2, "big") + (b"\0" if version == 5 else b"")
    for one in (topic_filter, *more):
        body += text(one) + bytes([qos])
    return packet(SUBSCRIBE, 2, body)


class Packet:
    """One packet from the broker, with what of it tests ask for."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body = first >> 4, first & 15, bytes(body)
        self.number, self.reason = 0, 0
        if self.kind == PUBLISH:
            self.dup, self.qos, self.retain = bool(first & 8), first >> 1 & 3, bool(first & 1)
            at = 2 + int.from_bytes(body[:2], "big")
            self.topic = self.body[2:at].decode()
            if self.qos:
                self.number = int.from_bytes(body[at:at + 2], "big")
                at += 2
            if version == 5:
                assert body[at] < 128
                at += 1 + body[at]
            self.payload = self.body[at:]
        elif PUBACK <= self.kind <= PUBCOMP:
            self.number = int.from_bytes(body[:2], "big")
            self.reason = body[2] if len(body) > 2 else 0
        elif self.kind in (SUBACK, UNSUBACK):
            self.number, self.reason = int.from_bytes(body[:2], "big"), body[-1]
        elif self.kind == CONNACK:
            self.present, self.reason = bool(body[0] & 1), body[1]
        elif self.kind in (DISCONNECT, AUTH):
            self.reason = body[0] if body else 0

    def __repr__(self):
        return f"{NAMES[self.kind]}(id={self.number} reason={self.reason:#x} {self.body[:40]!r})"


class Reader:
    """Bytes in, packets out."""

    def __init__(self, version):
        self.version, self.bytes = version, bytearray()

    def feed(self, some):
        data = self.bytes
        data += some
        at, got = 0, []
        while True:
            size = shift = 0
            body = at + 1
            while body < len(data):
                digit = data[body]
                size |= (digit & 0x7f) << shift
                shift += 7
                body += 1
                if digit < 128:
                    break
            else:
                break
            if len(data) < body + size:
                break
            got.append(Packet(data[at], data[body:body + size], self.version))
            at = body + size
        del data[:at]
        return got


class Closed(Exception):
    """The broker has closed the connection."""


def link(to):
    """`to` is a port of this machine, or the link itself, which is open."""
    if not isinstance(to, int):
        return to
    made = socket.create_connection(("127.0.0.1", to), timeout=SECONDS_MAX)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class Client:
    """A blocking client: sends what it is told to, and hands over what comes."""

    def __init__(self, to, name, version=4, clean=False, **more):
        """`to`: a port of this machine, or a link that is open."""
        self.version, self.reader, self.waiting = version, Reader(version), []
        self.socket = link(to)
        self.send(connect(name, version, clean, **more))
        connack = self.take(CONNACK)
        assert connack.reason == 0, connack
        self.present = connack.present

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as gone:
            raise Closed from gone

    def publish(self, topic, payload, qos=0, number=0, **more):
        self.send(publish(topic, payload, qos, number, self.version, **more))

    def next(self):
        """The next packet, whatever it is."""
        while not self.waiting:
            try:
                some = self.socket.recv(1 << 16)
            except ConnectionResetError:
                some = b""
            if not some:
                raise Closed
            self.waiting += self.reader.feed(some)
        return self.waiting.pop(0)

    def take(self, kind, number=None):
        got = self.next()
        assert got.kind == kind and number in (None, got.number), (NAMES[kind], number, got)
        return got

    def subscribe(self, topic_filter, qos, number=1):
        self.send(subscribe(number, topic_filter, qos, self.version))
        assert self.take(SUBACK, number).reason == qos

    def ping(self):
        """All that came before the answer."""
        self.send(packet(PINGREQ, 0, b""))
        got = []
        while not got or got[-1].kind != PINGRESP:
            got.append(self.next())
        return got[:-1]

    def is_closed(self):
        """Once the broker has said all it has to say."""
        try:
            while True:
                self.next()
        except Closed:
            return True

    def close(self):
        self.socket.close()


def raw_connect(port, name, version, username=None, password=None):
    """A connection whose CONNECT was sent, and no more."""
    made = link(port)
    made.sendall(connect(name, version, True, username, password))
    return made


def connack_reason(link, version):
    """Closes it."""
    reader, got = Reader(version), []
    with contextlib.closing(link):
        while not got:
            some = link.recv(1 << 16)
            if not some:
                raise Closed
            got = reader.feed(some)
    assert got[0].kind == CONNACK, got
    return got[0].reason


def connect_reason(port, name, username=None, password=None):
    """What a v5 client's CONNECT is answered with."""
    return connack_reason(raw_connect(port, name, 5, username, password), 5)


def is_refused(port, topic, qos):
    """Whether a message is, in the end: its shard may not have heard yet that the store fails."""
    for _ in range(1000):
        client = Client(port, "refused", 5, clean=True)
        client.publish(topic, b"refused", qos, 1)
        answers = client.ping()
        client.close()
        if answers:
            return answers[0].reason == QUOTA_EXCEEDED
    return False
