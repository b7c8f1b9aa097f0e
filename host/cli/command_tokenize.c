#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/model/model.h"
#include "host/model/tokenizer.h"
#include "io/json_parse.h"
#include "io/line_reader.h"

#define TEXT_BYTES ((int64_t)128 << 20) /* bytes in a line, as in embed */

struct tokenize_arguments {
  const char *model;
  int32_t max_tokens;
};

// clang-format off
static const struct option_spec specs[] = {
    {.type = OPTION_HEADING, .help = "Options"},
    {.name = "model", .type = OPTION_STRING, .offset = offsetof(struct tokenize_arguments, model), .argument = "DIR",
     .help = "model folder, or org/name in the Hugging Face cache\n"
             "(required)"},
    {.name = "max-tokens", .type = OPTION_INT, .offset = offsetof(struct tokenize_arguments, max_tokens), .argument = "N",
     .help = "cut at N tokens (default: the model's limit)"},
    {.type = OPTION_END},
};
// clang-format on

static void print_ids(const int32_t *ids, int32_t count) {
  putchar('[');
  for (int32_t i = 0; i < count; i++) printf(i ? ",%d" : "%d", ids[i]);
  puts("]");
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
static bool tokenize_line(struct token_encoder *encoder, const struct line *line, int64_t number,
                          int32_t max_tokens, int32_t *ids, struct error *error) {
  const char *text;
  size_t size;
  json_t *owned;
  int32_t count;
  bool truncated;
  const bool done =
      line_text(line->text, (size_t)line->length, number, &text, &size, &owned, error) &&
      token_encoder_encode(encoder, text, (int64_t)size, max_tokens, ids, &count, &truncated, error);
  if (done) print_ids(ids, count);
  json_decref(owned);
  return done;
}

static bool tokenize_lines(struct token_encoder *encoder, int32_t max_tokens, int32_t *ids,
                           struct error *error) {
  struct line_reader *reader = line_reader_open("-", &(struct line_limits){.line = TEXT_BYTES}, error);
  struct line line;
  enum line_result result = LINE_FAILED;
  bool done = reader != NULL;
  /* If the output cannot be written, stop; streams_close() reports the error. */
  while (done && !ferror(stdout) && (result = line_reader_next(reader, &line, error)) == LINE_READ)
    done = tokenize_line(encoder, &line, line_reader_number(reader), max_tokens, ids, error);
  line_reader_close(reader);
  return done && result != LINE_FAILED;
}

static bool tokenize_with(const struct model_config *model, int32_t max_tokens, struct error *error) {
  const int32_t limit = model->shape.max_tokens;
  if (!max_tokens) max_tokens = limit;
  if (max_tokens < 2 || max_tokens > limit)
    return error_set(error, ERROR_USAGE, "--max-tokens %d: the model takes from 2 to %d tokens", max_tokens,
                     limit);
  struct tokenizer *tokenizer = tokenizer_open(model->modules.transformer, error);
  struct token_encoder *encoder = tokenizer ? token_encoder_open(tokenizer, error) : NULL;
  int32_t *ids = malloc((size_t)max_tokens * sizeof *ids);
  bool done = encoder && ids;
  if (encoder && !ids) error_set_memory(error, (size_t)max_tokens * sizeof *ids, "token ids");
  done = done && tokenize_lines(encoder, max_tokens, ids, error);
  free(ids);
  token_encoder_close(encoder);
  tokenizer_close(tokenizer);
  return done;
}

static bool tokenize(const struct tokenize_arguments *arguments, struct error *error) {
  struct model_config model;
  if (!model_config_open(&model, arguments->model, error)) return false;
  const bool done = tokenize_with(&model, arguments->max_tokens, error);
  model_config_close(&model);
  return done;
}

static int tokenize_command(int argc, char **argv) {
  struct tokenize_arguments arguments = {0};
  struct error error = {0};
  int first;
  bool help;
  if (!options_parse("tokenize", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_tokenize);
    return EXIT_DONE;
  }
  if (!arguments.model || first < argc) {
    error_set(&error, ERROR_USAGE,
              arguments.model ? "tokenize reads standard input and takes no INPUT: %s"
                              : "--model is required (nina tokenize --help)%s",
              arguments.model ? argv[first] : "");
    return command_fail(&error);
  }
  return tokenize(&arguments, &error) ? EXIT_DONE : command_fail(&error);
}

// clang-format off
const struct command command_tokenize = {
    .name = "tokenize",
    .summary = "print the token ids of each line of standard input",
    .usage = "nina tokenize --model DIR [--max-tokens N] < LINES",
    .about =
        "Prints the token ids of each line of standard input as one JSON array a line.\n"
        "A line that is a JSON string (it starts with a double quote) stands for the text it spells, so that a text\n"
        "may hold line breaks; any other line is taken as it is.",
    .options = specs,
    .operands = OPERANDS_NONE,
    .run = tokenize_command,
};
// clang-format on
