"""linnet ctl and the control socket: who may ask, what is answered, what stays as it was."""
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import time

import pytest

import daemon
import wire

BANNED, ADMINISTRATIVE_ACTION = 0x8a, 0x98
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Controlled:
    """A broker that has a file, and what `linnet ctl` says of it."""

    def __init__(self, daemons, folder, text="", **options):
        self.file, self.folder = folder / "linnet.conf", folder
        self.text = f"data_dir = {folder}/data\n"
        self.write(text)
        self.broker = daemons(f"{folder}/data", **options)
        self.broker.file = str(self.file)
        self.broker.start()

    def write(self, text):
        self.file.write_text(self.text + text)

    def run(self, *words, before=()):
        return subprocess.run([*before, os.environ["LINNET"], "ctl", "-c", str(self.file), *words],
                              capture_output=True, text=True, timeout=wire.SECONDS_MAX)

    def rows(self, *words, kind=None):
        done = self.run("--json", *words)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0 and rows[-1] == {"is": "done"}, done
        return [row for row in rows[:-1] if kind in (None, row["is"])]

    def refused(self, *words):
        done = self.run(*words)
        assert done.returncode == 1, done
        return done.stdout + done.stderr

    def link(self):
        link = socket.socket(socket.AF_UNIX)
        link.connect(f"{self.folder}/data/control")
        link.settimeout(wire.SECONDS_MAX)       # before it, a full backlog would be an error
        return link


@pytest.fixture
def controlled(daemons, tmp_path):
    return lambda *text, **options: Controlled(daemons, tmp_path, *text, **options)


def client(it, name="robot"):
    return wire.Client(it.broker.port, name, version=5, clean=True)


def reason_of_refusal(it, name="robot"):
    with socket.create_connection(("127.0.0.1", it.broker.port), wire.SECONDS_MAX) as link:
        link.sendall(wire.connect(name, version=5, clean=True))
        reply = b""
        while part := link.recv(100):
            reply += part
        assert reply[0] == wire.CONNACK << 4, reply
        return reply[3]


def read_rows(link):
    """One answer."""
    rows, data = [], b""
    while not rows or rows[-1]["is"] not in ("done", "failed"):
        part = link.recv(65536)
        assert part, (rows, data)
        *lines, data = (data + part).split(b"\n")
        rows += [json.loads(line) for line in lines]
    return rows


def test_status(controlled):
    it = controlled("listener.tcp.second = 127.0.0.1:0\n")
    one = client(it)
    rows = it.rows("status")
    kinds = [row["is"] for row in rows]
    assert kinds == ["broker", "shard", "shard", "listener", "listener"], rows
    assert rows[0]["shards"] == 2 and rows[0]["durability"] == "strict"
    assert rows[0]["config"] == str(it.file)
    assert {row["name"]: row["connections"] for row in rows if row["is"] == "listener"} == {
        "tcp:external": 1, "tcp:second": 0}
    assert "tcp:external" in it.run("status").stdout
    one.close()


def test_a_check_tells_and_changes_nothing(controlled):
    it = controlled("mqtt.max_qos = 2\n")
    port = daemon.free_port()
    it.write(f"mqtt.max_qos = 1\nshards = 3\nlistener.tcp.new = 127.0.0.1:{port}\n"
             "auth.jwt.secret = do-not-show-this-secret-to-anyone\n")
    expected = [
        "~ mqtt.max_qos 2 -> 1 (live)\n",
        f"+ listener.tcp.new 127.0.0.1:{port} (live)\n",
        "~ auth.jwt.secret \"\" -> (secret) (live)\n",
    ]
    for words in ("reload", "--check"), ("config", "diff"):
        said = it.run(*words)
        assert said.returncode == 0 and sorted(said.stdout.splitlines(True)) == sorted(expected), \
            said
    assert it.run("config", "get", "mqtt.max_qos").stdout == "2\n"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), wire.SECONDS_MAX)
    assert it.broker.count("reload.") == 0


def test_a_reload_says_what_it_changes(controlled):
    it = controlled("")
    it.write("mqtt.max_qos = 1\nnode.name = other\nauth.chain = identity\n")
    expected = ["~ node.name \"linnet@127.0.0.1\" -> \"other\" (needs a restart)",
                "~ mqtt.max_qos 2 -> 1 (live)",
                "~ auth.chain \"\" -> \"identity\" (needs a restart)"]
    assert it.run("reload").stdout.splitlines() == expected
    assert any("node.name" in line and "needs a restart" in line and " warning " in line
               for line in it.broker.lines)
    assert it.run("config", "get", "mqtt.max_qos").stdout == "1\n"
    assert it.run("reload").stdout.splitlines() == expected[::2], "they still need a restart"
    assert it.run("config", "get", "auth.chain").stdout == "\"\"\n", "what is in force"


def test_a_bad_file_is_told_whole(controlled):
    it = controlled("mqtt.max_qos = 1\n")
    it.write("mqtt.max_qos = 7\nno.such = 1\n")
    for words in ("reload", "--check"), ("reload",):
        said = it.refused(*words)
        assert f"{it.file}:2: mqtt.max_qos" in said and f"{it.file}:3: no.such" in said, said
    assert it.broker.count("reload.refused") == 1 and it.broker.count("reload.error") == 2
    assert it.run("config", "get", "mqtt.max_qos").stdout == "1\n"


def test_a_listener_that_cannot_be_opened_refuses_all(controlled):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        it = controlled("")
        it.write(f"mqtt.max_qos = 1\nlistener.tcp.x = 127.0.0.1:{taken.getsockname()[1]}\n")
        assert "refused" in it.refused("reload")
    assert it.run("config", "get", "mqtt.max_qos").stdout == "2\n"


@pytest.mark.parametrize("kind, what", [("clientid", "robot"), ("username", "bob"),
                                        ("address", "127.0.0.0/8")])
def test_a_ban_throws_out_and_keeps_out(controlled, kind, what):
    it = controlled("")
    victim = wire.Client(it.broker.port, "robot", version=5, clean=True, username="bob")
    assert it.rows("bans", "add", kind, what, "--for", "1h", "--reason", "a test of it") == []
    assert victim.take(wire.DISCONNECT).reason == ADMINISTRATIVE_ACTION
    row, = it.rows("bans", "list")
    assert (row["kind"], row["what"], row["why"]) == (kind, what, "a test of it")
    assert row["until_s"] - row["since_s"] == 3600 and row["by"] == f"uid:{os.geteuid()}"
    it.broker.kill()
    it.broker.start()
    assert it.rows("bans", "list") == [row], "it was on the disk before it was answered"
    if kind != "username":
        assert reason_of_refusal(it) == BANNED
    it.rows("bans", "del", kind, what)
    assert it.rows("bans", "list") == []
    client(it).close()
    assert "no such ban" in it.refused("bans", "del", kind, what)


def test_what_is_no_ban_is_refused(controlled):
    it = controlled("")
    assert "no address" in it.refused("bans", "add", "address", "10.0.0.1/8")
    assert "usage: bans add" in it.refused("bans", "add", "host", "x")
    assert "--for" in it.refused("bans", "add", "clientid", "x", "--for", "soon")
    assert "bytes" in it.refused("bans", "add", "clientid", "x" * 1025)
    assert "no such command" in it.refused("bans", "ad", "clientid", "x")
    assert it.rows("bans", "list") == []


def test_clients_are_listed_page_by_page_and_kicked(controlled):
    it = controlled("")
    names = {f"client {i}" for i in range(300)}
    links = {name: client(it, name) for name in names}
    rows = it.rows("clients", "list")
    assert len(rows) == 300 and {row["client_id"] for row in rows} == names
    assert {row["shard"] for row in rows} == {0, 1}
    victim = links["client 7"]
    victim.subscribe("a/+", 1)
    shown = it.rows("clients", "show", "client 7")
    assert shown[0]["address"] == "127.0.0.1" and shown[1]["filter"] == "a/+"
    it.rows("clients", "kick", "client 7")
    assert victim.take(wire.DISCONNECT).reason == ADMINISTRATIVE_ACTION
    assert "no such client" in it.refused("clients", "kick", "nobody")
    for link in links.values():
        link.close()


@ROOT
def test_others_are_refused(controlled, tmp_path):
    it = controlled("")
    control = pathlib.Path(tmp_path, "data", "control")
    mode = control.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    for folder in tmp_path, *tmp_path.parents[:-1]:
        folder.chmod(folder.stat().st_mode | 0o011)
    control.parent.chmod(0o711)
    tool = shutil.copy(os.environ["LINNET"], tmp_path / "linnet")
    os.chmod(tool, 0o755)
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups", tool, "ctl", "--socket", control]
    done = subprocess.run([*as_nobody, "status"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "only root and the user that linnetd runs as" in done.stderr
    control.chmod(0o666)                # the kernel's word on who it is counts, not the mode
    done = subprocess.run([*as_nobody, "status"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "may ask" in done.stderr and done.stdout == "", done
    assert it.broker.wait_for("control.refused")
    assert any("uid=65534" in line for line in it.broker.lines)


def test_garbage_is_answered_and_harms_nobody(controlled):
    it = controlled("")
    for garbage in b"\0\n", b"\"\n", b"\xff\xfe\n", b"{\"a\":1}\n", b" " * 100 + b"\n", b"a " * 99:
        with it.link() as link:
            link.sendall(garbage if garbage.endswith(b"\n") else garbage + b"\n")
            assert read_rows(link)[-1]["is"] == "failed"
            link.sendall(b"bans list\n")
            assert read_rows(link) == [{"is": "done"}]
    with it.link() as link:             # a line without an end
        link.sendall(b"x" * 16384)
        link.sendall(b"x")
        assert "too long" in read_rows(link)[-1]["error"]
        assert link.recv(1) == b""
    with it.link() as link:             # several at once, and half of one at the end
        link.sendall(b"bans list\nnothing\nbans list\nsta")
        link.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: link.recv(65536), b""))
        assert [json.loads(line)["is"] for line in answers.splitlines()] == \
            ["done", "failed", "done"]
    assert it.rows("status")


def test_who_does_not_read_holds_up_nobody(controlled):
    it = controlled("")
    lazy = it.link()
    lazy.setblocking(False)
    sent = 0
    while True:                         # until the broker takes no more
        try:
            sent += lazy.send(b"metrics\n" * 1000)
        except BlockingIOError:
            break
    assert sent > 0
    assert it.rows("status") and client(it)
    links = []
    for _ in range(40):                 # more than may be there at once
        links.append(it.link())
    refused = [link for link in links[20:] if b"too many" in link.recv(1000)]
    assert len(refused) == 20
    for link in links:
        link.close()
    lazy.close()
    deadline = time.monotonic() + wire.SECONDS_MAX
    while it.run("status").returncode != 0:
        assert time.monotonic() < deadline
    assert it.broker.stop() == 0


def test_without_a_daemon_the_error_says_so(controlled, tmp_path):
    it = controlled("")
    control = tmp_path / "data" / "control"
    it.broker.kill()
    assert control.exists()
    done = it.run("status")
    assert done.returncode == 2 and "is linnetd running" in done.stderr and str(control) in \
        done.stderr
    it.broker.start()                   # what was left there is replaced
    assert it.rows("status")
    assert it.broker.stop() == 0 and not control.exists()
    assert it.run("status").returncode == 2


def test_a_place_that_is_not_safe_is_not_used(controlled, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    it = controlled("", control__socket=f"{shared}/control")
    assert it.broker.wait_for("control.unusable") and not any(shared.iterdir())
    client(it).close()                  # it serves all the same
    it.broker.stop()
    own = tmp_path / "own"
    own.mkdir(0o700)
    (own / "control").symlink_to(tmp_path / "elsewhere")
    it.broker.start(control__socket=f"{own}/control")
    assert it.broker.wait_for("control.unusable") and not (tmp_path / "elsewhere").exists()
    it.broker.stop()
    it.broker.start(control__socket="off")
    assert it.broker.count("control.open") == 0 and not (tmp_path / "data" / "control").exists()
