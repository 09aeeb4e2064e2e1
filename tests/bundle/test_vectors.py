"""The golden vectors: bundles made and judged by the oracle, which the codec must make and judge alike.

They are also for people who write a codec in another language, so they have to be fresh, and show every reason to stop.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bundle import write_vectors
from wintun_sim import bundle

VECTORS: list[dict[str, Any]] = json.loads((write_vectors.DIRECTORY / "vectors.json").read_text(encoding="utf-8"))
little_endian_only = pytest.mark.skipif(
    sys.byteorder != "little", reason="the vectors are little-endian, as Windows is"
)
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def data_of(vector: dict[str, Any]) -> bytes:
    return (write_vectors.DIRECTORY / f"{vector['name']}.bundle").read_bytes()


def packets_of(vector: dict[str, Any]) -> list[bytes]:
    data = data_of(vector)
    return [data[offset : offset + size] for offset, size in vector["packets"]]


def stop_as_json(stop: bundle.Stop) -> dict[str, Any]:
    return {"reason": stop.reason.name, "offset": stop.offset, "number": stop.number}


def test_the_vectors_are_what_the_oracle_writes_today() -> None:
    assert (write_vectors.DIRECTORY / "vectors.json").read_text(encoding="utf-8") == write_vectors.index()
    written = {path.stem: path.read_bytes() for path in Path(write_vectors.DIRECTORY).glob("*.bundle")}
    assert written == {vector.name: vector.bundle for vector in write_vectors.vectors()}


def test_a_record_typed_by_hand_from_the_description() -> None:
    """The oracle could be wrong; this bundle was typed by a person: a header of 16, then 17 bytes, padded to 32."""
    typed = bytes.fromhex("11000000 000000000000000000000000" + "4142434445464748494a4b4c4d4e4f5051" + "00" * 15)
    assert write_vectors.bundle(b"ABCDEFGHIJKLMNOPQ") == typed


@little_endian_only
@each_vector
def test_decoding_finds_what_the_vector_says(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    decoded = bundle.decode(data)
    assert len(data) == vector["length"]
    assert list(map(list, zip(decoded.offsets.tolist(), decoded.sizes.tolist(), strict=True))) == vector["packets"]
    assert decoded.tolist() == packets_of(vector)
    assert stop_as_json(decoded.stop) == vector["stop"]
    assert decoded.consumed == vector["stop"]["offset"]


@little_endian_only
@each_vector
def test_strict_decoding_refuses_just_those_that_are_not_clean(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    if vector["strict_stop"]["reason"] == "END":
        assert bundle.decode(data, strict=True).tolist() == packets_of(vector)
    else:
        with pytest.raises(bundle.BundleError) as refusal:
            bundle.decode(data, strict=True)
        assert stop_as_json(refusal.value.stop) == vector["strict_stop"]


@little_endian_only
@each_vector
def test_encoding_the_packets_gives_the_clean_bundle_to_the_byte(vector: dict[str, Any]) -> None:
    packets = packets_of(vector)
    encoded = bundle.encode(packets)
    assert encoded == write_vectors.bundle(*packets)
    if vector["strict_stop"]["reason"] == "END":
        assert encoded == data_of(vector)


def test_every_reason_and_every_damage_has_a_vector() -> None:
    reasons = {vector["strict_stop"]["reason"] for vector in VECTORS}
    assert reasons == {"END", "CUT_SHORT", "OVER_LONG", "TOO_MANY", "NOT_ZERO"}
