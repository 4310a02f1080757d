/* Kills the process it is loaded into at a chosen call, once: LD_PRELOAD=libjob_killer.so, and
 * TENSORTAP_TEST_KILL=NAME:N:WHEN:TOKEN[,...]. The process called NAME dies by SIGKILL at its Nth call that changes a
 * file, a process or a connection: before the call if WHEN is "before", else after it. It dies only if it can remove one
 * of the files TOKEN0 to TOKEN9: there are as many kills as files. With TENSORTAP_TEST_COUNT=FILE each process that ends by itself appends "NAME calls". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;
static long fatal_call = -1;
static int is_after;
static char token[4096];

__attribute__((constructor)) static void begin(void) {
  const char* text = getenv("TENSORTAP_TEST_KILL");
  const size_t length = strlen(program_invocation_short_name);
  while (text != NULL && *text != '\0') {
    const char* const end = strchrnul(text, ',');
    char when[8] = "";
    if (strncmp(text, program_invocation_short_name, length) == 0 && text[length] == ':') {
      long n = -1;
      int used = 0;
      if (sscanf(text + length, ":%ld:%7[a-z]:%n", &n, when, &used) == 2 && used > 0) {
        const char* const path = text + length + used;
        snprintf(token, sizeof token, "%.*s", (int)(end - path), path);
        is_after = strcmp(when, "before") != 0;
        fatal_call = n;
      }
    }
    text = *end == ',' ? end + 1 : end;
  }
}

__attribute__((destructor)) static void finish(void) {
  const char* const path = getenv("TENSORTAP_TEST_COUNT");
  FILE* const file = path == NULL ? NULL : fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s %ld\n", program_invocation_short_name, atomic_load(&calls));
  fclose(file);
}

static void die(void) {
  for (char digit = '0'; digit <= '9' && fatal_call > 0; ++digit) {
    char path[sizeof token + 2];
    snprintf(path, sizeof path, "%s%c", token, digit);
    if (syscall(SYS_unlinkat, AT_FDCWD, path, 0) == 0) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  }
}

/* Counts a call. Returns whether the process dies after it. */
static int count(void) {
  const int saved = errno;
  const int is_now = atomic_fetch_add(&calls, 1) + 1 == fatal_call;
  if (is_now && !is_after) die();
  errno = saved;
  return is_now;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNTED(type, name, parameters, arguments)                          \
  type name parameters {                                                    \
    static __typeof__(&name) real;                                          \
    if (real == NULL) real = REAL(name);                                    \
    const int is_last = count();                                            \
    const type result = real arguments;                                     \
    const int saved = errno;                                                \
    if (is_last) die();                                                     \
    errno = saved;                                                          \
    return result;                                                          \
  }
#define COUNTED_OPEN(name, parameters, ...)                                 \
  int name parameters {                                                     \
    static __typeof__(&name) real;                                          \
    if (real == NULL) real = REAL(name);                                    \
    mode_t mode = 0;                                                        \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                             \
      va_list rest;                                                         \
      va_start(rest, flags);                                                \
      mode = va_arg(rest, mode_t);                                          \
      va_end(rest);                                                         \
    }                                                                       \
    const int is_last = (flags & (O_WRONLY | O_RDWR)) != 0 && count();      \
    const int result = real(__VA_ARGS__, flags, mode);                      \
    const int saved = errno;                                                \
    if (is_last) die();                                                     \
    errno = saved;                                                          \
    return result;                                                          \
  }

COUNTED_OPEN(open, (const char* path, int flags, ...), path)
COUNTED_OPEN(open64, (const char* path, int flags, ...), path)
COUNTED_OPEN(openat, (int at, const char* path, int flags, ...), at, path)
COUNTED_OPEN(openat64, (int at, const char* path, int flags, ...), at, path)
COUNTED(ssize_t, write, (int file, const void* bytes, size_t size), (file, bytes, size))
COUNTED(ssize_t, pwrite, (int file, const void* bytes, size_t size, off_t at), (file, bytes, size, at))
COUNTED(ssize_t, pwrite64, (int file, const void* bytes, size_t size, off64_t at), (file, bytes, size, at))
COUNTED(int, rename, (const char* from, const char* to), (from, to))
COUNTED(int, renameat, (int at, const char* from, int to_at, const char* to), (at, from, to_at, to))
COUNTED(int, renameat2, (int at, const char* from, int to_at, const char* to, unsigned flags),
        (at, from, to_at, to, flags))
COUNTED(int, linkat, (int at, const char* from, int to_at, const char* to, int flags), (at, from, to_at, to, flags))
COUNTED(int, symlink, (const char* to, const char* link), (to, link))
COUNTED(int, unlink, (const char* path), (path))
COUNTED(int, unlinkat, (int at, const char* path, int flags), (at, path, flags))
COUNTED(int, mkdir, (const char* path, mode_t mode), (path, mode))
COUNTED(int, mkdirat, (int at, const char* path, mode_t mode), (at, path, mode))
COUNTED(int, ftruncate, (int file, off_t size), (file, size))
COUNTED(int, fsync, (int file), (file))
COUNTED(int, fdatasync, (int file), (file))
COUNTED(ssize_t, send, (int to, const void* bytes, size_t size, int flags), (to, bytes, size, flags))
COUNTED(ssize_t, sendmsg, (int to, const struct msghdr* message, int flags), (to, message, flags))
COUNTED(int, connect, (int socket, const struct sockaddr* to, socklen_t size), (socket, to, size))
COUNTED(pid_t, fork, (void), ())
COUNTED(int, execve, (const char* path, char* const* words, char* const* environment), (path, words, environment))
COUNTED(int, kill, (pid_t process, int signal), (process, signal))
