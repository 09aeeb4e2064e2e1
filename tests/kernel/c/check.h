/* A C test is a story with a name; the program runs the one it is asked for, in a host of its own (main.c). */
#ifndef TESTS_KERNEL_CHECK_H
#define TESTS_KERNEL_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct test
{
    const char *name;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *test);

#define TEST(test_name)                                                 \
    static void test_##test_name(void);                                 \
    __attribute__((constructor)) static void register_##test_name(void) \
    {                                                                   \
        static struct test test = {#test_name, test_##test_name, NULL}; \
        test_register(&test);                                           \
    }                                                                   \
    static void test_##test_name(void)

#define CHECK(condition)                                                                  \
    do                                                                                    \
        if (!(condition))                                                                 \
        {                                                                                 \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            print_events();                                                               \
            exit(1);                                                                      \
        }                                                                                 \
    while (0)

#define CHECK_EQUAL(actual, expected)                                                                          \
    do                                                                                                         \
    {                                                                                                          \
        unsigned long long actual_ = (unsigned long long)(actual), expected_ = (unsigned long long)(expected); \
        if (actual_ != expected_)                                                                              \
        {                                                                                                      \
            fprintf(stderr, "%s:%d: %s is %llu, not %llu\n", __FILE__, __LINE__, #actual, actual_, expected_); \
            print_events();                                                                                    \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

/* How many events of this kind there are; rule events whose rule is `rule` (NULL: any) and whose message contains
 * `words` (NULL: any). */
unsigned count_events(uint32_t kind, const char *rule, const char *words);

static inline unsigned broken(const char *rule, const char *words)
{
    return count_events(HOST_EVENT_RULE_BROKEN, rule, words);
}

void print_events(void);

/* Carries out `run` under every sequence of choices, from the world as it is when this is called, and `judge`s the
 * world after each. Returns how many there were.
 */
size_t explore(void (*run)(void), void (*judge)(enum run_result result));

/* Puts another oracle in place of the host's. */
void use_oracle(struct oracle *oracle);

#endif
