"""Publishers and subscribers that obey the standard to the letter through any number of crashes,
and that count. One thread, non-blocking sockets; every message has a number within its stream."""
import collections
import hashlib
import random
import selectors
import socket
import time

import wire

WINDOW = 24                     # messages of one publisher on their way at once
SILENCE_SECONDS_MAX = 60        # when nothing at all comes for so long, something hangs
SIZES = (16, 16, 60, 300, 1500, 6000)


def payload_of(stream, number):
    """Bytes that show whether they are whole, of many sizes."""
    seed = hashlib.blake2b(f"{stream} {number}".encode(), digest_size=8).digest()
    return b"%d %s" % (number, seed.hex().encode() * (SIZES[seed[0] % len(SIZES)] // 16))


class Peer:
    """One client: what its session must remember is in the subclass, and outlives connections."""

    def __init__(self, fleet, name, version):
        self.fleet, self.name, self.version = fleet, name, version
        self.socket, self.online, self.was_here = None, False, False
        self.out, self.reader = bytearray(), None

    def connect(self):
        self.reader, self.out = wire.Reader(self.version), bytearray()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect(("127.0.0.1", self.fleet.port))
        except OSError:
            self.cut()
            return
        self.socket.setblocking(False)
        self.fleet.selector.register(self.socket, selectors.EVENT_READ, self)
        self.send(wire.connect(self.name, self.version))

    def cut(self):
        if self.socket is None:
            return
        if self.fleet.selector.get_map().get(self.socket) is not None:
            self.fleet.selector.unregister(self.socket)
        self.socket.close()
        self.socket, self.online = None, False

    def send(self, data):
        self.out += data

    def flush(self):
        while self.out and self.socket is not None:
            try:
                del self.out[:self.socket.send(self.out)]
            except BlockingIOError:
                return
            except OSError:
                self.cut()

    def on_readable(self):
        try:
            some = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            some = b""
        if not some:
            self.cut()
            return
        for got in self.reader.feed(some):
            self.fleet.packets += 1
            if got.kind == wire.CONNACK:
                assert got.reason == 0, got
                assert got.present or not self.was_here, f"{self.name}: its session is gone"
                self.online = True
                self.on_connected()
            else:
                self.was_here = True    # something of its session was acknowledged
                self.on_packet(got)


class Publisher(Peer):
    """Its messages go round its levels of QoS: one stream for each."""

    def __init__(self, fleet, name, version, levels, retain=False):
        super().__init__(fleet, name, version)
        self.levels, self.retain = levels, retain
        self.made = dict.fromkeys(levels, 0)            # messages of each stream so far
        self.acked = dict.fromkeys(levels, 0)
        self.owed = collections.OrderedDict()           # id -> [qos, number, received]
        self.turn = self.last_id = 0

    def publish(self, packet_id, dup):
        qos, number, _ = self.owed[packet_id]
        topic = f"{self.name}/{qos}"
        self.send(wire.publish(topic, payload_of(topic, number), qos, packet_id, self.version, dup,
                               self.retain))

    def on_connected(self):
        """All that was not acknowledged, in its order [MQTT-4.4.0-1]."""
        for packet_id, (_, _, received) in self.owed.items():
            if received:
                self.send(wire.ack(wire.PUBREL, packet_id))
            else:
                self.publish(packet_id, True)

    def more(self):
        while self.online and len(self.owed) < WINDOW and len(self.out) < 1 << 16:
            self.last_id = self.last_id % 200 + 1       # ids come again soon
            if self.last_id in self.owed:
                continue
            qos = self.levels[self.turn % len(self.levels)]
            self.turn += 1
            self.owed[self.last_id] = [qos, self.made[qos], False]
            self.made[qos] += 1
            self.publish(self.last_id, False)

    def on_packet(self, got):
        entry = self.owed.get(got.number)
        assert got.reason in (0, 0x10, 0x92), got
        if got.kind == wire.PUBREC:
            assert entry is not None and entry[0] == 2, got
            self.acked[2] += not entry[2]
            entry[2] = True
            self.send(wire.ack(wire.PUBREL, got.number))
        elif got.kind == wire.PUBCOMP:
            assert entry is not None and entry[2], got
            del self.owed[got.number]
        else:
            assert got.kind == wire.PUBACK and entry is not None and entry[0] == 1, got
            self.acked[1] += 1
            del self.owed[got.number]


class Subscriber(Peer):
    """At QoS 2 it takes a message when PUBLISH comes, and ignores the id until PUBREL."""

    def __init__(self, fleet, name, version, qos, topic_filter="#"):
        super().__init__(fleet, name, version)
        self.qos, self.filter = qos, topic_filter
        self.unreleased = set()
        self.subscribed = False
        self.seen = collections.defaultdict(collections.Counter)        # stream -> number -> times
        self.newest = collections.defaultdict(lambda: -1)
        self.acks, self.pongs = [], 0

    def on_connected(self):
        self.acks = []
        if not self.subscribed:
            self.send(wire.subscribe(1, self.filter, self.qos, self.version))

    def on_packet(self, got):
        if got.kind == wire.PUBLISH:
            if got.qos == 2:
                if got.number not in self.unreleased:
                    self.unreleased.add(got.number)
                    self.take(got)
                self.acks.append(wire.ack(wire.PUBREC, got.number))
            else:
                self.take(got)
                self.acks.append(wire.ack(wire.PUBACK, got.number))
        elif got.kind == wire.PUBREL:
            self.unreleased.discard(got.number)
            self.acks.append(wire.ack(wire.PUBCOMP, got.number))
        elif got.kind == wire.PINGRESP:
            self.pongs += 1
        else:
            assert got.kind == wire.SUBACK and got.reason == self.qos, got
            self.subscribed = True

    def take(self, got):
        stream, number = got.topic, int(got.payload.split(b" ")[0])
        assert got.payload == payload_of(stream, number), f"{stream} {number} is not whole"
        assert got.qos == min(self.qos, int(stream[-1])), got
        times = self.seen[stream]
        times[number] += 1
        if times[number] > 1:
            if got.qos == 2:
                self.fleet.complain(f"{self.name}: {stream} {number} twice")
            self.fleet.repeated += 1
        elif number < self.newest[stream] and not self.filter.startswith("$share"):
            self.fleet.complain(f"{self.name}: {stream} {number} after {self.newest[stream]}")
        self.newest[stream] = max(number, self.newest[stream])
        self.fleet.taken += 1

    def acknowledge(self):
        for data in self.acks:
            self.send(data)
        self.acks = []


class Fleet:
    def __init__(self, port, seed):
        self.port, self.random = port, random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.packets = self.taken = self.repeated = 0
        self.complaints = []
        self.publishers = [
            Publisher(self, "p-one", 4, (1,)),
            Publisher(self, "p-two", 4, (2,)),
            Publisher(self, "p-both", 5, (1, 2)),
            Publisher(self, "p-kept", 5, (2,), retain=True),
        ]
        self.group = [Subscriber(self, f"s-share-{i}", 5, 2, "$share/g/#") for i in range(2)]
        self.alone = [
            Subscriber(self, "s-one", 4, 1),
            Subscriber(self, "s-two", 4, 2),
            Subscriber(self, "s-two-5", 5, 2),
        ]
        self.subscribers = self.group + self.alone
        self.peers = self.publishers + self.subscribers

    def complain(self, words):
        self.complaints.append(words)

    def disconnect(self):
        for peer in self.peers:
            peer.cut()

    def run(self, until, publishing=True, lazy=True):
        """Turns until `until()`. Whoever lost its connection stays away."""
        last, packets = time.monotonic(), self.packets
        while not until():
            for publisher in self.publishers if publishing else ():
                publisher.more()
            for subscriber in self.subscribers:
                if subscriber.online and (not lazy or self.random.random() < 0.7):
                    subscriber.acknowledge()
            for peer in self.peers:
                peer.flush()
            for key, _ in self.selector.select(0.02):
                if key.data.socket is not None:
                    key.data.on_readable()
            if self.packets != packets:
                last, packets = time.monotonic(), self.packets
            assert time.monotonic() - last < SILENCE_SECONDS_MAX, \
                "nothing comes any more\n" + "\n".join(self.missing()[:20])

    def begin(self):
        """All sessions and subscriptions are there before the first message."""
        for peer in self.peers:
            peer.connect()
        self.run(lambda: all(s.subscribed for s in self.subscribers) and
                 all(p.online for p in self.peers), publishing=False)

    def streams(self):
        return {f"{p.name}/{qos}": p.made[qos] for p in self.publishers for qos in p.levels}

    def all_there(self):
        """Whether nothing is missing; asked in every turn, so without looking for what is."""
        return not any(p.owed for p in self.publishers) and all(
            len(set().union(*(s.seen[stream] for s in takers))) >= made
            for stream, made in self.streams().items()
            for takers in [self.group, *([s] for s in self.alone)])

    def missing(self):
        """What is not there yet, as words."""
        words = [f"{p.name} is owed {len(p.owed)} acknowledgements: {dict(p.owed)}"
                 for p in self.publishers if p.owed]
        for stream, made in self.streams().items():
            for s in self.alone:
                if len(s.seen[stream]) < made:
                    lost = [n for n in range(made) if n not in s.seen[stream]]
                    words.append(f"{s.name} lacks {len(lost)} of {stream}: {lost[:10]}")
            if sum(len(s.seen[stream]) for s in self.group) < made:
                lost = [n for n in range(made) if not any(n in s.seen[stream] for s in self.group)]
                if lost:
                    words.append(f"the group lacks {len(lost)} of {stream}: {lost[:10]}")
        return words

    def drain(self):
        """Everything published is acknowledged and has come; then nothing more comes."""
        self.run(lambda: self.all_there() and not any(s.unreleased for s in self.subscribers),
                 publishing=False, lazy=False)
        for s in self.subscribers:
            s.pongs = 0
            s.acknowledge()
            s.send(wire.packet(wire.PINGREQ, 0, b""))
        self.run(lambda: all(s.pongs for s in self.subscribers), publishing=False, lazy=False)
        for stream, made in self.streams().items():
            times = sum((s.seen[stream] for s in self.group), collections.Counter())
            for number in range(made if stream.endswith("2") else 0):
                if times[number] > 1:
                    self.complain(f"the group: {stream} {number} {times[number]} times")
