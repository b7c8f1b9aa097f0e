#include "host/job/shard_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/line_reader.h"
#include "io/text.h"

enum shard_state { SHARD_UNKNOWN, SHARD_SAME, SHARD_OTHER, SHARD_UNREADABLE };

struct shard_text {
  const struct stored_run *run;
  bool slow_text;
  struct document_fields fields;
  struct row_again *again;
  struct line_limits limits;
  enum shard_state *state; /* [shards] */
  struct text line;        /* line of the last passage */
};

struct shard_text *shard_text_open(const struct stored_run *run, bool slow_text,
                                   const struct model_config *model, const struct tokenizer *tokenizer,
                                   struct error *error) {
  struct shard_text *shards = calloc(1, sizeof *shards);
  const struct run_settings *settings = &run->manifest->identity.settings;
  const size_t count = (size_t)run->manifest->shards.count;
  if (!shards) {
    error_set_memory(error, sizeof *shards, "reading shards");
    return NULL;
  }
  *shards = (struct shard_text){
      .run = run,
      .slow_text = slow_text,
      .fields = {.text = settings->text_field, .id = settings->id_field, .title = settings->title_field},
      .limits = {.line = settings->max_line},
      .state = calloc(count + 1, sizeof *shards->state)};
  if (!shards->state) error_set_memory(error, count, "reading shards");
  if (shards->state && (shards->again = row_again_open(run, model, tokenizer, error))) return shards;
  shard_text_close(shards);
  return NULL;
}

void shard_text_close(struct shard_text *shards) {
  if (!shards) return;
  row_again_close(shards->again);
  text_free(&shards->line);
  free(shards->state);
  free(shards);
}

/* Checks if a shard is still the embedded one. Looks at the file only once. */
static bool shard_is_same(struct shard_text *shards, int32_t number) {
  if (shards->state[number] == SHARD_UNKNOWN) {
    const struct shard *then = &shards->run->manifest->shards.shard[number];
    struct shard now = {.path = then->path};
    struct error unreadable;
    shards->state[number] = !shard_examine(&now, &unreadable) ? SHARD_UNREADABLE
                            : shard_same_content(then, &now)  ? SHARD_SAME
                                                              : SHARD_OTHER;
  }
  return shards->state[number] == SHARD_SAME;
}

/* Copies the line at the passage's offset. */
static bool line_copy(struct shard_text *shards, struct line_reader *reader, const struct passage *passage,
                      struct error *error) {
  struct line line;
  if (!line_reader_can_seek(reader) && !shards->slow_text)
    return error_set(error, ERROR_USAGE, "%s is compressed: --slow-text decompresses it up to the document",
                     line_reader_name(reader));
  if (!line_reader_go(reader, passage->offset, passage->line, error)) return false;
  switch (line_reader_next(reader, &line, error)) {
    case LINE_READ:
      break;
    case LINE_END:
      return error_set(error, ERROR_INPUT, "%s ends before its line %lld", line_reader_name(reader),
                       (long long)passage->line);
    case LINE_FAILED:
      return false;
  }
  const size_t mark = text_mark(line.text, (size_t)line.length);
  text_clear(&shards->line, (size_t)1 << 20);
  text_append(&shards->line, line.text + mark, (size_t)line.length - mark);
  return !shards->line.failed || error_set_memory(error, (size_t)line.length, "a document's line");
}

static bool id_is_same(const struct document *document, const struct passage *passage) {
  if (!document->id.bytes) return true; /* the run gave the ids itself: a shard's and a line's number */
  return document->id_is_integer == passage->id_is_integer && document->id.length == passage->id.length &&
         memcmp(document->id.bytes, passage->id.bytes, (size_t)passage->id.length) == 0;
}

/* Parses the document at the passage's offset. If the line is not the one that was embedded, returns false
 * with a sentence. */
static bool document_read(struct shard_text *shards, const char *path, const struct row_proof *proof,
                          struct passage *passage, struct error *error) {
  struct document document;
  char reason[256];
  bool same;
  struct line_reader *reader = line_reader_open(path, &shards->limits, error);
  const bool ok = reader && line_copy(shards, reader, passage, error);
  line_reader_close(reader);
  if (!ok) return false;
  const struct text *line = &shards->line;
  if (!row_again_same(shards->again, line->bytes, line->size, proof, &same, error)) return false;
  if (!same ||
      document_parse(&shards->fields, line->bytes, (int64_t)line->size, &document, reason) != DOCUMENT_READ ||
      !id_is_same(&document, passage))
    return error_set(error, ERROR_INPUT,
                     "%s has changed since: its line %lld is not the one that was embedded", path,
                     (long long)passage->line);
  passage->title = document.title;
  passage->text = document.text;
  return true;
}

bool shard_text_read(struct shard_text *shards, const struct row_proof *proof, struct passage *passage,
                     struct error *error) {
  const struct shard_list *list = &shards->run->manifest->shards;
  const char *path = passage->shard < list->count ? list->shard[passage->shard].path : NULL;
  struct error reason = {0};
  if (!path)
    error_set(&reason, ERROR_INPUT, "the manifest has no shard %d", passage->shard);
  else if (strcmp(path, "-") == 0)
    error_set(&reason, ERROR_INPUT, "it came from standard input (--store-text keeps texts)");
  else if (!shard_is_same(shards, passage->shard))
    error_set(&reason, ERROR_INPUT, "%s is not there, or has changed since%s", path,
              *path == '/' || shards->state[passage->shard] == SHARD_OTHER
                  ? ""
                  : "; relative paths are those of the folder in which nina embed was started");
  else if (document_read(shards, path, proof, passage, &reason))
    return true;
  else if (reason.code == ERROR_MEMORY) {
    *error = reason;
    return false;
  }
  snprintf(passage->missing, sizeof passage->missing, "%s", reason.message);
  return true;
}
