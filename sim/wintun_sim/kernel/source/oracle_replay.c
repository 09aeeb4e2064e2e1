/* The oracle that repeats a list of choices, and says when the run is another than the one it was recorded from. */
#include "oracle.h"

struct oracle *oracle_replay_new(const uint32_t *script, size_t length)
{
    struct oracle *oracle = oracle_first_new();
    if (oracle != NULL)
        oracle_begin_with(oracle, script, length);
    return oracle;
}
