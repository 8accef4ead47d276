"""What systemd and the broker tell each other, with this test in systemd's place."""
import os
import signal
import socket

import wire
from test_listeners import connack


class Told:
    """The socket that the broker tells how things stand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(wire.SECONDS_MAX)
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def next(self):
        return self.socket.recv(4096).decode().split("\n")


def with_sockets(names, *sockets):
    """A command that hands them over, and the environment for it; descriptors from 3 on."""
    moves = " ".join(f"{3 + i}<&{s.fileno()}" for i, s in enumerate(sockets))
    for s in sockets:
        os.set_inheritable(s.fileno(), True)
    return (["bash", "-c", f'LISTEN_PID=$$ exec "$@" {moves}', "bash"],
            {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names})


def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    s = socket.socket(family)
    s.bind(address)
    s.listen()
    return s


def test_it_is_told_how_things_stand(daemons, tmp_path):
    told = Told(tmp_path / "notify")
    broker = daemons(tmp_path).start(environment=told.environment)
    assert told.next() == ["READY=1"]
    with socket.create_connection(("127.0.0.1", broker.port)):  # ready means that it listens
        pass
    broker.process.send_signal(signal.SIGHUP)
    reloading = told.next()
    assert reloading[0] == "RELOADING=1" and reloading[1].startswith("MONOTONIC_USEC=")
    assert told.next() == ["READY=1"]
    assert broker.stop() == 0
    assert told.next() == ["STOPPING=1"]


def test_it_beats_as_often_as_asked(daemons, tmp_path):
    told = Told(tmp_path / "notify")
    daemons(tmp_path, shards=4).start(environment={**told.environment, "WATCHDOG_USEC": "30000"})
    assert told.next() == ["READY=1"]
    assert [told.next() for _ in range(3)] == [["WATCHDOG=1"]] * 3


def test_another_process_is_meant(daemons, tmp_path):
    told = Told(tmp_path / "notify")
    broker = daemons(tmp_path).start(environment={**told.environment, "WATCHDOG_USEC": "3000",
                                                  "WATCHDOG_PID": "1", "LISTEN_PID": "1",
                                                  "LISTEN_FDS": "1", "LISTEN_FDNAMES": "external"})
    assert told.next() == ["READY=1"]
    assert "handed_over=0" in next(line for line in broker.lines if " listener.open" in line)
    assert broker.stop() == 0
    assert told.next() == ["STOPPING=1"]                        # and nothing before it


def connects(family, address):
    with socket.socket(family) as link:
        link.settimeout(wire.SECONDS_MAX)
        link.connect(address)
        link.sendall(wire.connect("a"))
        return connack(link)


def test_sockets_are_handed_over(daemons, tmp_path):
    path = str(tmp_path / "socket")
    tcp, second, unix = listening(), listening(), listening(socket.AF_UNIX, path)
    unused = listening()
    before, environment = with_sockets("tcp.external:external:local:nobody", tcp, second, unix,
                                       unused)
    broker = daemons(tmp_path, listener__unix__local="/nowhere/socket")
    pass_on = [s.fileno() for s in (tcp, second, unix, unused)]
    broker.start(before=before, environment=environment, pass_fds=pass_on)
    for address in (tcp.getsockname(), second.getsockname()):
        assert [connects(socket.AF_INET, address) for _ in range(3)] == [0] * 3
    assert [connects(socket.AF_UNIX, path) for _ in range(3)] == [0] * 3
    assert 'names="nobody"' in next(line for line in broker.lines if "sockets_unused" in line)
    assert broker.stop() == 0
    assert os.path.exists(path)                                 # it is not the broker's


def test_a_socket_of_another_kind_is_refused(daemons, tmp_path):
    unix = listening(socket.AF_UNIX, str(tmp_path / "socket"))
    before, environment = with_sockets("external", unix)
    broker = daemons(tmp_path)
    broker.start(before=before, environment=environment, pass_fds=[unix.fileno()], wait=None)
    assert broker.wait() == 1
    assert "a socket of another kind" in "\n".join(broker.lines)
