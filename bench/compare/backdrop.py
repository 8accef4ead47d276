"""What is in a broker while it is measured: subscriptions, retained messages. Written as fast as
the broker takes them, by one client of its own."""
import pathlib
import sys

import machine

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test" / "integration"))
# pylint: disable=wrong-import-position
import wire  # noqa: E402

FILTERS = 500                   # in one SUBSCRIBE
MESSAGES = 1000                 # in one go
SETTLE_SECONDS = 60             # for an answer: a broker may be long at it


class Client(wire.Client):
    """It waits longer."""

    def __init__(self, broker, name):
        super().__init__(broker.port, name, clean=True)
        self.socket.settimeout(SETTLE_SECONDS)

    def settle(self):
        """All that was sent before has been handled."""
        self.send(wire.packet(wire.PINGREQ, 0, b""))
        while self.next().kind != wire.PINGRESP:
            continue


class Backdrop:
    """`with backdrop.of(broker) as figures`: what it has cost, until the end of the block."""

    def __init__(self, count):
        self.count = count

    def of(self, broker):
        return Filled(self, broker)

    def fill(self, client):
        raise NotImplementedError


class Filled:
    """A backdrop in a broker; its client stays connected."""

    def __init__(self, backdrop, broker):
        self.backdrop, self.broker, self.client = backdrop, broker, None

    def __enter__(self):
        pid = self.broker.child.pid
        try:
            self.client = Client(self.broker, "backdrop")
            self.client.settle()
            memory, cpu = machine.rss_kb(pid), machine.cpu_us(pid)
            self.backdrop.fill(self.client)
            self.client.settle()
        except (wire.Closed, AssertionError, OSError) as gone:
            self.__exit__()
            raise machine.Failed(f"{self.backdrop.count} were too much: {gone!r}") from gone
        count = max(self.backdrop.count, 1)
        return {"bytes_each": (machine.rss_kb(pid) - memory) * 1024 / count,
                "cpu_us_each": (machine.cpu_us(pid) - cpu) / count}

    def __exit__(self, *_):
        if self.client is not None:
            self.client.socket.close()


class Exact(Backdrop):
    """Topics in full, none of which the load uses."""

    def filter(self, number):
        return f"device/{number % 1000}/sensor/{number}"

    def fill(self, client):
        for at in range(0, self.count, FILTERS):
            some = [self.filter(n) for n in range(at, min(at + FILTERS, self.count))]
            client.send(wire.subscribe(1, some[0], 0, 4, *some[1:]))
            client.take(wire.SUBACK)


class Wildcards(Exact):
    """Filters that match nothing of the load, but of which many begin like its topics: a quarter
    each of +/N/x, bench/+/N, device/N/# and device/N/+/state."""

    shapes = ("+/{}/x", "bench/+/{}", "device/{}/#", "device/{}/+/state")

    def filter(self, number):
        return self.shapes[number % 4].format(f"n{number // 4}")


class Retained(Backdrop):
    """Messages of 64 bytes."""

    def fill(self, client):
        for at in range(0, self.count, MESSAGES):
            client.send(b"".join(wire.publish(f"device/{n % 1000}/retained/{n}", b"r" * 64,
                                              retain=True)
                                 for n in range(at, min(at + MESSAGES, self.count))))
            client.settle()
