/* A driver that never becomes one: its DriverEntry reads or writes behind the end of a variable, as HOW says, and
 * returns. What may be touched lies within the variables.
 */
#include <ndis.h>

static UCHAR Table[10];
static UCHAR Numbers[5] = {1, 2, 3, 4, 5};
static volatile ULONG Sink;

__declspec(noinline) static VOID Fill(UCHAR *Bytes, ULONG Count)
{
    while (Count-- != 0)
        Bytes[Count] = (UCHAR)Count;
}

__declspec(noinline) static VOID Local(ULONG Count)
{
    UCHAR Small[13];
    ULONG Other[4];

    Fill(Small, Count);
    Fill((UCHAR *)Other, sizeof Other);
    Sink = Small[3] + Other[1];
}

__declspec(noinline) static VOID Copy(ULONG Count)
{
    UCHAR Here[24];

    NdisMoveMemory(Here, Table, Count);
    Sink = Here[2];
}

__declspec(noinline) static ULONG Before(const ULONG *Numbered)
{
    return Numbered[-1];
}

__declspec(noinline) static VOID CallBefore(VOID)
{
    ULONG Pair[2] = {3, 4};

    Sink = Before(Pair);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    Sink = HOW;
    switch (Sink)
    {
    case 0:
        Local(13);
        Fill(Table, sizeof Table);
        Copy(sizeof Table);
        Sink = Numbers[HOW];
        break;
    case 1:
        Local(14);
        break;
    case 2:
        Fill(Table, 11);
        break;
    case 3:
        Copy(12);
        break;
    case 4:
        Sink = *(Numbers + Sink + 1);
        break;
    case 5:
        CallBefore();
        break;
    }
    return STATUS_SUCCESS;
}
