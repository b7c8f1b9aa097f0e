/* A group of cards on one machine, one card per process. The cards copy memory to each other without the
 * hosts, through an NCCL communicator. So one rank can read from the disk and send the data to the others.
 *
 * ERROR_IO: NCCL cannot be used, and the cards are as before. Causes: two cards are parts of one GPU, a
 * container has little shared memory, there is no network interface, or a member is missing. ERROR_DEVICE: a
 * card has failed.
 *
 * This header needs no CUDA. NCCL is looked for when it is first needed (cuda/library.h). */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct card_group;

#define CARD_GROUP_NAME_MAX 257

/* NCCL's version, as "2.28.9". If there is no NCCL, all functions in this header fail: with ERROR_UNSUPPORTED
 * if nina is meant to work without NCCL (a build without NCCL: -DNINA_NCCL=OFF, or no header; or NINA_NCCL=0
 * in the environment), with ERROR_IO if NCCL was not found. */
bool card_group_library(char version[32], struct error *error);

/* Makes a name for a new group. Member 0 calls this function and sends the name to the other members. */
bool card_group_name(char name[CARD_GROUP_NAME_MAX], struct error *error);

/* Joins the group as member `member` of `members`, with this process's card `device`. No card may join twice.
 * Collective: returns when all members have joined. Before the call, check everything that could keep a
 * member away: the others notice a missing member only after two minutes, here and in the functions below. */
struct card_group *card_group_open(const char *name, int32_t device, int32_t member, int32_t members,
                                   struct error *error);

/* Copies `bytes` bytes from member 0's card to all other cards. memory: on this member's own card.
 * Collective; the copy is complete on return. If the copy fails, the group can only be closed; after the
 * close nothing writes to the memory any more. */
bool card_group_broadcast(struct card_group *group, void *memory, size_t bytes, struct error *error);

/* All members must first have finished the last broadcast, or given it up. */
void card_group_close(struct card_group *group);
