/* Fails a program's n-th call of a kind. For tests: LD_PRELOAD=…/libfail_call.so
 *
 *     NINA_CALL=SITE:N          the N-th call at the site (from 1, over all threads) fails
 *     NINA_CALL=SITE:N+         the N-th call and every later one fail
 *     NINA_CALL=SITE:N:ACTION   likewise with N+; ACTION says how it fails
 *     NINA_CALL_COUNT=FILE      writes one line a site to FILE when the program ends: "SITE CALLS"
 *     NINA_CALL_STACK=1         writes the stack of a call that fails to standard error
 *     NINA_CALL_RECORD=FILE     writes what the calls changed on disk to FILE (call_record.h)
 *
 * ACTION is an errno's name (EIO, ENOSPC …) instead of the site's own; or `short`: a read or a write of less
 * than was asked for. With `EINTR` and N+ every second call fails: else a loop that tries again never ended.
 * With `stop` the call does not fail: the program stops before it (SIGSTOP), for the test to change something
 * and let the program go on (SIGCONT).
 *
 * Calls count from the start of main, and only if they come from the program or from a library that it was
 * linked with. MPI's libraries are left out: what fails in there is for MPI to survive. Calls that the C
 * library makes inside itself do not pass here, but for allocations.
 *
 * A descriptor that was opened here and is still open when the program ends is a leak: the program then ends
 * with status 95, and standard error names the file. (Not if a library has ended the program with exit.)
 *
 * A new site is a value of enum call_site, its row in call_sites.c, and the functions that ask call_fails. */
#pragma once

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum call_site {
  CALL_HEAP,     /* malloc, calloc, realloc and the aligned ones; also those of C++'s new */
  CALL_MAP,      /* mmap */
  CALL_THREAD,   /* pthread_create */
  CALL_OPEN,     /* open, openat, fopen, mkstemp, opendir, scandir, pipe */
  CALL_CLOSE,    /* close, fclose: closed nonetheless */
  CALL_READ,     /* read, pread */
  CALL_WRITE,    /* write, pwrite */
  CALL_FLUSH,    /* fflush: what was printed is lost */
  CALL_SYNC,     /* fsync, fdatasync */
  CALL_RENAME,   /* rename, renameat */
  CALL_LINK,     /* link, linkat */
  CALL_REMOVE,   /* unlink, unlinkat, rmdir, remove */
  CALL_FOLDER,   /* mkdir, mkdirat */
  CALL_TRUNCATE, /* ftruncate */
  CALL_LOOK,     /* stat and its kin, access, statvfs, readlink, realpath */
  CALL_LIST,     /* readdir */
  CALL_MPI,      /* what host/ranks/world_mpi.c calls */
  CALL_SITES
};

/* What a call has to do. */
enum call_outcome { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_SHORT };

/* Counts a call. If it is to fail, errno is set. `caller`: the return address of the function that stands in
 * front. */
enum call_outcome call_outcome(enum call_site site, const void *caller);

/* The same for a call that cannot be short. */
bool call_fails(enum call_site site, const void *caller);

/* Reads the variables; from then on calls count. */
void calls_begin(void);

/* Keep the account of descriptors. */
void descriptor_opened(int descriptor, const void *caller);
void descriptor_closed(int descriptor);

/* Whether calls count, and this one comes from the program or a library of its own. */
bool call_is_counted(const void *caller);

/* The library's function behind ours. */
#define REAL(function)                                                                                     \
  (__extension__({                                                                                         \
    static _Atomic(void *) found_once;                                                                     \
    void *found = atomic_load(&found_once);                                                                \
    if (!found) {                                                                                          \
      found = dlsym(RTLD_NEXT, #function);                                                                 \
      atomic_store(&found_once, found);                                                                    \
    }                                                                                                      \
    __typeof__(function) *typed;                                                                           \
    memcpy(&typed, &found, sizeof typed); /* ISO C has no cast from an object's pointer to a function's */ \
    typed;                                                                                                 \
  }))

#define CALLER __builtin_return_address(0)
