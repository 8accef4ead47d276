"""A WebSocket as bytes, upon any link."""
import socket

import wire

BINARY, CLOSE = 2, 8


class Web:
    """`to`: a port of this machine, or a link that is open."""

    def __init__(self, to, fields="", path="/mqtt"):
        self.socket = wire.link(to)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            f"Sec-WebSocket-Protocol: mqtt\r\n{fields}\r\n".encode())
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self.bytes += self.receive()
        self.answer, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        self.status = int(self.answer.split()[1])

    def receive(self):
        some = self.socket.recv(1 << 16)
        assert some, "closed"
        return some

    def send(self, payload, opcode=BINARY):
        size = len(payload)
        assert size < 1 << 16
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.socket.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def take(self, size):
        while len(self.bytes) < size:
            self.bytes += self.receive()
        taken, self.bytes = self.bytes[:size], self.bytes[size:]
        return taken

    def frame(self):
        """Opcode and payload of the next one."""
        first, size = self.take(2)
        assert size < 127
        if size == 126:
            size = int.from_bytes(self.take(2), "big")
        return first & 15, self.take(size)

    def is_closed(self):
        return self.socket.recv(1) == b""

    def connect(self, name):
        self.send(wire.connect(name, clean=True))
        assert self.frame() == (BINARY, b"\x20\x02\0\0")
        return self

    # What a client of MQTT wants of a link.

    def sendall(self, data):
        self.send(data)

    def recv(self, _size):
        """Nothing once the broker has said that it closes."""
        opcode, payload = self.frame()
        assert opcode in (BINARY, CLOSE), opcode
        return payload if opcode == BINARY else b""

    def close(self):
        self.socket.close()
