"""What is measured: the rows, each a load and the figures that are picked from its report."""
import dataclasses

import backdrop

MESSAGE = "µs/msg"
EVERYONE = ("relay", "linnet", "linnet, memory", "mosquitto")
BROKERS = EVERYONE[1:]
KEEPERS = BROKERS + ("mosquitto, persistent",)
PER_MESSAGE = ((MESSAGE, "broker.cpu_us_per_delivered", None),)
LATENCIES = tuple((f"{name} µs", f"latency_us.{path}", None)
                  for name, path in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p99_9")))

SWITCHES = {"tls": "--tls --insecure", "ws": "--ws"}        # of the generator
OTHERS = (("tls", "TLS", "the relay has no TLS"), ("ws", "WebSocket", "the relay has no WebSocket"))


@dataclasses.dataclass(frozen=True)
class Row:
    """`load` is for the generator, {seconds} in it the time that a cell gets. A figure is a label,
    a path into the report, and the path of what that is divided by or None. Who is not in `brokers`
    has "-", for the reason in `why`."""

    name: str
    load: str
    figures: tuple = PER_MESSAGE
    brokers: tuple = EVERYONE
    why: str = ""
    transport: str = "tcp"
    before: object = None       # called with the broker; its figures are report["before"]
    seconds: float = 60         # for the load, beyond its own time

    @property
    def counts_calls(self):
        return self.figures == PER_MESSAGE and self.before is None


def pairs():
    for size, words in ((16, "16 B"), (1024, "1 KB")):
        for qos in (0, 1, 2):
            yield Row(f"pairs, QoS {qos}, {words}",
                      f"pair -c 10 -w 64 -b 16 -q {qos} -s {size} -d {{seconds}}")
    for transport, words, why in OTHERS:
        yield Row(f"pairs, QoS 0, 16 B, {words}",
                  f"pair -c 10 -w 64 -b 16 -q 0 -s 16 -d {{seconds}} {SWITCHES[transport]}",
                  PER_MESSAGE, BROKERS, why, transport)
    for size, words in ((16, "16 B"), (1024, "1 KB")):
        for qos in (0, 1, 2):
            yield Row(f"one at a time, QoS {qos}, {words}",
                      f"pair -c 1 -w 1 -b 1 -q {qos} -s {size} -d {{seconds}}")


def crowds():
    for qos in (0, 1):
        yield Row(f"fan-in 100 to 1, QoS {qos}",
                  f"fanin -c 100 -t bench/all -w 16 -b 16 -q {qos} -s 16 -d {{seconds}}")
    yield Row("fan-in 100 to 5 shared, QoS 1",
              "shared -c 100 --subscribers 5 -t bench/all -w 16 -b 16 -q 1 -s 16 -d {seconds}")
    yield Row("fan-out 1 to 1000, QoS 0",
              "fanout -c 1000 -t bench/all -w 16 -b 1 -q 0 -s 16 -d {seconds}")


def latencies():
    for qos in (0, 1):
        yield Row(f"latency at 2000/s, QoS {qos}",
                  f"pair -c 10 -r 2000 -b 1 -q {qos} -s 64 -d {{seconds}}", LATENCIES)


def connections():
    yield Row("connecting", "conn -c 5000 -d 0.1",
              (("µs/connect", "phases.connect.cpu_us_per_message", None),))
    figures = (("bytes/connection", "broker.bytes_per_connection", None),)
    load = "sub -c 10000 -t bench/%i -q 0 -d 0.2"
    yield Row("idle, one subscription each", load, figures)
    for transport, words, why in OTHERS:
        yield Row(f"the same, {words}", f"{load} {SWITCHES[transport]}", figures, BROKERS, why,
                  transport)
    yield Row("coming and going", "churn -c 50 -d {seconds}",
              (("µs/cycle", "phases.churn.cpu_us_per_message", None),))


def kept():
    yield Row("pairs, QoS 0, beside 100,000 wildcards",
              "pair -c 10 -w 64 -b 16 -q 0 -s 16 -d {seconds}",
              PER_MESSAGE + (("bytes/subscription", "before.bytes_each", None),
                             ("µs/subscription", "before.cpu_us_each", None)),
              BROKERS, "the relay has no wildcards", before=backdrop.Wildcards(100_000))
    yield Row("100,000 retained", "retain -n 100000 -s 64",
              (("µs/msg stored", "phases.store.cpu_us_per_message", None),
               ("µs/msg replayed", "phases.replay.cpu_us_per_message", None)),
              KEEPERS, "the relay keeps nothing")
    yield Row("100,000 queued for one who is away, QoS 1", "offline -n 100000 -q 1 -s 64",
              (("µs/msg queued", "phases.queue.cpu_us_per_message", None),
               ("µs/msg drained", "phases.drain.cpu_us_per_message", None)),
              KEEPERS, "the relay keeps nothing")


ROWS = (*pairs(), *crowds(), *connections(), *kept(), *latencies())


def wanted(texts):
    """Those whose name has one of the texts in it, or all."""
    return [row for row in ROWS if not texts or any(text in row.name for text in texts)]
