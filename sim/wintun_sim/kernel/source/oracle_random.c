/* The oracle that draws every choice from a seed, each option with the same odds.
 *
 * The generator is xoshiro256** 1.0, seeded by SplitMix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 47, 2021); the same on every machine.
 */
#include <stdlib.h>

#include "oracle.h"

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

void oracle_seed(uint64_t state[4], uint64_t seed)
{
    for (int i = 0; i < 4; i++)
    {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t mixed = seed;
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
        state[i] = mixed ^ mixed >> 31;
    }
}

void oracle_seed_run(uint64_t state[4], uint64_t seed, uint64_t run)
{
    oracle_seed(state, seed);
    oracle_seed(state, state[0] ^ run * UINT64_C(0xD1342543DE82EF95));
}

uint32_t oracle_draw(uint64_t state[4], uint32_t options)
{
    uint64_t drawn = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    /* The upper 32 bits scaled to the range: off by at most options / 2^32 from uniform. */
    return (uint32_t)((drawn >> 32) * options >> 32);
}

struct random
{
    struct oracle oracle; /* first: an oracle is cast to this */
    uint64_t seed;
};

static void begin(struct oracle *oracle, uint64_t run)
{
    oracle_seed_run(oracle->state, ((const struct random *)oracle)->seed, run);
}

static uint32_t choose_random(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    (void)kind;
    return oracle_draw(oracle->state, options);
}

struct oracle *oracle_random_new(uint64_t seed)
{
    struct random *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        return NULL;
    mine->oracle.choose = choose_random;
    mine->oracle.begin = begin;
    mine->seed = seed;
    oracle_seed(mine->oracle.state, seed);
    return &mine->oracle;
}
