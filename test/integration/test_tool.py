"""The linnet command against a real linnetd."""
import os
import subprocess

import pytest

SECONDS_MAX = 20
LINES = 200


def linnet(tool, broker, *arguments):
    return [os.environ["LINNET"], tool, "-h", "127.0.0.1", "-p", str(broker.port), *arguments]


def run(*command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                          timeout=SECONDS_MAX)


def session(broker, name, *more):
    """A session that waits for messages while nobody is connected."""
    done = run(*linnet("sub", broker, "-i", name, "-c", "-E", *more))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", ["31", "311", "5"])
@pytest.mark.parametrize("qos", ["1", "2"])
def test_lines_arrive_in_order(broker, version, qos):
    sub = ("-V", version, "-q", qos, "-t", "a/+")
    session(broker, "lines", *sub)
    lines = "".join(f"line {i}\n" for i in range(LINES))
    sent = run(*linnet("pub", broker, "-V", version, "-q", qos, "-t", "a/b", "-l"), text=lines)
    assert sent.returncode == 0, sent.stderr
    got = run(*linnet("sub", broker, "-i", "lines", "-c", "-C", str(LINES), *sub))
    assert (got.returncode, got.stdout) == (0, lines)


def test_retained_file_and_null(broker, tmp_path):
    file = tmp_path / "message"
    file.write_bytes(b"x" * 300000)
    sub = linnet("sub", broker, "-v", "-N", "-C", "1", "-W", "10", "-t", "r")
    assert run(*linnet("pub", broker, "-r", "-q", "1", "-t", "r", "-f", str(file))).returncode == 0
    assert run(*sub).stdout == "r " + "x" * 300000
    assert run(*linnet("pub", broker, "-r", "-q", "1", "-t", "r", "-n")).returncode == 0
    assert run(*linnet("sub", broker, "-W", "1", "-t", "r")).returncode == 27


def test_properties_are_sent(broker):
    done = run(*linnet("pub", broker, "-t", "p", "-m", "x", "-q", "1", "-d", "-V", "5",
                       "-D", "publish", "user-property", "a", "b",
                       "-D", "publish", "content-type", "text"))
    assert done.returncode == 0 and "received PUBACK" in done.stderr


def test_failures_have_exit_codes(broker):
    assert run(os.environ["LINNET"], "pub", "-t", "a/#", "-m", "x").returncode == 1
    assert run(os.environ["LINNET"], "sub", "-t", "a", "-V", "6").returncode == 1
    done = run(*linnet("pub", broker, "-p", "1", "-t", "a", "-m", "x"))
    assert (done.returncode, done.stderr) == (1, "Error: Connection refused\n")
    assert run(os.environ["LINNET"], "--version").stdout.startswith("linnet ")
