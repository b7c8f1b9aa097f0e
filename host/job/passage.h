/* The document of a row: its id, its place, and its text if available. */
#pragma once

#include "host/job/row_again.h"
#include "io/document.h"
#include "io/error.h"

struct passage {
  struct span id;
  bool id_is_integer;
  int32_t shard;
  int64_t line, offset;
  bool is_chunk; /* `text` is a chunk of the document's, from code point `start` to `end` */
  int32_t chunk; /* its number in the document */
  int64_t start, end;
  struct span title, text;      /* text.bytes NULL: see `missing` */
  char missing[SENTENCE_BYTES]; /* why there is no text, a phrase for people; "": text is there */
};

struct passage_reader;

/* If the run stored its texts, they come from OUT/text. Otherwise they come from the run's shards as they are
 * now, at the places in the manifest and OUT/ids; a line that does not give its row again (row_again.h), or
 * has another id, is no text. A compressed shard is read only if `slow_text` is set, because everything
 * before the line must be decompressed. `run`, and the model and the tokenizer that made it, must outlive the
 * reader. */
struct passage_reader *passage_reader_open(const struct stored_run *run, bool slow_text,
                                           const struct model_config *model,
                                           const struct tokenizer *tokenizer, struct error *error);
void passage_reader_close(struct passage_reader *reader);

/* Reads the document of a row. The spans are valid until the next call. A missing text is no error; a damaged
 * file in OUT is an error. */
bool passage_read(struct passage_reader *reader, int64_t row, struct passage *passage, struct error *error);

/* Counts the rows with an empty or blank text. *first is the first such row. If the run stored no texts,
 * *empty is 0. */
bool passages_empty(const struct stored_run *run, int64_t *empty, int64_t *first, struct error *error);
