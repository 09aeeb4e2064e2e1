/* The graph of lock orders (lock_order.h). Its nodes are locks, its edges say "was acquired while … was held", with
 * both places and with the locks that guarded the acquisition.
 *
 * A circle is a deadlock only if its edges can happen at once: not when one lock is held exclusively at two of them (a
 * gate: Havelund, "Using Runtime Analysis to Guide Model Checking of Java Programs", SPIN 2000), nor where a lock is
 * only shared on both sides.
 */
#include "lock_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum
{
    NODE_LIMIT = 64, /* the width of a bit mask; only locks that are held together with others are nodes */
    EDGE_LIMIT = 512,
    CACHE_SIZE = 8
};

struct node
{
    const volatile void *address; /* NULL: unused */
    uint64_t serial;              /* of the block that it lies in; 0: in none */
};

struct edge
{
    const void *from_place; /* return addresses in the driver */
    const void *to_place;
    uint64_t guards; /* bit i: node i was held exclusively */
    uint8_t from;
    uint8_t to;
    bool from_shared;
    bool to_shared;
};

/* An acquisition that is in the graph and closes nothing. */
struct known
{
    const volatile void *held;
    const volatile void *wanted;
    const void *place;
};

struct lock_order
{
    struct node nodes[NODE_LIMIT];
    struct edge edges[EDGE_LIMIT];
    uint32_t edge_count;
    struct known known[CACHE_SIZE];
};

struct lock_order *lock_order_new(void)
{
    return calloc(1, sizeof(struct lock_order));
}

void lock_order_delete(struct lock_order *order)
{
    free(order);
}

static uint64_t serial_of(const volatile void *address)
{
    const struct block *block = arena_block_of(address);
    return block == NULL ? 0 : block->serial;
}

static void forget_node(struct lock_order *order, unsigned node)
{
    uint32_t kept = 0;
    for (uint32_t index = 0; index < order->edge_count; index++)
    {
        struct edge edge = order->edges[index];
        if (edge.from == node || edge.to == node)
            continue;
        edge.guards &= ~(UINT64_C(1) << node);
        order->edges[kept++] = edge;
    }
    order->edge_count = kept;
    order->nodes[node] = (struct node){NULL, 0};
    memset(order->known, 0, sizeof order->known);
}

static bool is_gone(const struct node *node)
{
    return node->serial != serial_of(node->address);
}

/* Sees to it that so many locks can become nodes: those of memory that is gone make room, and if they are too few, all
 * that is known is forgotten. */
static void make_room(struct lock_order *order, unsigned wanted)
{
    unsigned unused = 0;
    for (unsigned node = 0; node < NODE_LIMIT; node++)
        unused += order->nodes[node].address == NULL;
    for (unsigned node = 0; node < NODE_LIMIT && unused < wanted; node++)
        if (order->nodes[node].address != NULL && is_gone(&order->nodes[node]))
        {
            forget_node(order, node);
            unused++;
        }
    if (unused < wanted)
        memset(order, 0, sizeof *order);
}

/* The node of a lock, a new one if it has none; there is room for it. */
static unsigned node_of(struct lock_order *order, const volatile void *address)
{
    const uint64_t serial = serial_of(address);
    unsigned unused = 0;
    for (unsigned node = 0; node < NODE_LIMIT; node++)
        if (order->nodes[node].address == NULL)
            unused = node;
        else if (order->nodes[node].address == address && order->nodes[node].serial == serial)
            return node;
    order->nodes[unused] = (struct node){address, serial};
    return unused;
}

/* A way from the end of `path` back to its beginning that can happen at the same time as the path. Returns its length
 * in edges with the path's, 0 if there is none. */
static unsigned find_way(const struct lock_order *order, const struct edge *path[NODE_LIMIT], unsigned length,
                         uint64_t guards, uint64_t visited)
{
    const struct edge *first = path[0];
    const struct edge *last = path[length - 1];
    if (last->to == first->from)
        return last->to_shared && first->from_shared ? 0 : length;
    for (uint32_t index = 0; index < order->edge_count && length < NODE_LIMIT; index++)
    {
        const struct edge *next = &order->edges[index];
        if (next->from != last->to || (visited >> next->to & 1) != 0 || (next->guards & guards) != 0 ||
            (last->to_shared && next->from_shared))
            continue;
        path[length] = next;
        const unsigned found = find_way(order, path, length + 1, guards | next->guards,
                                        visited | (next->to == first->from ? 0 : UINT64_C(1) << next->to));
        if (found != 0)
            return found;
    }
    return 0;
}

static const char *describe_place(const void *place, char *text, size_t size)
{
    const uintptr_t address = (uintptr_t)place;
    const struct image *image = address == 0 ? NULL : image_of(address);
    if (image == NULL)
        snprintf(text, size, "the system");
    else
        image_place(image, address - 1, text, size);
    return text;
}

static void report(const struct edge *const *path, unsigned length)
{
    char text[768];
    size_t used = 0;
    text[0] = '\0';
    for (unsigned index = 0; index < length && used < sizeof text; index++)
    {
        char from[160];
        char to[160];
        const int written = snprintf(
            text + used, sizeof text - used, "%slock %c, acquired in %s, is held while lock %c is acquired in %s",
            index == 0 ? "" : "; ", 'A' + (int)index % 26, describe_place(path[index]->from_place, from, sizeof from),
            'A' + (int)((index + 1) % length) % 26, describe_place(path[index]->to_place, to, sizeof to));
        used += written < 0 ? 0 : (size_t)written;
    }
    rule_broken("DeadlockDetection",
                "locks are acquired in a circle: %s; processors that do so at once wait for each "
                "other for ever",
                text);
}

static void add(struct lock_order *order, const struct edge *wanted)
{
    for (uint32_t index = 0; index < order->edge_count; index++)
    {
        const struct edge *edge = &order->edges[index];
        if (edge->from == wanted->from && edge->to == wanted->to && edge->to_place == wanted->to_place &&
            edge->from_place == wanted->from_place && edge->guards == wanted->guards &&
            edge->from_shared == wanted->from_shared && edge->to_shared == wanted->to_shared)
            return;
    }
    if (order->edge_count == EDGE_LIMIT)
    {
        order->edge_count = 0;
        memset(order->known, 0, sizeof order->known);
    }
    order->edges[order->edge_count++] = *wanted;
}

/* Whether the acquisition closes a circle, which is reported. */
static bool acquire_from(struct lock_order *order, const struct held_lock *held, const struct held_lock *wanted,
                         uint64_t guards, unsigned to)
{
    const struct edge edge = {.from_place = held->place,
                              .to_place = wanted->place,
                              .guards = guards,
                              .from = (uint8_t)node_of(order, held->address),
                              .to = (uint8_t)to,
                              .from_shared = held->family == LOCK_EX_SHARED,
                              .to_shared = wanted->family == LOCK_EX_SHARED};
    if (edge.from == edge.to)
        return false; /* waiting for oneself is another rule's business */
    const struct edge *path[NODE_LIMIT] = {&edge};
    const unsigned length = find_way(order, path, 1, guards, UINT64_C(1) << edge.to);
    if (length != 0)
        report(path, length);
    add(order, &edge);
    return length != 0;
}

void lock_order_acquire(const struct actor *actor, const struct held_lock *wanted)
{
    struct lock_order *order = current_host->lock_order;
    const struct held_lock *first = &actor->held[0];
    struct known *known = &order->known[((uintptr_t)wanted->place >> 2) % CACHE_SIZE];
    if (actor->held_count == 1 && known->held == first->address && known->wanted == wanted->address &&
        known->place == wanted->place)
        return;
    make_room(order, actor->held_count + 1U);
    uint64_t guards = 0;
    for (unsigned index = 0; index < actor->held_count; index++)
        if (actor->held[index].family != LOCK_EX_SHARED)
            guards |= UINT64_C(1) << node_of(order, actor->held[index].address);
    const unsigned to = node_of(order, wanted->address);
    bool closes = false;
    for (unsigned index = 0; index < actor->held_count; index++)
        closes = acquire_from(order, &actor->held[index], wanted, guards, to) || closes;
    if (actor->held_count == 1 && !closes)
        *known = (struct known){first->address, wanted->address, wanted->place};
}

void lock_order_begin(const volatile void *address)
{
    struct lock_order *order = current_host->lock_order;
    for (unsigned node = 0; node < NODE_LIMIT; node++)
        if (order->nodes[node].address == address)
            forget_node(order, node);
}

struct lock_order *lock_order_copy(void)
{
    struct lock_order *copy = lock_order_new();
    if (copy != NULL)
        *copy = *current_host->lock_order;
    return copy;
}

/* With every run, so only what is in use. */
void lock_order_restore(const struct lock_order *then)
{
    struct lock_order *order = current_host->lock_order;
    memcpy(order->nodes, then->nodes, sizeof order->nodes);
    memcpy(order->edges, then->edges, then->edge_count * sizeof *then->edges);
    order->edge_count = then->edge_count;
    memcpy(order->known, then->known, sizeof order->known);
}
