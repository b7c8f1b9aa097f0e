#include "host/job/part_compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "io/npy_zst.h"
#include "io/run/id_line.h"
#include "io/run/layout.h"
#include "io/run/row_hash.h"
#include "io/run/stored_line.h"
#include "io/text.h"

#define PIECE_BYTES ((int64_t)128 << 10) /* vectors read at a time */
#define HASHES_AT_ONCE 512
#define SHOWN 160 /* bytes of a line or an id in a finding */
#define ROW_NAME_BYTES (PATH_MAX + 400)

struct comparing {
  struct part_comparison *comparison;
  const struct part_record *record;
  const struct flow_block *work;
};

static void compare_report(const struct comparing *this, enum finding_kind kind, enum repair repair,
                           const char *path, const char *format, ...) __attribute__((format(printf, 5, 6)));

static void compare_report(const struct comparing *this, enum finding_kind kind, enum repair repair,
                           const char *path, const char *format, ...) {
  char detail[SENTENCE_BYTES];
  const struct block_border *border = &this->record->border;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  this->comparison->different += kind == FINDING_DIFFERENT;
  this->comparison->unread += kind == FINDING_UNJUDGED;
  this->comparison->report(this->comparison->context,
                           &(struct finding){kind, repair, path, detail, border->shard, border->index});
}

/* Bytes of the text that a finding shows. */
static int shown(const char *text, size_t size) {
  return (int)text_cut(text, size, SHOWN);
}

/* Lines of a text in memory. */
struct lines {
  const char *at, *end;
};

static bool lines_next(struct lines *lines, const char **line, size_t *length) {
  if (lines->at == lines->end) return false;
  const char *lf = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
  *line = lines->at;
  *length = (size_t)((lf ? lf : lines->end) - lines->at);
  lines->at = lf ? lf + 1 : lines->end;
  return true;
}

static struct lines lines_of(const struct text *text) {
  return (struct lines){text->bytes, text->bytes ? text->bytes + text->size : NULL};
}

/* Names a row: its number, its document's shard and line, and its id. */
static void row_name(const struct comparing *this, int64_t row, char name[ROW_NAME_BYTES]) {
  struct lines lines = lines_of(&this->work->id_lines.text);
  struct id_line id = {0};
  const char *line = "";
  size_t length = 0;
  for (int64_t i = 0; i <= row && lines_next(&lines, &line, &length);) i++;
  char *copy = strndup(line, length);
  const bool named = copy && id_line_parse(copy, (int64_t)length, &id);
  snprintf(name, ROW_NAME_BYTES, "row %lld (%s:%lld, id \"%.*s\")", (long long)row,
           this->comparison->shard_path,
           (long long)(this->record->border.first_line + this->work->row[row].line),
           named ? shown(id.id, (size_t)id.id_length) : 0, named ? id.id : "");
  free(copy);
}

/* True if the stored line says what the new one says. */
typedef bool line_equal_fn(const char *stored, size_t stored_length, const char *new, size_t new_length);

static bool bytes_equal(const char *stored, size_t stored_length, const char *new, size_t new_length) {
  return stored_length == new_length && memcmp(stored, new, new_length) == 0;
}

/* An older version wrote no "end", which is the last member of an id's line. */
static bool ids_equal(const char *stored, size_t stored_length, const char *new, size_t new_length) {
  static const char end[] = ",\"end\":";
  if (bytes_equal(stored, stored_length, new, new_length)) return true;
  const char *found = memmem(new, new_length, end, sizeof end - 1);
  const size_t before = found ? (size_t)(found - new) : 0;
  return found && stored_length == before + 1 && stored[before] == '}' && memcmp(stored, new, before) == 0;
}

/* A reject's line names the shard's path as it was given then; the same shard may have another path now. A
 * quote inside a string is escaped, so the keys can only be found outside. */
static bool rejects_equal(const char *stored, size_t stored_length, const char *new, size_t new_length) {
  static const char path[] = ",\"path\":", line[] = ",\"line\":";
  const char *stored_path = memmem(stored, stored_length, path, sizeof path - 1);
  const char *stored_line = memmem(stored, stored_length, line, sizeof line - 1);
  const char *new_path = memmem(new, new_length, path, sizeof path - 1);
  const char *new_line = memmem(new, new_length, line, sizeof line - 1);
  if (!stored_path || !stored_line || !new_path || !new_line) return false;
  return bytes_equal(stored, (size_t)(stored_path - stored), new, (size_t)(new_path - new)) &&
         bytes_equal(stored_line, (size_t)(stored + stored_length - stored_line), new_line,
                     (size_t)(new + new_length - new_line));
}

/* The place of one of the part's files, allocated; `path` is what findings name, from OUT on. NULL if memory
 * is short. `width` is for vectors. */
static char *file_place(const struct comparing *this, enum folder folder, int32_t width,
                        char path[PART_PATH_MAX], struct error *error) {
  part_path_format(path, folder, width, this->record->border.shard, this->record->border.index);
  char *whole = file_join(this->comparison->out, path);
  if (!whole) error_set_memory(error, PART_PATH_MAX, "a path");
  return whole;
}

/* Reports a file that cannot be read; the plain verification names its damage. False if memory ran out. */
static bool file_unread(const struct comparing *this, const char *path, const struct error *error) {
  if (error->code == ERROR_MEMORY) return false;
  compare_report(this, FINDING_UNJUDGED, REPAIR_NONE, path, "it cannot be compared: %s", error->message);
  return true;
}

static void line_report(const struct comparing *this, enum folder folder, int64_t number, const char *path,
                        const char *stored, size_t stored_length, const char *new, size_t new_length) {
  char name[ROW_NAME_BYTES];
  if (folder == FOLDER_REJECTS)
    snprintf(name, sizeof name, "line %lld", (long long)number + 1);
  else
    row_name(this, number, name);
  compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path, "%s: it holds %.*s; embedding gives %.*s",
                 name, shown(stored, stored_length), stored, shown(new, new_length), new);
}

/* Compares the lines until the first that differs. */
static enum line_result lines_walk(const struct comparing *this, enum folder folder, const char *path,
                                   struct line_reader *reader, const struct text *expected,
                                   line_equal_fn *equal, struct error *error) {
  struct lines lines = lines_of(expected);
  struct line line;
  enum line_result result;
  for (int64_t number = 0; (result = line_reader_next(reader, &line, error)) == LINE_READ; number++) {
    const char *new = "";
    size_t length = 0;
    if (!lines_next(&lines, &new, &length)) {
      compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path,
                     "it holds more lines than the %lld that embedding gives", (long long)number);
      return LINE_END;
    }
    if (equal(line.text, (size_t)line.length, new, length)) continue;
    line_report(this, folder, number, path, line.text, (size_t)line.length, new, length);
    return LINE_END;
  }
  if (result == LINE_END && lines.at != lines.end)
    compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path, "it holds fewer lines than embedding gives");
  return result;
}

static bool lines_compare(const struct comparing *this, enum folder folder, const struct text *expected,
                          line_equal_fn *equal, struct error *error) {
  char path[PART_PATH_MAX];
  char *whole = file_place(this, folder, 0, path, error);
  if (!whole) return false;
  struct line_reader *reader = stored_lines_open(whole, folder, this->comparison->settings, error);
  const bool read = reader && lines_walk(this, folder, path, reader, expected, equal, error) != LINE_FAILED;
  line_reader_close(reader);
  free(whole);
  return read || file_unread(this, path, error);
}

/* 1 for two rows of zeros, 0 if only one of them is. */
static double row_cosine(const uint16_t *a, const uint16_t *b, int32_t width) {
  double product = 0, squares_a = 0, squares_b = 0;
  for (int32_t i = 0; i < width; i++) {
    const double x = (double)half_to_float(a[i]), y = (double)half_to_float(b[i]);
    product += x * y;
    squares_a += x * x;
    squares_b += y * y;
  }
  if (squares_a == 0 && squares_b == 0) return 1;
  return squares_a == 0 || squares_b == 0 ? 0 : product / sqrt(squares_a * squares_b);
}

/* Rows of one width that differ. */
struct row_differences {
  int64_t count, first, worst; /* rows */
  double first_cosine, worst_cosine;
};

static void row_compare(const struct comparing *this, int64_t row, const uint16_t *stored,
                        const uint16_t *new, int32_t width, struct row_differences *differences) {
  struct part_comparison *comparison = this->comparison;
  const bool equal = memcmp(stored, new, (size_t)width * sizeof *new) == 0;
  if (equal) return;
  const double cosine = row_cosine(stored, new, width);
  if (!(cosine >= comparison->worst)) comparison->worst = cosine; /* a NaN too */
  if (cosine >= comparison->least) return;
  if (differences->count++ == 0) {
    differences->first = differences->worst = row;
    differences->first_cosine = differences->worst_cosine = cosine;
  }
  if (!(cosine >= differences->worst_cosine)) {
    differences->worst = row;
    differences->worst_cosine = cosine;
  }
}

static void rows_report(const struct comparing *this, const char *path,
                        const struct row_differences *differences) {
  char first[ROW_NAME_BYTES], worst[ROW_NAME_BYTES] = "";
  row_name(this, differences->first, first);
  if (differences->worst != differences->first) {
    const struct flow_row *row = &this->work->row[differences->worst];
    snprintf(worst, sizeof worst, "; the least cosine is %.7f, of row %lld (line %lld)",
             differences->worst_cosine, (long long)differences->worst,
             (long long)(this->record->border.first_line + row->line));
  }
  compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path,
                 "%lld of %lld rows are not what embedding gives; the first is %s, at cosine %.7f%s",
                 (long long)differences->count, (long long)this->work->rows, first, differences->first_cosine,
                 worst);
}

/* Reads all rows, a piece at a time. */
static bool rows_walk(const struct comparing *this, int32_t w, struct npy_zst_reader *reader,
                      struct row_differences *differences, struct error *error) {
  const int32_t width = this->comparison->options->widths[w];
  const int64_t rows = this->work->rows, row_bytes = 2 * (int64_t)width;
  const int64_t piece = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
  if (npy_zst_reader_rows(reader) != rows || npy_zst_reader_width(reader) != width)
    return error_set(error, ERROR_INPUT, "it has %lld rows of width %d, not %lld of width %d",
                     (long long)npy_zst_reader_rows(reader), npy_zst_reader_width(reader), (long long)rows,
                     width);
  uint16_t *stored = malloc((size_t)(piece * row_bytes));
  bool ok = stored || error_set_memory(error, (size_t)(piece * row_bytes), "vectors");
  for (int64_t first = 0; ok && first < rows; first += piece) {
    const int64_t count = rows - first < piece ? rows - first : piece;
    ok = npy_zst_reader_read(reader, first, count, stored, error);
    for (int64_t i = 0; ok && i < count; i++)
      row_compare(this, first + i, stored + i * width, this->work->vectors[w] + (first + i) * width, width,
                  differences);
  }
  free(stored);
  return ok;
}

static bool vectors_compare(const struct comparing *this, int32_t w, struct error *error) {
  char path[PART_PATH_MAX];
  struct row_differences differences = {0};
  char *whole = file_place(this, FOLDER_VECTORS, this->comparison->options->widths[w], path, error);
  if (!whole) return false;
  struct npy_zst_reader *reader = npy_zst_reader_open(whole, error);
  const bool read = reader && rows_walk(this, w, reader, &differences, error);
  npy_zst_reader_close(reader);
  free(whole);
  if (!read) return file_unread(this, path, error);
  if (differences.count > 0) rows_report(this, path, &differences);
  return true;
}

/* Compares the hashes of the rows' token ids until the first that differs. */
static bool hashes_walk(const struct comparing *this, const char *path, struct npy_zst_reader *reader,
                        struct error *error) {
  unsigned char stored[HASHES_AT_ONCE * ROW_HASH_BYTES];
  char name[ROW_NAME_BYTES];
  const int64_t rows = this->work->rows;
  if (npy_zst_reader_rows(reader) != rows || npy_zst_reader_width(reader) != ROW_HASH_BYTES)
    return error_set(error, ERROR_INPUT, "it has %lld rows of %d bytes, not %lld of %d",
                     (long long)npy_zst_reader_rows(reader), npy_zst_reader_width(reader), (long long)rows,
                     ROW_HASH_BYTES);
  for (int64_t first = 0; first < rows; first += HASHES_AT_ONCE) {
    const int64_t count = rows - first < HASHES_AT_ONCE ? rows - first : HASHES_AT_ONCE;
    if (!npy_zst_reader_read(reader, first, count, stored, error)) return false;
    for (int64_t i = 0; i < count; i++) {
      const unsigned char *new = this->work->hash + (first + i) * ROW_HASH_BYTES;
      if (memcmp(stored + i * ROW_HASH_BYTES, new, ROW_HASH_BYTES) == 0) continue;
      row_name(this, first + i, name);
      compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path, "%s: its token ids are others", name);
      return true;
    }
  }
  return true;
}

static bool hashes_compare(const struct comparing *this, struct error *error) {
  char path[PART_PATH_MAX];
  char *whole = file_place(this, FOLDER_HASHES, 0, path, error);
  if (!whole) return false;
  struct npy_zst_reader *reader = npy_zst_reader_open_bytes(whole, error);
  const bool read = reader && hashes_walk(this, path, reader, error);
  npy_zst_reader_close(reader);
  free(whole);
  return read || file_unread(this, path, error);
}

/* Compares the record's histogram of lengths, which an older version's lacks. */
static bool lengths_equal(const struct part_record *record, const struct flow_block *work) {
  int64_t lengths[LENGTH_CLASSES] = {0};
  for (int64_t i = 0; i < work->rows; i++) lengths[length_class_of(work->row[i].tokens)]++;
  return record_lengths_sum(record) == 0 || memcmp(lengths, record->lengths, sizeof lengths) == 0;
}

/* Compares the record's counts until the first that differs; an older version counted no characters. */
static void counts_compare(const struct comparing *this) {
  const struct flow_options *options = this->comparison->options;
  const struct part_record *record = this->record;
  const struct flow_block *work = this->work;
  const struct {
    const char *name;
    int64_t stored, new;
  } counts[] = {{"lines", record->border.lines, work->block.border.lines},
                {"rows", record->rows, work->rows},
                {"documents", record->documents, options->chunks.tokens ? work->documents : 0},
                {"rejected", record->rejected, work->rejected},
                {"blank", record->blank, work->blank},
                {"tokens", record->tokens, work->tokens},
                {"truncated", record->truncated, work->truncated},
                {"titles_cut", record->titles_cut, work->titles_cut},
                {"characters", record->characters ? record->characters : work->characters, work->characters},
                {"embedded", record->characters ? record->embedded : work->embedded, work->embedded}};
  char path[PART_PATH_MAX];
  record_path_format(path, record->border.shard, record->border.index);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (counts[i].stored == counts[i].new) continue;
    compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path, "%s is %lld; embedding gives %lld",
                   counts[i].name, (long long)counts[i].stored, (long long)counts[i].new);
    return;
  }
  if (!lengths_equal(record, work))
    compare_report(this, FINDING_DIFFERENT, REPAIR_RECORD, path,
                   "lengths are not those of the rows that embedding gives");
}

bool part_compare(struct part_comparison *comparison, const struct part_record *record,
                  const struct flow_block *work, struct error *error) {
  const struct comparing this = {comparison, record, work};
  counts_compare(&this);
  if (!lines_compare(&this, FOLDER_IDS, &work->id_lines.text, ids_equal, error)) return false;
  if (comparison->options->hashes && !hashes_compare(&this, error)) return false;
  if (comparison->options->store_text &&
      !lines_compare(&this, FOLDER_TEXT, &work->text_lines.text, bytes_equal, error))
    return false;
  if (comparison->options->fields.kept &&
      !lines_compare(&this, FOLDER_FIELDS, &work->field_lines.text, bytes_equal, error))
    return false;
  if (work->reject_lines.size > 0 &&
      !lines_compare(&this, FOLDER_REJECTS, &work->reject_lines, rejects_equal, error))
    return false;
  for (int32_t w = 0; w < comparison->options->width_count && record->rows == work->rows; w++)
    if (!vectors_compare(&this, w, error)) return false;
  return true;
}
