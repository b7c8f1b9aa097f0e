#include "host/model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/added_tokens_read.h"
#include "host/model/config_file.h"
#include "host/model/library_encode.h"
#include "host/model/tokenizer_kind.h"
#include "io/hash_text.h"
#include "io/look.h"

#define EXPECTED                                                                                      \
  "XLM-RoBERTa's tokenizer (" TOKENIZER_SPM "), RoBERTa's (" TOKENIZER_VOCAB " and " TOKENIZER_MERGES \
  "), BERT's (" TOKENIZER_VOCAB_TXT "), or a " TOKENIZER_JSON " of type Unigram, BPE or WordPiece"
#define NO_CONVERSION \
  " (scripts/convert-model changes weights, not the tokenizer that a model was trained with)"

/* Which vocabularies a folder holds. */
struct vocabularies {
  bool json, spm, vocab_txt, vocab, merges;
};

static bool vocabularies_look(const char *folder, struct vocabularies *there, struct error *error) {
  return look_in(folder, TOKENIZER_JSON, &there->json, error) &&
         look_in(folder, TOKENIZER_SPM, &there->spm, error) &&
         look_in(folder, TOKENIZER_VOCAB_TXT, &there->vocab_txt, error) &&
         look_in(folder, TOKENIZER_VOCAB, &there->vocab, error) &&
         look_in(folder, TOKENIZER_MERGES, &there->merges, error);
}

static bool source_missing(const struct added_files *files, const struct vocabularies *there,
                           struct error *error) {
  const char *found = there->spm         ? TOKENIZER_SPM " alone"
                      : there->vocab_txt ? TOKENIZER_VOCAB_TXT " alone"
                      : there->merges    ? TOKENIZER_MERGES " (BPE)"
                      : there->vocab     ? TOKENIZER_VOCAB " (BPE)"
                                         : "no tokenizer";
  const char *folder = files->folder;
  const bool unnamed =
      files->class == CLASS_UNNAMED || files->class == CLASS_GENERIC || files->class_is_family;
  if (unnamed && (there->spm || there->vocab_txt))
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: found %s, but tokenizer_config.json names no class that says which ids it gives; "
                     "expected \"tokenizer_class\": \"%s\", or " TOKENIZER_JSON,
                     folder, there->spm ? TOKENIZER_SPM : TOKENIZER_VOCAB_TXT,
                     there->spm ? "XLMRobertaTokenizer" : "BertTokenizer");
  return error_set(error, ERROR_UNSUPPORTED, "%s: found %s; expected " EXPECTED NO_CONVERSION, folder, found);
}

/* transformers takes the newest file of such a list that it can read. */
static bool versions_check(const struct added_files *files, struct error *error) {
  const json_t *names = config_member(&files->config, "fast_tokenizer_files");
  for (size_t i = 0; i < json_array_size(names); i++) {
    const char *name = json_string_value(json_array_get(names, i));
    if (!name || strcmp(name, TOKENIZER_JSON) != 0)
      return config_refuse(&files->config, ERROR_UNSUPPORTED, "fast_tokenizer_files", names,
                           "[\"" TOKENIZER_JSON "\"] alone, the file that nina reads", error);
  }
  return true;
}

/* If tokenizer.json exists, it counts, as in transformers. A vocab.txt without a class is BERT's: no other
 * family that is supported has one. */
static bool pieces_read(struct added_files *files, struct tokenizer_source *source, const char **name,
                        struct error *error) {
  const char *folder = files->folder;
  struct special_names names;
  struct vocabularies there;
  *name = TOKENIZER_JSON;
  if (!vocabularies_look(folder, &there, error)) return false;
  if (there.json) return versions_check(files, error) && tokenizer_json_read(files, source, error);
  if ((files->class == CLASS_ROBERTA || files->class == CLASS_UNNAMED) && there.vocab && there.merges) {
    files->class = CLASS_ROBERTA;
    *name = TOKENIZER_VOCAB;
    return tokenizer_merges_read(files, source, error);
  }
  *name = TOKENIZER_SPM;
  if (files->class == CLASS_XLM_ROBERTA && there.spm)
    return special_names_read(files, &names, error) && tokenizer_spm_read(folder, &names, source, error);
  *name = TOKENIZER_VOCAB_TXT;
  if (files->class == CLASS_UNNAMED && !there.spm && there.vocab_txt) files->class = CLASS_BERT;
  if (files->class == CLASS_BERT && there.vocab_txt) return tokenizer_vocab_read(files, source, error);
  return source_missing(files, &there, error);
}

/* The class that a file names; *class stays as it is if the file names none. */
static bool class_named(const struct config_file *file, enum tokenizer_class *class, struct error *error) {
  const char *name = NULL;
  if (!config_string(file, "tokenizer_class", &name, error)) return false;
  if (name) *class = tokenizer_class_parse(name);
  return *class != CLASS_OTHER ||
         config_refuse(file, ERROR_UNSUPPORTED, "tokenizer_class", config_member(file, "tokenizer_class"),
                       "\"XLMRobertaTokenizer\", \"RobertaTokenizer\" or \"BertTokenizer\"" NO_CONVERSION,
                       error);
}

/* transformers' order: the class in tokenizer_config.json, the class in config.json, the class of the model's
 * family. A folder that holds only a tokenizer may have none of them. */
static bool class_read(struct added_files *files, const struct config_file *model, struct error *error) {
  const char *type = json_string_value(config_member(model, "model_type"));
  enum family family;
  files->class = CLASS_UNNAMED;
  if (!class_named(&files->config, &files->class, error) ||
      (files->class == CLASS_UNNAMED && !class_named(model, &files->class, error)))
    return false;
  if (files->class == CLASS_UNNAMED && type && family_parse(type, &family)) {
    files->class = tokenizer_class_of_family(family);
    files->class_is_family = true;
  }
  return true;
}

/* What config.json says of the tokenizer. */
static bool model_read(struct added_files *files, struct error *error) {
  struct config_file model;
  if (!config_file_read(files->folder, "config.json", CONFIG_OPTIONAL, &model, error)) return false;
  const bool done = class_read(files, &model, error) &&
                    config_integer(&model, "vocab_size", 1, INT32_MAX, &files->rows, error);
  config_file_free(&model);
  return done;
}

/* XLM-RoBERTa's class puts a mark before words as add_prefix_space says, whatever tokenizer.json says; its
 * null is false. */
static bool word_marks_check(const struct added_files *files, struct error *error) {
  const json_t *prefix = json_object_get(files->config.root, "add_prefix_space");
  return files->class != CLASS_XLM_ROBERTA || !prefix || json_is_true(prefix) ||
         config_refuse(&files->config, ERROR_UNSUPPORTED, "add_prefix_space", prefix,
                       "true: a mark before every word, as XLM-RoBERTa's tokenizer has it", error);
}

static bool source_read(const char *folder, struct tokenizer_source *source, const char **name,
                        struct error *error) {
  struct added_files files;
  if (!added_files_read(folder, &files, error)) return false;
  const bool done = model_read(&files, error) && pieces_read(&files, source, name, error) &&
                    word_marks_check(&files, error) && added_tokens_read(&files, source, error);
  added_files_free(&files);
  return done;
}

/* Puts the form of a token that is found in a normalised word. */
static bool normalised_put(struct tokenizer *tokenizer, const struct added_token *token,
                           struct error *error) {
  const struct tokenizer_kind *kind = tokenizer->source.kind;
  struct word_text form = {0};
  bool one_word;
  if (!kind->token_form)
    return added_set_put(&tokenizer->normalised, token, token->content, token->length, error);
  bool done =
      !tokenizer->source.marks_stay ||
      error_set(error, ERROR_UNSUPPORTED,
                "the added token \"%s\" is normalized, and " TOKENIZER_JSON
                " makes pieces of the spaces beside it; expected a token with \"normalized\": false, or "
                "Metaspace after WhitespaceSplit and no Replace by \"" WORD_MARK "\"",
                token->content);
  done = done && kind->token_form(tokenizer, token->content, token->length, &form, &one_word, error);
  if (done && !one_word)
    done = error_set(error, ERROR_UNSUPPORTED,
                     "the added token \"%s\" is normalized and not one word when the normaliser has read it; "
                     "expected one word, or a token with \"normalized\": false",
                     token->content);
  done = done && added_set_put(&tokenizer->normalised, token, form.bytes, form.length, error);
  word_text_free(&form);
  return done;
}

static bool added_sets_fill(struct tokenizer *tokenizer, struct error *error) {
  struct tokenizer_source *source = &tokenizer->source;
  const struct added_token *first, *second;
  bool done = true;
  for (size_t i = 0; done && i < source->added.count; i++) {
    const struct added_token *token = &source->added.token[i];
    done = token->normalized ? normalised_put(tokenizer, token, error)
                             : added_set_put(&tokenizer->raw, token, token->content, token->length, error);
  }
  tokenizer->raw.keeps_special = tokenizer->normalised.keeps_special = source->keeps_special;
  if (done && (!added_set_sort(&tokenizer->raw, &first, &second) ||
               !added_set_sort(&tokenizer->normalised, &first, &second)))
    done = error_set(error, ERROR_UNSUPPORTED,
                     "the added tokens \"%s\" and \"%s\" are the same when the normaliser has read them",
                     first->content, second->content);
  return done;
}

static bool tokenizer_read(const char *folder, struct tokenizer *tokenizer, struct error *error) {
  struct tokenizer_source *source = &tokenizer->source;
  if (!source_read(folder, source, &tokenizer->file, error)) return false;
  if (!source->kind->prepare(tokenizer, error)) return error_prefix(error, "%s/%s", folder, tokenizer->file);
  return added_sets_fill(tokenizer, error) || error_prefix(error, "%s", folder);
}

struct tokenizer *tokenizer_open_engine(const char *folder, enum tokenizer_engine engine,
                                        struct error *error) {
  struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
  if (!tokenizer) {
    error_set_memory(error, sizeof *tokenizer, "the tokenizer");
    return NULL;
  }
  if (tokenizer_read(folder, tokenizer, error) &&
      (engine == TOKENIZER_AUTO || library_open(folder, tokenizer, error)))
    return tokenizer;
  tokenizer_close(tokenizer);
  return NULL;
}

struct tokenizer *tokenizer_open(const char *folder, struct error *error) {
  return tokenizer_open_engine(folder, TOKENIZER_AUTO, error);
}

void tokenizer_close(struct tokenizer *tokenizer) {
  if (!tokenizer) return;
  piece_library_close(tokenizer->library);
  added_set_free(&tokenizer->raw);
  added_set_free(&tokenizer->normalised);
  tokenizer_source_free(&tokenizer->source);
  free(tokenizer);
}

void tokenizer_source_free(struct tokenizer_source *source) {
  if (source->kind) source->kind->free(source);
  added_tokens_free(&source->added);
  *source = (struct tokenizer_source){0};
}

void tokenizer_hash(const struct tokenizer *tokenizer, char hash[33]) {
  hash_text(tokenizer->source.digest, hash);
}

int32_t tokenizer_pieces(const struct tokenizer *tokenizer) {
  return tokenizer->source.count;
}

bool tokenizer_lacks_pieces(const struct tokenizer *tokenizer, int32_t rows) {
  return tokenizer_pieces(tokenizer) < rows - rows / 8;
}

const char *tokenizer_kind_name(const struct tokenizer *tokenizer) {
  return tokenizer->source.kind->name;
}

const char *tokenizer_source_name(const struct tokenizer *tokenizer) {
  return tokenizer->file;
}

enum tokenizer_engine tokenizer_engine_of(const struct tokenizer *tokenizer) {
  return tokenizer->library ? TOKENIZER_SENTENCEPIECE : TOKENIZER_AUTO;
}

const char *tokenizer_engine_name(enum tokenizer_engine engine) {
  switch (engine) {
    case TOKENIZER_AUTO:
      return "auto";
    case TOKENIZER_SENTENCEPIECE:
      return "sentencepiece";
  }
  return "";
}
