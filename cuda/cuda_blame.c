/* Finds the layer that spoiled a row, if the row cannot be stored. The batch is still in the slot, so this
 * code runs the batch once more and checks the state after each step. This is slow but rare: the run then
 * ends with an error that names the layer. */
#include "cuda/check.h"
#include "cuda/cuda_slot_state.h"

/* Sets *wrong if the newest verdict on the blamed sequence's row is the one that the batch came down with. */
static bool verdict_read(struct cuda_slot *slot, enum row_verdict verdict, bool *wrong, struct error *error) {
  int32_t *const seen = slot->host_verdicts + slot->blamed;
  const bool ok = cuda_check(cudaMemcpyAsync(seen, slot->verdicts + slot->blamed, sizeof *seen,
                                             cudaMemcpyDeviceToHost, slot->stream),
                             error, "copying a row's verdict from the card") &&
                  cuda_check(cudaStreamSynchronize(slot->stream), error, "running a batch again");
  *wrong = ok && *seen == (int32_t)verdict;
  return ok;
}

/* Sets *wrong if the blamed sequence's row is as wrong here as at the end. If one token is wrong, the tokens'
 * mean is wrong too. */
static bool rows_judge(struct cuda_slot *slot, const struct cuda_rows *rows, enum row_verdict verdict,
                       bool *wrong, struct error *error) {
  return cuda_slot_judge(slot, rows, error) && verdict_read(slot, verdict, wrong, error);
}

/* `firsts`: the state holds only each sequence's first row. */
static bool state_judge(struct cuda_slot *slot, bool firsts, enum row_verdict verdict, bool *wrong,
                        struct error *error) {
  const struct cuda_rows state = {slot->state, slot->forward->shape.hidden, !firsts};
  return rows_judge(slot, &state, verdict, wrong, error);
}

/* Looks for the fault after the layers: in the pooled rows, then in each Dense module's rows. */
static bool module_find(struct cuda_slot *slot, enum row_verdict verdict, int32_t *layer, bool *wrong,
                        struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  struct cuda_rows rows;
  if (cuda_forward_columns(forward) == 0) return true;
  *layer = ROW_LAYER_POOLING;
  if (!cuda_slot_pool_modes(slot, slot->prompt_tokens, &rows, error) ||
      !rows_judge(slot, &rows, verdict, wrong, error))
    return false;
  for (int32_t d = 0; !*wrong && d < forward->dense_count; d++) {
    *layer = forward->shape.layers + d;
    if (!cuda_slot_dense(slot, d, &rows, error) || !rows_judge(slot, &rows, verdict, wrong, error))
      return false;
  }
  return true;
}

/* Whole rows may be right though the part that the run stores is not, or without the prompt's tokens. */
static bool widths_find(struct cuda_slot *slot, enum row_verdict verdict, int32_t *layer,
                        struct error *error) {
  bool wrong;
  if (!cuda_slot_pool(slot, slot->prompt_tokens, error) || !verdict_read(slot, verdict, &wrong, error))
    return false;
  *layer = wrong ? ROW_LAYER_WIDTHS : ROW_LAYER_NONE;
  return true;
}

static bool layer_find(struct cuda_slot *slot, enum row_verdict verdict, int32_t *layer,
                       struct error *error) {
  const struct attention_plan plan = cuda_slot_plan(slot);
  bool wrong;
  *layer = ROW_LAYER_EMBEDDING;
  if (!cuda_slot_embed(slot, error) || !state_judge(slot, false, verdict, &wrong, error)) return false;
  while (!wrong && ++*layer < slot->forward->shape.layers)
    if (!cuda_slot_layer(slot, &plan, *layer, error) ||
        !state_judge(slot, cuda_slot_firsts_only(slot, *layer), verdict, &wrong, error))
      return false;
  if (!wrong && !module_find(slot, verdict, layer, &wrong, error)) return false;
  return wrong || widths_find(slot, verdict, layer, error);
}

bool cuda_slot_blame(struct cuda_slot *slot, struct error *error) {
  const enum row_verdict verdict = (enum row_verdict)slot->host_verdicts[slot->blamed];
  int32_t layer;
  return cuda_check(cudaSetDevice(slot->forward->device), error, "turning to card %d",
                    slot->forward->device) &&
         layer_find(slot, verdict, &layer, error) &&
         row_refuse(verdict, layer, slot->forward->shape.layers,
                    "the cuda encoder computes in fp16, which ends at 65504: pass --device cpu", error);
}
