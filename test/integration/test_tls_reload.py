"""TLS at SIGHUP: listeners come and go, their options change, all of it or nothing; who is
connected stays."""
import socket
import ssl
import subprocess

import pytest

import daemon
import wire
from authority import Authority
from test_listeners import connack
from test_reload import Reloaded, connected, is_alive


@pytest.fixture
def authority(tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def ports():
    return [daemon.free_port() for _ in range(2)]


def listener(port, cert, key, kind="tls", **options):
    """Its lines of the file."""
    lines = {"": f"127.0.0.1:{port}", ".certfile": cert, ".keyfile": key,
             **{f".{option}": value for option, value in options.items()}}
    return "".join(f"listener.{kind}.door{key} = {value}\n" for key, value in lines.items())


def greet(authority, port, cert=None, **versions):
    """A TLS connection, or an ssl.SSLError."""
    context = ssl.create_default_context(cafile=authority.file)
    for name, version in versions.items():
        setattr(context, name, version)
    if cert is not None:
        context.load_cert_chain(*cert)
    raw = socket.create_connection(("127.0.0.1", port), wire.SECONDS_MAX)
    return context.wrap_socket(raw, server_hostname="localhost")


def client(authority, port, name="a", cert=None):
    link = greet(authority, port, cert)
    link.sendall(wire.connect(name))
    assert connack(link) == 0
    return link


def name_of(link):
    return dict(link.getpeercert()["subject"][0])["commonName"]


def days_said(broker):
    """Topics of retained messages, without what is before the listener's name."""
    got = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t",
                          "$SYS/brokers/+/certificates/#", "-t", "$SYS/brokers/+/version", "-F",
                          "%t", "--retained-only", "-W", "1"], capture_output=True, text=True,
                         timeout=wire.SECONDS_MAX)
    return [topic.split("/certificates/")[1] for topic in got.stdout.split()
            if "/certificates/" in topic]


def test_listeners_with_tls_come_and_go(daemons, tmp_path, authority, ports):
    it = Reloaded(daemons, tmp_path, "")
    plain = connected(it.broker.port, "plain")
    cert, key = authority.issue("server")
    both = listener(ports[0], cert, key) + listener(ports[1], cert, key, "wss")
    it.reload(both)
    assert not it.said("needs a restart")
    one = client(authority, ports[0], "one")
    web = greet(authority, ports[1])
    web.sendall(b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
    assert web.recv(12) == b"HTTP/1.1 101"
    assert it.broker.wait_for('alarm.raised id="certificate_expires.tls:door"')
    assert sorted(days_said(it.broker)) == ["tls:door/0/days", "wss:door/0/days"]
    authority.issue("server")                   # they are watched, like those of the start
    assert it.broker.wait_for('certificates.swapped listener="tls:door"')
    assert is_alive(one) and is_alive(plain)

    it.reload("")
    assert it.broker.wait_for('alarm.cleared id="certificate_expires.tls:door"')
    with pytest.raises(OSError):
        greet(authority, ports[0])
    assert days_said(it.broker) == []
    it.reload(both)                             # as if they had never been
    assert is_alive(client(authority, ports[0], "one")) and is_alive(plain)


def test_other_options_are_for_those_who_come(daemons, tmp_path, authority, ports):
    first, second = authority.issue("first"), authority.issue("second")
    robot = authority.issue("robot")
    it = Reloaded(daemons, tmp_path, listener(ports[0], *first))
    old = client(authority, ports[0], "old")
    it.reload(listener(ports[0], *second))
    assert not it.said("needs a restart")
    assert name_of(greet(authority, ports[0])) == "second" and name_of(old) == "first"
    assert is_alive(old)

    it.reload(listener(ports[0], *second, tls_versions="tlsv1.3"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        greet(authority, ports[0], maximum_version=ssl.TLSVersion.TLSv1_2)
    it.reload(listener(ports[0], *second, tls_versions="tlsv1.2", verify="peer",
                       fail_if_no_peer_cert="on", cacertfile=authority.file,
                       crlfile=authority.revoke(), peer_cert_as_clientid="cn"))
    assert client(authority, ports[0], "liar", robot).version() == "TLSv1.2"
    assert it.broker.wait_for("client.connected", 2)
    assert any('client.connected client="robot"' in line for line in it.broker.lines)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        greet(authority, ports[0])
    authority.revoke("robot")                   # the new option's file is watched
    assert it.broker.wait_for("certificates.swapped")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        greet(authority, ports[0], robot)
    assert is_alive(old)
    assert days_said(it.broker) == ["tls:door/0/days"]


def test_files_of_before_are_not_looked_at_any_more(daemons, tmp_path, authority, ports):
    first, second = authority.issue("first"), authority.issue("second")
    it = Reloaded(daemons, tmp_path, listener(ports[0], *first))
    first[0].write_text("no certificate")
    assert it.broker.wait_for('alarm.raised id="certificate_unusable.tls:door"')
    it.reload(listener(ports[0], *second))
    assert it.broker.wait_for('alarm.cleared id="certificate_unusable.tls:door"')
    authority.issue("second")
    assert it.broker.wait_for('certificates.swapped listener="tls:door"')
    assert it.broker.count("certificates.refused") == 1


def test_one_bad_file_changes_nothing(daemons, tmp_path, authority, ports):
    cert, key = authority.issue("server")
    other = authority.issue("other")
    good = listener(ports[0], cert, key)
    it = Reloaded(daemons, tmp_path, good)
    old = client(authority, ports[0], "old")

    def refused(text, why):
        it.reload(text + "mqtt.max_qos = 0\n", "reload.refused")
        assert any(" listener.failed" in line and why in line for line in it.broker.lines), why
    changed = listener(ports[0], *other)
    refused(changed + listener(ports[1], tmp_path / "none.pem", key, "wss"),
            f'listener="wss:door" address="127.0.0.1:{ports[1]}" '
            f'reason="certfile {tmp_path}/none.pem: there is no such file')
    refused(changed + listener(ports[1], cert, other[1], "wss"),
            f"keyfile {other[1]}: it is not the key of the certificate")
    refused(listener(ports[0], *other, ciphers="NONE-SUCH"), "ciphers NONE-SUCH: ")
    with pytest.raises(OSError):
        greet(authority, ports[1])
    new = client(authority, ports[0], "new")
    assert name_of(new) == "server" and is_alive(new) and is_alive(old)
    authority.issue("server")                   # and these are watched still
    assert it.broker.wait_for('certificates.swapped listener="tls:door"')
    assert it.broker.count("certificates.refused") == 0
