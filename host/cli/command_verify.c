#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "host/cli/commands.h"
#include "host/cli/compute_rows.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/cli/signals.h"
#include "host/job/eval_files.h"
#include "host/job/verify_deep.h"
#include "io/clock.h"
#include "io/processors.h"
#include "io/run/job_lock.h"
#include "io/run/layout.h"
#include "io/run/manifest.h"
#include "io/run/run_verify.h"
#include "io/shell_word.h"
#include "io/text.h"

struct verify_arguments {
  struct deep_options deep; /* deep.parts 0: not deep; deep.compute.threads is for both verifications */
  bool help;
};

#define DEEP(field) offsetof(struct verify_arguments, deep.field)

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "Options"},
    {.name = "deep", .type = OPTION_INT, .offset = DEEP(parts), .argument = "N",
     .help = "embed N parts (blocks) again, drawn at random, and compare"},
    {.name = "model", .type = OPTION_STRING, .offset = DEEP(model), .argument = "DIR",
     .help = "with --deep: the model's folder (OUT has only its name)"},
    {.name = "seed", .type = OPTION_SIZE, .offset = DEEP(seed), .argument = "N",
     .help = "with --deep: draw the parts that this number drew before\n"
             "(default: a new one, which is printed)"},
    COMPUTE_ROWS(DEEP(compute),
                 "with --deep: as in nina embed (default: the one that made OUT)",
                 "with --deep: likewise"),
    {.type = OPTION_END},
};
// clang-format on

#define RECORDS_NAMED 10 /* records named in the line that says what to do */

/* The findings and their repair. */
struct findings {
  const char *out;
  int64_t count, of_repair[REPAIRS], foreign;
  int64_t records; /* parts whose record must be removed; each counts once */
  int32_t last_shard, last_block;
  char named[RECORDS_NAMED][PART_PATH_MAX];
};

/* Notes a part once, although --deep may find it again after the plain verification. */
static void record_note(struct findings *findings, const struct finding *finding) {
  char path[PART_PATH_MAX];
  record_path_format(path, finding->shard, finding->block);
  const int64_t named = findings->records < RECORDS_NAMED ? findings->records : RECORDS_NAMED;
  for (int64_t i = 0; i < named; i++)
    if (strcmp(findings->named[i], path) == 0) return;
  /* One part's findings come one after the other. */
  if (findings->records > 0 && finding->shard == findings->last_shard &&
      finding->block == findings->last_block)
    return;
  findings->last_shard = finding->shard;
  findings->last_block = finding->block;
  if (findings->records < RECORDS_NAMED)
    snprintf(findings->named[findings->records], PART_PATH_MAX, "%s", path);
  findings->records++;
}

static void print_finding(void *context, const struct finding *finding) {
  static const char *const kinds[] = {"missing", "damaged", "incomplete", "foreign", "different", "unjudged"};
  struct findings *findings = context;
  findings->count++;
  findings->of_repair[finding->repair]++;
  findings->foreign += finding->kind == FINDING_FOREIGN;
  if (finding->repair == REPAIR_RECORD) record_note(findings, finding);
  say_line(stdout, "%-10s %s: %s", kinds[finding->kind], finding->path, finding->detail);
}

/* Appends " OUT/parts/…", as the shell takes it. */
static void append_record(struct text *text, const char *out, const char *record) {
  struct text path = {0};
  text_append_string(&path, out);
  text_append_string(&path, "/");
  text_append(&path, record, strlen(record) + 1);
  text_append_string(text, " ");
  if (!path.failed) text_append_word(text, path.bytes);
  text->failed |= path.failed;
  text_free(&path);
}

static void print_removal(const struct findings *findings) {
  const int64_t named = findings->records < RECORDS_NAMED ? findings->records : RECORDS_NAMED;
  struct text words = {0};
  char rest[96] = "";
  for (int64_t i = 0; i < named; i++) append_record(&words, findings->out, findings->named[i]);
  if (findings->records > named)
    snprintf(rest, sizeof rest, ", and the records of %lld more parts named above",
             (long long)(findings->records - named));
  if (words.failed)
    say_line(
        stdout,
        "repair     rm the records of the parts named above; then start the same nina embed command again");
  else
    say_line(stdout, "repair     rm%.*s%s; then start the same nina embed command again", (int)words.size,
             words.bytes, rest);
  text_free(&words);
}

static void print_repair(const struct findings *findings) {
  const int64_t *of = findings->of_repair;
  if (of[REPAIR_ANEW] > 0)
    say_line(stdout, "repair     start the same nina embed command with --overwrite: it starts anew");
  else if (findings->records > 0)
    print_removal(findings);
  else if (of[REPAIR_RESUME] > 0)
    say_line(stdout, "repair     start the same nina embed command again");
  if (of[REPAIR_READ] > 0)
    say_line(stdout,
             "repair     see to what kept the system from reading those unjudged, then verify again; what is "
             "lost for good, remove, and start the same nina embed command again");
  if (of[REPAIR_SHARD] > 0)
    say_line(stdout, "repair     put the shards back as they were, or draw other parts with another --seed");
  if (findings->foreign > 0)
    say_line(stdout, "repair     foreign files are no part of the run: remove them, or leave them");
}

/* A job that is at work has files that no record names yet, and goes on by itself. */
static void print_advice(const struct findings *findings) {
  struct error job;
  if (findings->count == 0 || job_lock_look(findings->out, &job) || job.code != ERROR_CONFLICT)
    print_repair(findings);
  else
    say_line(stdout, "repair     nothing yet: %s; then verify again", job.message);
}

/* --deep's progress: a line now and then, so that a night's log stays readable. */
struct deep_watch {
  struct findings *findings;
  int64_t next; /* clock_now() when the next line is due */
};

#define DEEP_INTERVAL INT64_C(10000000000) /* ns */

static void deep_finding(void *context, const struct finding *finding) {
  const struct deep_watch *watch = context;
  print_finding(watch->findings, finding);
}

static void deep_progress(void *context, const struct deep_report *report) {
  struct deep_watch *watch = context;
  const int64_t now = clock_now();
  if (now < watch->next) return;
  watch->next = now + DEEP_INTERVAL;
  say("embedded again: %lld of %lld parts, %lld rows", (long long)report->judged, (long long)report->drawn,
      (long long)report->rows);
}

static void deep_print(const struct verify_arguments *arguments, const struct deep_report *report) {
  char drawn[48], rows[48], how[96] = "bit for bit";
  human_counted(report->drawn, "part", "parts", drawn);
  human_counted(report->rows, "row", "rows", rows);
  if (!report->bits)
    snprintf(how, sizeof how, "by cosine: the least is %.7f, at least %g passes", report->worst,
             report->least);
  say_line(stdout, "deep       %lld of %s (seed %lld) embedded again, %s, and compared %s; %lld %s the same",
           (long long)report->judged, drawn, (long long)arguments->deep.seed, rows, how,
           (long long)report->same, report->same == 1 ? "is" : "are");
}

/* Embeds parts again after the plain verification. From then on a signal ends the work in order. */
static bool deep_run(const struct verify_arguments *arguments, struct verify_deep *deep,
                     struct findings *findings, struct error *error) {
  struct deep_report report;
  struct deep_watch watch = {.findings = findings, .next = clock_now() + DEEP_INTERVAL};
  const struct deep_callbacks callbacks = {&watch, deep_finding, deep_progress};
  const bool ok = verify_deep_run(deep, &callbacks, signals_catch(), &report, error);
  if (ok) deep_print(arguments, &report);
  return ok;
}

/* A job that goes on, or begins anew, writes another manifest. `begun`: when the verification began. `deep`:
 * not NULL if OUT may have gone on since the plain verification, as a night's job does while parts are
 * embedded. */
static bool out_stands(const char *out, const struct file_stamp *begun, const struct verify_deep *deep,
                       struct error *error) {
  struct file_stamp now;
  bool same;
  if (!manifest_stamp(out, &now, error)) return false;
  if (file_stamps_equal(begun, &now)) return true;
  if (deep && !verify_deep_goes_on(deep, &same, error)) return false;
  if (deep && same) {
    say("%s went on while parts were embedded again: what came in is not verified; repair nothing before its "
        "nina embed is done",
        out);
    return true;
  }
  return error_set(error, ERROR_CONFLICT,
                   "%s was changed while it was verified, so what was found may be of two runs: verify it "
                   "again when its nina embed is done",
                   out);
}

static bool verify(const struct verify_arguments *arguments, const struct file_stamp *begun,
                   struct verify_deep *deep, struct findings *findings, struct error *error) {
  struct run_totals totals;
  int64_t files = 0;
  const char *out = arguments->deep.out;
  const int32_t asked = arguments->deep.compute.threads, threads = asked ? asked : processors_allowed();
  bool ok = run_verify(out, threads, print_finding, findings, &totals, &files, error) &&
            (!deep || verify_deep_draw(deep, error));
  if (!out_stands(out, begun, NULL, error) || !ok) return false;
  ok = !deep || deep_run(arguments, deep, findings, error);
  if (!out_stands(out, begun, deep, error) || !ok) return false;
  print_advice(findings);
  char documents[48], parts[48], read[48], bytes[32];
  human_counted(totals_documents(&totals), "document", "documents", documents);
  human_counted(totals.parts, "part", "parts", parts);
  human_counted(files, "file", "files", read);
  human_bytes(totals.file_bytes, bytes);
  say_line(stdout, "%s: %s in %s; %s with %s read; %s", out, documents, parts, read, bytes,
           findings->count ? "see above for what is wrong" : "all is as recorded");
  return true;
}

static bool parse(int argc, char **argv, struct verify_arguments *arguments, struct error *error) {
  struct deep_options *deep = &arguments->deep;
  int first;
  if (!options_parse("verify", specs, argc, argv, arguments, NULL, &first, &arguments->help, error))
    return false;
  if (arguments->help) return true;
  if (argc - first != 1) return error_set(error, ERROR_USAGE, "name one output folder: nina verify OUT");
  deep->out = argv[first];
  if (deep->parts > 0) return true;
  const char *alone = deep->model                                 ? "--model"
                      : deep->seed > 0                            ? "--seed"
                      : deep->compute.device != DEVICE_AUTO       ? "--device"
                      : deep->compute.precision != PRECISION_AUTO ? "--precision"
                                                                  : NULL;
  return !alone || error_set(error, ERROR_USAGE, "%s is for --deep N, which embeds N parts again", alone);
}

/* A seed for people to type again: up to nine digits. */
static int64_t seed_new(void) {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) bits = (uint64_t)clock_now();
  return (int64_t)(bits % 999999999) + 1;
}

static int verify_command(int argc, char **argv) {
  struct error error = {0};
  struct verify_arguments arguments = {0};
  struct verify_deep *deep = NULL;
  struct file_stamp begun;
  if (!parse(argc, argv, &arguments, &error)) return command_fail(&error);
  if (arguments.help) {
    command_help(&command_verify);
    return EXIT_DONE;
  }
  if (!eval_files_check(arguments.deep.out, &error) || !manifest_stamp(arguments.deep.out, &begun, &error))
    return command_fail(&error);
  if (arguments.deep.parts > 0) {
    int status;
    if (!command_alone("nina verify --deep", &status)) return status;
    if (arguments.deep.seed == 0) arguments.deep.seed = seed_new();
    deep = verify_deep_open(&arguments.deep, &error);
    if (!deep) return command_fail(&error);
    char parts[48];
    human_counted(arguments.deep.parts, "part", "parts", parts);
    say("--deep: up to %s, drawn with seed %lld, by %s", parts, (long long)arguments.deep.seed,
        verify_deep_encoder(deep));
  }
  struct findings findings = {.out = arguments.deep.out};
  const bool done = verify(&arguments, &begun, deep, &findings, &error);
  verify_deep_close(deep);
  if (!done) return signals_status(command_fail(&error), false);
  return findings.count ? EXIT_FAILED : EXIT_DONE;
}

// clang-format off
const struct command command_verify = {
    .name = "verify",
    .summary = "reread an output folder against its records",
    .usage = "nina verify [OPTION…] OUT",
    .about =
        "Rereads every file of an output folder against its record, the records against each other, against the\n"
        "manifest and against the sizes that the shards had, and every row and id; the shards may be gone. Prints\n"
        "one line for everything that is missing, damaged, incomplete or foreign, and the command that repairs it.\n"
        "\n"
        "With --deep N it also embeds N parts again from the shards, with OUT's settings, and compares: bit for\n"
        "bit on a CPU of the same kind as the one that made OUT, else by the cosine of every row. That finds what\n"
        "hashes cannot: rows that were never right. A part whose shard is gone is named.\n"
        "\n"
        "  nina verify --deep 20 --model models/e5-small out/archive",
    .options = specs,
    .exits =
        "0 nothing found; 1 something found, or OUT cannot be read; 2 wrong usage, or a job\n"
        "changed OUT meanwhile; 130 and 143 --deep was stopped by Ctrl-C and SIGTERM.",
    .operands = OPERANDS_FOLDERS,
    .run = verify_command,
};
// clang-format on
