"""A store that is damaged, or not ours to have: one sentence, and what is left is served."""
import os
import random
import shutil
import signal
import subprocess

import pytest

import wire

PAGE = 4096
MESSAGES = 9
NOBODY = 65534


def body(number):
    """Longer than a page, so that what damages it damages nothing else."""
    return b"<%d>" % number + bytes([64 + number]) * 3 * PAGE


def filled(daemons, tmp_path):
    """Stopped, with messages that wait for a client."""
    broker = daemons(tmp_path).start()
    taker = wire.Client(broker.port, "taker")
    taker.subscribe("q", 1)
    taker.close()
    giver = wire.Client(broker.port, "giver", clean=True)
    for number in range(1, MESSAGES + 1):
        giver.publish("q", body(number), 1, number)
        giver.take(wire.PUBACK, number)
    giver.close()
    assert broker.stop() == 0
    return broker, tmp_path / "store" / "data.mdb"


def damage(file, what):
    """Changes a byte in the midst of it, wherever it is stored."""
    data, at, times = bytearray(file.read_bytes()), 0, 0
    while (at := data.find(what, at)) >= 0:
        data[at + len(what) // 2] ^= 1
        at, times = at + len(what), times + 1
    assert times > 0
    file.write_bytes(data)


def drained(broker, client_id="taker"):
    taker, got = wire.Client(broker.port, client_id), []
    while len(got) < MESSAGES - 1:
        packet = taker.take(wire.PUBLISH)
        got.append(packet.payload)
        taker.send(wire.ack(wire.PUBACK, packet.number))
    assert taker.ping() == []
    taker.close()
    return got


def refuses_to_start(broker, *words, **more):
    """One line says why; exit code 1, and no signal."""
    broker.start(wait=None, **more)
    assert broker.wait() == 1
    said = [line for line in broker.lines if " store.unusable " in line]
    assert len(said) == 1, broker.lines
    assert all(word in said[0] for word in words), said


def test_a_damaged_value_is_set_aside(daemons, tmp_path):
    broker, file = filled(daemons, tmp_path)
    damage(file, body(4))
    broker.start()
    assert drained(broker) == [body(n) for n in range(1, MESSAGES + 1) if n != 4]
    assert broker.wait_for("store.damaged")
    assert broker.stop() == 0
    assert broker.count("store.damaged") == 1
    broker.start()          # it does not come back
    assert broker.count("store.damaged") == 0
    assert broker.field("store.open", "queued") == 0
    assert broker.stop() == 0


@pytest.mark.parametrize("seed", range(4))
def test_garbage_is_not_a_store(daemons, tmp_path, seed):
    broker, file = filled(daemons, tmp_path)
    noise = random.Random(seed).randbytes(file.stat().st_size)
    file.write_bytes(noise)
    refuses_to_start(broker, "data.mdb", "is not a store")


def test_garbage_in_the_midst(daemons, tmp_path):
    """Everything but the two pages that LMDB begins with: what follows names the tables, or not."""
    broker, file = filled(daemons, tmp_path)
    data = file.read_bytes()
    file.write_bytes(data[:2 * PAGE] + random.Random(1).randbytes(len(data) - 2 * PAGE))
    refuses_to_start(broker, f"{tmp_path}/store is ")


def test_half_a_store(daemons, tmp_path):
    broker, file = filled(daemons, tmp_path)
    with open(file, "r+b") as half:
        half.truncate(3 * PAGE)
    refuses_to_start(broker, "is damaged in its structure")


def test_two_on_one_folder(daemons, tmp_path):
    first = daemons(tmp_path).start()
    second = daemons(tmp_path)
    refuses_to_start(second, "is in use by process", str(first.process.pid))
    wire.Client(first.port, "guest", clean=True).close()
    assert first.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None,
                    reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o500, 0o700])
def test_a_folder_that_is_not_ours(daemons, tmp_path, mode):
    """One that cannot be written, and one whose store belongs to somebody else."""
    folder = tmp_path / "data"
    folder.mkdir()
    for parent in [tmp_path, *list(tmp_path.parents)[:2]]:
        parent.chmod(0o755)
    other = daemons(folder)
    if mode == 0o700:
        assert other.start().stop() == 0
        shutil.chown(folder, NOBODY)
    else:
        shutil.chown(folder, NOBODY)
        folder.chmod(mode)
    user = ["setpriv", f"--reuid={NOBODY}", "--regid=65534", "--clear-groups"]
    if subprocess.run([*user, os.environ["LINNETD"], "-V"], check=False).returncode != 0:
        pytest.skip("another user may not run linnetd where it is")
    refuses_to_start(other, str(folder), before=user)


def test_a_stop_in_the_midst_of_a_start(daemons, tmp_path):
    """It is told to stop while it reads: it does, and the next start finds everything."""
    broker, _ = filled(daemons, tmp_path)
    broker.start(wait=None)
    broker.wait_for("data_dir.open")
    broker.process.send_signal(signal.SIGTERM)
    assert broker.wait() == 0
    broker.start()
    assert broker.field("store.open", "queued") == MESSAGES
    assert broker.stop() == 0
