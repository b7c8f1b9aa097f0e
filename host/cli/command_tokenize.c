#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/say.h"
#include "host/job/utf8_check.h"
#include "host/model/model.h"
#include "host/model/tokenizer.h"
#include "io/json_parse.h"
#include "io/line_reader.h"
#include "io/text.h"

#define TEXT_BYTES ((int64_t)128 << 20) /* bytes in a line, as in embed */

struct tokenize_arguments {
  const char *model;
  int32_t max_tokens;
  enum tokenizer_engine tokenizer;
  int compare; /* enum tokenizer_engine; NO_COMPARISON: print ids */
};
#define NO_COMPARISON (-1)

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "Options"},
    {.name = "model", .type = OPTION_STRING, .offset = offsetof(struct tokenize_arguments, model), .argument = "DIR",
     .help = "model folder, or org/name in the Hugging Face cache\n"
             "(required)"},
    {.name = "max-tokens", .type = OPTION_INT, .offset = offsetof(struct tokenize_arguments, max_tokens), .argument = "N",
     .help = "cut at N tokens (default: the model's limit)"},
    {.name = "tokenizer", .type = OPTION_CHOICE, .offset = offsetof(struct tokenize_arguments, tokenizer),
     .argument = "NAME", .choices = option_tokenizers, .help = OPTION_TOKENIZER_HELP},
    {.name = "compare", .type = OPTION_CHOICE, .offset = offsetof(struct tokenize_arguments, compare),
     .argument = "NAME", .choices = option_tokenizers,
     .help = "print only the lines to which the tokenizer NAME gives\n"
             "other ids, with both lists, and their number"},
    {.type = OPTION_END},
};
// clang-format on

struct engine {
  enum tokenizer_engine name;
  struct tokenizer *tokenizer;
  struct token_encoder *encoder;
  int32_t *ids; /* [count] for the last line */
  int32_t count;
};

struct tokenize_work {
  int32_t max_tokens;
  struct engine engine[2];
  int engines; /* 2 if two tokenizers are compared */
  int64_t lines, different;
  struct text output; /* the last line's */
};

static void append_ids(struct text *output, const struct engine *engine) {
  text_append_string(output, "[");
  for (int32_t i = 0; i < engine->count; i++) {
    if (i) text_append_string(output, ",");
    text_append_integer(output, engine->ids[i]);
  }
  text_append_string(output, "]");
}

static void append_difference(struct tokenize_work *work, const char *text, size_t length, int64_t number) {
  struct text *output = &work->output;
  text_append_string(output, "{\"line\":");
  text_append_integer(output, number);
  text_append_string(output, ",\"text\":");
  text_append_json(output, text, length);
  for (int i = 0; i < work->engines; i++) {
    text_append_string(output, ",\"");
    text_append_string(output, tokenizer_engine_name(work->engine[i].name));
    text_append_string(output, "\":");
    append_ids(output, &work->engine[i]);
  }
  text_append_string(output, "}");
}

static bool engines_agree(const struct tokenize_work *work) {
  const struct engine *one = &work->engine[0], *other = &work->engine[1];
  return one->count == other->count && !memcmp(one->ids, other->ids, (size_t)one->count * sizeof *one->ids);
}

/* Prints one text's ids, or with --compare how the two tokenizers differ. */
static bool text_print(struct tokenize_work *work, const char *text, size_t length, int64_t number,
                       struct error *error) {
  const bool compares = work->engines > 1;
  text_clear(&work->output, TEXT_BYTES);
  work->lines++;
  if (compares && engines_agree(work)) return true;
  work->different += compares;
  if (compares)
    append_difference(work, text, length, number);
  else
    append_ids(&work->output, &work->engine[0]);
  text_append_string(&work->output, "\n");
  if (work->output.failed) return error_set_memory(error, work->output.size, "a line's token ids");
  fwrite(work->output.bytes, 1, work->output.size, stdout);
  return true;
}

/* embed rejects such a line, so its ids would be those of no row. */
static bool line_check(const struct line *line, int64_t number, struct error *error) {
  return utf8_check_bytes(line->text, line->length) ||
         error_set(error, ERROR_INPUT, "standard input, line %lld: not valid UTF-8", (long long)number);
}

/* Returns a line's text: the string that the line spells in JSON, or the line itself. The caller frees
 * *owned. */
static bool line_text(char *line, size_t length, int64_t number, const char **text, size_t *size,
                      json_t **owned, struct error *error) {
  *owned = NULL;
  *text = line;
  *size = length;
  if (length == 0 || line[0] != '"') return true;
  json_error_t details;
  *owned = json_parse(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &details);
  if (!*owned && json_error_code(&details) == json_error_out_of_memory)
    return error_set_memory(error, length, "a line");
  if (!*owned)
    return error_set(error, ERROR_INPUT, "standard input, line %lld: not a JSON string: %s",
                     (long long)number, details.text);
  *text = json_string_value(*owned);
  *size = json_string_length(*owned);
  return true;
}

/* Prints one line's ids. */
static bool tokenize_line(struct tokenize_work *work, const struct line *line, int64_t number,
                          struct error *error) {
  const char *text;
  size_t size;
  json_t *owned;
  bool truncated;
  if (!line_check(line, number, error)) return false;
  bool done = line_text(line->text, (size_t)line->length, number, &text, &size, &owned, error);
  for (int i = 0; done && i < work->engines; i++) {
    struct engine *engine = &work->engine[i];
    done = token_encoder_encode(engine->encoder, text, (int64_t)size, work->max_tokens, engine->ids,
                                &engine->count, &truncated, error);
  }
  done = done && text_print(work, text, size, number, error);
  json_decref(owned);
  return done;
}

static bool tokenize_lines(struct tokenize_work *work, struct error *error) {
  struct line_reader *reader = line_reader_open("-", &(struct line_limits){.line = TEXT_BYTES}, error);
  struct line line;
  enum line_result result = LINE_FAILED;
  bool done = reader != NULL;
  /* If the output cannot be written, stop; streams_close() reports the error. */
  while (done && !ferror(stdout) && (result = line_reader_next(reader, &line, error)) == LINE_READ)
    done = tokenize_line(work, &line, line_reader_number(reader), error);
  line_reader_close(reader);
  return done && result != LINE_FAILED;
}

static bool engine_open(struct engine *engine, enum tokenizer_engine name, const char *folder,
                        int32_t max_tokens, struct error *error) {
  engine->name = name;
  engine->tokenizer = tokenizer_open_engine(folder, name, error);
  if (engine->tokenizer) engine->encoder = token_encoder_open(engine->tokenizer, error);
  if (!engine->encoder) return false;
  engine->ids = malloc((size_t)max_tokens * sizeof *engine->ids);
  return engine->ids || error_set_memory(error, (size_t)max_tokens * sizeof *engine->ids, "token ids");
}

static void engine_close(struct engine *engine) {
  free(engine->ids);
  token_encoder_close(engine->encoder);
  tokenizer_close(engine->tokenizer);
}

static bool max_tokens_choose(const struct model_config *model, int32_t asked, int32_t *max_tokens,
                              struct error *error) {
  const int32_t limit = model->shape.max_tokens;
  *max_tokens = asked ? asked : limit;
  return (*max_tokens >= 2 && *max_tokens <= limit) ||
         error_set(error, ERROR_USAGE, "--max-tokens %d: the model takes from 2 to %d tokens", *max_tokens,
                   limit);
}

static bool tokenize(const struct tokenize_arguments *arguments, struct tokenize_work *work,
                     struct error *error) {
  struct model_config model;
  if (!model_config_open(&model, arguments->model, error)) return false;
  const char *folder = model.modules.transformer;
  bool done =
      max_tokens_choose(&model, arguments->max_tokens, &work->max_tokens, error) &&
      engine_open(&work->engine[work->engines++], arguments->tokenizer, folder, work->max_tokens, error);
  if (done && arguments->compare != NO_COMPARISON)
    done = engine_open(&work->engine[work->engines++], (enum tokenizer_engine)arguments->compare, folder,
                       work->max_tokens, error);
  done = done && tokenize_lines(work, error);
  for (int i = 0; i < work->engines; i++) engine_close(&work->engine[i]);
  text_free(&work->output);
  model_config_close(&model);
  return done;
}

static bool arguments_check(const struct tokenize_arguments *arguments, const char *operand,
                            struct error *error) {
  if (!arguments->model) return error_set(error, ERROR_USAGE, "--model is required (nina tokenize --help)");
  if (operand)
    return error_set(error, ERROR_USAGE, "tokenize reads standard input and takes no INPUT: %s", operand);
  if (arguments->compare == (int)arguments->tokenizer)
    return error_set(error, ERROR_USAGE,
                     "--compare %s: that is the tokenizer itself; --tokenizer names another",
                     tokenizer_engine_name(arguments->tokenizer));
  return true;
}

static int tokenize_command(int argc, char **argv) {
  struct tokenize_arguments arguments = {.compare = NO_COMPARISON};
  struct tokenize_work work = {0};
  struct error error = {0};
  int first;
  bool help;
  if (!options_parse("tokenize", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_tokenize);
    return EXIT_DONE;
  }
  int status;
  if (!arguments_check(&arguments, first < argc ? argv[first] : NULL, &error)) return command_fail(&error);
  if (!command_alone("nina tokenize", &status)) return status;
  if (!tokenize(&arguments, &work, &error)) return command_fail(&error);
  if (arguments.compare != NO_COMPARISON)
    say("%lld of %lld lines have other ids", (long long)work.different, (long long)work.lines);
  return work.different ? EXIT_FAILED : EXIT_DONE;
}

// clang-format off
const struct command command_tokenize = {
    .name = "tokenize",
    .summary = "print the token ids of each line of standard input",
    .usage = "nina tokenize --model DIR [--max-tokens N] [--tokenizer NAME] [--compare NAME] < LINES",
    .about =
        "Prints the token ids of each line of standard input as one JSON array a line.\n"
        "A line that is a JSON string (it starts with a double quote) stands for the text it spells, so that a text\n"
        "may hold line breaks; any other line is taken as it is.\n"
        "\n"
        "With --compare, prints one JSON object for each line whose ids differ:\n"
        "{\"line\":7,\"text\":\"…\",\"auto\":[…],\"sentencepiece\":[…]}.",
    .options = specs,
    .exits = "0 done; 1 failed, or with --compare some ids differ; 2 wrong usage",
    .operands = OPERANDS_NONE,
    .run = tokenize_command,
};
// clang-format on
