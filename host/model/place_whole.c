#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "host/model/modules.h"
#include "host/model/place.h"
#include "io/file.h"
#include "io/folder.h"
#include "io/look.h"

#define MISSING_NAMED 4 /* in an error sentence */
#define HALF_WRITTEN ".incomplete"

/* What a snapshot lacks. */
struct lack {
  const char *below; /* the module's folder below the snapshot; "" for the snapshot itself */
  char names[400];   /* the first MISSING_NAMED, with commas */
  int32_t count;
  bool unfinished; /* a blob is half written */
};

/* A module of the snapshot. */
struct place_module {
  char *folder;
  struct lack *lack;
};

static void lack_add(struct lack *lack, const char *name) {
  const size_t used = strlen(lack->names);
  if (lack->count++ < MISSING_NAMED)
    snprintf(lack->names + used, sizeof lack->names - used, "%s%s%s%s", used ? ", " : "", lack->below,
             *lack->below ? "/" : "", name);
}

/* A link that leads nowhere: its blob was removed. */
static bool link_visit(void *context, const char *name, struct error *error) {
  struct place_module *module = context;
  bool there;
  if (!look_in(module->folder, name, &there, error)) return false;
  if (!there) lack_add(module->lack, name);
  return true;
}

/* A link that leads nowhere counts: it has been named already. */
static bool entry_look(const char *folder, const char *name, bool *there, struct error *error) {
  struct look look;
  char *path = file_join(folder, name);
  const bool ok = path ? look_at_link(path, &look, error) : error_set_memory(error, PATH_MAX, "a path");
  *there = ok && look.kind != LOOK_NOTHING;
  free(path);
  return ok;
}

/* Wants one of the names, up to NULL. */
static bool one_is_needed(const struct place_module *module, const char *const *names, struct error *error) {
  bool there = false;
  for (const char *const *name = names; *name && !there; name++)
    if (!entry_look(module->folder, *name, &there, error)) return false;
  if (!there) lack_add(module->lack, names[0]);
  return true;
}

static bool shards_are_needed(const struct place_module *module, struct error *error) {
  struct config_file index;
  const char *tensor, *last = "";
  json_t *file;
  bool done = true;
  if (!config_file_read(module->folder, "model.safetensors.index.json", CONFIG_OPTIONAL, &index, error))
    return false;
  json_object_foreach((json_t *)(uintptr_t)config_member(&index, "weight_map"), tensor, file) {
    const char *name = json_string_value(file);
    bool there;
    if (!name || !strcmp(name, last)) continue;
    done = entry_look(module->folder, name, &there, error);
    if (!done) break;
    if (!there && !strstr(module->lack->names, name)) lack_add(module->lack, name);
    last = name;
  }
  config_file_free(&index);
  return done;
}

static bool transformer_is_needed(const struct place_module *module, struct error *error) {
  static const char *const config[] = {"config.json", NULL};
  static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json", NULL};
  static const char *const tokenizer[] = {"tokenizer.json",          "vocab.txt",    "vocab.json",
                                          "sentencepiece.bpe.model", "spiece.model", NULL};
  return one_is_needed(module, config, error) && one_is_needed(module, weights, error) &&
         one_is_needed(module, tokenizer, error) && shards_are_needed(module, error);
}

/* `below` is "" or the name of the module's folder. */
static bool module_check(const char *folder, const char *below, const char *kind, struct lack *lack,
                         struct error *error) {
  static const char *const config[] = {"config.json", NULL};
  struct place_module module = {.folder = file_join(folder, below), .lack = lack};
  if (!module.folder) return error_set_memory(error, strlen(folder) + strlen(below) + 2, "a path");
  lack->below = below;
  bool done = folder_visit(module.folder, link_visit, &module, error);
  if (done && !strcmp(kind, "Transformer"))
    done = transformer_is_needed(&module, error);
  else if (done && *below && strcmp(kind, "Normalize") != 0)
    done = one_is_needed(&module, config, error);
  lack->below = "";
  free(module.folder);
  return done;
}

/* Without modules.json the snapshot may be a bare transformers model, which says so when it is read. */
static bool modules_check_whole(const char *folder, struct lack *lack, struct error *error) {
  struct config_file file;
  size_t index;
  json_t *module;
  bool there;
  if (!look_in(folder, "modules.json", &there, error)) return false;
  if (!there) {
    if (lack->unfinished) lack_add(lack, "modules.json");
    return module_check(folder, "", "Transformer", lack, error);
  }
  if (!config_list_read(folder, "modules.json", CONFIG_REQUIRED, &file, error)) return false;
  bool done = true;
  json_array_foreach(file.root, index, module) {
    const char *below = json_string_value(json_object_get(module, "path"));
    const char *type = json_string_value(json_object_get(module, "type"));
    if (!done || !type || !below || (*below && !config_name_is_plain(below))) continue;
    done = module_check(folder, below, module_class(type), lack, error);
  }
  config_file_free(&file);
  return done;
}

/* A half-written blob bears the name that the whole one will have, and words after a dot. It stays behind if
 * a later download made the whole one. */
static bool blob_visit(void *context, const char *name, struct error *error) {
  struct place_module *blobs = context;
  const size_t length = strlen(name), stem = strcspn(name, ".");
  if (length < strlen(HALF_WRITTEN) || strcmp(name + length - strlen(HALF_WRITTEN), HALF_WRITTEN) != 0)
    return true;
  char whole[NAME_MAX + 1];
  snprintf(whole, sizeof whole, "%.*s", (int)stem, name);
  bool there;
  if (!look_in(blobs->folder, whole, &there, error)) return false;
  if (!there) blobs->lack->unfinished = true;
  return true;
}

static bool blobs_check(const char *snapshot, struct lack *lack, struct error *error) {
  struct place_module blobs = {.folder = file_join(snapshot, "../../blobs"), .lack = lack};
  if (!blobs.folder) return error_set_memory(error, strlen(snapshot) + 12, "a path");
  const bool done = folder_visit(blobs.folder, blob_visit, &blobs, error);
  free(blobs.folder);
  return done;
}

static bool snapshot_check(const char *snapshot, const char *repository, struct error *error) {
  struct lack lack = {.below = ""};
  char words[480] = "";
  if (!blobs_check(snapshot, &lack, error) || !modules_check_whole(snapshot, &lack, error)) return false;
  if (!lack.count && !lack.unfinished) return true;
  if (lack.count)
    snprintf(words, sizeof words, "%s%s %s missing%s", lack.names, lack.count > MISSING_NAMED ? ", …" : "",
             lack.count > 1 ? "are" : "is", lack.unfinished ? ", and " : "");
  return error_set(
      error, ERROR_INPUT,
      "%s: the snapshot %s is not whole: %s%s; this command completes it: hf download %s --revision %s",
      repository, snapshot, words, lack.unfinished ? "a download has not ended" : "", repository,
      strrchr(snapshot, '/') + 1);
}

bool place_check_whole(const char *folder, struct error *error) {
  char *repository, *real;
  if (!place_repository(folder, &repository, error)) return false;
  if (!repository) return true;
  real = realpath(folder, NULL);
  const bool done =
      real ? snapshot_check(real, repository, error) : error_set_errno(error, "cannot look at %s", folder);
  free(real);
  free(repository);
  return done;
}
