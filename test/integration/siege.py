"""A broker under attack: a pair of clients that must not notice, what the broker holds in memory
before, during and after, what it says in its log, and whether all that came has gone again."""
import contextlib
import json
import os
import pathlib
import re
import resource
import selectors
import socket
import subprocess
import sys
import time

import pytest

import daemon
import wire

# So many for one attack; `make abuse CONNECTIONS=2000` has more.
CONNECTIONS = int(os.environ.get("LINNET_CONNECTIONS") or 250)
SHARDS = 2
# Sanitizers hold more memory than the broker, and are slow: fewer attackers, and no bounds there.
PLAIN = os.environ.get("LINNET_FLAVOUR", "release") == "release"
SCALE = 1 if PLAIN else 8
FIGURES = os.environ.get("LINNET_FIGURES")

# Under a sanitizer a siege takes minutes, and other tests there have threads meet: by `make abuse`.
BY_DEFAULT = pytest.mark.skipif(not PLAIN and not FIGURES,
                                reason="make FLAVOUR=tsan abuse has them")

LINES_A_SECOND = 10 * SHARDS    # of each event that a peer can cause at will
BASE_BYTES = 24 << 20           # that the broker may grow by for any attack, however small
LEFT_BYTES = 8 << 20            # that its heap may keep: tables and pools that do not shrink


def attackers(share=1.0):
    return max(4, int(CONNECTIONS * share / SCALE))


def allow_descriptors():
    """As many as this user may have; for the attackers, here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Pair:
    def __init__(self, port):
        script = pathlib.Path(__file__).with_name("pair.py")
        self.process = subprocess.Popen([sys.executable, script, str(port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        """How it fared. Raises unless every message came once and in order."""
        out, _ = self.process.communicate("", timeout=60)
        assert self.process.returncode == 0, "the pair was disturbed"
        return json.loads(out)

    def kill(self):
        self.process.kill()
        self.process.communicate()


class Watcher:
    """Reads the broker's gauges from $SYS."""

    def __init__(self, port, name="watcher"):
        self.client = wire.Client(port, name, 4, clean=True)
        # In one packet: between two, a message may come.
        self.client.send(wire.subscribe(1, "$SYS/brokers/+/stats/+/count", 0, 4,
                                        "$SYS/brokers/+/memory/held"))
        self.client.take(wire.SUBACK)

    def read(self):
        """A whole round of them."""
        gauges = {}
        while True:
            got = self.client.take(wire.PUBLISH)
            name = "held" if got.topic.endswith("/held") else got.topic.split("/")[-2]
            if name in gauges:
                return gauges
            gauges[name] = int(got.payload)

    def wait_for(self, held=None, **wanted):
        """Until the gauges are these, and the heap has no more bytes than that."""
        deadline = time.monotonic() + 2 * wire.SECONDS_MAX
        while True:
            gauges = self.read()
            if (held is None or gauges["held"] <= held) and \
               all(gauges[name] == value for name, value in wanted.items()):
                return
            assert time.monotonic() < deadline, (held, wanted, gauges)


class Siege:
    """`options` are the daemon's. Attackers come by `port`, their pair by another listener."""

    def __init__(self, daemons, folder, **options):
        allow_descriptors()
        self.port = daemon.free_port()
        self.daemon = daemons(folder, **{
            "listener.tcp.attacked": f"127.0.0.1:{self.port}", "mqtt.broker.sys_interval": "200ms",
            "mqtt.client.idle_timeout": "60s", "log.level": "info", **options}).start()
        self.watcher = Watcher(self.daemon.port)
        self.rest = self.watcher.read()

    def memory(self, field):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"{field}:\s+(\d+)", status.read())[1]) << 10

    def forget_peak(self):
        with open(f"/proc/{self.daemon.process.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")

    def lines_since(self, first):
        """Event -> how many lines."""
        events = {}
        for line in self.daemon.lines[first:]:
            event = line.split(" ")[2]
            events[event] = events.get(event, 0) + 1
        return events

    def said(self, event, *words):
        return any(f" {event} " in line and all(word in line for word in words)
                   for line in self.daemon.lines)

    @contextlib.contextmanager
    def attack(self, name, count, bytes_each, logins=0):
        """What happens inside is the attack, by `count` connections, for each of which the broker
        may hold `bytes_each`; `logins` of them (more or less) become clients, whom the log names
        each. Yields a Links, to which they belong."""
        pair, links = Pair(self.daemon.port), Links(self.port)
        first, began = len(self.daemon.lines), time.monotonic()
        before = self.memory("VmRSS")
        self.forget_peak()
        try:
            yield links
            fared = pair.end()
            during = self.memory("VmHWM")
        except BaseException:
            pair.kill()
            raise
        finally:
            links.close()
        self.watcher.wait_for(
            self.rest["held"] + LEFT_BYTES,
            **{name: self.rest[name] for name in ("connections", "clients", "sessions",
                                                  "subscriptions", "routes")})
        seconds, events = time.monotonic() - began, self.lines_since(first)
        after = self.memory("VmRSS")
        if FIGURES:
            print_figures(name, count, links, (before, during, after), fared, events)
        if PLAIN:
            assert during - before <= BASE_BYTES + count * bytes_each, \
                f"{during - before} bytes more for {count} connections"
        for event, lines in events.items():
            named = logins + 16 if event in ("client.connected", "client.disconnected") else 0
            assert lines <= named + LINES_A_SECOND * (seconds + 2), (event, lines, seconds)
        assert self.daemon.is_alive()


def print_figures(name, count, links, rss, fared, events):
    """A row of the table in doc/security.md."""
    megabytes = " / ".join(f"{one / (1 << 20):.1f}" for one in rss)
    said = ", ".join(f"{event} {lines}" for event, lines in sorted(events.items())
                     if not event.startswith("client.d") and not event.startswith("client.c"))
    print(f"\n| {name} | {count} | {links.sent / (1 << 20):.1f} | {megabytes} | "
          f"{fared['worst_ms']} ms of {fared['messages']} | {said or 'nothing'} |", flush=True)


class Links:
    """Many connections of attackers, and how much they sent."""

    def __init__(self, port):
        self.port, self.all, self.sent = port, [], 0

    def open(self, port=None, host="127.0.0.1"):
        """One that does not block, from an address of this machine."""
        link = socket.socket()
        if host != "127.0.0.1":         # without: a port may be used again at once
            link.bind((host, 0))
        link.settimeout(wire.SECONDS_MAX)
        link.connect(("127.0.0.1", port or self.port))
        self.all.append(link)
        return link

    def many(self, count, data=b"", port=None):
        """That all send this; the broker may refuse it halfway."""
        made = [self.open(port) for _ in range(count)]
        for link in made:
            self.send(link, data)
        return made

    def send(self, link, data):
        """Whether it was taken: the broker may have closed, or may read no further."""
        try:
            link.settimeout(wire.SECONDS_MAX)
            link.sendall(data)
        except OSError:
            return False
        self.sent += len(data)
        return True

    def clients(self, count, version=5, name="attacker", port=None):
        """Such that were let in."""
        made = [self.open(port) for _ in range(count)]
        for i, link in enumerate(made):
            self.send(link, wire.connect(f"{name}-{i}", version, clean=True))
        for link in made:
            reader = wire.Reader(version)
            got = []
            while not got:
                some = link.recv(1 << 16)
                assert some, "an attacker was not even let in"
                got = reader.feed(some)
            assert got[0].kind == wire.CONNACK and got[0].reason == 0, got
        return made

    def pour(self, links, chunks, times):
        """Each sends `chunks` round by round, and reads what comes: as fast as all of it goes,
        until all have sent it so often or were closed."""
        selector = selectors.DefaultSelector()
        for link in links:
            link.setblocking(False)
            selector.register(link, selectors.EVENT_READ | selectors.EVENT_WRITE,
                              Stream(b"".join(chunks), times))
        while selector.get_map():
            ready = selector.select(wire.SECONDS_MAX)
            assert ready, "nothing goes on any more"
            for key, events in ready:
                self.sent += key.data.go_on(key.fileobj, events)
                if key.data.done:
                    selector.unregister(key.fileobj)
        selector.close()

    def wait_closed(self, links):
        """All of them by the broker, whatever it said before; what it said of each."""
        said = []
        for link in links:
            link.settimeout(wire.SECONDS_MAX)
            got = b""
            with contextlib.suppress(ConnectionError):
                while some := link.recv(1 << 16):
                    got += some
            said.append(got)
        return said

    def close(self):
        for link in self.all:
            link.close()
        self.all.clear()


class Stream:
    """The same bytes, `times` over."""

    def __init__(self, data, times):
        self.data, self.left, self.at, self.done = data, times, 0, times == 0

    def go_on(self, link, events):
        """How many bytes were sent."""
        sent = 0
        try:
            if events & selectors.EVENT_READ and not link.recv(1 << 16):
                self.done = True
            elif events & selectors.EVENT_WRITE:
                sent = link.send(self.data[self.at:])
                self.at += sent
                if self.at == len(self.data):
                    self.at, self.left = 0, self.left - 1
                    self.done = self.left == 0
        except BlockingIOError:
            pass
        except OSError:
            self.done = True
        return sent
