#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/commands.h"
#include "host/cli/info.h"
#include "host/cli/options.h"
#include "host/job/eval_files.h"
#include "io/file.h"
#include "io/json_parse.h"
#include "io/look.h"
#include "io/run/manifest.h"

struct info_arguments {
  bool devices, json;
  enum tokenizer_engine tokenizer;
};

// clang-format off
static const struct option_spec specs[] = {
    {.name = "devices", .type = OPTION_FLAG, .offset = offsetof(struct info_arguments, devices),
     .help = "list the CUDA cards of this machine, or why there is none"},
    {.name = "json", .type = OPTION_FLAG, .offset = offsetof(struct info_arguments, json),
     .help = "one JSON value for programs"},
    {.name = "tokenizer", .type = OPTION_CHOICE, .offset = offsetof(struct info_arguments, tokenizer),
     .argument = "NAME", .choices = option_tokenizers, .help = "of a model, with this engine:\n" OPTION_TOKENIZER_HELP},
    {.type = OPTION_END},
};
// clang-format on

/* A folder with a manifest is an output; anything else is read as a model. */
static bool info(const char *place, const struct info_arguments *arguments, struct error *error) {
  char *manifest_path = file_join(place, MANIFEST_NAME);
  if (!manifest_path) return error_set_memory(error, strlen(place), "a path");
  struct look look;
  const bool looked = look_at(manifest_path, &look, error);
  free(manifest_path);
  if (!looked) return false;
  if (look.kind == LOOK_NOTHING && !eval_files_check(place, error)) return false;
  if (look.kind == LOOK_NOTHING) return info_model(place, arguments->tokenizer, arguments->json, error);
  if (arguments->tokenizer != TOKENIZER_AUTO)
    return error_set(error, ERROR_USAGE, "--tokenizer is for models, and %s is the output of a run", place);
  return info_output(place, arguments->json, error);
}

static int info_command(int argc, char **argv) {
  struct error error = {0};
  struct info_arguments arguments = {0};
  json_memory_failed(); /* forgets earlier failures; info_print_json() asks again */
  int first;
  bool help;
  if (!options_parse("info", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_info);
    return EXIT_DONE;
  }
  if (arguments.devices && argc == first)
    return info_devices(arguments.json, &error) ? EXIT_DONE : command_fail(&error);
  if (argc - first != 1 || arguments.devices) {
    error_set(&error, ERROR_USAGE,
              arguments.devices ? "--devices is about this machine: it takes no folder"
                                : "name one folder: nina info DIR");
    return command_fail(&error);
  }
  return info(argv[first], &arguments, &error) ? EXIT_DONE : command_fail(&error);
}

// clang-format off
const struct command command_info = {
    .name = "info",
    .summary = "describe a model folder or an output folder",
    .usage = "nina info [--json] [--tokenizer NAME] DIR\n"
             "nina info [--json] --devices",
    .about = "Describes a model (its folder, or org/name in the Hugging Face cache), an output folder of nina, or the\n"
             "machine's CUDA cards. Of a model: its size, pooling, Dense modules, input, widths, similarity, prompts,\n"
             "tokenizer and identity.",
    .options = specs,
    .exits = "0 done, also if there is no card; 1 failed; 2 wrong usage, or no such folder",
    .operands = OPERANDS_FOLDERS,
    .run = info_command,
};
// clang-format on
