#include "host/model/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "host/model/tokenizer_shared.h"

/* Whose ids a folder's tokenizer gives: those of XLM-RoBERTa's class, or, of a class that says nothing, those
 * that tokenizer.json lists. */
enum class_kind { CLASS_XLM_ROBERTA, CLASS_GENERIC, CLASS_OTHER };

static enum class_kind class_kind(const char *name) {
  static const char *const generic[] = {"TokenizersBackend", "PreTrainedTokenizerFast",
                                        "PreTrainedTokenizer"};
  if (!name) return CLASS_GENERIC;
  if (!strcmp(name, "XLMRobertaTokenizer") || !strcmp(name, "XLMRobertaTokenizerFast"))
    return CLASS_XLM_ROBERTA;
  for (size_t i = 0; i < sizeof generic / sizeof *generic; i++)
    if (!strcmp(name, generic[i])) return CLASS_GENERIC;
  return CLASS_OTHER;
}

static bool added_tokens_check(const struct config_file *config, struct error *error) {
  const char *id;
  json_t *token;
  json_object_foreach((json_t *)config_member(config, "added_tokens_decoder"), id, token) {
    if (!json_is_true(json_object_get(token, "special")))
      return config_refuse(config, ERROR_UNSUPPORTED, "added_tokens_decoder", token, "special tokens only",
                           error);
  }
  return true;
}

static bool source_missing(const char *folder, enum class_kind kind, struct error *error) {
  const char *found = config_file_exists(folder, TOKENIZER_SPM)  ? TOKENIZER_SPM " alone"
                      : config_file_exists(folder, "vocab.txt")  ? "vocab.txt (WordPiece)"
                      : config_file_exists(folder, "merges.txt") ? "merges.txt (BPE)"
                      : config_file_exists(folder, "vocab.json") ? "vocab.json (BPE)"
                                                                 : "no tokenizer";
  if (kind == CLASS_GENERIC && config_file_exists(folder, TOKENIZER_SPM))
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: found " TOKENIZER_SPM
                     ", but tokenizer_config.json names no class that says which ids it gives; "
                     "expected \"tokenizer_class\": \"XLMRobertaTokenizer\", or " TOKENIZER_JSON,
                     folder);
  return error_set(error, ERROR_UNSUPPORTED,
                   "%s: found %s; expected XLM-RoBERTa's tokenizer: " TOKENIZER_SPM ", or a " TOKENIZER_JSON
                   " of type Unigram (scripts/convert-model changes weights, not the tokenizer that a model "
                   "was trained with)",
                   folder, found);
}

static bool source_read(const char *folder, struct tokenizer_source *source, const char **name,
                        struct error *error) {
  struct config_file config;
  const char *class = NULL;
  if (!config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &config, error)) return false;
  bool done = config_string(&config, "tokenizer_class", &class, error) && added_tokens_check(&config, error);
  const enum class_kind kind = class_kind(class);
  if (done && kind == CLASS_OTHER)
    done = config_refuse(
        &config, ERROR_UNSUPPORTED, "tokenizer_class", config_member(&config, "tokenizer_class"),
        "\"XLMRobertaTokenizer\" (scripts/convert-model changes weights, not the tokenizer that a model "
        "was trained with)",
        error);
  config_file_free(&config);
  if (!done) return false;
  if (kind == CLASS_XLM_ROBERTA && config_file_exists(folder, TOKENIZER_SPM)) {
    *name = TOKENIZER_SPM;
    return tokenizer_spm_read(folder, source, error);
  }
  *name = TOKENIZER_JSON;
  return config_file_exists(folder, TOKENIZER_JSON) ? tokenizer_json_read(folder, source, error)
                                                    : source_missing(folder, kind, error);
}

static bool tokenizer_read(const char *folder, struct tokenizer *tokenizer, struct error *error) {
  struct tokenizer_source *source = &tokenizer->source;
  if (!source_read(folder, source, &tokenizer->file, error)) return false;
  if (!charsmap_open(source->charsmap, source->charsmap_size, &tokenizer->map, error))
    return error_prefix(error, "%s/%s", folder, tokenizer->file);
  border_set_fill(&tokenizer->borders, &tokenizer->map);
  return true;
}

struct tokenizer *tokenizer_open(const char *folder, struct error *error) {
  struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
  if (!tokenizer) error_set_memory(error, sizeof *tokenizer, "the tokenizer");
  if (tokenizer && !tokenizer_read(folder, tokenizer, error)) {
    tokenizer_close(tokenizer);
    tokenizer = NULL;
  }
  return tokenizer;
}

void tokenizer_close(struct tokenizer *tokenizer) {
  if (!tokenizer) return;
  tokenizer_source_free(&tokenizer->source);
  free(tokenizer);
}

void tokenizer_source_free(struct tokenizer_source *source) {
  unigram_close(source->pieces);
  free(source->charsmap);
  *source = (struct tokenizer_source){0};
}

void tokenizer_hash(const struct tokenizer *tokenizer, char hash[33]) {
  const XXH128_hash_t digest = tokenizer->source.digest;
  snprintf(hash, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)digest.high64, (uint64_t)digest.low64);
}

int32_t tokenizer_pieces(const struct tokenizer *tokenizer) {
  return tokenizer->source.count;
}

const char *tokenizer_source(const struct tokenizer *tokenizer) {
  return tokenizer->file;
}
