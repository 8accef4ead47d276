"""Arithmetic and tables: what is picked from the generator's reports, medians over rounds, ratios
within a round, Markdown."""
import statistics


class NotMeasured(Exception):
    """A cell without a figure; the text says why."""


def pick(report, path):
    """The number at "broker.cpu_us" or at "phases.drain.messages" (phases go by their names)."""
    value = report
    for key in path.split("."):
        if isinstance(value, list):
            value = next((one for one in value if one.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            raise NotMeasured(f"no {path} in the report")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotMeasured(f"{path} is no number")
    return value


def complaint(report):
    """What makes figures of a run doubtful, in words; empty: nothing."""
    found = [f"{report[name]} {name}" for name in ("lost", "duplicates", "reordered")
             if report.get(name)]
    failed = report.get("connect", {}).get("failed")
    if failed:
        found.append(f"{failed} connections failed")
    return ", ".join(found)


def median(values):
    """Of those that were measured; None: none was."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratios(values, rulers):
    """Each value by the ruler's of its round; None where one of both is missing."""
    return [value / ruler if value is not None and ruler else None
            for value, ruler in zip(values, rulers)]


def show(value):
    """Three significant digits, and whole numbers above that."""
    if value is None:
        return "-"
    for least, decimals in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:.{decimals}f}"
    return f"{value:.3f}" if value else "0"


def markdown(head, rows):
    """A table; all but the first two columns are numbers."""
    lines = ["| " + " | ".join(head) + " |",
             "|" + "|".join("---" if at < 2 else "---:" for at in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


class Results:
    """Figures by (row, figure), broker and round."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.values = {}        # (key, broker): one value or None a round
        self.reasons = {}       # (key, broker): why there is none

    def put(self, key, broker, number, value):
        self.values.setdefault((key, broker), [None] * self.rounds)[number] = value

    def excuse(self, key, broker, why):
        self.reasons.setdefault((key, broker), why)

    def of(self, key, broker):
        return self.values.get((key, broker), [None] * self.rounds)

    def cell(self, key, broker, ruler):
        """The median, and in brackets the median of the ratios to the ruler in the same rounds."""
        value = median(self.of(key, broker))
        if value is None:
            return "-"
        ratio = median(ratios(self.of(key, broker), self.of(key, ruler)))
        return show(value) + (f" ({ratio:.2f})" if ratio is not None and broker != ruler else "")

    def notes(self, keys, brokers):
        """Why cells are empty or doubtful, those of a broker with one reason together."""
        rows = {}
        for key in keys:
            for broker in brokers:
                why = self.reasons.get((key, broker))
                if why:
                    rows.setdefault((why, broker), {})[key[0]] = None
        for (why, broker), names in rows.items():
            yield f"- {broker}: {why} ({'; '.join(names)})"
