"""Whoever compiles a driver with these headers meets no warning, in whatever order the driver includes them."""

import re

import pytest

from tests.kernel.headers import BUILDS, INCLUDE, diagnostics, measure, missing

DRIVER = ("ntifs.h", "wdm.h", "wdmsec.h", "ndis.h", "ndisguid.h", "wdmguid.h", "bcrypt.h", "ntstrsafe.h")
DRIVER_C = ("stdio.h", "string.h")
HOST = ("stdint.h", "stdlib.h", "errno.h", "pthread.h", "signal.h", "sys/mman.h", "wchar.h", "math.h", "netinet/in.h")
VERSIONS = ("NDIS60_MINIPORT", "NDIS61_MINIPORT", "NDIS620_MINIPORT", "NDIS630_MINIPORT", "NDIS680_MINIPORT")


@pytest.fixture(params=sorted(BUILDS))
def build(request: pytest.FixtureRequest) -> str:
    """One build after the other; one whose compiler is not here is skipped, with the reason."""
    name = str(request.param)
    if reason := missing(name):
        pytest.skip(reason)
    return name


def unit(*headers: str) -> str:
    """Return a source file that includes headers in this order."""
    return "".join(f"#include <{header}>\n" for header in headers) + "int unit;\n"


def test_every_header_stands_on_its_own(build: str) -> None:
    """A header that needs another one first would break whoever sorts his includes."""
    for header in sorted(path.name for path in INCLUDE.glob("*.h")):
        assert diagnostics(build, unit(header)) == "", header


def test_a_driver_includes_them_in_any_order(build: str) -> None:
    for rotation in range(len(DRIVER)):
        order = DRIVER[rotation:] + DRIVER[:rotation]
        assert diagnostics(build, unit(*order, *DRIVER_C), "-DNDIS_MINIPORT_DRIVER", "-DNDIS_WDM") == "", order
    assert diagnostics(build, unit(*DRIVER_C, *reversed(DRIVER)), "-DINITGUID", "-DDBG=1") == ""


def test_a_driver_for_any_ndis_version_compiles(build: str) -> None:
    for version in VERSIONS:
        assert diagnostics(build, unit("ndis.h"), f"-D{version}=1") == "", version


def test_a_driver_for_an_ndis_that_is_not_described_is_refused_in_words(build: str) -> None:
    """Its NET_BUFFER_LIST would be longer than what the kernel allocates, so silence would corrupt memory."""
    assert "define NDIS680_MINIPORT" in diagnostics(build, unit("ndis.h"), "-DNDIS685_MINIPORT=1")


@pytest.mark.parametrize("host", ["gcc", "clang"])
def test_the_host_kernel_includes_them_beside_the_c_library(host: str) -> None:
    if reason := missing(host):
        pytest.skip(reason)
    assert diagnostics(host, unit(*HOST, *DRIVER)) == ""
    assert diagnostics(host, unit(*DRIVER, *HOST)) == ""


@pytest.mark.parametrize("host", ["gcc", "clang"])
def test_wide_characters_of_32_bits_are_refused(host: str) -> None:
    """Without -fshort-wchar every string that crosses to the kernel would be misread."""
    if reason := missing(host):
        pytest.skip(reason)
    assert "-fshort-wchar" in diagnostics(host, unit("ntdef.h"), "-fno-short-wchar")


def test_alignment_is_kept_and_an_unknown_attribute_does_not_vanish(build: str) -> None:
    """gcc ignores attributes that it does not know; a lost align(16) would shift every field after it."""
    aligned = (
        "#include <ntdef.h>\nstruct S { char First; __declspec(align(16)) char Second;"
        " DECLSPEC_ALIGN(64) char Third; };"
        '\n_Static_assert(offsetof(struct S, Second) == 16 && offsetof(struct S, Third) == 64, "lost");\n'
    )
    assert diagnostics(build, aligned) == ""
    assert diagnostics(build, "#include <ntdef.h>\n__declspec(nosuchthing) int variable;\n") != ""


def test_interlocked_operations_return_what_windows_returns(build: str) -> None:
    """Increment and Add give the new value, ExchangeAdd, And, Or and CompareExchange the old one."""
    source = """
    #include <wdm.h>
    LONG volatile Counter; LONG64 volatile Wide; PVOID volatile Pointer; PMDL Typed;
    LONG Use(void);
    LONG Use(void) {
        InterlockedExchangePointer(&Typed, NULL); InterlockedCompareExchangePointer(&Pointer, NULL, &Counter);
        WritePointerRelease(&Typed, NULL); WriteRelease(&Counter, 1); InterlockedAdd64(&Wide, 1);
        return ReadAcquire(&Counter) + InterlockedCompareExchange(&Counter, 1, 2)
            + (ReadPointerAcquire(&Typed) != NULL);
    }
    """
    assert diagnostics(build, source) == ""


def test_interlocked_results_on_this_host() -> None:
    if reason := missing("gcc"):
        pytest.skip(reason)
    expected = {
        "InterlockedIncrement(&(LONG){4})": 5,
        "InterlockedDecrement(&(LONG){4})": 3,
        "InterlockedAdd(&(LONG){4}, 3)": 7,
        "InterlockedExchangeAdd(&(LONG){4}, 3)": 4,
        "InterlockedOr(&(LONG){4}, 3)": 4,
        "InterlockedAnd64(&(LONG64){6}, 3)": 6,
        "InterlockedExchange64(&(LONG64){6}, 3)": 6,
        "InterlockedCompareExchange(&(LONG){4}, 9, 4)": 4,
        "InterlockedCompareExchange(&(LONG){4}, 9, 5)": 4,
        "InterlockedBitTestAndSet(&(LONG){4}, 2)": 1,
        "InterlockedBitTestAndReset(&(LONG){4}, 1)": 0,
        "RtlUshortByteSwap(0x1234)": 0x3412,
        "RtlUlongByteSwap(0x12345678)": 0x78563412,
    }
    assert measure(("wdm.h",), tuple(expected)) == expected


def test_no_header_names_a_type_whose_width_differs_between_hosts() -> None:
    """`long` has 64 bits here and 32 on Windows; it may stand only where LONG and the C library's strtoul are made."""
    allowed = {"ntdef.h": 2, "nt_compiler.h": 1, "windows/stdlib.h": 1}
    for path in sorted(INCLUDE.rglob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        count = len(re.findall(r"\blong\b(?! long)", text))
        assert count <= allowed.get(path.relative_to(INCLUDE).as_posix(), 0), path.name
