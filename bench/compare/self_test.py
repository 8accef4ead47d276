"""The runner's arithmetic and its tables of rows: `make check` runs this."""
import figures
import rows


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"{got!r} is not {wanted!r}")


def fails(function, *arguments):
    try:
        function(*arguments)
    except figures.NotMeasured as why:
        return str(why)
    raise AssertionError(f"{function.__name__}{arguments} has a result")


def picks():
    report = {"lost": 0, "broker": {"cpu_us": 7.5, "name": "x"},
              "phases": [{"name": "queue", "messages": 3}, {"name": "drain", "messages": 4}]}
    expect(figures.pick(report, "broker.cpu_us"), 7.5)
    expect(figures.pick(report, "lost"), 0)
    expect(figures.pick(report, "phases.drain.messages"), 4)
    expect(fails(figures.pick, report, "phases.replay.messages"),
           "no phases.replay.messages in the report")
    expect(fails(figures.pick, report, "lost.more"), "no lost.more in the report")
    expect(fails(figures.pick, report, "broker.name"), "broker.name is no number")


def complaints():
    expect(figures.complaint({"lost": 0, "connect": {"failed": 0}}), "")
    expect(figures.complaint({"lost": 2, "reordered": 1, "connect": {"failed": 3}}),
           "2 lost, 1 reordered, 3 connections failed")


def medians():
    expect(figures.median([3, 1, 2]), 2)
    expect(figures.median([4, None, 1]), 2.5)
    expect(figures.median([None]), None)
    expect(figures.ratios([2, 3, None, 4], [1, 2, 1, 0]), [2, 1.5, None, None])
    expect([figures.show(value) for value in (None, 0, 0.1234, 1.234, 12.34, 1234.5)],
           ["-", "0", "0.123", "1.23", "12.3", "1234"])


def tables():
    results = figures.Results(3)
    for number, (relay, linnet) in enumerate(((1, 2), (4, 4), (2, 6))):
        results.put(("row", "us"), "relay", number, relay)
        results.put(("row", "us"), "linnet", number, linnet)
    # The median of the ratios 2, 1 and 3, not the ratio of the medians 4 and 2.5.
    results.put(("row", "us"), "relay", 2, 2.5)
    results.put(("row", "us"), "linnet", 2, 7.5)
    expect(results.cell(("row", "us"), "linnet", "relay"), "4.00 (2.00)")
    expect(results.cell(("row", "us"), "relay", "relay"), "2.50")
    expect(results.cell(("row", "us"), "mosquitto", "relay"), "-")
    results.excuse(("row", "us"), "mosquitto", "it ended")
    results.excuse(("row", "ms"), "mosquitto", "it ended")
    results.excuse(("other", "us"), "mosquitto", "it ended")
    expect(list(results.notes([("row", "us"), ("row", "ms"), ("other", "us")], ["mosquitto"])),
           ["- mosquitto: it ended (row; other)"])
    expect(figures.markdown(["a", "b", "c"], [["1", "2", "3"]]),
           "| a | b | c |\n|---|---|---:|\n| 1 | 2 | 3 |")


def row_names():
    names = [row.name for row in rows.ROWS]
    expect(sorted(set(names)), sorted(names))
    expect([row.name for row in rows.wanted(["fan-in"])],
           [name for name in names if "fan-in" in name])


def run():
    tests = [picks, complaints, medians, tables, row_names]
    for test in tests:
        test()
    print(f"{len(tests)} passed, 0 failed")
