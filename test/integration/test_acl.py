"""Access rules from a file, with Mosquitto's clients; rules that change while clients are there."""
import os
import queue
import signal
import subprocess

import paho.mqtt.client as paho
import pytest

from test_clients import Client, SECONDS_MAX, mosquitto

SHARDS = pytest.mark.parametrize("shards", [1, 2, 4])

OPEN = '{allow, all, pubsub, ["#"]}.\n'
EMQTTD = ('{allow, {user, "ann"}, pubsub, ["a/#"]}.\n'
          '{deny, all, subscribe, ["a/secret", {eq, "#"}]}.\n'
          '{allow, all, subscribe, ["a/#"]}.\n')
MOSQUITTO = ('# anonymous\ntopic read a/#\ntopic deny a/secret\n\n'
             'user ann\ntopic readwrite a/#\n\npattern write up/%c/#\n')


@pytest.fixture
def ruled(daemons, tmp_path):
    def make(rules, **options):
        (tmp_path / "acl").write_text(rules)
        options = {"acl.file": tmp_path / "acl", "acl.watch_interval": "0", **options}
        return daemons(tmp_path / "data", **options).start()
    yield make


def publish(broker, topic, *arguments):
    return subprocess.run(mosquitto("pub", broker, "-V", "mqttv5", "-q", "1", "-m", "x",
                                    "-t", topic, *arguments),
                          timeout=SECONDS_MAX, capture_output=True, text=True)


def subscribe(broker, *arguments):
    return subprocess.run(mosquitto("sub", broker, "-W", str(SECONDS_MAX // 2), *arguments),
                          timeout=SECONDS_MAX, capture_output=True, text=True)


def change(broker, rules):
    """Replaced as a whole, and told."""
    path = broker.options["acl.file"]
    path.with_suffix(".new").write_text(rules)
    path.with_suffix(".new").rename(path)
    broker.process.send_signal(signal.SIGHUP)


@SHARDS
@pytest.mark.parametrize("rules", [EMQTTD, MOSQUITTO], ids=["emqttd", "mosquitto"])
def test_mosquitto_clients(ruled, rules, shards):
    broker = ruled(rules, shards=shards)
    assert "Not authorized" in publish(broker, "a/x").stderr
    assert "authorized" not in publish(broker, "a/x", "-u", "ann", "-r").stderr
    assert "authorized" not in publish(broker, "a/secret", "-u", "ann", "-r").stderr
    assert "denied" in subscribe(broker, "-t", "b").stderr
    assert "denied" in subscribe(broker, "-t", "a/secret").stderr
    got = subscribe(broker, "-t", "a/+", "-u", "ann", "-F", "%t", "-C", "2").stdout
    assert set(got.split()) == {"a/x", "a/secret"}
    reader = Client(broker, "reader", paho.MQTTv5)
    reader.subscribe("a/#", 1)
    publish(broker, "a/secret", "-u", "ann")
    publish(broker, "a/end", "-u", "ann")
    got = {reader.messages.get(timeout=SECONDS_MAX).topic for _ in range(2)}
    assert got == {"a/x", "a/end"}                          # the first one retained
    reader.close()


@SHARDS
@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_reload_revokes(ruled, shards, version):
    broker = ruled(OPEN, shards=shards)
    gone, stays = Client(broker, "gone", version), Client(broker, "stays", version)
    gone.subscribe("a/x", 1)
    stays.subscribe("b", 1)
    reasons = queue.Queue()
    gone.paho.on_disconnect = lambda client, data, reason, *rest: reasons.put(reason)
    gone.paho.reconnect_delay_set(SECONDS_MAX, SECONDS_MAX)
    change(broker, '{deny, all, subscribe, ["a/#"]}.\n' + OPEN)
    reason = reasons.get(timeout=SECONDS_MAX)
    if version == paho.MQTTv5:
        assert reason.value == 0x87
    assert broker.wait_for("subscription.revoked")
    giver = Client(broker, "giver", version)
    giver.publish("b", "still", 1)
    assert stays.messages.get(timeout=SECONDS_MAX).payload == b"still"
    for client in (gone, stays, giver):
        client.close()
    assert broker.stop() == 0


def test_bad_file_at_start(daemons, tmp_path):
    (tmp_path / "acl").write_text("{allow, all}.\n{permit, all}.\n")
    broker = daemons(tmp_path / "data", acl__file=tmp_path / "acl").start(wait=None)
    assert broker.wait() != 0
    assert any(f"{tmp_path}/acl:2:2: " in line and "acl.refused" in line for line in broker.lines)
    got = subprocess.run([os.environ["LINNETD"], "-t", "-o", f"acl.file={tmp_path}/acl"],
                         capture_output=True, text=True, timeout=SECONDS_MAX)
    assert got.returncode != 0 and "acl:2:2: " in got.stderr


def test_missing_file_at_start(daemons, tmp_path):
    broker = daemons(tmp_path / "data", acl__file=tmp_path / "none").start(wait=None)
    assert broker.wait() != 0
    assert any("acl.refused" in line and "No such file" in line for line in broker.lines)


def test_bad_file_at_reload(ruled):
    broker = ruled(EMQTTD)
    change(broker, "{allow, all")
    assert broker.wait_for("acl.refused")
    assert "Not authorized" in publish(broker, "a/x").stderr
    assert "authorized" not in publish(broker, "a/x", "-u", "ann").stderr
    change(broker, OPEN)
    assert broker.wait_for("acl.loaded", 2)
    assert "authorized" not in publish(broker, "a/x").stderr


def test_file_is_watched(ruled):
    broker = ruled(EMQTTD, **{"acl.watch_interval": "20ms"})
    broker.options["acl.file"].write_text(OPEN)
    assert broker.wait_for("acl.loaded", 2)
    assert "authorized" not in publish(broker, "a/x").stderr


def test_waiting_messages_are_taken_back(ruled):
    open_too = OPEN + '{allow, all, subscribe, ["$SYS/#"]}.\n'
    broker = ruled(open_too, **{"mqtt.mqueue.max_memory": 1, "mqtt.broker.sys_interval": "200ms"})
    away = Client(broker, "away", paho.MQTTv5, clean=False)
    away.subscribe("a", 1)
    away.subscribe("b", 1)
    away.close()
    for topic in ("a", "a", "a", "b"):
        publish(broker, topic)
    change(broker, '{deny, {client, "away"}, subscribe, ["a"]}.\n' + open_too)
    assert broker.wait_for("subscription.revoked")
    back = Client(broker, "away", paho.MQTTv5, clean=False)
    assert back.session_present
    assert back.messages.get(timeout=SECONDS_MAX).topic == "b"
    publish(broker, "b")
    assert back.messages.get(timeout=SECONDS_MAX).topic == "b"
    assert broker.wait_for('message.withheld client="away"')
    assert broker.count("message.withheld") == 1                # of three that were dropped
    watcher = Client(broker, "watcher", paho.MQTTv5)
    watcher.subscribe("$SYS/brokers/+/metrics/messages/dropped/denied", 0)
    while watcher.messages.get(timeout=SECONDS_MAX).payload != b"3":
        pass
    watcher.close()
    back.close()
