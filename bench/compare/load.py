"""One run of the load generator, `linnet bench`, against one broker."""
import contextlib
import json
import os
import pathlib
import re

import figures
import machine

CALLS = "calls"                 # the report's key for system calls


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line]
    return re.sub(r"^Error: ", "", lines[-1])[:120] if lines else "it says nothing"


def command(row, broker, seconds, to):
    tool = os.environ.get("LINNET", "build/linnet")
    words = row.load.format(seconds=seconds).split()
    return [tool, "bench", words[0], "-h", "127.0.0.1", "-p", str(broker.port), "-V", "3.1.1",
            "--pid", str(broker.child.pid), "--json", to, "--quiet", *words[1:]]


def run(row, broker, seconds, calls=False):
    """The generator's report, what row.before has found as "before". With `calls` the system calls
    of the broker are counted, too."""
    to = os.path.join(broker.folder, "report.json")
    counts = os.path.join(broker.folder, "calls")
    with row.before.of(broker) if row.before else contextlib.nullcontext() as before:
        words = command(row, broker, seconds, to)
        if calls:
            words = machine.counting(broker.child.pid, counts) + words
        status, said = machine.run(words, {machine.cores()[1]}, seconds + row.seconds)
    if broker.dead():
        raise machine.Failed(broker.dead())
    if not os.path.exists(to):
        raise machine.Failed(last_line(said))
    report = json.loads(pathlib.Path(to).read_text(encoding="utf-8"))
    if status != 0 and not figures.complaint(report):
        raise machine.Failed(last_line(said))
    if before is not None:
        report["before"] = before
    if calls:
        report[CALLS] = machine.counted(counts)
    return report


def value(report, path, divisor=None):
    number = figures.pick(report, path)
    by = figures.pick(report, divisor) if divisor else 1
    if by == 0:
        raise figures.NotMeasured(f"{divisor} is 0")
    return number / by
