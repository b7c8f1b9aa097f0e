#include "host/job/input_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/input_size.h"

struct input_sample {
  struct input_sample_options options;
  struct input_extent extent;
  struct input_size size;
  double window_bytes, stride;

  int32_t shard; /* current or next shard */
  double before; /* text bytes in earlier shards */
  int64_t next;  /* number of the next window */
  int64_t file_bytes_before;
  struct block_reader *reader; /* current shard's reader, or NULL */
  bool seekable;
  bool inside;        /* inside a window */
  int64_t start, end; /* window, in bytes of the shard's text; all lines: 0 and INT64_MAX */
};

/* Sets the places and the size of the windows. */
static bool sample_plan(struct input_sample *sample, struct error *error) {
  const struct input_sample_options *options = &sample->options;
  if (options->count == 1 && options->shards[0].size < 0)
    return error_set(error, ERROR_USAGE,
                     "- (standard input) can only be read from beginning to end: leave --sample out, or "
                     "name files");
  bool empty = true;
  for (int32_t s = 0; s < options->count; s++) empty = empty && options->shards[s].size == 0;
  if (empty) return true;
  if (!input_size_estimate(options->shards, options->count, &sample->size))
    return error_set(error, ERROR_INPUT,
                     "no text was found at the beginning of the INPUTs, so there is nothing to sample: "
                     "leave --sample out");
  const double whole = sample->size.text_bytes, wanted = options->share * whole;
  const double most = (double)options->limits.bytes, least = (double)SAMPLE_WINDOW_LEAST;
  double window = fmax(wanted / SAMPLE_WINDOWS, least);
  if (window > most) window = most;
  const double windows = ceil(wanted / window);
  if (windows * window >= whole) return true; /* the sample would cover all text: read all lines */
  sample->extent = (struct input_extent){
      .windows = (int64_t)windows, .whole_bytes = whole, .total = (int64_t)(windows * window)};
  sample->window_bytes = window;
  sample->stride = whole / windows;
  return true;
}

/* All lines. */
static void sample_plan_all(struct input_sample *sample) {
  const struct input_sample_options *options = &sample->options;
  sample->extent = (struct input_extent){.all = true, .total = shards_bytes(options->shards, options->count)};
}

struct input_sample *input_sample_open(const struct input_sample_options *options, struct error *error) {
  struct input_sample *sample = calloc(1, sizeof *sample);
  if (!sample) {
    error_set_memory(error, sizeof *sample, "a sample of the input");
    return NULL;
  }
  sample->options = *options;
  sample->extent.all = true;
  if (options->share < 1 && !sample_plan(sample, error)) {
    free(sample);
    return NULL;
  }
  if (sample->extent.all) sample_plan_all(sample);
  return sample;
}

void input_sample_close(struct input_sample *sample) {
  if (!sample) return;
  block_reader_close(sample->reader);
  free(sample);
}

void input_sample_extent(const struct input_sample *sample, struct input_extent *extent) {
  *extent = sample->extent;
}

static double shard_bytes(const struct input_sample *sample) {
  return input_size_of(&sample->size, &sample->options.shards[sample->shard]);
}

/* Start of the next window in the current shard; past the shard's end if the window is in a later shard. */
static double next_window(const struct input_sample *sample) {
  return sample->next < sample->extent.windows ? (double)sample->next * sample->stride - sample->before
                                               : INFINITY;
}

static void shard_leave(struct input_sample *sample) {
  const struct shard *shard = &sample->options.shards[sample->shard];
  block_reader_close(sample->reader);
  sample->reader = NULL;
  if (sample->extent.all)
    sample->file_bytes_before += shard->size;
  else
    sample->before += shard_bytes(sample);
  sample->shard++;
}

static bool shard_enter(struct input_sample *sample, struct error *error) {
  const struct shard *shard = &sample->options.shards[sample->shard];
  struct block_limits limits = sample->options.limits;
  const struct block_source source = {.path = shard->path,
                                      .size = shard->size,
                                      .stop = sample->options.stop,
                                      .head = shard->size < 0 ? sample->options.head : NULL};
  if (!sample->extent.all) limits.bytes = (int64_t)sample->window_bytes;
  sample->reader = block_reader_open(sample->shard, &source, &limits, error);
  sample->start = 0;
  sample->end = INT64_MAX;
  sample->inside = sample->extent.all;
  return sample->reader != NULL;
}

/* Begins the next window in the shard. If the shard is not seekable, joins all its windows into one. */
static bool window_enter(struct input_sample *sample, struct error *error) {
  const double place = next_window(sample), shard_end = shard_bytes(sample);
  sample->start = (int64_t)place;
  sample->inside = true;
  sample->next++;
  /* Read from one byte earlier, to find the end of the line before the window. This line is dropped. */
  const struct block_border before = {.shard = sample->shard, .next_offset = sample->start - 1};
  if (sample->start > 0 && !block_reader_seek(sample->reader, &before, error)) {
    if (error->code) return false;
    sample->start = 0;
  }
  if (sample->start > 0) {
    sample->end = sample->start + (int64_t)sample->window_bytes;
    return true;
  }
  int64_t windows = 1;
  const struct block_border beginning = {.index = -1, .first_line = 1};
  if (!block_reader_seek(sample->reader, &beginning, error)) {
    if (error->code) return false;
    for (; next_window(sample) < shard_end; windows++) sample->next++;
    sample->extent.prefixes += windows;
  }
  sample->end = (int64_t)((double)windows * sample->window_bytes);
  return true;
}

/* Drops the lines that begin outside the window. */
static void block_keep_window(const struct input_sample *sample, struct block *block) {
  int64_t first = 0, end = block->border.lines;
  while (first < end && block->line[first].offset < sample->start) first++;
  while (end > first && block->line[end - 1].offset >= sample->end) end--;
  if (first > 0) memmove(block->line, block->line + first, (size_t)(end - first) * sizeof *block->line);
  block->border.lines = end - first;
  if (sample->start > 0) block->border.first_line = 0;
}

/* Counts the block's part of the window. The block may end the window. */
static void window_cover(struct input_sample *sample, const struct block_border *border) {
  const int64_t from = border->first_offset > sample->start ? border->first_offset : sample->start;
  const int64_t to = border->next_offset < sample->end ? border->next_offset : sample->end;
  if (to > from) sample->extent.text_bytes += (double)(to - from);
  if (sample->extent.all) {
    sample->extent.whole_bytes = sample->extent.text_bytes;
    sample->extent.done = sample->file_bytes_before + block_reader_consumed(sample->reader);
    return;
  }
  sample->extent.done = (int64_t)sample->extent.text_bytes;
  if (border->next_offset >= sample->end || border->end_of_shard || border->incomplete)
    sample->inside = false;
}

enum block_result input_sample_next(struct input_sample *sample, struct block *block, struct error *error) {
  for (; sample->shard < sample->options.count; shard_leave(sample)) {
    const bool wanted = sample->extent.all || sample->inside || next_window(sample) < shard_bytes(sample);
    if (!wanted) continue;
    if (!sample->reader && !shard_enter(sample, error)) return BLOCK_FAILED;
    while (sample->inside || next_window(sample) < shard_bytes(sample)) {
      if (!sample->inside && !window_enter(sample, error)) return BLOCK_FAILED;
      const enum block_result result = block_reader_next(sample->reader, block, error);
      if (result == BLOCK_FAILED) return result;
      if (result == BLOCK_END) {
        sample->inside = false;
        if (sample->extent.all) break;
        continue;
      }
      window_cover(sample, &block->border);
      if (!sample->extent.all) block_keep_window(sample, block);
      return BLOCK_READ;
    }
  }
  return BLOCK_END;
}
