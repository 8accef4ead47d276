"""One broker that listens in every way there is: whoever comes in by whichever door, the same is
allowed and the same is denied."""
import base64
import hashlib
import os
import socket
import ssl
import time

import pytest

import daemon
import wire
from authority import Authority
from test_auth_jwt import SECRET, part, token
from web import Web

KINDS = ("tcp", "tls", "ws", "wss", "unix")
OVER_TLS, OVER_WEBSOCKET = ("tls", "wss"), ("ws", "wss")
ON_EVERY_DOOR = pytest.mark.parametrize("kind", KINDS)
BOTH_VERSIONS = pytest.mark.parametrize("version", [4, 5])

BAD_ID, BAD_CREDENTIALS, NOT_AUTHORIZED = 0x85, 0x86, 0x87
CODES = {0: 0, BAD_ID: 2, BAD_CREDENTIALS: 4, NOT_AUTHORIZED: 5}        # what v3 has for them
SUBSCRIBE_FAILED = 0x80
RULES = '{allow, all, pubsub, ["open/#", "own/%c/#", "box/%u/open/#"]}.\n'

# The options of each door, which every kind has once.
DOORS = {"plain": {}, "guests": {"allow_anonymous": "on"}, "members": {"allow_anonymous": "off"},
         "mounted": {"mountpoint": "box/%u/"}, "far": {"access.1": "allow 192.0.2.0/24"}}
PEER = {"verify": "peer", "fail_if_no_peer_cert": "on"}


def hashed(password):
    """As in Mosquitto's files."""
    salt = os.urandom(12)
    proof = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return "$7$101$" + "$".join(base64.b64encode(one).decode() for one in (salt, proof))


class House:
    """The broker, and how one comes to each of its doors."""

    def __init__(self, folder, authority, doors, **options):
        self.authority, self.to = authority, {}
        (folder / "rules").write_text(RULES)
        (folder / "passwords").write_text(f"pam:{hashed('parole')}\n")
        (folder / "passwords").chmod(0o600)
        self.options = {
            "auth.chain": "username, password_file, jwt",
            "auth.password_file": folder / "passwords",
            "auth.user.1.username": "ann", "auth.user.1.password": "secret",
            "auth.jwt.secret": SECRET, "auth.jwt.verify_claims": "sub:%u",
            "auth.clientid_rule": "username_prefix", "acl.file": folder / "rules", **options}
        for kind in KINDS:
            for name, more in doors.items():
                self.open(folder, kind, name, more)
        for kind in OVER_TLS:
            self.open(folder, kind, "peer", {**PEER, "cacertfile": authority.file})
        self.daemon = daemon.Daemon(folder / "data", durability="memory")
        self.daemon.file = folder / "linnet.conf"
        self.daemon.file.write_text("".join(f'{key} = "{value}"\n'
                                            for key, value in self.options.items()))
        self.daemon.start()

    def open(self, folder, kind, name, more):
        key = f"listener.{kind}.{name}"
        to = folder / f"{name}.socket" if kind == "unix" else daemon.free_port()
        if kind in OVER_TLS:
            more = {"certfile": self.authority.folder / "server.pem",
                    "keyfile": self.authority.folder / "server.key", **more}
        self.options[key] = to if kind == "unix" else f"127.0.0.1:{to}"
        self.options.update({f"{key}.{option}": more[option] for option in more})
        self.to[kind, name] = to

    def link(self, kind, door="plain", cert=None):
        """A connection that carries MQTT."""
        to = self.to[kind, door]
        if kind == "unix":
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(wire.SECONDS_MAX)
            link.connect(str(to))
        else:
            link = wire.link(to)
        if kind in OVER_TLS:
            context = ssl.create_default_context(cafile=self.authority.file)
            if cert is not None:
                context.load_cert_chain(*cert)
            link = context.wrap_socket(link, server_hostname="localhost")
        return Web(link) if kind in OVER_WEBSOCKET else link

    def answer(self, kind, version, door="plain", **connect):
        """What a CONNECT is answered with; who is let in has gone again."""
        link = self.link(kind, door)
        link.sendall(wire.connect(version=version, clean=True, **connect))
        return wire.connack_reason(link, version)

    def client(self, kind, version, name="ann-1", door="plain", **more):
        credentials = {"username": "ann", "password": "secret", **more}
        return wire.Client(self.link(kind, door), name, version, clean=True, **credentials)

    def root(self, name):
        """Who may do anything."""
        return wire.Client(self.to["tcp", "plain"], f"root-{name}", 5, clean=True, username="root",
                           password=token({"sub": "root", "is_superuser": True}))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.issue("server")
    return made


@pytest.fixture(scope="module")
def house(tmp_path_factory, authority):
    made = House(tmp_path_factory.mktemp("house"), authority, DOORS)
    yield made
    assert made.daemon.stop() == 0


@pytest.fixture(scope="module")
def open_house(tmp_path_factory, authority):
    """Lets anyone in where a door does not say otherwise, by any client id."""
    doors = {name: DOORS[name] for name in ("plain", "members")}
    made = House(tmp_path_factory.mktemp("open"), authority, doors,
                 **{"mqtt.allow_anonymous": "on", "auth.clientid_rule": "any"})
    yield made
    assert made.daemon.stop() == 0


@pytest.fixture(scope="module")
def watcher(house):
    """Sees all that anyone has published."""
    made = house.root("watcher")
    made.subscribe("#", 1)
    yield made
    made.close()


def sees(watcher, topic, payload):
    """Nothing else has come to anyone before it."""
    got = watcher.take(wire.PUBLISH)
    assert (got.topic, got.payload) == (topic, payload)
    if got.qos:
        watcher.send(wire.ack(wire.PUBACK, got.number))


def unsigned(claims, algorithm="none"):
    return (part({"alg": algorithm}) + b"." + part(claims) + b".").decode()


def minted(claims):
    """Other claims under a signature that was good for some."""
    head, _, signature = token({"sub": "eve"}).split(".")
    return f"{head}.{part(claims).decode()}.{signature}"


def user(username="ann", password="secret", name="ann-1"):
    return {"name": name, "username": username, "password": password}


def bearer(password, name="joe-1", username="joe"):
    return user(username, password, name)


JOE, HOUR = {"sub": "joe"}, 3600
CREDENTIALS = {
    "right password": (user(), 0),
    "wrong password": (user(password="Secret"), BAD_CREDENTIALS),
    "a part of it": (user(password="secre"), BAD_CREDENTIALS),
    "more than it": (user(password="secret\0"), BAD_CREDENTIALS),
    "empty password": (user(password=""), BAD_CREDENTIALS),
    "no password": (user(password=None), BAD_CREDENTIALS),
    "unknown user": (user("bob", name="bob-1"), BAD_CREDENTIALS),
    "almost this user": (user("Ann", name="Ann-1"), BAD_CREDENTIALS),
    "empty user": (user("", ""), BAD_CREDENTIALS),
    "a user that is a filter": (user("#", name="#"), BAD_CREDENTIALS),
    "right hashed password": (user("pam", "parole", "pam-1"), 0),
    "wrong hashed password": (user("pam", "Parole", "pam-1"), BAD_CREDENTIALS),
    "no hashed password": (user("pam", None, "pam-1"), BAD_CREDENTIALS),
    "no credentials": (user(None, None), NOT_AUTHORIZED),
    "another's client id": (user(name="bob-1"), BAD_ID),
    "too long a client id": (user(name="ann-" + "x" * 2000), BAD_ID),
    "good token": (lambda: bearer(token({**JOE, "exp": int(time.time()) + HOUR})), 0),
    "expired token": (lambda: bearer(token({**JOE, "exp": int(time.time()) - HOUR})),
                      BAD_CREDENTIALS),
    "too early a token": (lambda: bearer(token({**JOE, "nbf": int(time.time()) + HOUR})),
                          BAD_CREDENTIALS),
    "token of another": (bearer(token({"sub": "eve"})), BAD_CREDENTIALS),
    "token of nobody": (bearer(token({})), BAD_CREDENTIALS),
    "token with another key": (bearer(token(JOE, secret="?" * 40)), BAD_CREDENTIALS),
    "token without algorithm": (bearer(unsigned(JOE)), BAD_CREDENTIALS),
    "token without signature": (bearer(unsigned(JOE, "HS256")), BAD_CREDENTIALS),
    "token with new claims": (bearer(minted(JOE)), BAD_CREDENTIALS),
    "no token": (bearer(base64.b64encode(b"joe").decode()), BAD_CREDENTIALS),
}


@ON_EVERY_DOOR
@BOTH_VERSIONS
@pytest.mark.parametrize("case", CREDENTIALS)
def test_who_comes_in(house, kind, version, case):
    connect, reason = CREDENTIALS[case]
    connect = connect() if callable(connect) else connect
    assert house.answer(kind, version, **connect) == (reason if version == 5 else CODES[reason])


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_an_anonymous_client_comes_in_by_the_right_door(house, open_house, kind, version):
    denied = NOT_AUTHORIZED if version == 5 else CODES[NOT_AUTHORIZED]
    nobody = {"name": ""}
    assert house.answer(kind, version, "guests", **nobody) == 0
    invalid = 0x85 if version == 5 else 2       # it could be the session of ann's device
    assert house.answer(kind, version, "guests", name="ann-1") == invalid
    assert house.answer(kind, version, "members", **nobody) == denied
    assert open_house.answer(kind, version, **nobody) == 0
    assert open_house.answer(kind, version, "members", **nobody) == denied
    wrong = BAD_CREDENTIALS if version == 5 else CODES[BAD_CREDENTIALS]
    for one, door in (house, "guests"), (open_house, "plain"):      # who says a name must prove it
        assert one.answer(kind, version, door, **user(password="wrong")) == wrong
        assert one.answer(kind, version, door, **user("bob", None, "bob-1")) == wrong


@ON_EVERY_DOOR
def test_who_is_too_far_away_hears_nothing(house, kind):
    with pytest.raises((AssertionError, ConnectionError, ssl.SSLError, wire.Closed)):
        house.answer(kind, 5, "far", **user())


@pytest.mark.parametrize("kind", OVER_TLS)
def test_who_shows_no_good_certificate_does_not_come_in(house, authority, tmp_path, kind):
    stranger = Authority(tmp_path, "stranger").issue("robot")
    for _ in range(2):                                  # a second time there may be a ticket
        for cert in None, stranger:
            with pytest.raises((AssertionError, ConnectionError, ssl.SSLError, wire.Closed)):
                wire.Client(house.link(kind, "peer", cert), "ann-1", username="ann",
                            password="secret")
        robot = house.link(kind, "peer", authority.issue("robot"))
        wire.Client(robot, "ann-1", username="ann", password="secret").close()


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_what_is_published(house, watcher, kind, version):
    client, number = house.client(kind, version), 0
    denied = ("secret", "own/ann-2/x", "$delayed/0/secret", "$SYS/x", "openx", "/open/x")
    for topic in denied:
        for qos, answer in (0, None), (1, wire.PUBACK), (2, wire.PUBREC):
            number += 1
            client.publish(topic, b"no", qos, number, retain=qos == 1)
            if answer is not None:
                assert client.take(answer, number).reason == (NOT_AUTHORIZED if version == 5 else 0)
            if qos == 2 and version == 4:
                client.send(wire.ack(wire.PUBREL, number))
                client.take(wire.PUBCOMP, number)
    for topic in f"open/{kind}", "own/ann-1/x":
        client.publish(topic, kind.encode(), 1, 1)
        assert client.take(wire.PUBACK, 1).reason == 0
        sees(watcher, topic, kind.encode())
    heir = house.root("heir")                           # nor has anything been retained
    heir.send(wire.subscribe(1, "#", 0, 5, "$SYS/x"))
    assert heir.take(wire.SUBACK).body[-2:] == b"\0\0" and heir.ping() == []
    heir.close()
    client.close()


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_what_is_subscribed_to(house, watcher, kind, version):
    denied = NOT_AUTHORIZED if version == 5 else SUBSCRIBE_FAILED
    filters = {"open/a": 0, "secret/a": denied, "own/ann-1/+": 0, "own/ann-2/a": denied,
               "own/+/a": denied, "#": denied, "+/a": denied, "$share/g/open/b": 0,
               "$share/g/secret/a": denied, "$queue/secret/a": denied,
               "$exclusive/secret/a": denied, "$SYS/#": denied, "open/#": 0}
    client, root = house.client(kind, version), house.root("speaker")
    first, *more = filters
    client.send(wire.subscribe(1, first, 0, version, *more))
    assert list(client.take(wire.SUBACK).body[-len(filters):]) == list(filters.values())
    for topic in "secret/a", "own/ann-2/a", "own/ann-1/a":
        root.publish(topic, b"yes", 1, 1)
        assert root.take(wire.PUBACK).reason == 0
        sees(watcher, topic, b"yes")
    got = client.take(wire.PUBLISH)
    assert (got.topic, got.payload) == ("own/ann-1/a", b"yes")
    assert client.ping() == []
    for one in client, root:
        one.close()


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_what_was_retained_is_not_shown(house, watcher, kind, version):
    root, topics = house.root("speaker"), ("secret/kept", "open/kept")
    client = house.client(kind, version)
    for topic in topics:
        root.publish(topic, b"kept", 1, 1, retain=True)
        root.take(wire.PUBACK)
        sees(watcher, topic, b"kept")
    client.send(wire.subscribe(1, "secret/+", 0, version, "#", "open/+"))
    client.take(wire.SUBACK)
    assert client.take(wire.PUBLISH).topic == "open/kept" and client.ping() == []
    for topic in topics:
        root.publish(topic, b"", 1, 1, retain=True)
        root.take(wire.PUBACK)
        sees(watcher, topic, b"")
    for one in client, root:
        one.close()


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_what_is_left_behind(house, watcher, kind, version):
    denied = NOT_AUTHORIZED if version == 5 else CODES[NOT_AUTHORIZED]
    for topic in "secret/will", "own/ann-2/will", "$delayed/0/secret", "$SYS/will":
        assert house.answer(kind, version, will=topic, **user()) == denied
    house.client(kind, version, will="own/ann-1/will").close()
    sees(watcher, "own/ann-1/will", b"will")


@ON_EVERY_DOOR
@BOTH_VERSIONS
@pytest.mark.parametrize("name", ["+", "#", "ann-1/x", "ann-1/+"])
def test_a_name_that_is_a_filter_gives_nothing(open_house, kind, version, name):
    client = open_house.client(kind, version, name, username=None, password=None)
    filters = "own/+/x", "own/#", "own/ann-1/x", "own/ann-1/+"
    client.send(wire.subscribe(1, filters[0], 0, version, *filters[1:]))
    denied = NOT_AUTHORIZED if version == 5 else SUBSCRIBE_FAILED
    assert list(client.take(wire.SUBACK).body[-4:]) == [denied] * 4
    client.close()


@ON_EVERY_DOOR
@BOTH_VERSIONS
def test_who_is_in_a_box_stays_in_it(house, watcher, kind, version):
    client = house.client(kind, version, "ann-1", "mounted", will="open/will")
    answer = NOT_AUTHORIZED if version == 5 else 0
    for topic in "secret", "own/ann-1/x", "box/ann/open/x", "box/bob/open/x":
        client.publish(topic, b"no", 1, 1)
        assert client.take(wire.PUBACK).reason == answer
    denied = NOT_AUTHORIZED if version == 5 else SUBSCRIBE_FAILED
    client.send(wire.subscribe(1, "open/+", 0, version, "#", "own/ann-1/x", "box/bob/open/x"))
    assert list(client.take(wire.SUBACK).body[-4:]) == [0, denied, denied, denied]
    client.publish("open/x", b"in", 1, 1)
    got = {one.kind: one for one in (client.next(), client.next())}
    assert got[wire.PUBLISH].topic == "open/x"
    assert got[wire.PUBACK].reason == 0
    sees(watcher, "box/ann/open/x", b"in")
    outside = house.root("speaker")
    outside.publish("open/x", b"out", 1, 1)
    outside.take(wire.PUBACK)
    sees(watcher, "open/x", b"out")
    assert client.ping() == []
    client.close()
    sees(watcher, "box/ann/open/will", b"will")
    outside.close()
