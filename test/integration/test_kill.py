"""kill -9 at random moments under load: what was acknowledged is never lost, what was sent at QoS 2
never comes twice, and what one publisher sends at one QoS comes in its order.

`make kill-loop KILLS=300 SEED=7` does it for as long as one likes.
"""
import os
import random
import threading

import fleet
import wire

KILLS = int(os.environ.get("LINNET_KILLS") or 12)
SEED = int(os.environ.get("LINNET_SEED") or random.randrange(1 << 32))
PACKETS_MAX = 3000              # between a start and a kill
EVENTS = ("data_dir.open", "store.open", "listener.open", "broker.started")


def kill_during_start(broker, choose, shards):
    broker.start(wait=None, shards=shards)
    broker.wait_for(choose.choice(EVENTS))
    broker.kill()


def kill_under_load(broker, choose, shards, load):
    """After some packets, or at a time that nothing here knows of. Some clients are away meanwhile,
    some go and come."""
    broker.start(shards=shards)
    for peer in load.peers:
        if choose.random() < 0.8:
            peer.connect()
    for _ in range(choose.randrange(3)):
        after = load.packets + choose.randrange(PACKETS_MAX // 4)
        load.run(lambda: load.packets >= after or not any(p.online for p in load.publishers))
        peer = choose.choice(load.peers)
        peer.cut()
        peer.connect()
    if choose.random() < 0.5:
        timer = threading.Timer(choose.random() * 0.3, broker.process.kill)
        timer.start()
        load.run(lambda: not broker.is_alive())
        timer.join()
    else:
        after = load.packets + int(PACKETS_MAX ** choose.random())
        load.run(lambda: load.packets >= after or not any(p.online for p in load.publishers))
    broker.kill()
    load.disconnect()


def check_retained(broker, publisher):
    """The newest one, for whoever comes now."""
    client = wire.Client(broker.port, "retained", clean=True)
    client.send(wire.subscribe(1, f"{publisher.name}/2", 0))
    got = [client.next(), client.next()]        # SUBACK, and this
    assert fleet.payload_of(f"{publisher.name}/2", publisher.made[2] - 1) in \
        [p.payload for p in got if p.kind == wire.PUBLISH]
    client.close()


def test_kills_lose_nothing(tmp_path, daemons):
    print(f"SEED={SEED} KILLS={KILLS}")
    choose = random.Random(SEED)
    broker = daemons(tmp_path, mqtt__mqueue__max_memory="16KB")
    load = fleet.Fleet(broker.port, choose.random())
    broker.start()
    load.begin()
    broker.kill()
    load.disconnect()
    shards = 2
    try:
        for _ in range(KILLS):
            if choose.random() < 0.4:
                shards = choose.choice((1, 2, 4))
            if choose.random() < 0.15:
                kill_during_start(broker, choose, shards)
            else:
                kill_under_load(broker, choose, shards, load)
            assert not load.complaints
        broker.start()
        for peer in load.peers:
            peer.connect()
        load.drain()
        assert not load.complaints
        check_retained(broker, load.publishers[3])
        load.disconnect()
        assert broker.stop() == 0
        broker.start()          # nothing is left behind
        assert broker.field("store.open", "queued") == 0
        assert broker.field("store.open", "damaged") == 0
        assert broker.stop() == 0
    except BaseException:
        print(f"--- SEED={SEED}", *load.complaints[:20], *load.missing()[:20],
              *broker.lines[-40:], sep="\n")
        raise
    finally:
        made = sum(load.streams().values())
        print(f"{KILLS} kills, {made} messages, {load.taken} deliveries, {load.repeated} repeated "
              f"at QoS 1, {len(load.complaints)} complaints")
