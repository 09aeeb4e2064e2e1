/* Actors: stacks, interleavings, what a choice means, and what the scheduler says at the end. */
#include <ntddk.h>

#include "check.h"

static char order[64];
static unsigned order_length;

static void begin_order(void)
{
    order_length = 0;
    memset(order, 0, sizeof order);
}

static void four_steps(void *argument)
{
    for (int step = 0; step < 4; step++)
    {
        if (step != 0)
            schedule_point(POINT_CALL, NULL);
        order[order_length++] = *(const char *)argument;
    }
}

static void start_three(void)
{
    begin_order();
    actor_start(four_steps, (void *)"a", 1);
    actor_start(four_steps, (void *)"b", 2);
    actor_start(four_steps, (void *)"c", 3);
}

/* Every interleaving is seen once: count distinct ones by a table. */
static char seen[40000][12];
static unsigned seen_count;

static void judge_three(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK_EQUAL(order_length, 12);
    memcpy(seen[seen_count++], order, 12);
}

static int compare_orders(const void *left, const void *right)
{
    return memcmp(left, right, 12);
}

/* 12! / (4! 4! 4!) = 34,650: the multinomial coefficient. */
TEST(three_actors_of_four_steps_have_34650_interleavings_each_seen_once)
{
    CHECK_EQUAL(explore(start_three, judge_three), 34650);
    qsort(seen, seen_count, 12, compare_orders);
    for (unsigned i = 1; i < seen_count; i++)
        CHECK(memcmp(seen[i - 1], seen[i], 12) != 0);
}

TEST(the_first_oracle_runs_each_actor_to_its_end)
{
    start_three();
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(strcmp(order, "aaaabbbbcccc") == 0);
}

static void record_order(uint64_t seed, char *text)
{
    use_oracle(oracle_random_new(seed));
    start_three();
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    strcpy(text, order);
}

TEST(a_seed_gives_one_order_and_the_recorded_choices_give_it_again)
{
    char first[64], again[64], replayed[64], other[64];
    record_order(7, first);
    record_order(7, again);
    CHECK(strcmp(first, again) == 0);
    struct oracle *oracle = current_host->oracle;
    size_t count = oracle->count;
    uint32_t *script = malloc(count * sizeof *script);
    memcpy(script, oracle->record, count * sizeof *script);
    use_oracle(oracle_replay_new(script, count));
    start_three();
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    strcpy(replayed, order);
    CHECK(strcmp(first, replayed) == 0);
    CHECK(!current_host->oracle->diverged);
    CHECK_EQUAL(current_host->oracle->count, count);
    CHECK(memcmp(current_host->oracle->record, script, count * sizeof *script) == 0);
    record_order(8, other);
    CHECK(strcmp(first, other) != 0);
    free(script);
}

TEST(a_replay_of_another_run_says_that_it_diverged)
{
    static const uint32_t script[] = {CHOICE(CHOICE_ACTOR, 3, 2), CHOICE(CHOICE_ACTOR, 2, 1)};
    use_oracle(oracle_replay_new(script, 2));
    start_three();
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(current_host->oracle->diverged);
}

/* Keeps values in as many registers and stack words as the compiler likes while others run. */
static void keep_registers(void *argument)
{
    uint64_t seed = *(uint64_t *)argument;
    uint64_t values[16];
    for (unsigned i = 0; i < 16; i++)
        values[i] = seed * (i + 1);
    for (int round = 0; round < 100; round++)
    {
        uint64_t a = values[0], b = values[1], c = values[2], d = values[3], e = values[4], f = values[5];
        double g = (double)seed;
        schedule_point(POINT_CALL, NULL);
        CHECK(a == seed && b == seed * 2 && c == seed * 3 && d == seed * 4 && e == seed * 5 && f == seed * 6);
        CHECK(g == (double)seed);
        for (unsigned i = 0; i < 16; i++)
            CHECK(values[i] == seed * (i + 1));
    }
}

TEST(a_change_of_stacks_keeps_what_an_actor_had)
{
    static uint64_t seeds[ACTOR_LIMIT];
    use_oracle(oracle_random_new(1));
    for (unsigned i = 0; i < ACTOR_LIMIT; i++)
    {
        seeds[i] = 1000003 * (i + 1);
        CHECK(actor_start(keep_registers, &seeds[i], 1) != NULL);
    }
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
}

TEST(one_actor_more_than_there_is_room_for_is_reported)
{
    static uint64_t seed = 1;
    for (unsigned i = 0; i < ACTOR_LIMIT; i++)
        CHECK(actor_start(keep_registers, &seed, 1) != NULL);
    CHECK(actor_start(keep_registers, &seed, 1) == NULL);
    CHECK_EQUAL(broken("ActorLimit", NULL), 1);
}

static void start_another(void *argument)
{
    order[order_length++] = '1';
    if (argument != NULL)
        actor_start(start_another, NULL, 2);
    schedule_point(POINT_CALL, NULL);
    order[order_length++] = '2';
}

TEST(an_actor_can_start_another_and_an_index_is_used_again)
{
    begin_order();
    for (int round = 0; round < 1000; round++)
    {
        order_length = 0;
        actor_start(start_another, order, 1);
        CHECK(scheduler_run(0) == RUN_QUIESCENT);
        CHECK(strcmp(order, "1212") == 0);
    }
    CHECK_EQUAL(current_host->scheduler.used, 2);
}

static void never_ends(void *argument)
{
    (void)argument;
    for (;;)
        schedule_point(POINT_CALL, NULL);
}

TEST(a_driver_that_never_returns_ends_with_its_budget)
{
    actor_start(never_ends, NULL, 1);
    CHECK(scheduler_run(1000) == RUN_BUDGET);
    CHECK_EQUAL(current_host->scheduler.steps, 1000);
}

static const char the_object[1];

static void wait_for_nothing(void *argument)
{
    (void)argument;
    actor_wait_for("what never comes", the_object, false, ACTOR_NO_DEADLINE);
}

TEST(an_actor_that_waits_for_nothing_is_described_and_can_go_on_later)
{
    char text[128];
    actor_start(wait_for_nothing, NULL, 5);
    CHECK(scheduler_run(0) == RUN_BLOCKED);
    CHECK_EQUAL(actor_next(0)->operation, 5);
    CHECK(strstr(actor_describe(actor_next(0), text, sizeof text), "waits for what never comes") != NULL);
    actor_wake(the_object);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(actor_next(0) == NULL);
}

/* Three wait for one thing that each takes in turn: nobody is chosen in vain. */
static bool free_now;
static unsigned takers;

static void take_and_give(void *argument)
{
    (void)argument;
    bool got = actor_wait(POINT_ACQUIRE, &free_now, free_now, ACTOR_NO_DEADLINE);
    CHECK(got && free_now);
    free_now = false;
    actor_taken(&free_now);
    schedule_point(POINT_CALL, NULL);
    takers += 1;
    free_now = true;
    actor_wake(&free_now);
}

static void start_takers(void)
{
    free_now = true;
    takers = 0;
    for (int i = 0; i < 3; i++)
        actor_start(take_and_give, NULL, 1);
}

static void judge_takers(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK_EQUAL(takers, 3);
}

TEST(an_actor_is_chosen_only_when_what_it_waits_for_is_there)
{
    CHECK(explore(start_takers, judge_takers) > 3);
}
