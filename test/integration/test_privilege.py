"""Least privilege: who the broker is once it runs, and what it cannot do any more."""
import os
import pathlib
import pwd
import signal
import subprocess
import time

import pytest

import wire

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
SECONDS_MAX = 20
NOBODY = pwd.getpwnam("nobody")


def status(broker):
    """Of every thread: what it has kept is the same for all."""
    texts = {
        tuple(line for line in (task / "status").read_text().splitlines()
              if line.split(":")[0] in ("Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs",
                                        "Seccomp"))
        for task in pathlib.Path(f"/proc/{broker.process.pid}/task").iterdir()
    }
    assert len(texts) == 1, texts
    return {key: value.split() for key, value in (line.split(":") for line in texts.pop())}


def works(broker):
    taker = wire.Client(broker.port, "taker", clean=True)
    taker.subscribe("t", 1)
    taker.publish("t", b"x", 1, 1)
    assert taker.take(wire.PUBLISH).payload == b"x"
    taker.close()


def until(process, condition):
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        os.sched_yield()


def lacks(broker, what):
    return any("privilege.missing" in line and f'what="{what}"' in line for line in broker.lines)


def open_to_nobody(folder):
    """pytest's folders are root's alone."""
    for above in (folder, *folder.parents):
        if str(above) != "/" and above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)


def test_whoever_it_is_it_gives_up_what_it_does_not_need(daemons, tmp_path):
    broker = daemons(tmp_path / "data").start()
    now = status(broker)
    assert now["NoNewPrivs"] == ["1"]
    assert now["Seccomp"] == ["0" if lacks(broker, "seccomp") else "2"]
    works(broker)
    assert broker.stop() == 0


@ROOT
def test_root_becomes_the_user_and_keeps_no_capability(daemons, tmp_path):
    open_to_nobody(tmp_path)
    broker = daemons(tmp_path / "data", user="nobody").start()
    now = status(broker)
    assert now["Uid"] == [str(NOBODY.pw_uid)] * 4 and now["Gid"] == [str(NOBODY.pw_gid)] * 4
    assert {int(now[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    for path in (tmp_path / "data", tmp_path / "data" / "store" / "data.mdb"):
        assert path.stat().st_uid == NOBODY.pw_uid
        assert path.stat().st_mode & 0o077 == 0
    works(broker)
    assert broker.stop() == 0


@ROOT
def test_a_port_below_1024_costs_one_capability(daemons, tmp_path):
    open_to_nobody(tmp_path)
    options = {"listener.tcp.low": "127.0.0.1:883", "user": "nobody"}
    broker = daemons(tmp_path / "data").start(**options)
    bind_service = 1 << 10
    now = status(broker)
    assert {int(now[name][0], 16) for name in ("CapEff", "CapPrm")} == {bind_service}
    assert int(now["CapBnd"][0], 16) == 0
    works(broker)
    assert broker.stop() == 0


@ROOT
def test_a_user_that_there_is_not_is_named(daemons, tmp_path):
    broker = daemons(tmp_path / "data").start(wait=None, user="nobody-of-that-name")
    assert broker.process.wait(10) == 1
    assert any("there is no user 'nobody-of-that-name'" in line for line in broker.lines)
    assert not (tmp_path / "data").exists()


def test_it_writes_nowhere_but_where_it_was_told(daemons, tmp_path):
    """A reload that names another folder for the log is told so, and goes on with the old file."""
    file, other = tmp_path / "linnet.conf", tmp_path / "other"
    other.mkdir()
    file.write_text(f"log.file = {tmp_path}/here/a.log\n")
    (tmp_path / "here").mkdir()
    broker = daemons(tmp_path / "data")
    command = [os.environ["LINNETD"], "-c", str(file)]
    for key, value in broker.options.items():
        command += ["-o", f"{key}={value}"]
    process = subprocess.Popen(command)
    log = tmp_path / "here" / "a.log"
    until(process, lambda: log.exists() and "broker.started" in log.read_text())
    confined = "landlock=\"on\"" in log.read_text()
    file.write_text(f"log.file = {other}/b.log\n")
    process.send_signal(signal.SIGHUP)
    until(process, lambda: "reload.refused" in log.read_text() or (other / "b.log").exists())
    assert (other / "b.log").exists() != confined
    process.terminate()
    assert process.wait(20) == 0
