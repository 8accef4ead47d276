"""A disk that fills up: what cannot be kept is refused, the rest goes on, and room is noticed."""
import os
import select
import subprocess

import pytest

import wire

BODY = b"x" * 9000
BALLAST_BYTES = 3 << 20


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, 6 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Giver(wire.Client):
    """Publishes numbered messages, and remembers what became of each."""

    def __init__(self, port, name, qos=1):
        super().__init__(port, name, version=5)
        self.qos = qos
        self.sent, self.kept, self.refused = 0, set(), set()

    def give(self):
        self.sent += 1
        self.publish("q", b"%d " % self.sent + BODY, self.qos, self.sent)

    def note(self, packets):
        for got in packets:
            assert got.kind == (wire.PUBACK if self.qos == 1 else wire.PUBREC), got
            assert got.reason in (0, wire.QUOTA_EXCEEDED), got
            (self.refused if got.reason else self.kept).add(got.number)

    def fill(self, broker):
        """Until one is not answered: the others on this connection would wait behind it."""
        while not broker.count("store.failing"):
            self.give()
            while self.sent not in self.kept and not broker.count("store.failing"):
                if select.select([self.socket], [], [], 0.02)[0]:
                    self.note([self.next()])


def full(disk, daemons, qos=1):
    """A broker whose disk has just become full, and who published."""
    (disk / "ballast").write_bytes(b"\0" * BALLAST_BYTES)
    broker = daemons(disk).start()
    taker = wire.Client(broker.port, "taker")
    taker.subscribe("q", qos)
    taker.close()
    giver = Giver(broker.port, "giver", qos)
    giver.fill(broker)
    assert giver.kept
    return broker, giver


def others_go_on(broker):
    other = wire.Client(broker.port, "other", clean=True)
    other.subscribe("free", 0)
    other.publish("free", b"hello")
    assert other.take(wire.PUBLISH).payload == b"hello"
    other.ping()
    assert wire.is_refused(broker.port, "q", 1) and wire.is_refused(broker.port, "q", 2)
    older = wire.Client(broker.port, "older", clean=True)
    older.publish("q", b"refused", 1, 1)
    assert older.is_closed()
    other.close()


def drain(broker, until):
    """The numbers of all messages that come, up to one; acknowledged."""
    taker, numbers = wire.Client(broker.port, "taker"), []
    assert taker.present
    while not until(numbers):
        got = taker.next()
        if got.kind == wire.PUBREL:
            taker.send(wire.ack(wire.PUBCOMP, got.number))
            continue
        assert got.kind == wire.PUBLISH and got.payload.endswith(BODY), got
        numbers.append(int(got.payload.split()[0]))
        taker.send(wire.ack(wire.PUBACK if got.qos == 1 else wire.PUBREC, got.number))
    taker.ping()
    taker.close()
    return numbers


def recovered(broker, giver):
    """It takes messages again, and has answered for every one."""
    assert broker.wait_for("store.recovered")
    while giver.sent not in giver.kept:
        giver.give()
        while giver.sent not in giver.kept | giver.refused:
            giver.note([giver.next()])
    assert giver.kept | giver.refused == set(range(1, giver.sent + 1))
    assert broker.count("store.failing") == broker.count("store.recovered") == 1


def test_a_full_disk_that_is_emptied(disk, daemons):
    broker, giver = full(disk, daemons)
    others_go_on(broker)
    (disk / "ballast").unlink()
    recovered(broker, giver)
    broker.kill()
    broker.start()
    numbers = drain(broker, lambda got: giver.sent in got)
    assert sorted(giver.kept) == [n for n in numbers if n in giver.kept]
    assert broker.stop() == 0


@pytest.mark.parametrize("qos", (1, 2))
def test_a_full_disk_is_drained(disk, daemons, qos):
    """Room comes from what is acknowledged; at QoS 2 its packet ids are written meanwhile."""
    broker, giver = full(disk, daemons, qos)
    kept = set(giver.kept)
    numbers = drain(broker, kept.issubset)
    assert numbers == sorted(set(numbers))
    recovered(broker, giver)
    broker.kill()
    broker.start()
    later = drain(broker, lambda got: giver.sent in got)
    assert giver.kept <= set(numbers) | set(later)
    assert broker.stop() == 0
