#include "host/job/row_again.h"

#include <stdlib.h>
#include <string.h>

#include "host/flow/block_tokenizer.h"
#include "host/job/settings.h"

#define KEPT_BYTES ((size_t)1 << 20)

struct row_again {
  struct settings settings; /* the run's */
  struct block_tokenizer *tools;
  struct flow_block work; /* a block of one line */
  struct line line;       /* its line */
  atomic_int stop;        /* never set */
};

bool row_proof_read(const struct stored_run *run, int64_t row, struct row_proof *proof, struct error *error) {
  const struct stored_part *part = &run->part[stored_run_part(run, row)];
  proof->hashed = run->manifest->identity.settings.hashes;
  if (!proof->hashed) return true;
  struct npy_zst_reader *reader = stored_run_hashes(run, part, error);
  const bool read = reader && npy_zst_reader_read(reader, row - part->first_row, 1, proof->hash, error);
  npy_zst_reader_close(reader);
  return read;
}

/* The run's settings, as far as they decide a row's tokens. The run may have had a longer input than the
 * model folder allows now. */
static bool settings_take(struct settings *settings, const struct stored_run *run,
                          const struct model_config *model, const struct tokenizer *tokenizer,
                          struct error *error) {
  static const struct compute_options compute = {.threads = 1};
  static const struct encoder_info no_encoder;
  const struct run_settings *stored = &run->manifest->identity.settings;
  const int32_t most = model->shape.positions - model->shape.first_position;
  struct embed_options options = options_of_run(stored, NULL, &compute);
  if (stored->max_tokens < 2 || stored->max_tokens > most)
    return error_set(error, ERROR_INPUT,
                     "%s/" MANIFEST_NAME ": max_tokens is %d: the model takes from 2 to %d", run->out,
                     stored->max_tokens, most);
  options.store_text = false;
  settings->encoder.max_tokens = stored->max_tokens;
  return settings_for_flow(&options, model, tokenizer, &no_encoder, run->manifest, settings, error);
}

struct row_again *row_again_open(const struct stored_run *run, const struct model_config *model,
                                 const struct tokenizer *tokenizer, struct error *error) {
  struct row_again *again = calloc(1, sizeof *again);
  if (!again) {
    error_set_memory(error, sizeof *again, "reading shards again");
    return NULL;
  }
  if (settings_take(&again->settings, run, model, tokenizer, error) &&
      (again->tools = block_tokenizer_open(&again->settings.flow, tokenizer, error)))
    return again;
  row_again_close(again);
  return NULL;
}

void row_again_close(struct row_again *again) {
  if (!again) return;
  block_tokenizer_close(again->tools);
  again->work.block.line = NULL; /* it is again->line */
  flow_block_free(&again->work);
  free(again);
}

/* Makes the line the only one of the block. */
static bool block_fill(struct row_again *again, const char *line, size_t length, struct error *error) {
  struct block *block = &again->work.block;
  flow_block_clear(&again->work, SIZE_MAX, 0);
  if (block->text_capacity > KEPT_BYTES || block->text_capacity < length + 1) {
    free(block->text);
    *block = (struct block){.text = malloc(length + 1)};
    if (!block->text) return error_set_memory(error, length, "a document's line");
    block->text_capacity = length + 1;
  }
  memcpy(block->text, line, length);
  block->text_size = length;
  again->line = (struct line){.text = block->text, .length = (int64_t)length};
  block->line = &again->line;
  block->border = (struct block_border){.first_line = 1, .lines = 1};
  return true;
}

bool row_again_same(struct row_again *again, const char *line, size_t length, const struct row_proof *proof,
                    bool *same, struct error *error) {
  struct flow_block *work = &again->work;
  if (!block_fill(again, line, length, error) ||
      !block_tokenizer_run(again->tools, work, "", &again->stop, error))
    return false;
  *same = proof->chunk < work->rows && work->row[proof->chunk].tokens == proof->tokens &&
          (!proof->hashed ||
           memcmp(work->hash + proof->chunk * ROW_HASH_BYTES, proof->hash, ROW_HASH_BYTES) == 0);
  return true;
}
