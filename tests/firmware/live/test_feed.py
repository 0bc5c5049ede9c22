"""The queue between the reader and the classifier."""

import threading

from edgecnn_firmware.live.feed import Feed


def drain(feed: Feed) -> list[tuple[float, int]]:
    found = []
    while (item := feed.get(0)) is not None:
        found.append((item.values[0], item.dropped))
    return found


def test_in_order() -> None:
    feed = Feed(10)
    for value in range(5):
        feed.put((value,))
    feed.close()
    assert not feed.ended
    assert drain(feed) == [(value, 0) for value in range(5)]
    assert feed.ended


def test_the_older_half_goes_at_once_and_is_counted() -> None:
    feed = Feed(4)
    for value in range(9):
        feed.put((value,))
    # Full at 4, 6 and 8 samples: two dropped each time.
    assert drain(feed) == [(6, 6), (7, 0), (8, 0)]
    assert feed.counts.samples == 9
    assert feed.counts.dropped == 6


def test_what_a_source_lost_is_counted_even_if_its_neighbor_is_dropped() -> None:
    feed = Feed(2)
    feed.put((0.0,))
    feed.lost(5)
    feed.put((1.0,))
    feed.put((2.0,))  # drops sample 0
    assert drain(feed) == [(1, 6), (2, 0)]
    feed.lost(3)
    feed.put((3.0,))
    feed.put((4.0,))
    feed.put((5.0,))  # drops sample 3 with the gap before it
    assert drain(feed) == [(4, 4), (5, 0)]
    assert feed.counts.samples == 6 + 8
    assert feed.counts.dropped == 10


def test_a_waiting_reader_loses_nothing() -> None:
    feed = Feed(2, wait=True)
    found: list[float] = []

    def read() -> None:
        for value in range(500):
            feed.put((float(value),))
        feed.close()

    reader = threading.Thread(target=read)
    reader.start()
    while not feed.ended:
        item = feed.get(5)
        if item is not None:
            assert item.dropped == 0
            found.append(item.values[0])
    reader.join()
    assert found == list(range(500))


def test_a_stop_ends_waiting() -> None:
    feed = Feed(2, wait=True)

    def read() -> None:
        while not feed.stopped:
            feed.put((1.0,))
        feed.pause(1000)

    reader = threading.Thread(target=read)
    reader.start()
    feed.stop()
    reader.join(30)
    assert not reader.is_alive()
