"""A linnetd that may be killed, and started again on the same folder and port."""
import os
import re
import signal
import socket
import subprocess
import threading

SECONDS_MAX = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """`lines` is what it has logged since its last start. `file` has more options, if it is set."""

    def __init__(self, folder, **options):
        self.file = None
        self.port, self.process, self.lines = free_port(), None, []
        self.folder, self.changed = folder, threading.Condition()
        self.options = {"listener.tcp.external": f"127.0.0.1:{self.port}", "data_dir": folder,
                        "shards": 2, "mqtt.mqueue.max_length": 0, "mqtt.mqueue.max_bytes": 0}
        self.options.update({key.replace("__", "."): value for key, value in options.items()})

    def start(self, before=(), environment=(), wait="broker.started", pass_fds=(),
              arguments=(), **more):
        """`before`: a command that runs it. Without `wait` it returns at once."""
        options = {**self.options, **{key.replace("__", "."): value for key, value in more.items()}}
        command = [*before, os.environ["LINNETD"], *(("-c", self.file) if self.file else ())]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        command += arguments
        self.lines, self.ended = [], False
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **dict(environment)},
                                        pass_fds=pass_fds)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        if wait:
            assert self.wait_for(wait), "it ended early:\n" + "\n".join(self.lines)
        return self

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def count(self, event):
        return sum(f" {event}" in line for line in self.lines)

    def wait_for(self, event, times=1):
        """False: it ended without. True: it logged that."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended or self.count(event) >= times,
                                         SECONDS_MAX), f"no {event}:\n" + "\n".join(self.lines)
            return self.count(event) >= times

    def line(self, event):
        """The last log line of that event; others may have come behind it."""
        for line in reversed(self.lines):
            if f" {event}" in line:
                return line
        raise AssertionError(f"no {event}:\n" + "\n".join(self.lines))

    def field(self, event, name):
        """The number in a log line."""
        return int(re.search(rf"\b{name}=(\d+)", self.line(event))[1])

    def kill(self):
        self.process.kill()
        return self._wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self):
        code = self.process.wait(SECONDS_MAX)
        self.reader.join(SECONDS_MAX)
        self.process.stderr.close()
        return code

    def wait(self):
        """It ends by itself: its exit code."""
        return self._wait()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None
