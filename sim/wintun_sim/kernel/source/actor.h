/* Actors: what runs at the same time as something else. Each is a coroutine with a stack of its own, and is to the
 * driver a processor: it has an IRQL, it holds locks, and other actors run only where it lets them, at scheduling
 * points.
 *
 * At a scheduling point the oracle is asked who goes on, if more than one could. Option 0 is the actor that is running,
 * if it can; the others follow in order of their index. So "always 0" runs each actor until it ends or blocks.
 *
 * Waiting: an actor waits for an *object*, which is any address, compared and never followed. Whoever takes the object
 * away says so (actor_taken), whoever makes it available says so (actor_wake); an actor is therefore chosen only when
 * it can really go on, and no schedule is wasted on one that looks, finds nothing and waits again.
 */
#ifndef WINTUN_SIM_ACTOR_H
#define WINTUN_SIM_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct request;

enum
{
    ACTOR_LIMIT = 64,             /* actors alive at once: the width of a bit mask */
    ACTOR_HELD_LIMIT = 16,        /* locks that one actor may hold */
    ACTOR_STACK_SIZE = 256 << 10, /* bytes; Windows gives a thread 24 KiB, sanitizers want more */
};

/* Why an actor stands at a scheduling point: what it is about to do with the point's object. */
enum point_kind
{
    POINT_START,
    POINT_CALL,    /* any call to the host kernel that others can see */
    POINT_ACQUIRE, /* a lock */
    POINT_RELEASE,
    POINT_WAIT, /* an event, a rundown, a completion */
    POINT_SIGNAL,
    POINT_SLEEP,
    POINT_INTERLOCKED,
    POINT_VOLATILE,
    POINT_CLIENT_READ, /* a read of memory that a client can change */
    POINT_KINDS
};

enum lock_family
{
    LOCK_KE_SPIN,      /* KeAcquireSpinLock, AtDpcLevel, RaiseToDpc */
    LOCK_KE_QUEUED,    /* KeAcquireInStackQueuedSpinLock */
    LOCK_NDIS_SPIN,    /* NdisAcquireSpinLock, NdisDprAcquireSpinLock */
    LOCK_CANCEL,       /* IoAcquireCancelSpinLock */
    LOCK_EX_EXCLUSIVE, /* ExAcquireSpinLockExclusive */
    LOCK_EX_SHARED,
    LOCK_FAST_MUTEX, /* not a spin lock: may be held over IoCompleteRequest, never over a wait at DISPATCH_LEVEL */
    LOCK_FAMILIES
};

struct held_lock
{
    const volatile void *address;
    const volatile void *handle; /* in-stack queued locks: the KLOCK_QUEUE_HANDLE */
    uint8_t family;              /* enum lock_family */
    uint8_t old_irql;
    uint8_t raised;    /* the acquire raised the IRQL (the AtDpcLevel forms do not) */
    const void *place; /* whither the acquiring function returns */
};

#define ACTOR_NO_DEADLINE UINT64_MAX

typedef void actor_entry(void *argument);

struct actor
{
    void *stack_pointer; /* where it stands while it does not run */
    uint8_t index;
    uint8_t irql;
    uint8_t held_count;
    uint8_t point; /* enum point_kind: what it is about to do */
    uint8_t timed_out;
    bool attached;               /* to a process (object.h) */
    uint32_t number;             /* 1, 2, 3, … in the order in which they were started */
    uint16_t call_depth;         /* calls into drivers under way, one inside the other */
    uint32_t operation;          /* on whose behalf it runs; 0 for the host's own work */
    struct image *image;         /* whose code is running, NULL for the host's */
    struct request *request;     /* that a dispatch routine was called with and has not returned for, or NULL */
    const char *handler;         /* the innermost handler under way, a literal; NULL outside */
    const volatile void *object; /* of `point` */
    const char *purpose; /* what a wait is for, a literal for messages: "an event"; NULL: the point's name says it */
    uint64_t deadline;   /* virtual time at which a wait ends by itself, ACTOR_NO_DEADLINE */
    uint64_t points;     /* scheduling points passed */
    actor_entry *entry;
    void *argument;
    void *fiber;                             /* the address sanitizer's */
    struct held_lock held[ACTOR_HELD_LIMIT]; /* oldest first */
};

enum run_result
{
    RUN_QUIESCENT, /* every actor has ended */
    RUN_BLOCKED,   /* actors remain, and each waits for something that nothing will bring: see actor_next */
    RUN_CRASHED,   /* the driver crashed, asserted or called for a bug check; the host can only be restored or closed */
    RUN_BUDGET,    /* more scheduling points than allowed; likewise */
    RUN_PRUNED     /* given up by the oracle; likewise */
};

struct scheduler
{
    struct actor *current;    /* NULL while no actor runs */
    uint64_t alive;           /* bit i: actors[i] exists */
    uint64_t runnable;        /* … and can go on */
    uint64_t gated;           /* … and waits before an operation, runnable or not (gate.h) */
    uint64_t waiting;         /* … and stands at actor_wait, runnable or not */
    uint64_t steps;           /* scheduling points passed in all runs */
    uint64_t steps_limit;     /* `steps` at which a run ends with RUN_BUDGET */
    struct actor *actors;     /* ACTOR_LIMIT of them */
    uint8_t *stacks;          /* ACTOR_LIMIT of them, each above a guard page */
    void *main_stack_pointer; /* where scheduler_run stands while an actor runs */
    void *main_fiber;
    const void *main_stack_bottom;
    size_t main_stack_size;
    bool from_main;  /* the change of stacks under way leaves scheduler_run's */
    bool asks;       /* whoever is switched to says where in a driver it stands, and switches back */
    uintptr_t place; /* what it said, 0: in none */
    uint32_t started;
    uint8_t used;   /* indexes below this were used at least once */
    uint8_t result; /* enum run_result */
};

/* Adds an actor at PASSIVE_LEVEL that will call entry(argument) when it is chosen. Callable from anywhere. NULL when
 * ACTOR_LIMIT is reached (a broken rule then).
 */
struct actor *actor_start(actor_entry *entry, void *argument, uint32_t operation);

/* Another actor may go on here. Called by an actor; does nothing outside one. */
void schedule_point(enum point_kind kind, const volatile void *object);

/* A scheduling point that is passed only while `object` is available. `available` says whether it is now; from then on
 * actor_taken and actor_wake keep the account. Returns true once the caller was chosen while it was available, and
 * false when virtual time reached `deadline` first (a deadline that has passed: after one scheduling point). Callers
 * look again in a loop.
 */
bool actor_wait(enum point_kind kind, const volatile void *object, bool available, uint64_t deadline);

/* The same with words for the wait in messages: "the rundown of the device to end". `purpose` is a literal. */
bool actor_wait_for(const char *purpose, const volatile void *object, bool available, uint64_t deadline);

/* `object` is available no longer: other actors that wait for it are not runnable. */
void actor_taken(const volatile void *object);

/* `object` is available: all that wait for it are runnable. */
void actor_wake(const volatile void *object);

/* Runs actors until none can go on; virtual time is moved on only when all that is left waits (clock.h). Called outside
 * of actors. `budget` bounds the scheduling points of this run; 0 means no bound.
 */
enum run_result scheduler_run(uint64_t budget);

/* The alive actor with the lowest index that is at least `from`, NULL if there is none. After RUN_BLOCKED all alive
 * ones are blocked. */
struct actor *actor_next(uint32_t from);

/* Writes into `text` what the actor waits for: "waits for spin lock …, held by …". Deterministic. Returns `text`. */
const char *actor_describe(const struct actor *actor, char *text, size_t size);

/* Where in a driver's code the actor stands: the return address of its innermost call out of an image, 0 if there is
 * none. After a run that ended with RUN_BLOCKED or RUN_BUDGET, for one of the actors that are left. */
uintptr_t actor_place(struct actor *actor);

/* Moves those on whose waits virtual time has ended; for clock.c. Returns whether there was one. */
bool actor_expire_deadlines(void);

/* The earliest deadline of an actor that cannot go on, or ACTOR_NO_DEADLINE. */
uint64_t actor_first_deadline(void);

/* Ends the current run at once with `result`; from an actor, never returns. For crash.c and budget checks. */
_Noreturn void scheduler_abandon(enum run_result result);

void scheduler_initialize(struct scheduler *scheduler, struct actor *actors, uint8_t *stacks);

/* The words for a point kind and for a lock family in messages and schedules. */
const char *point_kind_name(enum point_kind kind);
const char *lock_family_name(enum lock_family family);

#endif
