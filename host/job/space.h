/* Checks if OUT's file system has room for a run. */
#pragma once

#include "host/flow/flow.h"

/* Space in OUT beside the vectors, measured with `nina embed --device null --id-field id --store-text` on
 * tests/data/municipal/archive (150 documents with 78,041 bytes of text): 15.5 bytes a row in ids/, and
 * 36,510 bytes in text/. */
#define SPACE_ID_BYTES 16
#define SPACE_TEXT_SHARE 0.5

/* Bytes that an ordinary user can still write to the file system of `path`, or of the nearest existing folder
 * above. -1 if the system does not tell. */
int64_t space_free(const char *path);

/* Bytes of an OUT with this many rows and bytes of text, before the vectors are compressed. Compression saves
 * about a tenth. */
double space_needed(const struct flow_options *options, double rows, double text_bytes);

/* Estimates the bytes still to be written to `out`, from the shards' sizes and the first lines of some
 * (host/job/input_size.h). If there is less room, returns false and writes a warning to `sentence`. */
bool space_suffices(const char *out, const struct run_log *log, const struct flow_options *options,
                    char *sentence, size_t size);

/* "812.0 MiB", "3.4 GiB". */
void space_format(double bytes, char text[32]);
