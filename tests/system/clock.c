// A wall clock that can be set without setting the host's: loaded into every program of a booted machine by
// /etc/ld.so.preload. The file OFFSET_FILE holds by how many microseconds it is off; it is changed in place. The clock
// that only runs on is left alone, as a real step leaves it. Times of files are the kernel's, so who compares with those
// is started with KERNEL_CLOCK in the environment.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (getenv("KERNEL_CLOCK")) return;
    int fd = open(OFFSET_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) offset = page;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = real_clock_gettime ? real_clock_gettime(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    if (code == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nsec = now->tv_nsec + *offset % 1000000 * 1000;
        now->tv_sec += *offset / 1000000;
        if (nsec < 0) now->tv_sec--, nsec += 1000000000;
        if (nsec >= 1000000000) now->tv_sec++, nsec -= 1000000000;
        now->tv_nsec = nsec;
    }
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    int code = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec, now->tv_usec = exact.tv_nsec / 1000;
    return code;
}

time_t time(time_t *kept) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (kept) *kept = exact.tv_sec;
    return exact.tv_sec;
}
