"""The model's numbers are the codec's: it states them itself only so that it can be read, and run, without C."""

from wintun_sim import bundle
from wintun_sim.model import limits


def test_model_and_codec_have_the_same_limits() -> None:
    assert limits.LARGEST_PACKET == bundle.MAX_PACKET_SIZE == 61_424
    assert limits.LARGEST_BUNDLE == bundle.MAX_PACKETS == 256
    assert limits.SMALLEST_READ == bundle.MIN_READ_SIZE == 61_440
    assert limits.SMALLEST_WRITE == bundle.MIN_WRITE_SIZE == 16
    assert limits.LARGEST_BUFFER == bundle.MAX_BUFFER_SIZE == 15_728_640


def test_model_and_codec_measure_records_alike() -> None:
    for size in (*range(100), 61_407, 61_408, 61_409, 61_424):
        assert limits.record_size(size) == bundle.record_size(size)
