"""A disk that is slow, or fails for a while: who publishes waits for its acknowledgement, and
nobody else waits for anything."""
import os
import pathlib
import subprocess

import pytest

import wire

HERE = pathlib.Path(__file__).parent
PUBLISHERS = 40
EACH = 25


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("slow_disk") / "slow_disk.so"
    subprocess.run([os.environ.get("CC", "gcc"), "-O1", "-shared", "-fPIC", "-o", str(path),
                    str(HERE / "slow_disk.c")], check=True)
    return path


def start(daemons, tmp_path, library, **environment):
    """With a durable subscription, so that there is something to keep."""
    broker = daemons(tmp_path).start()
    taker = wire.Client(broker.port, "taker")
    taker.subscribe("q/#", 1)
    taker.close()
    assert broker.stop() == 0
    return broker.start(environment={"LD_PRELOAD": str(library), **environment})


def test_commits_are_shared(daemons, tmp_path, library):
    commits = tmp_path / "commits"
    broker = start(daemons, tmp_path, library, SLOW_DISK_MS="100", SLOW_DISK_COUNT=str(commits))
    clients = [wire.Client(broker.port, f"p{i}", clean=True) for i in range(PUBLISHERS)]
    for number in range(1, EACH + 1):
        for i, client in enumerate(clients):
            client.publish(f"q/{i}", b"%d" % number, 1, number)
    for number in range(1, EACH + 1):
        for client in clients:
            client.take(wire.PUBACK, number)
    for client in clients:
        client.close()
    assert commits.stat().st_size < PUBLISHERS * EACH // 4
    broker.kill()
    broker.start()
    assert broker.field("store.open", "queued") == PUBLISHERS * EACH
    assert broker.stop() == 0


def test_nobody_waits_for_the_commit_of_another(daemons, tmp_path, library):
    """While one waits for its PUBACK: its own PINGRESP, QoS 0, and a client that comes and goes.
    What is sent at once is read in one turn, and no commit is part of that."""
    broker = start(daemons, tmp_path, library, SLOW_DISK_MS="300")
    giver = wire.Client(broker.port, "giver", clean=True)
    other = wire.Client(broker.port, "other", clean=True)
    other.subscribe("free", 0)
    giver.send(wire.publish("q/x", b"kept", 1, 1) + wire.publish("free", b"at once") +
               wire.packet(wire.PINGREQ, 0, b""))
    giver.take(wire.PINGRESP)                   # PUBACK is owed still
    assert other.take(wire.PUBLISH).payload == b"at once"
    wire.Client(broker.port, "guest", clean=True).close()
    assert other.ping() == []
    giver.take(wire.PUBACK, 1)
    broker.kill()


def test_an_error_is_no_acknowledgement(daemons, tmp_path, library):
    fails = tmp_path / "fails"
    broker = start(daemons, tmp_path, library, SLOW_DISK_FAILS=str(fails))
    giver = wire.Client(broker.port, "giver", version=5)
    giver.publish("q/x", b"before", 1, 1)
    giver.take(wire.PUBACK, 1)
    fails.touch()
    giver.publish("q/x", b"meanwhile", 1, 2)
    assert broker.wait_for("store.failing")
    assert giver.ping() == []
    assert wire.is_refused(broker.port, "q/x", 1) and wire.is_refused(broker.port, "q/x", 2)
    assert giver.ping() == []
    fails.unlink()
    assert giver.take(wire.PUBACK, 2).reason == 0
    assert broker.wait_for("store.recovered")
    assert giver.ping() == []
    broker.kill()
    broker.start()
    taker = wire.Client(broker.port, "taker")
    assert [taker.take(wire.PUBLISH).payload for _ in range(2)] == [b"before", b"meanwhile"]
    assert broker.stop() == 0


def test_no_address_space_for_more(daemons, tmp_path, library):
    """The store outgrows its map where a larger one cannot be had: refused, until it can."""
    no_map = tmp_path / "no_map"
    broker = daemons(tmp_path, mqtt__mqueue__max_length="0", mqtt__mqueue__max_bytes="0")
    broker.start(environment={"LD_PRELOAD": str(library), "SLOW_DISK_NO_MAP": str(no_map)})
    taker = wire.Client(broker.port, "taker")
    taker.subscribe("q", 1)
    taker.close()
    no_map.touch()
    giver, number, acked = wire.Client(broker.port, "giver", version=5), 0, 0
    while broker.count("store.failing") == 0:
        if acked == number:
            number += 1
            assert number < 200
            giver.publish("q", b"x" * 900_000, 1, number)
        acked += len(giver.ping())
    assert wire.is_refused(broker.port, "q", 1)
    assert acked == number - 1
    no_map.unlink()
    assert giver.take(wire.PUBACK, number).reason == 0
    assert broker.wait_for("store.recovered")
    broker.kill()
    broker.start()
    assert broker.field("store.open", "queued") == number
    assert broker.stop() == 0
