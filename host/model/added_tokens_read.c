/* The added tokens of a folder, found in the same way as in transformers 5 (tokenization_utils_base.py,
 * _from_pretrained; tokenization_utils_tokenizers.py, __init__):
 *
 * - First come the tokens in a list. A class of its own takes added_tokens_decoder in
 *   tokenizer_config.json; only if this is missing, it takes added_tokens.json and then added_tokens in
 *   tokenizer.json. Other classes take tokenizer.json's tokens first, then change and complete them with the
 *   tokens of this list.
 * - Then come, unless they are there already, bos_token and its like, the model's own "…_token", and
 *   extra_special_tokens (in older files additional_special_tokens). If tokenizer_config.json has no
 *   added_tokens_decoder, special_tokens_map.json is read as if it were part of tokenizer_config.json. */
#include "host/model/added_tokens_read.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/tokenizer_kind.h"

#define DECODER "added_tokens_decoder"

/* The cast to int32_t comes after the bounds: of a number beyond them it is undefined. */
static bool id_is_plausible(double id) {
  return id >= 0 && id < TOKENIZER_PIECES_MAX && id == (double)(int32_t)id;
}

bool token_id_read(const json_t *value, int32_t *id) {
  if (!json_is_number(value) || !id_is_plausible(json_number_value(value))) return false;
  *id = (int32_t)json_number_value(value);
  return true;
}

void added_files_free(struct added_files *files) {
  config_file_free(&files->config);
  config_file_free(&files->special);
  config_file_free(&files->legacy);
}

bool added_files_read(const char *folder, struct added_files *files, struct error *error) {
  *files = (struct added_files){.folder = folder, .class = CLASS_GENERIC, .rows = INT32_MAX};
  const bool done =
      config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &files->config, error) &&
      (config_member(&files->config, DECODER) ||
       (config_file_read(folder, "special_tokens_map.json", CONFIG_OPTIONAL, &files->special, error) &&
        config_file_read(folder, "added_tokens.json", CONFIG_OPTIONAL, &files->legacy, error)));
  if (!done) added_files_free(files);
  return done;
}

/* A member of special_tokens_map.json or else of tokenizer_config.json, and its file. */
static const json_t *setting(const struct added_files *files, const char *key,
                             const struct config_file **file) {
  const json_t *value = config_member(&files->special, key);
  *file = value ? &files->special : &files->config;
  return value ? value : config_member(&files->config, key);
}

bool added_tokens_name_pad(const struct added_files *files) {
  const struct config_file *file;
  return setting(files, special_token_key(SPECIAL_PAD), &file) != NULL;
}

static bool flag_read(const json_t *object, const char *key, bool otherwise, bool *flag) {
  const json_t *value = json_object_get(object, key);
  *flag = value && !json_is_null(value) ? json_is_true(value) : otherwise;
  return !value || json_is_null(value) || json_is_boolean(value);
}

bool added_token_read(const struct config_file *file, const char *key, const json_t *value, bool special,
                      struct added_token *token, struct error *error) {
  const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
  *token = (struct added_token){.id = -1};
  const bool whole = json_is_string(content) && flag_read(value, "special", special, &token->special) &&
                     flag_read(value, "single_word", false, &token->single_word) &&
                     flag_read(value, "lstrip", false, &token->lstrip) &&
                     flag_read(value, "rstrip", false, &token->rstrip) &&
                     flag_read(value, "normalized", !token->special, &token->normalized);
  if (!whole)
    return config_refuse(file, ERROR_INPUT, key, value, "a token: its text, or its settings", error);
  token->content = (char *)json_string_value(content);
  token->length = json_string_length(content);
  return true;
}

bool special_names_read(const struct added_files *files, struct special_names *names, struct error *error) {
  for (enum special_token i = 0; i < SPECIAL_TOKENS; i++) {
    const char *key = special_token_key(i);
    const struct config_file *file;
    struct added_token token;
    const json_t *value = setting(files, key, &file);
    if (value && !added_token_read(file, key, value, true, &token, error)) return false;
    names->name[i] = value ? token.content : tokenizer_class_token(files->class, i);
  }
  return true;
}

static int32_t piece_find(const struct tokenizer_source *source, const char *piece, size_t length) {
  return source->kind->find(source, piece, length);
}

static bool special_find(const struct added_files *files, const struct tokenizer_source *source,
                         const struct special_names *names, enum special_token token, int32_t *id,
                         struct error *error) {
  const char *name = names->name[token];
  *id = piece_find(source, name, strlen(name));
  return *id >= 0 || error_set(error, ERROR_UNSUPPORTED,
                               "%s: the %s \"%s\" is not in the vocabulary; expected one of its pieces",
                               files->folder, special_token_key(token), name);
}

bool special_around(const struct added_files *files, struct tokenizer_source *source, struct error *error) {
  struct special_names names;
  return special_names_read(files, &names, error) &&
         special_find(files, source, &names, SPECIAL_CLS, &source->first, error) &&
         special_find(files, source, &names, SPECIAL_SEPARATOR, &source->last, error);
}

static int id_compare(const void *a, const void *b) {
  const struct added_token *one = a, *other = b;
  return (one->id > other->id) - (one->id < other->id);
}

static bool decoder_read(const struct added_files *files, struct added_tokens *tokens, struct error *error) {
  const json_t *decoder = config_member(&files->config, DECODER);
  const char *id;
  json_t *value;
  json_object_foreach((json_t *)decoder, id, value) {
    struct added_token token;
    char *end;
    if (!added_token_read(&files->config, DECODER, value, false, &token, error)) return false;
    const double number = strtod(id, &end);
    if (*end || end == id || !id_is_plausible(number))
      return config_refuse(&files->config, ERROR_INPUT, DECODER, decoder, "tokens by their ids", error);
    token.id = (int32_t)number;
    if (!added_tokens_put(tokens, &token, error)) return false;
  }
  return true;
}

/* The named and the extra tokens beside those of a list. If one of them is there twice, the later settings
 * count; a token of the list keeps its own. */
struct specials {
  struct added_tokens *tokens;
  size_t listed; /* the first ones, which are a list's */
  bool named;    /* of the seven names that every class knows */
};

static bool special_add(const struct specials *specials, const struct added_token *token,
                        struct error *error) {
  const struct added_token *known = added_tokens_find(specials->tokens, token->content, token->length);
  const bool listed = known && (size_t)(known - specials->tokens->token) < specials->listed;
  return listed || added_tokens_put(specials->tokens, token, error);
}

static bool special_put(const struct specials *specials, const struct config_file *file, const char *key,
                        const json_t *value, struct error *error) {
  struct added_token token;
  if (!added_token_read(file, key, value, true, &token, error)) return false;
  token.special = true;
  token.named = specials->named;
  return special_add(specials, &token, error);
}

static bool is_own_token(const char *key, const json_t *value) {
  static const char ending[] = "_token";
  const size_t length = strlen(key), tail = sizeof ending - 1;
  if (length <= tail || strcmp(key + length - tail, ending) != 0) return false;
  for (enum special_token i = 0; i < SPECIAL_TOKENS; i++)
    if (!strcmp(key, special_token_key(i))) return false;
  return json_is_string(value) || json_is_string(json_object_get(value, "content"));
}

/* True if the class is to have no such token: null, where a name would stand. */
static bool is_taken_away(const struct added_files *files, const char *key) {
  const json_t *value = json_object_get(files->special.root, key);
  return json_is_null(value ? value : json_object_get(files->config.root, key));
}

/* The class's own names need no setting. */
static bool named_put(const struct added_files *files, const struct specials *specials, struct error *error) {
  for (enum special_token i = 0; i < SPECIAL_TOKENS; i++) {
    const char *key = special_token_key(i), *own = tokenizer_class_token(files->class, i);
    const struct config_file *file;
    const json_t *value = setting(files, key, &file);
    if (value && !special_put(specials, file, key, value, error)) return false;
    if (value || !own || is_taken_away(files, key)) continue;
    const struct added_token token = {
        .content = (char *)own, .length = strlen(own), .id = -1, .special = true, .named = true};
    if (!special_add(specials, &token, error)) return false;
  }
  return true;
}

/* Puts a list of tokens, or an object of tokens by their names; `more` may be NULL. */
static bool more_put(const struct specials *specials, const struct config_file *file, const char *key,
                     const json_t *more, struct error *error) {
  const char *name;
  json_t *value;
  size_t index;
  json_array_foreach(more, index, value) {
    if (!special_put(specials, file, key, value, error)) return false;
  }
  json_object_foreach((json_t *)more, name, value) {
    if (!special_put(specials, file, key, value, error)) return false;
  }
  return true;
}

static bool is_empty(const json_t *more) {
  return !json_array_size(more) && !json_object_size(more);
}

/* Puts tokenizer_config.json's extra tokens, then those of special_tokens_map.json. Older versions called
 * them additional; beside the new name this one counts only if no list has come before. */
static bool extras_put(const struct added_files *files, const struct specials *specials,
                       struct error *error) {
  static const char extra[] = "extra_special_tokens", additional[] = "additional_special_tokens";
  const struct config_file *config = &files->config, *special = &files->special;
  const char *key = is_empty(config_member(config, extra)) ? additional : extra;
  const json_t *own = config_member(config, key), *map = config_member(special, extra);
  const bool listed = !json_is_object(own) &&
                      (json_object_get(config->root, extra) || json_object_get(config->root, additional));
  const struct config_file *last = config_member(special, additional) || key == additional ? special : config;
  return more_put(specials, config, key, own, error) && more_put(specials, special, extra, map, error) &&
         (listed || json_is_array(map) ||
          more_put(specials, last, additional, config_member(last, additional), error));
}

/* The model's own tokens are those of tokenizer_config.json's keys and of an object of extra tokens; only if
 * there are none, those that an earlier transformers had found in this way and saved. */
static bool specials_put(const struct added_files *files, struct added_tokens *tokens, struct error *error) {
  static const char saved[] = "model_specific_special_tokens";
  const struct config_file *config = &files->config;
  const struct specials named = {tokens, tokens->count, true}, specials = {tokens, tokens->count, false};
  const char *key;
  json_t *value;
  if (!named_put(files, &named, error)) return false;
  bool found = json_object_size(config_member(config, "extra_special_tokens")) > 0;
  json_object_foreach(config->root, key, value) {
    if (!is_own_token(key, value)) continue;
    if (!special_put(&specials, config, key, value, error)) return false;
    found = found || json_is_string(value);
  }
  return (found || more_put(&specials, config, saved, config_member(config, saved), error)) &&
         extras_put(files, &specials, error);
}

/* added_tokens.json has only ids. A token is special if other settings say so. */
static bool legacy_read(const struct added_files *files, struct added_tokens *tokens, struct error *error) {
  struct added_tokens specials = {0};
  bool done = specials_put(files, &specials, error);
  const char *content;
  json_t *id;
  json_object_foreach(files->legacy.root, content, id) {
    const size_t length = strlen(content);
    const bool special = added_tokens_find(&specials, content, length) != NULL;
    struct added_token token = {
        .content = (char *)content, .length = length, .id = -1, .normalized = !special, .special = special};
    if (done && !token_id_read(id, &token.id))
      done = config_refuse(&files->legacy, ERROR_INPUT, content, id, "an id", error);
    done = done && added_tokens_put(tokens, &token, error);
  }
  added_tokens_free(&specials);
  return done;
}

static bool tokens_put(struct added_tokens *tokens, const struct added_tokens *more, struct error *error) {
  for (size_t i = 0; i < more->count; i++)
    if (!added_tokens_put(tokens, &more->token[i], error)) return false;
  return true;
}

/* Collects all tokens in the order in which they get their ids. */
static bool tokens_collect(const struct added_files *files, const struct tokenizer_source *source,
                           struct added_tokens *tokens, struct error *error) {
  const struct added_tokens *of_json = &source->added;
  struct added_tokens declared = {0};
  bool done = files->class != CLASS_GENERIC || tokens_put(tokens, of_json, error);
  if (config_member(&files->config, DECODER))
    done = done && decoder_read(files, &declared, error);
  else
    done = done && legacy_read(files, &declared, error) && tokens_put(&declared, of_json, error);
  if (declared.count) qsort(declared.token, declared.count, sizeof *declared.token, id_compare);
  done = done && tokens_put(tokens, &declared, error) && specials_put(files, tokens, error);
  added_tokens_free(&declared);
  return done;
}

/* transformers gives a named token that is no piece the next id, also if the word table has no row for it,
 * and then fails at a text that spells it. Here the token stays text. (Vocabularies are cut to what a
 * language needs, and lose [MASK].) */
static bool is_rowless(const struct added_files *files, const struct added_token *token, int32_t id) {
  return token->named && id >= files->rows;
}

static bool ids_assign(const struct added_files *files, struct tokenizer_source *source,
                       struct error *error) {
  if (!source->next) source->next = source->count;
  for (size_t i = 0; i < source->added.count; i++) {
    struct added_token *token = &source->added.token[i];
    const int32_t known = piece_find(source, token->content, token->length);
    const int32_t id = known >= 0 ? known : source->next;
    if (known < 0 && id < source->count)
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: the added token \"%s\" is not in the vocabulary, which has a piece twice, so its "
                       "id would be that of another piece; expected each piece once",
                       files->folder, token->content);
    if (known < 0 && is_rowless(files, token, id)) {
      source->next = id + 1;
      added_tokens_remove(&source->added, i--);
      continue;
    }
    if (id >= TOKENIZER_PIECES_MAX)
      return error_set(error, ERROR_INPUT, "%s: more than %d tokens", files->folder, TOKENIZER_PIECES_MAX);
    if (token->id >= 0 && token->id != id)
      return error_set(
          error, ERROR_UNSUPPORTED,
          "%s: the added token \"%s\" is to have the id %d; expected %d, which transformers gives it",
          files->folder, token->content, token->id, id);
    token->id = id;
    if (known < 0) source->next = source->count = id + 1;
  }
  return true;
}

static bool digest_extend(struct tokenizer_source *source, struct error *error) {
  XXH3_state_t *hash = XXH3_createState();
  if (!hash) return error_set(error, ERROR_MEMORY, "out of memory for the hash of the tokenizer");
  XXH3_128bits_reset(hash);
  XXH3_128bits_update(hash, &source->digest, sizeof source->digest);
  for (size_t i = 0; i < source->added.count; i++) {
    const struct added_token *token = &source->added.token[i];
    const uint64_t facts[] = {(uint64_t)token->id, token->length,
                              (uint64_t)(token->single_word | token->lstrip << 1 | token->rstrip << 2 |
                                         token->normalized << 3 | token->special << 4)};
    XXH3_128bits_update(hash, facts, sizeof facts);
    XXH3_128bits_update(hash, token->content, token->length);
  }
  const unsigned char settings[] = {(unsigned char)(source->only_spaces | source->strips_left << 1),
                                    source->keeps_special};
  XXH3_128bits_update(hash, settings, sizeof settings);
  source->digest = XXH3_128bits_digest(hash);
  XXH3_freeState(hash);
  return true;
}

bool added_tokens_read(const struct added_files *files, struct tokenizer_source *source,
                       struct error *error) {
  struct added_tokens tokens = {0};
  if (!tokens_collect(files, source, &tokens, error)) {
    added_tokens_free(&tokens);
    return false;
  }
  added_tokens_free(&source->added);
  source->added = tokens;
  return config_flag(&files->config, "split_special_tokens", &source->keeps_special, error) &&
         ids_assign(files, source, error) && digest_extend(source, error);
}
