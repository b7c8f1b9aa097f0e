/* What a claim costs: mpirun -n N bench_claims. All ranks except rank 0 claim blocks in an endless shard
 * without doing any work; rank 0 answers.
 *
 * Rank 1 prints how long a claim takes if it was not claimed ahead; this includes the naps in both main
 * threads. Rank 0 prints the processor time that it spent per claim, which limits a job with very many
 * ranks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "host/ranks/ranks.h"
#include "io/run/run_open.h"

#define CLAIMS 2000

struct asker {
  struct ranks *ranks;
  double microseconds; /* per claim */
  atomic_bool working;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* This process's processor time in microseconds. */
static double processor_time(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void *ask(void *argument) {
  struct asker *asker = argument;
  struct claim claim;
  int64_t waited = 0;
  const double start = now();
  for (int i = 0; i < CLAIMS && ranks_claim(asker->ranks, &claim, &waited); i++) continue;
  asker->microseconds = (now() - start) / CLAIMS;
  atomic_store(&asker->working, false);
  return NULL;
}

static struct run_log *log_make(char *out, struct error *error) {
  struct shard shard = {.path = (char *)"a.jsonl", .size = 1};
  const struct run_identity identity = {.settings = {.widths = {1, {4}}}};
  const struct run_request request = {.identity = &identity, .shards = &shard, .shard_count = 1};
  return mkdtemp(out) ? run_log_open(out, &request, error) : NULL;
}

static bool bench(struct ranks *ranks, struct run_log *log, struct asker *asker, struct error *error) {
  pthread_t thread;
  const bool asks = ranks_rank(ranks) > 0;
  if (!ranks_begin(ranks, log, error)) return false;
  if (asks && pthread_create(&thread, NULL, ask, asker) != 0)
    return error_set(error, ERROR_MEMORY, "cannot start a thread");
  while (asks && atomic_load(&asker->working))
    if (!ranks_serve(ranks, 20, error)) return false;
  if (asks) pthread_join(thread, NULL);
  if (!ranks_leave(ranks, NULL, error)) return false;
  while (ranks_others_work(ranks))
    if (!ranks_serve(ranks, 20, error)) return false;
  return true;
}

int main(void) {
  struct error error = {0};
  char out[] = "/tmp/nina-claims-XXXXXX", command[64];
  struct ranks *ranks = ranks_open(&error);
  struct run_log *log = ranks ? log_make(out, &error) : NULL;
  struct asker asker = {.ranks = ranks, .working = true};
  const double before = processor_time();
  const bool done = log && bench(ranks, log, &asker, &error);
  if (!done) fprintf(stderr, "bench_claims: %s\n", error.message);
  if (done && ranks_rank(ranks) == 0)
    printf("%.1f us of rank 0's processor\n",
           (processor_time() - before) / ((double)CLAIMS * (ranks_size(ranks) - 1)));
  if (done && ranks_rank(ranks) == 1) printf("%.0f us until it is there\n", asker.microseconds);
  run_log_close(log);
  ranks_close(ranks);
  snprintf(command, sizeof command, "rm -r %s", out);
  return system(command) == 0 && done ? 0 : 1;
}
