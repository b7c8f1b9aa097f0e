#include "host/job/row_walk.h"

#include <stdlib.h>
#include <string.h>

struct row_walk {
  const struct stored_run *run;
  enum walk_extent extent;
  int64_t part, next; /* the open part (-1: none), and the number of the row that its files stand before */
  struct line_reader *ids, *fields, *texts;
  unsigned char *hashes; /* [rows of the part, ROW_HASH_BYTES] */
};

struct row_walk *row_walk_open(const struct stored_run *run, enum walk_extent extent, struct error *error) {
  struct row_walk *walk = calloc(1, sizeof *walk);
  if (!walk) error_set_memory(error, sizeof *walk, "reading rows");
  if (walk) *walk = (struct row_walk){.run = run, .extent = extent, .part = -1};
  return walk;
}

static void part_close(struct row_walk *walk) {
  line_reader_close(walk->ids);
  line_reader_close(walk->fields);
  line_reader_close(walk->texts);
  free(walk->hashes);
  walk->ids = walk->fields = walk->texts = NULL;
  walk->hashes = NULL;
  walk->part = -1;
}

void row_walk_close(struct row_walk *walk) {
  if (!walk) return;
  part_close(walk);
  free(walk);
}

static bool hashes_open(struct row_walk *walk, const struct stored_part *part, struct error *error) {
  const size_t bytes = (size_t)part->rows * ROW_HASH_BYTES;
  struct npy_zst_reader *reader = stored_run_hashes(walk->run, part, error);
  bool ok = reader != NULL;
  if (ok && !(walk->hashes = malloc(bytes + 1))) ok = error_set_memory(error, bytes, "a part's hashes");
  ok = ok && npy_zst_reader_read(reader, 0, part->rows, walk->hashes, error);
  npy_zst_reader_close(reader);
  return ok;
}

static bool part_open(struct row_walk *walk, int64_t number, struct error *error) {
  const struct stored_part *part = &walk->run->part[number];
  const struct run_settings *settings = &walk->run->manifest->identity.settings;
  if (walk->part == number) return true;
  part_close(walk);
  if (!(walk->ids = stored_run_lines(walk->run, FOLDER_IDS, part, error))) return false;
  if (walk->extent >= ROW_ID_AND_HASH && !hashes_open(walk, part, error)) return false;
  if (walk->extent == ROW_WHOLE && settings->keep_fields &&
      !(walk->fields = stored_run_lines(walk->run, FOLDER_FIELDS, part, error)))
    return false;
  if (walk->extent == ROW_WHOLE && settings->store_text &&
      !(walk->texts = stored_run_lines(walk->run, FOLDER_TEXT, part, error)))
    return false;
  walk->part = number;
  walk->next = part->first_row;
  return true;
}

/* The next line of a file, if there is a file; one without a next line has too few. */
static bool line_take(struct line_reader *reader, struct line *line, struct error *error) {
  if (!reader) return true;
  switch (line_reader_next(reader, line, error)) {
    case LINE_READ:
      return true;
    case LINE_END:
      return error_set(error, ERROR_INPUT, "%s has fewer lines than its run's manifest says",
                       line_reader_name(reader));
    case LINE_FAILED:
      break;
  }
  return false;
}

bool row_walk_to(struct row_walk *walk, int64_t row, struct walked_row *found, struct error *error) {
  struct line id = {0}, fields = {0}, text = {0};
  if (row >= walk->run->rows || !part_open(walk, stored_run_part(walk->run, row), error))
    return row < walk->run->rows
               ? false
               : error_set(error, ERROR_INPUT, "%s has no row %lld", walk->run->out, (long long)row);
  for (; walk->next <= row; walk->next++)
    if (!line_take(walk->ids, &id, error) || !line_take(walk->fields, &fields, error) ||
        !line_take(walk->texts, &text, error))
      return false;
  *found = (struct walked_row){.fields = {fields.text, fields.length}, .text = {text.text, text.length}};
  if (!id_line_parse(id.text, id.length, &found->id))
    return error_set(error, ERROR_INPUT, "%s, line %lld: not a record of a document's id",
                     line_reader_name(walk->ids), (long long)line_reader_number(walk->ids));
  if (walk->hashes)
    found->hash = walk->hashes + (row - walk->run->part[walk->part].first_row) * ROW_HASH_BYTES;
  return true;
}
