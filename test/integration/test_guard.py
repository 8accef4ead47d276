"""The guard in the real daemon: bans that come, go and outlive it, a broker that lags, one that has
no descriptors left, and one whose memory is used up."""
import os
import re
import resource
import signal
import time

import pytest

import daemon
import wire
from siege import LEFT_BYTES, PLAIN, Links, Siege, attackers

SERVER_BUSY, BANNED, ADMINISTRATIVE = 0x89, 0x8A, 0x98
BAD_CREDENTIALS, QUOTA = 0x86, 0x97
GUESTS = {"mqtt.allow_anonymous": "on", "limits.exempt_loopback": "off"}


def ban_line(kind, what, seconds=600):
    now = int(time.time())
    return f"{kind} {what} {now + seconds if seconds else 0} {now} me test\n"


def reload(broker, event="reload.done"):
    before = broker.count(event)
    broker.process.send_signal(signal.SIGHUP)
    assert broker.wait_for(event, before + 1), broker.lines


def reason(broker, name, **more):
    return wire.connect_reason(broker.port, name, **more)


def wait_for_file(path, text):
    """The broker writes it within seconds."""
    deadline = time.monotonic() + daemon.SECONDS_MAX
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < deadline, path.exists() and path.read_text()
        time.sleep(0.05)
    return path.read_text()


# ---- bans ----------------------------------------------------------------------------------------

def test_bans_of_the_file_hold_after_a_reload_and_a_restart(daemons, tmp_path):
    broker, bans = daemons(tmp_path).start(), tmp_path / "bans"
    one, other = (wire.Client(broker.port, name, 5, clean=True) for name in ("one", "other"))
    bans.write_text("# mine\n" + ban_line("clientid", "one") + ban_line("username", "bad%20name", 0)
                    + ban_line("clientid", "past", -5) + "nonsense\n")
    reload(broker)
    assert one.take(wire.DISCONNECT).reason == ADMINISTRATIVE and one.is_closed()
    assert reason(broker, "one") == BANNED and reason(broker, "past") == 0
    assert reason(broker, "x", username="bad name", password="x") == BANNED
    assert any("ban.unreadable" in line and "line=5" in line for line in broker.lines)
    assert other.ping() == []
    assert broker.stop() == 0
    broker.start()
    assert reason(broker, "one") == BANNED and reason(broker, "two") == 0
    bans.write_text("")
    reload(broker)
    assert reason(broker, "one") == 0
    broker.kill()


def test_a_client_that_flaps_is_banned_and_stays_so(daemons, tmp_path):
    broker = daemons(tmp_path, **GUESTS, **{"flapping.max_count": 3, "flapping.window": "60s",
                                            "flapping.ban_time": "600s"}).start()
    assert [reason(broker, "flapper") for _ in range(5)] == [0, 0, 0, BANNED, BANNED]
    assert reason(broker, "calm") == 0
    assert broker.count("ban.added") == 1
    text = wait_for_file(tmp_path / "bans", "clientid flapper ")
    assert " flapping " in text
    broker.kill()               # what is in the file outlives even that
    broker.start()
    assert reason(broker, "flapper") == BANNED and reason(broker, "calm") == 0
    kept = [line for line in text.splitlines() if not line.startswith("clientid flapper ")]
    (tmp_path / "bans").write_text("\n".join(kept) + "\n")
    reload(broker)
    assert reason(broker, "flapper") == 0
    assert broker.stop() == 0


def test_who_guesses_is_banned_by_address(daemons, tmp_path):
    broker = daemons(tmp_path, **{
        "limits.exempt_loopback": "off", "auth.chain": "username", "auth.failures.delay": 0,
        "auth.user.1.username": "ann", "auth.user.1.password": "secret",
        "auth.failures.ban_after": 3, "auth.failures.ban_time": "600s"}).start()
    ann = wire.Client(broker.port, "ann", 5, clean=True, username="ann", password="secret")
    guesses = [reason(broker, f"guess-{i}", username="ann", password=f"{i}") for i in range(4)]
    assert guesses == [BAD_CREDENTIALS] * 4
    assert reason(broker, "late", username="ann", password="secret") == BANNED
    assert broker.wait_for("ban.added")
    assert any("ban.added" in line and 'what="127.0.0.1"' in line and 'by="auth.failures"' in line
               for line in broker.lines), broker.lines[-5:]
    assert ann.take(wire.DISCONNECT).reason == ADMINISTRATIVE   # of the same address
    assert broker.stop() == 0
    assert "address 127.0.0.1" in (tmp_path / "bans").read_text()


def wait_until_let_in(broker):
    deadline = time.monotonic() + daemon.SECONDS_MAX
    while reason(broker, "new") != 0:
        assert time.monotonic() < deadline, "it does not recover"


# ---- a broker that lags --------------------------------------------------------------------------

def test_who_comes_to_a_broker_that_lags_is_told(daemons, tmp_path):
    """Stopped, it is late with everything at once; those who are there already stay."""
    broker = daemons(tmp_path, **{"overload.lag": "200ms"}).start()
    old = wire.Client(broker.port, "old", 5, clean=True)
    old.subscribe("a", 1)
    broker.process.send_signal(signal.SIGSTOP)
    os.waitpid(broker.process.pid, os.WUNTRACED)        # until it stands
    comers = [wire.raw_connect(broker.port, f"new-{i}", 5) for i in range(8)]
    old.publish("a", b"while it stood", 1, 7)
    time.sleep(1)               # what it is late by: it is no waiting for anything
    broker.process.send_signal(signal.SIGCONT)
    assert {wire.connack_reason(link, 5) for link in comers} == {SERVER_BUSY}
    got = {old.next().kind, old.next().kind}
    assert got == {wire.PUBLISH, wire.PUBACK}
    assert broker.wait_for("alarm.raised")
    wait_until_let_in(broker)
    assert broker.wait_for("alarm.cleared")
    assert old.ping() == []
    assert sum("connection.refused" in line for line in broker.lines) <= 200
    assert broker.stop() == 0


# ---- no descriptors ------------------------------------------------------------------------------

def leave_descriptors(broker, count):
    """So many that it may still open; None: as many as it likes."""
    pid = broker.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    limit, free = 0, 0
    while free < count or limit in used:
        free += limit not in used
        limit += 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(limit, hard), hard))


def test_a_reload_without_descriptors_changes_nothing(daemons, tmp_path):
    """With one descriptor more each time it gets a step further, and is refused there; what it
    says of itself is true."""
    file, log = tmp_path / "linnet.conf", tmp_path / "log"
    rules, port = tmp_path / "rules", daemon.free_port()
    rules.write_text('{allow, all, pubsub, ["a/#"]}.\n')
    before = f'acl.file = {rules}\nlog.file = {log}\n'
    file.write_text(before)
    broker = daemons(tmp_path / "data")
    broker.file = str(file)
    broker.start(wait=None)
    wait_for_file(log, "broker.started")
    old = wire.Client(broker.port, "old", 5, clean=True)
    old.subscribe("a/b", 1)
    pid, refused = broker.process.pid, 0
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    file.write_text(before + f"listener.tcp.second = 127.0.0.1:{port}\nmqtt.max_qos = 1\n")
    for left in range(16):
        size = log.stat().st_size
        leave_descriptors(broker, left)
        broker.process.send_signal(signal.SIGHUP)
        said = wait_for_more(log, size, r" (reload\.(done|refused)) ?")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        old.publish("a/b", b"%d" % left, 1, 7)
        assert {old.next().kind, old.next().kind} == {wire.PUBLISH, wire.PUBACK}
        assert reason(broker, "new") == 0
        if "reload.done" in said and "Too many open files" not in said:
            break
        refused += 1
        assert "Too many open files" in said, said
        if "reload.refused" in said:
            with pytest.raises(OSError):
                wire.Client(port, "early", 5, clean=True)
    assert refused and "reload.done" in said
    assert reason(broker, "after") == 0
    assert wire.connect_reason(port, "second") == 0
    assert broker.stop() == 0


def wait_for_more(path, size, pattern):
    """What the file has got since, once that is in it."""
    deadline = time.monotonic() + daemon.SECONDS_MAX
    while True:
        text = path.read_bytes()[size:].decode()
        if re.search(pattern, text):
            return text
        assert time.monotonic() < deadline, text
        time.sleep(0.02)


# ---- no memory -----------------------------------------------------------------------------------

def test_slow_consumers_do_not_get_beyond_the_limit(daemons, tmp_path):
    """Each has queues without bounds: the broker has one."""
    limit = 24 << 20
    it = Siege(daemons, tmp_path, durability="memory", **{
        "memory.limit": limit, "mqtt.client.output_high": "1MB"})
    links = Links(it.port)
    for link in links.clients(attackers(0.2), name="deaf"):
        links.send(link, wire.subscribe(1, "flood/#", 1, 5))
    loud = wire.Client(it.daemon.port, "loud", 5, clean=True)
    for number in range(1, 1000):
        loud.publish("flood/a", os.urandom(512 << 10), 1, number)
        if loud.take(wire.PUBACK, number).reason == QUOTA:
            break
    else:
        raise AssertionError("it takes whatever comes")
    assert it.said("alarm.raised")
    assert not PLAIN or it.memory("VmHWM") < 3 * limit
    assert wire.connect_reason(it.daemon.port, "beyond") == QUOTA
    links.close()               # with them goes what waited for them
    it.watcher.wait_for(clients=it.rest["clients"] + 1, held=it.rest["held"] + LEFT_BYTES)
    wait_until_let_in(it.daemon)
    loud.publish("a", b"b", 1, 1)
    loud.take(wire.PUBACK, 1)
    assert it.daemon.stop() == 0
