#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/answers.h"
#include "host/cli/commands.h"
#include "host/cli/compute_rows.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/job/search.h"
#include "host/job/utf8_check.h"
#include "io/line_reader.h"

struct search_arguments {
  struct search_options search;
  bool json, stats, quiet, help;
  struct option_list where;
  struct option_strings strings;
  char **question; /* [count] from the command line */
  int count;
};

#define SEARCH(field) offsetof(struct search_arguments, search.field)
#define OWN(field) offsetof(struct search_arguments, field)

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "What to search, with what"},
    {.name = "model", .type = OPTION_STRING, .offset = SEARCH(question.model), .argument = "DIR",
     .help = "folder, or org/name in the Hugging Face cache, of the\n"
             "model that made the vectors (required)"},
    {.name = "vectors", .type = OPTION_STRING, .offset = SEARCH(vectors), .argument = "DIR",
     .help = "output folder of nina embed (required)"},
    CONFIG_ROW,
    {.name = "width", .type = OPTION_INT, .offset = SEARCH(width), .argument = "N",
     .help = "Matryoshka width: any up to the widest stored, itself stored\n"
             "or not (default: the widest)"},
    {.name = "rescore", .type = OPTION_INT, .offset = SEARCH(rescore), .argument = "N",
     .help = "scan at --width, then order the best 10 times K passages by\n"
             "their vectors of this wider width, read one by one"},
    {.name = "where", .type = OPTION_STRINGS, .offset = OWN(where), .argument = "FIELD=VALUE",
     .help = "only passages whose field, kept by --keep-fields under this\n"
             "name, has this value; also !=, <, <=, >, >=. Numbers compare\n"
             "as numbers, dates as 2026-11-03 or 2026-11-03T09:30:00Z as\n"
             "dates, other strings by code points; a missing field matches\n"
             "only !=. Several: all must hold. Reads all of OUT/fields once"},
    {.name = "top-k", .type = OPTION_INT, .offset = SEARCH(top_k), .argument = "K",
     .help = "passages per question (default: 5)"},
    {.name = "rows", .type = OPTION_FLAG, .offset = SEARCH(rows),
     .help = "of documents cut into chunks: the nearest chunks (default:\n"
             "the documents of which a chunk is nearest)"},
    {.name = "json", .type = OPTION_FLAG, .offset = OWN(json),
     .help = "one JSON object a question, with whole texts"},
    {.name = "slow-text", .type = OPTION_FLAG, .offset = SEARCH(slow_text),
     .help = "without stored texts: read them from compressed shards too,\n"
             "which decompresses all before them"},
    {.name = "prompt", .type = OPTION_STRING, .offset = SEARCH(question.prompt), .argument = "TEXT",
     .help = "put before every question, as \"query: \""},
    {.name = "prompt-name", .type = OPTION_STRING, .offset = SEARCH(question.prompt_name), .argument = "NAME",
     .help = "one of the model's own prompts (default: query)"},
    TOKENIZER_ROW(SEARCH(question.compute)),
    {.type = OPTION_HEADING, .help = "Computing"},
    COMPUTE_ROWS(SEARCH(question.compute),
                 "of questions and scan: cpu, cuda, cuda:K (card K), or\n"
                 "null (no model: hashes, for tests); auto: cpu",
                 "of the questions: auto; cpu: fp32, bf16 or int8; cuda: fp16"),
    GEMM_TUNING_ROW(SEARCH(question.compute)),
    {.name = "stats", .type = OPTION_FLAG, .offset = OWN(stats),
     .help = "at the end, say on standard error what was read, and how long\n"
             "it took"},
    {.name = "quiet", .type = OPTION_FLAG, .offset = OWN(quiet),
     .help = "print answers and errors only"},
    {.type = OPTION_END},
};
// clang-format on

static void print_scope(const struct search *search) {
  struct search_info info;
  char passages[48], again[48] = "", matching[32], where[48] = "";
  search_describe(search, &info);
  human_counted(info.passages, "passage", "passages", passages);
  if (info.rescore) snprintf(again, sizeof again, ", the best by width %d", info.rescore);
  if (info.filtered) {
    human_count(info.matching, matching);
    snprintf(where, sizeof where, "%s of ", matching);
  }
  say("%s%s at width %d%s; questions by %s, prompt \"%s\"%s", where, passages, info.width, again,
      info.encoder, info.prompt, info.complete ? "" : "; the archive is not embedded to its end yet");
  if (*info.warning) say("%s", info.warning);
}

static void print_stats(const struct search *search) {
  const struct search_stats *stats = search_spent(search);
  struct search_info info;
  char questions[48], bytes[32];
  search_describe(search, &info);
  human_counted(stats->questions, "question", "questions", questions);
  human_bytes(stats->scan_bytes, bytes);
  say("%s: scan at width %d, %s read, %.3f s", questions, info.width, bytes, stats->scan_seconds);
  if (!info.rescore) return;
  human_bytes(stats->rescore_bytes, bytes);
  say("rescore at width %d, %s read, %.3f s", info.rescore, bytes, stats->rescore_seconds);
}

static bool is_blank(const char *question) {
  return question[strspn(question, " \t\r\n\v\f")] == '\0';
}

#define QUESTIONS_MAX 256                  /* questions from a pipe that one scan answers */
#define QUESTION_BYTES ((int64_t)16 << 20) /* bytes in a line; more than any model reads */
#define REFUSED_NAMED 5                    /* lines that are no questions, in the error */

/* Asks the questions and prints the answers. */
static bool ask(struct search *search, struct answers *answers, char *const *question, int64_t count,
                struct error *error) {
  struct search_info info;
  search_describe(search, &info);
  answers->question = (const char *const *)question;
  if (info.matching == 0) answers_none(answers, count);
  return search_ask(search, answers->question, count, answers_take, answers, error) &&
         answers_end(answers, error);
}

/* Questions from standard input. */
struct question_input {
  struct line_reader *reader; /* NULL before the first question */
  bool person;                /* at a terminal */
  int64_t refused;            /* lines that are no questions; they get no answer, and the others do */
  char why[REFUSED_NAMED * 80];
};

/* Why a line is no question; NULL if it is one. */
static const char *question_fault(const struct line *line) {
  if (line->too_long) return "is too long";
  if (memchr(line->text, '\0', (size_t)line->length)) return "holds a NUL byte";
  return utf8_check_bytes(line->text, line->length) ? NULL : "is not valid UTF-8";
}

/* Tells a person at once; others at the end. */
static void question_refuse(struct question_input *input, const char *fault) {
  const long long number = (long long)line_reader_number(input->reader);
  const size_t used = strlen(input->why);
  if (input->person) {
    say("line %lld %s", number, fault);
    fputs("\nquestion> ", stderr);
  }
  if (input->refused++ < REFUSED_NAMED)
    snprintf(input->why + used, sizeof input->why - used, "%sline %lld %s", used ? ", " : "", number, fault);
}

static bool refused_report(const struct question_input *input, struct error *error) {
  const long long count = (long long)input->refused;
  return error_set(error, ERROR_INPUT, "%lld line%s of standard input got no answer: %s%s", count,
                   count == 1 ? "" : "s", input->why, count > REFUSED_NAMED ? ", …" : "");
}

/* Returns the next question from standard input, allocated. NULL if the input has ended, or, with *ok false,
 * on an error. Skips blank lines. */
static char *question_read(struct question_input *input, bool *ok, struct error *error) {
  struct line line;
  enum line_result result;
  while ((result = line_reader_next_any(input->reader, &line, error)) == LINE_READ) {
    const char *fault = question_fault(&line);
    if (fault) question_refuse(input, fault);
    if (fault || is_blank(line.text)) continue;
    char *question = strdup(line.text);
    *ok = question || error_set_memory(error, (size_t)line.length, "a question");
    return question;
  }
  *ok = result == LINE_END;
  return NULL;
}

/* Gathers questions that come from a pipe, because one scan can answer many questions. Answers a person's
 * question at once. */
static bool ask_input(struct search *search, struct answers *answers, struct question_input *input,
                      struct error *error) {
  char *question[QUESTIONS_MAX];
  const int64_t most = input->person ? 1 : QUESTIONS_MAX;
  bool ok = true;
  answers->heading = !input->person;
  for (bool ended = false; ok && !ended;) {
    int64_t count = 0;
    if (input->person) fputs("\nquestion> ", stderr);
    if (!input->reader)
      input->reader = line_reader_open("-", &(struct line_limits){.line = QUESTION_BYTES}, error);
    ok = input->reader != NULL;
    while (ok && count < most && (question[count] = question_read(input, &ok, error))) count++;
    ended = count < most;
    /* If the input has failed, the questions before get their answers, and the error is the input's. */
    struct error second;
    const bool answered = ask(search, answers, question, count, ok ? error : &second);
    ok = ok && answered;
    for (int64_t i = 0; i < count; i++) free(question[i]);
  }
  if (input->person) fputs("\n", stderr);
  line_reader_close(input->reader);
  return ok;
}

static int search_run(struct ranks *ranks, const struct search_arguments *arguments) {
  struct error error = {0};
  struct search_info info;
  struct answers answers;
  if (ranks_rank(ranks) > 0) {
    search_follow(ranks, &arguments->search);
    return EXIT_DONE;
  }
  struct search *search = search_open(ranks, &arguments->search, &error);
  if (!search) return command_fail(&error);
  if (!arguments->quiet) print_scope(search);
  search_describe(search, &info);
  answers_init(&answers, &info, arguments->json, arguments->quiet);
  struct question_input input = {.person = isatty(STDIN_FILENO)};
  bool ok = arguments->count > 0 ? ask(search, &answers, arguments->question, arguments->count, &error)
                                 : ask_input(search, &answers, &input, &error);
  answers_free(&answers);
  if (ok && arguments->stats) print_stats(search);
  if (ok && input.refused > 0) ok = refused_report(&input, &error);
  search_close(search);
  return ok ? EXIT_DONE : command_fail(&error);
}

static bool parse(int argc, char **argv, struct search_arguments *arguments, struct error *error) {
  int first;
  if (!options_parse("search", specs, argc, argv, arguments, &arguments->strings, &first, &arguments->help,
                     error))
    return false;
  arguments->question = argv + first;
  arguments->count = argc - first;
  arguments->search.where = arguments->where.item;
  arguments->search.where_count = arguments->where.count;
  if (arguments->help) return true;
  if (!arguments->search.question.model || !arguments->search.vectors)
    return error_set(error, ERROR_USAGE, "%s is required (nina search --help)",
                     arguments->search.question.model ? "--vectors" : "--model");
  for (int i = 0; i < arguments->count; i++)
    if (is_blank(arguments->question[i]))
      return error_set(error, ERROR_USAGE, "question %d is empty: there is nothing to search for", i + 1);
  for (int i = 0; i < arguments->count; i++) {
    char what[32];
    snprintf(what, sizeof what, "question %d", i + 1);
    if (!utf8_check(arguments->question[i], what, error)) return false;
  }
  return true;
}

static int search_command(int argc, char **argv) {
  struct search_arguments arguments = {0};
  struct error error = {0};
  int status;
  const bool parsed = parse(argc, argv, &arguments, &error);
  const char *const places[] = {arguments.search.vectors, NULL};
  struct ranks *ranks =
      command_join(parsed, arguments.help ? "search --help" : "search --vectors", places, &error, &status);
  if (ranks && !arguments.help)
    status = search_run(ranks, &arguments);
  else if (ranks && ranks_rank(ranks) == 0)
    command_help(&command_search);
  status = command_leave(ranks, status);
  option_strings_free(&arguments.strings);
  return status;
}

// clang-format off
const struct command command_search = {
    .name = "search",
    .summary = "ask stored vectors questions: the nearest passages",
    .usage = "nina search --model DIR --vectors DIR [OPTION…] [QUESTION…]",
    .about =
        "Prints the passages nearest to each QUESTION, by exact search over the stored vectors: rank, cosine, id,\n"
        "text. Without a QUESTION they are read from standard input, one a line (empty lines are passed over);\n"
        "on a terminal, one after the other. A line that is not UTF-8 gets no answer, and the exit status is 1.\n"
        "Under mpirun the ranks share the scan.\n"
        "\n"
        "  nina search --model models/e5-small --vectors out/municipal \"Quan obre la biblioteca?\"",
    .options = specs,
    .exits =
        "0 done; 1 failed, or a line got no answer; 2 wrong usage, another model made the vectors, or\n"
        "their output has a link for a folder or was begun anew meanwhile.",
    .operands = OPERANDS_TEXT,
    .run = search_command,
};
// clang-format on
