#include "host/cli/option_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/device.h"

static const char *const devices[] = {"auto", "cpu", "cuda", "null", NULL}; /* as enum device */

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

/* No file has an empty name: it comes from a variable of the shell that is not set. */
static bool check_path(const struct option_spec *spec, const char *value, struct error *error) {
  const bool path = strncmp(spec->argument, "DIR", 3) == 0 || strncmp(spec->argument, "FILE", 4) == 0;
  return *value || !path ||
         error_set(error, ERROR_USAGE, "%s: the value is empty; expected %s", spec->name, spec->argument);
}

bool option_store(const struct option_spec *spec, const char *value, void *target, struct error *error) {
  char *field = (char *)target + spec->offset;
  int64_t number;
  switch (spec->type) {
    case OPTION_FLAG:
      return parse_flag(spec, value, (bool *)field, error);
    case OPTION_STRING:
      *(const char **)field = value;
      return check_path(spec, value, error);
    case OPTION_STRINGS:
      return check_path(spec, value, error) &&
             list_add(spec, value, (struct option_list *)(void *)field, error);
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
      return check_path(spec, value, error);
    case OPTION_HEADING:
    case OPTION_END:
      break;
  }
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
