#include "host/cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/ini_file.h"
#include "host/job/device.h"

#define OPTIONS_MAX 64
#define OPTIONS_BASE 1000 /* getopt's val for spec i is OPTIONS_BASE + i, larger than any character */

const char *const option_precisions[] = {"auto", "fp32", "bf16", "fp16", "int8", NULL};

const char *const option_tokenizers[] = {"auto", "sentencepiece", NULL}; /* as enum tokenizer_engine */

static const char *const devices[] = {"auto", "cpu", "cuda", "null", NULL}; /* as enum device */

static bool spec_ends(const struct option_spec *spec) {
  return spec->type == OPTION_END;
}

static const struct option_spec *spec_find(const struct option_spec *specs, const char *name) {
  for (; !spec_ends(specs); specs++)
    if (specs->name && strcmp(specs->name, name) == 0) return specs;
  return NULL;
}

static int least(int a, int b) {
  return a < b ? a : b;
}

/* Edit distance between two names (at most 63 bytes each): how many letters are changed, left out, inserted,
 * or swapped with their neighbour (optimal string alignment). */
static int name_distance(const char *a, const char *b) {
  int rows[3][64], *before = rows[0], *last = rows[1], *row = rows[2];
  const int length = (int)strlen(b);
  if (length > 63) return 64;
  for (int j = 0; j <= length; j++) last[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    row[0] = i;
    for (int j = 1; j <= length; j++) {
      row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], before[j - 2] + 1);
    }
    int *const spare = before;
    before = last;
    last = row;
    row = spare;
  }
  return last[length];
}

/* An unknown name is compared with the known names. One typing error is allowed for each
 * NAME_LETTERS_PER_SLIP letters, and at most NAME_SLIPS_MAX; with more errors the name is another word. */
#define NAME_LETTERS_PER_SLIP 3
#define NAME_SLIPS_MAX 3

/* `dashes` stands before each name: "--", or "" in an .ini file, which cannot have every option. */
static bool unknown_name(const struct option_spec *specs, const char *kind, const char *dashes,
                         const char *name, const char *command, struct error *error) {
  const char *nearest = NULL;
  int distance = least((int)strlen(name) / NAME_LETTERS_PER_SLIP, NAME_SLIPS_MAX) + 1;
  for (; !spec_ends(specs); specs++) {
    if (!specs->name || (!*dashes && specs->type == OPTION_CONFIG)) continue;
    const int d = name_distance(name, specs->name);
    if (d < distance) {
      distance = d;
      nearest = specs->name;
    }
  }
  if (nearest)
    return error_set(error, ERROR_USAGE, "unknown %s %s%s; did you mean %s%s? (nina %s --help lists all)",
                     kind, dashes, name, dashes, nearest, command);
  return error_set(error, ERROR_USAGE, "unknown %s %s%s (nina %s --help lists all)", kind, dashes, name,
                   command);
}

/* Reports an option that getopt_long did not accept. `argument` contains a long option; optopt has a short
 * option's letter. */
static bool unknown_option(const struct option_spec *specs, const char *argument, const char *command,
                           struct error *error) {
  char name[64];
  if (optopt == 'h') return error_set(error, ERROR_USAGE, "--help takes no value");
  if (optopt > 0 && optopt < OPTIONS_BASE) {
    snprintf(name, sizeof name, "-%c", optopt);
    return error_set(error, ERROR_USAGE, "unknown option %s (nina %s --help lists all)", name, command);
  }
  argument += strspn(argument, "-");
  snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
  if (optopt >= OPTIONS_BASE)
    return error_set(error, ERROR_USAGE, "--%s takes no value (nina %s --help)", name, command);
  return unknown_name(specs, "option", "--", name, command, error);
}

/* Parses digits: a number from `least` to `most`. If `suffixes`, one K, M or G may follow. */
static bool parse_number(const char *name, const char *value, int64_t least, int64_t most, bool suffixes,
                         int64_t *number, struct error *error) {
  static const char units[] = "KMG";
  const size_t digits = strspn(value, "0123456789");
  const char *end = value + digits, *unit = suffixes && *end ? strchr(units, toupper((uint8_t)*end)) : NULL;
  const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
  errno = 0;
  *number = strtoll(value, NULL, 10);
  if (digits == 0 || end[unit ? 1 : 0] || errno || *number > (most >> shift) || *number << shift < least)
    return error_set(error, ERROR_USAGE, "%s: \"%s\" is not a whole number from %" PRId64 " to %" PRId64 "%s",
                     name, value, least, most, suffixes ? " (K, M and G may follow it)" : "");
  *number <<= shift;
  return true;
}

/* Parses an option's value that is a count. */
static bool parse_count(const struct option_spec *spec, const char *value, int64_t *number,
                        struct error *error) {
  const bool size = spec->type == OPTION_SIZE;
  const int64_t most = spec->most ? spec->most : size ? INT64_MAX : INT32_MAX;
  return parse_number(spec->name, value, 1, most, size, number, error);
}

/* Parses digits, an optional fraction, and a percent sign. The decimal sign is always a point, because nina
 * sets no locale. */
static bool parse_share(const char *name, const char *value, double *share, struct error *error) {
  const size_t whole = strspn(value, "0123456789");
  const char *end = value + whole;
  const size_t fraction = *end == '.' ? strspn(end + 1, "0123456789") : 0;
  if (fraction) end += 1 + fraction;
  *share = strtod(value, NULL) / 100;
  if (whole == 0 || strcmp(end, "%") != 0 || *share <= 0 || *share > 1)
    return error_set(error, ERROR_USAGE,
                     "%s: \"%s\" is not a share above 0%% and up to 100%%, as 1%% or 0.5%%", name, value);
  return true;
}

static bool parse_widths(const char *name, const char *value, struct width_list *list, struct error *error) {
  list->count = 0;
  for (const char *at = value;; at++) {
    at += strspn(at, " ");
    const int length = (int)strcspn(at, ","), digits = (int)strspn(at, "0123456789");
    const long width = strtol(at, NULL, 10);
    if (length == 0 || digits != length || width < 1 || width > INT32_MAX)
      return error_set(error, ERROR_USAGE,
                       "%s: \"%.*s\" in \"%s\" is not a width: expected numbers above 0, as 1024,256,64",
                       name, length, at, value);
    if (list->count == WIDTHS_MAX)
      return error_set(error, ERROR_USAGE, "%s: \"%s\" has more than %d widths", name, value, WIDTHS_MAX);
    list->width[list->count++] = (int32_t)width;
    at += length;
    if (!*at) return true;
  }
}

static bool parse_choice(const struct option_spec *spec, const char *value, int *choice,
                         struct error *error) {
  char known[128] = "";
  for (int i = 0; spec->choices[i]; i++) {
    if (strcmp(value, spec->choices[i]) == 0) {
      *choice = i;
      return true;
    }
    const size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", spec->choices[i]);
  }
  return error_set(error, ERROR_USAGE, "%s: \"%s\" is none of %s", spec->name, value, known);
}

/* The number after the colon is the card's number. */
static bool parse_device(const char *name, const char *value, struct compute_options *options,
                         struct error *error) {
  static const char card[] = "cuda:";
  int64_t number;
  options->card = 0;
  for (size_t i = 0; devices[i]; i++) {
    if (strcmp(value, devices[i]) != 0) continue;
    options->device = (enum device)i;
    return true;
  }
  if (strncmp(value, card, strlen(card)) == 0 &&
      parse_number(name, value + strlen(card), 0, INT32_MAX - 1, false, &number, error)) {
    options->device = DEVICE_CUDA;
    options->card = (int32_t)number + 1;
    return true;
  }
  return error_set(error, ERROR_USAGE,
                   "%s: \"%s\" is none of auto, cpu, cuda, cuda:K (K counts cards from 0), null", name,
                   value);
}

static bool parse_flag(const struct option_spec *spec, const char *value, bool *flag, struct error *error) {
  *flag = !value || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "1") == 0;
  if (*flag || strcmp(value, "false") == 0 || strcmp(value, "no") == 0 || strcmp(value, "0") == 0)
    return true;
  return error_set(error, ERROR_USAGE, "%s: \"%s\" is neither true nor false", spec->name, value);
}

static bool list_add(const struct option_spec *spec, const char *value, struct option_list *list,
                     struct error *error) {
  if (list->inherited) list->count = 0;
  list->inherited = false;
  if (list->count == OPTION_LIST_MAX)
    return error_set(error, ERROR_USAGE, "%s: given more than %d times", spec->name, OPTION_LIST_MAX);
  list->item[list->count++] = value;
  return true;
}

/* From here on the values are the command line's. */
static void lists_end_file(const struct option_spec *specs, void *target) {
  for (; !spec_ends(specs); specs++)
    if (specs->type == OPTION_STRINGS)
      ((struct option_list *)(void *)((char *)target + specs->offset))->inherited = true;
}

/* Stores one value. `value` is NULL for a flag without a value. */
static bool option_store(const struct option_spec *spec, const char *value, void *target,
                         struct error *error) {
  char *field = (char *)target + spec->offset;
  int64_t number;
  switch (spec->type) {
    case OPTION_FLAG:
      return parse_flag(spec, value, (bool *)field, error);
    case OPTION_STRING:
      *(const char **)field = value;
      return true;
    case OPTION_STRINGS:
      return list_add(spec, value, (struct option_list *)(void *)field, error);
    case OPTION_INT:
      if (!parse_count(spec, value, &number, error)) return false;
      *(int32_t *)field = (int32_t)number;
      return true;
    case OPTION_SIZE:
      if (!parse_count(spec, value, &number, error)) return false;
      *(int64_t *)field = number;
      return true;
    case OPTION_SHARE:
      return parse_share(spec->name, value, (double *)field, error);
    case OPTION_WIDTHS:
      return parse_widths(spec->name, value, (struct width_list *)field, error);
    case OPTION_CHOICE:
      return parse_choice(spec, value, (int *)field, error);
    case OPTION_DEVICE:
      return parse_device(spec->name, value, (struct compute_options *)field, error);
    case OPTION_CONFIG:
    case OPTION_HEADING:
    case OPTION_END:
      break;
  }
  return true;
}

struct ini_context {
  const char *command;
  const struct option_spec *specs;
  void *target;
  struct option_strings *kept;
};

/* Copies `value`; the copy lives as long as `kept`. NULL if memory is short. */
static char *option_strings_add(struct option_strings *kept, const char *value) {
  char **grown = realloc(kept->string, (kept->count + 1) * sizeof *grown);
  if (!grown) return NULL;
  kept->string = grown;
  char *copy = strdup(value);
  if (copy) kept->string[kept->count++] = copy;
  return copy;
}

void option_strings_free(struct option_strings *kept) {
  for (size_t i = 0; i < kept->count; i++) free(kept->string[i]);
  free(kept->string);
  *kept = (struct option_strings){0};
}

static bool ini_section(void *user, const char *section, struct error *error) {
  /* The commands that take --config. */
  static const char *const known[] = {"embed", "eval", "search"};
  const struct ini_context *context = user;
  bool found = strcmp(section, context->command) == 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= strcmp(section, known[i]) == 0;
  return found ||
         error_set(error, ERROR_USAGE, "unknown section [%s]: expected [embed], [eval] or [search]", section);
}

static bool ini_value(void *user, const char *section, const char *name, const char *value,
                      struct error *error) {
  const struct ini_context *context = user;
  if (*section && strcmp(section, context->command) != 0) return true; /* another command's section */
  const struct option_spec *spec = spec_find(context->specs, name);
  if (spec && spec->type == OPTION_CONFIG)
    return error_set(error, ERROR_USAGE,
                     "%s: a configuration file names no other one; give --%s on the command line", name,
                     name);
  if (!spec) return unknown_name(context->specs, "key", "", name, context->command, error);
  const char *kept = option_strings_add(context->kept, value);
  if (!kept) return error_set_memory(error, strlen(value), "an .ini value");
  return option_store(spec, kept, context->target, error);
}

static bool options_read_ini(const char *command, const struct option_spec *specs, const char *path,
                             void *target, struct option_strings *kept, struct error *error) {
  struct ini_context context = {command, specs, target, kept};
  return ini_read(path, ini_section, ini_value, &context, error);
}

/* Makes getopt's table from the specs, without the headings. */
static void getopt_table(const struct option_spec *specs, struct option table[OPTIONS_MAX + 2]) {
  int count = 0;
  for (int i = 0; !spec_ends(&specs[i]) && count < OPTIONS_MAX; i++) {
    if (!specs[i].name) continue;
    const int argument = specs[i].type == OPTION_FLAG ? no_argument : required_argument;
    table[count++] = (struct option){specs[i].name, argument, NULL, OPTIONS_BASE + i};
  }
  table[count++] = (struct option){"help", no_argument, NULL, 'h'};
  table[count] = (struct option){0};
}

/* Makes one pass over the arguments. If `configuration`, reads only --config, otherwise all options but
 * --config. */
static bool options_pass(const char *command, const struct option_spec *specs, int argc, char **argv,
                         bool configuration, void *target, struct option_strings *kept, bool *help,
                         struct error *error) {
  struct option table[OPTIONS_MAX + 2];
  getopt_table(specs, table);
  opterr = 0;
  optind = 0; /* restart getopt */
  int found;
  while ((found = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
    if (found == 'h') {
      *help = true;
      return true;
    }
    if (found == ':')
      return error_set(error, ERROR_USAGE, "%s needs a value (nina %s --help)", argv[optind - 1], command);
    if (found == '?') return unknown_option(specs, argv[optind - 1], command, error);
    const struct option_spec *spec = &specs[found - OPTIONS_BASE];
    if ((spec->type == OPTION_CONFIG) != configuration) continue;
    if (configuration ? !options_read_ini(command, specs, optarg, target, kept, error)
                      : !option_store(spec, optarg, target, error))
      return false;
  }
  return true;
}

bool options_parse(const char *command, const struct option_spec *specs, int argc, char **argv, void *target,
                   struct option_strings *kept, int *first, bool *help, struct error *error) {
  *help = false;
  if (!options_pass(command, specs, argc, argv, true, target, kept, help, error)) return false;
  if (*help) return true;
  lists_end_file(specs, target);
  if (!options_pass(command, specs, argc, argv, false, target, kept, help, error)) return false;
  *first = optind;
  return true;
}

enum value_kind option_takes(const struct option_spec *spec, const char *const **words) {
  *words = NULL;
  switch (spec->type) {
    case OPTION_END:
    case OPTION_HEADING:
    case OPTION_FLAG:
      return VALUE_NONE;
    case OPTION_STRING:
    case OPTION_STRINGS:
      if (strcmp(spec->argument, "DIR") == 0) return VALUE_FOLDER;
      return strcmp(spec->argument, "FILE") == 0 ? VALUE_FILE : VALUE_TEXT;
    case OPTION_CONFIG:
      return VALUE_FILE;
    case OPTION_CHOICE:
      *words = spec->choices;
      return VALUE_WORDS;
    case OPTION_DEVICE:
      *words = devices;
      return VALUE_WORDS;
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_SHARE:
    case OPTION_WIDTHS:
      break;
  }
  return VALUE_TEXT;
}

void option_help_line(const struct option_spec *spec, char text[OPTION_HELP_MAX]) {
  snprintf(text, OPTION_HELP_MAX, "%s", spec->help + strspn(spec->help, "\n"));
  for (char *at = text; (at = strchr(at, '\n'));) *at = ' ';
}

void options_print(const struct option_spec *specs, FILE *stream) {
  for (; !spec_ends(specs); specs++) {
    if (specs->type == OPTION_HEADING) {
      fprintf(stream, "\n%s:\n", specs->help);
      continue;
    }
    char left[64];
    snprintf(left, sizeof left, "  --%s %s", specs->name, specs->argument ? specs->argument : "");
    const char *text = specs->help;
    /* The help has its own column, so each new line is indented to that column. */
    for (bool first_line = true; text; first_line = false) {
      const char *end = strchr(text, '\n');
      const int length = end ? (int)(end - text) : (int)strlen(text);
      fprintf(stream, "%-26s %.*s\n", first_line ? left : "", length, text);
      text = end ? end + 1 : NULL;
    }
  }
}
