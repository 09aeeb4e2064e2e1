/* A driver that imports what no Windows has. */
#include <wdm.h>

void NoSuchFunctionOne(void);
void NoSuchFunctionTwo(void);

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    (void)DriverObject;
    (void)RegistryPath;
    NoSuchFunctionTwo();
    NoSuchFunctionOne();
    return KeGetCurrentIrql() == PASSIVE_LEVEL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
