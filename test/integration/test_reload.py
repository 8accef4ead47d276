"""SIGHUP: listeners come, go and change, all of it or nothing; who is connected stays."""
import signal
import socket

import pytest

import daemon
import wire
from test_listeners import connack

ADMINISTRATIVE_ACTION = 0x98


class Reloaded:
    """A broker with a file, beside the listener that is always there."""

    def __init__(self, daemons, folder, text):
        self.file = folder / "linnet.conf"
        self.file.write_text(text)
        self.broker = daemons(folder).start(arguments=["-c", str(self.file)])

    def reload(self, text, event="reload.done"):
        before = self.broker.count(event)
        self.file.write_text(text)
        self.broker.process.send_signal(signal.SIGHUP)
        assert self.broker.wait_for(event, before + 1)

    def said(self, text):
        return any(text in line for line in self.broker.lines)


def client(address, name="a", version=5):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    link = socket.socket(family)
    link.settimeout(wire.SECONDS_MAX)
    link.connect(address if isinstance(address, str) else ("127.0.0.1", address))
    link.sendall(wire.connect(name, version=version))
    return link


def connected(address, name="a"):
    link = client(address, name, version=4)
    assert connack(link) == 0
    return link


def is_refused(port):
    try:
        return connack(client(port, "refused", version=4)) in (None, 3)
    except ConnectionResetError:
        return True


def is_alive(link):
    link.sendall(b"\xc0\x00")
    return link.recv(2) == b"\xd0\x00"


@pytest.fixture
def ports():
    return [daemon.free_port() for _ in range(3)]


def test_listeners_come_and_go(daemons, tmp_path, ports):
    it = Reloaded(daemons, tmp_path, f"listener.tcp.one = 127.0.0.1:{ports[0]}\n")
    one, kept = client(ports[0], "one"), connected(it.broker.port, "kept")
    assert one.recv(1) == b"\x20"
    it.reload(f"listener.tcp.two = 127.0.0.1:{ports[1]}\nlistener.unix.u = {tmp_path}/u\n")
    assert it.said("listener.tcp.one: 127.0.0.1:") and not it.said("needs a restart")
    assert is_alive(connected(ports[1], "two")) and is_alive(connected(f"{tmp_path}/u", "u"))
    rest = b""
    while part := one.recv(100):
        rest += part
    assert rest[rest.index(b"\xe0") + 2] == ADMINISTRATIVE_ACTION
    with pytest.raises(OSError):
        client(ports[0])
    assert is_alive(kept)
    it.reload("")
    assert not (tmp_path / "u").exists()
    assert is_alive(kept)
    it.reload(f"listener.tcp.one = 127.0.0.1:{ports[0]}\n")     # as if it had never been
    assert is_alive(connected(ports[0], "one"))


def test_a_changed_address_keeps_its_clients(daemons, tmp_path, ports):
    it = Reloaded(daemons, tmp_path, f"listener.tcp.one = 127.0.0.1:{ports[0]}\n")
    old = connected(ports[0], "old")
    it.reload(f"listener.tcp.one = 127.0.0.1:{ports[1]}\n")
    assert is_alive(connected(ports[1], "new")) and is_alive(old)
    with pytest.raises(OSError):
        client(ports[0])


def test_changed_options_are_for_those_who_come(daemons, tmp_path, ports):
    text = f"listener.tcp.one = 127.0.0.1:{ports[0]}\nlistener.unix.u = {tmp_path}/u\n"
    it = Reloaded(daemons, tmp_path, text)
    old = connected(ports[0], "old")
    it.reload(text + "listener.tcp.one.versions = 5\nlistener.tcp.one.backlog = 7\n"
              "listener.unix.u.mode = 0600\n")
    assert connack(client(ports[0], "new", version=4)) == 1
    assert is_alive(old)
    assert (tmp_path / "u").stat().st_mode & 0o777 == 0o600
    it.reload(text + "listener.tcp.one.max_clients = 1\n")      # the old one counts
    assert is_refused(ports[0])
    assert is_alive(connected(f"{tmp_path}/u", "u"))
    it.broker.stop()
    assert not (tmp_path / "u").exists()


def test_all_or_nothing(daemons, tmp_path, ports):
    text = f"listener.tcp.one = 127.0.0.1:{ports[0]}\n"
    it = Reloaded(daemons, tmp_path, text)
    old = connected(ports[0], "old")
    with socket.create_server(("127.0.0.1", ports[2])):
        it.reload(f"listener.tcp.two = 127.0.0.1:{ports[1]}\n"
                  f"listener.tcp.three = 127.0.0.1:{ports[2]}\nmqtt.max_qos = 0\n",
                  "reload.refused")
    assert it.said('listener.failed listener="tcp:three"')
    with pytest.raises(OSError):
        client(ports[1])
    assert is_alive(old) and is_alive(connected(ports[0], "new"))
    it.reload(text + f"log.file = {tmp_path}/nowhere/log\nmqtt.max_qos = 0\n", "reload.refused")
    it.reload(text + "mqtt.max_qos = 7\n", "reload.refused")
    link = client(ports[0], "v5")
    assert link.recv(1) == b"\x20"
    assert b"\x24" not in link.recv(100)        # no Maximum QoS: it is 2 still
