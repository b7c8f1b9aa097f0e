/* Fuzzes the parser of arguments: every command's table, and the same options on the command line and in an
 * .ini file.
 *
 * The input's first byte picks the command. The rest is lines: if a line is "NAME=VALUE" with one of the
 * command's names, it stands for `--NAME VALUE` (a flag: `--NAME` if VALUE is true). Any other line is an
 * argument as it is. */
#include "host/cli/commands.h"
#include "host/job/device.h"
#include "io/text.h"
#include "tests/fuzz/harness.h"

#define TARGET_BYTES (64 << 10) /* far more than any command's struct of options */
#define ARGUMENTS_MAX 96

/* A command's options as one parse left them. */
struct parse {
  _Alignas(16) char target[TARGET_BYTES];
  struct option_strings kept;
  struct error error;
  int first;
  bool help, done;
};

static void parse_run(const struct command *command, int count, char **arguments, struct parse *parse) {
  memset(parse->target, 0, sizeof parse->target);
  parse->error = (struct error){0};
  parse->done = options_parse(command->name, command->options, count, arguments, parse->target, &parse->kept,
                              &parse->first, &parse->help, &parse->error);
  if (!parse->done) {
    require_sentence(&parse->error);
    REQUIRE(parse->error.code == ERROR_USAGE || parse->error.code == ERROR_INPUT ||
            parse->error.code == ERROR_IO || parse->error.code == ERROR_MEMORY);
  } else if (!parse->help) {
    REQUIRE(parse->first >= 1 && parse->first <= count);
  }
}

static const struct option_spec *spec_of(const struct option_spec *specs, const char *name, size_t length) {
  for (; specs->type != OPTION_END; specs++)
    if (specs->name && strlen(specs->name) == length && memcmp(specs->name, name, length) == 0) return specs;
  return NULL;
}

static bool same_string(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(const struct option_list *a, const struct option_list *b) {
  bool same = a->count == b->count;
  for (int32_t i = 0; same && i < a->count; i++) same = same_string(a->item[i], b->item[i]);
  return same;
}

static bool same_value(const struct option_spec *spec, const char *a, const char *b) {
  switch (spec->type) {
    case OPTION_FLAG:
      return *(const bool *)a == *(const bool *)b;
    case OPTION_STRING:
      return same_string(*(const char *const *)(const void *)a, *(const char *const *)(const void *)b);
    case OPTION_STRINGS:
      return same_list((const void *)a, (const void *)b);
    case OPTION_INT:
    case OPTION_CHOICE:
      return memcmp(a, b, sizeof(int32_t)) == 0;
    case OPTION_SIZE:
    case OPTION_SHARE:
      return memcmp(a, b, sizeof(int64_t)) == 0;
    case OPTION_WIDTHS:
      return memcmp(a, b, sizeof(struct width_list)) == 0;
    case OPTION_DEVICE:
      return ((const struct compute_options *)(const void *)a)->device ==
                 ((const struct compute_options *)(const void *)b)->device &&
             ((const struct compute_options *)(const void *)a)->card ==
                 ((const struct compute_options *)(const void *)b)->card;
    case OPTION_CONFIG:
    case OPTION_HEADING:
    case OPTION_END:
      break;
  }
  return true;
}

static void require_same(const struct command *command, const struct parse *a, const struct parse *b) {
  REQUIRE(a->done == b->done);
  if (!a->done) return;
  for (const struct option_spec *spec = command->options; spec->type != OPTION_END; spec++)
    REQUIRE(same_value(spec, a->target + spec->offset, b->target + spec->offset));
}

/* The arguments, and the same options as an .ini file. */
struct arguments {
  char *argument[ARGUMENTS_MAX + 2];
  int count;
  struct text ini;
  bool plain; /* nothing but options that an .ini file can hold */
};

static void arguments_add(struct arguments *arguments, const char *string, size_t length) {
  if (arguments->count < ARGUMENTS_MAX)
    arguments->argument[arguments->count++] = string_of((const uint8_t *)string, length);
}

static void pair_add(struct arguments *arguments, const struct option_spec *spec, const char *value,
                     size_t length) {
  char name[80];
  snprintf(name, sizeof name, "--%s", spec->name);
  const bool flag = spec->type == OPTION_FLAG, set = length == 4 && memcmp(value, "true", 4) == 0;
  if (spec->type == OPTION_CONFIG || arguments->count + 2 > ARGUMENTS_MAX || memchr(value, '\0', length) ||
      (flag && !set)) {
    arguments->plain = false;
    return;
  }
  arguments_add(arguments, name, strlen(name));
  if (!flag) arguments_add(arguments, value, length);
  text_append_string(&arguments->ini, spec->name);
  text_append_string(&arguments->ini, " = \"");
  for (size_t i = 0; i < length; i++) {
    const bool special = value[i] == '"' || value[i] == '\\', end = value[i] == '\r';
    if (special || end) text_append_string(&arguments->ini, "\\");
    text_append(&arguments->ini, end ? "r" : &value[i], 1);
  }
  text_append_string(&arguments->ini, "\"\n");
}

static void arguments_read(const struct command *command, const uint8_t *data, size_t size,
                           struct arguments *arguments) {
  *arguments = (struct arguments){.plain = true};
  arguments_add(arguments, command->name, strlen(command->name));
  while (size > 0) {
    const struct input_text line = input_line(&data, &size);
    const char *text = (const char *)line.bytes, *equals = line.size ? memchr(text, '=', line.size) : NULL;
    const struct option_spec *spec = equals ? spec_of(command->options, text, (size_t)(equals - text)) : NULL;
    if (spec) {
      pair_add(arguments, spec, equals + 1, line.size - (size_t)(equals + 1 - text));
    } else {
      arguments_add(arguments, text, line.size);
      arguments->plain = false;
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct parse direct, by_file;
  if (size < 1) return 0;
  int count = 0;
  while (commands[count]) count++;
  const struct command *command = commands[data[0] % count];
  struct arguments arguments;
  arguments_read(command, data + 1, size - 1, &arguments);
  bool takes_file = false;
  for (const struct option_spec *spec = command->options; spec->type != OPTION_END; spec++)
    takes_file = takes_file || spec->type == OPTION_CONFIG;
  char *own[ARGUMENTS_MAX + 2]; /* getopt changes the order */
  memcpy(own, arguments.argument, sizeof own);
  parse_run(command, arguments.count, own, &direct);
  if (arguments.plain && takes_file && !direct.help) {
    char option[] = "--config",
         *path = strdup(scratch_file("a.ini", arguments.ini.bytes, arguments.ini.size));
    char *with[] = {arguments.argument[0], option, path, NULL};
    parse_run(command, 3, with, &by_file);
    require_same(command, &direct, &by_file);
    option_strings_free(&by_file.kept);
    free(path);
  }
  option_strings_free(&direct.kept);
  for (int i = 0; i < arguments.count; i++) free(arguments.argument[i]);
  text_free(&arguments.ini);
  return 0;
}
