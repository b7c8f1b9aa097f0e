/* A reader's view of a folder that `nina embed` filled: its vectors, their model, and the places of their
 * documents. Row numbers run through all parts in the order of shards and blocks, as in the input. */
#pragma once

#include "host/job/device.h"
#include "host/model/encoder.h"
#include "host/retrieval/id_map.h"
#include "host/retrieval/vector_files.h"
#include "io/line_reader.h"
#include "io/look.h"
#include "io/npy_zst.h"
#include "io/run/manifest.h"

struct stored_part {
  int32_t shard, block;
  int64_t first_row; /* row number in the run */
  int64_t rows;
};

struct stored_run {
  char *out;
  struct manifest *manifest;
  struct file_stamp stamp; /* of its file, from before it was read or last found to go on */
  struct file_stamp first; /* of the first part's record; size -1: not known */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX]; /* strictly decreasing */
  struct stored_part *part;   /* [part_count] */
  int64_t part_count;
  int64_t rows;
  bool complete; /* false: some documents are missing, or not embedded yet */
};

/* Reads the manifest and checks every number. ERROR_USAGE if the folder OUT does not exist. ERROR_INPUT if
 * OUT holds no run, or if the run neither finished nor stopped in order, so that the manifest
 * does not list the parts yet. ERROR_CONFLICT if a folder in OUT, or the manifest, is a link. On failure the
 * caller has nothing to close. */
bool stored_run_open(const char *out, struct stored_run *run, struct error *error);
void stored_run_close(struct stored_run *run);

/* Ask after reading, before what was read is used. ERROR_CONFLICT if OUT has been begun anew since it was
 * opened: the rows may be of two runs. A run that went on (--append, a resume) has its rows still. */
bool stored_run_stands(struct stored_run *run, struct error *error);

/* ERROR_INPUT if there is no row, so that nothing can be found among them. */
bool stored_run_check_rows(const struct stored_run *run, struct error *error);

/* The path of a part's file in a folder, allocated. `width` is for vectors. NULL on error: memory is short,
 * or the file is a link. */
char *stored_run_path(const struct stored_run *run, enum folder folder, int32_t width,
                      const struct stored_part *part, struct error *error);

/* The same. *look: what is there. */
char *stored_run_look(const struct stored_run *run, enum folder folder, int32_t width,
                      const struct stored_part *part, struct look *look, struct error *error);

/* Opens a part's file of ids/, text/ or fields/ (stored_lines_open). NULL on error. */
struct line_reader *stored_run_lines(const struct stored_run *run, enum folder folder,
                                     const struct stored_part *part, struct error *error);

/* Opens a part's hashes, [part->rows, ROW_HASH_BYTES]. NULL on error. */
struct npy_zst_reader *stored_run_hashes(const struct stored_run *run, const struct stored_part *part,
                                         struct error *error);

/* Index of the part that holds a row. */
int64_t stored_run_part(const struct stored_run *run, int64_t row);

/* The width whose files hold the rows of a width: the width itself if it is stored, or the widest. */
int32_t stored_run_file_width(const struct stored_run *run, int32_t width);

/* The vector files of a stored width, [part_count]. Free with stored_files_free. NULL on error. */
struct vector_file *stored_run_files(const struct stored_run *run, int32_t width, struct error *error);
void stored_files_free(struct vector_file *files, int64_t count);

/* Adds the ids of all documents to an empty map, one by one: those of all rows, or, if documents are cut into
 * chunks, of each one's first row. `document` [run->rows], if not NULL, gets the number of each row's
 * document. ERROR_INPUT if an id is empty or holds a NUL, or if two documents have the same one: names the
 * shard and the line, and what to do. */
bool stored_run_ids(const struct stored_run *run, struct id_map *map, uint32_t *document,
                    struct error *error);

/* Adds a hint to an error about a file in OUT: the command that tells more or, if OUT was changed meanwhile,
 * that. Returns false. */
bool stored_run_blame(const struct stored_run *run, struct error *error);

/* ERROR_CONFLICT if the rows are hashes from --device null, not vectors from a model, and `asked` is another
 * device. */
bool stored_run_check_device(const struct stored_run *run, enum device asked, struct error *error);

/* True if documents are cut into chunks, so that a document may have several rows. */
bool stored_run_has_chunks(const struct stored_run *run);

/* ERROR_CONFLICT if two runs differ in model, tokenizer or widest width, so that their rows cannot be
 * compared. */
bool stored_run_matches(const struct stored_run *a, const struct stored_run *b, struct error *error);
