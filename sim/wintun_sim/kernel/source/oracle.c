/* What all oracles share: asking and recording (oracle.h). */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

void oracle_delete(struct oracle *oracle)
{
    if (oracle == NULL)
        return;
    free(oracle->record);
    free(oracle);
}

void oracle_clear(struct oracle *oracle)
{
    oracle->count = 0;
    oracle->script_position = 0;
    oracle->diverged = false;
}

static void record(struct oracle *oracle, uint32_t choice)
{
    if (oracle->count == oracle->capacity)
    {
        size_t capacity = oracle->capacity == 0 ? 1024 : oracle->capacity * 2;
        uint32_t *grown = realloc(oracle->record, capacity * sizeof *grown);
        if (grown == NULL)
        {
            fprintf(stderr, "wintun-sim: the record of choices needs room for %zu, which the system refuses\n",
                    capacity);
            abort();
        }
        oracle->record = grown;
        oracle->capacity = capacity;
    }
    oracle->record[oracle->count++] = choice;
}

uint32_t oracle_choose(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    if (options <= 1)
        return 0;
    if (options > CHOICE_OPTIONS_LIMIT)
        options = CHOICE_OPTIONS_LIMIT;
    uint32_t chosen = oracle->choose(oracle, kind, options);
    if (chosen >= options)
        chosen = 0;
    record(oracle, CHOICE(kind, options, chosen));
    return chosen;
}
