/* A clock on the wall that is wrong: preloaded, it adds WRONG_CLOCK_S seconds to what a program is told of the time of day.
 *
 * The monotonic clocks are left alone, as they are when somebody sets the time. libfaketime would do the same, but for
 * clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME), which is time.sleep of Python: there it answers EINVAL (0.9.10).
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t wrong_s;

/* Once: an agent cuts its environment. */
__attribute__((constructor)) static void read_wrong_s(void) {
    const char *said = getenv("WRONG_CLOCK_S");
    wrong_s = said ? atol(said) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI)) now->tv_sec += wrong_s;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = (int)syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += wrong_s;
    return failed;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
