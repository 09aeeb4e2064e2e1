"""A driver built on these headers imports what Windows exports, so that the same source also makes a loadable image.

What the WDK implements inline must not become an import, and what it imports must not quietly become inline.
"""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.kernel.headers import BUILDS, INCLUDE, MINGW, diagnostics, missing

TREE = Path(__file__).parents[2]
LIBRARIES = ("libntoskrnl.a", "libndis.a", "libhal.a", "libbcrypt.a")

# Exports that are younger than MinGW's lists (Windows 8 and Windows 10 2004).
YOUNGER = {"ExAllocatePool2", "KeQuerySystemTimePrecise"}


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


# Names that drivers of a TUN device use, as Microsoft's DDI reference has them. A name may be a macro over another.
FUNCTIONS = words("""
NdisGetVersion NdisMRegisterMiniportDriver NdisMDeregisterMiniportDriver NdisMSetMiniportAttributes
NdisRegisterDeviceEx NdisDeregisterDeviceEx NdisGetDeviceReservedExtension NdisMIndicateStatusEx NdisMPauseComplete
NdisMRestartComplete NdisMOidRequestComplete NdisMDirectOidRequestComplete NdisMSendNetBufferListsComplete
NdisMIndicateReceiveNetBufferLists NdisAllocateNetBufferListPool NdisFreeNetBufferListPool
NdisAllocateNetBufferAndNetBufferList NdisFreeNetBufferList NdisAllocateMdl NdisFreeMdl NdisQueryMdl NdisGetDataBuffer
NdisAllocateMemoryWithTag NdisAllocateMemoryWithTagPriority NdisFreeMemory NdisMoveMemory NdisZeroMemory
NdisSetNblFlag NdisMSleep NdisAllocateSpinLock NdisFreeSpinLock NdisAcquireSpinLock NdisReleaseSpinLock
NET_BUFFER_NEXT_NB NET_BUFFER_DATA_LENGTH NET_BUFFER_FIRST_MDL NET_BUFFER_CURRENT_MDL NET_BUFFER_CURRENT_MDL_OFFSET
NET_BUFFER_LIST_NEXT_NBL NET_BUFFER_LIST_FIRST_NB NET_BUFFER_LIST_STATUS NET_BUFFER_LIST_INFO
NDIS_GET_NET_BUFFER_LIST_CANCEL_ID NET_BUFFER_LIST_MINIPORT_RESERVED IoCompleteRequest IoCallDriver IoMarkIrpPending
IoGetCurrentIrpStackLocation IoSetCancelRoutine IoAcquireCancelSpinLock IoReleaseCancelSpinLock IoCsqInitialize
IoCsqInitializeEx IoCsqInsertIrp IoCsqInsertIrpEx IoCsqRemoveIrp IoCsqRemoveNextIrp IoInitializeRemoveLock
IoAcquireRemoveLock IoReleaseRemoveLock IoReleaseRemoveLockAndWait IoAllocateMdl IoFreeMdl
MmGetSystemAddressForMdlSafe MmGetMdlByteCount MmGetMdlVirtualAddress MmProbeAndLockPages MmUnlockPages
KeInitializeSpinLock KeAcquireSpinLock KeReleaseSpinLock KeAcquireSpinLockAtDpcLevel KeReleaseSpinLockFromDpcLevel
KeAcquireInStackQueuedSpinLock KeReleaseInStackQueuedSpinLock KeAcquireInStackQueuedSpinLockAtDpcLevel
KeReleaseInStackQueuedSpinLockFromDpcLevel ExAcquireSpinLockShared ExReleaseSpinLockShared ExAcquireSpinLockExclusive
ExReleaseSpinLockExclusive ExInitializeFastMutex ExAcquireFastMutex ExReleaseFastMutex ExInitializeRundownProtection
ExAcquireRundownProtection ExReleaseRundownProtection ExWaitForRundownProtectionRelease KeInitializeEvent KeSetEvent
KeClearEvent KeWaitForSingleObject KeDelayExecutionThread KeGetCurrentIrql KeRaiseIrql KeLowerIrql
InterlockedIncrement InterlockedIncrement64 InterlockedExchangePointer InterlockedCompareExchangePointer
NdisAllocateIoWorkItem NdisQueueIoWorkItem NdisFreeIoWorkItem IoAllocateWorkItem IoQueueWorkItem IoFreeWorkItem
NdisAllocateTimerObject NdisSetTimerObject NdisCancelTimerObject NdisFreeTimerObject KeInitializeDpc KeInsertQueueDpc
NdisOpenConfigurationEx NdisReadConfiguration NdisCloseConfiguration ReadAcquire WriteRelease ReadPointerAcquire
WritePointerRelease KeMemoryBarrier ExAllocatePoolWithTag ExAllocatePool2 ExFreePoolWithTag InitializeListHead
InsertTailList RemoveHeadList RemoveEntryList IsListEmpty RtlUnicodeStringPrintf RtlCopyUnicodeString
RtlInitUnicodeString RtlZeroMemory RtlUshortByteSwap RtlUlongByteSwap ASSERT ASSERTMSG DbgPrint
IoRegisterPlugPlayNotification IoUnregisterPlugPlayNotificationEx NdisMGetDeviceProperty IoGetDeviceObjectPointer
ObReferenceObject ObReferenceObjectByHandle ObOpenObjectByPointer ObfDereferenceObject ObDereferenceObject
ObCloseHandle ZwClose ZwSetSecurityObject RtlCreateAcl RtlCreateSecurityDescriptor RtlSetDaclSecurityDescriptor
PsLookupProcessByProcessId KeStackAttachProcess KeUnstackDetachProcess ProbeForRead ProbeForWrite MmIsVerifierEnabled
""")

HANDLERS = words("""
SET_OPTIONS MINIPORT_INITIALIZE MINIPORT_HALT MINIPORT_UNLOAD MINIPORT_PAUSE MINIPORT_RESTART MINIPORT_OID_REQUEST
MINIPORT_DIRECT_OID_REQUEST MINIPORT_SYNCHRONOUS_OID_REQUEST MINIPORT_CANCEL_OID_REQUEST
MINIPORT_CANCEL_DIRECT_OID_REQUEST MINIPORT_SEND_NET_BUFFER_LISTS MINIPORT_RETURN_NET_BUFFER_LISTS
MINIPORT_CANCEL_SEND MINIPORT_DEVICE_PNP_EVENT_NOTIFY MINIPORT_SHUTDOWN MINIPORT_CHECK_FOR_HANG MINIPORT_RESET
DRIVER_INITIALIZE DRIVER_UNLOAD DRIVER_DISPATCH DRIVER_CANCEL IO_CSQ_INSERT_IRP_EX IO_CSQ_REMOVE_IRP
IO_CSQ_PEEK_NEXT_IRP IO_CSQ_ACQUIRE_LOCK IO_CSQ_RELEASE_LOCK IO_CSQ_COMPLETE_CANCELED_IRP IO_WORKITEM_ROUTINE
NDIS_IO_WORKITEM NDIS_TIMER_FUNCTION KDEFERRED_ROUTINE
""")

ALL = "#include <ndis.h>\n#include <ntifs.h>\n#include <wdmsec.h>\n#include <ntstrsafe.h>\n#include <bcrypt.h>\n"


@cache
def imports() -> frozenset[str]:
    """Return the functions that a Windows driver on our headers would import: declared, and defined nowhere in them."""
    command = [*BUILDS["windows-x86_64"], f"-I{INCLUDE}", "-fsyntax-only", "-Xclang", "-ast-dump=json", "-xc", "-"]
    tree = json.loads(subprocess.run(command, input=ALL, capture_output=True, text=True, check=True).stdout)
    functions = [node for node in tree["inner"] if node["kind"] == "FunctionDecl" and not node.get("isImplicit")]
    defined = {
        node["name"] for node in functions if any(part["kind"] == "CompoundStmt" for part in node.get("inner", ()))
    }
    return frozenset(node["name"] for node in functions) - defined


@cache
def exports() -> frozenset[str]:
    """Return what MinGW's import libraries say that Windows exports to drivers."""
    found: set[str] = set()
    for library in LIBRARIES:
        path = subprocess.run([MINGW, f"-print-file-name={library}"], capture_output=True, text=True, check=True).stdout
        listing = subprocess.run(["nm", "-g", path.strip()], capture_output=True, text=True, check=False).stdout
        found |= {line.split()[2] for line in listing.splitlines() if line.split()[1:2] == ["T"]}
    return frozenset(found)


@pytest.mark.skipif(
    shutil.which(MINGW) is None, reason=f"{MINGW}, whose import libraries list Windows' exports, is not here"
)
@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_windows_exports_every_function_that_the_headers_leave_to_it() -> None:
    """A name that no system file exports would let a driver link here and fail to load there."""
    assert len(exports()) > 2000
    assert imports() - exports() == YOUNGER


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_macros_lead_to_the_names_that_x64_windows_exports() -> None:
    assert {
        "IofCompleteRequest",
        "KeAcquireSpinLockRaiseToDpc",
        "ObfReferenceObject",
        "IoAcquireRemoveLockEx",
    } <= imports()
    inline = {
        "IoCompleteRequest",
        "KeAcquireSpinLock",
        "KeInitializeSpinLock",
        "IoMarkIrpPending",
        "IoSetCancelRoutine",
    }
    assert not imports() & inline


@pytest.mark.parametrize("build", sorted(BUILDS))
def test_every_name_that_a_tun_driver_uses_is_declared(build: str) -> None:
    if reason := missing(build):
        pytest.skip(reason)
    lines = [f"#ifndef {name}\n(void)&{name};\n#endif" for name in FUNCTIONS]
    source = ALL + "void Use(void);\nvoid Use(void)\n{\n" + "\n".join(lines) + "\n}\n"
    source += "".join(f"extern {name} Handler{number};\n" for number, name in enumerate(HANDLERS))
    assert diagnostics(build, source) == ""


def test_a_name_that_is_not_declared_would_be_found() -> None:
    if reason := missing("gcc"):
        pytest.skip(reason)
    assert "NdisNoSuchFunction" in diagnostics(
        "gcc", ALL + "void Use(void);\nvoid Use(void) { (void)&NdisNoSuchFunction; }\n"
    )


@pytest.mark.skipif(shutil.which("lld-link") is None, reason="lld-link (package lld) is not installed")
@pytest.mark.skipif(
    shutil.which(MINGW) is None, reason=f"{MINGW}, whose import libraries stand in for the WDK's, is not here"
)
def test_the_driver_links_as_a_windows_image(tmp_path: Path) -> None:
    """Against the exports of ntoskrnl and ndis alone: no C library, no compiler's helper, nothing of the host."""
    if reason := missing("windows-x86_64"):
        pytest.skip(reason)
    sources = [*sorted((TREE / "driver").glob("*.c")), TREE / "shared/bundle.c"]
    for source in sources:
        command = [*BUILDS["windows-x86_64"], f"-I{INCLUDE}", f"-I{TREE / 'shared'}", "-c", str(source)]
        subprocess.run([*command, "-o", str(tmp_path / f"{source.stem}.obj")], check=True)
    libraries = [
        subprocess.run([MINGW, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libntoskrnl.a", "libndis.a")
    ]
    image = tmp_path / "driver.sys"
    options = ["-driver", "-subsystem:native", "-entry:DriverEntry", "-nodefaultlib", "-dynamicbase", f"-out:{image}"]
    objects = [str(path) for path in sorted(tmp_path.glob("*.obj"))]
    done = subprocess.run(["lld-link", *options, *objects, *libraries], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert image.read_bytes()[:2] == b"MZ"
