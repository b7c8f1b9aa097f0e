/* Model folders: which ones open and with which shape. All others are refused, and the error names the file
 * and the reason. */
#include "host/model/model.h"

#include <math.h>

#include "tests/unit/model/tiny_model.h"

static struct model *open_whole(const char *folder) {
  struct error error = {0};
  struct model *model = model_open(folder, &error);
  if (!model) fail_msg("%s", error.message);
  return model;
}

static void refuse_part(const char *folder, enum error_code code, const char *part) {
  struct error error = {0};
  struct model *model = model_open(folder, &error);
  if (model) fail_msg("opened, and was to be refused with \"%s\"", part);
  assert_error(&error, code, part);
}

static void check_pooling(const struct pooling *pooling, const char *expected) {
  char name[POOLING_NAME_MAX];
  pooling_print(pooling, name);
  assert_string_equal(name, expected);
}

static void folder_of_version_3_opens_with_its_shape(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct model *model = open_whole(folder);
  const struct model_shape *shape = &model->config.shape;
  assert_int_equal(model->config.family, FAMILY_XLM_ROBERTA);
  assert_string_equal(model->config.name, strrchr(folder, '/') + 1);
  assert_int_equal(shape->layers, 2);
  assert_int_equal(shape->hidden, 8);
  assert_int_equal(shape->heads, 2);
  assert_int_equal(shape->head_size, 4);
  assert_int_equal(shape->ffn, 16);
  assert_int_equal(shape->vocabulary, 12);
  assert_int_equal(shape->positions, 34);
  assert_int_equal(shape->first_position, 2);
  assert_true(shape->layer_norm_eps == 1e-5f);
  check_pooling(&shape->pooling, "cls");
  assert_int_equal(shape->widest, 8);
  assert_true(shape->pool_prompt);
  assert_int_equal(model->layer[1].output.weight->shape[1], 16);
  assert_string_equal(model->layer[1].key.bias->name, "encoder.layer.1.attention.self.key.bias");
  const int64_t layer = 4 * (64 + 8) + 2 * 16 + (16 * 8 + 16) + (8 * 16 + 8);
  assert_int_equal(model_parameters(model), 12 * 8 + 34 * 8 + 8 + 16 + 2 * layer);
  model_close(model);
  folder_remove(folder);
}

static void folder_of_version_6_opens_with_its_shape(void **state) {
  (void)state;
  char *folder = tiny_folder();
  folder_put(folder, "modules.json",
             "[{\"path\": \"\", \"type\": \"sentence_transformers.base.modules.transformer.Transformer\"},"
             " {\"path\": \"1_Pooling\", \"type\": "
             "\"sentence_transformers.sentence_transformer.modules.pooling.Pooling\"}]");
  folder_put(folder, "1_Pooling/config.json",
             "{\"embedding_dimension\": 8, \"pooling_mode\": \"mean\", \"include_prompt\": false}");
  folder_put(folder, "sentence_bert_config.json", "{\"transformer_task\": \"feature-extraction\"}");
  struct model *model = open_whole(folder);
  check_pooling(&model->config.shape.pooling, "mean");
  assert_false(model->config.shape.pool_prompt);
  assert_int_equal(model->config.shape.max_tokens, 30);
  model_close(model);
  folder_remove(folder);
}

/* Flags give the modes in a fixed order, no matter which order the file has. A list gives them in its own
 * order; if there is a list, the flags mean nothing. */
static void poolings_are_concatenated_in_the_order_of_the_reference(void **state) {
  (void)state;
  static const struct {
    const char *change, *expected;
  } cases[] = {
      {"{\"pooling_mode_mean_tokens\": true}", "cls+mean"},
      {"{\"pooling_mode_cls_token\": false}", "mean"},
      {"{\"pooling_mode_cls_token\": false, \"pooling_mode_lasttoken\": true}", "lasttoken"},
      {"{\"pooling_mode_lasttoken\": true, \"pooling_mode_weightedmean_tokens\": true,"
       " \"pooling_mode_mean_sqrt_len_tokens\": true, \"pooling_mode_mean_tokens\": true,"
       " \"pooling_mode_max_tokens\": true}",
       "cls+max+mean+mean_sqrt_len_tokens+weightedmean+lasttoken"},
      {"{\"pooling_mode\": \"weightedmean\"}", "weightedmean"},
      {"{\"pooling_mode\": [\"max\"]}", "max"},
      {"{\"pooling_mode\": [\"lasttoken\", \"cls\", \"max\"]}", "lasttoken+cls+max"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = tiny_folder();
    folder_change(folder, "1_Pooling/config.json", cases[i].change);
    struct model *model = open_whole(folder);
    check_pooling(&model->config.shape.pooling, cases[i].expected);
    assert_int_equal(model->config.shape.widest, 8 * model->config.shape.pooling.count);
    assert_int_equal(model->config.width, model->config.shape.widest);
    model_close(model);
    folder_remove(folder);
  }
}

static void bert_positions_start_at_zero(void **state) {
  (void)state;
  char *folder = tiny_folder();
  folder_change(folder, "config.json",
                "{\"model_type\": \"bert\", \"pad_token_id\": 0, \"position_embedding_type\": null}");
  struct model *model = open_whole(folder);
  assert_int_equal(model->config.shape.first_position, 0);
  model_close(model);
  folder_remove(folder);
}

/* The numbers are those of sentence-transformers 6.2. Only a limit past the position table differs:
 * sentence-transformers fails there. */
static void longest_input_is_that_of_the_reference(void **state) {
  (void)state;
  static const struct {
    const char *sentence, *tokenizer;
    int32_t expected;
  } cases[] = {
      {"{\"max_seq_length\": 24}", "{\"model_max_length\": 30}", 24},
      {"{\"max_seq_length\": 31}", "{\"model_max_length\": 10}", 31},
      {"{\"max_seq_length\": 8192}", "{\"model_max_length\": 10}", 32},
      {"{}", "{\"model_max_length\": 10}", 10},
      {"{}", "{\"max_len\": 10}", 10},
      {"{}", "{\"model_max_length\": 1000000000000000019884624838656}", 32},
      {"{\"max_seq_length\": null}", "{}", 32},
      {"{\"tokenizer_args\": {\"model_max_length\": 12}}", "{\"model_max_length\": 10}", 12},
      {"{\"processor_kwargs\": {\"model_max_length\": 12}}", "{\"model_max_length\": 10}", 12},
      {"{\"processor_kwargs\": {\"model_max_length\": null}}", "{\"model_max_length\": 10}", 32},
      {"{\"max_seq_length\": 24, \"tokenizer_args\": {\"model_max_length\": 12}}", "{}", 12},
      {"{\"max_seq_length\": 12, \"processor_kwargs\": {\"model_max_length\": 24}}", "{}", 24},
      {"{\"tokenizer_args\": {\"model_max_length\": 12}, \"processor_kwargs\": {\"model_max_length\": 14}}",
       "{}", 12},
      {"{\"max_seq_length\": 24, \"processing_kwargs\": {\"text\": {\"max_length\": 12}}}", "{}", 12},
      {"{\"max_seq_length\": 12, \"processing_kwargs\": {\"text\": {\"max_length\": 24}}}", "{}", 24},
      {"{\"max_seq_length\": 24, \"processing_kwargs\": {\"text\": {\"max_length\": null}}}", "{}", 24},
      {"{\"processing_kwargs\": {\"common\": {\"max_length\": 10}, \"text\": {\"max_length\": 12}}}", "{}",
       10},
      {"{\"max_seq_length\": 12, \"processing_kwargs\": {\"text\": {\"truncation\": false}}}", "{}", 32},
      {"{\"max_seq_length\": 12, \"processing_kwargs\": {\"text\": {\"truncation\": null}}}", "{}", 32},
      {"{\"max_seq_length\": 12, \"processing_kwargs\": {\"text\": {\"truncation\": true, \"padding\": "
       "\"longest\"}}}",
       "{}", 12},
      {"{\"processing_kwargs\": {\"text\": {\"truncation\": false}, \"common\": {\"max_length\": 10}}}", "{}",
       32},
      {"{\"max_seq_length\": 12, \"document_length\": null}", "{}", 12},
      {"{\"max_seq_length\": 12, \"model_args\": {\"trust_remote_code\": true, \"revision\": \"main\"}}",
       "{}", 12},
  };
  char *folder = tiny_folder();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder_put(folder, "sentence_bert_config.json", cases[i].sentence);
    folder_put(folder, "tokenizer_config.json", cases[i].tokenizer);
    struct model *model = open_whole(folder);
    if (model->config.shape.max_tokens != cases[i].expected)
      fail_msg("%s with %s: %d, expected %d", cases[i].sentence, cases[i].tokenizer,
               model->config.shape.max_tokens, cases[i].expected);
    model_close(model);
  }
  folder_put(folder, "sentence_xlm-roberta_config.json", "{\"max_seq_length\": 20}");
  folder_put(folder, "sentence_bert_config.json", "{}");
  struct model *model = open_whole(folder);
  assert_int_equal(model->config.shape.max_tokens, 20);
  model_close(model);
  folder_remove(folder);
}

static void tensors_are_found_under_every_prefix(void **state) {
  (void)state;
  static const char *const prefixes[] = {"", "roberta.", "bert.", "model."};
  char *folder = tiny_folder();
  for (int i = 0; i < 4; i++) {
    tiny_weights(folder, prefixes[i]);
    struct model *model = open_whole(folder);
    assert_memory_equal(model->word_embedding->name, prefixes[i], strlen(prefixes[i]));
    model_close(model);
  }
  tiny_weights(folder, "electra.");
  refuse_part(folder, ERROR_INPUT, "embeddings.word_embeddings.weight");
  folder_remove(folder);
}

static void norms_may_be_called_gamma_and_beta(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("bert.", tensors);
  for (int i = 0; i < TINY_TENSORS; i++) {
    char *name = tensors[i].name, *norm = strstr(name, "LayerNorm.");
    if (!norm) continue;
    norm += strlen("LayerNorm.");
    strcpy(norm, strcmp(norm, "weight") ? "beta" : "gamma");
  }
  tiny_safetensors(folder, "model.safetensors", tensors, 0, TINY_TENSORS, "F32", 4, 0);
  struct model *model = open_whole(folder);
  assert_string_equal(model->embedding_norm.weight->name, "bert.embeddings.LayerNorm.gamma");
  assert_string_equal(model->layer[1].output_norm.bias->name, "bert.encoder.layer.1.output.LayerNorm.beta");
  model_close(model);
  folder_remove(folder);
}

static void modules_may_lie_in_folders_of_their_own(void **state) {
  (void)state;
  char *folder = tiny_folder();
  char *inside = file_join(folder, "0_Transformer");
  folder_put(folder, "modules.json",
             "[{\"path\": \"0_Transformer\", \"type\": \"sentence_transformers.Transformer\"}, {\"path\": "
             "\"p\", \"type\": "
             "\"sentence_transformers.Pooling\"}]");
  folder_put(folder, "p/config.json", TINY_POOLING);
  folder_put(folder, "0_Transformer/config.json", TINY_CONFIG);
  folder_drop(folder, "config.json");
  folder_drop(folder, "model.safetensors");
  tiny_weights(inside, "");
  struct model *model = open_whole(folder);
  assert_int_equal(model->config.shape.max_tokens, 32);
  model_close(model);
  free(inside);
  folder_remove(folder);
}

#define INDEX_HEAD "{\"weight_map\": {\"embeddings.word_embeddings.weight\": \"part-b.safetensors\", "

static void sharded_weights_open_like_one_file(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("", tensors);
  folder_drop(folder, "model.safetensors");
  tiny_safetensors(folder, "part-b.safetensors", tensors, 0, 9, "F16", 2, 0);
  tiny_safetensors(folder, "part-a.safetensors", tensors, 9, TINY_TENSORS, "BF16", 2, 100);
  folder_put(folder, "model.safetensors.index.json",
             INDEX_HEAD "\"x\": \"part-a.safetensors\", \"y\": \"part-b.safetensors\"}}");
  struct model *model = open_whole(folder);
  assert_int_equal(model->file_count, 2);
  assert_int_equal(model->word_embedding->dtype, DTYPE_F16);
  assert_int_equal(model->layer[1].output_norm.bias->dtype, DTYPE_BF16);
  model_close(model);

  folder_put(folder, "model.safetensors.index.json", INDEX_HEAD "\"x\": \"../part-a.safetensors\"}}");
  refuse_part(folder, ERROR_INPUT, "../part-a.safetensors");
  folder_put(folder, "model.safetensors.index.json", INDEX_HEAD "\"x\": \"missing.safetensors\"}}");
  refuse_part(folder, ERROR_IO, "missing.safetensors");
  folder_put(folder, "model.safetensors.index.json", "{\"weight_map\": {}}");
  refuse_part(folder, ERROR_INPUT, "model.safetensors.index.json: \"weight_map\"");
  folder_remove(folder);
}

/* One number in one tensor is NaN or infinite, in each stored type: the first number, the last, or one
 * between. */
static void weights_that_are_not_finite_are_named(void **state) {
  (void)state;
  static const struct {
    const char *dtype;
    int size;
    unsigned char bytes[4]; /* the number, little-endian */
  } cases[] = {
      {"F32", 4, {0, 0, 0x80, 0x7f}}, {"F32", 4, {0, 0, 0x80, 0xff}}, {"F32", 4, {1, 0, 0x80, 0x7f}},
      {"BF16", 2, {0x80, 0x7f}},      {"BF16", 2, {0xc1, 0xff}},      {"F16", 2, {0, 0x7c}},
      {"F16", 2, {0x01, 0xfc}},
  };
  char *folder = tiny_folder();
  char *path = file_join(folder, "model.safetensors");
  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("", tensors);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int place = 0; place < 3; place++) {
      struct error error = {0};
      char part[100];
      tiny_safetensors(folder, "model.safetensors", tensors, 0, TINY_TENSORS, cases[i].dtype, cases[i].size,
                       0);
      struct model *model = open_whole(folder);
      assert_true(model_check_finite(model, &error));
      const struct tensor *tensor = place == 0   ? model->word_embedding
                                    : place == 1 ? model->layer[1].key.weight
                                                 : model->layer[1].output_norm.bias;
      const int64_t number = place == 0 ? 0 : place == 1 ? 13 : tensor->elements - 1;
      int64_t size;
      const char *bytes = safetensors_bytes(model->file[0], &size);
      const int64_t offset = (const char *)tensor->data - bytes + number * cases[i].size;
      snprintf(part, sizeof part, "number %d of tensor %s is ", (int)number, tensor->name);
      model_close(model);
      FILE *file = fopen(path, "r+");
      assert_non_null(file);
      assert_int_equal(fseek(file, offset, SEEK_SET), 0);
      assert_int_equal(fwrite(cases[i].bytes, (size_t)cases[i].size, 1, file), 1);
      assert_int_equal(fclose(file), 0);
      model = open_whole(folder);
      assert_false(model_check_finite(model, &error));
      assert_error(&error, ERROR_INPUT, part);
      model_close(model);
    }
  }
  free(path);
  folder_remove(folder);
}

static void hash_tells_weights_apart_and_not_folders(void **state) {
  (void)state;
  char *one = tiny_folder(), *two = tiny_folder();
  char first[33], second[33];
  struct error error;
  struct model *model = open_whole(one);
  assert_true(model_hash(model, first, &error));
  model_close(model);
  model = open_whole(two);
  assert_true(model_hash(model, second, &error));
  model_close(model);
  assert_string_equal(first, second);
  assert_int_equal(strlen(first), 32);

  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("", tensors);
  tiny_safetensors(two, "model.safetensors", tensors, 0, TINY_TENSORS, "F32", 4, 1);
  model = open_whole(two);
  assert_true(model_hash(model, second, &error));
  model_close(model);
  assert_string_not_equal(first, second);
  folder_remove(one);
  folder_remove(two);
}

static void configuration_opens_without_weights(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct model_config config;
  struct error error = {0};
  folder_drop(folder, "model.safetensors");
  if (!model_config_open(&config, folder, &error)) fail_msg("%s", error.message);
  assert_int_equal(config.shape.hidden, 8);
  assert_int_equal(config.shape.max_tokens, 24);
  assert_string_equal(config.modules.transformer, folder);
  assert_string_equal(model_config_prompt(&config, "query"), "query: ");
  model_config_close(&config);
  refuse_part(folder, ERROR_INPUT, "no weights");
  folder_remove(folder);
}

static void name_is_the_folders_or_the_repositorys(void **state) {
  (void)state;
  static const struct {
    const char *path, *name;
  } cases[] = {
      {"models--ca--e5-small/snapshots/0a1b", "ca/e5-small"},
      {"models--ca--e5--small/snapshots/0a1b", "ca/e5--small"},
      {"models--e5-small/snapshots/0a1b", "e5-small"},
      {"models--ca--e5-small/other/0a1b", "0a1b"},
      {"models--ca--e5-small/snapshots/0a1b/onnx", "onnx"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct model_config config;
    struct error error = {0};
    char *above = folder_make(), *folder = tiny_folder(), *path = file_join(above, cases[i].path);
    folder_put(folder, "tokenizer.json", "{}");
    for (char *slash = path + strlen(above) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
      *slash = '\0';
      mkdir(path, 0755);
    }
    assert_int_equal(rename(folder, path), 0);
    if (!model_config_open(&config, path, &error)) fail_msg("%s", error.message);
    assert_string_equal(config.name, cases[i].name);
    model_config_close(&config);
    free(path);
    free(folder);
    folder_remove(above);
  }
}

static void prompts_are_read_by_name(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct model *model = open_whole(folder);
  assert_int_equal(model->config.prompt_count, 3);
  assert_string_equal(model_config_prompt(&model->config, "query"), "query: ");
  assert_string_equal(model_config_prompt(&model->config, "document"), "");
  assert_null(model_config_prompt(&model->config, "other"));
  assert_string_equal(model->config.default_prompt, "passage");
  model_close(model);
  folder_drop(folder, "config_sentence_transformers.json");
  model = open_whole(folder);
  assert_int_equal(model->config.prompt_count, 0);
  assert_null(model->config.default_prompt);
  model_close(model);
  folder_remove(folder);
}

static void width_and_similarity_are_the_folders(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct model *model = open_whole(folder);
  assert_int_equal(model->config.width, 8);
  assert_string_equal(model->config.similarity, "cosine");
  model_close(model);
  folder_change(folder, "config_sentence_transformers.json",
                "{\"truncate_dim\": 4, \"similarity_fn_name\": \"dot\"}");
  model = open_whole(folder);
  assert_int_equal(model->config.width, 4);
  assert_string_equal(model->config.similarity, "dot");
  assert_false(model_config_loses_lengths(&model->config)); /* Normalize has made all lengths 1 */
  model_close(model);
  folder_put(folder, "modules.json",
             "[{\"path\": \"\", \"type\": \"sentence_transformers.Transformer\"}, {\"path\": \"1_Pooling\", "
             "\"type\": \"sentence_transformers.Pooling\"}]");
  model = open_whole(folder);
  assert_true(model_config_loses_lengths(&model->config));
  model_close(model);
  folder_change(folder, "config_sentence_transformers.json", "{\"truncate_dim\": 16}");
  model = open_whole(folder);
  assert_int_equal(model->config.width, 8);
  model_close(model);
  folder_change(folder, "config_sentence_transformers.json", "{\"truncate_dim\": 0}");
  refuse_part(folder, ERROR_INPUT, "\"truncate_dim\" is 0");
  folder_remove(folder);
}

/* Each case changes one file in a folder that opens. */
static void what_is_not_supported_is_named_with_its_file(void **state) {
  (void)state;
  static const struct {
    const char *file, *changes;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"config.json", "{\"model_type\": \"mpnet\"}", ERROR_UNSUPPORTED,
       "config.json: \"model_type\" is \"mpnet\""},
      {"config.json", "{\"model_type\": null}", ERROR_UNSUPPORTED, "\"model_type\" is missing"},
      {"config.json", "{\"hidden_act\": \"gelu_new\"}", ERROR_UNSUPPORTED, "\"hidden_act\" is \"gelu_new\""},
      {"config.json", "{\"position_embedding_type\": \"relative_key\"}", ERROR_UNSUPPORTED, "relative_key"},
      {"config.json", "{\"is_decoder\": true}", ERROR_UNSUPPORTED, "\"is_decoder\""},
      {"config.json", "{\"hidden_size\": 9}", ERROR_INPUT, "a divisor of hidden_size"},
      {"config.json", "{\"hidden_size\": 70000}", ERROR_INPUT, "\"hidden_size\" is 70000"},
      {"config.json", "{\"hidden_size\": 8.5}", ERROR_INPUT, "an integer"},
      {"config.json", "{\"hidden_size\": \"8\"}", ERROR_INPUT, "\"hidden_size\" is \"8\""},
      {"config.json", "{\"num_hidden_layers\": 0}", ERROR_INPUT, "\"num_hidden_layers\" is 0"},
      {"config.json", "{\"num_hidden_layers\": 3}", ERROR_INPUT,
       "no tensor encoder.layer.2.attention.self.query.weight"},
      {"config.json", "{\"intermediate_size\": 24}", ERROR_INPUT, "has shape [16, 8]; expected [24, 8]"},
      {"config.json", "{\"vocab_size\": 13}", ERROR_INPUT, "expected [13, 8], as config.json says"},
      {"config.json", "{\"vocab_size\": null}", ERROR_INPUT, "\"vocab_size\" is missing"},
      {"config.json", "{\"layer_norm_eps\": null}", ERROR_INPUT, "\"layer_norm_eps\" is missing"},
      {"config.json", "{\"max_position_embeddings\": 3}", ERROR_INPUT, "\"max_position_embeddings\" is 3"},
      {"1_Pooling/config.json", "{\"pooling_mode_median\": true}", ERROR_UNSUPPORTED,
       "\"pooling_mode_median\" is true"},
      {"1_Pooling/config.json", "{\"pooling_mode\": \"median\"}", ERROR_UNSUPPORTED, "\"median\""},
      {"1_Pooling/config.json", "{\"pooling_mode\": []}", ERROR_UNSUPPORTED, "\"pooling_mode\" is []"},
      {"1_Pooling/config.json", "{\"pooling_mode\": [\"max\", \"median\"]}", ERROR_UNSUPPORTED,
       "[\"max\",\"median\"]"},
      {"1_Pooling/config.json", "{\"pooling_mode\": [\"max\", \"max\"]}", ERROR_UNSUPPORTED,
       "a list of different ones"},
      {"1_Pooling/config.json", "{\"include_prompt\": false}", ERROR_UNSUPPORTED,
       "\"include_prompt\" is false; expected true, or pooling without cls"},
      {"1_Pooling/config.json", "{\"pooling_mode\": [\"mean\", \"cls\"], \"include_prompt\": false}",
       ERROR_UNSUPPORTED, "\"include_prompt\" is false"},
      {"1_Pooling/config.json", "{\"word_embedding_dimension\": 16}", ERROR_INPUT,
       "\"word_embedding_dimension\" is 16; expected 8, the hidden_size of config.json"},
      {"sentence_bert_config.json", "{\"do_lower_case\": true}", ERROR_UNSUPPORTED,
       "\"do_lower_case\" is true"},
      {"sentence_bert_config.json", "{\"tokenizer_args\": {\"do_lower_case\": true}}", ERROR_UNSUPPORTED,
       "\"tokenizer_args.do_lower_case\" is true"},
      {"sentence_bert_config.json", "{\"processor_kwargs\": {\"use_fast\": true, \"unk_token\": \"a\"}}",
       ERROR_UNSUPPORTED, "\"processor_kwargs.unk_token\""},
      {"sentence_bert_config.json", "{\"config_args\": {\"num_hidden_layers\": 1}}", ERROR_UNSUPPORTED,
       "\"config_args.num_hidden_layers\" is 1"},
      {"sentence_bert_config.json", "{\"model_kwargs\": {\"dtype\": \"float16\", \"variant\": \"fp16\"}}",
       ERROR_UNSUPPORTED, "\"model_kwargs.variant\""},
      {"sentence_bert_config.json", "{\"document_length\": 8}", ERROR_UNSUPPORTED,
       "\"document_length\" is 8"},
      {"sentence_bert_config.json", "{\"tokenizer_name_or_path\": \"a/b\"}", ERROR_UNSUPPORTED,
       "\"tokenizer_name_or_path\""},
      {"sentence_bert_config.json", "{\"max_seq_length\": 1}", ERROR_INPUT,
       "\"max_seq_length\" is 1; expected a number, 2 or more"},
      {"sentence_bert_config.json", "{\"processing_kwargs\": []}", ERROR_INPUT,
       "\"processing_kwargs\" is []"},
      {"sentence_bert_config.json", "{\"processing_kwargs\": {\"text\": {\"add_special_tokens\": false}}}",
       ERROR_UNSUPPORTED, "\"add_special_tokens\" is false"},
      {"sentence_bert_config.json", "{\"processor_kwargs\": {\"truncation_side\": \"left\"}}",
       ERROR_UNSUPPORTED, "\"truncation_side\" is \"left\""},
      {"tokenizer_config.json", "{\"truncation_side\": \"left\"}", ERROR_UNSUPPORTED,
       "\"truncation_side\" is \"left\""},
      {"tokenizer_config.json", "{\"model_max_length\": \"long\"}", ERROR_INPUT, "\"model_max_length\""},
      {"config_sentence_transformers.json", "{\"default_prompt_name\": \"other\"}", ERROR_INPUT,
       "\"default_prompt_name\""},
      {"config_sentence_transformers.json", "{\"prompts\": {\"query\": 7}}", ERROR_INPUT,
       "the text of a prompt"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *folder = tiny_folder();
    folder_change(folder, cases[i].file, cases[i].changes);
    refuse_part(folder, cases[i].code, cases[i].part);
    folder_remove(folder);
  }
}

static void adapter_beside_the_weights_is_refused(void **state) {
  (void)state;
  char *folder = tiny_folder();
  folder_put(folder, "adapter_config.json", "{\"base_model_name_or_path\": \"org/base\"}");
  refuse_part(folder, ERROR_UNSUPPORTED, "adapter_config.json: an adapter (PEFT) to a base model");
  folder_remove(folder);
}

#define START_POOLING "{\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.Pooling\"}"
#define START "[{\"path\": \"\", \"type\": \"sentence_transformers.Transformer\"}, " START_POOLING ","
#define DENSE "{\"path\": \"2_Dense\", \"type\": \"sentence_transformers.Dense\"},"
#define NORMALIZE "{\"path\": \"2_Normalize\", \"type\": \"sentence_transformers.Normalize\"}"

static void unknown_modules_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *modules;
    enum error_code code;
    const char *part;
  } cases[] = {
      {START " {\"path\": \"2_Rescale\", \"type\": \"mine.Rescale\"}]", ERROR_UNSUPPORTED,
       "module 2 is mine.Rescale; supported are the modules Transformer, Pooling, any "
       "Dense"},
      {START NORMALIZE ", {\"path\": \"3_Dense\", \"type\": \"sentence_transformers.Dense\"}]",
       ERROR_UNSUPPORTED, "module 3 is sentence_transformers.Dense"},
      {START NORMALIZE ", " NORMALIZE "]", ERROR_UNSUPPORTED, "module 3 is sentence_transformers.Normalize"},
      {START START_POOLING "]", ERROR_UNSUPPORTED, "module 2 is sentence_transformers.Pooling"},
      {START DENSE DENSE DENSE DENSE DENSE DENSE DENSE DENSE NORMALIZE "]", ERROR_IO, "2_Dense/config.json"},
      {START DENSE DENSE DENSE DENSE DENSE DENSE DENSE DENSE DENSE NORMALIZE "]", ERROR_UNSUPPORTED,
       "more than 8 Dense modules"},
      {"[{\"path\": \"\", \"type\": \"sentence_transformers.StaticEmbedding\"}]", ERROR_UNSUPPORTED,
       "module 0 is sentence_transformers.StaticEmbedding"},
      {"[{\"path\": \"\", \"type\": \"sentence_transformers.Transformer\"}]", ERROR_INPUT, "1 modules"},
      {"[{\"path\": \"../x\", \"type\": \"sentence_transformers.Transformer\"}, {\"path\": \"p\", \"type\": "
       "\"sentence_transformers.Pooling\"}]",
       ERROR_INPUT, "\"path\" is \"../x\""},
      {"{}", ERROR_INPUT, "does not hold a JSON array"},
      {"[]", ERROR_INPUT, "0 modules"},
      {"[{\"path\": \"\"}", ERROR_INPUT, "not valid JSON"},
  };
  char *folder = tiny_folder();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder_put(folder, "modules.json", cases[i].modules);
    refuse_part(folder, cases[i].code, cases[i].part);
  }
  folder_drop(folder, "modules.json");
  refuse_part(folder, ERROR_INPUT, "no modules.json");
  folder_remove(folder);
}

static void dense_modules_give_the_row_its_width(void **state) {
  (void)state;
  static const struct tiny_tensor weight_alone = {"linear.weight", 4, 8};
  char *folder = tiny_folder();
  struct model *plain = open_whole(folder);
  tiny_dense(folder, 0);
  struct model *model = open_whole(folder);
  const struct dense_config *dense = &model->config.dense[0];
  assert_int_equal(model->config.modules.dense_count, 1);
  assert_true(model->config.modules.normalise);
  assert_int_equal(dense->activation, ACTIVATION_TANH);
  assert_int_equal(model->config.shape.widest, 4);
  assert_int_equal(model->config.width, 4);
  assert_int_equal(model->dense[0].weight->shape[1], 8);
  assert_int_equal(model->dense[0].bias->elements, 4);
  assert_int_equal(model_parameters(model), model_parameters(plain) + 4 * 8 + 4);
  model_close(model);
  folder_change(folder, "2_Dense/config.json",
                "{\"bias\": false, \"activation_function\": \"torch.nn.modules.linear.Identity\"}");
  refuse_part(folder, ERROR_INPUT, "2_Dense: model.safetensors has a tensor linear.bias");
  tiny_safetensors(folder, "2_Dense/model.safetensors", &weight_alone, 0, 1, "F32", 4, 0);
  model = open_whole(folder);
  assert_null(model->dense[0].bias);
  assert_int_equal(model->config.dense[0].activation, ACTIVATION_IDENTITY);
  model_close(model);
  model_close(plain);
  folder_remove(folder);
}

/* Each case changes the module's config.json. */
static void dense_modules_that_cannot_be_computed_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *changes;
    enum error_code code;
    const char *part;
  } cases[] = {
      {"{\"in_features\": 16}", ERROR_INPUT, "\"in_features\" is 16"},
      {"{\"in_features\": null}", ERROR_INPUT, "\"in_features\" is missing"},
      {"{\"out_features\": 0}", ERROR_INPUT, "\"out_features\" is 0"},
      {"{\"out_features\": 5}", ERROR_INPUT, "linear.weight has shape [4, 8]; expected [5, 8]"},
      {"{\"bias\": 1}", ERROR_INPUT, "true or false"},
      {"{\"activation_function\": \"torch.nn.modules.activation.SiLU\"}", ERROR_UNSUPPORTED,
       "activation.SiLU\"; expected torch.nn's Tanh, Identity, GELU or ReLU"},
      {"{\"activation_function\": \"mine.Tanh\"}", ERROR_UNSUPPORTED, "\"mine.Tanh\""},
      {"{\"module_output_name\": \"token_embeddings\"}", ERROR_UNSUPPORTED, "\"module_output_name\""},
      {"{\"use_residual\": true}", ERROR_UNSUPPORTED, "\"use_residual\" is true"},
  };
  char *folder = tiny_folder();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tiny_dense(folder, 0);
    folder_change(folder, "2_Dense/config.json", cases[i].changes);
    refuse_part(folder, cases[i].code, cases[i].part);
  }
  tiny_dense(folder, 0);
  folder_drop(folder, "2_Dense/model.safetensors");
  refuse_part(folder, ERROR_INPUT, "2_Dense: no weights; expected model.safetensors");
  folder_put(folder, "2_Dense/pytorch_model.bin", "x");
  refuse_part(folder, ERROR_UNSUPPORTED, "scripts/convert-model");
  folder_remove(folder);
}

/* The name of the module's folder is in the sentence: every Dense module has a tensor linear.weight. */
static void numbers_that_are_not_finite_are_found_in_dense_modules(void **state) {
  (void)state;
  char *folder = tiny_folder();
  struct error error = {0};
  tiny_dense(folder, 0);
  struct model *model = open_whole(folder);
  assert_true(model_check_finite(model, &error));
  float numbers[4] = {1, 2, NAN, 4};
  struct tensor spoiled = *model->dense[0].bias;
  spoiled.data = numbers;
  model->dense[0].bias = &spoiled;
  assert_false(model_check_finite(model, &error));
  assert_error(&error, ERROR_INPUT, "2_Dense: number 2 of tensor linear.bias is nan");
  model_close(model);
  folder_remove(folder);
}

static void weights_in_another_format_name_the_command_that_converts_them(void **state) {
  (void)state;
  char *folder = tiny_folder(), part[600];
  folder_drop(folder, "model.safetensors");
  refuse_part(folder, ERROR_INPUT, "no weights; expected model.safetensors");
  folder_put(folder, "pytorch_model.bin", "x");
  snprintf(part, sizeof part, "scripts/convert-model %s models/nina-model-", folder);
  refuse_part(folder, ERROR_UNSUPPORTED, part);
  struct tiny_tensor tensors[TINY_TENSORS];
  tiny_tensors("", tensors);
  tiny_safetensors(folder, "model.safetensors", tensors, 0, TINY_TENSORS, "I8", 1, 0);
  refuse_part(folder, ERROR_UNSUPPORTED, "is I8; expected F32, F16 or BF16");
  folder_put(folder, "model.safetensors", "short");
  refuse_part(folder, ERROR_INPUT, "model.safetensors");
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folder_of_version_3_opens_with_its_shape),
      cmocka_unit_test(folder_of_version_6_opens_with_its_shape),
      cmocka_unit_test(poolings_are_concatenated_in_the_order_of_the_reference),
      cmocka_unit_test(bert_positions_start_at_zero),
      cmocka_unit_test(longest_input_is_that_of_the_reference),
      cmocka_unit_test(tensors_are_found_under_every_prefix),
      cmocka_unit_test(norms_may_be_called_gamma_and_beta),
      cmocka_unit_test(modules_may_lie_in_folders_of_their_own),
      cmocka_unit_test(sharded_weights_open_like_one_file),
      cmocka_unit_test(weights_that_are_not_finite_are_named),
      cmocka_unit_test(hash_tells_weights_apart_and_not_folders),
      cmocka_unit_test(configuration_opens_without_weights),
      cmocka_unit_test(name_is_the_folders_or_the_repositorys),
      cmocka_unit_test(prompts_are_read_by_name),
      cmocka_unit_test(width_and_similarity_are_the_folders),
      cmocka_unit_test(what_is_not_supported_is_named_with_its_file),
      cmocka_unit_test(adapter_beside_the_weights_is_refused),
      cmocka_unit_test(unknown_modules_are_refused),
      cmocka_unit_test(dense_modules_give_the_row_its_width),
      cmocka_unit_test(dense_modules_that_cannot_be_computed_are_refused),
      cmocka_unit_test(numbers_that_are_not_finite_are_found_in_dense_modules),
      cmocka_unit_test(weights_in_another_format_name_the_command_that_converts_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
