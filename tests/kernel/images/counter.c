/* A driver with a global, and a way to crash. */
#include <wdm.h>

static int Count = 100;

__declspec(dllexport) int CountUp(void)
{
    return ++Count;
}

static __declspec(noinline) int TouchNothing(volatile int *Nothing)
{
    return Nothing[2] + Count;
}

__declspec(dllexport) int Crash(void)
{
    return TouchNothing(NULL) + 1;
}

__declspec(dllexport) int Loop(void)
{
    while (Count != 0)
        Count |= 1;
    return 0;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    (void)DriverObject;
    (void)RegistryPath;
    return KeGetCurrentIrql() == PASSIVE_LEVEL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
