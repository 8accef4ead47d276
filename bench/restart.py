#!/usr/bin/env python3
"""How long a start takes with many messages queued for one absent client, and how much memory.

    LINNETD=build/linnetd bench/restart.py [COUNT]...       10000 and 1000000 unless said otherwise

Messages of 1 KB. RSS is that of the process; "anonymous" is what is its own, the rest are pages of
the store's file that the kernel takes back when it needs them.
"""
import pathlib
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test" / "integration"))
# pylint: disable=wrong-import-position
import daemon  # noqa: E402
import wire  # noqa: E402

PAYLOAD = b"x" * 1024
WINDOW = 500


def memory(broker):
    text = pathlib.Path(f"/proc/{broker.process.pid}/status").read_text(encoding="ascii")
    kb = {name: int(re.search(rf"{name}:\s+(\d+)", text)[1]) for name in ("VmRSS", "RssAnon")}
    return f"{kb['VmRSS'] >> 10} MB RSS, {kb['RssAnon'] >> 10} MB of it anonymous"


def queue(broker, count):
    giver = wire.Client(broker.port, "giver", clean=True)
    sent = acked = 0
    while acked < count:
        burst = b""
        while sent < count and sent - acked < WINDOW:
            burst += wire.publish("q", PAYLOAD, 1, sent % 60000 + 1)
            sent += 1
        giver.send(burst)
        giver.next()
        acked += 1 + len(giver.waiting)
        giver.waiting.clear()
    giver.close()


def measure(count):
    with tempfile.TemporaryDirectory() as folder:
        broker = daemon.Daemon(folder).start(durability="relaxed")      # fills it faster
        print(f"{count} messages; an empty broker: {memory(broker)}")
        taker = wire.Client(broker.port, "taker")
        taker.subscribe("q", 1)
        taker.close()
        began = time.monotonic()
        queue(broker, count)
        seconds = time.monotonic() - began
        print(f"  queued in {seconds:.1f} s ({count / seconds:.0f}/s): {memory(broker)}")
        assert broker.stop() == 0
        began = time.monotonic()
        broker.start()
        print(f"  started in {1000 * (time.monotonic() - began):.0f} ms: {memory(broker)}")
        assert broker.field("store.open", "queued") == count
        taker = wire.Client(broker.port, "taker")
        taker.take(wire.PUBLISH)
        print(f"  its client is back after {1000 * (time.monotonic() - began):.0f} ms: "
              f"{memory(broker)}; data.mdb has "
              f"{pathlib.Path(folder, 'store', 'data.mdb').stat().st_size >> 20} MB", flush=True)
        broker.kill()


for argument in sys.argv[1:] or ("10000", "1000000"):
    measure(int(argument))
