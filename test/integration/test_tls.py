"""TLS as clients that nobody here wrote speak it, and certificates that change while they do."""
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import subprocess

import paho.mqtt.client as paho
import pytest

import daemon
from authority import Authority

SECONDS_MAX = 20


@pytest.fixture
def authority(tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


class Tls:
    """A broker with a TLS listener beside the plain one."""

    def __init__(self, daemons, folder, authority, kind="tls", also=(), **options):
        self.port, self.authority, self.kind = daemon.free_port(), authority, kind
        self.cert, self.key = authority.issue("server")
        self.daemon = daemons(str(folder / "data"), **{
            f"listener.{kind}.external": f"127.0.0.1:{self.port}",
            f"listener.{kind}.external.certfile": self.cert,
            f"listener.{kind}.external.keyfile": self.key,
            **{f"listener.{kind}.external.{key}": value for key, value in options.items()},
            **dict(also)})
        self.daemon.start()

    def context(self, cert=None):
        context = ssl.create_default_context(cafile=self.authority.file)
        if cert is not None:
            context.load_cert_chain(*cert)
        return context

    def serial(self):
        """Of the certificate that a new connection is shown."""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX) as raw:
            with self.context().wrap_socket(raw, server_hostname="localhost") as tls:
                return int(tls.getpeercert()["serialNumber"], 16)

    def mosquitto(self, tool, *arguments, ca=True, check=True):
        trust = ["--cafile", str(self.authority.file)] if ca else []
        return subprocess.run([f"mosquitto_{tool}", "-h", "localhost", "-p", str(self.port), *trust,
                               *map(str, arguments)], check=check, timeout=SECONDS_MAX,
                              capture_output=True)


@pytest.fixture
def broker(daemons, tmp_path, authority):
    def make(**options):
        return Tls(daemons, tmp_path, authority, **options)
    return make


class Client:
    """Paho over TLS; what happens is put into queues."""

    def __init__(self, broker, name, cert=None, port=None, username=None):
        more = {"client_id": name, "protocol": paho.MQTTv311}
        if broker.kind == "wss" and port is None:
            more["transport"] = "websockets"
        if hasattr(paho, "CallbackAPIVersion"):
            more["callback_api_version"] = paho.CallbackAPIVersion.VERSION1
        self.messages, self.connected = queue.Queue(), queue.Queue()
        self.subscribed = queue.Queue()
        self.paho = paho.Client(**more)
        self.paho.on_connect = lambda c, u, flags, code, *rest: self.connected.put(code)
        self.paho.on_message = lambda c, u, message: self.messages.put(message)
        self.paho.on_subscribe = lambda *rest: self.subscribed.put(True)
        if username is not None:
            self.paho.username_pw_set(username)
        if port is None:
            self.paho.tls_set_context(broker.context(cert))
        self.paho.connect("localhost", port or broker.port)
        self.paho.loop_start()
        self.code = self.connected.get(timeout=SECONDS_MAX)

    def subscribe(self, topic):
        self.paho.subscribe(topic, 1)
        self.subscribed.get(timeout=SECONDS_MAX)

    def echo(self, payload):
        """What it publishes comes back."""
        self.paho.publish("echo", payload, 1)
        assert self.messages.get(timeout=SECONDS_MAX).payload == payload

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_mosquitto_over_tls(broker, version):
    tls = broker(tls_versions=version)
    tls.mosquitto("pub", "-r", "-q", "1", "-t", "a", "-m", "hi")
    assert tls.mosquitto("sub", "-t", "a", "-C", "1", "-W", "10").stdout == b"hi\n"
    assert tls.daemon.wait_for("client.connected", 2)
    spoken = f'via="{version.upper().replace("V", "v")} '
    assert sum(spoken in line for line in tls.daemon.lines) > 1


@pytest.mark.parametrize("kind", ["tls", "wss"])
def test_large_messages_cross(broker, kind):
    tls = broker(kind=kind)
    one = Client(tls, "one")
    one.subscribe("echo")
    for size in (1, 16384, 16385, 300000, 900000):
        one.echo(os.urandom(size))
    one.close()


def test_who_has_no_good_certificate_stays_outside(broker, authority, tmp_path):
    tls = broker(verify="peer", fail_if_no_peer_cert="on", cacertfile=authority.file)
    robot = authority.issue("robot")
    folder = tmp_path / "others"
    folder.mkdir()
    stranger = Authority(folder, "stranger").issue("robot")
    good = ["-t", "a", "-m", "x", "-q", "1"]
    tls.mosquitto("pub", "--cert", robot[0], "--key", robot[1], *good)
    assert tls.mosquitto("pub", *good, check=False).returncode != 0
    assert tls.daemon.wait_for("connection.refused")
    assert "peer did not return a certificate" in tls.daemon.line("connection.refused")
    refused = tls.mosquitto("pub", "--cert", stranger[0], "--key", stranger[1], *good, check=False)
    assert refused.returncode != 0
    assert tls.daemon.wait_for("connection.refused", 2)
    assert "unable to get local issuer certificate" in "\n".join(tls.daemon.lines)


def test_a_new_revocation_list_is_obeyed(broker, authority):
    robot = authority.issue("robot")
    tls = broker(verify="peer", fail_if_no_peer_cert="on", cacertfile=authority.file,
                 crlfile=authority.revoke())
    send = ["--cert", robot[0], "--key", robot[1], "-t", "a", "-m", "x", "-q", "1"]
    tls.mosquitto("pub", *send)
    authority.revoke("robot")
    assert tls.daemon.wait_for("certificates.swapped")
    assert tls.mosquitto("pub", *send, check=False).returncode != 0
    assert tls.daemon.wait_for("connection.refused")
    assert "certificate revoked" in tls.daemon.line("connection.refused")


@pytest.mark.parametrize("kind", ["tls", "wss"])
def test_the_certificate_is_the_name(broker, authority, kind):
    tls = broker(kind=kind, verify="peer", cacertfile=authority.file, peer_cert_as_username="cn",
                 peer_cert_as_clientid="dn")
    watcher = Client(tls, "watcher", port=tls.daemon.port)
    watcher.subscribe("$SYS/brokers/+/clients/+/connected")
    robot = Client(tls, "liar", cert=authority.issue("robot"), username="admin")
    told = json.loads(watcher.messages.get(timeout=SECONDS_MAX).payload)
    assert (told["username"], told["clientid"]) == ("robot", "CN=robot")
    nobody = Client(tls, "nobody", username="admin")
    assert robot.code == 0 and nobody.code == 5
    for client in (watcher, robot, nobody):
        client.close()


def test_a_proven_name_needs_no_password_and_others_do(broker, authority):
    tls = broker(verify="peer", cacertfile=authority.file, peer_cert_as_username="cn",
                 also={"auth.chain": "identity, username", "auth.user.1.username": "bob",
                       "auth.user.1.password": "secret"})
    robot = Client(tls, "robot", cert=authority.issue("robot"))
    bob = Client(tls, "bob", port=tls.daemon.port, username="bob")
    assert robot.code == 0 and bob.code != 0
    robot.close()
    bob.close()


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_keys_shared_before(broker, tmp_path, version):
    keys = tmp_path / "keys"
    keys.write_text("sensor:00112233445566778899aabbccddeeff\n")
    tls = broker(psk_file=keys, use_identity_as_username="on", tls_versions=version)
    watcher = Client(tls, "watcher", port=tls.daemon.port)
    watcher.subscribe("$SYS/brokers/+/clients/+/connected")
    send = ["--psk-identity", "sensor", "-t", "a", "-m", "x", "-q", "1"]
    tls.mosquitto("pub", "--psk", "00112233445566778899aabbccddeeff", *send, ca=False)
    told = json.loads(watcher.messages.get(timeout=SECONDS_MAX).payload)
    assert told["username"] == "sensor"
    tls.mosquitto("pub", "--psk", "00112233445566778899aabbccddeefe", *send, ca=False, check=False)
    assert tls.daemon.wait_for("connection.refused")
    assert tls.daemon.count("client.connected") == 2
    watcher.close()


def test_openssl_agrees_on_a_protocol_and_picks_by_name(broker, authority):
    other = authority.issue("other", "DNS:other.test,DNS:*.wild.test")
    tls = broker(certfile=f"{authority.folder}/server.pem,{other[0]}",
                 keyfile=f"{authority.folder}/server.key,{other[1]}")

    def ask(name):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", "-alpn",
                               "mqtt", "-servername", name], input=b"", timeout=SECONDS_MAX,
                              capture_output=True).stdout.decode()
    assert "ALPN protocol: mqtt" in ask("localhost")
    assert "subject=CN = other" in ask("a.wild.test")
    assert "subject=CN = server" in ask("unknown.test")
    assert "Compression: NONE" in ask("localhost")


def test_a_handshake_has_its_time(broker):
    tls = broker(handshake_timeout="100ms", also={"mqtt.broker.sys_interval": "100ms"})
    one = Client(tls, "one")
    one.subscribe("echo")
    with socket.create_connection(("127.0.0.1", tls.port), SECONDS_MAX) as slow:
        slow.sendall(b"\x16\x03\x01")
        assert slow.recv(100) == b""
    assert tls.daemon.wait_for("connection.refused")
    line = next(line for line in tls.daemon.lines if "connection.refused" in line)
    assert "no TLS handshake in time" in line and 'address="127.0.0.1:' in line
    counts = Client(tls, "counts", port=tls.daemon.port)
    counts.subscribe("$SYS/brokers/+/metrics/handshakes/timeout")
    while counts.messages.get(timeout=SECONDS_MAX).payload != b"1":
        pass
    counts.close()
    one.echo(b"still here")
    one.close()


def test_what_is_not_tls_is_told(broker):
    tls = broker()
    with socket.create_connection(("127.0.0.1", tls.port), SECONDS_MAX) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        while plain.recv(100):
            pass
    assert tls.daemon.wait_for("connection.refused")
    line = tls.daemon.line("connection.refused")
    assert 'transport="tls"' in line and "127.0.0.1" in line and "wrong version number" in line


def test_certificates_are_swapped_under_those_who_are_connected(broker, authority):
    tls = broker()
    one = Client(tls, "one")
    one.subscribe("echo")
    before = tls.serial()
    authority.issue("server")                   # in place: the certificate, then its key
    assert tls.daemon.wait_for("certificates.swapped")
    after = tls.serial()
    assert after != before
    one.echo(b"still here")

    tls.cert.write_text("half a certific")
    assert tls.daemon.wait_for("certificates.refused")
    raised = 'alarm.raised id="certificate_unusable.tls:external"'
    assert tls.daemon.wait_for(raised)
    assert str(tls.cert) in [line for line in tls.daemon.lines if raised in line][0]
    assert tls.serial() == after
    authority.issue("server")
    assert tls.daemon.wait_for('alarm.cleared id="certificate_unusable.tls:external"')
    assert tls.serial() not in (before, after)
    one.echo(b"and still")

    swapped = tls.daemon.count("certificates.swapped")
    tls.daemon.process.send_signal(signal.SIGHUP)
    assert tls.daemon.wait_for("certificates.swapped", swapped + 1)
    one.echo(b"for ever")
    one.close()


def test_links_that_turn_are_followed(broker, authority, daemons, tmp_path):
    first, second, live = tmp_path / "1", tmp_path / "2", tmp_path / "live"
    for folder in (first, second):
        folder.mkdir()
        cert, key = authority.issue("server")
        shutil.copy(cert, folder / "c.pem")
        shutil.copy(key, folder / "k.pem")
    live.symlink_to(first)
    tls = broker(certfile=live / "c.pem", keyfile=live / "k.pem")
    before = tls.serial()
    (tmp_path / "next").symlink_to(second)
    os.replace(tmp_path / "next", live)
    tls.daemon.process.send_signal(signal.SIGHUP)       # the folder of the link is not watched
    assert tls.daemon.wait_for("certificates.swapped")
    assert tls.serial() != before


def test_the_days_left_are_said_and_few_are_an_alarm(broker):
    tls = broker()
    assert tls.daemon.wait_for('alarm.raised id="certificate_expires.tls:external"')
    got = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(tls.daemon.port), "-t",
                          "$SYS/brokers/+/certificates/#", "-v", "-C", "1", "-W", "10"], check=True,
                         capture_output=True, timeout=SECONDS_MAX)
    assert got.stdout.decode().split("/certificates/")[1] in ("tls:external/0/days 0\n",
                                                              "tls:external/0/days 1\n")


def test_a_wrong_path_is_one_sentence(broker, authority, tmp_path):
    port = daemon.free_port()
    closed = tmp_path / "closed"
    closed.mkdir()
    shutil.copy(authority.file, closed / "cert.pem")

    def start(before=(), **files):
        command = [*before, os.environ["LINNETD"], "-o", f"data_dir={tmp_path / 'd'}", "-o",
                   "durability=memory", "-o", f"listener.tls.external=127.0.0.1:{port}"]
        for key, value in files.items():
            command += ["-o", f"listener.tls.external.{key}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
        assert done.returncode != 0
        return done.stderr
    said = start(certfile=tmp_path / "none.pem")
    assert 'listener="tls:external"' in said
    assert f"certfile {tmp_path}/none.pem: there is no such file" in said
    assert "certfile" in start()
    if os.geteuid() == 0:
        (tmp_path / "d").mkdir(exist_ok=True)
        os.chmod(tmp_path / "d", 0o777)
        closed.chmod(0o700)
        for folder in [tmp_path, *tmp_path.parents][:3]:
            folder.chmod(folder.stat().st_mode | 0o055)
        said = start(before=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
                     certfile=closed / "cert.pem")
        assert f"permission denied on the directory {closed} (mode 0700, owner 0" in said
