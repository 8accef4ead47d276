"""linnet store on what a real linnetd has stored, whole and damaged."""
import base64
import json
import os
import subprocess

import pytest

from conftest import Broker

SECONDS_MAX = 20
BINARY = b"\xff\x00binary"
KEPT = "a retained message that the disk will lose"


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, check=False,
                          timeout=SECONDS_MAX)


def store(command, folder):
    done = run(os.environ["LINNET"], "store", command, str(folder))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def mosquitto(tool, broker, *arguments, data=None):
    done = run(f"mosquitto_{tool}", "-h", "127.0.0.1", "-p", str(broker.port), *arguments,
               data=data)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dumped(folder):
    code, out, err = store("dump", folder)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def of_kind(records, kind):
    return [record for record in records if record["kind"] == kind]


def summary(out):
    """The numbers of a check by name."""
    lines = [line for line in out.splitlines() if ":" not in line]
    return {line[:14].strip(): int(line[14:26]) for line in lines}


def fill(broker):
    """Two sessions that wait for the same three messages, and two retained messages."""
    for name in "one", "two":
        mosquitto("sub", broker, "-i", name, "-c", "-q", "1", "-t", "queue/#", "-E")
    mosquitto("pub", broker, "-i", "writer", "-q", "1", "-r", "-t", "kept/text", "-m", KEPT)
    mosquitto("pub", broker, "-q", "1", "-r", "-t", "kept/bytes", "-s", data=BINARY)
    for i in range(3):
        mosquitto("pub", broker, "-V", "5", "-q", "1", "-t", f"queue/{i}", "-m", f"message {i}",
                  "-D", "publish", "user-property", "place", "roof",
                  "-D", "publish", "message-expiry-interval", "5000")


def expect_all(broker, kept=True):
    for name in "one", "two":
        got = mosquitto("sub", broker, "-i", name, "-c", "-q", "1", "-t", "queue/#", "-C", "3")
        assert got == b"message 0\nmessage 1\nmessage 2\n"
    got = mosquitto("sub", broker, "-t", "kept/+", "-v", "-W", "10", "-C", "2" if kept else "1")
    assert b"kept/bytes " + BINARY in got
    assert (KEPT.encode() in got) == kept


@pytest.fixture(name="folder")
def stopped(tmp_path):
    """The folder of a broker that has stopped with something in its store."""
    broker = Broker(tmp_path, 2)
    fill(broker)
    assert broker.stop() == 0
    return tmp_path


def damage(folder, text):
    """Changes a letter of it wherever it is in the file."""
    file = folder / "store" / "data.mdb"
    data = file.read_bytes()
    assert text.encode() in data
    file.write_bytes(data.replace(text.encode(), text.encode()[:-1] + b"!"))


def test_a_whole_store_is_clean_and_shows_all(folder):
    code, out, _ = store("check", folder)
    assert code == 0, out
    numbers = summary(out)
    assert numbers["session"] == 2 and numbers["subscription"] == 2
    assert numbers["delivery"] == 6 and numbers["retained"] == 2
    assert numbers["messages"] == 5 and numbers["problems"] == 0 and numbers["set aside"] == 0

    records = dumped(folder)
    assert {record["client_id"] for record in of_kind(records, "session")} == {"one", "two"}
    queue = [r for r in of_kind(records, "delivery") if r["client_id"] == "two"]
    assert [record["payload"] for record in queue] == [f"message {i}" for i in range(3)]
    assert queue[0]["topic"] == "queue/0" and queue[0]["qos"] == 1
    assert queue[0]["state"] == "queued" and not queue[0]["retain"]
    assert queue[0]["published"] < queue[0]["expires"] and queue[0]["published"].endswith("Z")
    assert queue[0]["properties"] == [{"name": "user_property", "key": "place", "value": "roof"}]
    names = [(r["client_id"], r["name"], r["qos"]) for r in of_kind(records, "subscription")]
    assert sorted(names) == [("one", "queue/#", 1), ("two", "queue/#", 1)]
    kept = {record["topic"]: record for record in of_kind(records, "retained")}
    assert kept["kept/text"]["payload"] == KEPT and kept["kept/text"]["publisher"] == "writer"
    assert base64.b64decode(kept["kept/bytes"]["payload_base64"]) == BINARY
    again = Broker(folder, 2)
    expect_all(again)
    assert again.stop() == 0


def test_a_packed_store_is_smaller_and_the_same(folder):
    broker = Broker(folder, 1)
    mosquitto("sub", broker, "-i", "away", "-c", "-q", "1", "-t", "much", "-E")
    mosquitto("pub", broker, "-q", "1", "-t", "much", "-l",
              data=b"".join(b"%d %s\n" % (i, b"x" * 2000) for i in range(300)))
    mosquitto("sub", broker, "-i", "away", "-c", "-q", "1", "-t", "much", "-C", "300")
    assert broker.stop() == 0
    before = dumped(folder)
    # what one that was interrupted has left is in nobody's way
    (folder / "store" / "compact" / "store").mkdir(parents=True)
    (folder / "store" / "compact" / "store" / "data.mdb").write_bytes(b"half")
    code, out, err = store("compact", folder)
    assert code == 0, err
    words = out.split()
    assert int(words[3]) < int(words[0]) / 2, out
    assert sorted(os.listdir(folder / "store")) == ["data.mdb", "lock"]
    assert dumped(folder) == before
    assert store("check", folder)[0] == 0
    again = Broker(folder, 2)
    expect_all(again)
    assert again.stop() == 0
    assert store("check", folder)[0] == 0


def test_what_cannot_be_packed_stays_as_it_was(folder):
    before = dumped(folder)
    (folder / "store" / "compact").mkdir()
    (folder / "store" / "compact" / "somebody's").write_text("not ours")
    code, _, err = store("compact", folder)
    assert code == 2 and "nothing was changed" in err
    (folder / "store" / "compact" / "somebody's").unlink()
    done = run("sh", "-c", 'trap "" XFSZ; ulimit -f 16; exec "$0" store compact "$1"',
               os.environ["LINNET"], str(folder))
    assert done.returncode == 2 and b"nothing was changed" in done.stderr
    assert sorted(os.listdir(folder / "store")) == ["data.mdb", "lock"]
    assert dumped(folder) == before


def test_a_damaged_value_is_told_set_aside_and_shown(folder, capfd):
    damage(folder, KEPT)
    code, out, _ = store("check", folder)
    assert code == 1 and summary(out)["problems"] == 1, out
    assert "damaged, its checksum does not fit" in out.splitlines()[0]
    kept = [record for record in of_kind(dumped(folder), "retained") if record.get("damaged")]
    assert KEPT[:-1].encode() in base64.b64decode(kept[0]["bytes_base64"])

    capfd.readouterr()
    again = Broker(folder, 2)
    expect_all(again, kept=False)
    assert again.stop() == 0
    log = capfd.readouterr().err
    assert log.count("store.damaged") == 1
    assert "damaged=1" in next(line for line in log.splitlines() if "store.open" in line)

    aside = of_kind(dumped(folder), "aside")
    assert [(a["table"], a["key"]) for a in aside] == [("records", kept[0]["key"])]
    assert base64.b64decode(aside[0]["bytes_base64"])[:2] == b"\x01\x06"
    code, out, _ = store("check", folder)
    assert code == 1 and summary(out)["set aside"] == 1, out

    assert store("compact", folder)[0] == 0
    code, out, _ = store("check", folder)
    assert code == 0 and summary(out)["set aside"] == 2, out
    bodies = [a for a in of_kind(dumped(folder), "aside") if a["table"] == "bodies"]
    assert KEPT[:-1].encode() in base64.b64decode(bodies[0]["bytes_base64"])


def test_what_lies_out_of_order_is_told_and_put_right(folder):
    """A byte of a key: what follows it is not found, so a start refuses until it was packed."""
    session = of_kind(dumped(folder), "session")[1]
    file = folder / "store" / "data.mdb"
    key = session["key"].to_bytes(8, "big")
    file.write_bytes(file.read_bytes().replace(key, b"\x40" + key[1:]))
    code, out, _ = store("check", folder)
    assert code == 1 and "out of order" in out, out
    with pytest.raises(AssertionError, match="linnetd ended early"):
        Broker(folder, 1)
    code, out, err = store("compact", folder)
    assert code == 0 and "1 damaged, set aside" in out, err
    assert "out of order" not in store("check", folder)[1]
    assert (folder / "store" / "data.mdb.damaged").exists(), "nothing is thrown away"
    again = Broker(folder, 1)
    got = mosquitto("sub", again, "-t", "kept/+", "-C", "2", "-W", "10")
    assert BINARY in got and KEPT.encode() in got
    assert again.stop() == 0
    assert store("check", folder)[0] == 0


def test_where_nothing_can_be_read_nothing_is_changed(folder):
    file = folder / "store" / "data.mdb"
    data = file.read_bytes()
    file.write_bytes(data[:8192] + b"\xa5" * (len(data) - 8192))
    code, out, err = store("check", folder)
    assert code != 0 and "damaged" in out + err
    code, _, err = store("compact", folder)
    assert code != 0 and err
    assert file.read_bytes()[8192:] == b"\xa5" * (len(data) - 8192), "nothing was changed"


def test_a_running_broker_is_named(tmp_path):
    broker = Broker(tmp_path, 1)
    for command in "check", "dump", "compact":
        code, out, err = store(command, tmp_path)
        assert (code, out) == (2, "")
        assert f"is in use by process {broker.process.pid}: stop it" in err
    assert broker.stop() == 0


def test_help_and_failures(tmp_path):
    done = run(os.environ["LINNET"], "store", "--help")
    assert done.returncode == 0 and b"linnet store check [PATH]" in done.stdout
    assert run(os.environ["LINNET"], "store").returncode == 2
    assert run(os.environ["LINNET"], "store", "mend").returncode == 2
    assert run(os.environ["LINNET"], "store", "check", "a", "b").returncode == 2
    assert b"linnet store" in run(os.environ["LINNET"], "--help").stdout
    code, _, err = store("check", tmp_path)
    assert code == 2 and "No such file or directory" in err
    assert os.listdir(tmp_path) == []
