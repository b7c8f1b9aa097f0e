#include "host/cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/ini_file.h"
#include "host/cli/option_value.h"

#define OPTIONS_MAX 64
#define OPTIONS_BASE 1000 /* getopt's val for spec i is OPTIONS_BASE + i, larger than any character */

const char *const option_precisions[] = {"auto", "fp32", "bf16", "fp16", "int8", NULL};

const char *const option_tokenizers[] = {"auto", "sentencepiece", NULL}; /* as enum tokenizer_engine */

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

/* From here on the values are another file's, or the command line's. */
static void lists_end_file(const struct option_spec *specs, void *target) {
  for (; !spec_ends(specs); specs++)
    if (specs->type == OPTION_STRINGS)
      ((struct option_list *)(void *)((char *)target + specs->offset))->inherited = true;
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
    if (configuration) lists_end_file(specs, target);
    if (!option_store(spec, optarg, target, error) ||
        (configuration && !options_read_ini(command, specs, optarg, target, kept, error)))
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

const char *options_typed(const struct option_spec *specs, int argc, char **argv, const char *const *names) {
  struct option table[OPTIONS_MAX + 2];
  getopt_table(specs, table);
  opterr = 0;
  optind = 0; /* restart getopt */
  int found;
  while ((found = getopt_long(argc, argv, ":h", table, NULL)) != -1)
    for (int i = 0; found >= OPTIONS_BASE && names[i]; i++)
      if (strcmp(names[i], specs[found - OPTIONS_BASE].name) == 0) return names[i];
  return NULL;
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
