#include "host/ranks/world_mpi.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/ranks/local_rank.h"

#define MESSAGE_TAG 1
#define SHARE_BYTES_MAX (1 << 30) /* bytes in one broadcast: MPI counts in int */
#define NAP_FIRST 20000           /* ns of the first wait for a collective; doubles up to the longest */
#define NAP_LONGEST 2000000

/* A message on its way. No thread waits for it: the next send checks whether it has left. */
struct sending {
  struct sending *next;
  MPI_Request request;
  char bytes[];
};

struct world_mpi {
  struct world world; /* must be first: a struct world * is cast to this struct */
  struct sending *sending;
};

/* Waits without spinning (MPI_Wait would spin): the ranks' cores belong to their encoders. */
static void request_wait(MPI_Request *request) {
  struct timespec nap = {.tv_nsec = NAP_FIRST};
  for (;;) {
    int done;
    MPI_Test(request, &done, MPI_STATUS_IGNORE);
    if (done) return;
    nanosleep(&nap, NULL);
    if (nap.tv_nsec < NAP_LONGEST) nap.tv_nsec *= 2;
  }
}

/* Frees the messages that have left. If `all`, waits until each has left. */
static void sending_reap(struct world_mpi *mpi, bool all) {
  for (struct sending **at = &mpi->sending; *at;) {
    struct sending *sending = *at;
    int done = 1;
    if (all)
      request_wait(&sending->request);
    else
      MPI_Test(&sending->request, &done, MPI_STATUS_IGNORE);
    if (done) {
      *at = sending->next;
      free(sending);
    } else {
      at = &sending->next;
    }
  }
}

static bool world_mpi_send(struct world *world, int32_t to, const void *bytes, size_t size,
                           struct error *error) {
  struct world_mpi *mpi = (struct world_mpi *)world;
  sending_reap(mpi, false);
  struct sending *sending = malloc(sizeof *sending + size);
  if (!sending) return error_set_memory(error, size, "a message to another rank");
  memcpy(sending->bytes, bytes, size);
  MPI_Isend(sending->bytes, (int)size, MPI_BYTE, to, MESSAGE_TAG, MPI_COMM_WORLD, &sending->request);
  sending->next = mpi->sending;
  mpi->sending = sending;
  return true;
}

static bool world_mpi_receive(struct world *world, int32_t *from, void *bytes, size_t capacity,
                              size_t *size) {
  MPI_Status status;
  int there, count;
  (void)world;
  MPI_Iprobe(MPI_ANY_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &there, &status);
  if (!there) return false;
  MPI_Recv(bytes, (int)capacity, MPI_BYTE, status.MPI_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &status);
  MPI_Get_count(&status, MPI_BYTE, &count);
  *from = status.MPI_SOURCE;
  *size = (size_t)count;
  return true;
}

static void world_mpi_share(struct world *world, void *bytes, size_t size) {
  (void)world;
  for (size_t at = 0; at < size; at += SHARE_BYTES_MAX) {
    const size_t left = size - at;
    MPI_Request request;
    MPI_Ibcast((char *)bytes + at, (int)(left < SHARE_BYTES_MAX ? left : SHARE_BYTES_MAX), MPI_BYTE, 0,
               MPI_COMM_WORLD, &request);
    request_wait(&request);
  }
}

static void world_mpi_gather(struct world *world, const void *bytes, size_t size, void *all) {
  MPI_Request request;
  (void)world;
  MPI_Iallgather(bytes, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, MPI_COMM_WORLD, &request);
  request_wait(&request);
}

static void world_mpi_collect(struct world *world, const void *bytes, size_t size, void *all) {
  MPI_Request request;
  (void)world;
  MPI_Igather(bytes, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
  request_wait(&request);
}

static void job_abort(void) {
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static struct world_mpi *broken_world; /* its messages may still be on their way */

static void world_mpi_close(struct world *world, bool broken) {
  struct world_mpi *mpi = (struct world_mpi *)world;
  MPI_Request everybody;
  if (broken) { /* MPI_Abort ends this process too, which must say first why it cannot go on */
    broken_world = mpi;
    if (atexit(job_abort) != 0) job_abort();
    return;
  }
  sending_reap(mpi, true);
  MPI_Ibarrier(MPI_COMM_WORLD, &everybody); /* rank 0 may have more to do, and MPI_Finalize would spin */
  request_wait(&everybody);
  MPI_Finalize();
  free(mpi);
}

static const struct world_vtable world_mpi_vtable = {.send = world_mpi_send,
                                                     .receive = world_mpi_receive,
                                                     .share = world_mpi_share,
                                                     .gather = world_mpi_gather,
                                                     .collect = world_mpi_collect,
                                                     .close = world_mpi_close};

bool world_mpi_open(struct world **world, struct error *error) {
  int level, rank, size;
  struct local_rank held;
  struct world_mpi *mpi = calloc(1, sizeof *mpi);
  if (!mpi) return error_set_memory(error, sizeof *mpi, "the ranks");
  if (!local_rank_hold(&held, error)) {
    free(mpi);
    return false;
  }
  const int result = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
  local_rank_release(&held);
  if (result != MPI_SUCCESS || level < MPI_THREAD_FUNNELED) {
    free(mpi);
    return error_set(error, ERROR_UNSUPPORTED,
                     "this MPI cannot serve a program of several threads (MPI_THREAD_FUNNELED)");
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  mpi->world = (struct world){.vtable = &world_mpi_vtable, .rank = rank, .size = size};
  *world = &mpi->world;
  return true;
}

void world_mpi_library(char text[WORLD_LIBRARY_MAX]) {
  char full[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  MPI_Get_library_version(full, &length);
  full[strcspn(full, ",\n")] = '\0'; /* the rest says how the library was built */
  char *word = strstr(full, "Version:");
  if (word) { /* "MPICH Version:      4.2.1" */
    const char *number = word + strlen("Version:");
    number += strspn(number, " \t");
    memmove(word, number, strlen(number) + 1);
  }
  snprintf(text, WORLD_LIBRARY_MAX, "%.*s", WORLD_LIBRARY_MAX - 1, full);
}
