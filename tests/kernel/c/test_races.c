/* Data races of drawn programs, held against the graph of what happened before what: every release and the acquires
 * that come after it, and the way between any two accesses.
 */
#include <ntddk.h>

#include "check.h"
#include "happens.h"
#include "instrument.h"
#include "race.h"
#include "shadow.h"

enum
{
    ACTORS = 4,
    STATEMENTS = 6,
    BYTES = 32,
    STEPS = ACTORS * STATEMENTS * 3,
    PROGRAMS = 1500,
    TAG = 0x74736554
};

enum step_kind
{
    ACCESS,
    RELEASE,
    ACQUIRE
};

struct step
{
    unsigned actor;
    enum step_kind kind;
    unsigned first; /* an access: its bytes, and whether it writes; else the object */
    unsigned end;
    bool writes;
};

static struct step steps[STEPS];
static unsigned step_count;
static uint8_t *memory;
static KSPIN_LOCK locks[2];
static uint64_t drawn[4];
static unsigned program[ACTORS][STATEMENTS][4];

static void add(struct step step)
{
    CHECK(step_count < STEPS);
    steps[step_count++] = step;
}

static void access_memory(unsigned actor, unsigned first, unsigned size, bool writes)
{
    add((struct step){actor, ACCESS, first, first + size, writes});
    instrument_access(memory + first, size, writes ? ACCESS_WRITE : 0, &program[actor]);
}

static void run_program(void *argument)
{
    const unsigned actor = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < STATEMENTS; i++)
    {
        const unsigned *statement = program[actor][i];
        const unsigned lock = statement[0];
        KIRQL irql;
        schedule_point(POINT_CALL, NULL);
        if (lock < 2)
        {
            KeAcquireSpinLock(&locks[lock], &irql);
            add((struct step){actor, ACQUIRE, lock, 0, false});
        }
        access_memory(actor, statement[1], statement[2], statement[3] != 0);
        if (lock < 2)
        {
            add((struct step){actor, RELEASE, lock, 0, false});
            KeReleaseSpinLock(&locks[lock], irql);
        }
    }
}

static void draw_program(void)
{
    for (unsigned actor = 0; actor < ACTORS; actor++)
        for (unsigned i = 0; i < STATEMENTS; i++)
        {
            unsigned *statement = program[actor][i];
            statement[0] = oracle_draw(drawn, 8) == 0 ? 2 : oracle_draw(drawn, 2);
            statement[2] = 1u << oracle_draw(drawn, 4);
            /* Mostly behind the lock whose bytes they are. */
            statement[1] = (statement[0] == 1 ? 16 : 0) + oracle_draw(drawn, 16) / statement[2] * statement[2];
            statement[3] = oracle_draw(drawn, 3) == 0;
        }
}

/* Whether a way leads from each step to each later one. */
static bool reaches[STEPS][STEPS];

static bool has_race(void)
{
    memset(reaches, 0, sizeof reaches);
    for (unsigned to = 0; to < step_count; to++)
        for (unsigned from = to; from-- > 0;)
        {
            const bool direct =
                steps[from].actor == steps[to].actor ||
                (steps[from].kind == RELEASE && steps[to].kind == ACQUIRE && steps[from].first == steps[to].first);
            if (!direct)
                continue;
            reaches[from][to] = true;
            for (unsigned before = 0; before < from; before++)
                reaches[before][to] |= reaches[before][from];
        }
    for (unsigned to = 0; to < step_count; to++)
        for (unsigned from = 0; from < to; from++)
            if (steps[from].kind == ACCESS && steps[to].kind == ACCESS && (steps[from].writes || steps[to].writes) &&
                steps[from].first < steps[to].end && steps[to].first < steps[from].end && !reaches[from][to])
                return true;
    return false;
}

TEST(a_race_is_found_where_no_way_leads_from_one_access_to_the_other_and_nowhere_else)
{
    unsigned with = 0;
    shadow_begin();
    memory = ExAllocatePoolWithTag(NonPagedPoolNx, BYTES, TAG);
    for (unsigned i = 0; i < 2; i++)
        KeInitializeSpinLock(&locks[i]);
    oracle_seed(drawn, 5);
    use_oracle(oracle_random_new(5));
    for (unsigned number = 0; number < PROGRAMS; number++)
    {
        draw_program();
        step_count = 0;
        for (unsigned actor = 0; actor < ACTORS; actor++)
            actor_start(run_program, (void *)(uintptr_t)actor, actor + 1);
        happens_begin();
        const uint64_t before = races_found();
        CHECK(scheduler_run(0) == RUN_QUIESCENT);
        happens_end();
        const bool expected = has_race();
        CHECK((races_found() != before) == expected);
        with += expected;
    }
    CHECK(with > PROGRAMS / 10 && with < PROGRAMS * 9 / 10);
}

static void read_memory(void *argument)
{
    access_memory((unsigned)(uintptr_t)argument, 0, 4, false);
    schedule_point(POINT_CALL, NULL);
}

static void write_memory(void *argument)
{
    (void)argument;
    access_memory(0, 0, 4, true);
}

/* More readers than a granule has room for, each known when a writer comes that knows of none. */
TEST(a_writer_races_with_each_of_many_readers)
{
    shadow_begin();
    memory = ExAllocatePoolWithTag(NonPagedPoolNx, BYTES, TAG);
    for (uintptr_t reader = 1; reader <= 9; reader++)
        actor_start(read_memory, (void *)(reader % ACTORS), (uint32_t)reader);
    actor_start(write_memory, NULL, 10);
    happens_begin();
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(races_found(), 9);
    happens_begin(); /* what was before is in everybody's past */
    actor_start(write_memory, NULL, 11);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(races_found(), 9);
    happens_end();
}
