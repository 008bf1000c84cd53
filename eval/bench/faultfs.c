/* Makes file operations below one folder fail, or kills the process at them, and can write a trace of them.

   Preloaded (LD_PRELOAD) on Linux; faultfs.py builds and steers it. Operations are counted in the order in which they
   are called, SQLite's and Python's alike, whichever function they go through. Nothing happens before faultfs_arm. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Order known to faultfs.py: KINDS and MODES. */
enum kind { CREATE, WRITE, SYNC, RENAME, UNLINK, TRUNCATE, MAKE_FOLDER, MARK, REOPEN };
enum mode {
    OFF,
    ONCE,  /* the operation fails */
    FULL,  /* from it on, whatever takes space fails with ENOSPC */
    DEAD,  /* from it on, everything fails with EIO */
    SHORT, /* half of what it writes is written, then as FULL */
    KILL,  /* the process dies before it */
    TORN   /* the process dies after half of what it writes is written */
};

#define HALF (-1) /* what `decide` says for a write of which half is to be done */

/* Shared with forked processes, so that what was hit is known after a kill. */
static struct state {
    char root[PATH_MAX];
    size_t root_length;
    long position;    /* number of the operation at which it happens, from 1 */
    enum mode mode;
    unsigned counted; /* bits of the kinds that count */
    long seen;
    int hit_kind;     /* -1 until it has happened */
    char hit_path[PATH_MAX];
} * state;

static int trace = -1;

static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_renameat)(int, const char *, int, const char *);
static long (*real_syscall)(long, ...);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_mkdirat)(int, const char *, mode_t);

__attribute__((constructor)) static void load(void) {
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        abort();
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_renameat = dlsym(RTLD_NEXT, "renameat");
    real_syscall = dlsym(RTLD_NEXT, "syscall");
    real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_mkdirat = dlsym(RTLD_NEXT, "mkdirat");
}

/* Steering, called through ctypes. */

void faultfs_arm(const char *folder, long number, int how, unsigned kinds) {
    snprintf(state->root, sizeof state->root, "%s", folder);
    state->position = number;
    state->counted = kinds;
    state->seen = 0;
    state->hit_kind = -1;
    state->hit_path[0] = 0;
    state->mode = how;
    state->root_length = strlen(folder);
}

void faultfs_disarm(void) {
    state->mode = OFF;
    state->root_length = 0;
    trace = -1;
}

long faultfs_seen(void) { return state->seen; }
int faultfs_hit_kind(void) { return state->hit_kind; }
const char *faultfs_hit_path(void) { return state->hit_path; }
void faultfs_trace(int handle) { trace = handle; }

/* Where an operation goes. */

static int below(const char *path) {
    return state->root_length && !strncmp(path, state->root, state->root_length) && (path[state->root_length] == '/' || !path[state->root_length]);
}

static int of_handle(int handle, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

/* Whether `name`, state->seen from the folder `handle`, lies below the root; `path` gets its absolute form. */
static int of_name(int handle, const char *name, char *path) {
    if (!state->root_length || !name)
        return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below(path);
    }
    if (handle == AT_FDCWD ? !getcwd(path, PATH_MAX) : !of_handle(handle, path))
        return 0;
    size_t length = strlen(path);
    snprintf(path + length, PATH_MAX - length, "/%s", name);
    return below(path);
}

static int handle_below(int handle, char *path) { return state->root_length && of_handle(handle, path) && below(path); }

/* What becomes of an operation: 0 it is done, HALF, or the error that it fails with. */
static int decide(enum kind kind, const char *path, int takes_space) {
    if (state->mode == OFF)
        return 0;
    int reached = 0;
    if (state->counted & (1u << kind)) {
        state->seen++;
        reached = state->seen == state->position;
    }
    if (reached) {
        state->hit_kind = kind;
        snprintf(state->hit_path, sizeof state->hit_path, "%s", path + state->root_length);
    }
    if (state->hit_kind < 0)
        return 0;
    switch (state->mode) {
    case ONCE:
        if (!reached)
            return 0;
        return kind == SYNC || kind == RENAME || kind == UNLINK ? EIO : ENOSPC;
    case SHORT:
        if (reached && kind == WRITE)
            return HALF;
        return takes_space ? ENOSPC : 0;
    case FULL:
        return takes_space ? ENOSPC : 0;
    case DEAD:
        return EIO;
    case KILL:
        raise(SIGKILL);
        return 0;
    case TORN:
        if (kind == WRITE)
            return HALF;
        raise(SIGKILL);
        return 0;
    default:
        return 0;
    }
}

static void after_half(void) {
    if (state->mode == TORN)
        raise(SIGKILL);
}

/* A record of the trace: five numbers, both paths below the root, the data. `at` is where a write begins, the length
   that a file is cut to, or the number that the system knows a file by when it is made or synced. */
static void note(enum kind kind, const char *path, const char *target, long long at, const void *data, size_t size) {
    if (trace < 0)
        return;
    const char *first = path + state->root_length, *second = target ? target + state->root_length : "";
    int64_t head[5] = {kind, (int64_t)strlen(first), (int64_t)strlen(second), at, (int64_t)size};
    real_write(trace, head, sizeof head);
    real_write(trace, first, strlen(first));
    real_write(trace, second, strlen(second));
    if (size)
        real_write(trace, data, size);
}

void faultfs_mark(const char *text) {
    if (trace >= 0) {
        size_t length = state->root_length;
        state->root_length = 0;
        note(MARK, text, NULL, 0, NULL, 0);
        state->root_length = length;
    }
}

/* The operations. */

static int opened(int folder, const char *name, int flags, mode_t bits) {
    char path[PATH_MAX];
    if (!(flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE || !of_name(folder, name, path))
        return real_openat(folder, name, flags, bits);
    struct stat info;
    int made = stat(path, &info) != 0;
    int error = made                ? decide(CREATE, path, 1)
                : (flags & O_TRUNC) ? decide(TRUNCATE, path, 0)
                                    : decide(REOPEN, path, 0);
    if (error > 0) {
        errno = error;
        return -1;
    }
    int handle = real_openat(folder, name, flags, bits);
    if (handle >= 0 && made)
        note(CREATE, path, NULL, fstat(handle, &info) ? 0 : (long long)info.st_ino, NULL, 0);
    else if (handle >= 0 && (flags & O_TRUNC))
        note(TRUNCATE, path, NULL, 0, NULL, 0);
    return handle;
}

#define OPEN_BITS(last)                                                                                               \
    mode_t bits = 0;                                                                                                  \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                                              \
        va_list rest;                                                                                                 \
        va_start(rest, last);                                                                                         \
        bits = va_arg(rest, mode_t);                                                                                  \
        va_end(rest);                                                                                                 \
    }

int open(const char *name, int flags, ...) {
    OPEN_BITS(flags)
    return opened(AT_FDCWD, name, flags, bits);
}

int open64(const char *name, int flags, ...) {
    OPEN_BITS(flags)
    return opened(AT_FDCWD, name, flags, bits);
}

int openat(int folder, const char *name, int flags, ...) {
    OPEN_BITS(flags)
    return opened(folder, name, flags, bits);
}

int openat64(int folder, const char *name, int flags, ...) {
    OPEN_BITS(flags)
    return opened(folder, name, flags, bits);
}

static ssize_t written(int handle, const void *data, size_t size, off_t at, int positioned) {
    char path[PATH_MAX];
    int ours = handle_below(handle, path);
    int error = ours ? decide(WRITE, path, 1) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    if (error == HALF)
        size /= 2;
    if (ours && !positioned && trace >= 0) {
        struct stat info;
        int flags = fcntl(handle, F_GETFL);
        at = (flags & O_APPEND) && !fstat(handle, &info) ? info.st_size : lseek(handle, 0, SEEK_CUR);
    }
    ssize_t done = positioned ? real_pwrite(handle, data, size, at) : real_write(handle, data, size);
    if (error == HALF)
        after_half();
    if (ours && done > 0)
        note(WRITE, path, NULL, at, data, (size_t)done);
    return done;
}

ssize_t write(int handle, const void *data, size_t size) { return written(handle, data, size, 0, 0); }
ssize_t pwrite(int handle, const void *data, size_t size, off_t at) { return written(handle, data, size, at, 1); }
ssize_t pwrite64(int handle, const void *data, size_t size, off_t at) { return written(handle, data, size, at, 1); }

ssize_t writev(int handle, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!handle_below(handle, path) || count < 1)
        return real_writev(handle, parts, count);
    return written(handle, parts[0].iov_base, parts[0].iov_len, 0, 0); /* a short write, which callers go on from */
}

static int synced(int handle, int (*real)(int)) {
    char path[PATH_MAX];
    int ours = handle_below(handle, path);
    int error = ours ? decide(SYNC, path, 0) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    struct stat info;
    int result = real(handle);
    if (ours && !result)
        note(SYNC, path, NULL, fstat(handle, &info) ? 0 : (long long)info.st_ino, NULL, 0);
    return result;
}

int fsync(int handle) { return synced(handle, real_fsync); }
int fdatasync(int handle) { return synced(handle, real_fdatasync); }

static int renamed(int folder, const char *name, int other, const char *target, unsigned flags) {
    char path[PATH_MAX], goal[PATH_MAX];
    int ours = of_name(folder, name, path) && of_name(other, target, goal);
    int error = ours ? decide(RENAME, path, 0) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    int result = flags ? (int)real_syscall(SYS_renameat2, folder, name, other, target, flags)
                       : real_renameat(folder, name, other, target);
    if (ours && !result)
        note(RENAME, path, goal, 0, NULL, 0);
    return result;
}

int rename(const char *name, const char *target) { return renamed(AT_FDCWD, name, AT_FDCWD, target, 0); }

int renameat(int folder, const char *name, int other, const char *target) {
    return renamed(folder, name, other, target, 0);
}

int renameat2(int folder, const char *name, int other, const char *target, unsigned flags) {
    return renamed(folder, name, other, target, flags);
}

/* How some libraries call renameat2. Others, such as safetensors, rename without the C library, unseen. */
long syscall(long number, ...) {
    long given[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2)
        return renamed((int)given[0], (const char *)given[1], (int)given[2], (const char *)given[3], (unsigned)given[4]);
    return real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    int ours = of_name(folder, name, path);
    int error = ours ? decide(UNLINK, path, 0) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    int result = real_unlinkat(folder, name, flags);
    if (ours && !result)
        note(UNLINK, path, NULL, 0, NULL, 0);
    return result;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

static int truncated(int handle, off_t size) {
    char path[PATH_MAX];
    int ours = handle_below(handle, path);
    struct stat info;
    int grows = ours && !fstat(handle, &info) && size > info.st_size;
    int error = ours ? decide(TRUNCATE, path, grows) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    int result = real_ftruncate(handle, size);
    if (ours && !result)
        note(TRUNCATE, path, NULL, size, NULL, 0);
    return result;
}

int ftruncate(int handle, off_t size) { return truncated(handle, size); }
int ftruncate64(int handle, off_t size) { return truncated(handle, size); }

int mkdirat(int folder, const char *name, mode_t bits) {
    char path[PATH_MAX];
    struct stat info;
    int ours = of_name(folder, name, path);
    int error = ours && stat(path, &info) ? decide(MAKE_FOLDER, path, 1) : 0;
    if (error > 0) {
        errno = error;
        return -1;
    }
    int result = real_mkdirat(folder, name, bits);
    if (ours && !result)
        note(MAKE_FOLDER, path, NULL, 0, NULL, 0);
    return result;
}

int mkdir(const char *name, mode_t bits) { return mkdirat(AT_FDCWD, name, bits); }
