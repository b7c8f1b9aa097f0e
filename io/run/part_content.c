#include "io/run/part_content.h"

#include <stdlib.h>
#include <string.h>

#include "io/document.h"
#include "io/kept_fields.h"
#include "io/npy_zst.h"
#include "io/run/id_line.h"
#include "io/run/row_hash.h"
#include "io/run/stored_line.h"

#define PIECE_BYTES (128 * 1024) /* vectors read at a time: a frame of npy_zst_write */

/* fp16 in integers: a square is a multiple of 2^-48, so a row's sum is exact. */
#define HALF_EXPONENT_MAX 31
#define HALF_EXPONENT_OF_ONE 15
#define SQUARE_OF_ONE ((int64_t)1 << 48)
#define SQUARE_LEAST ((int64_t)(SQUARE_OF_ONE * 0.999 * 0.999))
#define SQUARE_MOST ((int64_t)(SQUARE_OF_ONE * 1.001 * 1.001))

void part_rows_free(struct part_rows *rows) {
  free(rows->tokens);
  *rows = (struct part_rows){0};
}

static bool record_names_file(const struct part_record *record, enum folder folder, int32_t width,
                              struct error *error) {
  char path[PART_PATH_MAX];
  part_path_format(path, folder, width, record->border.shard, record->border.index);
  return record_find(record, path) ||
         error_set(error, ERROR_INPUT, "it does not name %s, which a run of these settings has", path);
}

static bool record_names_files(const struct part_record *record, const struct run_settings *settings,
                               struct error *error) {
  int expected = settings->widths.count;
  for (int32_t w = 0; w < settings->widths.count; w++)
    if (!record_names_file(record, FOLDER_VECTORS, settings->widths.width[w], error)) return false;
  for (enum folder folder = 0; folder < FOLDERS; folder++) {
    const bool has = folder == FOLDER_REJECTS ? record->rejected > 0 : layout_stores(folder, settings);
    if (folder == FOLDER_VECTORS || folder == FOLDER_RECORDS || !has) continue;
    if (!record_names_file(record, folder, 0, error)) return false;
    expected++;
  }
  return record->file_count == expected ||
         error_set(error, ERROR_INPUT, "it names %d files; a part of this run has %d", record->file_count,
                   expected);
}

bool part_record_check(const struct part_record *record, const struct run_settings *settings,
                       struct error *error) {
  int64_t row_bytes = 0;
  for (int32_t w = 0; w < settings->widths.count; w++) row_bytes += 2 * (int64_t)settings->widths.width[w];
  const bool chunks = settings->chunk_tokens > 0;
  const int64_t documents = chunks ? record->documents : record->rows;
  /* A record's counts are at most 2^53, so the sums cannot overflow. */
  if (documents + record->rejected + record->blank != record->border.lines)
    return error_set(error, ERROR_INPUT,
                     "its %lld %s, %lld rejects and %lld blank lines are not its %lld lines",
                     (long long)documents, chunks ? "documents" : "rows", (long long)record->rejected,
                     (long long)record->blank, (long long)record->border.lines);
  if (documents > record->rows || record->titles_cut > documents)
    return error_set(error, ERROR_INPUT,
                     "%lld documents, %lld of them with a cut title, are not of %lld rows",
                     (long long)documents, (long long)record->titles_cut, (long long)record->rows);
  if (record->truncated > record->rows)
    return error_set(error, ERROR_INPUT, "%lld of its %lld rows are truncated", (long long)record->truncated,
                     (long long)record->rows);
  const int64_t measured = record_lengths_sum(record);
  if (measured > 0 && measured != record->rows)
    return error_set(error, ERROR_INPUT, "its lengths are those of %lld rows, not of its %lld",
                     (long long)measured, (long long)record->rows);
  int64_t bytes;
  if (__builtin_mul_overflow(record->rows, row_bytes, &bytes) || bytes != record->vector_bytes)
    return error_set(error, ERROR_INPUT, "vector_bytes is %lld; %lld rows at %lld bytes were expected",
                     (long long)record->vector_bytes, (long long)record->rows, (long long)row_bytes);
  return record_names_files(record, settings, error);
}

static bool rows_add(struct part_rows *rows, int32_t tokens, struct error *error) {
  if ((rows->count & (rows->count - 1)) == 0) { /* room doubles at every power of two */
    const size_t bytes = (rows->count ? 2 * (size_t)rows->count : 1) * sizeof *rows->tokens;
    int32_t *larger = realloc(rows->tokens, bytes);
    if (!larger) return error_set_memory(error, bytes, "a part's rows");
    rows->tokens = larger;
  }
  rows->tokens[rows->count++] = tokens;
  return true;
}

/* The sums over the lines of ids so far. */
struct ids_sum {
  int64_t line, offset;      /* of the last line */
  int64_t chunk, start, end; /* likewise; `chunk` is -1 if a document may not go on */
  int64_t tokens, truncated, documents;
};

/* A document's first chunk begins its text; each next one begins inside the one before or at its end, and
 * reaches further. */
static bool chunk_take(const struct id_line *id, struct ids_sum *sum) {
  const bool goes_on = sum->chunk >= 0 && id->line == sum->line && id->chunk > 0;
  const bool good = goes_on ? id->chunk == sum->chunk + 1 && id->offset == sum->offset &&
                                  id->start > sum->start && id->start <= sum->end && id->end > sum->end
                            : id->chunk == 0 && id->start == 0 && id->line > sum->line;
  sum->chunk = id->chunk;
  sum->start = id->start;
  sum->end = id->end;
  sum->documents += !goes_on;
  return id->is_chunk && good;
}

/* A document's line must come after the previous document's line, and must lie inside the block. */
static bool id_take(const struct id_line *id, const struct part_record *record, bool chunks, int64_t row,
                    struct ids_sum *sum, struct error *error) {
  const struct block_border *border = &record->border;
  const bool in_order = chunks ? chunk_take(id, sum) : id->line > sum->line && !id->is_chunk;
  if (!in_order || id->shard != border->shard || id->line >= border->first_line + border->lines ||
      id->offset < sum->offset || id->offset >= border->next_offset)
    return error_set(error, ERROR_INPUT,
                     "row %lld is said to be of shard %d, line %lld, byte %lld%s, which is not a place of "
                     "this block after that of the row before",
                     (long long)row, id->shard, (long long)id->line, (long long)id->offset,
                     chunks ? ", with a chunk" : "");
  sum->line = id->line;
  sum->offset = id->offset;
  sum->tokens += id->tokens;
  sum->truncated += id->truncated;
  return true;
}

static bool lengths_check(const struct part_rows *rows, const struct part_record *record,
                          struct error *error) {
  int64_t lengths[LENGTH_CLASSES] = {0};
  if (record_lengths_sum(record) == 0) return true; /* an older version's */
  for (int64_t r = 0; r < rows->count; r++) lengths[length_class_of(rows->tokens[r])]++;
  for (int i = 0; i < LENGTH_CLASSES; i++)
    if (lengths[i] != record->lengths[i])
      return error_set(error, ERROR_INPUT,
                       "it holds %lld rows in the class of lengths up to %d tokens; its part's record says "
                       "%lld",
                       (long long)lengths[i], length_class_most(i), (long long)record->lengths[i]);
  return true;
}

static bool ids_read(struct line_reader *reader, const struct part_record *record, bool chunks,
                     struct part_rows *rows, struct error *error) {
  struct ids_sum sum = {
      .line = record->border.first_line - 1, .offset = record->border.first_offset, .chunk = -1};
  enum line_result result;
  struct line line;
  struct id_line id;
  while ((result = line_reader_next(reader, &line, error)) == LINE_READ) {
    if (!id_line_parse(line.text, line.length, &id))
      return error_set(error, ERROR_INPUT, "row %lld is not a record of a document's id",
                       (long long)rows->count);
    if (!id_take(&id, record, chunks, rows->count, &sum, error) || !rows_add(rows, id.tokens, error))
      return false;
  }
  if (result == LINE_FAILED) return false;
  if (chunks && sum.documents != record->documents)
    return error_set(error, ERROR_INPUT, "it holds chunks of %lld documents; its part's record says %lld",
                     (long long)sum.documents, (long long)record->documents);
  if (rows->count == record->rows && sum.tokens == record->tokens && sum.truncated == record->truncated)
    return lengths_check(rows, record, error);
  return error_set(error, ERROR_INPUT,
                   "it holds %lld rows with %lld tokens, %lld truncated; its part's record says %lld, %lld "
                   "and %lld",
                   (long long)rows->count, (long long)sum.tokens, (long long)sum.truncated,
                   (long long)record->rows, (long long)record->tokens, (long long)record->truncated);
}

bool part_ids_check(const char *path, const struct part_record *record, const struct run_settings *settings,
                    struct part_rows *rows, struct error *error) {
  struct line_reader *reader = stored_lines_open(path, FOLDER_IDS, settings, error);
  const bool ok = reader && ids_read(reader, record, settings->chunk_tokens > 0, rows, error);
  line_reader_close(reader);
  if (!ok) part_rows_free(rows);
  return ok;
}

/* The row's sum of squares in units of 2^-48; -1 if a number is not finite. If a number is 2 or more, the
 * result is larger than any row may have. */
static int64_t row_square(const uint16_t *row, int32_t width) {
  int64_t sum = 0;
  int32_t largest = 0;
  for (int32_t i = 0; i < width; i++) {
    const int32_t exponent = row[i] >> 10 & HALF_EXPONENT_MAX, fraction = row[i] & 0x3ff;
    const int64_t digits = exponent ? fraction | 0x400 : fraction;
    if (exponent > largest) largest = exponent;
    if (exponent <= HALF_EXPONENT_OF_ONE) sum += digits * digits << 2 * (exponent ? exponent - 1 : 0);
  }
  if (largest == HALF_EXPONENT_MAX) return -1;
  return largest > HALF_EXPONENT_OF_ONE ? INT64_MAX : sum;
}

/* The most tokens that an all-zero row may have. Without a prompt: the tokens that the tokenizer adds. Only
 * the tokenizer knows a prompt's number of tokens, so with a prompt: the fewest tokens in any row of the
 * part, because no row can have fewer than an empty text. */
static int32_t tokens_of_nothing(const struct run_settings *settings, const struct part_rows *rows) {
  if (!rows->tokens) return INT32_MAX;
  int32_t fewest = 2;
  if (!settings->prompt || !*settings->prompt) return fewest;
  fewest = INT32_MAX;
  for (int64_t i = 0; i < rows->count; i++)
    if (rows->tokens[i] < fewest) fewest = rows->tokens[i];
  return fewest;
}

static bool row_check(const uint16_t *values, int32_t width, int64_t row, const struct part_rows *rows,
                      int32_t nothing, struct error *error) {
  const int64_t square = row_square(values, width);
  if (square >= SQUARE_LEAST && square <= SQUARE_MOST) return true;
  if (square < 0) return error_set(error, ERROR_INPUT, "row %lld is not finite", (long long)row);
  if (square > 0)
    return error_set(error, ERROR_INPUT, "row %lld is not of length 1 (to 0.001)", (long long)row);
  if (!rows->tokens || rows->tokens[row] <= nothing) return true;
  return error_set(error, ERROR_INPUT, "row %lld is all zero, and its text has %d tokens", (long long)row,
                   rows->tokens[row]);
}

static bool vectors_read(struct npy_zst_reader *reader, int32_t width, const struct run_settings *settings,
                         const struct part_rows *rows, struct error *error) {
  const int64_t count = npy_zst_reader_rows(reader);
  const int64_t piece = 2 * (int64_t)width < PIECE_BYTES ? PIECE_BYTES / (2 * (int64_t)width) : 1;
  const int32_t nothing = tokens_of_nothing(settings, rows);
  const size_t bytes = (size_t)(piece < count ? piece : count) * (size_t)width * sizeof(uint16_t);
  uint16_t *values = malloc(bytes + 1);
  bool ok = values || error_set_memory(error, bytes, "vectors");
  for (int64_t first = 0; ok && first < count; first += piece) {
    const int64_t here = count - first < piece ? count - first : piece;
    ok = npy_zst_reader_read(reader, first, here, values, error);
    for (int64_t i = 0; ok && i < here; i++)
      ok = row_check(values + i * width, width, first + i, rows, nothing, error);
  }
  free(values);
  return ok;
}

static bool vectors_check(const char *path, int32_t width, const struct part_record *record,
                          const struct run_settings *settings, const struct part_rows *rows,
                          struct error *error) {
  struct npy_zst_reader *reader = npy_zst_reader_open(path, error);
  if (!reader) return false;
  const int64_t count = npy_zst_reader_rows(reader);
  bool ok = count == record->rows && npy_zst_reader_width(reader) == width;
  if (!ok)
    error_set(error, ERROR_INPUT, "it holds %lld rows of width %d; its part's record says %lld of width %d",
              (long long)count, npy_zst_reader_width(reader), (long long)record->rows, width);
  ok = ok && vectors_read(reader, width, settings, rows, error);
  npy_zst_reader_close(reader);
  return ok;
}

/* Reads the part's hashes, and so proves every frame. */
static bool hashes_read(struct npy_zst_reader *reader, struct error *error) {
  unsigned char piece[1024 * ROW_HASH_BYTES];
  const int64_t count = npy_zst_reader_rows(reader), rows = (int64_t)sizeof piece / ROW_HASH_BYTES;
  for (int64_t first = 0; first < count; first += rows) {
    const int64_t here = count - first < rows ? count - first : rows;
    if (!npy_zst_reader_read(reader, first, here, piece, error)) return false;
  }
  return true;
}

static bool hashes_check(const char *path, const struct part_record *record, struct error *error) {
  struct npy_zst_reader *reader = npy_zst_reader_open_bytes(path, error);
  if (!reader) return false;
  const int64_t count = npy_zst_reader_rows(reader);
  const int32_t width = npy_zst_reader_width(reader);
  bool ok = count == record->rows && width == ROW_HASH_BYTES;
  if (!ok)
    error_set(error, ERROR_INPUT,
              "it holds %lld hashes of %d bytes; its part's record says %lld, and a hash has %d",
              (long long)count, width, (long long)record->rows, ROW_HASH_BYTES);
  ok = ok && hashes_read(reader, error);
  npy_zst_reader_close(reader);
  return ok;
}

/* What a line of a file should be, as nina's readers of such a file ask it. Changes the line. */
struct line_kind {
  bool (*good)(const struct line *line);
  const char *name;
};

static bool line_is_object(const struct line *line) {
  return !line->too_long && kept_line_check(line->text, line->length);
}

static bool line_is_text(const struct line *line) {
  static const struct document_fields stored = {.text = "text", .title = "title"};
  struct document document;
  char reason[256];
  return !line->too_long &&
         document_parse(&stored, line->text, line->length, &document, reason) == DOCUMENT_READ;
}

static const struct line_kind object_line = {line_is_object, "a JSON object"};
static const struct line_kind text_line = {line_is_text, "a JSON object with a text"};

static bool lines_check(const char *path, enum folder folder, int64_t expected, const struct line_kind *kind,
                        const struct run_settings *settings, struct error *error) {
  struct line_reader *reader = stored_lines_open(path, folder, settings, error);
  if (!reader) return false;
  enum line_result result;
  struct line line;
  int64_t count = 0;
  bool fine = true;
  while ((result = line_reader_next_any(reader, &line, error)) == LINE_READ && (fine = kind->good(&line)))
    count++;
  line_reader_close(reader);
  if (result == LINE_FAILED) return false;
  if (!fine) return error_set(error, ERROR_INPUT, "row %lld is not %s", (long long)count, kind->name);
  return count == expected ||
         error_set(error, ERROR_INPUT, "it holds %lld lines; its part's record says %lld", (long long)count,
                   (long long)expected);
}

bool part_file_check(const char *path, const struct part_file *file, const struct part_record *record,
                     const struct run_settings *settings, const struct part_rows *rows, struct error *error) {
  int32_t width;
  const enum folder folder = part_path_folder(file->path, &width);
  switch (folder) {
    case FOLDER_VECTORS:
      return vectors_check(path, width, record, settings, rows, error);
    case FOLDER_HASHES:
      return hashes_check(path, record, error);
    case FOLDER_TEXT:
      return lines_check(path, folder, record->rows, &text_line, settings, error);
    case FOLDER_FIELDS:
      return lines_check(path, folder, record->rows, &object_line, settings, error);
    case FOLDER_REJECTS:
      return lines_check(path, folder, record->rejected, &object_line, settings, error);
    case FOLDER_IDS:
    case FOLDER_RECORDS:
    case FOLDERS:
      return true;
  }
  return true;
}
