/* A driver that crashes: SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP in an actor, a failed ASSERT, KeBugCheckEx, or a
 * loop that uses up seconds of processor time without one scheduling point. The run ends with a HOST_EVENT_CRASHED
 * event that names signal, address and place; the process lives on, and the host can be restored or closed.
 */
#ifndef WINTUN_SIM_CRASH_H
#define WINTUN_SIM_CRASH_H

#include <stdbool.h>
#include <stdint.h>

struct crash
{
    bool crashed;      /* since the host was opened or restored */
    uint32_t patience; /* ticks of the watchdog without a scheduling point; 0 means WATCHDOG_PATIENCE */
};

/* Ends the run from an actor: logs the event with the words of `format` and abandons it. Outside an actor: aborts the
 * process. */
_Noreturn void crash_now(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For host_open, one thread at a time: takes the signals, also back from whoever took them since the last host was
 * opened, as Python's faulthandler does when it is enabled or disabled.
 */
void crash_take_signals(void);

/* For host_enter and host_leave: from the first on, the thread's faults in an actor are the driver's. The first call of
 * a thread gives it a signal stack.
 */
void crash_thread_enters(void);
void crash_thread_leaves(void);

/* For scheduler_run, after a crash was abandoned: logs what the signal handler could only note. */
void crash_report(void);

#endif
