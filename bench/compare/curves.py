"""What a message costs in Linnet as something grows: subscriptions, connections, retained messages,
shards. Nothing outlives the process here (durability = memory)."""
import dataclasses
import subprocess

import backdrop
import brokers
import figures
import load
import machine
import rows

PAIRS = "pair -c 10 -w 64 -b 16 -q 0 -s 16 -t bench/%i -d {seconds}"
FIGURES = (("µs/msg", "broker.cpu_us_per_delivered", None),
           ("msg/s", "delivered", "elapsed_s"),
           ("p99 µs", "latency_us.p99", None),
           ("bytes each", "before.bytes_each", None),
           ("µs each", "before.cpu_us_each", None))
SOURCES = 25_000                # connections from one address: the kernel's range of ports


@dataclasses.dataclass(frozen=True)
class Point:
    """One value of one curve."""

    curve: str
    at: int
    row: rows.Row
    options: dict = dataclasses.field(default_factory=dict)


def beside(curve, kind, counts):
    for count in counts:
        yield Point(curve, count, rows.Row(curve, PAIRS, before=kind(count) if count else None))


def connections():
    """A process may often have 20,000 descriptors; the last point needs more."""
    for count in (100, 1000, 10_000, 19_000, 50_000):
        addresses = ",".join(f"127.0.0.{2 + n}" for n in range(1 + count // SOURCES))
        yield Point("connections, all busy", count, rows.Row(
            "connections", f"pair -c {count // 2} -w 1 -b 1 -q 0 -s 16 -t bench/%i "
            f"--ifaddr {addresses} --timeout 60 -d {{seconds}}", seconds=180))


def shards():
    for count in (1, 2, 4):
        yield Point("shards", count, rows.Row("shards", PAIRS), {"shards": count})


POINTS = (*beside("exact subscriptions", backdrop.Exact, (1000, 10_000, 100_000, 1_000_000)),
          *beside("wildcard subscriptions", backdrop.Wildcards,
                  (1000, 10_000, 100_000, 1_000_000)),
          *beside("retained messages", backdrop.Retained, (0, 10_000, 100_000, 1_000_000)),
          *connections(), *shards())


class Curves:
    """All points, each once, or `only` those whose curve has one of the texts in its name."""

    def __init__(self, seconds, only, say):
        self.seconds, self.say, self.loads = seconds, say, []
        self.points = [point for point in POINTS
                       if not only or any(text in point.curve for text in only)]
        self.lines, self.reasons = [], []

    def measure(self, point):
        cells = []
        try:
            with brokers.LinnetMemory(**point.options) as broker:
                report = load.run(point.row, broker, self.seconds)
        except (machine.Failed, OSError, ValueError, subprocess.SubprocessError) as why:
            self.reasons.append(f"- {point.curve}, {point.at}: {why}")
            return ["-"] * len(FIGURES)
        for _, path, divisor in FIGURES:
            try:
                cells.append(figures.show(load.value(report, path, divisor)))
            except figures.NotMeasured:
                cells.append("-")
        doubt = figures.complaint(report)
        if doubt:
            self.reasons.append(f"- {point.curve}, {point.at}: {doubt}")
        return cells

    def run(self):
        for point in self.points:
            self.say(f"{point.curve}: {point.at}")
            self.lines.append([point.curve, f"{point.at:,}", *self.measure(point)])
            self.loads.append(machine.load_average())

    def table(self):
        head = ["as these grow", "so many", *(label for label, _, _ in FIGURES)]
        notes = "\n".join(self.reasons)
        return (figures.markdown(head, self.lines) +
                (f"\n\nWhat is missing or doubtful:\n\n{notes}" if notes else ""))
