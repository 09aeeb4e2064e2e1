/* The timer behind the watchdog (watchdog.h): POSIX' per-thread processor time clock, which is Linux' to deliver to one
 * thread.
 *
 * Processor time and not the wall clock, so that a busy machine or a debugger's breakpoint is no hang.
 */
#define _GNU_SOURCE
#include "watchdog.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* The kernel's own calls: the C library's wrappers lie in another library on older systems. A kernel's timer is an int.
 */

static pthread_key_t timer_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void delete_timer(void *value)
{
    syscall(SYS_timer_delete, (int)((intptr_t)value - 1));
}

static void make_key(void)
{
    pthread_key_create(&timer_key, delete_timer);
}

void watchdog_start(void)
{
    pthread_once(&once, make_key);
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = WATCHDOG_SIGNAL;
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    int timer;
    if (syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0)
        return;
    const struct timespec tick = {.tv_nsec = 1000000000 / WATCHDOG_TICKS_A_SECOND};
    const struct itimerspec every = {.it_interval = tick, .it_value = tick};
    syscall(SYS_timer_settime, timer, 0, &every, NULL);
    pthread_setspecific(timer_key, (void *)((intptr_t)timer + 1)); /* never NULL */
}

#else

void watchdog_start(void)
{
}

#endif
