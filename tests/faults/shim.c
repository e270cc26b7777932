/* Asks the test before each write and after each fsync in one directory: WATCHER_SHIM is "SOCKET DIRECTORY".
   The answer is one byte: g goes on, k kills the process, anything else is an errno. Built by tests/faults/disk.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static __thread int inside;

static int ask(const char *call, int fd) {
    const char *both = getenv("WATCHER_SHIM");
    if (!both || inside) return 0;
    const char *directory = strchr(both, ' ') + 1;
    char link[64], path[4096], line[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    if (strncmp(path, directory, strlen(directory))) return 0;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, both, (size_t)(directory - 1 - both));
    inside = 1;
    int test = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned char answer = 'g';
    if (!connect(test, (struct sockaddr *)&to, sizeof to)) {
        int length = snprintf(line, sizeof line, "%s %s\n", call, path);
        if (send(test, line, (size_t)length, MSG_NOSIGNAL) != length || recv(test, &answer, 1, 0) != 1) answer = 'k';
    }
    close(test);
    inside = 0;
    if (answer == 'k') kill(getpid(), SIGKILL);
    return answer == 'g' ? 0 : answer;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(call) do { int wrong = ask(call, fd); if (wrong) { errno = wrong; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t size) { FAIL("write"); return REAL(write)(fd, bytes, size); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { FAIL("write"); return REAL(pwrite)(fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { FAIL("write"); return REAL(pwrite64)(fd, bytes, size, at); }

#define SYNC(name)                                   \
    int name(int fd) {                               \
        FAIL("sync");                                \
        int done = REAL(name)(fd);                   \
        if (!done) ask("synced", fd);                \
        return done;                                 \
    }
SYNC(fsync)
SYNC(fdatasync)
