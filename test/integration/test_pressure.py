"""A client that sends and never reads costs the broker bounded memory, and nobody else notices."""
import socket

CONNECT = bytes.fromhex("101000044d5154540402003c000464656166")     # id "deaf"
PINGS = b"\xc0\x00" * 32768
# id "mute", will "B"; both subscribe, and PUBLISH 256 KB to "big"
CONNECT_WILL = bytes.fromhex("101900044d5154540406000000046d757465000477696c6c000142")
SUBSCRIBE_WILL = bytes.fromhex("8209000100047769 6c6c00")
SUBSCRIBE_BIG = bytes.fromhex("820800010003626967 00")
PUBLISH_BIG = bytes.fromhex("30858010 0003626967") + b"x" * 262144
WILL = bytes.fromhex("300700047769 6c6c42")


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


def connected(broker, packet):
    client = socket.create_connection(("127.0.0.1", broker.port))
    client.settimeout(20)
    client.sendall(packet)
    assert client.recv(4) == bytes.fromhex("20020000")
    return client


def test_a_client_that_is_not_read_may_close_its_side(broker):
    other = connected(broker, CONNECT.replace(b"deaf", b"well"))
    other.sendall(SUBSCRIBE_WILL)
    assert other.recv(5) == bytes.fromhex("9003000100")
    mute = connected(broker, CONNECT_WILL)
    mute.sendall(SUBSCRIBE_BIG)
    assert mute.recv(5) == bytes.fromhex("9003000100")
    for _ in range(64):         # more than the kernel takes: the rest waits in the broker
        other.sendall(PUBLISH_BIG)
    other.sendall(b"\xc0\x00")
    assert other.recv(2) == b"\xd0\x00"
    mute.shutdown(socket.SHUT_WR)
    assert other.recv(len(WILL)) == WILL
    mute.close()
    other.close()
