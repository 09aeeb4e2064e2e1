/* Strategies on programs whose interleavings a formula counts. */
#include "check.h"

enum
{
    ACTORS = 3,
    STEPS = 4,
    LENGTH = ACTORS * STEPS,
    ORDERS = 34650 /* 12! / (4! 4! 4!), the multinomial coefficient */
};

static char order[LENGTH + 1];
static unsigned length;

static void take_steps(void *argument)
{
    for (int step = 0; step < STEPS; step++)
    {
        if (step != 0)
            schedule_point(POINT_CALL, NULL);
        order[length++] = *(const char *)argument;
    }
}

static void start_all(void)
{
    static const char names[] = "abc";
    memset(order, 0, sizeof order);
    length = 0;
    for (int actor = 0; actor < ACTORS; actor++)
        actor_start(take_steps, (void *)(uintptr_t)&names[actor], (uint32_t)actor + 1);
}

static char seen[ORDERS + 1][LENGTH + 1];
static unsigned seen_count;

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void check_distinct(void)
{
    qsort(seen, seen_count, sizeof seen[0], compare);
    for (unsigned i = 1; i < seen_count; i++)
        CHECK(strcmp(seen[i - 1], seen[i]) != 0);
}

/* Explores under `oracle`, which it deletes, and leaves the orders in `seen`. Returns whether runs were cut off. */
static bool explore_all(struct oracle *oracle)
{
    struct snapshot *start = snapshot_take();
    use_oracle(oracle);
    seen_count = 0;
    do
    {
        snapshot_restore(start);
        oracle_clear(oracle);
        start_all();
        CHECK(scheduler_run(0) == RUN_QUIESCENT);
        CHECK(!oracle->diverged);
        CHECK(seen_count < ORDERS);
        memcpy(seen[seen_count++], order, sizeof order);
    } while (oracle->again(oracle));
    snapshot_delete(start);
    const bool cut = oracle_depth_first_cut(oracle);
    use_oracle(oracle_first_new());
    return cut;
}

/* How often an order leaves an actor that has steps left. */
static unsigned preemptions_of(const char *steps)
{
    unsigned count = 0;
    unsigned taken[ACTORS] = {0};
    for (int i = 0; i < LENGTH; i++)
    {
        if (i != 0 && steps[i] != steps[i - 1] && taken[steps[i - 1] - 'a'] != STEPS)
            count += 1;
        taken[steps[i] - 'a'] += 1;
    }
    return count;
}

TEST(depth_first_without_a_bound_sees_34650_orders_of_three_actors_of_four_steps_each_once)
{
    CHECK(!explore_all(oracle_depth_first_new(UINT32_MAX, SIZE_MAX)));
    CHECK_EQUAL(seen_count, ORDERS);
    check_distinct();
}

/* How many orders there are with each number of preemptions, counted by hand from all of them; and the sum to each
 * bound is what depth-first sees, each once and nothing beyond. */
TEST(depth_first_with_a_bound_sees_exactly_the_orders_with_no_more_preemptions)
{
    unsigned with[LENGTH + 1] = {0};
    explore_all(oracle_depth_first_new(UINT32_MAX, SIZE_MAX));
    for (unsigned i = 0; i < seen_count; i++)
        with[preemptions_of(seen[i])] += 1;
    CHECK_EQUAL(with[0], 6); /* 3! orders of whole actors */
    unsigned expected = 0;
    for (uint32_t bound = 0; bound <= 10; bound++)
    {
        expected += with[bound];
        const bool cut = explore_all(oracle_depth_first_new(bound, SIZE_MAX));
        CHECK_EQUAL(seen_count, expected);
        CHECK(cut == (expected != ORDERS));
        check_distinct();
        for (unsigned i = 0; i < seen_count; i++)
            CHECK(preemptions_of(seen[i]) <= bound);
    }
    CHECK_EQUAL(expected, ORDERS);
}

/* The first two choices are among three and, whoever is chosen, among three again. */
TEST(the_first_levels_of_depth_first_cut_the_work_into_parts_that_together_are_all)
{
    explore_all(oracle_depth_first_new(UINT32_MAX, 2));
    CHECK_EQUAL(seen_count, 9);
    static char whole[ORDERS][LENGTH + 1];
    unsigned total = 0;
    for (uint32_t one = 0; one < 3; one++)
        for (uint32_t other = 0; other < 3; other++)
        {
            const uint32_t script[] = {CHOICE(CHOICE_ACTOR, 3, one), CHOICE(CHOICE_ACTOR, 3, other)};
            struct oracle *oracle = oracle_depth_first_new(UINT32_MAX, SIZE_MAX);
            oracle_begin_with(oracle, script, 2);
            explore_all(oracle);
            memcpy(whole[total], seen, seen_count * sizeof seen[0]);
            total += seen_count;
        }
    CHECK_EQUAL(total, ORDERS);
    memcpy(seen, whole, sizeof whole);
    seen_count = total;
    check_distinct();
}

TEST(a_run_drawn_at_random_depends_on_seed_and_number_alone)
{
    struct oracle *oracle = oracle_random_new(1);
    use_oracle(oracle);
    char first[8][LENGTH + 1];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 8; i++)
        {
            const unsigned run = round == 0 ? i : 7 - i;
            oracle_clear(oracle);
            oracle_seed_run(oracle->state, 5, run);
            start_all();
            CHECK(scheduler_run(0) == RUN_QUIESCENT);
            if (round == 0)
                memcpy(first[run], order, sizeof order);
            else
                CHECK(strcmp(first[run], order) == 0);
        }
    for (unsigned run = 1; run < 8; run++)
        CHECK(strcmp(first[run], first[0]) != 0);
}

/* Explores `runs` runs, numbered from 0, under `oracle`, which it deletes. */
static void explore_some(struct oracle *oracle, unsigned runs, void (*judge)(void))
{
    struct snapshot *start = snapshot_take();
    use_oracle(oracle);
    for (unsigned run = 0; run < runs; run++)
    {
        snapshot_restore(start);
        oracle_clear(oracle);
        oracle->begin(oracle, run);
        start_all();
        CHECK(scheduler_run(0) == RUN_QUIESCENT);
        judge();
    }
    snapshot_delete(start);
    use_oracle(oracle_first_new());
}

enum
{
    K = LENGTH /* steps of a run: each letter is one */
};

static unsigned hits;
static unsigned allowed;

static void judge_preemptions(void)
{
    CHECK(preemptions_of(order) <= allowed);
    CHECK_EQUAL(current_host->oracle->preemptions, preemptions_of(order));
    hits += strcmp(order, "ccccbbbbaaaa") == 0;
}

/* Depth 1: no priority ever changes, so whole actors run one after the other; each of the 3! orders has odds of 1 in 6,
 * and the bound says 1 in n = 3 for the first of them alone. */
TEST(pct_of_depth_d_preempts_d_minus_1_times_at_most)
{
    for (uint32_t depth = 1; depth <= 5; depth++)
    {
        hits = 0;
        allowed = depth - 1;
        explore_some(oracle_pct_new(1, depth, K), 6000, judge_preemptions);
        if (depth == 1)
            CHECK(hits > 900 && hits < 1100);
    }
}

static void judge_two_constraints(void)
{
    /* b's last step comes between a's third and fourth: two orderings, an error of depth 2. */
    const char *b = strrchr(order, 'b');
    unsigned steps = 0;
    for (const char *letter = order; letter < b; letter++)
        steps += *letter == 'a';
    hits += steps == 3;
}

static void judge_three_constraints(void)
{
    /* … and c's last between b's second and third: depth 3 at most. */
    const char *b = strrchr(order, 'b');
    const char *c = strrchr(order, 'c');
    unsigned steps_a = 0;
    unsigned steps_b = 0;
    for (const char *letter = order; letter < b; letter++)
        steps_a += *letter == 'a';
    for (const char *letter = order; letter < c; letter++)
        steps_b += *letter == 'b';
    hits += steps_a == 3 && steps_b == 2;
}

/* Burckhardt et al. (ASPLOS 2010), theorem 9: each run finds an error of depth d with a probability of at least
 * 1 / (n k^(d-1)). With n = 3 and k = 12 that is 1 / 36 for depth 2 and 1 / 432 for depth 3. */
TEST(pct_keeps_its_promise)
{
    hits = 0;
    explore_some(oracle_pct_new(7, 2, K), 20000, judge_two_constraints);
    CHECK(hits >= 20000 / (3 * K));
    hits = 0;
    explore_some(oracle_pct_new(7, 3, K), 20000, judge_three_constraints);
    CHECK(hits >= 20000 / (3 * K * K));
    CHECK(oracle_pct_new(7, 0, K) == NULL);
    CHECK(oracle_pct_new(7, ORACLE_PCT_DEPTH + 1, K) == NULL);
    CHECK(oracle_pct_new(7, 1, 0) == NULL);
}
