"""Tokens: keys that change, connections that end with their token."""
import base64
import hashlib
import hmac
import json
import signal
import subprocess
import time

import pytest

import service
import wire

SECRET = "a secret of thirty-two bytes, or more of them"
BAD_CREDENTIALS, NOT_AUTHORIZED = 0x86, 0x87


def part(data):
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(claims, kid=None, secret=SECRET):
    header = {"alg": "HS256"} if kid is None else {"alg": "HS256", "kid": kid}
    text = part(header) + b"." + part(claims)
    return (text + b"." + part(hmac.digest(secret.encode(), text, hashlib.sha256))).decode()


def jwk(kid, secret):
    return {"kty": "oct", "kid": kid, "k": part(secret.encode()).decode()}


class Key:
    """An elliptic one, made and used by openssl."""

    def __init__(self, folder, kid):
        self.file, self.kid = folder / f"{kid}.pem", kid
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file)
        point = self.run("ec", "-in", self.file, "-pubout", "-outform", "DER")[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                    "x": part(point[:32]).decode(), "y": part(point[32:]).decode()}

    @staticmethod
    def run(*command, data=None):
        return subprocess.run(["openssl", *command], input=data, capture_output=True,
                              check=True).stdout

    def token(self, claims):
        text = part({"alg": "ES256", "kid": self.kid}) + b"." + part(claims)
        der = self.run("dgst", "-sha256", "-sign", self.file, data=text)
        r_size = der[3]
        r, s = der[4:4 + r_size], der[6 + r_size:]
        raw = b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))
        return (text + b"." + part(raw)).decode()


def start(daemons, folder, **options):
    return daemons(folder, shards=2, auth__chain="jwt", durability="memory", **options).start()


@pytest.fixture
def key_service():
    web = service.Service(lambda path, params: (200, {"keys": web.keys}))
    web.keys = []
    yield web
    web.close()


def test_claims_are_checked(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__issuer="us",
                   auth__jwt__audience="mqtt", auth__jwt__require_exp="on",
                   auth__jwt__verify_claims="name:%u, sub:%c", auth__jwt__leeway=0)
    now = int(time.time())
    good = {"iss": "us", "aud": ["mqtt"], "exp": now + 100, "name": "ann", "sub": "c1"}
    assert wire.connect_reason(broker.port, "c1", "ann", token(good)) == 0
    for change in ({"iss": "them"}, {"aud": "http"}, {"exp": now - 1}, {"name": "bob"},
                   {"sub": "c2"}, {"nbf": now + 100}, {"iat": now + 100}, {"acl": "all"},
                   {"acl": [{"permission": "allow", "action": "all", "topic": "#", "new": 1}]}):
        reason = wire.connect_reason(broker.port, "c1", "ann", token({**good, **change}))
        assert reason == BAD_CREDENTIALS, change
    for lack in good:
        claims = {name: value for name, value in good.items() if name != lack}
        assert wire.connect_reason(broker.port, "c1", "ann", token(claims)) == BAD_CREDENTIALS
    text = token(good)
    assert wire.connect_reason(broker.port, "c1", "ann", text[:-2] + "AA") == BAD_CREDENTIALS
    assert wire.connect_reason(broker.port, "c1", "ann", "a password") == BAD_CREDENTIALS
    assert broker.stop() == 0
    assert not any(text[:40] in line for line in broker.lines)


def test_permissions_and_superusers(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET)
    client = wire.Client(broker.port, "c1", 5, username="ann", password=token(
        {"acl": {"pub": ["own/%c/${username}"], "sub": ["news/#"]}}))
    for topic, reason in ("own/c1/ann", 0x10), ("own/c2/ann", NOT_AUTHORIZED):
        client.publish(topic, b"", 1, 1)
        assert client.take(wire.PUBACK, 1).reason == reason
    client.subscribe("news/+/today", 1)
    client.send(wire.subscribe(2, "#", 1, 5))
    assert client.take(wire.SUBACK, 2).reason == NOT_AUTHORIZED
    root = wire.Client(broker.port, "c2", 5, username="root", password=token(
        {"is_superuser": True, "acl": {}}))
    root.subscribe("#", 1)
    assert broker.stop() == 0


def test_who_is_away_keeps_what_its_token_allows(daemons, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text('{allow, all, publish, ["#"]}.\n')
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, acl__file=rules)
    mine = {"username": "ann", "password": token({"acl": {"sub": ["t"]}})}
    ann = wire.Client(broker.port, "c1", 5, **mine)
    ann.subscribe("t", 1)
    ann.close()
    assert broker.wait_for("client.disconnected")
    rules.write_text('{allow, all, publish, ["#"]}.\n{deny, {user, "bob"}, subscribe, ["x"]}.\n')
    broker.process.send_signal(signal.SIGHUP)
    assert broker.wait_for("acl.loaded", 2)
    giver = wire.Client(broker.port, "c2", 5, username="bob", password=token({}))
    giver.publish("t", b"kept", 1, 1)
    assert giver.take(wire.PUBACK, 1).reason == 0
    ann = wire.Client(broker.port, "c1", 5, **mine)
    assert ann.take(wire.PUBLISH).payload == b"kept"
    assert broker.stop() == 0


def test_the_mountpoint_is_that_of_who_the_token_says(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__username_claim="sub",
                   acl__nomatch="allow", listener__tcp__external__mountpoint="of/%u/")
    ann = wire.Client(broker.port, "c1", 5, username="ann", password=token({"sub": "ann"}))
    ann.subscribe("#", 1)
    bob = wire.Client(broker.port, "c2", 5, username="ann", password=token({"sub": "bob"}))
    bob.publish("t", b"bob's", 1, 1)
    assert bob.take(wire.PUBACK, 1).reason == 0x10
    assert wire.connect_reason(broker.port, "c3", "ann", token({"sub": "a/b"})) == BAD_CREDENTIALS
    ann.publish("t", b"ann's", 1, 1)
    assert ann.take(wire.PUBLISH).payload == b"ann's"
    assert broker.stop() == 0


def test_a_token_in_the_user_name_is_not_shown(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__from="username")
    good, bad = token({"sub": "ann"}), token({"sub": "ann"}, secret="x" * 40)
    assert wire.connect_reason(broker.port, "c1", good) == 0
    assert wire.connect_reason(broker.port, "c1", bad) == BAD_CREDENTIALS
    assert broker.stop() == 0
    assert broker.count("auth.failed") == 1
    assert not any(good[:30] in line or bad[:30] in line for line in broker.lines)


@pytest.mark.parametrize("version", [4, 5])
def test_a_connection_ends_with_its_token(daemons, tmp_path, version):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__leeway=0)
    client = wire.Client(broker.port, "c1", version, username="ann",
                         password=token({"exp": int(time.time()) + 2}))
    if version == 5:
        assert client.take(wire.DISCONNECT).reason == NOT_AUTHORIZED
    assert client.is_closed()
    assert broker.stop() == 0


def test_the_next_token_comes_by_auth(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__leeway=0)
    soon = int(time.time()) + 2
    first = token({"sub": "ann", "exp": soon, "acl": {"pub": ["old"]}})
    clients = [wire.Client(broker.port, f"c{i}", 5, method="JWT", data=first) for i in range(2)]
    clients[0].send(wire.auth(0x19, "JWT", token({"sub": "ann", "acl": {"pub": ["new"]}})))
    assert clients[0].take(wire.AUTH).reason == 0
    clients[1].send(wire.auth(0x19, "JWT", token({"sub": "bob"})))      # someone else's
    assert clients[1].take(wire.DISCONNECT).reason >= 0x80
    other = wire.Client(broker.port, "c2", 5, method="JWT", data=first)
    assert other.take(wire.DISCONNECT).reason == NOT_AUTHORIZED         # so its time is over
    for topic, reason in ("new", 0x10), ("old", NOT_AUTHORIZED):
        clients[0].publish(topic, b"", 1, 1)
        assert clients[0].take(wire.PUBACK, 1).reason == reason
    assert broker.stop() == 0


def test_a_key_set_in_a_file_is_read_again(daemons, tmp_path):
    file, new = tmp_path / "keys.json", "another secret, which has as many bytes as it needs"
    file.write_text(json.dumps({"keys": [jwk("a", SECRET)]}))
    broker = start(daemons, tmp_path, auth__jwt__jwks_file=file)
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "a")) == 0
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "b", new)) == BAD_CREDENTIALS
    (tmp_path / "next").write_text(json.dumps({"keys": [jwk("b", new)]}))
    (tmp_path / "next").rename(file)
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "b", new)) == 0
    assert broker.wait_for("jwks.loaded")
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "a")) == BAD_CREDENTIALS
    file.write_text("{}")                       # no set: the last one stays
    assert broker.wait_for("jwks.failed")
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "b", new)) == 0
    assert broker.stop() == 0
    assert not broker.start(wait=None).wait_for("broker.started")       # but none to begin with
    assert broker.wait() == 1


def test_a_key_set_from_a_service_is_fetched_when_it_is_needed(daemons, key_service, tmp_path):
    keys = [Key(tmp_path, kid) for kid in "ab"]
    key_service.keys = [keys[0].jwk, jwk("secret", SECRET)]
    broker = start(daemons, tmp_path, auth__jwt__jwks_url=key_service.url + "/keys",
                   auth__jwt__jwks_refresh="1s")
    assert wire.connect_reason(broker.port, "c1", "ann", keys[0].token({})) == 0
    # A service has no secrets to give.
    assert wire.connect_reason(broker.port, "c1", "ann", token({}, "secret")) == BAD_CREDENTIALS
    assert wire.connect_reason(broker.port, "c1", "ann", keys[1].token({})) == BAD_CREDENTIALS
    key_service.keys = [keys[1].jwk]
    times = broker.count("jwks.loaded")
    assert broker.wait_for("jwks.loaded", times + 2)    # the second began after the change
    assert wire.connect_reason(broker.port, "c1", "ann", keys[1].token({})) == 0
    assert wire.connect_reason(broker.port, "c1", "ann", keys[0].token({})) == BAD_CREDENTIALS
    key_service.answer = lambda path, params: (503, "")
    assert broker.wait_for("jwks.failed")
    assert wire.connect_reason(broker.port, "c1", "ann", keys[1].token({})) == 0
    assert broker.stop() == 0


def test_unknown_keys_do_not_ask_all_the_time(daemons, key_service, tmp_path):
    key = Key(tmp_path, "a")
    key_service.keys = [Key(tmp_path, "b").jwk]
    broker = start(daemons, tmp_path, auth__jwt__jwks_url=key_service.url + "/keys",
                   auth__jwt__jwks_refresh="1h")
    assert broker.wait_for("jwks.loaded")
    for _ in range(5):
        assert wire.connect_reason(broker.port, "c1", "ann", key.token({})) == BAD_CREDENTIALS
    assert len(key_service.asked) == 1
    assert broker.stop() == 0


def test_a_banned_user_is_who_the_token_says(daemons, tmp_path):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, auth__jwt__username_claim="sub",
                   ban__usernames="bob")
    assert wire.connect_reason(broker.port, "c1", "ann", token({"sub": "ann"})) == 0
    assert wire.connect_reason(broker.port, "c2", "ann", token({"sub": "bob"})) == 0x8A
    assert broker.stop() == 0


@pytest.mark.parametrize("options, reason", [
    ({}, NOT_AUTHORIZED), ({"acl__nomatch": "allow"}, 0x10), ({"auth__jwt__acl_claim": ""}, 0x10)])
def test_a_token_that_says_nothing_of_topics(daemons, tmp_path, options, reason):
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET, **options)
    client = wire.Client(broker.port, "c1", 5, username="ann", password=token({}))
    client.publish("t", b"", 1, 1)
    assert client.take(wire.PUBACK, 1).reason == reason
    assert broker.stop() == 0


def test_what_a_token_allowed_is_published_though_it_is_gone(daemons, tmp_path):
    """By a broker that was started again, too."""
    broker = start(daemons, tmp_path, auth__jwt__secret=SECRET)
    broker.options["durability"] = "strict"
    assert broker.stop() == 0
    broker.start()
    watcher = {"username": "ann", "password": token({"acl": {"sub": ["#"]}})}
    wire.Client(broker.port, "watcher", 5, **watcher).subscribe("#", 1)
    client = wire.Client(broker.port, "c1", 5, username="ann",
                         password=token({"acl": {"pub": ["t"]}}))
    client.publish("$delayed/3/t", b"kept", 1, 1)
    assert client.take(wire.PUBACK, 1).reason < 0x80
    client.close()
    broker.kill()
    broker.start()
    again = wire.Client(broker.port, "watcher", 5, **watcher)
    assert again.take(wire.PUBLISH).payload == b"kept"
    assert broker.stop() == 0
