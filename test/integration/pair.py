"""A publisher and a subscriber at QoS 1, in a process of their own, who mind their business while
others misbehave. Until standard input ends they exchange numbered messages, a few on their way at
once; each must come once and in order. Then a line of JSON says how many there were and how long
the slowest took.

    python3 pair.py PORT
"""
import json
import select
import sys
import time

import wire

BATCH = 8
PAUSE_SECONDS = 0.005           # leaves the machine to those who are tested
PAYLOAD = b"x" * 100


def exchange(publisher, subscriber, first):
    """A batch from number `first` on: the seconds until all of it was there and acknowledged."""
    began = time.monotonic()
    for number in range(first, first + BATCH):
        publisher.publish("pair/topic", b"%d %s" % (number, PAYLOAD), 1, number % 65535 + 1)
    for number in range(first, first + BATCH):
        got = subscriber.take(wire.PUBLISH)
        assert got.payload == b"%d %s" % (number, PAYLOAD), (number, got)
        subscriber.send(wire.ack(wire.PUBACK, got.number))
    for number in range(first, first + BATCH):
        publisher.take(wire.PUBACK, number % 65535 + 1)
    return time.monotonic() - began


def main(port):
    subscriber = wire.Client(port, "pair-subscriber", 4, clean=True)
    publisher = wire.Client(port, "pair-publisher", 4, clean=True)
    subscriber.subscribe("pair/#", 1)
    sent, worst = 0, 0.0
    while True:
        worst = max(worst, exchange(publisher, subscriber, sent))
        sent += BATCH
        if sent == BATCH:
            print("ready", flush=True)
        if select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            break
    assert subscriber.ping() == [] and publisher.ping() == []   # none came twice
    print(json.dumps({"messages": sent, "worst_ms": round(worst * 1000, 1)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
