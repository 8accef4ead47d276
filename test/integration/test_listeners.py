"""Listeners of the real daemon: Unix sockets, who may connect, many at once."""
import os
import socket
import stat
import subprocess

import daemon
import wire


def unix_client(path, name):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(wire.SECONDS_MAX)
    link.connect(str(path))
    link.sendall(wire.connect(name))
    return link


def connack(link):
    reply = b""
    while len(reply) < 4:
        part = link.recv(4 - len(reply))
        if not part:
            return None
        reply += part
    return reply[3]


def test_a_unix_socket(daemons, tmp_path):
    path = tmp_path / "socket"
    broker = daemons(tmp_path, shards=2, listener__unix__local=path,
                     listener__unix__local__mode="0600",
                     listener__unix__local__use_identity_as_username="on",
                     mqtt__allow_anonymous_loopback="off").start()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    links = [unix_client(path, f"c{i}") for i in range(8)]      # at home on either shard
    assert [connack(link) for link in links] == [0] * 8
    for link in links:
        link.close()
    assert broker.wait_for("client.connected", 8)
    line = next(line for line in broker.lines if " client.connected" in line)
    assert f'via="uid={os.getuid()} pid={os.getpid()}"' in line and 'address="unix"' in line
    with socket.create_connection(("127.0.0.1", broker.port)) as link:  # has no identity
        link.sendall(wire.connect("tcp"))
        assert connack(link) == 5
    assert broker.stop() == 0
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_one_in_use_is_not(daemons, tmp_path):
    path = tmp_path / "socket"
    first = daemons(tmp_path / "a", listener__unix__local=path).start()
    second = daemons(tmp_path / "b", listener__unix__local=path)
    assert not second.start(wait=None).wait_for("broker.started")
    assert second.wait() == 1
    assert 'listener.failed listener="unix:local"' in "\n".join(second.lines)
    assert connack(unix_client(path, "a")) == 0         # whose it is has not noticed
    first.kill()
    assert path.exists()
    first.start()
    assert connack(unix_client(path, "a")) == 0


def test_access_rules(daemons, tmp_path):
    other = daemon.free_port()
    broker = daemons(tmp_path, **{"listener.tcp.external.access.1": "deny 127.0.0.1",
                                  "listener.tcp.external.access.2": "allow all",
                                  "listener.tcp.other": other,
                                  "listener.tcp.other.access.1": "allow 127.0.0.0/8"}).start()
    with socket.create_connection(("127.0.0.1", broker.port)) as link:
        assert link.recv(1) == b""
    with socket.create_connection(("127.0.0.1", other)) as link:
        link.sendall(wire.connect("a"))
        assert connack(link) == 0
    assert broker.wait_for("connection.denied")
    assert 'listener="tcp:external"' in next(line for line in broker.lines if "denied" in line)


def test_a_configuration_that_lets_nobody_in_is_refused(tmp_path):
    command = [os.environ["LINNETD"], "-t", "-o", "listener.tcp.external.access.1=deny 10.0.0.0/8"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "listener.tcp.external.access: no rule allows anyone" in done.stderr
