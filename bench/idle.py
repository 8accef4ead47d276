#!/usr/bin/env python3
"""What linnetd's memory holds: idle connections, subscriptions, queued and retained messages.

    LINNETD=build/linnetd bench/idle.py [SUBJECT[=COUNT]]...

    connections    idle ones, each with a session, a client id and an exact filter of 20 bytes
    websocket      the same over WebSocket
    durable        the same over TCP, and their sessions are kept
    exact          filters of 20 bytes in one session
    wildcard       the same, with a + in each
    queued         messages of 100 bytes at QoS 1 for one client that is away
    retained       messages of 100 bytes, each for a topic of 20 bytes

All of them unless said otherwise. A figure is the growth of the process's anonymous memory
(RssAnon) by the count. How many connections there can be is decided by how many descriptors the
broker may have.
"""
import multiprocessing
import pathlib
import re
import resource
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test" / "integration"))
# pylint: disable=wrong-import-position
import daemon  # noqa: E402
import web  # noqa: E402
import wire  # noqa: E402

DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CONNECTORS = 4          # processes that connect
BURST = 1000            # packets that are answered together
PAYLOAD = b"x" * 100


def memory(broker):
    text = pathlib.Path(f"/proc/{broker.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) * 1024


def settled(broker):
    """When it stays the same for a while: what was retired is freed, journals are written."""
    before, after = -1, memory(broker)
    while before != after:
        time.sleep(2)
        before, after = after, memory(broker)
    return after


def connect_some(port, kind, numbers, pipe):
    clients = []
    for number in numbers:
        link = web.Web(port) if kind == "websocket" else port
        client = wire.Client(link, f"client-{number:013d}", clean=kind != "durable")
        client.subscribe(f"room/{number:09d}/value", 1)
        clients.append(client)
    pipe.send(len(clients))
    pipe.recv()


def connections(broker, kind, count):
    port = broker.web if kind == "websocket" else broker.port
    helpers = []
    for first in range(CONNECTORS):
        ours, theirs = multiprocessing.Pipe()
        helper = multiprocessing.Process(target=connect_some, daemon=True, args=(
            port, kind, range(first, count, CONNECTORS), theirs))
        helper.start()
        helpers.append((helper, ours))
    assert sum(pipe.recv() for _, pipe in helpers) == count
    yield
    for helper, pipe in helpers:
        pipe.send("enough")
        helper.join()


def subscriptions(broker, kind, count):
    client = wire.Client(broker.port, "subscriber", clean=True)
    middle = "+" if kind == "wildcard" else "n"
    for first in range(0, count, BURST):
        names = [f"r/{number:010d}/{middle}/temp" for number in range(first, first + BURST)]
        client.send(wire.subscribe(1, names[0], 1, 4, *names[1:]))
        client.take(wire.SUBACK)
    yield
    client.close()


def messages(broker, kind, count):
    if kind == "queued":
        taker = wire.Client(broker.port, "taker")
        taker.subscribe("room/#", 1)
        taker.close()
    giver = wire.Client(broker.port, "giver", clean=True)
    for first in range(0, count, BURST):
        giver.send(b"".join(wire.publish(f"room/{number:09d}/value", PAYLOAD, 1,
                                         1 + number % BURST, retain=kind == "retained")
                            for number in range(first, first + BURST)))
        for _ in range(BURST):
            giver.take(wire.PUBACK)
    yield
    giver.close()


SUBJECTS = {
    "connections": (connections, 19000), "websocket": (connections, 19000),
    "durable": (connections, 19000), "exact": (subscriptions, 1000000),
    "wildcard": (subscriptions, 100000), "queued": (messages, 200000),
    "retained": (messages, 200000),
}


def measure(kind, count):
    fill = SUBJECTS[kind][0]
    with tempfile.TemporaryDirectory() as folder:
        web_port = daemon.free_port()
        broker = daemon.Daemon(folder, listener__ws__web=f"127.0.0.1:{web_port}",
                               durability="relaxed" if kind == "durable" else "memory",
                               mqtt__mqueue__max_memory=1 << 30)
        broker.web = web_port
        broker.start()
        empty = settled(broker)
        filling = fill(broker, kind, count)
        next(filling)
        grown = settled(broker) - empty
        print(f"{kind:12} {count:8}  {grown / count:7.0f} bytes each", flush=True)
        next(filling, None)
        broker.kill()


for argument in sys.argv[1:] or SUBJECTS:
    subject, _, number = argument.partition("=")
    measure(subject, int(number or min(SUBJECTS[subject][1], DESCRIPTORS - 500
                                       if SUBJECTS[subject][0] is connections else 1 << 30)))
