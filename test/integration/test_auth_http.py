"""An HTTP service says who may come in, and what they may do."""
import signal
import ssl
import subprocess
import threading

import pytest

import service
import wire

BAD_CREDENTIALS, NOT_AUTHORIZED, UNAVAILABLE = 0x86, 0x87, 0x88


@pytest.fixture
def services():
    made = []

    def make(answer, **more):
        made.append(service.Service(answer, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def start(daemons, folder, **options):
    return daemons(folder, **{"shards": 2, "auth__chain": "http", "durability": "memory",
                              "auth__http__cache_ttl": 0, "auth__http__cache_negative_ttl": 0,
                              **options}).start()


def by_password(path, params):
    assert path == "/auth"
    return {"good": (200, "ok"), "ignored": (200, "ignore"), "bad": (401, "no"),
            "broken": (500, "oops"), "gone": None, "away": (302, "elsewhere"),
            "json": (200, {"result": "allow"}), "json-no": (200, {"result": "deny"}),
            "json-odd": (200, {"result": "perhaps"}),
            "word-no": (200, "deny\n"), "line-no": (200, '\r\n {"result": "deny"}'),
            "mark-no": (200, '\ufeff{"result": "deny"}'),
            "json-ignored": (200, {"result": "ignore"})}[params["password"]]


def test_the_status_decides(daemons, services, tmp_path):
    web = services(by_password)
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__circuit_failures=0)
    for password, reason in {"good": 0, "ignored": BAD_CREDENTIALS, "bad": BAD_CREDENTIALS,
                             "away": BAD_CREDENTIALS, "broken": UNAVAILABLE, "gone": UNAVAILABLE,
                             "json": 0, "json-no": BAD_CREDENTIALS, "json-odd": UNAVAILABLE,
                             "json-ignored": BAD_CREDENTIALS, "word-no": BAD_CREDENTIALS,
                             "line-no": BAD_CREDENTIALS, "mark-no": BAD_CREDENTIALS}.items():
        assert wire.connect_reason(broker.port, "c1", "ann & co", password) == reason, password
        assert web.asked[-1] == ("/auth", {"clientid": "c1", "username": "ann & co",
                                           "password": password})
    asked = len(web.asked)
    assert wire.connect_reason(broker.port, "c1", "ann") == BAD_CREDENTIALS   # no password
    assert wire.connect_reason(broker.port, "c1") == NOT_AUTHORIZED           # nothing at all
    assert len(web.asked) == asked
    assert broker.stop() == 0
    assert not any("json-odd" in line for line in broker.lines)       # no password is logged


def test_json_get_and_headers(daemons, services, tmp_path):
    web = services(lambda path, params: (200, "ok"))
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth?v=1",
                   auth__http__auth_req__params="who=${username},secret=%P",
                   auth__http__auth_req__method="get", auth__http__super_req=web.url + "/super",
                   auth__http__super_req__body="json", auth__http__headers="X-Key: 7|X-Two: 2")
    assert wire.connect_reason(broker.port, "c1", "änn=&", "pass word") == 0
    assert web.asked == [("/auth", {"v": "1", "who": "änn=&", "secret": "pass word"}),
                         ("/super", {"clientid": "c1", "username": "änn=&"})]
    assert web.headers[0]["X-Key"] == "7" and web.headers[1]["X-Two"] == "2"
    assert broker.stop() == 0


def test_topics_are_asked_about(daemons, services, tmp_path):
    def answer(path, params):
        if path == "/super":
            return (200 if params["username"] == "root" else 403), ""
        if path == "/acl":
            return (200 if params["topic"].startswith("ok/") else 403), ""
        return 200, ""
    web = services(answer)
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__super_req=web.url + "/super", auth__http__acl_req=web.url + "/acl",
                   auth__http__acl_req__params="access=%A,topic=%t,who=%u,qos=${qos}")
    client = wire.Client(broker.port, "c1", 5, username="ann", password="x")
    for topic, reason in ("ok/1", 0x10), ("no/1", NOT_AUTHORIZED):
        client.publish(topic, b"", 1, 1)
        assert client.take(wire.PUBACK, 1).reason == reason
        assert web.asked[-1] == ("/acl", {"access": "2", "topic": topic, "who": "ann", "qos": "1"})
    client.send(wire.subscribe(2, "no/#", 1, 5))
    assert client.take(wire.SUBACK, 2).reason == NOT_AUTHORIZED
    assert web.asked[-1][1]["access"] == "1"
    client.subscribe("ok/#", 1)
    root = wire.Client(broker.port, "c2", 5, username="root", password="x")
    asked = len(web.asked)
    root.subscribe("no/#", 1)
    assert len(web.asked) == asked
    assert broker.stop() == 0


def test_what_rules_deny_of_a_subscription_is_not_for_the_service_to_allow(daemons, services,
                                                                           tmp_path):
    def answer(path, params):
        mine = path == "/acl" and params["topic"] in ("mine/#", "give/#")
        return 200, "ignore" if path == "/acl" and not mine else "allow"
    web, rules = services(answer), tmp_path / "rules"
    rules.write_text('{allow, {user, "bob"}, publish, ["#"]}.\n'
                     '{deny, all, subscribe, ["a/secret/#", "mine/#"]}.\n'
                     '{allow, all, subscribe, ["a/#"]}.\n')
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__acl_req=web.url + "/acl", acl__file=rules)
    ann = wire.Client(broker.port, "c1", 5, username="ann", password="x")
    ann.subscribe("a/#", 1)
    ann.subscribe("mine/#", 1)                  # the service allows all of it
    bob = wire.Client(broker.port, "c2", 5, username="bob", password="x")
    asked = len(web.asked)
    for number, topic in enumerate(("a/secret/1", "mine/1", "a/1"), 1):
        bob.publish(topic, topic.encode(), 1, number)
        bob.take(wire.PUBACK, number)
    assert len(web.asked) == asked + 3          # about who publishes, not about each receiver
    assert {ann.take(wire.PUBLISH).payload for _ in range(2)} == {b"mine/1", b"a/1"}
    assert broker.stop() == 0


def test_an_answer_may_bring_permissions(daemons, services, tmp_path):
    web = services(lambda path, params: (200, {
        "result": "allow", "is_superuser": params["username"] == "root",
        "acl": [{"permission": "allow", "action": "publish", "topic": "own/${clientid}"}]}))
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__acl_req=web.url + "/acl", auth__http__cache_ttl="1m")
    for name in "c1", "c2", "c1":               # the last one from what is remembered
        client = wire.Client(broker.port, name, 5, username="ann", password="x")
        for topic, reason in (f"own/{name}", 0x10), ("own/other", NOT_AUTHORIZED):
            client.publish(topic, b"", 1, 1)
            assert client.take(wire.PUBACK, 1).reason == reason
        client.close()
    root = wire.Client(broker.port, "c3", 5, username="root", password="x")
    root.publish("anything", b"", 1, 1)
    assert root.take(wire.PUBACK, 1).reason == 0x10
    assert [path for path, _ in web.asked] == ["/auth"] * 3
    assert broker.stop() == 0


def test_answers_are_remembered(daemons, services, tmp_path):
    web = services(lambda path, params: (200 if params["password"] == "good" else 403, ""))
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__cache_ttl="1m", auth__http__cache_negative_ttl="1m")
    for _ in range(3):
        assert wire.connect_reason(broker.port, "c1", "ann", "good") == 0
        assert wire.connect_reason(broker.port, "c1", "ann", "bad") == BAD_CREDENTIALS
    assert len(web.asked) == 2
    assert broker.stop() == 0


def test_a_slow_service_holds_nobody_up_but_who_asks(daemons, services, tmp_path):
    gate = threading.Event()

    def answer(path, params):
        if params["username"] == "slow":
            assert gate.wait(wire.SECONDS_MAX)
        return 200, ""
    web = services(answer)
    broker = start(daemons, tmp_path, shards=1, auth__http__auth_req=web.url + "/auth")
    slow = wire.raw_connect(broker.port, "c1", 5, "slow", "x")
    assert wire.connect_reason(broker.port, "c2", "quick", "x") == 0
    assert ("/auth", {"clientid": "c1", "username": "slow", "password": "x"}) in web.asked
    gate.set()
    assert wire.connack_reason(slow, 5) == 0
    gate.clear()
    gone = wire.raw_connect(broker.port, "c3", 5, "slow", "x")
    assert wire.connect_reason(broker.port, "c4", "quick", "x") == 0
    gone.close()                                # nobody waits for this answer any more
    gate.set()
    assert wire.connect_reason(broker.port, "c5", "quick", "x") == 0
    assert broker.stop() == 0


@pytest.mark.parametrize("on_error", ["deny", "ignore"])
def test_a_service_that_fails_is_left_alone(daemons, services, tmp_path, on_error):
    web = services(lambda path, params: None)
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__chain="http, username", auth__user__1__username="ann",
                   auth__user__1__password="good", auth__http__on_error=on_error,
                   auth__http__circuit_failures=2, auth__http__circuit_pause="1ms")
    expected = 0 if on_error == "ignore" else UNAVAILABLE
    assert wire.connect_reason(broker.port, "c1", "ann", "good") == expected
    assert wire.connect_reason(broker.port, "c1", "ann", "good") == expected
    assert broker.wait_for("http.circuit_open")
    web.answer = lambda path, params: (200, "")
    while wire.connect_reason(broker.port, "c1", "bob", "x") != 0:
        pass
    assert broker.wait_for("http.circuit_closed")
    assert broker.stop() == 0


def test_one_that_does_not_answer_is_not_waited_for(daemons, services, tmp_path):
    gate = threading.Event()
    web = services(lambda path, params: (200, "") if gate.wait(wire.SECONDS_MAX) else None)
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__timeout="100ms")
    assert wire.connect_reason(broker.port, "c1", "ann", "x") == UNAVAILABLE
    assert broker.wait_for("auth.http_failed")
    gate.set()
    assert broker.stop() == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=service",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    return folder


def test_certificates_are_verified(daemons, services, tmp_path, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    web = services(lambda path, params: (200, ""), context=context)
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth")
    assert wire.connect_reason(broker.port, "c1", "ann", "x") == UNAVAILABLE
    assert not web.asked
    assert broker.stop() == 0
    broker.start(auth__http__ca_file=certificate / "cert.pem")
    assert wire.connect_reason(broker.port, "c1", "ann", "x") == 0
    assert broker.stop() == 0
    broker.start(auth__http__ca_file=certificate / "cert.pem",
                 auth__http__auth_req=f"https://localhost:{web.port}/auth")     # not its name
    assert wire.connect_reason(broker.port, "c1", "ann", "x") == UNAVAILABLE
    assert broker.stop() == 0


@pytest.mark.parametrize("nomatch, reason", [("deny", NOT_AUTHORIZED), ("allow", 0x10)])
def test_what_the_service_leaves_to_others_nobody_allows(daemons, services, tmp_path, nomatch,
                                                         reason):
    web = services(lambda path, params: (200, "ignore" if path == "/acl" else "allow"))
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__acl_req=web.url + "/acl", acl__nomatch=nomatch)
    client = wire.Client(broker.port, "c1", 5, username="ann", password="x")
    client.publish("t", b"", 1, 1)
    assert client.take(wire.PUBACK, 1).reason == reason
    assert broker.stop() == 0


def test_another_service_is_asked_anew(daemons, services, tmp_path):
    """What the first one has said of the same topic is not remembered for longer."""
    web = services(lambda path, params: (403 if path == "/second" else 200, ""))
    broker = daemons(tmp_path, shards=2, durability="memory")
    broker.file = tmp_path / "conf"
    lines = ("auth.chain = http\nauth.http.cache_ttl = 1m\n"
             f"auth.http.auth_req = {web.url}/auth\n")
    broker.file.write_text(lines + f"auth.http.acl_req = {web.url}/first\n")
    broker.start()
    client = wire.Client(broker.port, "c1", 5, username="ann", password="x")
    for number in 1, 2:
        client.publish("t", b"", 1, number)
        assert client.take(wire.PUBACK, number).reason == 0x10
    assert [path for path, _ in web.asked] == ["/auth", "/first"]
    broker.file.write_text(lines + f"auth.http.acl_req = {web.url}/second\n")
    broker.process.send_signal(signal.SIGHUP)
    assert broker.wait_for("auth.loaded", 2)
    for number in range(3, 100):        # each shard has it by mail
        client.publish("t", b"", 1, number)
        if client.take(wire.PUBACK, number).reason == NOT_AUTHORIZED:
            break
    else:
        raise AssertionError("what the first service has said still counts")
    assert broker.stop() == 0


def test_a_delayed_message_is_asked_about_when_it_is_due(daemons, services, tmp_path):
    denied = set()
    web = services(lambda path, params: (403 if params.get("topic") in denied else 200, ""))
    broker = start(daemons, tmp_path, auth__http__auth_req=web.url + "/auth",
                   auth__http__acl_req=web.url + "/acl")
    watcher = wire.Client(broker.port, "watcher", 5, username="bob", password="x")
    watcher.subscribe("#", 0)
    for name in "stays", "away":
        client = wire.Client(broker.port, name, 5, username="ann", password="x")
        for number, topic in enumerate(("no/" + name, "yes/" + name), 1):
            client.publish("$delayed/2/" + topic, b"", 1, number)
            assert client.take(wire.PUBACK, number).reason in (0, 0x10)
        denied.add("no/" + name)
    client.close()
    assert broker.wait_for("message.withheld", 2)
    assert {watcher.take(wire.PUBLISH).topic for _ in range(2)} == {"yes/stays", "yes/away"}
    assert watcher.ping() == []
    assert broker.stop() == 0
