/* Pools of NET_BUFFER_LISTs and NET_BUFFERs that drivers make, and reading a NET_BUFFER's data
 * (learn.microsoft.com/windows-hardware/drivers/network/net-buffer-architecture).
 *
 * A pool is a slab, so that an NBL a packet costs a few nanoseconds, and one that is touched after it was freed is
 * found (slab.h). Allocating is nothing that another processor sees, so none of these calls is a scheduling point.
 */
#include "io_room.h"
#include "ndis_header.h"
#include "ndis_room.h"
#include "rule_fast.h"

#include <string.h>

#include "shadow.h"

/* What of a freed NBL is poisoned: all that drivers use, up to the out-of-band information. */
#define POISONED offsetof(NET_BUFFER_LIST, NetBufferListInfo)

/* What of an NBL that is lent to the stack is no miniport's to look at: all before what is reserved for miniports. */
#define LENT offsetof(NET_BUFFER_LIST, MiniportReserved)

enum nbl_owner
{
    NBL_OF_DRIVER,
    NBL_OUT /* indicated, and not yet given back */
};

/* An NBL of a driver's pool, with the NB that belongs to it where the pool has such. The context lies behind. */
struct pool_nbl
{
    NET_BUFFER_LIST nbl;
    NET_BUFFER nb;
    enum nbl_owner owner;
    bool has_nb;
};

_Static_assert(offsetof(struct pool_nbl, nbl) == 0, "an NBL's address is its pool_nbl's");

/* Its address is the driver's pool handle: a BLOCK_NBL_POOL. */
struct nbl_pool
{
    struct nbl_pool *next;
    struct slab slab;
    uint16_t image;
    uint16_t context_size;
    bool of_lists; /* else of NET_BUFFERs alone */
    bool with_nb;
};

static struct nbl_pool *pool_of(NDIS_HANDLE handle, const char *function)
{
    for (struct nbl_pool *pool = current_host->ndis->pools; pool != NULL; pool = pool->next)
        if (pool == handle)
            return pool;
    rule_broken("NdisAllocateNetBuffer", "%s was given a handle that is no pool of this driver", function);
    return NULL;
}

static void check_irql(const char *function)
{
    check_at_most_dispatch("Irql_NetBuffer_Function", function);
}

static struct nbl_pool *pool_new(size_t item_size, const char *function)
{
    if (fault_strikes(HOST_FAULT_NBL_POOL))
        return NULL;
    struct nbl_pool *pool = arena_allocate(BLOCK_NBL_POOL, sizeof *pool, 0, function);
    if (pool == NULL)
        return NULL;
    memset(pool, 0, sizeof *pool);
    slab_initialize(&pool->slab, "a NET_BUFFER_LIST", item_size, POISONED);
    pool->image = image_number(actor_current()->image);
    pool->next = current_host->ndis->pools;
    current_host->ndis->pools = pool;
    return pool;
}

static void pool_delete(struct nbl_pool *pool, const char *function)
{
    struct nbl_pool **place = &current_host->ndis->pools;
    while (*place != pool)
        place = &(*place)->next;
    *place = pool->next;
    slab_close(&pool->slab);
    arena_free(BLOCK_NBL_POOL, pool, 0, function);
}

static void pool_free_checked(NDIS_HANDLE handle, bool of_lists, const char *function)
{
    struct nbl_pool *pool = pool_of(handle, function);
    if (pool == NULL)
        return;
    if (pool->of_lists != of_lists)
    {
        rule_broken("NdisAllocateNetBuffer", "%s was given a pool of another kind", function);
        return;
    }
    if (pool->slab.live != 0)
        rule_broken("NdisAllocateNetBuffer", "%s was given a pool of which %u are still allocated", function,
                    pool->slab.live);
    pool_delete(pool, function);
}

static const struct object_form LIST_POOL = {
    .name = "NET_BUFFER_LIST_POOL_PARAMETERS",
    .type = NDIS_OBJECT_TYPE_DEFAULT,
    .parameter = 0x21,
    .whole = sizeof(NET_BUFFER_LIST_POOL_PARAMETERS),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1}}};

static const struct object_form POOL = {
    .name = "NET_BUFFER_POOL_PARAMETERS",
    .type = NDIS_OBJECT_TYPE_DEFAULT,
    .parameter = 0x21,
    .whole = sizeof(NET_BUFFER_POOL_PARAMETERS),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1}}};

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. */
NDIS_HANDLE NTAPI NdisAllocateNetBufferListPool(NDIS_HANDLE NdisHandle, PNET_BUFFER_LIST_POOL_PARAMETERS Parameters)
{
    check_irql("NdisAllocateNetBufferListPool");
    call_spoil_stack(); /* what the driver calls next lies where this does */
    if (!object_check(&Parameters->Header, &LIST_POOL, ANY_NDIS))
        return NULL;
    if (Parameters->ContextSize % MEMORY_ALLOCATION_ALIGNMENT != 0)
        rule_broken("NdisAllocateNetBuffer", "the ContextSize of a NET_BUFFER_LIST pool, %u, is not a multiple of %u",
                    Parameters->ContextSize, MEMORY_ALLOCATION_ALIGNMENT);
    if (Parameters->ProtocolId != NDIS_PROTOCOL_ID_DEFAULT)
        rule_broken("NdisAllocateNetBuffer", "the ProtocolId of a NET_BUFFER_LIST pool is 0x%X: a miniport's is 0",
                    Parameters->ProtocolId);
    const size_t context = Parameters->ContextSize == 0 ? 0 : sizeof(NET_BUFFER_LIST_CONTEXT) + Parameters->ContextSize;
    struct nbl_pool *pool = pool_new(sizeof(struct pool_nbl) + context, "NdisAllocateNetBufferListPool");
    if (pool == NULL)
        return NULL;
    pool->of_lists = true;
    pool->with_nb = Parameters->fAllocateNetBuffer;
    pool->context_size = Parameters->ContextSize;
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter == NdisHandle)
            adapter->told.pool_tag = Parameters->PoolTag;
    return pool;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisFreeNetBufferListPool(NDIS_HANDLE PoolHandle)
{
    check_irql("NdisFreeNetBufferListPool");
    pool_free_checked(PoolHandle, true, "NdisFreeNetBufferListPool");
}

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. Its NET_BUFFERs have no data of their own (DataSize 0). */
NDIS_HANDLE NTAPI NdisAllocateNetBufferPool(NDIS_HANDLE NdisHandle, PNET_BUFFER_POOL_PARAMETERS Parameters)
{
    (void)NdisHandle;
    check_irql("NdisAllocateNetBufferPool");
    if (!object_check(&Parameters->Header, &POOL, ANY_NDIS))
        return NULL;
    return pool_new(sizeof(NET_BUFFER), "NdisAllocateNetBufferPool");
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisFreeNetBufferPool(NDIS_HANDLE PoolHandle)
{
    check_irql("NdisFreeNetBufferPool");
    pool_free_checked(PoolHandle, false, "NdisFreeNetBufferPool");
}

/* Points a NET_BUFFER's current MDL to where its data begins, `offset` bytes into its chain. */
static void net_buffer_fill(NET_BUFFER *nb, MDL *chain, ULONG offset, SIZE_T length, NDIS_HANDLE pool)
{
    slab_clear(nb, sizeof *nb);
    nb->MdlChain = chain;
    nb->DataOffset = offset;
    nb->DataLength = (ULONG)length;
    nb->NdisPoolHandle = pool;
    while (chain != NULL && offset >= chain->ByteCount && chain->Next != NULL)
    {
        offset -= chain->ByteCount;
        chain = chain->Next;
    }
    nb->CurrentMdl = chain;
    nb->CurrentMdlOffset = offset;
}

static struct pool_nbl *list_new(struct nbl_pool *pool, USHORT context_size, USHORT backfill, const char *function)
{
    if (fault_strikes(HOST_FAULT_NBL))
        return NULL;
    if ((uint32_t)context_size + backfill > pool->context_size)
    {
        rule_broken("NdisAllocateNetBuffer", "%s was asked for %u bytes of context, but the pool has %u", function,
                    (unsigned)context_size + backfill, pool->context_size);
        return NULL;
    }
    struct pool_nbl *item = slab_take(&pool->slab);
    if (item == NULL)
        return NULL;
    slab_clear(&item->nbl, sizeof item->nbl);
    item->nbl.NdisPoolHandle = pool;
    item->owner = NBL_OF_DRIVER;
    item->has_nb = false;
    if (pool->context_size != 0)
    {
        NET_BUFFER_LIST_CONTEXT *context = (NET_BUFFER_LIST_CONTEXT *)(void *)(item + 1);
        memset(context, 0, sizeof *context + pool->context_size);
        context->Size = pool->context_size;
        context->Offset = (USHORT)(pool->context_size - context_size);
        item->nbl.Context = context;
    }
    return item;
}

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. */
PNET_BUFFER_LIST NTAPI NdisAllocateNetBufferList(NDIS_HANDLE PoolHandle, USHORT ContextSize, USHORT ContextBackFill)
{
    check_irql("NdisAllocateNetBufferList");
    struct nbl_pool *pool = pool_of(PoolHandle, "NdisAllocateNetBufferList");
    if (pool == NULL || !pool->of_lists)
        return NULL;
    struct pool_nbl *item = list_new(pool, ContextSize, ContextBackFill, "NdisAllocateNetBufferList");
    return item == NULL ? NULL : &item->nbl;
}

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. */
PNET_BUFFER_LIST NTAPI NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE PoolHandle, USHORT ContextSize,
                                                             USHORT ContextBackFill, PMDL MdlChain, ULONG DataOffset,
                                                             SIZE_T DataLength)
{
    static const char function[] = "NdisAllocateNetBufferAndNetBufferList";
    check_irql(function);
    struct nbl_pool *pool = pool_of(PoolHandle, function);
    if (pool == NULL)
        return NULL;
    if (!pool->of_lists || !pool->with_nb)
    {
        rule_broken("NdisAllocateNetBuffer", "%s was given a pool that was made without fAllocateNetBuffer", function);
        return NULL;
    }
    struct pool_nbl *item = list_new(pool, ContextSize, ContextBackFill, function);
    if (item == NULL)
        return NULL;
    net_buffer_fill(&item->nb, MdlChain, DataOffset, DataLength, pool);
    item->has_nb = true;
    item->nbl.FirstNetBuffer = &item->nb;
    return &item->nbl;
}

static struct nbl_pool *pool_of_item(const NET_BUFFER_LIST *nbl)
{
    for (struct nbl_pool *pool = current_host->ndis->pools; pool != NULL; pool = pool->next)
        if (slab_live(&pool->slab, nbl) != NULL)
            return pool;
    return NULL;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisFreeNetBufferList(PNET_BUFFER_LIST NetBufferList)
{
    check_irql("NdisFreeNetBufferList");
    struct nbl_pool *pool = pool_of_item(NetBufferList);
    if (pool == NULL || !pool->of_lists)
    {
        rule_broken("NdisAllocateNetBuffer", "NdisFreeNetBufferList was given something that is no allocated "
                                             "NET_BUFFER_LIST of a pool, or was freed already");
        return;
    }
    struct pool_nbl *item = (struct pool_nbl *)(void *)NetBufferList;
    if (item->owner == NBL_OUT)
    {
        rule_broken("NblOwnership", "NdisFreeNetBufferList was given an NBL that was indicated and not returned yet");
        return;
    }
    slab_poison(&item->nb, offsetof(NET_BUFFER, ChecksumBias));
    slab_give(&pool->slab, item);
}

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. */
PNET_BUFFER NTAPI NdisAllocateNetBuffer(NDIS_HANDLE PoolHandle, PMDL MdlChain, ULONG DataOffset, SIZE_T DataLength)
{
    check_irql("NdisAllocateNetBuffer");
    struct nbl_pool *pool = pool_of(PoolHandle, "NdisAllocateNetBuffer");
    if (pool == NULL || pool->of_lists || fault_strikes(HOST_FAULT_NBL))
        return NULL;
    NET_BUFFER *nb = slab_take(&pool->slab);
    if (nb != NULL)
        net_buffer_fill(nb, MdlChain, DataOffset, DataLength, pool);
    return nb;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisFreeNetBuffer(PNET_BUFFER NetBuffer)
{
    check_irql("NdisFreeNetBuffer");
    for (struct nbl_pool *pool = current_host->ndis->pools; pool != NULL; pool = pool->next)
        if (!pool->of_lists && slab_live(&pool->slab, NetBuffer) != NULL)
        {
            slab_give(&pool->slab, NetBuffer);
            return;
        }
    rule_broken("NdisAllocateNetBuffer", "NdisFreeNetBuffer was given something that is no allocated NET_BUFFER of a "
                                         "pool, or was freed already");
}

/* The bytes of an MDL, or NULL when they cannot be mapped. */
static uint8_t *mdl_bytes(MDL *mdl)
{
    return MmGetSystemAddressForMdlSafe(mdl, LowPagePriority | MdlMappingNoExecute);
}

bool net_buffer_copy(const NET_BUFFER *nb, uint32_t length, uint8_t *to)
{
    MDL *mdl = nb->CurrentMdl;
    uint32_t offset = nb->CurrentMdlOffset;
    if (length > nb->DataLength)
        return false;
    for (uint32_t done = 0; done < length; mdl = mdl->Next, offset = 0)
    {
        const uint8_t *bytes = mdl == NULL || offset > mdl->ByteCount ? NULL : mdl_bytes(mdl);
        if (bytes == NULL)
            return false;
        const uint32_t here = mdl->ByteCount - offset;
        const uint32_t part = length - done < here ? length - done : here;
        memcpy(to + done, bytes + offset, part);
        done += part;
    }
    return true;
}

/* The bytes where they are, if they are contiguous and aligned there. */
static uint8_t *bytes_in_place(const NET_BUFFER *nb, ULONG needed, ULONG multiple, ULONG remainder)
{
    MDL *mdl = nb->CurrentMdl;
    const uint32_t offset = nb->CurrentMdlOffset;
    if (offset > mdl->ByteCount || needed > mdl->ByteCount - offset)
        return NULL;
    uint8_t *bytes = mdl_bytes(mdl);
    if (bytes == NULL || (multiple > 1 && ((uintptr_t)bytes + offset) % multiple != remainder))
        return NULL;
    return bytes + offset;
}

/* IRQL <= DISPATCH_LEVEL. NULL when there are fewer bytes, when they cannot be mapped, or when they are not contiguous
 * (or not aligned as wanted) and there is no `Storage` to copy them to. */
PVOID NTAPI NdisGetDataBuffer(PNET_BUFFER NetBuffer, ULONG BytesNeeded, PVOID Storage, ULONG AlignMultiple,
                              ULONG AlignOffset)
{
    check_irql("NdisGetDataBuffer");
    if (AlignMultiple == 0 || (AlignMultiple & (AlignMultiple - 1)) != 0)
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisGetDataBuffer was given the AlignMultiple %u: it is a power of 2",
                    AlignMultiple);
    if (BytesNeeded <= NetBuffer->DataLength && NetBuffer->CurrentMdl != NULL)
    {
        uint8_t *bytes = bytes_in_place(NetBuffer, BytesNeeded, AlignMultiple, AlignOffset);
        if (bytes != NULL)
            return bytes;
        if (Storage != NULL)
            check_range(Storage, BytesNeeded, ACCESS_WRITE, __builtin_return_address(0));
        if (Storage != NULL && net_buffer_copy(NetBuffer, BytesNeeded, Storage))
            return Storage;
    }
    current_host->io->failures++;
    return NULL;
}

/* IRQL <= DISPATCH_LEVEL. Moves the beginning of the data forward; no MDL is ever freed here, since none is added. */
VOID NTAPI NdisAdvanceNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG DataOffsetDelta, BOOLEAN FreeMdl,
                                         NET_BUFFER_FREE_MDL_HANDLER_PTR FreeMdlHandler)
{
    (void)FreeMdl;
    (void)FreeMdlHandler;
    check_irql("NdisAdvanceNetBufferDataStart");
    if (DataOffsetDelta > NetBuffer->DataLength)
    {
        rule_broken("NdisAllocateNetBuffer",
                    "NdisAdvanceNetBufferDataStart was asked to skip more bytes than there are");
        return;
    }
    NetBuffer->DataOffset += DataOffsetDelta;
    NetBuffer->DataLength -= DataOffsetDelta;
    NetBuffer->CurrentMdlOffset += DataOffsetDelta;
    while (NetBuffer->CurrentMdl != NULL && NetBuffer->CurrentMdlOffset >= NetBuffer->CurrentMdl->ByteCount &&
           NetBuffer->CurrentMdl->Next != NULL)
    {
        NetBuffer->CurrentMdlOffset -= NetBuffer->CurrentMdl->ByteCount;
        NetBuffer->CurrentMdl = NetBuffer->CurrentMdl->Next;
    }
}

/* IRQL <= DISPATCH_LEVEL. Takes room before the data that is there already; without such room there is none to get. */
NDIS_STATUS NTAPI NdisRetreatNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG DataOffsetDelta, ULONG DataBackFill,
                                                NET_BUFFER_ALLOCATE_MDL_HANDLER_PTR AllocateMdlHandler)
{
    (void)DataBackFill;
    (void)AllocateMdlHandler;
    check_irql("NdisRetreatNetBufferDataStart");
    if (DataOffsetDelta > NetBuffer->DataOffset)
        return NDIS_STATUS_RESOURCES;
    ULONG offset = NetBuffer->DataOffset - DataOffsetDelta;
    NetBuffer->DataOffset = offset;
    NetBuffer->DataLength += DataOffsetDelta;
    NetBuffer->CurrentMdl = NetBuffer->MdlChain;
    while (NetBuffer->CurrentMdl != NULL && offset >= NetBuffer->CurrentMdl->ByteCount &&
           NetBuffer->CurrentMdl->Next != NULL)
    {
        offset -= NetBuffer->CurrentMdl->ByteCount;
        NetBuffer->CurrentMdl = NetBuffer->CurrentMdl->Next;
    }
    NetBuffer->CurrentMdlOffset = offset;
    return NDIS_STATUS_SUCCESS;
}

struct pool_nbl *pool_nbl_of(NET_BUFFER_LIST *nbl)
{
    struct nbl_pool *pool = pool_of_item(nbl);
    return pool == NULL || !pool->of_lists ? NULL : (struct pool_nbl *)(void *)nbl;
}

bool pool_nbl_is_out(const struct pool_nbl *item)
{
    return item->owner == NBL_OUT;
}

void pool_nbl_set_out(struct pool_nbl *item, bool out)
{
    item->owner = out ? NBL_OUT : NBL_OF_DRIVER;
    if (out)
        shadow_forbid(&item->nbl, LENT);
    else
        shadow_allow(&item->nbl, LENT);
}

void pool_check_leaks(uint16_t image, const char *where)
{
    struct nbl_pool *next = NULL;
    for (struct nbl_pool *pool = current_host->ndis->pools; pool != NULL; pool = next)
    {
        next = pool->next;
        if (pool->image != image)
            continue;
        rule_broken("NdisAllocateNetBuffer", "%s left a pool of %s behind", where,
                    pool->of_lists ? "NET_BUFFER_LISTs" : "NET_BUFFERs");
        pool_delete(pool, "NDIS");
    }
}
