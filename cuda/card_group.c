#include "cuda/card_group.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cuda/check.h"
#include "cuda/library.h"
#include "io/clock.h"

/* Seconds that a member waits for the others. All members arrive at about the same time. NCCL needs a few
 * seconds to find its paths. A large model's weights need a few more, even if they pass through the host. */
#ifndef CARD_GROUP_PATIENCE
#define CARD_GROUP_PATIENCE 120
#endif

static_assert(2 * NCCL_UNIQUE_ID_BYTES < CARD_GROUP_NAME_MAX, "a name is NCCL's id in hexadecimal digits");

struct card_group {
  const struct nccl *nccl;
  int32_t device;
  cudaStream_t stream;
  ncclComm_t comm;
};

/* NCCL's error text, and NCCL's last internal error if there is one. comm: NULL if not open yet. */
static bool nccl_say(const struct nccl *nccl, ncclResult_t status, ncclComm_t comm, struct error *error,
                     const char *doing) {
  const char *last = nccl->ncclGetLastError(comm);
  const bool told = last && *last;
  return error_set(error, ERROR_IO, "%s: NCCL says \"%s%s%.500s\" (NCCL_DEBUG=WARN shows more)", doing,
                   nccl->ncclGetErrorString(status), told ? ": " : "", told ? last : "");
}

static bool nccl_check(ncclResult_t status, const struct card_group *group, struct error *error,
                       const char *doing) {
  if (status == ncclSuccess) return true;
  const cudaError_t card = cudaStreamQuery(group->stream);
  if (card != cudaSuccess && card != cudaErrorNotReady) return cuda_check(card, error, "%s", doing);
  return nccl_say(group->nccl, status, group->comm, error, doing);
}

/* Checks a call on a non-blocking communicator: the call may return before the work is done. */
static bool nccl_begun(ncclResult_t status, const struct card_group *group, struct error *error,
                       const char *doing) {
  return status == ncclInProgress || nccl_check(status, group, error, doing);
}

/* True if the environment has NINA_NCCL=0. */
static bool nccl_unwanted(void) {
  const char *wish = getenv("NINA_NCCL");
  return wish && strcmp(wish, "0") == 0;
}

/* NCCL's version numbers are 10000 · major + 100 · minor + patch. */
bool card_group_library(char version[32], struct error *error) {
  int number = 0;
  *version = '\0';
  if (nccl_unwanted())
    return error_set(error, ERROR_UNSUPPORTED, "NINA_NCCL=0 in the environment: NCCL is not to be used");
  const struct nccl *nccl = nccl_library(error);
  if (!nccl) return false;
  nccl->ncclGetVersion(&number);
  snprintf(version, 32, "%d.%d.%d", number / 10000, number / 100 % 100, number % 100);
  return true;
}

bool card_group_name(char name[CARD_GROUP_NAME_MAX], struct error *error) {
  const struct nccl *nccl = nccl_library(error);
  ncclUniqueId id;
  *name = '\0';
  if (!nccl) return false;
  const ncclResult_t status = nccl->ncclGetUniqueId(&id);
  if (status != ncclSuccess)
    return nccl_say(nccl, status, NULL, error, "preparing the weights' way from card to card");
  for (size_t i = 0; i < sizeof id.internal; i++)
    snprintf(name + 2 * i, 3, "%02x", (unsigned char)id.internal[i]);
  return true;
}

static bool id_parse(const char *name, ncclUniqueId *id) {
  if (strlen(name) != 2 * sizeof id->internal) return false;
  for (size_t i = 0; i < sizeof id->internal; i++) {
    unsigned int byte;
    if (sscanf(name + 2 * i, "%2x", &byte) != 1) return false;
    id->internal[i] = (char)byte;
  }
  return true;
}

/* Waits until NCCL and the card have done the queued work. Polls: if a member never joins, NCCL and the card
 * would wait for ever. */
static bool group_wait(struct card_group *group, const char *doing, struct error *error) {
  const struct timespec nap = {.tv_nsec = 1000000};
  const int64_t end = clock_now() + CARD_GROUP_PATIENCE * INT64_C(1000000000);
  for (;;) {
    ncclResult_t state;
    const ncclResult_t asked = group->nccl->ncclCommGetAsyncError(group->comm, &state);
    if (asked != ncclSuccess) state = asked;
    if (state == ncclSuccess) {
      const cudaError_t status = cudaStreamQuery(group->stream);
      if (status != cudaErrorNotReady) return cuda_check(status, error, "%s", doing);
    } else if (state != ncclInProgress) {
      return nccl_check(state, group, error, doing);
    }
    if (clock_now() > end)
      return error_set(error, ERROR_IO, "%s: not all ranks of this machine came within %d seconds", doing,
                       CARD_GROUP_PATIENCE);
    nanosleep(&nap, NULL);
  }
}

static bool group_join(struct card_group *group, const char *name, int32_t member, int32_t members,
                       struct error *error) {
  static const char doing[] = "joining the cards of this machine's ranks";
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  ncclUniqueId id;
  config.blocking = 0;
  if (!id_parse(name, &id))
    return error_set(error, ERROR_USAGE, "\"%s\" is no name of a group of cards", name);
  if (!cuda_check(cudaSetDevice(group->device), error, "turning to card %d", group->device) ||
      !cuda_check(cudaStreamCreateWithFlags(&group->stream, cudaStreamNonBlocking), error, "making a stream"))
    return false;
  const ncclResult_t begun = group->nccl->ncclCommInitRankConfig(&group->comm, members, id, member, &config);
  return nccl_begun(begun, group, error, doing) && group_wait(group, doing, error);
}

struct card_group *card_group_open(const char *name, int32_t device, int32_t member, int32_t members,
                                   struct error *error) {
  struct card_group *group = calloc(1, sizeof *group);
  if (!group) {
    error_set_memory(error, sizeof *group, "a group of cards");
    return NULL;
  }
  group->device = device;
  group->nccl = nccl_library(error);
  if (group->nccl && group_join(group, name, member, members, error)) return group;
  card_group_close(group);
  return NULL;
}

bool card_group_broadcast(struct card_group *group, void *memory, size_t bytes, struct error *error) {
  static const char doing[] = "passing the weights from card to card";
  if (!cuda_check(cudaSetDevice(group->device), error, "turning to card %d", group->device)) return false;
  const ncclResult_t begun =
      group->nccl->ncclBroadcast(memory, memory, bytes, ncclUint8, 0, group->comm, group->stream);
  return nccl_begun(begun, group, error, doing) && group_wait(group, doing, error);
}

/* ncclCommDestroy would wait for the other members. An abort keeps the data that they have received. */
void card_group_close(struct card_group *group) {
  if (!group) return;
  cudaSetDevice(group->device);
  if (group->comm) group->nccl->ncclCommAbort(group->comm);
  if (group->stream) cudaStreamDestroy(group->stream);
  free(group);
}
