"""A client that sends and never reads costs the broker bounded memory, and nobody else notices."""
import socket

CONNECT = bytes.fromhex("101000044d5154540402003c000464656166")     # id "deaf"
PINGS = b"\xc0\x00" * 32768


def test_a_client_that_does_not_read_is_not_read(broker):
    deaf = socket.create_connection(("127.0.0.1", broker.port))
    deaf.sendall(CONNECT)
    deaf.settimeout(2)
    sent = 0
    try:
        while sent < 256 * 1024 * 1024:
            sent += deaf.send(PINGS)
    except socket.timeout:
        pass        # the broker has stopped reading: what this test is about
    assert sent < 256 * 1024 * 1024, "256 MB of PINGREQ were taken from a client that reads nothing"
    other = socket.create_connection(("127.0.0.1", broker.port))
    other.sendall(CONNECT.replace(b"deaf", b"well"))
    assert other.recv(4) == bytes.fromhex("20020000")
    deaf.close()
    other.close()
