"""Scenarios are text that people write and machines write: both must read back as what was meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenario.strategies import payloads, scenarios
from wintun_sim import bundle
from wintun_sim.operations import Create, Nbl, PacketReceived, Read, Send, Write
from wintun_sim.operations.data import format_data, ipv4, ipv6, parse_data
from wintun_sim.operations.scan import Scanner
from wintun_sim.scenario import Scenario, ScenarioError, format_scenario, load, parse, shipped


def data_of(text: str) -> bytes:
    return parse_data(Scanner(text))


@given(scenarios())
@settings(max_examples=100)
def test_what_is_written_is_read_back(scenario: Scenario) -> None:
    assert parse(format_scenario(scenario)) == scenario


@given(payloads)
def test_bytes_are_written_as_an_expression_that_makes_them_again(data: bytes) -> None:
    assert data_of(format_data(data)) == data


@pytest.mark.parametrize("size", [0, 1, 5, 19, 20, 21, 84, 1500, 61_424, 65_535, 70_000, 140_000])
def test_packets_have_their_size_whatever_it_is(size: int) -> None:
    assert len(ipv4(size, 7)) == len(ipv6(size, 65_535)) == size


def test_an_ipv4_packet_has_the_checksum_that_rfc_791_asks_for() -> None:
    """Adding up the header's words with end-around carry gives all ones, whatever the filler."""
    for filler in (0, 1, 255, 65_535):
        total = sum(int.from_bytes(ipv4(20, filler)[place : place + 2], "big") for place in range(0, 20, 2))
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_packets_with_different_fillers_differ() -> None:
    assert len({ipv4(84, filler) for filler in range(1000)}) == 1000
    assert len({ipv6(84, filler) for filler in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("zeros(3)", b"\0\0\0"),
        ("hex(45 00ff)", b"\x45\x00\xff"),
        ("hex()", b""),
        ("zeros(2) + hex(01) + zeros(1)", b"\0\0\1\0"),
        ("cut(hex(010203), 2)", b"\1\2"),
        ("bundle(hex(0a))", b"\1\0\0\0" + bytes(12) + b"\x0a" + bytes(15)),
        ("bundle()", b""),
        ("untidy(hex(0a), zeros(0))", b"\1\0\0\0" + b"\xa5" * 12 + b"\x0a" + b"\xa5" * 15 + bytes(4) + b"\xa5" * 12),
        ("cut(untidy(ipv4(20, 0..300)), 4)", b"\x14\0\0\0"),
        ("hex(01\n  02)", b"\1\2"),
    ],
)
def test_byte_expressions_mean_what_the_grammar_says(text: str, data: bytes) -> None:
    assert data_of(text) == data


def test_a_range_of_fillers_is_a_run_of_packets() -> None:
    nbls = parse("load\ninitialize\nsend ipv4(20, 3..5) nbl(ipv6(40, 0..1), mdl=16)").setup[2].operation
    assert isinstance(nbls, Send)
    assert nbls.nbls == (
        *(Nbl((ipv4(20, filler),)) for filler in (3, 4, 5)),
        Nbl((ipv6(40, 0), ipv6(40, 1)), mdl_size=16),
    )


def test_a_range_of_fillers_is_as_many_packets_received() -> None:
    scenario = parse("load\ninitialize\nh: create\nw: write h zeros(16)\n   => received w ipv4(20, 3..5)\n")
    assert [entry.event for entry in scenario.setup[3].expected] == [
        PacketReceived("w", ipv4(20, filler)) for filler in (3, 4, 5)
    ]


def test_a_flood_of_a_thousand_packets_is_one_short_line() -> None:
    send = Send(name="send", nbls=tuple(Nbl((ipv4(20, filler),)) for filler in range(1000)))
    from wintun_sim.operations.text import format_operation

    assert format_operation(send) == "send ipv4(20, 0..999)"


def test_a_damaged_bundle_still_shows_what_it_was() -> None:
    whole = bundle.encode([ipv4(20, 1), ipv4(84, 2)])
    assert format_data(whole) == "bundle(ipv4(20, 1), ipv4(84, 2))"
    assert format_data(data_of("untidy(ipv4(20, 1..2)) + bundle(ipv4(84))")) == (
        "untidy(ipv4(20, 1..2)) + bundle(ipv4(84))"
    )
    assert format_data(whole[:-5]) == "bundle(ipv4(20, 1)) + cut(bundle(ipv4(84, 2)), 107)"


def test_operations_without_names_are_called_by_their_verbs() -> None:
    scenario = parse("load\ninitialize\npause\npause.3: restart\npause\npause\npause")
    names = [operation.name for operation in scenario.operations()]
    assert names == ["driver", "adapter", "pause", "pause.3", "pause.2", "pause.4", "pause.5"]


def test_expectations_may_differ_between_revisions() -> None:
    """A line for one revision takes the place of the lines for all."""
    text = "load\ninitialize\npause\n => returned pause 0\n => [BEFORE] link down\n => [BEFORE] paused pause"
    pause = parse(text).setup[2]
    assert [event.verb for event in pause.expected_for("CURRENT") or ()] == ["returned"]
    assert [event.verb for event in pause.expected_for("BEFORE") or ()] == ["link", "paused"]


def test_nothing_expected_is_not_the_same_as_no_expectation() -> None:
    silent, open_ = parse("load\n => nothing\ninitialize").setup
    assert silent.expected_for("CURRENT") == ()
    assert open_.expected_for("CURRENT") is None


def test_actors_come_after_the_set_up() -> None:
    scenario = parse("load\ninitialize\nh: create\nactor client:\n r: read h\n cleanup h\nactor stack:\n pause\n")
    assert [type(step.operation) for step in scenario.setup][-1] is Create
    assert [(actor.name, len(actor.steps)) for actor in scenario.actors] == [("client", 2), ("stack", 1)]


def test_a_default_read_is_the_smallest_one() -> None:
    read = parse("load\ninitialize\nh: create\nread h").setup[3].operation
    assert isinstance(read, Read)
    assert read.length == 61_440


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("load\ninitialize\nh: create\nr: reed h", (4, 4), "did you mean 'read'?"),
        ("load\ninitialize\nh: create\n  read hh", (4, 3), "did you mean 'h'?"),
        ("load\npause", (2, 1), "needs a initialize"),
        ("load\ninitialize\nread adapter", (3, 1), "is a initialize"),
        ("load load", (1, 6), "a line of its own"),
        ("load\ninitialize\nsend", (3, 5), "nbl() is one without packets"),
        ("load\ninitialize\nsend ipv4(", (3, 11), "number from 0 to"),
        ("load\ninitialize\nsend ipv5(20)", (3, 6), "did you mean"),
        ("load\ninitialize\nsend ipv4(20, 9..3)", (3, 15), "smaller number first"),
        ("load\ninitialize\nsend nbl(ipv4(20), unmapped={1})", (3, 32), "count from 0"),
        ("load\ninitialize\nh: create\nwrite h bundle(zeros(61425))", (4, 9), "damaged one"),
        ("load\ninitialize\nh: create\nwrite h untidy(zeros(61425))", (4, 9), "make it smaller"),
        ("load\ninitialize\nh: create\nwrite h hex(0)", (4, 13), "write 0a, not a"),
        ("load\ninitialize\nh: create\nwrite h ipv4(20, 0..3)", (4, 9), "one is wanted"),
        ("load\ninitialize\nh: create\nwrite h cut(zeros(3), 4)", (4, 23), "too much"),
        ("load\ninitialize\noid query OID_GEN_NOTHING 4", (3, 11), "name or its number"),
        ("load\ninitialize\noid set OID_GEN_VENDOR_ID 1 hex(0102)", (3, 29), "longer"),
        ("load\ninitialize\nset-power D9", (3, 11), "number"),
        ("a: load\na: load", (2, 1), "rename"),
        ("1: load", (1, 1), "begin it with a letter"),
        ("load\nread@adapter", (2, 5), "remove the @"),
        ("load\n=> returned drover 0", (2, 4), "did you mean 'driver'?"),
        ("load\n=> returned driver STATUS_SUCCES", (2, 20), "name or its number"),
        ("load\n=> irp driver 0", (2, 8), "no create, cleanup"),
        ("load\n=> nbl driver 0", (2, 8), "a dot and a number"),
        ("load\n=> [] nothing", (2, 5), "as in [UPSTREAM]"),
        ("=> nothing", (1, 1), "under the operation"),
        ("load\norder raw", (2, 1), "before the first one"),
        ("order loose", (1, 7), "strict or raw"),
        ("ndis 7.0", (1, 6), "6.80"),
        ("actor client\n", (1, 13), "write ':'"),
        ("actor a:\nactor a:\n", (2, 1), "rename"),
        ("load\x00", (1, 5), "grammar"),
        ('load\n=> refused driver "half \\ud800"', (2, 19), "escape"),
        ("# wintun-sim scenario 2\nload", (1, 1), "fits"),
    ],
)
def test_an_error_names_line_column_and_repair(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "some.scenario")
    assert (caught.value.line, caught.value.column) == place
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"some.scenario: line {place[0]}, column {place[1]}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "write h zeros(4294967295)",
        "write h " + "cut(" * 5000,
        "write h " + "bundle(" * 5000,
        "send ipv4(60000, 0..65535)",
        "write h " + " + ".join(["zeros(30000000)"] * 20),
        "send nbl(ipv4(20), unmapped={" + "1," * 100_000 + "99})",
    ],
)
def test_a_text_that_asks_for_the_moon_is_refused_before_anything_is_made(text: str) -> None:
    with pytest.raises(ScenarioError):
        parse(f"load\ninitialize\nh: create\n{text}")


@given(st.text(st.sampled_from('load send nbl(ipv4(20),=>@:{}[]+."\\#0x\n\t'), max_size=60))
def test_whatever_is_in_a_file_it_is_a_scenario_or_a_clear_error(text: str) -> None:
    try:
        scenario = parse(text)
    except ScenarioError:
        return
    assert parse(format_scenario(scenario)) == scenario


def test_every_scenario_that_ships_can_be_read_and_expects_something() -> None:
    assert len(shipped()) >= 15
    for path in shipped().values():
        scenario = load(path)
        assert scenario.title
        assert any(step.expected for step in scenario.steps()), path
        assert parse(format_scenario(scenario)) == scenario


def test_a_file_that_is_no_text_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("texts") / "noise.scenario"
    path.write_bytes(b"load\n\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(path)


def test_a_written_bundle_keeps_its_rejected_positions() -> None:
    write = parse("load\ninitialize\nh: create\nwrite h bundle(ipv4(20)) rejected={0, 4}").setup[3].operation
    assert isinstance(write, Write)
    assert write.rejected == {0, 4}
