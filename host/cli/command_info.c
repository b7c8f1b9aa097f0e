#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/card_group.h"
#include "cuda/cards.h"
#include "host/cli/commands.h"
#include "host/cli/human.h"
#include "host/cli/options.h"
#include "host/model/model.h"
#include "host/model/tokenizer.h"
#include "io/file.h"
#include "io/run/manifest.h"

struct info_arguments {
  bool devices;
};

// clang-format off
static const struct option_spec specs[] = {
    {.name = "devices", .type = OPTION_FLAG, .offset = offsetof(struct info_arguments, devices),
     .help = "list the CUDA cards of this machine, or why there is none"},
    {.type = OPTION_END},
};
// clang-format on

static const char *weights_dtype(const struct model *model) {
  return model->word_embedding->dtype_name;
}

static bool info_model(const char *folder, struct error *error) {
  struct model *model = model_open(folder, error);
  if (!model) return false;
  if (!model_check_finite(model, error)) {
    model_close(model);
    return false;
  }
  struct tokenizer *tokenizer = tokenizer_open(model->config.modules.transformer, error);
  const struct model_shape *shape = &model->config.shape;
  char count[32];
  human_count(model_parameters(model), count);
  printf("model       %s (%s), %s parameters in %s, %d file%s\n", model->config.name,
         family_name(model->config.family), count, weights_dtype(model), model->file_count,
         model->file_count == 1 ? "" : "s");
  printf("shape       %d layers, hidden %d, %d heads of %d, FFN %d\n", shape->layers, shape->hidden,
         shape->heads, shape->head_size, shape->ffn);
  printf("pooling     %s%s, rows normalised\n", pooling_name(shape->pooling),
         shape->pool_prompt ? "" : ", prompt left out");
  printf("input       up to %d tokens\n", shape->max_tokens);
  for (int32_t i = 0; i < model->config.prompt_count; i++)
    printf("prompt      %s: \"%s\"%s\n", model->config.prompt[i].name, model->config.prompt[i].text,
           model->config.default_prompt &&
                   strcmp(model->config.default_prompt, model->config.prompt[i].name) == 0
               ? " (default)"
               : "");
  if (tokenizer)
    printf("tokenizer   %s, %d pieces\n", tokenizer_source(tokenizer), tokenizer_pieces(tokenizer));
  const bool done = tokenizer != NULL;
  tokenizer_close(tokenizer);
  model_close(model);
  return done;
}

/* The part of a manifest that was printed last: it is named once. */
struct info_part {
  const char *last;
};

static void print_member(void *context, const char *part, const char *key, const char *value) {
  struct info_part *info = context;
  printf("%-11s %s: %s\n", info->last && strcmp(info->last, part) == 0 ? "" : part, key, value);
  info->last = part;
}

static void print_total(void *context, const char *key, const char *value) {
  print_member(context, "totals", key, value);
}

static bool info_output(const char *folder, const struct manifest *manifest) {
  struct info_part part = {0};
  printf("output      %s, %s%s\n", folder, manifest_state_name(manifest->state),
         manifest->finished ? "" : " (not finished: start the same command again, or see nina verify)");
  if (!run_identity_visit(&manifest->identity, print_member, &part)) return false;
  printf("shards      %d\n", manifest->shards.count);
  return !manifest->finished || fields_visit(&totals_fields, &manifest->totals, print_total, &part);
}

/* A folder with a manifest is an output; any other is tried as a model. */
static bool info(const char *folder, struct error *error) {
  if (!file_check_folder(folder, error)) return false;
  char *manifest_path = file_join(folder, MANIFEST_NAME);
  if (!manifest_path) return error_set_memory(error, strlen(folder), "a path");
  const bool is_output = access(manifest_path, F_OK) == 0;
  free(manifest_path);
  if (!is_output) return info_model(folder, error);
  struct manifest *manifest;
  if (!manifest_read(folder, &manifest, error)) return false;
  const bool ok = info_output(folder, manifest) || error_set_memory(error, strlen(folder), "a description");
  manifest_free(manifest);
  return ok;
}

static void info_devices(void) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  struct error why = {0};
  int32_t count;
  if (!cuda_cards_list(cards, &count, &why)) {
    printf("cuda        none: %s\n", why.message);
    return;
  }
  for (int32_t i = 0; i < count; i++) {
    char memory[32];
    human_bytes(cards[i].memory, memory);
    printf("cuda %-6d %s, compute capability %d.%d, %d multiprocessors, %s%s\n", cards[i].device,
           cards[i].name, cards[i].major, cards[i].minor, cards[i].multiprocessors, memory,
           cards[i].usable ? "" : "; too old for nina");
  }
  char version[32];
  printf("cublaslt    %s\n", cuda_products_library(version, &why) ? version : why.message);
  if (card_group_library(version, &why))
    printf("nccl        %s\n", version);
  else
    printf("nccl        none, so each rank of a job reads the weights for itself: %s\n", why.message);
}

static int info_command(int argc, char **argv) {
  struct error error = {0};
  struct info_arguments arguments = {0};
  int first;
  bool help;
  if (!options_parse("info", specs, argc, argv, &arguments, NULL, &first, &help, &error))
    return command_fail(&error);
  if (help) {
    command_help(&command_info);
    return EXIT_DONE;
  }
  if (arguments.devices && argc == first) {
    info_devices();
    return EXIT_DONE;
  }
  if (argc - first != 1 || arguments.devices) {
    error_set(&error, ERROR_USAGE, "name one folder: nina info DIR");
    return command_fail(&error);
  }
  return info(argv[first], &error) ? EXIT_DONE : command_fail(&error);
}

// clang-format off
const struct command command_info = {
    .name = "info",
    .summary = "describe a model folder or an output folder",
    .usage = "nina info DIR\n"
             "nina info --devices",
    .about = "Describes a model folder, an output folder of nina, or the machine's CUDA cards.",
    .options = specs,
    .operands = OPERANDS_FOLDERS,
    .run = info_command,
};
// clang-format on
