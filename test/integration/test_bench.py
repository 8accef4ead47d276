"""linnet bench against a real linnetd: what is sent arrives, and what does not is seen."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

import daemon
from authority import Authority

SECONDS_MAX = 60


def command(port, *words):
    return [os.environ["LINNET"], "bench", *map(str, words), "-p", str(port)]


def run(port, *words):
    return subprocess.run(command(port, *words), capture_output=True, text=True, check=False,
                          timeout=SECONDS_MAX)


def measure(port, *words):
    """The object of a run that must end well."""
    done = run(port, *words, "--json", "-")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture
def linnetd(daemons, tmp_path):
    return daemons(str(tmp_path)).start()


def whole(result):
    return (result["lost"], result["duplicates"], result["reordered"], result["errors"]) == \
        (0, 0, 0, [])


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ["3.1", "3.1.1", "5"])
def test_pairs(linnetd, version, qos):
    result = measure(linnetd.port, "pair", "-c", 7, "-n", 1000, "-q", qos, "-V", version,
                     "--threads", 2)
    assert result["connections"] == result["connect"]["ok"] == 14 and whole(result)
    assert result["published"] == result["delivered"] == 1000
    assert result["acked"] == (1000 if qos else 0)
    assert 0 < result["latency_us"]["p50"] <= result["latency_us"]["max"]


@pytest.mark.parametrize("threads", [1, 3])
def test_fanin_and_fanout(linnetd, threads):
    result = measure(linnetd.port, "fanin", "--publishers", 20, "--subscribers", 3, "-n", 500,
                     "--threads", threads)
    assert (result["published"], result["delivered"]) == (500, 1500) and whole(result)
    for publishers in (2, 40):          # by their names, and with a wildcard
        result = measure(linnetd.port, "fanout", "--publishers", publishers, "-c", 25, "-n", 200,
                         "-q", 1, "--threads", threads)
        assert (result["published"], result["delivered"]) == (200, 5000) and whole(result)


def test_a_rate_is_kept(linnetd):
    result = measure(linnetd.port, "pair", "-c", 5, "-r", 500, "-d", 1, "--warmup", 0.2)
    assert 495 <= result["published"] <= 520 and whole(result)
    assert result["published"] == result["delivered"]


def test_connections_are_held(linnetd):
    result = measure(linnetd.port, "conn", "-c", 300, "-R", 3000, "-d", 0.1, "--pid",
                     linnetd.process.pid)
    assert result["connections"] == 300 and result["connect"]["latency_us"]["max"] > 0
    assert [phase["name"] for phase in result["phases"]] == ["connect", "hold"]
    assert result["broker"]["rss_kb_peak"] >= result["broker"]["rss_kb_before"] > 0


def test_cost_of_the_broker(linnetd):
    broker = measure(linnetd.port, "pair", "-n", 20000, "--pid", linnetd.process.pid)["broker"]
    assert broker["pid"] == linnetd.process.pid and broker["cpu_us"] > 0
    assert broker["cpu_us_per_delivered"] == pytest.approx(broker["cpu_us"] / 20000)


def test_one_publishes_and_another_subscribes(linnetd):
    words = command(linnetd.port, "sub", "-c", 2, "-n", 600, "--filter", "x/+", "--json", "-")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as listener:
        assert "subscribed" in listener.stderr.readline()
        sent = measure(linnetd.port, "pub", "-c", 3, "-n", 300, "-q", 1, "-t", "x/%i")
        heard = json.loads(listener.communicate(timeout=SECONDS_MAX)[0])
    assert (sent["published"], sent["acked"], sent["delivered"]) == (300, 300, 0)
    assert sent["latency_us"]["p50"] > 0
    assert heard["delivered"] == 600 and whole(heard)


def test_scenario(linnetd):
    result = measure(linnetd.port, "--scenario", "fanout-5-1000-5-250K", "--scale", 0.02, "-n", 10,
                     "-r", 0)
    assert (result["mode"], result["delivered"]) == ("fanout", 200)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_shared_group(linnetd, qos):
    result = measure(linnetd.port, "shared", "-c", 20, "--subscribers", 3, "-n", 2000, "-q", qos,
                     "--threads", 2)
    assert result["published"] == result["delivered"] == 2000 and whole(result)


@pytest.mark.parametrize("version, qos", [("3.1.1", 0), ("5", 1)])
def test_retained_messages(linnetd, version, qos):
    result = measure(linnetd.port, "retain", "-n", 500, "--subscribers", 2, "-V", version, "-q",
                     qos, "--pid", linnetd.process.pid)
    assert (result["published"], result["delivered"]) == (500, 1000) and whole(result)
    store, replay = result["phases"]
    assert (store["name"], store["messages"]) == ("store", 500)
    assert (replay["name"], replay["messages"]) == ("replay", 1000) and replay["rate"] > 0
    # It has taken them away again.
    assert measure(linnetd.port, "sub", "-c", 1, "--filter", "bench/+", "-d", 0.1)["errors"] == []
    left = subprocess.run([os.environ["LINNET"], "sub", "-h", "127.0.0.1", "-p", str(linnetd.port),
                           "-t", "#", "-C", "1", "-W", "1"], check=False, timeout=SECONDS_MAX)
    assert left.returncode == 27


@pytest.mark.parametrize("version, qos", [("3.1.1", 1), ("5", 2)])
def test_a_session_that_was_away(daemons, tmp_path, version, qos):
    broker = daemons(str(tmp_path)).start()
    result = measure(broker.port, "offline", "-n", 2000, "-c", 2, "-V", version, "-q", qos)
    assert (result["published"], result["delivered"]) == (2000, 4000) and whole(result)
    assert [(phase["name"], phase["messages"]) for phase in result["phases"]] == \
        [("queue", 2000), ("drain", 4000)]
    broker.stop()
    assert "sessions=0" in next(line for line in broker.start().lines if " store.open" in line)


def test_a_queue_that_is_too_short_loses(daemons, tmp_path):
    broker = daemons(str(tmp_path), mqtt__mqueue__max_length=100).start()
    done = run(broker.port, "offline", "-n", 300, "--lost-timeout", 0.2, "--json", "-")
    assert done.returncode == 1 and "lost" in done.stderr
    assert json.loads(done.stdout)["lost"] == 200


def test_churn(linnetd):
    result = measure(linnetd.port, "churn", "-c", 8, "-n", 200, "--threads", 2)
    assert result["phases"][0]["name"] == "churn" and result["connect"]["ok"] >= 200
    assert result["connections"] == 0 and whole(result)


def test_tls(daemons, tmp_path):
    authority, port = Authority(tmp_path), daemon.free_port()
    cert, key = authority.issue("server")
    daemons(str(tmp_path / "data"), **{"listener.tls.external": f"127.0.0.1:{port}",
                                       "listener.tls.external.certfile": cert,
                                       "listener.tls.external.keyfile": key}).start()
    for words in (("--cafile", authority.file), ("--insecure",)):
        result = measure(port, "pair", "-c", 4, "-n", 2000, "-q", 1, "-s", 20000, *words)
        assert result["published"] == result["delivered"] == 2000 and whole(result)
    assert measure(port, "churn", "-n", 20, "--insecure")["connect"]["ok"] >= 20
    done = run(port, "conn", "-c", 2, "--tls")
    assert done.returncode == 1 and "2 x TLS: " in done.stdout


@pytest.mark.parametrize("kind", ["ws", "wss"])
def test_websocket(daemons, tmp_path, kind):
    cert, key = Authority(tmp_path).issue("server")
    port, tls = daemon.free_port(), ("--insecure",) if kind == "wss" else ()
    options = {f"listener.{kind}.web": f"127.0.0.1:{port}", f"listener.{kind}.web.path": "/here"}
    if tls:
        options |= {f"listener.{kind}.web.certfile": cert, f"listener.{kind}.web.keyfile": key}
    broker = daemons(str(tmp_path / "data"), **options).start()
    there = ("--ws-path", "/here", *tls)
    for version, qos, size in (("3.1", 0, 16), ("3.1.1", 2, 1000), ("5", 1, 70000)):
        result = measure(port, "pair", "-c", 4, "-n", 1000, "-q", qos, "-s", size, "-V", version,
                         *there)
        assert result["published"] == result["delivered"] == 1000 and whole(result)
    assert measure(port, "churn", "-n", 20, *there)["connect"]["ok"] >= 20
    assert measure(port, "conn", "-c", 2, "-d", 2.5, "-k", 1, *there)["connections"] == 2
    done = run(port, "conn", "-c", 2, "--ws", *tls)
    assert done.returncode == 1 and "2 x WebSocket: the answer is 404 Not Found" in done.stdout
    if not tls:
        done = run(broker.port, "conn", "-c", 2, "--ws")
        assert done.returncode == 1 and "2 x closed: by the broker" in done.stdout


class Proxy:
    """Passes bytes on to a broker, but for one PUBLISH in `every` that goes to a client."""

    def __init__(self, port, every):
        self.broker, self.every, self.seen = port, every, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.broker))
            for source, to, passes in ((client, broker, lambda packet: True),
                                       (broker, client, self.passes)):
                threading.Thread(target=self.forward, args=(source, to, passes),
                                 daemon=True).start()

    def passes(self, packet):
        self.seen += packet[0] >> 4 == 3
        return packet[0] >> 4 != 3 or self.seen % self.every != 0

    @staticmethod
    def forward(source, to, passes):
        kept = b""
        try:
            while True:
                got = source.recv(65536)
                kept += got
                while len(kept) >= 2 and len(kept) >= 2 + kept[1]:      # small packets only
                    packet, kept = kept[:2 + kept[1]], kept[2 + kept[1]:]
                    if passes(packet):
                        to.sendall(packet)
                if not got:
                    to.shutdown(socket.SHUT_WR)
                    return
        except OSError:
            source.close()

    def close(self):
        self.listener.close()


def test_loss_is_seen_and_does_not_hang_the_window(linnetd):
    proxy = Proxy(linnetd.port, 10)
    done = run(proxy.port, "pair", "-c", 1, "-n", 100, "-w", 4, "-b", 2, "--lost-timeout", 0.1,
               "--json", "-")
    result = json.loads(done.stdout)
    proxy.close()
    assert done.returncode == 0, done.stderr
    assert (result["published"], result["delivered"], result["lost"]) == (100, 90, 10)


def test_a_broker_that_refuses(daemons, tmp_path):
    broker = daemons(str(tmp_path), mqtt__allow_anonymous_loopback="off").start()
    for version, words in (("5", "Not authorized"), ("3.1.1", "ot authorized")):
        done = run(broker.port, "pair", "-c", 2, "-n", 1, "-V", version, "--json", "-")
        result = json.loads(done.stdout)
        assert done.returncode == 1 and "no connection is left" in done.stderr
        assert result["connect"]["failed"] == 4
        assert any(words in error["what"] and error["count"] == 4 for error in result["errors"])


def test_a_broker_that_is_not_there():
    done = run(1, "conn", "-c", 3)
    assert done.returncode == 1 and "3 x connect: Connection refused" in done.stdout


def test_a_broker_that_stalls(linnetd):
    linnetd.process.send_signal(signal.SIGSTOP)
    try:
        done = run(linnetd.port, "pair", "-c", 2, "--timeout", 0.3)
    finally:
        linnetd.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1 and "the broker stalls" in done.stderr


def start(port, *words):
    """A run that is under way."""
    bench = subprocess.Popen(command(port, *words, "--progress"), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    while "delivered" not in (line := bench.stderr.readline()):
        assert line, "it ended early"
    return bench


def test_a_broker_that_dies_meanwhile(linnetd):
    bench = start(linnetd.port, "pair", "-c", 2, "-d", 30)
    linnetd.kill()
    out, err = bench.communicate(timeout=SECONDS_MAX)
    assert bench.returncode == 1 and "no connection is left" in err and "x closed: " in out


def test_an_interrupt_ends_it_with_the_table(linnetd):
    bench = start(linnetd.port, "pair", "-c", 2, "-d", 30)
    bench.send_signal(signal.SIGINT)
    out, err = bench.communicate(timeout=SECONDS_MAX)
    assert bench.returncode == 0 and "stopped" in err
    assert "delivered" in out and " 0 lost" in out
