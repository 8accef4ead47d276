"""The brokers that are compared: how each is configured so that nothing hampers it, started on one
core and stopped."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import machine

START_SECONDS = 20
HOST = "127.0.0.1"
# As mosquitto.conf's: queues and windows have no bound, $SYS is silent.
LINNET = {"shards": 1, "mqtt.mqueue.max_length": 0, "mqtt.mqueue.max_bytes": 0,
          "mqtt.session.max_inflight": 65535, "mqtt.session.max_awaiting_rel": 0,
          "mqtt.broker.sys_interval": 0, "log.level": "error", "overload.lag": 0,
          "retainer.max_message_num": 0}
MOSQUITTO = """\
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
sys_interval 0
log_type error
log_dest stderr
user root
"""


def free_port():
    with socket.socket() as door:
        door.bind((HOST, 0))
        return door.getsockname()[1]


def certificate(folder):
    """A self-signed one for TLS listeners: the paths of the certificate and of its key."""
    paths = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
    if not os.path.exists(paths[1]):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}", "-out", paths[0],
                        "-keyout", paths[1]], check=True, capture_output=True)
    return paths


class Broker:
    """One that runs, its data in a folder that goes with it. `with` ends it."""

    name = None                 # the column's head
    transports = ("tcp",)

    def __init__(self, transport="tcp", **options):
        if transport not in self.transports:
            raise machine.Failed(f"no {transport} here")
        self.transport, self.options = transport, options
        self.port, self.child, self.folder, self.errors = free_port(), None, None, None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        program = self.program()
        if shutil.which(program) is None:
            raise machine.Failed(f"there is no {program}")
        self.folder = tempfile.mkdtemp(prefix="linnet-compare-")
        # pylint: disable-next=consider-using-with
        self.errors = open(os.path.join(self.folder, "errors"), "w+b")
        try:
            self.child = machine.start(self.command(), self.where(), stdout=self.errors,
                                       stderr=self.errors)
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def where(self):
        return {machine.cores()[0]}

    @staticmethod
    def program():
        raise NotImplementedError

    def wait(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
                return
            except OSError:
                if self.child.poll() is not None:
                    break
                time.sleep(0.01)
        raise machine.Failed(f"it did not start: {self.last_words()}")

    def last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"

    def __exit__(self, *_):
        if self.child is not None:
            machine.end(self.child, signal.SIGTERM)
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dead(self):
        """Why, if it has ended while it should run."""
        return None if self.child.poll() is None else f"it ended: {self.last_words()}"


class Relay(Broker):
    """bench/relay.c: what the kernel costs anyway."""

    name = "relay"

    @staticmethod
    def program():
        return os.environ.get("RELAY", "build/release/bench/relay")

    def command(self):
        return [self.program(), str(self.port)]


class Linnet(Broker):
    """As it is by default: strict, what it acknowledges is on disk."""

    name = "linnet"
    transports = ("tcp", "tls", "ws")
    durability = "strict"

    @staticmethod
    def program():
        return os.environ.get("LINNETD", "build/linnetd")

    def where(self):
        return set(machine.cores()) if self.options.get("shards", 1) > 1 else super().where()

    def command(self):
        listener = f"listener.{self.transport}.bench"
        options = {**LINNET, "durability": self.durability, "data_dir": self.folder,
                   listener: f"{HOST}:{self.port}", f"{listener}.max_clients": 0,
                   f"{listener}.backlog": 4096, "user": "root"}
        if self.transport == "tls":
            (options[f"{listener}.certfile"],
             options[f"{listener}.keyfile"]) = certificate(self.folder)
        options.update(self.options)
        command = [self.program()]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        return command


class LinnetMemory(Linnet):
    """Nothing outlives the process, as with Mosquitto's default."""

    name = "linnet, memory"
    durability = "memory"


class Mosquitto(Broker):
    """Debian's, persistence off: its default."""

    name = "mosquitto"
    transports = ("tcp", "tls", "ws")
    persistence = False

    @staticmethod
    def program():
        return os.environ.get("MOSQUITTO") or shutil.which("mosquitto") or "/usr/sbin/mosquitto"

    def command(self):
        lines = [MOSQUITTO, f"listener {self.port} {HOST}", "max_connections -1"]
        if self.transport == "tls":
            paths = certificate(self.folder)
            lines += [f"certfile {paths[0]}", f"keyfile {paths[1]}"]
        if self.transport == "ws":      # it does not start without one of the other kind
            lines += ["protocol websockets", f"listener {free_port()} {HOST}"]
        lines.append(f"persistence {str(self.persistence).lower()}")
        if self.persistence:
            lines.append(f"persistence_location {self.folder}/")
        path = pathlib.Path(self.folder, "mosquitto.conf")
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return [self.program(), "-c", str(path)]


class MosquittoPersistent(Mosquitto):
    """It writes its whole state every 30 minutes and at its end, after what is measured."""

    name = "mosquitto, persistent"
    persistence = True


ALL = (Relay, Linnet, LinnetMemory, Mosquitto, MosquittoPersistent)
