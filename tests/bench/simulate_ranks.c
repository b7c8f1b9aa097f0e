/* A job of very many ranks in virtual time: simulate_ranks RANKS SHARDS BLOCKS SECONDS MICROSECONDS.
 *
 * Rank 0 is the real one: ranks_serve with the real server, claims and log, in a world whose other ranks are
 * a few numbers each. They claim, work, report and leave as host/flow and host/job do: at most two blocks
 * claimed that are not begun, SECONDS of work a block (up to a tenth more or less), a report every half
 * second or less often. There are BLOCKS blocks for each rank, spread over the shards; rank 0 only serves.
 *
 * Rank 0's clock goes forward by the processor time that its code takes here, by MICROSECONDS for each
 * message that it receives or sends (what the MPI library takes; bench_claims measures it), and by its naps.
 * So the processor time is real and the waiting is not: an hour of 10,000 ranks takes a minute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/ranks/state.h"
#include "io/machine.h"
#include "io/random.h"
#include "io/run/run_open.h"

#define AHEAD 2           /* host/flow/lookahead.h */
#define REPORT_EVERY 0.5  /* s, host/job/watch.c */
#define REPORT_SHARE 5e-4 /* s, likewise */
#define TRAVEL 50e-6      /* s from rank to rank, over a network */
#define RANKS_A_HOST 8

enum event_kind { EVENT_ARRIVES, EVENT_ANSWERED, EVENT_BLOCK_ENDS, EVENT_REPORT };

struct event {
  double at;
  int64_t number; /* among equal times the first one that was made comes first */
  enum event_kind kind;
  int32_t rank;
  int32_t message;    /* EVENT_ARRIVES, EVENT_ANSWERED: enum message_kind */
  struct claim claim; /* the block, or the shard and its number of blocks */
};

struct member {
  struct claim ahead[AHEAD];
  int32_t ahead_count;
  bool working, asking, over, left;
  double asked_at;
};

struct simulation {
  struct world world; /* must be first: a struct world * is cast to this struct */
  struct event *heap;
  int64_t count, capacity, numbers;
  struct member *member;
  double clock;   /* rank 0's */
  double busy;    /* of it, not in naps */
  double code;    /* of it, in nina's code, what it takes to begin and end a nap left out */
  double entered; /* processor time at which nina's code was entered */
  bool napping;   /* no message has been looked for since the nap */
  double message_cost, block_seconds;
  int64_t claims;
  double answer_sum, answer_max, done_at;
  uint64_t seed;
  int32_t shards, blocks; /* in all shards together */
};

static double processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int32_t blocks_of(const struct simulation *simulation, int32_t shard) {
  const int64_t blocks = simulation->blocks, shards = simulation->shards;
  return (int32_t)(blocks * (shard + 1) / shards - blocks * shard / shards);
}

static double report_interval(const struct simulation *simulation) {
  const double share = REPORT_SHARE * simulation->world.size;
  return share > REPORT_EVERY ? share : REPORT_EVERY;
}

static bool comes_before(const struct event *a, const struct event *b) {
  return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void heap_add(struct simulation *simulation, struct event event) {
  if (simulation->count == simulation->capacity) {
    simulation->capacity = simulation->capacity ? 2 * simulation->capacity : 1024;
    simulation->heap = realloc(simulation->heap, (size_t)simulation->capacity * sizeof *simulation->heap);
    if (!simulation->heap) abort();
  }
  event.number = simulation->numbers++;
  int64_t at = simulation->count++;
  for (; at > 0 && comes_before(&event, &simulation->heap[(at - 1) / 2]); at = (at - 1) / 2)
    simulation->heap[at] = simulation->heap[(at - 1) / 2];
  simulation->heap[at] = event;
}

static struct event heap_take(struct simulation *simulation) {
  struct event *heap = simulation->heap;
  const struct event first = heap[0], last = heap[--simulation->count];
  int64_t at = 0;
  for (int64_t child; (child = 2 * at + 1) < simulation->count; at = child) {
    if (child + 1 < simulation->count && comes_before(&heap[child + 1], &heap[child])) child++;
    if (!comes_before(&heap[child], &last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return first;
}

static void tell(struct simulation *simulation, double now, int32_t rank, enum message_kind message,
                 struct claim claim) {
  heap_add(simulation, (struct event){.at = now + TRAVEL,
                                      .kind = EVENT_ARRIVES,
                                      .rank = rank,
                                      .message = (int32_t)message,
                                      .claim = claim});
}

/* Begins a block, asks for the next one, or leaves. */
static void member_go_on(struct simulation *simulation, int32_t rank, double now) {
  struct member *member = &simulation->member[rank];
  if (!member->working && member->ahead_count > 0) {
    const double part = 0.9 + 0.2 * (double)(random_next(&simulation->seed) >> 11) / 0x1p53;
    member->working = true;
    heap_add(simulation, (struct event){.at = now + simulation->block_seconds * part,
                                        .kind = EVENT_BLOCK_ENDS,
                                        .rank = rank,
                                        .claim = member->ahead[0]});
    memmove(member->ahead, member->ahead + 1, (size_t)--member->ahead_count * sizeof *member->ahead);
  }
  if (!member->asking && !member->over && member->ahead_count < AHEAD) {
    member->asking = true;
    member->asked_at = now;
    tell(simulation, now, rank, MESSAGE_WANT, (struct claim){0});
  }
  if (member->over && !member->left && !member->working && member->ahead_count == 0) {
    member->left = true;
    tell(simulation, now, rank, MESSAGE_LEAVE, (struct claim){0});
  }
}

static void member_answered(struct simulation *simulation, const struct event *event) {
  struct member *member = &simulation->member[event->rank];
  const double took = event->at - member->asked_at;
  member->asking = false;
  if (event->message == MESSAGE_OVER) {
    member->over = true;
  } else if (event->claim.block < blocks_of(simulation, event->claim.shard)) {
    member->ahead[member->ahead_count++] = event->claim;
    simulation->claims++;
    simulation->answer_sum += took;
    if (took > simulation->answer_max) simulation->answer_max = took;
  } else {
    const int32_t shard = event->claim.shard;
    tell(simulation, event->at, event->rank, MESSAGE_ENDS,
         (struct claim){.shard = shard, .block = blocks_of(simulation, shard)});
  }
  member_go_on(simulation, event->rank, event->at);
}

static void member_event(struct simulation *simulation, const struct event *event) {
  struct member *member = &simulation->member[event->rank];
  switch (event->kind) {
    case EVENT_ARRIVES:
      break; /* rank 0's */
    case EVENT_ANSWERED:
      member_answered(simulation, event);
      break;
    case EVENT_BLOCK_ENDS:
      member->working = false;
      simulation->done_at = event->at;
      tell(simulation, event->at, event->rank, MESSAGE_COMMITTED, event->claim);
      member_go_on(simulation, event->rank, event->at);
      break;
    case EVENT_REPORT:
      if (member->left) break;
      tell(simulation, event->at, event->rank, MESSAGE_REPORT, (struct claim){0});
      heap_add(simulation,
               (struct event){
                   .at = event->at + report_interval(simulation), .kind = EVENT_REPORT, .rank = event->rank});
      break;
  }
}

static struct message message_of(const struct simulation *simulation, const struct event *event) {
  struct message message = {.kind = event->message, .claim = event->claim};
  const struct claim *claim = &event->claim;
  if (event->message == MESSAGE_COMMITTED)
    message.part = (struct part_summary){
        .border = {.shard = claim->shard,
                   .index = claim->block,
                   .first_line = claim->block + 1,
                   .lines = 1,
                   .first_offset = claim->block,
                   .next_offset = claim->block + 1,
                   .end_of_shard = claim->block + 1 == blocks_of(simulation, claim->shard)}};
  return message;
}

/* nina's code has come this far: its processor time counts. */
static void code_leave(struct simulation *simulation) {
  const double took = processor_time() - simulation->entered;
  if (!simulation->napping) simulation->code += took;
  simulation->busy += took;
  simulation->clock += took;
}

static void code_enter(struct simulation *simulation) {
  simulation->entered = processor_time();
}

static void count_message(struct simulation *simulation) {
  simulation->busy += simulation->message_cost;
  simulation->clock += simulation->message_cost;
}

static bool world_receive(struct world *world, int32_t *from, void *bytes, size_t capacity, size_t *size) {
  struct simulation *simulation = (struct simulation *)world;
  code_leave(simulation);
  simulation->napping = false;
  bool found = false;
  while (!found && simulation->count > 0 && simulation->heap[0].at <= simulation->clock) {
    const struct event event = heap_take(simulation);
    found = event.kind == EVENT_ARRIVES;
    if (!found) {
      member_event(simulation, &event);
      continue;
    }
    const struct message message = message_of(simulation, &event);
    if (capacity < sizeof message) abort();
    memcpy(bytes, &message, sizeof message);
    *from = event.rank;
    *size = sizeof message;
    count_message(simulation);
  }
  code_enter(simulation);
  return found;
}

static bool world_send(struct world *world, int32_t to, const void *bytes, size_t size, struct error *error) {
  struct simulation *simulation = (struct simulation *)world;
  struct message message;
  (void)error;
  code_leave(simulation);
  memcpy(&message, bytes, size);
  count_message(simulation);
  if (message.kind == MESSAGE_CLAIM || message.kind == MESSAGE_OVER)
    heap_add(simulation, (struct event){.at = simulation->clock + TRAVEL,
                                        .kind = EVENT_ANSWERED,
                                        .rank = to,
                                        .message = message.kind,
                                        .claim = message.claim});
  code_enter(simulation);
  return true;
}

/* All ranks say what rank 0 says, on hosts of their own. */
static void world_gather(struct world *world, const void *bytes, size_t size, void *all) {
  for (int32_t i = 0; i < world->size; i++) {
    struct machine *machine =
        (struct machine *)((char *)all + (size_t)i * size); /* an arrival's first field */
    memcpy(machine, bytes, size);
    snprintf(machine->host, sizeof machine->host, "node%d", i / RANKS_A_HOST);
  }
}

static void world_close(struct world *world, bool broken) {
  (void)world;
  if (broken) abort();
}

static const struct world_vtable vtable = {
    .send = world_send, .receive = world_receive, .gather = world_gather, .close = world_close};

/* Rank 0's main thread. Only its naps are not those of ranks_serve, which would be real. */
static bool serve_all(struct simulation *simulation, struct ranks *ranks, struct error *error) {
  while (ranks_others_work(ranks)) {
    code_enter(simulation);
    simulation->napping = true;
    const bool ok = ranks_serve(ranks, 0, error);
    code_leave(simulation);
    if (!ok) return false;
    if (ranks->wants == 0 || !ranks->dirty) simulation->clock += (double)ranks->nap / 1e9;
  }
  return true;
}

static bool simulate(struct simulation *simulation, struct run_log *log, struct error *error) {
  const double before = processor_time();
  struct ranks *ranks = ranks_open_world(&simulation->world, error);
  if (!ranks) return false;
  const double start = processor_time() - before;
  bool ok = ranks_begin(ranks, log, error) && ranks_leave(ranks, NULL, error);
  for (int32_t i = 1; i <= simulation->world.size - 1; i++) {
    member_go_on(simulation, i, 0);
    heap_add(simulation, (struct event){.at = report_interval(simulation) * i / simulation->world.size,
                                        .kind = EVENT_REPORT,
                                        .rank = i});
  }
  simulation->clock = simulation->busy = simulation->code = 0;
  ok = ok && serve_all(simulation, ranks, error);
  if (ok && !run_log_complete(log)) ok = error_set(error, ERROR_IO, "blocks are missing at the end");
  ranks_close(ranks);
  if (!ok) return false;
  const double work = simulation->blocks * simulation->block_seconds;
  const double claims = (double)simulation->claims;
  printf("efficiency %.3f; rank 0 is busy %.0f %% of the time, %.1f us of it nina's code for a claim; ",
         work / (simulation->done_at * (simulation->world.size - 1)),
         100 * simulation->busy / simulation->clock, 1e6 * simulation->code / claims);
  printf("a claim is there after %.1f ms, at most %.0f ms; the ranks' places take %.1f s\n",
         1e3 * simulation->answer_sum / claims, 1e3 * simulation->answer_max, start);
  return true;
}

static struct run_log *log_make(char *out, int32_t count, struct error *error) {
  struct shard *shards = calloc((size_t)count, sizeof *shards);
  if (!shards) return NULL;
  for (int32_t i = 0; i < count; i++) shards[i] = (struct shard){.path = (char *)"a.jsonl", .size = 1};
  const struct run_identity identity = {.settings = {.widths = {1, {4}}}};
  const struct run_request request = {.identity = &identity, .shards = shards, .shard_count = count};
  struct run_log *log = mkdtemp(out) ? run_log_open(out, &request, error) : NULL;
  free(shards);
  return log;
}

int main(int argc, char **argv) {
  struct error error = {0};
  char out[] = "/tmp/nina-simulation-XXXXXX", command[64];
  if (argc != 6) {
    fprintf(stderr, "usage: simulate_ranks RANKS SHARDS BLOCKS SECONDS MICROSECONDS\n");
    return 2;
  }
  const int32_t ranks = atoi(argv[1]);
  struct simulation simulation = {.world = {.vtable = &vtable, .size = ranks + 1},
                                  .shards = atoi(argv[2]),
                                  .blocks = ranks * atoi(argv[3]),
                                  .block_seconds = atof(argv[4]),
                                  .message_cost = atof(argv[5]) / 1e6};
  if (simulation.blocks < simulation.shards)
    simulation.blocks = simulation.shards; /* an empty one has a part too */
  simulation.member = calloc((size_t)ranks + 1, sizeof *simulation.member);
  struct run_log *log = simulation.member ? log_make(out, simulation.shards, &error) : NULL;
  const bool done = log && simulate(&simulation, log, &error);
  if (!done) fprintf(stderr, "simulate_ranks: %s\n", error.message);
  run_log_close(log);
  free(simulation.heap);
  free(simulation.member);
  snprintf(command, sizeof command, "rm -r %s", out);
  return system(command) == 0 && done ? 0 : 1;
}
