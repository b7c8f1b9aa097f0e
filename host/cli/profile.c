#include "host/cli/profile.h"

#include <inttypes.h>
#include <stdio.h>

#include "host/cli/human.h"
#include "host/cli/say.h"

/* The parts of the threads' work, in the order of the pipeline. */
enum { PART_READ, PART_TOKENIZE, PART_STEPS, PART_ORDER = PART_STEPS + ENCODER_STEPS, PART_WRITE, PARTS };

struct profile_part {
  const char *name;
  int64_t time; /* ns */
};

static void parts_find(const struct flow_times *times, struct profile_part part[PARTS]) {
  int64_t steps = 0;
  part[PART_READ] = (struct profile_part){"reading", times->worked[STAGE_READ]};
  part[PART_TOKENIZE] = (struct profile_part){"tokenizing", times->worked[STAGE_TOKENIZE]};
  for (int step = 0; step < ENCODER_STEPS; step++) {
    const int64_t time = times->encoder.step[step];
    part[PART_STEPS + step] = (struct profile_part){encoder_step_name((enum encoder_step)step), time};
    steps += time;
  }
  part[PART_ORDER] = (struct profile_part){"rows in order", times->worked[STAGE_ENCODE] - steps};
  part[PART_WRITE] = (struct profile_part){"writing", times->worked[STAGE_COMMIT]};
}

static int64_t parts_sum(const struct profile_part part[PARTS]) {
  int64_t sum = 0;
  for (int p = 0; p < PARTS; p++) sum += part[p].time;
  return sum;
}

static void part_print(const struct encoder_times *encoder, const char *name, int64_t time, int64_t sum) {
  const double nanoseconds = (double)time;
  char token[32] = "", row[32] = "";
  if (encoder->tokens > 0) snprintf(token, sizeof token, "%.0f", nanoseconds / (double)encoder->tokens);
  if (encoder->rows > 0) snprintf(row, sizeof row, "%.1f", nanoseconds * 1e-3 / (double)encoder->rows);
  say_line(stderr, "    %-15s %9.3f %6.1f %% %10s %10s", name, nanoseconds * 1e-9,
           sum > 0 ? 100 * nanoseconds / (double)sum : 0, token, row);
}

void profile_print(const struct flow_times *times) {
  const struct encoder_times *encoder = &times->encoder;
  struct profile_part part[PARTS];
  char rows[48], tokens[48];
  parts_find(times, part);
  const int64_t sum = parts_sum(part);
  human_counted(encoder->rows, "row", "rows", rows);
  human_counted(encoder->tokens, "token", "tokens", tokens);
  say_named(stderr, "profile", "work of all threads together; %s, %s encoded", rows, tokens);
  say_line(stderr, "    %-15s %9s %8s %10s     µs/row", "", "seconds", "share", "ns/token");
  for (int p = 0; p < PARTS; p++)
    if (part[p].time > 0) part_print(encoder, part[p].name, part[p].time, sum);
  part_print(encoder, "in all", sum, sum);
  for (int stage = 0; stage < STAGES; stage++)
    say_line(stderr, "    %-15s %9.3f  %s", stage ? "" : "waiting", (double)times->waited[stage] * 1e-9,
             flow_stage_name((enum flow_stage)stage));
}

/* ns a stage, as the next member of the event. */
static void stages_json(const char *name, const int64_t time[STAGES]) {
  fprintf(stderr, ",\"%s\":{", name);
  for (int stage = 0; stage < STAGES; stage++)
    fprintf(stderr, "%s\"%s\":%.9f", stage ? "," : "", flow_stage_name((enum flow_stage)stage),
            (double)time[stage] * 1e-9);
  fputs("}", stderr);
}

void profile_json(const struct flow_times *times) {
  struct profile_part part[PARTS];
  parts_find(times, part);
  fputs("{\"event\":\"profile\",\"seconds\":{", stderr);
  for (int p = 0; p < PARTS; p++)
    fprintf(stderr, "%s\"%s\":%.9f", p ? "," : "", part[p].name, (double)part[p].time * 1e-9);
  fputs("}", stderr);
  stages_json("worked", times->worked);
  stages_json("waiting", times->waited);
  fprintf(stderr, ",\"rows\":%" PRId64 ",\"tokens\":%" PRId64 "}\n", times->encoder.rows,
          times->encoder.tokens);
}
