/* NCCL between processes (or threads) on one machine: a star of sockets around rank 0, whose address is in
 * the unique id. Communicators do not block: each has a thread that joins the others while its owner asks for
 * the state. Broadcasts are a stream's work like any other, so they are sent only if a caller waits. As with
 * NCCL, the others wait for a missing rank until an abort. */
#include <nccl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fake_cuda/fake.h"

#define RANKS_MAX 16
#define POLL_MILLISECONDS 5
#define VERSION 22800

/* What a unique id holds. The listener is a descriptor in the process that made the id, so rank 0 must be
 * there. Linux's abstract space leaves no file behind. */
struct meeting {
  char path[32];
  int pid, listener;
};

struct hello {
  int rank, ranks, card;
};

struct parcel {
  int64_t number;
  uint64_t bytes;
};

/* The joining thread owns the sockets until `state` changes; after that, the stream owns them. */
struct ncclComm {
  int rank, ranks, card;
  struct meeting meeting;
  bool fails; /* joining fails */
  pthread_t joining;
  int socket[RANKS_MAX]; /* rank 0: to each other rank; others: [0] to rank 0; -1: none */
  int64_t queued;
  bool unsettled; /* something was begun, and the owner has not asked since */
  _Atomic(ncclResult_t) state;
  _Atomic bool aborted;
  _Atomic int users; /* the owner and queued work; the last user frees it */
};

/* --- Sockets -------------------------------------------------------------------------------------------- */

static socklen_t address_fill(struct sockaddr_un *address, const char *path) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(address->sun_path + 1, path, strlen(path)); /* after a zero: the abstract space */
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path));
}

/* Waits until the socket is ready for `events`; false if an abort comes first. */
static bool socket_ready(const struct ncclComm *comm, int socket, short events) {
  struct pollfd ready = {.fd = socket, .events = events};
  while (!atomic_load(&comm->aborted))
    if (poll(&ready, 1, POLL_MILLISECONDS) == 1) return true;
  return false;
}

static bool bytes_send(const struct ncclComm *comm, int socket, const void *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    if (!socket_ready(comm, socket, POLLOUT)) return false;
    const ssize_t sent = send(socket, (const char *)bytes + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return false;
    at += (size_t)sent;
  }
  return true;
}

static bool bytes_receive(const struct ncclComm *comm, int socket, void *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    if (!socket_ready(comm, socket, POLLIN)) return false;
    const ssize_t came = recv(socket, (char *)bytes + at, size - at, MSG_DONTWAIT);
    if (came <= 0) return false;
    at += (size_t)came;
  }
  return true;
}

/* --- Joining -------------------------------------------------------------------------------------------- */

/* On rank 0: accepts the other ranks, each only once, and each with its own card. */
static ncclResult_t others_accept(struct ncclComm *comm) {
  int cards[RANKS_MAX] = {comm->card};
  for (int i = 1; i < comm->ranks; i++) {
    struct hello hello = {0};
    if (!socket_ready(comm, comm->meeting.listener, POLLIN)) return ncclSystemError;
    const int other = accept4(comm->meeting.listener, NULL, NULL, SOCK_CLOEXEC);
    if (other < 0) return ncclSystemError;
    const bool right = bytes_receive(comm, other, &hello, sizeof hello) && hello.ranks == comm->ranks &&
                       hello.rank > 0 && hello.rank < comm->ranks && comm->socket[hello.rank] < 0;
    if (!right) {
      close(other);
      return ncclInvalidUsage;
    }
    comm->socket[hello.rank] = other;
    for (int j = 0; j < i; j++)
      if (cards[j] == hello.card) return ncclInvalidUsage;
    cards[i] = hello.card;
  }
  return ncclSuccess;
}

static ncclResult_t first_join(struct ncclComm *comm) {
  if (comm->meeting.pid != getpid()) return ncclInvalidUsage;
  const ncclResult_t result = others_accept(comm);
  close(comm->meeting.listener);
  for (int i = 1; i < comm->ranks; i++)
    if (comm->socket[i] >= 0 && !bytes_send(comm, comm->socket[i], &result, sizeof result))
      return ncclRemoteError;
  return result;
}

static ncclResult_t other_join(struct ncclComm *comm) {
  const struct hello hello = {comm->rank, comm->ranks, comm->card};
  struct sockaddr_un address;
  ncclResult_t result;
  const socklen_t size = address_fill(&address, comm->meeting.path);
  comm->socket[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (comm->socket[0] < 0 || connect(comm->socket[0], (struct sockaddr *)&address, size) != 0)
    return ncclSystemError;
  if (!bytes_send(comm, comm->socket[0], &hello, sizeof hello) ||
      !bytes_receive(comm, comm->socket[0], &result, sizeof result))
    return ncclRemoteError;
  return result;
}

static void *join_run(void *argument) {
  struct ncclComm *comm = argument;
  atomic_store(&comm->state, comm->fails       ? ncclSystemError
                             : comm->rank == 0 ? first_join(comm)
                                               : other_join(comm));
  return NULL;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  static _Atomic int count;
  struct sockaddr_un address;
  if (fake_fails(FAKE_GROUP_NAMES, fake_add(FAKE_GROUP_NAMES, 1), "launch")) return ncclSystemError;
  struct meeting meeting = {.pid = getpid(), .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  snprintf(meeting.path, sizeof meeting.path, "fake-nccl-%d-%d", meeting.pid, atomic_fetch_add(&count, 1));
  const socklen_t size = address_fill(&address, meeting.path);
  if (meeting.listener < 0 || bind(meeting.listener, (struct sockaddr *)&address, size) != 0 ||
      listen(meeting.listener, RANKS_MAX) != 0)
    return ncclSystemError;
  *id = (ncclUniqueId){{0}};
  memcpy(id->internal, &meeting, sizeof meeting);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
  if (rank < 0 || rank >= ranks || ranks > RANKS_MAX || config->blocking) return ncclInvalidArgument;
  struct ncclComm *made = calloc(1, sizeof *made);
  if (!made) return ncclSystemError;
  made->rank = rank;
  made->ranks = ranks;
  made->card = fake_card();
  made->fails = fake_fails(FAKE_GROUP_JOINS, fake_add(FAKE_GROUP_JOINS, 1), "run");
  memcpy(&made->meeting, id.internal, sizeof made->meeting);
  made->meeting.path[sizeof made->meeting.path - 1] = '\0';
  for (int i = 0; i < RANKS_MAX; i++) made->socket[i] = -1;
  atomic_store(&made->state, ncclInProgress);
  atomic_store(&made->users, 1);
  made->unsettled = true;
  if (pthread_create(&made->joining, NULL, join_run, made) != 0) {
    free(made);
    return ncclSystemError;
  }
  *comm = made;
  return ncclInProgress;
}

/* A communicator that does not block may answer "in progress" at any time. This one does so in the first
 * answer after each new operation. */
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state) {
  *state = atomic_load(&comm->state);
  if (*state == ncclSuccess && comm->unsettled) *state = ncclInProgress;
  comm->unsettled = false;
  return ncclSuccess;
}

static void comm_leave(struct ncclComm *comm) {
  if (atomic_fetch_sub(&comm->users, 1) > 1) return;
  for (int i = 0; i < RANKS_MAX; i++)
    if (comm->socket[i] >= 0) close(comm->socket[i]);
  free(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  atomic_store(&comm->aborted, true);
  pthread_join(comm->joining, NULL);
  comm_leave(comm);
  return ncclSuccess;
}

/* --- Broadcast ------------------------------------------------------------------------------------------ */

struct broadcast {
  ncclComm_t comm;
  void *memory;
  struct parcel parcel;
};

static bool parcel_pass(struct ncclComm *comm, const struct parcel *parcel, void *memory) {
  struct parcel came;
  bool ok = true;
  if (comm->rank > 0)
    return bytes_receive(comm, comm->socket[0], &came, sizeof came) && came.number == parcel->number &&
           came.bytes == parcel->bytes && bytes_receive(comm, comm->socket[0], memory, came.bytes);
  for (int i = 1; ok && i < comm->ranks; i++)
    ok = bytes_send(comm, comm->socket[i], parcel, sizeof *parcel) &&
         bytes_send(comm, comm->socket[i], memory, parcel->bytes);
  return ok;
}

/* If a peer has gone, the communicator fails but the card does not: the card's kernel waits for an abort. */
static cudaError_t broadcast_run(const void *arguments) {
  const struct broadcast *broadcast = arguments;
  struct ncclComm *comm = broadcast->comm;
  void *memory = fake_device(broadcast->memory, broadcast->parcel.bytes);
  if (memory && !parcel_pass(comm, &broadcast->parcel, memory)) {
    atomic_store(&comm->state, ncclRemoteError);
    while (!atomic_load(&comm->aborted)) poll(NULL, 0, POLL_MILLISECONDS);
  }
  comm_leave(comm);
  return memory ? cudaSuccess : cudaErrorIllegalAddress;
}

/* In place and from rank 0, as cuda/card_group.c asks. */
ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  if (from != to || root != 0 || type != ncclUint8 || !fake_device(to, count)) return ncclInvalidArgument;
  if (comm->unsettled || atomic_load(&comm->state) != ncclSuccess) return ncclInvalidUsage;
  const struct broadcast broadcast = {comm, to, {++comm->queued, count}};
  atomic_fetch_add(&comm->users, 1);
  if (fake_launch(stream, FAKE_BROADCAST, broadcast_run, &broadcast, sizeof broadcast) == cudaSuccess) {
    comm->unsettled = true;
    return ncclInProgress;
  }
  comm_leave(comm);
  return ncclUnhandledCudaError;
}

ncclResult_t ncclGetVersion(int *version) {
  *version = VERSION;
  return ncclSuccess;
}

const char *ncclGetLastError(ncclComm_t comm) {
  return comm && comm->fails ? "no room in /dev/shm" : "";
}

const char *ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
  }
  return "unknown";
}
