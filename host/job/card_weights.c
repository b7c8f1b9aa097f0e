#include "host/job/card_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/card_group.h"
#include "cuda/encoder_cuda.h"

/* A rank among its machine's ranks with cards. */
struct member {
  struct ranks *ranks;
  const struct device_choice *choice;
  struct encoder *encoder; /* NULL: no card; the rank only takes part in agreements */
  bool joins;              /* gets or gives the weights in a group */
  bool reads;              /* reads the weights: first in the group, or in no group */
};

/* The members of a group wait for each other, so all ranks agree before each step. If NCCL fails, every card
 * is unchanged. If a card has failed, *lost is set and the job cannot go on. */
static bool step_agree(const struct member *member, bool ok, bool *lost, struct error *error) {
  *lost = !ranks_agree(member->ranks, ok || error->code != ERROR_DEVICE, error);
  return !*lost && ranks_agree(member->ranks, ok, error);
}

/* Compares the size of this rank's weights with the size on the sending rank. told [ranks]: "<group name or
 * nothing> <bytes>" for each rank. */
static bool sizes_compare(const struct member *member, char *const *told, struct error *error) {
  const int32_t first = member->choice->share.first;
  const char *its = strchr(told[first], ' ');
  const size_t bytes = encoder_cuda_weights_bytes(member->encoder);
  if (its && strtoull(its, NULL, 10) == bytes) return true;
  return error_set(error, ERROR_CONFLICT,
                   "the weights of this rank's model take %zu bytes on a card, and rank %d, whose card would "
                   "pass its own on, has a model of%s: give all ranks of a machine the same --model",
                   bytes, first, its ? its : " none");
}

/* Joins the group, then receives or sends the weights. */
static bool group_pass(const struct member *member, char *const *told, bool *lost, struct error *error) {
  const struct card_share *share = &member->choice->share;
  char name[CARD_GROUP_NAME_MAX];
  struct card_group *group = NULL;
  if (member->joins) {
    snprintf(name, sizeof name, "%.*s", (int)strcspn(told[share->first], " "), told[share->first]);
    group = card_group_open(name, member->choice->card, share->peer, share->peers, error);
  }
  const bool ok =
      step_agree(member, !member->joins || group, lost, error) &&
      step_agree(member, !member->joins || encoder_cuda_share_weights(member->encoder, group, error), lost,
                 error);
  card_group_close(group);
  return ok;
}

/* Sends the weights from card to card. If one rank cannot, all return false. *lost is set if NCCL is not to
 * blame. */
static bool weights_pass(const struct member *member, bool *lost, struct error *error) {
  char name[CARD_GROUP_NAME_MAX] = "", tell[CARD_GROUP_NAME_MAX + 32] = "", **told = NULL;
  const bool names = member->joins && member->reads;
  if (!step_agree(member, !names || card_group_name(name, error), lost, error)) return false;
  if (member->joins) snprintf(tell, sizeof tell, "%s %zu", name, encoder_cuda_weights_bytes(member->encoder));
  *lost = !ranks_gather(member->ranks, tell, &told, error);
  if (*lost) return false;
  *lost = !ranks_agree(member->ranks, !member->joins || sizes_compare(member, told, error), error);
  const bool ok = !*lost && group_pass(member, told, lost, error);
  ranks_texts_free(member->ranks, told);
  return ok;
}

/* True if the ranks on shared machines can pass weights on: either all have NCCL, or none uses NCCL. *why is
 * empty if the user chose to do without. */
static bool nccl_agree(struct ranks *ranks, bool shares, struct error *why) {
  char library[32];
  const bool ok = ranks_agree(ranks, !shares || card_group_library(library, why), why);
  if (!ok && why->code == ERROR_UNSUPPORTED) *why = (struct error){0};
  return ok;
}

bool card_weights_bring(struct ranks *ranks, const struct device_choice *choice, struct encoder *encoder,
                        struct error *why, struct error *error) {
  bool lost = false;
  if (!ranks) return !encoder || encoder_cuda_read_weights(encoder, error);
  const bool shares = encoder && choice->share.peers > 1;
  const bool joins = nccl_agree(ranks, shares, why) && shares;
  const struct member member = {.ranks = ranks,
                                .choice = choice,
                                .encoder = encoder,
                                .joins = joins,
                                .reads = encoder && (!joins || choice->share.peer == 0)};
  const bool read = ranks_agree(ranks, !member.reads || encoder_cuda_read_weights(encoder, error), error);
  bool ok = read && weights_pass(&member, &lost, error);
  if (read && !ok && !lost) {
    *why = *error;
    ok = ranks_agree(ranks, !joins || member.reads || encoder_cuda_read_weights(encoder, error), error);
  }
  if (ranks_rank(ranks) > 0) *why = (struct error){0};
  if (why->code) error_prefix(why, "every rank reads the weights itself");
  return ok;
}
