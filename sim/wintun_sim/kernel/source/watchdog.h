/* A clock that ticks while a thread burns processor time, so that a driver that loops without ever calling the kernel
 * is found (crash.c). */
#ifndef WINTUN_SIM_WATCHDOG_H
#define WINTUN_SIM_WATCHDOG_H

#include <signal.h>

#define WATCHDOG_SIGNAL SIGVTALRM

enum
{
    WATCHDOG_TICKS_A_SECOND = 10,
    WATCHDOG_PATIENCE = 2 * WATCHDOG_TICKS_A_SECOND
};

/* From now on the calling thread gets WATCHDOG_SIGNAL for every tenth of a second of processor time it uses. Without
 * the system's help, nothing.
 */
void watchdog_start(void);

#endif
