/* The document of a row: its id, its place, and its text where that can be had. */
#pragma once

#include "host/job/stored_run.h"
#include "io/document.h"

struct passage {
  struct span id;
  bool id_is_integer;
  int32_t shard;
  int64_t line, offset;
  struct span title, text; /* text.bytes NULL: see `missing` */
  char missing[512];       /* why there is no text: a phrase for people; "" where there is one */
};

struct passage_reader;

/* Texts come from OUT/text where the run stored them; else from its shards as they are now, at the places
 * that the manifest and OUT/ids say: at once from a plain file, and from a compressed one only with
 * `slow_text`, since that means decompressing all that stands before. `run` must outlive the reader. */
struct passage_reader *passage_reader_open(const struct stored_run *run, bool slow_text, struct error *error);
void passage_reader_close(struct passage_reader *reader);

/* The document of a row; its spans are valid until the next call. A text that cannot be had is no error; a
 * damaged file of OUT is. */
bool passage_read(struct passage_reader *reader, int64_t row, struct passage *passage, struct error *error);

/* Counts the rows with an empty or blank text, *first being the first of them. Where the run stored no texts,
 * *empty is 0. */
bool passages_empty(const struct stored_run *run, int64_t *empty, int64_t *first, struct error *error);
