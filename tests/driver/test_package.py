"""What Windows builds and installs the driver with: INF, project and version resource agree with the code.

No tool of Microsoft's runs here, so these files could be wrong for months. What can be known without such a tool is
held here: every source is named, every reference leads somewhere, and what is said twice is the same.
"""

import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.driver.inf import Inf, parse
from tests.driver.toolchain import DRIVER, SOURCES, TARGETS, compile_sources, driver_version, find, run

INF_TEXT = (DRIVER / "wintun.inf").read_text("utf-8")
NAMESPACE = "{http://schemas.microsoft.com/developer/msbuild/2003}"
NETWORK_ADAPTERS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
DRIVERS_DIRECTORY = "12"
ARCHITECTURES = {"x64": "NTamd64", "ARM64": "NTarm64"}


@pytest.fixture(scope="module")
def inf() -> Inf:
    return parse(INF_TEXT)


@pytest.fixture(scope="module")
def project() -> ElementTree.Element:
    return ElementTree.parse(DRIVER / "wintun.vcxproj").getroot()


def one(inf: Inf, section: str, key: str) -> tuple[str, ...]:
    """Return the values of the one entry of that key."""
    (values,) = [entry.values for entry in inf[section] if entry.key == key]
    return values


def included(project: ElementTree.Element, item: str) -> list[str]:
    """Return what the project lists as an item of that kind, as paths of this system."""
    elements = project.iterfind(f"{NAMESPACE}ItemGroup/{NAMESPACE}{item}")
    return [element.attrib["Include"].replace("\\", "/") for element in elements]


def properties(project: ElementTree.Element, **given: str) -> dict[str, str]:
    """Evaluate the project's properties in order, as msbuild does, for the forms of condition used here."""
    values = dict(given)
    for group in project.findall(NAMESPACE + "PropertyGroup"):
        if holds(group, values):
            for element in group:
                name = element.tag.removeprefix(NAMESPACE)
                if holds(element, values) and name not in given:
                    values[name] = expand(element.text or "", values)
    return values


def expand(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda match: values.get(match[1], ""), text)


def holds(element: ElementTree.Element, values: dict[str, str]) -> bool:
    """Evaluate a Condition; a form that this does not know raises ValueError."""
    for condition in filter(None, element.get("Condition", "").split(" And ")):
        match = re.fullmatch(r"'(.*)' (==|!=) '(.*)'", expand(condition, values))
        if match is None:
            raise ValueError(condition)
        if (match[1] == match[3]) != (match[2] == "=="):
            return False
    return True


def refusals(project: ElementTree.Element, values: dict[str, str]) -> list[str]:
    """Return the errors with which the project stops a build."""
    return [expand(e.attrib["Text"], values) for e in project.iter(NAMESPACE + "Error") if holds(e, values)]


# The INF


def test_the_inf_is_for_a_network_adapter_of_this_driver(inf: Inf) -> None:
    assert one(inf, "Version", "Signature") == ("$Windows NT$",)
    assert one(inf, "Version", "Class") == ("Net",)
    assert one(inf, "Version", "ClassGuid") == (NETWORK_ADAPTERS,)
    assert one(inf, "Version", "CatalogFile") == ("wintun.cat",)
    assert one(inf, "Version", "PnpLockdown") == ("1",)


def test_one_device_is_installed_in_one_way_on_each_processor(inf: Inf) -> None:
    """A processor without a models section would be told that the driver is not for it."""
    ((models, *architectures),) = [entry.values for entry in inf["Manufacturer"]]
    assert set(architectures) == set(ARCHITECTURES.values())
    devices = {tuple(entry.values for entry in inf[f"{models}.{name}"]) for name in architectures}
    assert devices == {(("Wintun.Install", "Root\\WintunSim"),)}


def test_every_section_and_file_that_the_inf_refers_to_is_there(inf: Inf) -> None:
    """What an installation needs is found by name, and a wrong name shows on the user's machine."""
    install = inf["Wintun.Install"]
    copied = {
        file.values[0]
        for entry in install
        if entry.key == "CopyFiles"
        for section in entry.values
        for file in inf[section]
    }
    assert copied == {"wintun.sys"}
    assert {entry.key for entry in inf["SourceDisksFiles"]} == copied
    disks = {entry.key for entry in inf["SourceDisksNames"]}
    assert {entry.values[0] for entry in inf["SourceDisksFiles"]} <= disks
    for entry in install:
        if entry.key in ("CopyFiles", "AddReg"):
            assert set(entry.values) <= set(inf)
    service, flags, section = one(inf, "Wintun.Install.Services", "AddService")
    assert (service, int(flags, 16)) == ("wintun", 2)
    assert one(inf, section, "ServiceBinary") == (f"%{DRIVERS_DIRECTORY}%\\wintun.sys",)
    assert one(inf, section, "ServiceType") == ("1",)
    assert one(inf, "DestinationDirs", "Wintun.CopyFiles") == (DRIVERS_DIRECTORY,)
    assert ("Ndi", "Service", "0", service) in [entry.values[1:] for entry in inf["Wintun.AddReg"]]


def test_no_section_of_the_inf_is_left_over(inf: Inf) -> None:
    known = {"Version", "Manufacturer", "DestinationDirs", "SourceDisksNames", "SourceDisksFiles", "Strings"}
    reached = known | {"Wintun.NTamd64", "Wintun.NTarm64", "Wintun.Install", "Wintun.Install.Services"}
    for name in ("Wintun.Install", "Wintun.Install.Services"):
        reached |= {value for entry in inf[name] for value in entry.values if value in inf}
    assert set(inf) == reached


def test_the_inf_tells_of_the_same_interface_as_the_code(inf: Inf, tmp_path: Path) -> None:
    """NDIS compares what the INF promised with the attributes that the driver sets; the compiler compares them here."""
    attributes = (DRIVER / "attributes.c").read_text("utf-8")
    claims = {
        "*IfType": ("IfType", "IF_TYPE_PROP_VIRTUAL"),
        "*MediaType": ("MediaType", "NdisMediumIP"),
        "*PhysicalMediaType": ("PhysicalMediumType", "NdisPhysicalMediumUnspecified"),
    }
    lines = ["#include <ndis.h>"]
    for key, (field, name) in claims.items():
        assert f"General->{field} = {name};" in attributes
        lines.append(f'_Static_assert({name} == {one(inf, "Wintun.Install", key)[0]}, "{key}");')
    source = tmp_path / "claims.c"
    source.write_text("\n".join([*lines, ""]))
    compile_sources(TARGETS[0], tmp_path, [source])
    assert "NdisInterfaceInternal" in attributes
    assert int(one(inf, "Wintun.Install", "Characteristics")[0], 16) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = b\n", "in no section"),
        ("[A]\n[A]\n", "again"),
        ("[A]\nname = %Nothing%\n", "not in"),
    ],
)
def test_the_reader_of_infs_does_not_take_anything(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


# The project


def test_the_project_names_every_source_and_header(project: ElementTree.Element) -> None:
    """A file that is not in the project is not in the driver: the build on Windows fails, far from whoever added it."""
    for item, expected in (
        ("ClCompile", SOURCES),
        ("ClInclude", [*DRIVER.glob("*.h"), DRIVER.parent / "shared" / "bundle.h"]),
        ("ResourceCompile", [DRIVER / "wintun.rc"]),
        ("Inf", [DRIVER / "wintun.inf"]),
    ):
        listed = included(project, item)
        assert len(listed) == len(set(listed))
        assert {(DRIVER / name).resolve() for name in listed} == {path.resolve() for path in expected}, item


def test_the_project_builds_a_driver_for_each_processor_of_the_inf(project: ElementTree.Element) -> None:
    configurations = {tuple(name.split("|")) for name in included(project, "ProjectConfiguration")}
    assert configurations == {(mode, machine) for mode in ("Debug", "Release") for machine in ARCHITECTURES}
    values = properties(project, Configuration="Release", Platform="x64")
    assert (values["ConfigurationType"], values["TargetName"]) == ("Driver", "wintun")
    definitions = next(project.iter(NAMESPACE + "PreprocessorDefinitions")).text or ""
    assert {"NDIS_MINIPORT_DRIVER=1", "NDIS680_MINIPORT=1"} <= set(definitions.split(";"))
    assert "ndis.lib" in (next(project.iter(NAMESPACE + "AdditionalDependencies")).text or "").split(";")


def test_the_driver_is_signed_for_tests_unless_told_otherwise(project: ElementTree.Element) -> None:
    """Whoever builds for the first time has no certificate, and needs none."""
    values = properties(project)
    assert values["SignMode"] == "TestSign"
    assert not refusals(project, values)


def test_production_signing_is_an_option_and_needs_a_certificate(project: ElementTree.Element) -> None:
    """The thumbprint cannot be guessed, and a package that is quietly signed for tests is found out by customers."""
    without = properties(project, WintunSigning="Production")
    assert without["SignMode"] == "ProductionSign"
    assert "ProductionCertificate" in refusals(project, without)[0]
    given = properties(project, WintunSigning="Production", ProductionCertificate="0123456789abcdef")
    assert given["SignMode"] == "ProductionSign"
    assert given["TimeStampServer"].startswith("http")
    assert not refusals(project, given)
    assert "Test or Production" in refusals(project, properties(project, WintunSigning="Prodution"))[0]


# What is said more than once


def test_one_version_is_told_everywhere(inf: Inf, project: ElementTree.Element) -> None:
    """Windows installs the newer of two packages, so a version that one file forgot to count up is an update that never
    arrives."""
    version = ".".join(map(str, (*driver_version(), 0)))
    date, told = one(inf, "Version", "DriverVer")
    assert re.fullmatch(r"\d\d/\d\d/\d{4}", date)
    assert told == version
    assert properties(project)["WintunVersion"] == version
    assert next(project.iter(NAMESPACE + "TimeStamp")).text == "$(WintunVersion)"


def test_the_resource_says_that_this_is_a_network_driver_of_that_version(tmp_path: Path) -> None:
    """The structure is VS_FIXEDFILEINFO (learn.microsoft.com/windows/win32/api/verrsrc/ns-verrsrc-vs_fixedfileinfo)."""
    compiled = tmp_path / "wintun.res"
    run(find("x86_64-w64-mingw32-windres"), "-O", "res", DRIVER / "wintun.rc", compiled, directory=DRIVER)
    data = compiled.read_bytes()
    signature = struct.pack("<I", 0xFEEF04BD)
    assert data.count(signature) == 1
    fields = struct.unpack_from("<13I", data, data.index(signature))
    major, minor, build = driver_version()
    assert fields[2:6] == (major << 16 | minor, build << 16) * 2
    assert fields[9:11] == (3, 6)  # VFT_DRV, VFT2_DRV_NETWORK
    for text in ("wintun.sys", f"{major}.{minor}.{build}.0"):
        assert text.encode("utf-16-le") in data


def test_the_readme_uses_the_names_that_the_package_has(inf: Inf, project: ElementTree.Element) -> None:
    """People paste from it."""
    text = (DRIVER / "README.md").read_text("utf-8")
    hardware = inf["Wintun.NTamd64"][0].values[1]
    for command in ("install", "update"):
        assert f"devcon {command} wintun.inf {hardware}\n" in text
    assert f"devcon remove {hardware}\n" in text
    used = set(re.findall(r"/p:(\w+)=", text))
    known = set(properties(project)) | set(properties(project, WintunSigning="Production"))
    assert used <= known | {"Configuration", "Platform", "ProductionCertificate"}
    for path in DRIVER.glob("*.c"):
        assert f"`{path.stem}`" in text, path.name
