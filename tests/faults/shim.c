/* Asks the test before each call that changes one directory, and after each fsync there, before each fork and spawn.
   WATCHER_SHIM is "SOCKET DIRECTORY". The answer is one byte: g goes on, k kills the process, anything else is an errno;
   a test that is gone kills as well. Built by tests/faults/disk.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static __thread int inside;

static int ask(const char *call, const char *path) {
    const char *both = getenv("WATCHER_SHIM");
    char line[4200];
    if (!both || inside) return 0;
    const char *directory = strchr(both, ' ') + 1;
    if (path && strncmp(path, directory, strlen(directory))) return 0;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, both, (size_t)(directory - 1 - both));
    int before = errno;
    inside = 1;
    int test = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned char answer = 'k';
    int reached;
    do reached = connect(test, (struct sockaddr *)&to, sizeof to); while (reached < 0 && errno == EINTR);
    if (!reached) {
        int length = snprintf(line, sizeof line, "%s %s\n", call, path ? path : directory);
        ssize_t got = -1;
        if (send(test, line, (size_t)length, MSG_NOSIGNAL) == length)
            do got = recv(test, &answer, 1, 0); while (got < 0 && errno == EINTR);
        if (got != 1) answer = 'k';
    }
    close(test);
    inside = 0;
    errno = before;
    if (answer == 'k') kill(getpid(), SIGKILL);
    return answer == 'g' ? 0 : answer;
}

static int ask_fd(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return ask(call, path);
}

static int ask_at(const char *call, int at, const char *name) {
    char link[64], path[4096];
    if (*name == '/' || at == AT_FDCWD) return ask(call, name);
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0 || (size_t)size + strlen(name) + 2 > sizeof path) return 0;
    path[size] = '/';
    strcpy(path + size + 1, name);
    return ask(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(asked) do { int wrong = asked; if (wrong) { errno = wrong; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t size) { FAIL(ask_fd("write", fd)); return REAL(write)(fd, bytes, size); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { FAIL(ask_fd("write", fd)); return REAL(pwrite)(fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { FAIL(ask_fd("write", fd)); return REAL(pwrite64)(fd, bytes, size, at); }

#define SYNC(name)                                   \
    int name(int fd) {                               \
        FAIL(ask_fd("sync", fd));                    \
        int done = REAL(name)(fd);                   \
        if (!done) ask_fd("synced", fd);             \
        return done;                                 \
    }
SYNC(fsync)
SYNC(fdatasync)

static mode_t mode_of(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, mode_t) : 0; }

/* Only what may make a file is asked for. */
#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = mode_of(flags, more);                                     \
        va_end(more);                                                           \
        if (flags & O_CREAT) FAIL(ask("create", path));                         \
        return REAL(name)(path, flags, mode);                                   \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                            \
    int name(int at, const char *path, int flags, ...) {                        \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = mode_of(flags, more);                                     \
        va_end(more);                                                           \
        if (flags & O_CREAT) FAIL(ask_at("create", at, path));                  \
        return REAL(name)(at, path, flags, mode);                               \
    }
OPENAT(openat)
OPENAT(openat64)

int rename(const char *old, const char *new) { FAIL(ask("rename", new)); return REAL(rename)(old, new); }
int renameat(int from, const char *old, int to, const char *new) { FAIL(ask_at("rename", to, new)); return REAL(renameat)(from, old, to, new); }
int link(const char *old, const char *new) { FAIL(ask("link", new)); return REAL(link)(old, new); }
int linkat(int from, const char *old, int to, const char *new, int flags) { FAIL(ask_at("link", to, new)); return REAL(linkat)(from, old, to, new, flags); }
int unlink(const char *path) { FAIL(ask("unlink", path)); return REAL(unlink)(path); }
int unlinkat(int at, const char *path, int flags) { FAIL(ask_at("unlink", at, path)); return REAL(unlinkat)(at, path, flags); }
int mkdir(const char *path, mode_t mode) { FAIL(ask("mkdir", path)); return REAL(mkdir)(path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { FAIL(ask_at("mkdir", at, path)); return REAL(mkdirat)(at, path, mode); }

pid_t fork(void) { FAIL(ask("fork", NULL)); return REAL(fork)(); }
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                char *const arguments[], char *const environment[]) {
    int wrong = ask("spawn", NULL);
    return wrong ? wrong : REAL(posix_spawn)(pid, path, actions, attributes, arguments, environment);
}
