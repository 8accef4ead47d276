"""MQTT over WebSocket: clients that nobody here wrote, and what a client sees of the handshakes."""
import pathlib
import socket
import struct
import subprocess
import types

import paho.mqtt.client as paho
import pytest

import daemon
import wire
from test_clients import Client, MESSAGES, VERSIONS
from web import BINARY, CLOSE, Web

HERE = pathlib.Path(__file__).parent
SECONDS_MAX = 20


@pytest.fixture
def broker(daemons, tmp_path):
    made = daemons(tmp_path, listener__ws__w="127.0.0.1:0", mqtt__client__idle_timeout="2s")
    made.ws_port = daemon.free_port()
    made.options["listener.ws.w"] = f"127.0.0.1:{made.ws_port}"
    made.start()
    yield made
    if made.is_alive():
        assert made.stop() == 0


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho(broker, version, qos):
    """[MQTT-6.0.0-2] [MQTT-6.0.0-4]"""
    web = types.SimpleNamespace(port=broker.ws_port)
    taker = Client(web, "taker", version, transport="websockets")
    giver = Client(broker, "giver", version)
    taker.subscribe("n/+", qos)
    for i in range(MESSAGES):
        giver.publish("n/x", str(i) + "." * i * i, qos)
    got = [taker.messages.get(timeout=SECONDS_MAX).payload.decode() for _ in range(MESSAGES)]
    assert got == [str(i) + "." * i * i for i in range(MESSAGES)]
    taker.publish("m", "x" * 300000, qos)
    giver.close()
    taker.close()


@pytest.mark.parametrize("version", ["4", "5"])
def test_mqtt_js(broker, version):
    subprocess.run(["node", str(HERE / "mqttjs.cjs"), str(broker.ws_port), version, "ws"],
                   check=True, timeout=SECONDS_MAX)


def test_a_stop_says_that_the_broker_leaves(broker):
    web = Web(broker.ws_port).connect("stays")
    broker.process.terminate()
    assert web.frame() == (CLOSE, struct.pack("!H", 1001) + b"Server shutting down")
    web.send(struct.pack("!H", 1001), opcode=CLOSE)
    assert web.is_closed()
    assert broker.wait() == 0


def test_text_is_refused(broker):
    """[MQTT-6.0.0-1]"""
    web = Web(broker.ws_port).connect("texts")
    web.send(wire.packet(wire.PINGREQ, 0, b""), opcode=1)
    opcode, payload = web.frame()
    assert opcode == CLOSE and payload[:2] == struct.pack("!H", 1003)
    assert web.is_closed()


def test_a_refusal_is_answered_and_logged(broker):
    web = Web(broker.ws_port, path="/elsewhere")
    assert web.status == 404
    assert broker.wait_for("connection.refused")
    assert any("404: no such path" in line and "/elsewhere" in line for line in broker.lines)


@pytest.mark.parametrize("first, why", [(b"GET /mqtt HTTP/1.1\r\n\r\n", "this is HTTP"),
                                        (b"\x16\x03\x01\0\x05\1\0\0\1\3", "this is TLS")])
def test_who_took_the_wrong_port_is_told(broker, first, why):
    for port, event in [(broker.port, "packet.refused")] + [
            (broker.ws_port, "connection.refused")] * (first[0] == 0x16):
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as lost:
            lost.sendall(first)
            while lost.recv(1000):
                pass
        assert broker.wait_for(event)
        assert any(event in line and why in line for line in broker.lines)


def test_who_never_ends_the_request_is_let_go(broker):
    """One byte each time there could be an answer: the time for it all is what counts."""
    slow = socket.create_connection(("127.0.0.1", broker.ws_port), timeout=0.1)
    slow.sendall(b"GET /mqtt HTTP/1.1\r\nX-Slow: ")
    for _ in range(SECONDS_MAX * 10):
        try:
            assert slow.recv(100) == b""
            return
        except TimeoutError:
            slow.sendall(b"x")
        except ConnectionResetError:
            return
    raise AssertionError("it is still connected")


def test_a_trusted_proxy_says_whose_connection_it_is(daemons, tmp_path):
    port = daemon.free_port()
    one = daemons(tmp_path, listener__ws__w=f"127.0.0.1:{port}", mqtt__allow_anonymous="on",
                  listener__ws__w__trusted_proxies="127.0.0.0/8",
                  listener__ws__w__proxy_address_header="X-Forwarded-For").start()
    Web(port, "X-Forwarded-For: 10.1.1.1, 192.0.2.7\r\n").connect("behind")
    assert one.wait_for('client.connected client="behind" address="192.0.2.7')
    assert any('via="proxy=127.0.0.1:' in line for line in one.lines)
    assert Web(port).status == 400
    assert one.wait_for("connection.refused")


def test_anonymous_clients_of_a_proxy_are_not_from_loopback(daemons, tmp_path):
    """What loopback may is not for those whom a proxy on this machine brings."""
    port = daemon.free_port()
    daemons(tmp_path, listener__ws__w=f"127.0.0.1:{port}",
            listener__ws__w__trusted_proxies="127.0.0.1",
            listener__ws__w__proxy_address_header="X-Forwarded-For").start()
    web = Web(port, "X-Forwarded-For: 192.0.2.7\r\n")
    web.send(wire.connect("far", clean=True))
    assert web.frame() == (BINARY, b"\x20\x02\0\x05")


def test_an_upgrade_has_its_time(daemons, tmp_path):
    port = daemon.free_port()
    broker = daemons(tmp_path, listener__ws__w=f"127.0.0.1:{port}",
                     listener__ws__w__handshake_timeout="100ms").start()
    web = Web(port).connect("in time")
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as slow:
        slow.sendall(b"GET /mqtt HTTP/1.1\r\n")
        assert slow.recv(100) == b""
    assert broker.wait_for("connection.refused")
    line = next(line for line in broker.lines if "connection.refused" in line)
    assert "no WebSocket upgrade in time" in line and 'address="127.0.0.1:' in line
    web.send(b"\xc0\x00")
    assert web.frame() == (BINARY, b"\xd0\x00")
