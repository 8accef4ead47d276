"""Who may come in: passwords and SCRAM-SHA-256, against a real daemon."""
import base64
import hashlib
import hmac
import ipaddress
import os
import pathlib
import re
import signal
import subprocess

import pytest

import wire

SECONDS_MAX = 20
AUTH = 15
BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED = 4, 5
SECRETS = ("correct horse", "battery staple", "wrong guess", "pencil")
SECURITY = pathlib.Path(__file__).parents[2] / "doc" / "security.md"


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, text=True, check=False,
                          timeout=SECONDS_MAX)


def passwd(*arguments, data=None):
    done = run(os.environ["LINNET"], "passwd", *map(str, arguments), data=data)
    assert done.returncode == 0, done.stderr
    return done


def knock(running, user=None, password=None, name="lamp"):
    """The return code of CONNACK."""
    who = ["-u", user] if user is not None else []
    who += ["-P", password] if password is not None else []
    return run("mosquitto_pub", "-p", str(running.port), "-h", "127.0.0.1", "-i", name, "-t", "t",
               "-m", "x", *who).returncode


@pytest.fixture(name="guarded")
def with_a_password_file(daemons, tmp_path):
    file = tmp_path / "passwd"
    passwd("-c", "-b", file, "alice", "correct horse")
    return daemons(tmp_path, auth__chain="password_file", auth__password_file=file).start()


def test_a_password_opens_the_door(guarded):
    assert knock(guarded, "alice", "correct horse") == 0
    assert knock(guarded, "alice", "wrong guess") == BAD_USER_NAME_OR_PASSWORD
    assert knock(guarded, "bob", "correct horse") == BAD_USER_NAME_OR_PASSWORD
    assert knock(guarded, "alice") == BAD_USER_NAME_OR_PASSWORD
    assert knock(guarded) == NOT_AUTHORIZED
    assert guarded.stop() == 0
    assert guarded.count("auth.failed") == 4
    assert not [line for line in guarded.lines if any(secret in line for secret in SECRETS)]


def test_the_documented_filter_finds_the_address(guarded):
    assert knock(guarded, 'x" address="192.0.2.1:5"', "wrong guess") == BAD_USER_NAME_OR_PASSWORD
    assert guarded.wait_for("auth.failed")
    line = next(line for line in guarded.lines if " auth.failed " in line)
    text = re.search(r"failregex = (.*)", SECURITY.read_text(encoding="utf-8"))[1]
    found = re.search(text.replace("<HOST>", r"(?P<host>[0-9a-fA-F.:]+?)"), line)
    assert ipaddress.ip_address(found["host"]).is_loopback
    example = re.search(r"^    (2026.* auth\.failed .*)$", SECURITY.read_text(encoding="utf-8"),
                        re.MULTILINE)[1]
    assert re.findall(r"(\w+)=\"", example) == re.findall(r"(?<!\\\" )\b(\w+)=\"", line)


def test_a_changed_file_counts_at_once_and_a_bad_one_not_at_all(guarded, tmp_path):
    file = tmp_path / "passwd"
    assert knock(guarded, "alice", "correct horse") == 0     # remembered, and then forgotten
    passwd("-b", file, "alice", "battery staple")
    assert guarded.wait_for("auth.loaded", 2)
    assert knock(guarded, "alice", "correct horse") == BAD_USER_NAME_OR_PASSWORD
    assert knock(guarded, "alice", "battery staple") == 0
    with file.open("a", encoding="utf-8") as text:
        text.write("mallory:plain\n")
    assert guarded.wait_for("auth.reload_failed")
    assert guarded.wait_for("alarm.raised")
    assert "passwd:2: its password is not hashed" in guarded.lines[-1] + guarded.lines[-2]
    assert knock(guarded, "alice", "battery staple") == 0
    assert knock(guarded, "mallory", "plain") == BAD_USER_NAME_OR_PASSWORD
    passwd("-U", file)
    assert guarded.wait_for("alarm.cleared")
    assert knock(guarded, "mallory", "plain") == 0


def test_who_is_taken_out_is_disconnected(guarded, tmp_path):
    """So is whose password is another; the others stay."""
    file = tmp_path / "passwd"
    passwd("-b", file, "bob", "battery staple")
    assert guarded.wait_for("auth.loaded", 2)
    subscribers = {}
    for user, password in (("alice", "correct horse"), ("bob", "battery staple")):
        subscribers[user] = subprocess.Popen(
            ["mosquitto_sub", "-p", str(guarded.port), "-h", "127.0.0.1", "-i", user, "-t", "t",
             "-u", user, "-P", password], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert guarded.wait_for(f'client.connected client="{user}"')
    passwd("-D", file, "alice")
    assert guarded.wait_for('client.disconnected client="alice"')
    assert subscribers["alice"].wait(SECONDS_MAX) != 0
    assert subscribers["bob"].poll() is None
    assert guarded.count('client.disconnected client="bob"') == 0
    subscribers["bob"].terminate()
    for one in subscribers.values():
        one.communicate(timeout=SECONDS_MAX)


def test_a_bad_file_at_the_start_is_an_error(daemons, tmp_path):
    file = tmp_path / "passwd"
    file.write_text("alice:plain\n", encoding="utf-8")
    running = daemons(tmp_path, auth__chain="password_file", auth__password_file=file)
    running.start(wait=None)
    assert running.wait() == 1
    assert running.count("auth.unusable") == 1


def test_linnet_passwd(tmp_path):
    file = tmp_path / "passwd"
    passwd("-c", file, "alice", data="correct horse\n")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with file.open("a", encoding="utf-8") as text:
        text.write("# a remark\ndave:plain\n")
    passwd("-b", "-H", "sha512-pbkdf2", file, "bob", "builder")
    assert passwd("-U", file).stdout == "1 passwords hashed\n"
    passwd("-D", file, "alice")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# a remark"
    assert lines[1].startswith("dave:$argon2id$v=19$m=19456,t=2,p=1$")
    _, rounds, salt, digest = lines[2].removeprefix("bob:$").split("$")
    made = hashlib.pbkdf2_hmac("sha512", b"builder", base64.b64decode(salt), int(rounds))
    assert made == base64.b64decode(digest)
    assert file.stat().st_mode & 0o777 == 0o640
    for wrong in (("-c", file, "eve"), ("-D", file, "eve"), ("-b", file, "e:ve", "x"),
                  (tmp_path / "none", "eve"), ("-b", file, "eve", ""), ("-H", "md5", file, "eve")):
        done = run(os.environ["LINNET"], "passwd", *map(str, wrong), data="x\n")
        assert done.returncode == 1 and done.stderr.startswith("Error: "), wrong
    assert file.read_text(encoding="utf-8").splitlines() == lines
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]


# ---- SCRAM-SHA-256, as RFC 5802 has it -----------------------------------------------------------


def properties(data):
    body = b"\x15" + wire.text("SCRAM-SHA-256") + b"\x16" + wire.text(data)
    return wire.length(len(body)) + body


def auth(reason, data):
    return wire.packet(AUTH, 0, bytes([reason]) + properties(data))


def data_of(body):
    """The authentication data of a packet: its length and bytes are the last of 0x16."""
    at = body.index(b"\x15" + wire.text("SCRAM-SHA-256")) + 3 + len("SCRAM-SHA-256")
    assert body[at:at + 1] == b"\x16"
    return body[at + 3:at + 3 + int.from_bytes(body[at + 1:at + 3], "big")].decode()


class Dialogue:
    def __init__(self, user, password):
        self.bare = f"n={user},r={base64.b64encode(os.urandom(18)).decode()}"
        self.first, self.password, self.signature = "n,," + self.bare, password.encode(), ""

    def last(self, said):
        parts = dict(part.split("=", 1) for part in said.split(","))
        assert parts["r"].startswith(self.bare.split("r=", 1)[1]) and int(parts["i"]) >= 4096
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts["s"]),
                                     int(parts["i"]))
        bare = f"c=biws,r={parts['r']}"
        message = f"{self.bare},{said},{bare}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        mask = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, mask))).decode()
        server = hmac.digest(salted, b"Server Key", "sha256")
        mac = hmac.digest(server, message, "sha256")
        self.signature = "v=" + base64.b64encode(mac).decode()
        return f"{bare},p={proof}"


class Scram(wire.Client):
    """One that comes in with SCRAM; `reason` is CONNACK's."""

    def __init__(self, port, user, password, name="lamp"):
        self.dialogue, self.name = Dialogue(user, password), name
        self.first = self.dialogue.first
        super().__init__(port, name, 5, True)

    def send(self, data):
        if data[0] >> 4 != wire.CONNECT:
            super().send(data)
            return
        body = wire.text("MQTT") + b"\x05\x02\0\0" + properties(self.first) + wire.text(self.name)
        super().send(wire.packet(wire.CONNECT, 0, body))
        super().send(auth(0x18, self.dialogue.last(data_of(self.take(AUTH).body))))

    def again(self, user, password):
        """Authenticates anew: the reason of what comes, and that packet."""
        dialogue = Dialogue(user, password)
        self.send(auth(0x19, dialogue.first))
        self.send(auth(0x18, dialogue.last(data_of(self.take(AUTH).body))))
        return dialogue, self.next()


@pytest.fixture(name="scram")
def with_a_scram_file(daemons, tmp_path):
    file = tmp_path / "scram"
    passwd("--scram", "-c", "-b", file, "alice", "pencil")
    passwd("--scram", "-b", file, "bob", "builder")
    return daemons(tmp_path, auth__chain="scram", auth__scram__file=file).start()


def test_scram(scram):
    client = Scram(scram.port, "alice", "pencil")
    dialogue, answer = client.again("alice", "pencil")
    assert answer.kind == AUTH and answer.body[0] == 0
    assert data_of(answer.body) == dialogue.signature
    client.publish("t", b"x", 1, 1)
    assert client.take(wire.PUBACK).number == 1
    _, answer = client.again("bob", "builder")
    assert answer.kind == wire.DISCONNECT and answer.body[0] == 0x87
    assert scram.wait_for("auth.failed")
    assert any('user="bob"' in line for line in scram.lines)


@pytest.mark.parametrize("who", [("alice", "Pencil"), ("nobody", "pencil")])
def test_scram_refuses(scram, who):
    with pytest.raises((AssertionError, wire.Closed)):
        Scram(scram.port, *who)
    assert scram.wait_for("auth.failed")
    assert any('provider="scram"' in line and 'reason="not_authorized"' in line
               for line in scram.lines)


def test_scram_lets_no_banned_user_in_by_another_name(daemons, tmp_path):
    file = tmp_path / "scram"
    passwd("--scram", "-c", "-b", file, "alice", "pencil")
    config = {"auth__chain": "scram", "auth__scram__file": file}
    banned = daemons(tmp_path, ban__usernames="alice", **config).start()
    with pytest.raises(AssertionError, match="reason=0x8a"):    # which CONNECT does not name
        Scram(banned.port, "alice", "pencil")
    assert banned.stop() == 0


def test_who_was_banned_meanwhile_does_not_stay_by_authenticating_again(scram, tmp_path):
    client = Scram(scram.port, "alice", "pencil")
    (tmp_path / "bans").write_text("username alice 0 0 me test\n", encoding="utf-8")
    scram.process.send_signal(signal.SIGHUP)
    assert scram.wait_for("ban.loaded")
    try:
        _, answer = client.again("alice", "pencil")
    except AssertionError as error:     # the broker has looked for it first
        assert "DISCONNECT(id=0 reason=0x98" in str(error)
    else:
        assert answer.kind == wire.DISCONNECT and answer.reason == 0x98
    assert scram.stop() == 0


def test_who_is_taken_out_of_scram_is_disconnected(scram, tmp_path):
    alice, bob = Scram(scram.port, "alice", "pencil"), Scram(scram.port, "bob", "builder", "bulb")
    passwd("--scram", "-D", tmp_path / "scram", "alice")
    assert alice.take(wire.DISCONNECT).reason == 0x87
    bob.ping()
    assert scram.stop() == 0


def test_nothing_goes_out_of_who_was_taken_out(guarded, tmp_path):
    """Neither its will nor what it has delayed; of the others both."""
    file = tmp_path / "passwd"
    passwd("-b", file, "bob", "battery staple")
    assert guarded.wait_for("auth.loaded", 2)
    watcher = wire.Client(guarded.port, "watcher", 5, username="bob", password="battery staple")
    watcher.subscribe("#", 0)
    alice = wire.Client(guarded.port, "alice", 5, username="alice", password="correct horse",
                        will="will")
    alice.publish("$delayed/3/of-alice", b"no", 1, 1)
    alice.take(wire.PUBACK, 1)
    bob = wire.Client(guarded.port, "bob", 5, username="bob", password="battery staple")
    bob.publish("$delayed/3/of-bob", b"yes", 1, 1)
    bob.take(wire.PUBACK, 1)
    passwd("-D", file, "alice")
    assert alice.take(wire.DISCONNECT).reason == 0x87
    assert guarded.wait_for("message.withheld", 2)
    assert watcher.take(wire.PUBLISH).topic == "of-bob"
    assert watcher.ping() == []
