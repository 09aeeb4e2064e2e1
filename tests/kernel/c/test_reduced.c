/* Partial-order reduction: as many runs as formulas say, and never another outcome than all schedules have, on programs
 * of which each statement is drawn.
 */
#include <ntddk.h>

#include "check.h"
#include "depend.h"

enum
{
    ACTORS = 3,
    STATEMENTS = 5, /* of an actor, at most */
    CELLS = 2,
    OUTCOMES = 4096,
    LENGTH = 64
};

enum statement
{
    NOTHING,
    READ, /* a cell, into the outcome */
    WRITE,
    LOCK, /* one of two locks, with a step inside; always given back */
    NEST, /* one lock inside the other, in either order: some programs come to a deadlock */
    SIGNAL,
    WAIT,
    CLEAR,
    SHARE, /* a reader-writer lock */
    EXCLUDE,
    ENTER, /* run-down protection */
    RUN_DOWN,
    LOOK, /* at an event, without waiting */
    STATEMENTS_KINDS
};

static uint8_t program[ACTORS][STATEMENTS][2]; /* statement and its operand */
static unsigned actor_count;
static long cells[CELLS];
static KSPIN_LOCK locks[2];
static EX_SPIN_LOCK shared;
static KEVENT event;
static EX_RUNDOWN_REF rundown;
static char seen_by[ACTORS][LENGTH]; /* what each actor read, in order */

static void read_cell(unsigned actor, unsigned cell)
{
    schedule_point(POINT_INTERLOCKED, &cells[cell]);
    depend(&cells[cell], DEPEND_READ);
    const size_t length = strlen(seen_by[actor]);
    CHECK(length < LENGTH - 1);
    seen_by[actor][length] = (char)('0' + cells[cell] % 64);
}

/* The value says who wrote what. */
static void write_cell(unsigned actor, unsigned cell)
{
    schedule_point(POINT_INTERLOCKED, &cells[cell]);
    depend(&cells[cell], DEPEND_WRITE);
    cells[cell] = cells[cell] * 3 % 17 + (long)actor + 1;
}

static void lock_and(unsigned actor, unsigned first, unsigned second, unsigned cell)
{
    KIRQL outer, inner;
    KeAcquireSpinLock(&locks[first], &outer);
    if (second != first)
        KeAcquireSpinLock(&locks[second], &inner);
    write_cell(actor, cell);
    if (second != first)
        KeReleaseSpinLock(&locks[second], inner);
    KeReleaseSpinLock(&locks[first], outer);
}

static void note(unsigned actor, char what)
{
    const size_t length = strlen(seen_by[actor]);
    CHECK(length < LENGTH - 1);
    seen_by[actor][length] = what;
}

static void carry_out(unsigned actor, unsigned statement, unsigned operand)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KIRQL irql;
    switch (statement)
    {
    case READ:
        read_cell(actor, operand);
        break;
    case WRITE:
        write_cell(actor, operand);
        break;
    case LOCK:
        lock_and(actor, operand, operand, operand);
        break;
    case NEST:
        lock_and(actor, operand, 1 - operand, operand);
        break;
    case SIGNAL:
        KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
        break;
    case WAIT:
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        break;
    case LOOK:
        note(actor, KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &now) == STATUS_SUCCESS ? 'y' : 'n');
        break;
    case CLEAR:
        KeClearEvent(&event);
        break;
    case SHARE:
        irql = ExAcquireSpinLockShared(&shared);
        read_cell(actor, operand);
        ExReleaseSpinLockShared(&shared, irql);
        break;
    case EXCLUDE:
        irql = ExAcquireSpinLockExclusive(&shared);
        write_cell(actor, operand);
        ExReleaseSpinLockExclusive(&shared, irql);
        break;
    case ENTER:
        note(actor, ExAcquireRundownProtection(&rundown) ? 'e' : 'r');
        if (seen_by[actor][strlen(seen_by[actor]) - 1] == 'r')
            break;
        write_cell(actor, operand);
        ExReleaseRundownProtection(&rundown);
        break;
    case RUN_DOWN:
        ExWaitForRundownProtectionRelease(&rundown);
        read_cell(actor, operand);
        break;
    default:
        break;
    }
}

static void run_program(void *argument)
{
    const unsigned actor = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < STATEMENTS; i++)
        carry_out(actor, program[actor][i][0], program[actor][i][1]);
}

static void start_all(bool backwards)
{
    memset(cells, 0, sizeof cells);
    memset(seen_by, 0, sizeof seen_by);
    shared = 0;
    for (unsigned i = 0; i < 2; i++)
        KeInitializeSpinLock(&locks[i]);
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    ExInitializeRundownProtection(&rundown);
    for (unsigned i = 0; i < actor_count; i++)
    {
        const unsigned actor = backwards ? actor_count - 1 - i : i;
        actor_start(run_program, (void *)(uintptr_t)actor, actor + 1);
    }
}

struct outcomes
{
    size_t runs;
    size_t count;
    char of[OUTCOMES][ACTORS * LENGTH + 32];
};

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static size_t place_of(const struct outcomes *outcomes, const char *text)
{
    size_t i = 0;
    while (i < outcomes->count && strcmp(outcomes->of[i], text) != 0)
        i++;
    return i;
}

static void add_outcome(struct outcomes *outcomes, enum run_result result)
{
    char text[sizeof outcomes->of[0]];
    snprintf(text, sizeof text, "%d %ld %ld %s|%s|%s", (int)result, cells[0], cells[1], seen_by[0], seen_by[1],
             seen_by[2]);
    if (place_of(outcomes, text) < outcomes->count)
        return;
    CHECK(outcomes->count < OUTCOMES);
    memcpy(outcomes->of[outcomes->count++], text, sizeof text);
}

/* False when there are more than `limit` runs. */
static bool find_outcomes(struct oracle *oracle, struct outcomes *outcomes, size_t limit, bool backwards)
{
    struct snapshot *start = snapshot_take();
    bool more = true;
    use_oracle(oracle);
    outcomes->runs = outcomes->count = 0;
    while (more && outcomes->runs <= limit)
    {
        snapshot_restore(start);
        oracle_clear(oracle);
        start_all(backwards);
        const enum run_result result = scheduler_run(0);
        CHECK(!oracle->diverged);
        if (oracle->rests != NULL)
            oracle->rests(oracle, (int)result);
        if (!oracle->pruned)
        {
            outcomes->runs += 1;
            add_outcome(outcomes, result);
        }
        more = oracle->again(oracle);
    }
    snapshot_restore(start);
    snapshot_delete(start);
    use_oracle(oracle_first_new());
    qsort(outcomes->of, outcomes->count, sizeof outcomes->of[0], compare);
    return !more;
}

static struct outcomes all;
static struct outcomes few;

static void clear_program(unsigned actors)
{
    memset(program, 0, sizeof program);
    actor_count = actors;
}

static void check_same(void)
{
    bool same = all.count == few.count;
    for (size_t i = 0; same && i < all.count; i++)
        same = strcmp(all.of[i], few.of[i]) == 0;
    if (same)
        return;
    for (unsigned actor = 0; actor < actor_count; actor++)
    {
        fprintf(stderr, "actor %u:", actor);
        for (unsigned i = 0; i < STATEMENTS; i++)
            fprintf(stderr, " %u/%u", program[actor][i][0], program[actor][i][1]);
        fprintf(stderr, "\n");
    }
    for (size_t i = 0; i < all.count; i++)
        if (bsearch(all.of[i], few.of, few.count, sizeof few.of[0], compare) == NULL)
            fprintf(stderr, "lost: %s\n", all.of[i]);
    fprintf(stderr, "%zu outcomes of %zu runs, %zu of %zu\n", all.count, all.runs, few.count, few.runs);
    CHECK(same);
}

static size_t runs_reduced(void)
{
    CHECK(find_outcomes(oracle_reduced_new(), &few, SIZE_MAX - 1, false));
    return few.runs;
}

TEST(independent_actors_need_one_run)
{
    clear_program(2);
    for (unsigned i = 0; i < STATEMENTS; i++)
    {
        program[0][i][0] = program[1][i][0] = i % 2 == 0 ? WRITE : LOCK;
        program[1][i][1] = 1;
    }
    CHECK_EQUAL(runs_reduced(), 1);
    clear_program(3); /* and readers are independent, as many as there are */
    for (unsigned i = 0; i < 3; i++)
        program[i][0][0] = program[i][1][0] = READ;
    CHECK_EQUAL(runs_reduced(), 1);
}

TEST(n_writers_of_one_place_need_n_factorial_runs)
{
    clear_program(2);
    program[0][0][0] = program[1][0][0] = WRITE;
    CHECK_EQUAL(runs_reduced(), 2);
    clear_program(3);
    for (unsigned i = 0; i < 3; i++)
        program[i][0][0] = WRITE;
    CHECK_EQUAL(runs_reduced(), 6);
    for (unsigned i = 0; i < 3; i++)
        program[i][0][0] = LOCK; /* with a step inside */
    CHECK_EQUAL(runs_reduced(), 6);
}

TEST(two_actors_that_write_one_place_need_all_their_interleavings)
{
    clear_program(2);
    for (unsigned i = 0; i < 3; i++)
        program[0][i][0] = program[1][i][0] = WRITE;
    CHECK_EQUAL(runs_reduced(), 20); /* 6! / (3! 3!) */
}

TEST(a_reader_needs_one_run_for_each_place_among_the_writes)
{
    clear_program(2);
    program[0][0][0] = READ;
    for (unsigned i = 0; i < 4; i++)
        program[1][i][0] = WRITE;
    CHECK_EQUAL(runs_reduced(), 5);
}

static uint32_t drawn(uint64_t state[4], uint32_t options)
{
    return oracle_draw(state, options);
}

static void draw_program(uint64_t state[4])
{
    clear_program(2 + drawn(state, 2));
    const unsigned length = actor_count == 2 ? 4 : 2;
    for (unsigned actor = 0; actor < actor_count; actor++)
        for (unsigned i = 0; i < 1 + drawn(state, length); i++)
        {
            program[actor][i][0] = (uint8_t)drawn(state, STATEMENTS_KINDS);
            program[actor][i][1] = (uint8_t)drawn(state, 2);
        }
}

enum
{
    PROGRAMS = 150,
    LIMIT = 8000 /* runs of a program that is compared */
};

TEST(no_outcome_of_a_drawn_program_is_lost)
{
    uint64_t state[4];
    size_t compared = 0, runs = 0, reduced = 0, pruned_less = 0;
    oracle_seed(state, 20260401);
    for (unsigned number = 0; number < PROGRAMS; number++)
    {
        draw_program(state);
        if (!find_outcomes(oracle_depth_first_new(UINT32_MAX, SIZE_MAX), &all, LIMIT, false))
            continue;
        CHECK(find_outcomes(oracle_reduced_new(), &few, all.runs, false));
        check_same();
        compared += 1;
        runs += all.runs;
        reduced += few.runs;
        pruned_less += few.runs < all.runs;
    }
    CHECK(compared > PROGRAMS / 2);
    CHECK(reduced * 10 < runs);
    CHECK(pruned_less * 2 > compared);
}

TEST(another_order_of_actors_gives_the_same_outcomes)
{
    uint64_t state[4];
    oracle_seed(state, 77);
    for (unsigned number = 0; number < 100; number++)
    {
        draw_program(state);
        if (!find_outcomes(oracle_reduced_new(), &all, LIMIT, false))
            continue;
        CHECK(find_outcomes(oracle_reduced_new(), &few, LIMIT * 10, true));
        check_same();
    }
}

/* Every first choice of two goes to somebody else; each of them reduces what lies behind. */
TEST(shards_by_prefix_lose_nothing_together)
{
    uint64_t state[4];
    oracle_seed(state, 4711);
    for (unsigned number = 0; number < 60; number++)
    {
        draw_program(state);
        if (!find_outcomes(oracle_depth_first_new(UINT32_MAX, SIZE_MAX), &all, LIMIT / 10, false))
            continue;
        static struct outcomes part;
        struct oracle *cutter = oracle_depth_first_new(UINT32_MAX, 2);
        struct snapshot *start = snapshot_take();
        uint32_t prefixes[16][2];
        size_t lengths[16], prefix_count = 0;
        bool more = true;
        use_oracle(cutter);
        while (more)
        {
            snapshot_restore(start);
            oracle_clear(cutter);
            start_all(false);
            scheduler_run(0);
            lengths[prefix_count] = cutter->count < 2 ? cutter->count : 2;
            memcpy(prefixes[prefix_count], cutter->record, lengths[prefix_count] * sizeof prefixes[0][0]);
            prefix_count += 1;
            more = cutter->again(cutter);
        }
        snapshot_restore(start);
        snapshot_delete(start);
        few.count = 0;
        for (size_t i = 0; i < prefix_count; i++)
        {
            struct oracle *oracle = oracle_reduced_new();
            oracle_begin_with(oracle, prefixes[i], lengths[i]);
            CHECK(find_outcomes(oracle, &part, LIMIT, false));
            for (size_t k = 0; k < part.count; k++)
                if (place_of(&few, part.of[k]) == few.count)
                    memcpy(few.of[few.count++], part.of[k], sizeof part.of[k]);
        }
        qsort(few.of, few.count, sizeof few.of[0], compare);
        check_same();
    }
}
