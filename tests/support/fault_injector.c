/* Preloaded under a command (LD_PRELOAD): at its n-th call of a system function that changes files, the process is
   killed or the call fails. Environment:
     FAULT_AT      n, counted from 1; 0 or unset: never
     FAULT_KIND    kill, or the number of an errno
     FAULT_CALLS   all, or names: "rename unlink"
     FAULT_PROGRAM the name of the process (as in /proc/PID/comm) to which it happens
     FAULT_COUNT   a file that gets the number of calls at the end of the process
   Only the process itself is meant, none that it forks. */
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;
static long wanted;
static int error_number; /* 0: kill */
static char names[256];
static pid_t process;

__attribute__((constructor)) static void begin(void) {
  char comm[16] = {0};
  const char* program = getenv("FAULT_PROGRAM");
  const char* at = getenv("FAULT_AT");
  const char* kind = getenv("FAULT_KIND");
  const char* which = getenv("FAULT_CALLS");
  prctl(PR_GET_NAME, comm);
  if (program != NULL && strcmp(program, comm) != 0) return;
  process = getpid();
  wanted = at != NULL ? atol(at) : 0;
  error_number = kind != NULL ? atoi(kind) : 0;
  snprintf(names, sizeof names, " %s ", which != NULL ? which : "all");
}

__attribute__((destructor)) static void end(void) {
  const char* file = getenv("FAULT_COUNT");
  if (process != getpid() || file == NULL) return;
  FILE* (*open_file)(const char*, const char*) = (FILE * (*)(const char*, const char*)) dlsym(RTLD_NEXT, "fopen");
  process = 0;
  FILE* stream = open_file(file, "w");
  if (stream == NULL) return;
  fprintf(stream, "%ld\n", (long)calls);
  fclose(stream);
}

/* Whether this call is the one that fails. */
static int strikes(const char* name) {
  char padded[64];
  if (process == 0 || process != getpid()) return 0;
  snprintf(padded, sizeof padded, " %s ", name);
  if (strcmp(names, " all ") != 0 && strstr(names, padded) == NULL) return 0;
  if (atomic_fetch_add(&calls, 1) + 1 != wanted) return 0;
  if (error_number == 0) {
    kill(process, SIGKILL);
    for (;;) pause();
  }
  errno = error_number;
  return 1;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

int rename(const char* from, const char* to) {
  if (strikes("rename")) return -1;
  return REAL("rename", int (*)(const char*, const char*))(from, to);
}
int renameat2(int from, const char* a, int to, const char* b, unsigned flags) {
  if (strikes("rename")) return -1;
  return REAL("renameat2", int (*)(int, const char*, int, const char*, unsigned))(from, a, to, b, flags);
}
int linkat(int from, const char* a, int to, const char* b, int flags) {
  if (strikes("link")) return -1;
  return REAL("linkat", int (*)(int, const char*, int, const char*, int))(from, a, to, b, flags);
}
int unlink(const char* path) {
  if (strikes("unlink")) return -1;
  return REAL("unlink", int (*)(const char*))(path);
}
int unlinkat(int folder, const char* path, int flags) {
  if (strikes("unlink")) return -1;
  return REAL("unlinkat", int (*)(int, const char*, int))(folder, path, flags);
}
int remove(const char* path) {
  if (strikes("unlink")) return -1;
  return REAL("remove", int (*)(const char*))(path);
}
int rmdir(const char* path) {
  if (strikes("unlink")) return -1;
  return REAL("rmdir", int (*)(const char*))(path);
}
int mkdir(const char* path, mode_t mode) {
  if (strikes("mkdir")) return -1;
  return REAL("mkdir", int (*)(const char*, mode_t))(path, mode);
}
int mkstemp(char* pattern) {
  if (strikes("open")) return -1;
  return REAL("mkstemp", int (*)(char*))(pattern);
}
int fsync(int file) {
  if (strikes("fsync")) return -1;
  return REAL("fsync", int (*)(int))(file);
}
ssize_t write(int file, const void* bytes, size_t count) {
  struct stat status;
  /* Pipes and terminals do not fill up. */
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && strikes("write")) return -1;
  return REAL("write", ssize_t (*)(int, const void*, size_t))(file, bytes, count);
}
