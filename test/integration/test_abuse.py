"""Who stalls, floods, or sends what is too large, deep or many, over TCP: a pair of clients beside
them gets every message in order, the broker's memory stays within what is said here for each
connection, all of it goes again, and the log says what happened in a bounded number of lines.

`make abuse CONNECTIONS=2000` prints the figures that doc/security.md has.
"""
import itertools

import pytest

import wire
from siege import BY_DEFAULT, Siege, attackers

KB, MB = 1 << 10, 1 << 20
CONNECT_MAX = 128 * KB          # mqtt.max_packet_size_before_connect
PACKET_MAX = MB                 # mqtt.max_packet_size
LARGEST = b"\xff\xff\xff\x7f"   # the largest remaining length there is
PROTOCOL_ERROR, TOO_LARGE = 0x82, 0x95

pytestmark = BY_DEFAULT


@pytest.fixture
def siege(daemons, tmp_path):
    made = itertools.count()

    def make(**options):
        return Siege(daemons, tmp_path / str(next(made)), durability="memory", **options)
    return make


def connect_packet(properties=b"", name=b"a"):
    body = (wire.text("MQTT") + bytes([5, 2, 0, 0]) + wire.length(len(properties)) + properties
            + wire.text(name))
    return wire.packet(wire.CONNECT, 0, body)


def user_properties(count):
    return b"\x26\0\0\0\0" * count


def publish_packet(topic=b"t", properties=b"", payload=b""):
    return wire.packet(wire.PUBLISH, 0, wire.text(topic) + wire.length(len(properties))
                       + properties + payload)


def subscribe_packet(filters, properties=b"", number=1):
    body = number.to_bytes(2, "big") + wire.length(len(properties)) + properties
    return wire.packet(wire.SUBSCRIBE, 2, body + b"".join(wire.text(one) + b"\0"
                                                          for one in filters))


def reasons_of(said, version=5):
    """Those of DISCONNECT packets, one for each client."""
    reasons = []
    for data in said:
        got = [one for one in wire.Reader(version).feed(data) if one.kind == wire.DISCONNECT]
        reasons.append(got[-1].reason if got else None)
    return reasons


# ---- who stalls ----------------------------------------------------------------------------------

def test_connections_that_say_nothing(siege):
    it, count = siege(), attackers(4)
    with it.attack("connections that say nothing", count, 4 * KB) as links:
        links.many(count)
        it.watcher.wait_for(connections=count + 3)


def test_connect_packets_that_do_not_end(siege):
    """Half of the packet is there: what was announced costs nothing, what was sent what it is."""
    it, count = siege(), attackers(8)
    packet = wire.packet(wire.CONNECT, 0, connect_packet()[2:] + b"x" * 100 * KB)
    with it.attack("half-sent CONNECTs that announce 100 KB", count, 6 * KB) as links:
        links.many(count, packet[:200])
        it.watcher.wait_for(connections=count + 3)
    count = attackers(0.5)
    it = siege()
    with it.attack("CONNECTs of 100 KB without the last byte", count,
                   CONNECT_MAX + 8 * KB) as links:
        links.many(count, packet[:-1])
        it.watcher.wait_for(connections=count + 3)


def test_publish_packets_that_do_not_end(siege):
    it, count = siege(), attackers(2)
    packet = publish_packet(payload=b"x" * (PACKET_MAX - 100))
    with it.attack("half-sent PUBLISHs that announce 1 MB", count, 12 * KB, count) as links:
        for link in links.clients(count):
            links.send(link, packet[:200])
        it.watcher.wait_for(connections=count + 3)
    count = attackers(0.1)
    it = siege()
    with it.attack("PUBLISHs of 1 MB without the last byte", count, PACKET_MAX + 16 * KB,
                   count) as links:
        for link in links.clients(count):
            links.send(link, packet[:-1])
        it.watcher.wait_for(connections=count + 3)


def test_a_byte_at_a_time(siege):
    """Each byte is progress, and none of them buys time."""
    it, count = siege(**{"mqtt.client.idle_timeout": "1s"}), attackers()
    packet = connect_packet(user_properties(500))
    with it.attack("slowloris: a byte at a time", count, 6 * KB) as links:
        open_links = links.many(count)
        for at in range(len(packet) - 1):
            open_links = [link for link in open_links if links.send(link, packet[at:at + 1])]
            if not open_links:
                break
        links.wait_closed(links.all)
    assert it.said("connection.refused", 'why="no CONNECT in time"')


# ---- what is too large, deep or many -------------------------------------------------------------

def test_giant_lengths(siege):
    it, count = siege(), attackers(2)
    with it.attack("remaining length of 256 MB, first packet", count, 6 * KB) as links:
        links.wait_closed(links.many(count, b"\x10" + LARGEST + b"\0\4MQTT\5"))
    assert it.said("packet.refused", 'packet="CONNECT"', 'reason="packet_too_large"')
    it = siege()
    with it.attack("remaining length of five bytes", count, 6 * KB) as links:
        links.wait_closed(links.many(count, b"\x10" + b"\xff\xff\xff\xff\x7f"))
    assert it.said("packet.refused", 'reason="malformed_packet"')
    it = siege()
    with it.attack("remaining length of 256 MB, once connected", count, 12 * KB, count) as links:
        made = links.clients(count)
        for link in made:
            links.send(link, b"\x30" + LARGEST)
        assert set(reasons_of(links.wait_closed(made))) == {TOO_LARGE}
    assert it.said("packet.refused", 'packet="PUBLISH"', 'reason="packet_too_large"')


def test_properties_without_number(siege):
    it, count = siege(), attackers()
    with it.attack("CONNECT with 20000 user properties", count, 6 * KB) as links:
        links.wait_closed(links.many(count, connect_packet(user_properties(20000))))
    it = siege()
    with it.attack("PUBLISH with 100000 user properties", count, 520 * KB, count) as links:
        made = links.clients(count)
        links.pour(made, [publish_packet(properties=user_properties(100000))], 1)
    it = siege()
    with it.attack("SUBSCRIBE with 100000 user properties", count, 520 * KB, count) as links:
        made = links.clients(count)
        links.pour(made, [subscribe_packet([b"t"], user_properties(100000))], 1)
    it = siege()
    with it.attack("properties that stand there once, twice", count, 12 * KB, count) as links:
        made = links.clients(count)
        for link in made:
            links.send(link, publish_packet(properties=b"\x01\0" * 20000))
        assert set(reasons_of(links.wait_closed(made))) == {PROTOCOL_ERROR}


TOPICS = {"64 KB": (b"x" * 65535, b"y" * 65535), "65535 levels": (b"/" * 65535, b"/" * 65535),
          "128 levels": (b"/".join([b"a"] * 128), b"/".join([b"+"] * 127) + b"/#")}


@pytest.mark.parametrize("what", TOPICS)
def test_deep_and_long_topics(siege, what):
    it, count = siege(), attackers(0.2)
    topic, topic_filter = TOPICS[what]
    with it.attack(f"SUBSCRIBE and PUBLISH, topics of {what}", count, 512 * KB, count) as links:
        made = links.clients(count)
        links.pour(made, [subscribe_packet([topic_filter]), publish_packet(topic)], 20)


def test_filters_without_number(siege):
    """So many as a packet may have, other ones for each client: what they hold is given back."""
    it, count = siege(), attackers(0.02)
    with it.attack("4096 filters in each SUBSCRIBE", count, 16 * MB, count) as links:
        for i, link in enumerate(links.clients(count)):
            links.send(link, subscribe_packet([b"%d/%d/+/#" % (i, n) for n in range(4096)]))
        it.watcher.wait_for(subscriptions=it.rest["subscriptions"] + 1 + 4096 * count)
    it = siege()
    with it.attack("8192 filters in one SUBSCRIBE", count, MB, count) as links:
        made = links.clients(count)
        for link in made:
            links.send(link, subscribe_packet([b"%d" % n for n in range(8192)]))
        links.wait_closed(made)
    assert it.said("packet.refused", 'packet="SUBSCRIBE"')


# ---- who floods ----------------------------------------------------------------------------------

def test_connections_from_one_address(siege):
    """It is known by its address, so its flood is not the others' loss."""
    it = siege(**{"limits.exempt_loopback": "off", "limits.max_conn_rate_per_address": "50",
                  "mqtt.allow_anonymous": "on"})
    count = attackers(8)
    with it.attack("connections from one address, beyond its rate", count, 4 * KB,
                   attackers(8)) as links:
        for _ in range(count):
            link = links.open(host="127.0.0.2")
            links.send(link, wire.connect("flood", 5, clean=True))
    assert it.said("connection.refused", 'why="beyond limits.max_conn_rate_per_address"')


def test_connects_that_are_refused(siege):
    """Each of them is a whole CONNECT, and no line of its own."""
    it, count = siege(**{"ban.clientids": "banned"}), attackers(8)
    with it.attack("CONNECTs of who is banned", count, 6 * KB) as links:
        for link in links.many(count, wire.connect("banned", 5, clean=True)):
            link.close()
    assert it.said("client.refused", 'client="banned"', 'reason="banned"')


def test_clients_that_take_over_from_each_other(siege):
    it, count = siege(), attackers(4)
    with it.attack("one client id, again and again", count, 12 * KB, count) as links:
        links.many(count, wire.connect("same", 5, clean=True))
        it.watcher.wait_for(clients=it.rest["clients"] + 3)


FLOODS = {
    "PINGREQ": ([wire.packet(wire.PINGREQ, 0, b"") * 1000], False),
    "SUBSCRIBE and UNSUBSCRIBE": (
        [subscribe_packet([b"a/+/b", b"$share/g/a"])
         + wire.packet(wire.UNSUBSCRIBE, 2,
                       b"\0\1\0" + wire.text("a/+/b") + wire.text("$share/g/a"))], False),
    "AUTH that nobody asked for": ([wire.auth(0x18, "x", b"y") * 100], True),
    "PUBACK for nothing": ([wire.ack(wire.PUBACK, 7) * 1000], False),
    "PUBLISH at QoS 2 without PUBREL": (
        [b"".join(wire.publish("t", b"x", 2, n, 5) for n in range(1, 101))], False),
}


@pytest.mark.parametrize("what", FLOODS)
def test_packets_without_end(siege, what):
    chunks, ends = FLOODS[what]
    it, count = siege(), attackers(0.1)
    with it.attack(f"a flood of {what}", count, 256 * KB, count) as links:
        links.pour(links.clients(count), chunks, attackers(0.2))
    assert it.said("packet.refused") == ends


@pytest.mark.parametrize("qos", [0, 1])
def test_subscribers_that_never_read(siege, qos):
    """What waits for each has its bound: the output's, and the queue's."""
    it = siege(**{"mqtt.mqueue.max_bytes": "256KB", "mqtt.client.output_high": "64KB"})
    count = attackers(0.1)
    with it.attack(f"subscribers at QoS {qos} that never read", count, 768 * KB,
                   count + 1) as links:
        deaf = links.clients(count, name="deaf")
        for link in deaf:
            links.send(link, wire.subscribe(1, "flood/#", qos, 5))
        it.watcher.wait_for(subscriptions=it.rest["subscriptions"] + 1 + count)
        loud = links.clients(1, name="loud")
        links.pour(loud, [wire.publish("flood/a", b"x" * 8000, qos, 1, 5)], 4000)
