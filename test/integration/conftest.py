"""A linnetd of the test's own, on a free port, with 1, 2 and 4 shards."""
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import daemon

READY_SECONDS_MAX = 20

# Where ThreadSanitizer has nothing to see that it does not see in the others, and minutes to spend.
NOT_UNDER_TSAN = ("test_matrix", "test_bench", "test_browser", "test_damage", "test_inspection",
                  "test_privilege", "test_store_tool", "test_tool")


def pytest_collection_modifyitems(items):
    if os.environ.get("LINNET_FLAVOUR") != "tsan":
        return
    skip = pytest.mark.skip(reason="the release has it: conftest.NOT_UNDER_TSAN")
    for item in items:
        if item.module.__name__ in NOT_UNDER_TSAN:
            item.add_marker(skip)


class Broker:
    def __init__(self, folder: pathlib.Path, shards: int):
        self.port = daemon.free_port()
        file = folder / "linnet.conf"
        file.write_text(f"listener.tcp.external = 127.0.0.1:{self.port}\n"
                        f"shards = {shards}\ndata_dir = {folder}\n")
        self.process = subprocess.Popen([os.environ["LINNETD"], "-c", str(file)])
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, "linnetd ended early"
                assert time.monotonic() < deadline, "linnetd does not listen"
                os.sched_yield()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(READY_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@pytest.fixture(params=[1, 2, 4], ids=lambda n: f"shards{n}")
def broker(request, tmp_path):
    running = Broker(tmp_path, request.param)
    yield running
    assert running.stop() == 0


@pytest.fixture
def daemons():
    """Makes those that may be killed; none is left behind."""
    made = []

    def make(folder, **options):
        made.append(daemon.Daemon(folder, **options))
        return made[-1]
    yield make
    for one in made:
        if one.is_alive():
            one.kill()
