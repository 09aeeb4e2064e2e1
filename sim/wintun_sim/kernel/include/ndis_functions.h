/* SPDX-License-Identifier: MIT
 *
 * Functions that ndis.sys exports to a miniport, and the thin macros around the kernel's own.
 *
 * learn.microsoft.com/windows-hardware/drivers/ddi/ndis/. IRQL of each is on its page; registration, deregistration
 * and configuration are PASSIVE_LEVEL, completions and indications <= DISPATCH_LEVEL.
 */
#ifndef NT_NDIS_FUNCTIONS_H
#define NT_NDIS_FUNCTIONS_H

#include "ndis_attributes.h"
#include "ndis_miniport.h"
#include "nt_lock.h"
#include "nt_pool.h"

UINT NTAPI NdisGetVersion(VOID);
NDIS_STATUS NTAPI NdisMRegisterMiniportDriver(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath,
                                              NDIS_HANDLE MiniportDriverContext,
                                              PNDIS_MINIPORT_DRIVER_CHARACTERISTICS MiniportDriverCharacteristics,
                                              PNDIS_HANDLE NdisMiniportDriverHandle);
VOID NTAPI NdisMDeregisterMiniportDriver(NDIS_HANDLE NdisMiniportDriverHandle);
NDIS_STATUS NTAPI NdisMSetMiniportAttributes(NDIS_HANDLE NdisMiniportHandle,
                                             PNDIS_MINIPORT_ADAPTER_ATTRIBUTES MiniportAttributes);

NDIS_STATUS NTAPI NdisRegisterDeviceEx(NDIS_HANDLE NdisHandle, PNDIS_DEVICE_OBJECT_ATTRIBUTES DeviceObjectAttributes,
                                       PDEVICE_OBJECT *pDeviceObject, PNDIS_HANDLE NdisDeviceHandle);
VOID NTAPI NdisDeregisterDeviceEx(NDIS_HANDLE NdisDeviceHandle);
PVOID NTAPI NdisGetDeviceReservedExtension(PDEVICE_OBJECT DeviceObject);
/* Begins with an NDIS_OBJECT_HEADER: a structure of handlers, of one of many kinds. */
typedef struct _NDIS_DRIVER_OPTIONAL_HANDLERS
{
    NDIS_OBJECT_HEADER Header;
} NDIS_DRIVER_OPTIONAL_HANDLERS, *PNDIS_DRIVER_OPTIONAL_HANDLERS;

NDIS_STATUS NTAPI NdisSetOptionalHandlers(NDIS_HANDLE NdisHandle, PNDIS_DRIVER_OPTIONAL_HANDLERS OptionalHandlers);
VOID NTAPI NdisMGetDeviceProperty(NDIS_HANDLE MiniportAdapterHandle, PDEVICE_OBJECT *PhysicalDeviceObject,
                                  PDEVICE_OBJECT *FunctionalDeviceObject, PDEVICE_OBJECT *NextDeviceObject,
                                  PCM_RESOURCE_LIST *AllocatedResources,
                                  PCM_RESOURCE_LIST *AllocatedResourcesTranslated);

#define NDIS_SEND_FLAGS_DISPATCH_LEVEL            0x00000001
#define NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK        0x00000002
#define NDIS_SEND_FLAGS_SINGLE_QUEUE              0x00000004
#define NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL   0x00000001
#define NDIS_SEND_COMPLETE_FLAGS_SINGLE_QUEUE     0x00000002
#define NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL         0x00000001
#define NDIS_RECEIVE_FLAGS_RESOURCES              0x00000002
#define NDIS_RECEIVE_FLAGS_SINGLE_ETHER_TYPE      0x00000100
#define NDIS_RECEIVE_FLAGS_SINGLE_VLAN            0x00000200
#define NDIS_RECEIVE_FLAGS_PERFECT_FILTERED       0x00000400
#define NDIS_RECEIVE_FLAGS_SINGLE_QUEUE           0x00000800
#define NDIS_RETURN_FLAGS_DISPATCH_LEVEL          0x00000001
#define NDIS_RETURN_FLAGS_SINGLE_QUEUE            0x00000002
#define NDIS_TEST_SEND_FLAG(flags, flag)          (((flags) & (flag)) == (flag))
#define NDIS_SET_SEND_FLAG(flags, flag)           ((flags) |= (flag))
#define NDIS_TEST_SEND_AT_DISPATCH_LEVEL(flags)   NDIS_TEST_SEND_FLAG((flags), NDIS_SEND_FLAGS_DISPATCH_LEVEL)
#define NDIS_SET_SEND_COMPLETE_FLAG(flags, flag)  ((flags) |= (flag))
#define NDIS_TEST_RETURN_FLAG(flags, flag)        (((flags) & (flag)) == (flag))
#define NDIS_TEST_RETURN_AT_DISPATCH_LEVEL(flags) NDIS_TEST_RETURN_FLAG((flags), NDIS_RETURN_FLAGS_DISPATCH_LEVEL)
#define NDIS_SET_RECEIVE_FLAG(flags, flag)        ((flags) |= (flag))
#define NDIS_TEST_RECEIVE_FLAG(flags, flag)       (((flags) & (flag)) == (flag))

VOID NTAPI NdisMSendNetBufferListsComplete(NDIS_HANDLE MiniportAdapterHandle, PNET_BUFFER_LIST NetBufferList,
                                           ULONG SendCompleteFlags);
VOID NTAPI NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE MiniportAdapterHandle, PNET_BUFFER_LIST NetBufferList,
                                              NDIS_PORT_NUMBER PortNumber, ULONG NumberOfNetBufferLists,
                                              ULONG ReceiveFlags);
VOID NTAPI NdisMIndicateStatusEx(NDIS_HANDLE MiniportAdapterHandle, PNDIS_STATUS_INDICATION StatusIndication);
VOID NTAPI NdisMPauseComplete(NDIS_HANDLE MiniportAdapterHandle);
VOID NTAPI NdisMRestartComplete(NDIS_HANDLE MiniportAdapterHandle, NDIS_STATUS Status);
VOID NTAPI NdisMOidRequestComplete(NDIS_HANDLE MiniportAdapterHandle, PNDIS_OID_REQUEST OidRequest, NDIS_STATUS Status);
VOID NTAPI NdisMDirectOidRequestComplete(NDIS_HANDLE MiniportAdapterHandle, PNDIS_OID_REQUEST OidRequest,
                                         NDIS_STATUS Status);
VOID NTAPI NdisMResetComplete(NDIS_HANDLE MiniportAdapterHandle, NDIS_STATUS Status, BOOLEAN AddressingReset);

typedef enum _EX_POOL_PRIORITY
{
    LowPoolPriority = 0,
    LowPoolPrioritySpecialPoolOverrun = 8,
    LowPoolPrioritySpecialPoolUnderrun = 9,
    NormalPoolPriority = 16,
    NormalPoolPrioritySpecialPoolOverrun = 24,
    NormalPoolPrioritySpecialPoolUnderrun = 25,
    HighPoolPriority = 32,
    HighPoolPrioritySpecialPoolOverrun = 40,
    HighPoolPrioritySpecialPoolUnderrun = 41
} EX_POOL_PRIORITY;
NDIS_STATUS NTAPI NdisAllocateMemoryWithTag(PVOID *VirtualAddress, UINT Length, ULONG Tag);
PVOID NTAPI NdisAllocateMemoryWithTagPriority(NDIS_HANDLE NdisHandle, UINT Length, ULONG Tag,
                                              EX_POOL_PRIORITY Priority);
VOID NTAPI NdisFreeMemory(PVOID VirtualAddress, UINT Length, UINT MemoryFlags);
VOID NTAPI NdisFreeMemoryWithTagPriority(NDIS_HANDLE NdisHandle, PVOID VirtualAddress, ULONG Tag);
#define NdisMoveMemory(Destination, Source, Length) RtlCopyMemory((Destination), (Source), (Length))
#define NdisCopyMemory(Destination, Source, Length) RtlCopyMemory((Destination), (Source), (Length))
#define NdisZeroMemory(Destination, Length)         RtlZeroMemory((Destination), (Length))
#define NdisFillMemory(Destination, Length, Fill)   RtlFillMemory((Destination), (Length), (Fill))
#define NdisEqualMemory(Source1, Source2, Length)   RtlEqualMemory((Source1), (Source2), (Length))

typedef struct _NDIS_SPIN_LOCK
{
    KSPIN_LOCK SpinLock;
    KIRQL OldIrql;
} NDIS_SPIN_LOCK, *PNDIS_SPIN_LOCK;
_Static_assert(sizeof(NDIS_SPIN_LOCK) == 16, "NDIS_SPIN_LOCK");
VOID NTAPI NdisAllocateSpinLock(PNDIS_SPIN_LOCK SpinLock);
VOID NTAPI NdisFreeSpinLock(PNDIS_SPIN_LOCK SpinLock);
VOID NTAPI NdisAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock);
VOID NTAPI NdisReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock);
VOID NTAPI NdisDprAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock);
VOID NTAPI NdisDprReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock);

typedef struct _NDIS_EVENT
{
    KEVENT Event;
} NDIS_EVENT, *PNDIS_EVENT;
VOID NTAPI NdisInitializeEvent(PNDIS_EVENT Event);
VOID NTAPI NdisSetEvent(PNDIS_EVENT Event);
VOID NTAPI NdisResetEvent(PNDIS_EVENT Event);
BOOLEAN NTAPI NdisWaitEvent(PNDIS_EVENT Event, UINT msToWait);
VOID NTAPI NdisMSleep(ULONG MicrosecondsToSleep);

#define NdisInterlockedIncrement(Addend) InterlockedIncrement(Addend)
#define NdisInterlockedDecrement(Addend) InterlockedDecrement(Addend)
#define NdisInitializeListHead(ListHead) InitializeListHead(ListHead)
#define NdisInterlockedInsertHeadList(ListHead, Entry, Lock) \
    ExInterlockedInsertHeadList((ListHead), (Entry), &(Lock)->SpinLock)
#define NdisInterlockedInsertTailList(ListHead, Entry, Lock) \
    ExInterlockedInsertTailList((ListHead), (Entry), &(Lock)->SpinLock)
#define NdisInterlockedRemoveHeadList(ListHead, Lock) ExInterlockedRemoveHeadList((ListHead), &(Lock)->SpinLock)
#define NDIS_CURRENT_IRQL()                           KeGetCurrentIrql()
#define NdisGetCurrentSystemTime(CurrentTime)         KeQuerySystemTime(CurrentTime)
#define NdisStallExecution(MicroSeconds)              KeStallExecutionProcessor(MicroSeconds)

typedef struct _NDIS_CONFIGURATION_OBJECT
{
    NDIS_OBJECT_HEADER Header;
    NDIS_HANDLE NdisHandle;
    ULONG Flags;
} NDIS_CONFIGURATION_OBJECT, *PNDIS_CONFIGURATION_OBJECT;
#define NDIS_CONFIGURATION_OBJECT_REVISION_1        1
#define NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1 RTL_SIZEOF_THROUGH_FIELD(NDIS_CONFIGURATION_OBJECT, Flags)
_Static_assert(sizeof(NDIS_CONFIGURATION_OBJECT) == 24, "NDIS_CONFIGURATION_OBJECT");

typedef struct _BINARY_DATA
{
    USHORT Length;
    PVOID Buffer;
} BINARY_DATA;
typedef enum _NDIS_PARAMETER_TYPE
{
    NdisParameterInteger,
    NdisParameterHexInteger,
    NdisParameterString,
    NdisParameterMultiString,
    NdisParameterBinary
} NDIS_PARAMETER_TYPE, *PNDIS_PARAMETER_TYPE;
typedef struct _NDIS_CONFIGURATION_PARAMETER
{
    NDIS_PARAMETER_TYPE ParameterType;
    union
    {
        ULONG IntegerData;
        NDIS_STRING StringData;
        BINARY_DATA BinaryData;
    } ParameterData;
} NDIS_CONFIGURATION_PARAMETER, *PNDIS_CONFIGURATION_PARAMETER;
_Static_assert(sizeof(NDIS_CONFIGURATION_PARAMETER) == 24, "NDIS_CONFIGURATION_PARAMETER");
NDIS_STATUS NTAPI NdisOpenConfigurationEx(PNDIS_CONFIGURATION_OBJECT ConfigObject, PNDIS_HANDLE ConfigurationHandle);
VOID NTAPI NdisReadConfiguration(PNDIS_STATUS Status, PNDIS_CONFIGURATION_PARAMETER *ParameterValue,
                                 NDIS_HANDLE ConfigurationHandle, PNDIS_STRING Keyword,
                                 NDIS_PARAMETER_TYPE ParameterType);
VOID NTAPI NdisWriteConfiguration(PNDIS_STATUS Status, NDIS_HANDLE ConfigurationHandle, PNDIS_STRING Keyword,
                                  PNDIS_CONFIGURATION_PARAMETER ParameterValue);
VOID NTAPI NdisCloseConfiguration(NDIS_HANDLE ConfigurationHandle);
#define NDIS_STRING_CONST(text)                                   \
    {                                                             \
        sizeof(text) - sizeof(WCHAR), sizeof(text), (PWSTR)(text) \
    }
#define NdisInitUnicodeString(Destination, Source) RtlInitUnicodeString((Destination), (Source))

typedef VOID NTAPI NDIS_IO_WORKITEM(PVOID WorkItemContext, NDIS_HANDLE NdisIoWorkItemHandle);
typedef NDIS_IO_WORKITEM(*NDIS_IO_WORKITEM_ROUTINE);
typedef NDIS_IO_WORKITEM NDIS_IO_WORKITEM_FUNCTION;
NDIS_HANDLE NTAPI NdisAllocateIoWorkItem(NDIS_HANDLE NdisObjectHandle);
VOID NTAPI NdisQueueIoWorkItem(NDIS_HANDLE NdisIoWorkItemHandle, NDIS_IO_WORKITEM_ROUTINE Routine,
                               PVOID WorkItemContext);
VOID NTAPI NdisFreeIoWorkItem(NDIS_HANDLE NdisIoWorkItemHandle);

typedef VOID NTAPI NDIS_TIMER_FUNCTION(PVOID SystemSpecific1, PVOID FunctionContext, PVOID SystemSpecific2,
                                       PVOID SystemSpecific3);
typedef NDIS_TIMER_FUNCTION *PNDIS_TIMER_FUNCTION;
typedef struct _NDIS_TIMER_CHARACTERISTICS
{
    NDIS_OBJECT_HEADER Header;
    ULONG AllocationTag;
    PNDIS_TIMER_FUNCTION TimerFunction;
    PVOID FunctionContext;
} NDIS_TIMER_CHARACTERISTICS, *PNDIS_TIMER_CHARACTERISTICS;
#define NDIS_TIMER_CHARACTERISTICS_REVISION_1 1
#define NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1 \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_TIMER_CHARACTERISTICS, FunctionContext)
_Static_assert(sizeof(NDIS_TIMER_CHARACTERISTICS) == 24, "NDIS_TIMER_CHARACTERISTICS");
NDIS_STATUS NTAPI NdisAllocateTimerObject(NDIS_HANDLE NdisHandle, PNDIS_TIMER_CHARACTERISTICS TimerCharacteristics,
                                          PNDIS_HANDLE pTimerObject);
BOOLEAN NTAPI NdisSetTimerObject(NDIS_HANDLE TimerObject, LARGE_INTEGER DueTime, LONG MillisecondsPeriod,
                                 PVOID FunctionContext);
BOOLEAN NTAPI NdisCancelTimerObject(NDIS_HANDLE TimerObject);
VOID NTAPI NdisFreeTimerObject(NDIS_HANDLE TimerObject);

#endif
