/* How often each thing was called, and which call must fail. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake_cuda/fake.h"

static const char *const names[FAKE_COUNTS] = {
    [FAKE_TURNS] = "turns",
    [FAKE_DEVICE_ALLOCATIONS] = "device_allocations",
    [FAKE_DEVICE_FREES] = "device_frees",
    [FAKE_HOST_ALLOCATIONS] = "host_allocations",
    [FAKE_HOST_FREES] = "host_frees",
    [FAKE_STREAMS] = "streams",
    [FAKE_STREAMS_FIRST] = "streams_first",
    [FAKE_EVENTS] = "events",
    [FAKE_DESCRIPTORS] = "descriptors",
    [FAKE_EVENT_RECORDS] = "event_records",
    [FAKE_EVENT_WAITS] = "event_waits",
    [FAKE_STREAM_WAITS] = "stream_waits",
    [FAKE_DEVICE_WAITS] = "device_waits",
    [FAKE_COPIES_UP] = "copies_up",
    [FAKE_COPIES_DOWN] = "copies_down",
    [FAKE_BYTES_UP] = "bytes_up",
    [FAKE_BYTES_DOWN] = "bytes_down",
    [FAKE_EMBEDDING] = "embedding",
    [FAKE_LAYER_NORM] = "layer_norm",
    [FAKE_ATTENTION_TILES] = "attention_tiles",
    [FAKE_ATTENTION] = "attention",
    [FAKE_FIRST_ROWS] = "first_rows",
    [FAKE_POOL] = "pool",
    [FAKE_POOL_MODES] = "pool_modes",
    [FAKE_ACTIVATE] = "activate",
    [FAKE_MATMUL] = "matmul",
    [FAKE_GROUP_NAMES] = "group_names",
    [FAKE_GROUP_JOINS] = "group_joins",
    [FAKE_BROADCAST] = "broadcast",
    [FAKE_TOP_K_ROWS] = "top_k_rows",
    [FAKE_TOP_K_SELECT] = "top_k_select",
    [FAKE_TOP_K_SCORE] = "top_k_score",
};

static _Atomic int64_t counts[FAKE_COUNTS];
static _Atomic(cudaError_t) sticky;

int64_t fake_counted(enum fake_count count) {
  return atomic_load(&counts[count]);
}

int64_t fake_add(enum fake_count count, int64_t amount) {
  return atomic_fetch_add(&counts[count], amount) + amount;
}

cudaError_t fake_sticky(void) {
  return atomic_load(&sticky);
}

void fake_sticky_set(cudaError_t error) {
  cudaError_t none = cudaSuccess;
  atomic_compare_exchange_strong(&sticky, &none, error);
}

bool fake_fails(enum fake_count kind, int64_t number, const char *how) {
  const char *wish = fake_variable("FAKE_CUDA_FAIL");
  char any[64], this[80];
  if (!wish) return false;
  snprintf(any, sizeof any, "%s:%lld:%s", names[kind], (long long)number, how);
  snprintf(this, sizeof this, "%s:%d", any, fake_card());
  return strcmp(wish, any) == 0 || strcmp(wish, this) == 0;
}

int64_t fake_spoils(const char *what) {
  const char *wish = fake_variable("FAKE_CUDA_SPOIL");
  const size_t length = strlen(what);
  const bool meant = wish && strncmp(wish, what, length) == 0 && wish[length] == ':';
  return meant ? strtoll(wish + length + 1, NULL, 10) : -1;
}

__attribute__((destructor)) static void log_write(void) {
  const char *path = fake_variable("FAKE_CUDA_LOG");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  for (int i = 0; i < FAKE_COUNTS; i++)
    fprintf(file, "%s\"%s\": %lld", i ? ", " : "{", names[i], (long long)fake_counted((enum fake_count)i));
  fprintf(file, "}\n");
  fclose(file);
}
