/* A disk that fails: preloaded into a program, it lets the Nth write or sync of a journal fail.
 *
 * FAILING_FOLDER  only files in this folder; counting begins when it holds a file named "armed"
 * FAILING_AT      which call fails, from 1; a file "fired" says that it did
 * FAILING_HOW     enospc, eio: it fails; short: half of a write is done first; sync: only syncs are counted
 * FAILING_SPAN    once, or forever: whether the calls after it fail too
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long count;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int in_folder(int fd) {
    const char *folder = setting("FAILING_FOLDER");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!*folder || length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0 && strstr(path, "journal.db") != NULL;
}

static int exists(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", setting("FAILING_FOLDER"), name);
    return access(path, F_OK) == 0;
}

static void fired(void) {
    static int (*real_open)(const char *, int, ...);
    if (!real_open) real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    char path[4096];
    snprintf(path, sizeof path, "%s/fired", setting("FAILING_FOLDER"));
    int fd = real_open(path, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0) close(fd);
}

/* Whether this call fails. */
static int fails(int fd, int sync) {
    const char *how = setting("FAILING_HOW");
    if (!in_folder(fd) || !exists("armed")) return 0;
    if (strcmp(how, "sync") == 0 && !sync) return 0;
    long at = atol(setting("FAILING_AT"));
    count++;
    int now = count == at || (count > at && strcmp(setting("FAILING_SPAN"), "forever") == 0);
    if (now) fired();
    return now;
}

static int broken(void) {
    errno = strcmp(setting("FAILING_HOW"), "enospc") == 0 || strcmp(setting("FAILING_HOW"), "short") == 0 ? ENOSPC : EIO;
    return -1;
}

#define REAL(type, name) \
    static type real; \
    if (!real) real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*write_call)(int, const void *, size_t);
typedef ssize_t (*pwrite_call)(int, const void *, size_t, off_t);
typedef int (*sync_call)(int);
typedef int (*truncate_call)(int, off_t);

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write_call, "write");
    if (!fails(fd, 0)) return real(fd, bytes, length);
    if (strcmp(setting("FAILING_HOW"), "short") == 0) real(fd, bytes, length / 2);
    return broken();
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    REAL(pwrite_call, "pwrite");
    if (!fails(fd, 0)) return real(fd, bytes, length, at);
    if (strcmp(setting("FAILING_HOW"), "short") == 0) real(fd, bytes, length / 2, at);
    return broken();
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    REAL(pwrite_call, "pwrite64");
    if (!fails(fd, 0)) return real(fd, bytes, length, at);
    if (strcmp(setting("FAILING_HOW"), "short") == 0) real(fd, bytes, length / 2, at);
    return broken();
}

int fsync(int fd) {
    REAL(sync_call, "fsync");
    return fails(fd, 1) ? broken() : real(fd);
}

int fdatasync(int fd) {
    REAL(sync_call, "fdatasync");
    return fails(fd, 1) ? broken() : real(fd);
}

int ftruncate(int fd, off_t length) {
    REAL(truncate_call, "ftruncate");
    return fails(fd, 0) ? broken() : real(fd, length);
}

int ftruncate64(int fd, off_t length) {
    REAL(truncate_call, "ftruncate64");
    return fails(fd, 0) ? broken() : real(fd, length);
}
