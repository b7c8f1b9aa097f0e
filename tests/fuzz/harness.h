/* What the fuzz harnesses share: assertions, files, and folders of files made from an input.
 *
 * An input that stands for a folder is a row of sections. A section begins with a line "@@ PATH", and its
 * bytes go up to the line end before the next one. The marks below make files that a fuzzer cannot write by
 * itself, because sizes or checksums in them must fit:
 *
 *     @@ PATH    the bytes as they are
 *     @@z PATH   a seekable zstd file of the bytes (io/seekable_zst.h)
 *     @@n PATH   rows of fp16 numbers (io/npy_zst.h); their width is in the folder's name: w8/…
 *     @@b PATH   rows of 16 bytes each (io/npy_zst.h)
 *     @@s PATH   a safetensors file with these bytes as its header, and zeros as its data
 *     @@r PATH   a part record; it gets the sizes and hashes of its files, which stand before it
 *     @@m PATH   a manifest; its totals get the sizes of the files that the records before it name */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                      \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                  \
    }                                                                           \
  } while (0)

/* Prints a sentence if NINA_FUZZ_SAY is in the environment: to see how far a seed comes. */
void sentence_say(const char *sentence);

/* A failure has a code and a sentence for people. Says the sentence. */
void require_sentence(const struct error *error);

/* The path of a scratch folder in memory, made at the first call, and removed with everything in it when the
 * process ends. */
const char *scratch_folder(void);

/* Writes a file into the scratch folder, and returns its path, valid until the next call. */
const char *scratch_file(const char *name, const void *bytes, size_t size);

/* Writes a file at a path, unless something else has the path already. */
void scratch_put(const char *path, const void *bytes, size_t size);

/* Makes scratch/NAME anew from an input's sections; returns its path, valid until the next call. Sections
 * with a path that leaves the folder are left out. `text` gets the bytes of the section "@@ text", which
 * makes no file; NULL if there is none. */
struct input_text {
  const uint8_t *bytes;
  size_t size;
};
const char *scratch_sections(const char *name, const uint8_t *data, size_t size, struct input_text *text);

/* Removes scratch/NAME, a file or a folder. */
void scratch_remove(const char *name);

/* A copy as a string; bytes behind a NUL are lost. The caller frees it. */
char *string_of(const uint8_t *bytes, size_t size);

/* A line of an input, without its end; *data and *size move behind it. */
struct input_text input_line(const uint8_t **data, size_t *size);
