"""Listeners of the real daemon: Unix sockets, who may connect, many at once."""
import os
import socket
import stat
import subprocess

import daemon
import wire


def unix_client(path, name, **more):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(wire.SECONDS_MAX)
    link.connect(str(path))
    link.sendall(wire.connect(name, **more))
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


def test_a_banned_user_is_who_the_connection_proves(daemons, tmp_path):
    path = tmp_path / "socket"
    broker = daemons(tmp_path, listener__unix__local=path, ban__usernames=f"uid:{os.getuid()}",
                     listener__unix__local__use_identity_as_username="on").start()
    with unix_client(path, "c", version=5, username="ann") as link:
        assert wire.connack_reason(link, 5) == 0x8A
    assert broker.wait_for("client.refused")
    assert broker.stop() == 0


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


def proxied(broker, header, name="a"):
    """What comes back for a CONNECT behind that header: the code of CONNACK, or None."""
    with socket.create_connection(("127.0.0.1", broker.port)) as link:
        link.settimeout(wire.SECONDS_MAX)
        link.sendall(header + wire.connect(name))
        return connack(link)


def behind_a_proxy(daemons, folder, **more):
    options = {"listener.tcp.external.proxy_protocol": "on",
               "listener.tcp.external.proxy_protocol_trusted": "10.0.0.0/8, 127.0.0.1",
               "listener.tcp.external.allow_anonymous": "on"}
    return daemons(folder, **{**options, **more}).start()


def v2(body, command=0x21, family=0x11):
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + len(body).to_bytes(2, "big")
            + body)


V4 = bytes([10, 1, 2, 3, 192, 168, 0, 1, 0x12, 0x34, 7, 0x5b])


def last(broker, event):
    assert broker.wait_for(event)
    return [line for line in broker.lines if f" {event}" in line][-1]


def test_a_proxy_tells_the_address(daemons, tmp_path):
    broker = behind_a_proxy(daemons, tmp_path)
    assert proxied(broker, b"PROXY TCP4 10.1.2.3 10.0.0.1 4660 1883\r\n") == 0
    assert 'address="10.1.2.3:4660"' in last(broker, "client.connected")
    assert proxied(broker, v2(V4 + b"\x02\x00\x03a.b"), "b") == 0
    assert broker.wait_for("client.connected", 2)
    line = last(broker, "client.connected")
    assert 'address="10.1.2.3:4660"' in line and "sni=a.b" in line and "proxy=127.0.0.1:" in line
    assert proxied(broker, v2(b"", command=0x20, family=0), "c") == 0
    assert broker.wait_for("client.connected", 3)
    assert 'address="127.0.0.1:' in last(broker, "client.connected")


def test_a_proxy_does_not_make_anyone_local(daemons, tmp_path):
    broker = behind_a_proxy(daemons, tmp_path, **{
        "listener.tcp.external.allow_anonymous": "default"})
    assert proxied(broker, b"PROXY TCP4 127.0.0.1 10.0.0.1 4660 1883\r\n") == 0
    assert proxied(broker, b"PROXY TCP4 10.1.2.3 10.0.0.1 4660 1883\r\n") == 5
    assert proxied(broker, b"PROXY UNKNOWN\r\n") == 5


def test_rules_are_for_the_address_behind_the_proxy(daemons, tmp_path):
    broker = behind_a_proxy(daemons, tmp_path, **{
        "listener.tcp.external.access.1": "deny 10.1.0.0/16",
        "listener.tcp.external.access.2": "allow 10.0.0.0/8"})
    assert proxied(broker, b"PROXY TCP4 10.1.2.3 10.0.0.1 4660 1883\r\n") is None
    assert 'address="10.1.2.3:4660"' in last(broker, "connection.denied")
    assert proxied(broker, b"PROXY TCP4 10.2.2.3 10.0.0.1 4660 1883\r\n") == 0


def test_a_verified_name_is_the_username(daemons, tmp_path):
    broker = behind_a_proxy(daemons, tmp_path, listener__tcp__external__mountpoint="u/%u/",
                            listener__tcp__external__use_identity_as_username="on")
    name = b"\x22\x00\x05robot"
    sure = b"\x20\x00\x0d\x03\x00\x00\x00\x00" + name
    unsure = b"\x20\x00\x0d\x03\x00\x00\x00\x01" + name
    assert proxied(broker, v2(V4 + sure)) == 0
    assert proxied(broker, v2(V4 + unsure)) == 5        # it proves no name


def test_who_is_no_proxy_is_hung_up_on(daemons, tmp_path):
    broker = behind_a_proxy(daemons, tmp_path,
                            listener__tcp__external__proxy_protocol_timeout="100ms")
    assert proxied(broker, b"") is None                 # MQTT at once
    assert "no PROXY header" in last(broker, "connection.refused")
    with socket.create_connection(("127.0.0.1", broker.port)) as link:
        link.settimeout(wire.SECONDS_MAX)
        link.sendall(b"PROXY TCP4 10.1.2.3")
        assert link.recv(1) == b""
    broker.stop()
    broker.start(listener__tcp__external__proxy_protocol_trusted="10.0.0.0/8")
    with socket.create_connection(("127.0.0.1", broker.port)) as link:
        assert link.recv(1) == b""
    assert "not one of proxy_protocol_trusted" in last(broker, "connection.denied")


def test_proxies_must_be_named(tmp_path):
    command = [os.environ["LINNETD"], "-t", "-o", "listener.tcp.external.proxy_protocol=on"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "proxy_protocol_trusted is needed" in done.stderr
