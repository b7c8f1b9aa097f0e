/* The cards of several processes of one machine, which pass each other memory without the hosts: a
 * communicator of NCCL. What one rank has read from a disk comes to the others this way.
 *
 * What keeps NCCL from it (cards that are parts of one GPU, a container with little shared memory, no network
 * interface, a member that does not come) is ERROR_IO, and leaves the cards as they were; ERROR_DEVICE is a
 * card that has failed.
 *
 * This header needs no CUDA. NCCL itself is looked for when it is first needed (cuda/library.h). */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct card_group;

#define CARD_GROUP_NAME_MAX 257

/* NCCL's version, as "2.28.9". Where there is none the others fail too: ERROR_UNSUPPORTED where that is as it
 * was wanted (a build without NCCL: -DNINA_NCCL=OFF, or no header; or the environment has NINA_NCCL=0),
 * ERROR_IO where it was not found. */
bool card_group_library(char version[32], struct error *error);

/* The name of a group to be. Its member 0 makes it, and the others are told by other means. */
bool card_group_name(char name[CARD_GROUP_NAME_MAX], struct error *error);

/* Joins the group with this process's card `device`, as one of `members`. Collective: it returns when all
 * have come. Whatever can keep one of them away is better settled before, since the others learn it only by
 * waiting, here and below two minutes. No card may come twice. */
struct card_group *card_group_open(const char *name, int32_t device, int32_t member, int32_t members,
                                   struct error *error);

/* Copies `bytes` bytes of member 0's card to all others. memory: of this member's own card. Collective; all
 * is there when it returns. Where it fails the group can only be closed, after which nothing is written to
 * the memory any more. */
bool card_group_broadcast(struct card_group *group, void *memory, size_t bytes, struct error *error);

/* All members must have ended the last broadcast, or given it up. */
void card_group_close(struct card_group *group);
