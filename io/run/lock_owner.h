/* The process that holds a job's lock: how the lock names it, and whether it still lives. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/machine.h"

#define LOCK_BYTES_MAX 1024

/* A process on any machine. */
struct lock_owner {
  struct machine machine;
  char namespace[40]; /* PID namespace of the numbers below; "" without /proc */
  int64_t process;
  int64_t start;  /* clock ticks since boot: tells processes with the same number apart */
  int64_t parent; /* parent when the lock was taken: mpirun, or a shell */
};

/* This process. False if the system cannot tell. */
bool lock_owner_self(struct lock_owner *owner, struct error *error);

/* Writes a lock's text and returns its length. The counter has a fixed width, so a lock can be rewritten in
 * place. */
int lock_owner_print(char text[LOCK_BYTES_MAX], const struct lock_owner *owner, int64_t counter);

/* Reads a lock's text. *whole is false if it is not a lock, because its job died while writing. (Earlier
 * versions wrote no namespace.) False if memory is short. */
bool lock_owner_parse(const char *text, struct lock_owner *owner, bool *whole, struct error *error);

/* True if the owner's numbers mean the same to `self`, so that the next two functions can tell. */
bool lock_owner_is_here(const struct lock_owner *owner, const struct lock_owner *self);

enum owner_state {
  OWNER_GONE,
  OWNER_LIVES,
  OWNER_HIDDEN /* a process has this number, and the system hides which: the owner, or a later one */
};

/* Whether an owner that is here lives. False if the system fails; likewise the next function. */
bool lock_owner_look(const struct lock_owner *owner, enum owner_state *state, struct error *error);

/* Waits for an owner to end, if its parent has ended. The ranks of a killed mpirun live on for a second or
 * so; after this wait the same command can start again at once. */
bool lock_owner_await(const struct lock_owner *owner, enum owner_state *state, struct error *error);
