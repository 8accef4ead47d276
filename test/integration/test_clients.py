"""Clients that nobody here wrote, against a real linnetd."""
import pathlib
import queue
import subprocess

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
import pytest

HERE = pathlib.Path(__file__).parent
SECONDS_MAX = 20
MESSAGES = 100


def mosquitto(tool, broker, *arguments):
    return [f"mosquitto_{tool}", "-h", "127.0.0.1", "-p", str(broker.port), *arguments]


class Client:
    """Paho with its callbacks as queues, so that a test waits for what happens and never sleeps."""

    def __init__(self, broker, name, version, clean=True, transport="tcp"):
        def make(**more):
            if hasattr(paho, "CallbackAPIVersion"):
                return paho.Client(paho.CallbackAPIVersion.VERSION1, **more)
            return paho.Client(**more)
        self.connected, self.messages = queue.Queue(), queue.Queue()
        self.subscribed, self.gone = queue.Queue(), queue.Queue()
        more = {"client_id": name, "protocol": version, "transport": transport}
        if version != paho.MQTTv5:
            more["clean_session"] = clean
        self.paho = make(**more)
        self.paho.on_connect = lambda c, u, flags, *rest: self.connected.put(flags)
        self.paho.on_message = lambda c, u, message: self.messages.put(message)
        self.paho.on_subscribe = lambda *rest: self.subscribed.put(True)
        self.paho.on_disconnect = lambda *rest: self.gone.put(True)
        if version == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 600
            self.paho.connect("127.0.0.1", broker.port, clean_start=clean, properties=properties)
        else:
            self.paho.connect("127.0.0.1", broker.port)
        self.paho.loop_start()
        self.session_present = self.connected.get(timeout=SECONDS_MAX)["session present"]

    def subscribe(self, topic, qos):
        self.paho.subscribe(topic, qos)
        self.subscribed.get(timeout=SECONDS_MAX)

    def publish(self, topic, payload, qos):
        self.paho.publish(topic, payload, qos).wait_for_publish(SECONDS_MAX)

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


VERSIONS = pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
def test_mosquitto_retained(broker, version):
    subprocess.run(mosquitto("pub", broker, "-V", version, "-q", "1", "-r", "-t", "a", "-m", "hi"),
                   check=True, timeout=SECONDS_MAX)
    got = subprocess.run(mosquitto("sub", broker, "-V", version, "-t", "a", "-C", "1", "-W", "10"),
                         check=True, timeout=SECONDS_MAX, capture_output=True)
    assert got.stdout == b"hi\n"


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_counts(broker, version, qos):
    taker, giver = Client(broker, "taker", version), Client(broker, "giver", version)
    taker.subscribe("n/+", qos)
    for i in range(MESSAGES):
        giver.publish("n/x", str(i), qos)
    got = [int(taker.messages.get(timeout=SECONDS_MAX).payload) for _ in range(MESSAGES)]
    assert got == list(range(MESSAGES))
    giver.close()
    taker.close()


@VERSIONS
def test_paho_resumes(broker, version):
    taker = Client(broker, "taker", version, clean=False)
    taker.subscribe("r", 1)
    taker.close()
    giver = Client(broker, "giver", version)
    giver.publish("r", "kept", 1)
    giver.close()
    taker = Client(broker, "taker", version, clean=False)
    assert taker.session_present
    assert taker.messages.get(timeout=SECONDS_MAX).payload == b"kept"
    taker.close()


@VERSIONS
def test_paho_takeover(broker, version):
    old = Client(broker, "same", version)
    old.paho.reconnect_delay_set(min_delay=60, max_delay=60)    # it must not come back
    new = Client(broker, "same", version)
    assert old.gone.get(timeout=SECONDS_MAX)
    new.subscribe("t", 1)
    new.close()
    old.close()


@pytest.mark.parametrize("version", ["4", "5"])
def test_mqtt_js(broker, version):
    subprocess.run(["node", str(HERE / "mqttjs.cjs"), str(broker.port), version], check=True,
                   timeout=SECONDS_MAX)
