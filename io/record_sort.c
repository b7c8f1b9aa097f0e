#include "io/record_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fault.h"
#include "io/file.h"

#define BUFFER_BYTES ((size_t)64 * 1024) /* the least that a run is read ahead */
#define RUNS_FIRST 16
#define RECORDS_FIRST 1024

/* A sorted stretch of the file. */
struct sorted_run {
  int64_t at, end; /* of what is not read yet */
  char *buffer;
  size_t size, next; /* bytes in the buffer, and the place of the next record there */
};

struct record_sort {
  size_t record;     /* bytes */
  char *records;     /* [room] of the run that is being filled */
  size_t room, used; /* bytes */
  size_t room_most;  /* bytes; `room` doubles up to it */
  size_t taken;      /* bytes of `records` that were given out, if there is no file */
  char *path;        /* for sentences */
  int descriptor;    /* -1: all records fit into memory */
  int64_t written;   /* bytes of the file */
  struct sorted_run *run;
  size_t run_count, run_capacity, buffer_bytes;
  struct sorted_run **heap; /* [heap_count] runs with a record left, the least record first */
  size_t heap_count;
  bool given; /* the heap's first record was given out */
};

struct record_sort *record_sort_open(const char *folder, size_t record_bytes, size_t memory,
                                     struct error *error) {
  struct record_sort *sort = calloc(1, sizeof *sort);
  const size_t most = memory / record_bytes > 0 ? memory / record_bytes : 1;
  const size_t records = most < RECORDS_FIRST ? most : RECORDS_FIRST;
  if (sort) *sort = (struct record_sort){.record = record_bytes, .descriptor = -1};
  if (sort) sort->path = file_join(folder, ".sort-XXXXXX");
  if (sort && sort->path) sort->records = malloc(records * record_bytes);
  if (!sort || !sort->records) {
    error_set_memory(error, records * record_bytes, "sorting");
    record_sort_close(sort);
    return NULL;
  }
  sort->room = records * record_bytes;
  sort->room_most = most * record_bytes;
  return sort;
}

static int record_compare(const void *a, const void *b, void *record) {
  return memcmp(a, b, *(size_t *)record);
}

static bool file_make(struct record_sort *sort, struct error *error) {
  sort->descriptor = mkostemp(sort->path, O_CLOEXEC);
  if (sort->descriptor < 0) return error_set_errno(error, "cannot write %s", sort->path);
  unlink(sort->path);
  return true;
}

static bool file_append(struct record_sort *sort, const char *bytes, size_t size, struct error *error) {
  while (size > 0) {
    errno = fault_point(FAULT_WRITE);
    const ssize_t put =
        errno ? -1 : pwrite(sort->descriptor, bytes, size < SSIZE_MAX ? size : SSIZE_MAX, sort->written);
    if (put < 0 && errno != EINTR) return error_set_errno(error, "cannot write %s", sort->path);
    if (put < 0) continue;
    bytes += put;
    size -= (size_t)put;
    sort->written += put;
  }
  return true;
}

/* Sorts the records in memory and appends them to the file as a run. */
static bool run_write(struct record_sort *sort, struct error *error) {
  if (sort->descriptor < 0 && !file_make(sort, error)) return false;
  if (sort->run_count == sort->run_capacity) {
    const size_t capacity = sort->run_capacity ? 2 * sort->run_capacity : RUNS_FIRST;
    struct sorted_run *larger = realloc(sort->run, capacity * sizeof *larger);
    if (!larger) return error_set_memory(error, capacity * sizeof *larger, "sorting");
    sort->run = larger;
    sort->run_capacity = capacity;
  }
  qsort_r(sort->records, sort->used / sort->record, sort->record, record_compare, &sort->record);
  const int64_t start = sort->written;
  if (!file_append(sort, sort->records, sort->used, error)) return false;
  sort->run[sort->run_count++] = (struct sorted_run){.at = start, .end = sort->written};
  sort->used = 0;
  return true;
}

static bool room_grow(struct record_sort *sort, struct error *error) {
  const size_t room = sort->room < sort->room_most / 2 ? 2 * sort->room : sort->room_most;
  char *records = realloc(sort->records, room);
  if (!records) return error_set_memory(error, room, "sorting");
  sort->records = records;
  sort->room = room;
  return true;
}

bool record_sort_add(struct record_sort *sort, const void *record, struct error *error) {
  const bool full = sort->used == sort->room;
  if (full && !(sort->room < sort->room_most ? room_grow : run_write)(sort, error)) return false;
  memcpy(sort->records + sort->used, record, sort->record);
  sort->used += sort->record;
  return true;
}

/* Reads on in a run. */
static bool run_fill(const struct record_sort *sort, struct sorted_run *run, struct error *error) {
  const int64_t left = run->end - run->at;
  run->next = 0;
  run->size = left < (int64_t)sort->buffer_bytes ? (size_t)left : sort->buffer_bytes;
  if (!file_read_at(sort->descriptor, sort->path, run->at, run->buffer, run->size, error)) return false;
  run->at += (int64_t)run->size;
  return true;
}

static bool run_is_before(const struct record_sort *sort, const struct sorted_run *a,
                          const struct sorted_run *b) {
  return memcmp(a->buffer + a->next, b->buffer + b->next, sort->record) < 0;
}

/* Moves the run at `place` down to where it belongs. */
static void heap_sink(struct record_sort *sort, size_t place) {
  struct sorted_run **heap = sort->heap;
  for (;;) {
    size_t least = place;
    for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < sort->heap_count; child++)
      if (run_is_before(sort, heap[child], heap[least])) least = child;
    if (least == place) return;
    struct sorted_run *run = heap[place];
    heap[place] = heap[least];
    heap[least] = run;
    place = least;
  }
}

/* Gives each run its share of the memory that the records took. */
static bool merge_start(struct record_sort *sort, struct error *error) {
  const size_t share = sort->room / sort->run_count, wanted = share > BUFFER_BYTES ? share : BUFFER_BYTES;
  sort->buffer_bytes = wanted > sort->record ? wanted / sort->record * sort->record : sort->record;
  free(sort->records);
  sort->records = NULL;
  sort->heap = malloc(sort->run_count * sizeof *sort->heap);
  if (!sort->heap) return error_set_memory(error, sort->run_count * sizeof *sort->heap, "sorting");
  for (size_t i = 0; i < sort->run_count; i++) {
    struct sorted_run *run = &sort->run[i];
    run->buffer = malloc(sort->buffer_bytes);
    if (!run->buffer) return error_set_memory(error, sort->buffer_bytes, "sorting");
    if (!run_fill(sort, run, error)) return false;
    sort->heap[sort->heap_count++] = run;
  }
  for (size_t place = sort->heap_count / 2; place-- > 0;) heap_sink(sort, place);
  return true;
}

bool record_sort_finish(struct record_sort *sort, struct error *error) {
  if (sort->descriptor < 0) {
    qsort_r(sort->records, sort->used / sort->record, sort->record, record_compare, &sort->record);
    return true;
  }
  return (sort->used == 0 || run_write(sort, error)) && merge_start(sort, error);
}

/* Leaves the record that was given out behind. */
static bool merge_step(struct record_sort *sort, struct error *error) {
  struct sorted_run *run = sort->heap[0];
  run->next += sort->record;
  if (run->next == run->size) {
    if (run->at < run->end) {
      if (!run_fill(sort, run, error)) return false;
    } else {
      sort->heap[0] = sort->heap[--sort->heap_count];
    }
  }
  heap_sink(sort, 0);
  return true;
}

bool record_sort_next(struct record_sort *sort, const void **record, struct error *error) {
  *record = NULL;
  if (sort->descriptor < 0) {
    if (sort->taken == sort->used) return true;
    *record = sort->records + sort->taken;
    sort->taken += sort->record;
    return true;
  }
  if (sort->given && !merge_step(sort, error)) return false;
  sort->given = sort->heap_count > 0;
  if (sort->given) *record = sort->heap[0]->buffer + sort->heap[0]->next;
  return true;
}

void record_sort_close(struct record_sort *sort) {
  if (!sort) return;
  for (size_t i = 0; i < sort->run_count; i++) free(sort->run[i].buffer);
  if (sort->descriptor >= 0) close(sort->descriptor);
  free(sort->heap);
  free(sort->run);
  free(sort->records);
  free(sort->path);
  free(sort);
}
