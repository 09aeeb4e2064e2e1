"""Layouts and numbers are those of 64-bit Windows, as sources that are not these headers say.

Three oracles: MinGW-w64's headers (made independently, for user mode and for the old DDK), compiled as static
assertions; the layouts in the public symbols that Microsoft serves for ndis.sys of Windows 10
(learn.microsoft.com/windows-hardware/drivers/debugger/microsoft-public-symbols), typed in below; and the sizes that
documentation states.
"""

import re
import shutil
from functools import cache

import pytest

from tests.kernel.headers import INCLUDE, MINGW, ddk_folders, disagreements, macros, measure, preprocessed

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

DDK = "#include <ddk/ntifs.h>\n#include <ddk/wdmsec.h>\n#include <stddef.h>\n"
USER = (
    "#define NDIS_SUPPORT_NDIS6 1\n#define NDIS_SUPPORT_NDIS61 1\n#define NDIS_SUPPORT_NDIS620 1\n"
    "#define NDIS_SUPPORT_NDIS630 1\n#include <winsock2.h>\n#include <windows.h>\n#include <ntddndis.h>\n"
    "#include <ifdef.h>\n#include <ipifcons.h>\n#include <stddef.h>\n"
)

# Structures that MinGW's headers have under the same names of type and fields.
DDK_STRUCTURES: dict[str, str] = {
    "IRP": "Type Size MdlAddress Flags AssociatedIrp ThreadListEntry IoStatus RequestorMode PendingReturned StackCount"
    " CurrentLocation Cancel CancelIrql ApcEnvironment AllocationFlags UserIosb UserEvent Overlay CancelRoutine"
    " UserBuffer Tail Tail.Overlay.DriverContext Tail.Overlay.Thread Tail.Overlay.AuxiliaryBuffer"
    " Tail.Overlay.ListEntry Tail.Overlay.CurrentStackLocation Tail.Overlay.OriginalFileObject",
    "IO_STACK_LOCATION": "MajorFunction MinorFunction Flags Control Parameters DeviceObject FileObject"
    " CompletionRoutine Context Parameters.Read.Length Parameters.Read.Key Parameters.Read.ByteOffset"
    " Parameters.Write.Length Parameters.Write.ByteOffset Parameters.Create.SecurityContext Parameters.Create.Options"
    " Parameters.Create.FileAttributes Parameters.Create.ShareAccess Parameters.Create.EaLength"
    " Parameters.DeviceIoControl.OutputBufferLength Parameters.DeviceIoControl.InputBufferLength"
    " Parameters.DeviceIoControl.IoControlCode Parameters.DeviceIoControl.Type3InputBuffer"
    " Parameters.QueryInterface.Interface Parameters.Power.State Parameters.Power.ShutdownType"
    " Parameters.StartDevice.AllocatedResourcesTranslated Parameters.Others.Argument4",
    "DRIVER_OBJECT": "Type Size DeviceObject Flags DriverStart DriverSize DriverSection DriverExtension DriverName"
    " HardwareDatabase FastIoDispatch DriverInit DriverStartIo DriverUnload MajorFunction",
    "DRIVER_EXTENSION": "DriverObject AddDevice Count ServiceKeyName",
    "DEVICE_OBJECT": "Type Size ReferenceCount DriverObject NextDevice AttachedDevice CurrentIrp Timer Flags"
    " Characteristics Vpb DeviceExtension DeviceType StackSize Queue AlignmentRequirement DeviceQueue Dpc"
    " ActiveThreadCount SecurityDescriptor DeviceLock SectorSize DeviceObjectExtension Reserved",
    "FILE_OBJECT": "Type Size DeviceObject Vpb FsContext FsContext2 SectionObjectPointer PrivateCacheMap FinalStatus"
    " RelatedFileObject LockOperation DeletePending ReadAccess SharedDelete Flags FileName CurrentByteOffset Waiters"
    " Busy LastLock Lock Event CompletionContext IrpListLock IrpList FileObjectExtension",
    "MDL": "Next Size MdlFlags Process MappedSystemVa StartVa ByteCount ByteOffset",
    "IO_STATUS_BLOCK": "Status Information",
    "DISPATCHER_HEADER": "Type Signalling Size SignalState WaitListHead",
    "KEVENT": "Header",
    "KSEMAPHORE": "Header Limit",
    "KMUTANT": "Header MutantListEntry OwnerThread Abandoned ApcDisable",
    "KTIMER": "Header DueTime TimerListEntry Dpc Period",
    "KDPC": "Type Importance Number DpcListEntry DeferredRoutine DeferredContext SystemArgument1 SystemArgument2"
    " DpcData",
    "KAPC": "Type Size Thread ApcListEntry NormalContext SystemArgument1 ApcStateIndex ApcMode Inserted",
    "KDEVICE_QUEUE": "Type Size DeviceListHead Lock",
    "KDEVICE_QUEUE_ENTRY": "DeviceListEntry SortKey Inserted",
    "WAIT_CONTEXT_BLOCK": "DeviceRoutine DeviceContext NumberOfMapRegisters DeviceObject CurrentIrp BufferChainingDpc",
    "KWAIT_BLOCK": "WaitListEntry",
    "KLOCK_QUEUE_HANDLE": "LockQueue OldIrql",
    "KAPC_STATE": "ApcListHead Process KernelApcInProgress KernelApcPending UserApcPending",
    "FAST_MUTEX": "Count Owner Contention Event OldIrql",
    "EX_RUNDOWN_REF": "Count Ptr",
    "IO_CSQ": "Type CsqInsertIrp CsqRemoveIrp CsqPeekNextIrp CsqAcquireLock CsqReleaseLock CsqCompleteCanceledIrp"
    " ReservePointer",
    "IO_CSQ_IRP_CONTEXT": "Type Irp Csq",
    "IO_REMOVE_LOCK_COMMON_BLOCK": "Removed IoCount RemoveEvent",
    "UNICODE_STRING": "Length MaximumLength Buffer",
    "LIST_ENTRY": "Flink Blink",
    "SLIST_HEADER": "",
    "OBJECT_ATTRIBUTES": "Length RootDirectory ObjectName Attributes SecurityDescriptor SecurityQualityOfService",
    "RTL_OSVERSIONINFOW": "dwOSVersionInfoSize dwMajorVersion dwMinorVersion dwBuildNumber dwPlatformId szCSDVersion",
    "CLIENT_ID": "UniqueProcess UniqueThread",
    "OBJECT_HANDLE_INFORMATION": "HandleAttributes GrantedAccess",
    "PLUGPLAY_NOTIFICATION_HEADER": "Version Size Event",
    "DEVICE_INTERFACE_CHANGE_NOTIFICATION": "Version Size Event InterfaceClassGuid SymbolicLinkName",
    "TARGET_DEVICE_REMOVAL_NOTIFICATION": "Version Size Event FileObject",
    "SID": "Revision SubAuthorityCount IdentifierAuthority SubAuthority",
    "ACL": "AclRevision AclSize AceCount",
    "ACCESS_ALLOWED_ACE": "Header Mask SidStart",
    "SECURITY_DESCRIPTOR": "Revision Control Owner Group Sacl Dacl",
    "LARGE_INTEGER": "LowPart HighPart QuadPart",
}
USER_STRUCTURES: dict[str, str] = {
    "NDIS_OBJECT_HEADER": "Type Revision Size",
    "NDIS_LINK_STATE": "Header MediaConnectState MediaDuplexState XmitLinkSpeed RcvLinkSpeed PauseFunctions"
    " AutoNegotiationFlags",
    "NDIS_LINK_PARAMETERS": "Header MediaDuplexState XmitLinkSpeed RcvLinkSpeed PauseFunctions AutoNegotiationFlags",
    "NDIS_STATISTICS_INFO": "Header SupportedStatistics ifInDiscards ifInErrors ifHCInOctets ifHCInUcastPkts"
    " ifHCInMulticastPkts ifHCInBroadcastPkts ifHCOutOctets ifHCOutUcastPkts ifHCOutMulticastPkts"
    " ifHCOutBroadcastPkts ifOutErrors ifOutDiscards ifHCInUcastOctets ifHCInMulticastOctets ifHCInBroadcastOctets"
    " ifHCOutUcastOctets ifHCOutMulticastOctets ifHCOutBroadcastOctets",
    "NDIS_INTERRUPT_MODERATION_PARAMETERS": "Header Flags InterruptModeration",
    "NDIS_PNP_CAPABILITIES": "Flags WakeUpCapabilities",
    "NDIS_PM_CAPABILITIES": "Header Flags SupportedWoLPacketPatterns NumTotalWoLPatterns MaxWoLPatternSize"
    " MaxWoLPatternOffset MaxWoLPacketSaveBuffer SupportedProtocolOffloads NumArpOffloadIPv4Addresses"
    " NumNSOffloadIPv6Addresses MinMagicPacketWakeUp MinPatternWakeUp MinLinkChangeWakeUp SupportedWakeUpEvents"
    " MediaSpecificWakeUpEvents",
    "NET_LUID": "Value Info",
    "GUID": "Data1 Data2 Data3 Data4",
}

# From public symbols of ndis.sys, x64: the size in bytes, then every named field at its offset (hexadecimal).
SYMBOLS: dict[str, str] = {
    "NET_BUFFER": "B0 Next@0 CurrentMdl@8 CurrentMdlOffset@10 DataLength@18 stDataLength@18 MdlChain@20 DataOffset@28"
    " Link@0 NetBufferHeader@0 ChecksumBias@30 Reserved@32 NdisPoolHandle@38 NdisReserved@40"
    " ProtocolReserved@50 MiniportReserved@80 DataPhysicalAddress@A0 SharedMemoryInfo@A8"
    " ScatterGatherList@A8",
    "NET_BUFFER_DATA": "30 Next@0 CurrentMdl@8 CurrentMdlOffset@10 NbDataLength@18 MdlChain@20 DataOffset@28",
    "NET_BUFFER_LIST": "170 Next@0 FirstNetBuffer@8 Link@0 NetBufferListHeader@0 Context@10 ParentNetBufferList@18"
    " NdisPoolHandle@20 NdisReserved@30 ProtocolReserved@40 MiniportReserved@60 Scratch@70 SourceHandle@78"
    " NblFlags@80 ChildRefCount@84 Flags@88 Status@8C NdisReserved2@8C NetBufferListInfo@90",
    "NDIS_OID_REQUEST": "F0 Header@0 RequestType@4 PortNumber@8 Timeout@C RequestId@10 RequestHandle@18 DATA@20"
    " NdisReserved@48 MiniportReserved@C8 SourceReserved@D8 SupportedRevision@E8 Reserved1@E9 Reserved2@EA",
    "NDIS_STATUS_INDICATION": "70 Header@0 SourceHandle@8 PortNumber@10 StatusCode@14 Flags@18 DestinationHandle@20"
    " RequestId@28 StatusBuffer@30 StatusBufferSize@38 Guid@3C NdisReserved@50",
    "NDIS_RESTART_GENERAL_ATTRIBUTES": "58 MtuSize@4 MaxXmitLinkSpeed@8 MaxRcvLinkSpeed@10 LookaheadSize@18"
    " MacOptions@1C SupportedPacketFilters@20 MaxMulticastListSize@24 RecvScaleCapabilities@28 AccessType@30 Flags@34"
    " ConnectionType@38 SupportedStatistics@3C DataBackFillSize@40 ContextBackFillSize@44"
    " SupportedOidList@48 SupportedOidListLength@50 MaxLookaheadSizeAccessed@54",
    "IO_REMOVE_LOCK": "20 Common@0 Common.Removed@0 Common.IoCount@4 Common.RemoveEvent@8",
}

# NDIS version symbol → (entries of NetBufferListInfo, size through each revision's last field).
VERSIONS: dict[str, dict[str, int]] = {
    "NDIS620_MINIPORT": {
        "MaxNetBufferListInfo": 18,
        "NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2": 152,
        "sizeof(NDIS_MINIPORT_DRIVER_CHARACTERISTICS)": 152,
        "sizeof(NDIS_PM_CAPABILITIES)": 52,
        "NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2": 224,
        "NDIS_MINIPORT_MINOR_VERSION": 20,
    },
    "NDIS630_MINIPORT": {
        "MaxNetBufferListInfo": 24,
        "NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2": 152,
        "sizeof(NDIS_PM_CAPABILITIES)": 60,
        "NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2": 28,
        "NDIS_MINIPORT_MINOR_VERSION": 30,
    },
    "NDIS680_MINIPORT": {
        "MaxNetBufferListInfo": 27,
        "NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1": 136,
        "NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3": 160,
        "NDIS_SIZEOF_OID_REQUEST_REVISION_1": 236,
        "NDIS_MINIPORT_MINOR_VERSION": 80,
    },
}

SOURCES = ("ndis.h", "ntifs.h", "bcrypt.h", "ntstrsafe.h")
# Ends of enumerations, which grow with each version of Windows.
ENDS = {"NdisPhysicalMediumMax", "NdisMediumMax", "MaximumWorkQueue"}

# What a build chooses, and what MinGW's headers name without being able to say (it refers to names that it lacks).
CHOICES = {"NTDDI_VERSION", "_AMD64_", "_WDMDDK_", "_NDIS_", "NDIS_LINK_SPEED_UNKNOWN"}

needs_mingw = pytest.mark.skipif(
    shutil.which(MINGW) is None or not ddk_folders("/usr/x86_64-w64-mingw32"),
    reason="MinGW-w64, the second opinion on layouts, is not installed (Debian: gcc-mingw-w64-x86-64-win32)",
)


def expressions(structures: dict[str, str]) -> tuple[str, ...]:
    """Return sizeof and offsetof expressions for all structures and their fields."""
    return tuple(
        expression
        for name, fields in structures.items()
        for expression in (f"sizeof({name})", *(f"offsetof({name}, {field})" for field in fields.split()))
    )


def enumerators(text: str) -> set[str]:
    """Return the names of all enumeration constants in preprocessed C text."""
    bodies = re.findall(r"\benum\b\s*\w*\s*\{(.*?)\}", text, re.DOTALL)
    return {name for body in bodies for item in body.split(",") if (name := item.split("=")[0].strip())}


@cache
def integers() -> tuple[str, ...]:
    """Return the names of our headers' macros that come down to one integer."""
    plain = macros()
    ours = {
        name
        for path in INCLUDE.glob("*.h")
        for name in re.findall(r"^\s*#\s*define[ \t]+(\w+)[ \t]", path.read_text("utf-8"), re.MULTILINE)
    }

    def value(text: str, depth: int = 0) -> str:
        return re.sub(
            r"\b[A-Za-z_]\w*",
            lambda word: value(plain[word[0]], depth + 1) if word[0] in plain and depth < 8 else word[0],
            text,
        )

    number = re.compile(r"[\s()|&~+<>-]|\b(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b")
    casts = re.compile(r"\((?:NTSTATUS|NDIS_STATUS|NDIS_PORT_NUMBER|NET_IFINDEX|WCHAR|CHAR|ULONGLONG|ULONG64)\)")
    found = {
        name for name in ours & plain.keys() if (text := casts.sub("", value(plain[name]))) and not number.sub("", text)
    }
    return tuple(sorted(name for name in found if re.search(r"\d", value(plain[name]))))


@needs_mingw
def test_mingw_agrees_on_every_structure_of_the_kernel() -> None:
    """Field by field: a wrong order of two fields of one size would pass a test of sizes."""
    ours = measure(("ntifs.h",), expressions(DDK_STRUCTURES))
    # Windows aligns device objects to 16 bytes (0x150 in its public symbols); MinGW's headers forget it.
    assert ours["sizeof(DEVICE_OBJECT)"] == 0x150
    assert disagreements(DDK, ours) == ["sizeof(DEVICE_OBJECT)"]


@needs_mingw
def test_mingw_agrees_on_every_structure_of_ndis_that_it_knows() -> None:
    assert disagreements(USER, measure(("ndis.h",), expressions(USER_STRUCTURES))) == []


@needs_mingw
@pytest.mark.parametrize("preamble", [DDK, USER + "#include <ntstatus.h>\n"], ids=["kernel", "user"])
def test_mingw_agrees_on_every_number_that_both_name(preamble: str) -> None:
    """Statuses, OIDs, flags, IRP codes: one wrong digit in a table is invisible to the eye."""
    names = tuple(name for name in integers() if name not in CHOICES)
    assert len(names) > 700
    assert disagreements(preamble, measure(SOURCES, names), names) == []


@needs_mingw
@pytest.mark.parametrize(
    ("preamble", "headers", "least"),
    [(DDK, ("ddk/ntifs.h",), 100), (USER, ("winsock2.h", "windows.h", "ntddndis.h", "ifdef.h"), 60)],
    ids=["kernel", "user"],
)
def test_mingw_agrees_on_every_enumerator_that_both_name(preamble: str, headers: tuple[str, ...], least: int) -> None:
    common = (enumerators(preprocessed("gcc", *SOURCES)) & enumerators(preprocessed(MINGW, *headers))) - ENDS
    assert len(common) >= least
    assert disagreements(preamble, measure(SOURCES, tuple(sorted(common)))) == []


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_public_symbols_of_ndis_agree(name: str) -> None:
    size, *fields = SYMBOLS[name].split()
    offsets = dict(field.split("@") for field in fields)
    expected = {f"sizeof({name})": int(size, 16)}
    expected |= {f"offsetof({name}, {field})": int(offset, 16) for field, offset in offsets.items()}
    assert measure(("ndis.h",), tuple(expected)) == expected


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_sizes_follow_the_ndis_version_that_a_driver_is_built_for(version: str) -> None:
    """A driver writes these sizes into headers, and NDIS judges the version of a structure by them."""
    assert measure(("ndis.h",), tuple(VERSIONS[version]), f"-D{version}=1") == VERSIONS[version]
