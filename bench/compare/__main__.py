#!/usr/bin/env python3
"""Linnet beside Mosquitto and a bare relay, in turns, the broker on one core, the load on another.

    bench/compare [--rounds N] [--only TEXT]... [--seconds S] [--quick] [--no-calls] [--out FILE]
    bench/compare --curves [--only TEXT]...     what Linnet alone costs as things grow
    bench/compare --list                        the rows

Written to the terminal and to --out (build/compare.md, build/curves.md). Each cell is the median of
the rounds, and in brackets the median of its ratios to the relay in the same round. $LINNETD,
$LINNET, $RELAY and $MOSQUITTO name other programs than those of build/ and Debian's.
"""
import argparse
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

import brokers
import curves
import figures
import load
import machine
import rows
import self_test

RULER = brokers.Relay.name
SWITCHES = ("switches/msg", "broker.context_switches", "delivered")
CALLS = ("calls/msg", load.CALLS, "delivered")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Comparison:
    """All rows, all brokers, so many rounds."""

    def __init__(self, arguments):
        self.seconds, self.rounds = arguments.seconds, arguments.rounds
        self.rows = rows.wanted(arguments.only)
        self.kernel = (SWITCHES,) if arguments.no_calls else (SWITCHES, CALLS)
        self.results = figures.Results(self.rounds)
        self.loads = []

    def keys(self, kernel):
        """Of the lines of a table: what is measured, or what the kernel says of it."""
        return [(row.name, label) for row in self.rows
                for label, _, _ in (row.figures if not kernel else
                                    self.kernel if row.counts_calls else ())]

    def cell(self, number, row, kind, calls=False):
        """Measures one row of one broker once; with `calls` its system calls only."""
        wanted = ((CALLS,) if calls else row.figures + ((SWITCHES,) if row.counts_calls else ()))
        try:
            with kind(row.transport) as broker:
                report = load.run(row, broker, self.seconds, calls)
        except (machine.Failed, OSError, ValueError, subprocess.SubprocessError) as why:
            for label, _, _ in wanted:
                self.results.excuse((row.name, label), kind.name, str(why))
            say(f"  {kind.name}: {row.name}: {why}")
            return
        doubt = figures.complaint(report)
        for label, path, divisor in wanted:
            key = (row.name, label)
            try:
                self.results.put(key, kind.name, number, load.value(report, path, divisor))
            except figures.NotMeasured as why:
                self.results.excuse(key, kind.name, str(why))
            if doubt:
                self.results.excuse(key, kind.name, doubt)

    def turn(self, number, calls=False):
        """One round. Who begins goes from row to row and from round to round."""
        for at, row in enumerate(self.rows):
            if calls and not row.counts_calls:
                continue
            say(f"{'calls' if calls else f'round {number + 1} of {self.rounds}'}: {row.name}")
            first = (number + at) % len(brokers.ALL)
            for kind in brokers.ALL[first:] + brokers.ALL[:first]:
                if kind.name in row.brokers:
                    self.cell(number, row, kind, calls)
                elif row.why and kind.name == RULER:
                    for label, _, _ in row.figures:
                        self.results.excuse((row.name, label), kind.name, row.why)
            self.loads.append(machine.load_average())

    def table(self):
        """Markdown: a row for each figure, a column for each broker; those of the kernel apart."""
        names = [kind.name for kind in brokers.ALL]
        parts = []
        for kernel in False, True:
            lines = [[*key, *(self.results.cell(key, name, RULER) for name in names)]
                     for key in self.keys(kernel)]
            if lines:
                parts.append(figures.markdown(["row", "figure", *names], lines))
        notes = "\n".join(self.results.notes(self.keys(False) + self.keys(True), names))
        return "\n\n".join(parts + ([f"What is missing or doubtful:\n\n{notes}"] if notes else []))


def versions():
    """Of whom we compare with."""
    path = brokers.Mosquitto.program()
    if shutil.which(path) is None:
        return "no mosquitto"
    said = subprocess.run([path, "-h"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0] if said else path


def heading(arguments, loads, began):
    loads = loads or [machine.load_average()]
    return (f"{machine.describe()}, {versions()}.\n"
            f"Command: `{shlex.join(['bench/compare', *arguments])}`, "
            f"{time.monotonic() - began:.0f} s. Load average while it ran: {min(loads):.1f} to "
            f"{max(loads):.1f} (the comparison itself is 1 to 2; with more, others were at work "
            "and figures are not final).")


def parse(words):
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of load in a cell")
    parser.add_argument("--quick", action="store_true", help="one round of short cells")
    parser.add_argument("--no-calls", action="store_true", help="does not count system calls")
    parser.add_argument("--curves", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args(words)
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.no_calls = 1, 0.3, True
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("nothing to measure")
    return arguments


def measure(arguments, words):
    """Runs what was asked for; what has been measured is written even if it is interrupted."""
    began = time.monotonic()
    machine.take_descriptors()
    if arguments.curves:
        work = curves.Curves(arguments.seconds, arguments.only, say)
    else:
        work = Comparison(arguments)
    try:
        if arguments.curves:
            work.run()
        else:
            for number in range(arguments.rounds):
                work.turn(number)
            if not arguments.no_calls:
                work.turn(0, calls=True)
    finally:
        text = f"{heading(words, work.loads, began)}\n\n{work.table()}\n"
        out = arguments.out or pathlib.Path("build", "curves.md" if arguments.curves
                                            else "compare.md")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        print(text)
        say(f"written to {out}")


def main(words):
    arguments = parse(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if arguments.self_test:
        self_test.run()
    elif arguments.list:
        print("\n".join(row.name for row in rows.ROWS))
    else:
        try:
            measure(arguments, words)
        except KeyboardInterrupt:
            sys.exit("interrupted: that is what there is")


main(sys.argv[1:])
