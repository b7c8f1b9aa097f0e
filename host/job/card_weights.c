#include "host/job/card_weights.h"

#include "cuda/card_group.h"
#include "cuda/encoder_cuda.h"

/* Reads them, and names the group that is to get them. name: "" where none is. */
static bool weights_read(struct encoder *encoder, bool passes_on, char *name, struct error *error) {
  return encoder_cuda_read_weights(encoder, error) && (!passes_on || card_group_name(name, error));
}

bool card_weights_bring(struct ranks *ranks, const struct device_choice *choice, struct encoder *encoder,
                        struct error *error) {
  const struct card_share *share = &choice->share;
  char name[CARD_GROUP_NAME_MAX] = "", library[32], **names = NULL;
  struct card_group *group = NULL;
  if (!ranks) return !encoder || encoder_cuda_read_weights(encoder, error);
  const bool joins = encoder && share->peers > 1 && card_group_library(library);
  const bool reads = encoder && (!joins || share->peer == 0);
  /* Whoever is in a group waits for its other members: so all ranks agree before each step of theirs. */
  bool ok = ranks_agree(ranks, !reads || weights_read(encoder, joins, name, error), error) &&
            ranks_gather(ranks, name, &names, error);
  if (!ok) return false;
  if (joins) group = card_group_open(names[share->first], choice->card, share->peer, share->peers, error);
  ok = ranks_agree(ranks, !joins || group, error) &&
       ranks_agree(ranks, !joins || encoder_cuda_share_weights(encoder, group, error), error);
  card_group_close(group);
  ranks_texts_free(ranks, names);
  return ok;
}
