#include "host/model/support.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "host/model/family.h"
#include "host/model/modules.h"
#include "io/file.h"
#include "io/look.h"

struct unsupported {
  const char *value; /* as the file spells it; a '*' at the end: with any ending */
  const char *lacks; /* the kind of model, and what it needs */
};

#define DECODER "of a decoder's architecture, which needs rotary positions, RMS norms and gated layers"
#define OLD_DECODER "a decoder, which needs causal attention"
#define ENCODER_DECODER "an encoder with a decoder, which needs a bias of attention or a cross-attention"
#define IMAGES "a model of images or sound, which needs an encoder for them"
#define SPARSE "a sparse encoder, which gives weights of words instead of one vector"
#define SCORER "a cross-encoder or classifier, which gives scores and no vectors"
#define SEVERAL "a multi-vector encoder, which gives a vector for each token"
#define SPARSE_ATTENTION "which needs attention over parts of the text"

// clang-format off

/* config_sentence_transformers.json's model_type */
static const struct unsupported kinds[] = {
    {"SparseEncoder", SPARSE},
    {"CrossEncoder", SCORER},
    {"MultiVectorEncoder", SEVERAL},
    {"ColBERT", SEVERAL},
    {NULL, NULL},
};

/* Last component of a type in modules.json. */
static const struct unsupported modules[] = {
    {"MLMTransformer", SPARSE},
    {"SpladePooling", SPARSE},
    {"SparseAutoEncoder", SPARSE},
    {"SparseStaticEmbedding", SPARSE},
    {"LogitScore", SCORER},
    {"MultiVectorMask", SEVERAL},
    {"HierarchicalTokenPooling", SEVERAL},
    {"LambdaTokenPooling", SEVERAL},
    {"CLIPModel", IMAGES},
    {"StaticEmbedding", "a table of static embeddings, which has no layers to compute"},
    {"WordEmbeddings", "a model of static word vectors, which has no layers to compute"},
    {"BoW", "a bag of words, which has no layers to compute"},
    {"LSTM", "a recurrent network, which needs LSTM layers"},
    {"CNN", "a convolutional network, which needs convolutions"},
    {"Router", "a model of several towers, which needs a choice of tower for each text"},
    {"Asym", "a model of several towers, which needs a choice of tower for each text"},
    {NULL, NULL},
};

/* config.json's model_type */
static const struct unsupported types[] = {
    {"modernbert*", "ModernBERT, which needs rotary positions, local attention and gated layers"},
    {"mpnet", "MPNet, which needs a bias of attention by relative position"},
    {"nomic_bert", "Nomic BERT, which needs rotary positions and gated layers"},
    {"new", "GTE (mGTE), which needs rotary positions and gated layers"},
    {"gte", "GTE (mGTE), which needs rotary positions and gated layers"},
    {"eurobert", "EuroBERT, which needs rotary positions, RMS norms and gated layers"},
    {"neobert", "NeoBERT, which needs rotary positions, RMS norms and gated layers"},
    {"roformer", "RoFormer, which needs rotary positions"},
    {"esm", "ESM, which needs rotary positions and norms before each layer"},
    {"jina*", "a Jina model, which needs rotary or ALiBi positions"},
    {"xlm-roberta-flash*", "a Jina model, which needs rotary positions and adapters"},
    {"deberta*", "DeBERTa, which needs attention by content and relative position apart"},
    {"albert", "ALBERT, which needs layers that share weights and a table of words in two factors"},
    {"electra", "ELECTRA, whose names of weights and projection of embeddings are not read"},
    {"camembert", "CamemBERT, whose tokenizer has ids of its own"},
    {"ernie4*", DECODER},
    {"ernie*", "ERNIE, which needs embeddings of tasks"},
    {"xlm-roberta-xl", "XLM-RoBERTa-XL, which needs norms before each layer"},
    {"roberta-prelayernorm", "RoBERTa-PreLayerNorm, which needs norms before each layer"},
    {"data2vec*", "data2vec, whose names of weights are not read"},
    {"mobilebert", "MobileBERT, which needs bottlenecks between its layers"},
    {"squeezebert", "SqueezeBERT, which needs grouped convolutions"},
    {"convbert", "ConvBERT, which needs convolutions"},
    {"fnet", "FNet, which needs Fourier transforms"},
    {"funnel", "Funnel, which needs pooling between its layers"},
    {"longformer", "Longformer, " SPARSE_ATTENTION},
    {"big_bird", "BigBird, " SPARSE_ATTENTION},
    {"nystromformer", "Nyströmformer, " SPARSE_ATTENTION},
    {"xlnet", "XLNet, which needs relative positions"},
    {"xlm", "XLM, which needs embeddings of languages"},
    {"flaubert", "FlauBERT, which needs embeddings of languages"},
    {"luke", "LUKE, which needs entities"},
    {"llama*", DECODER},
    {"qwen*", DECODER},
    {"mistral*", DECODER},
    {"mixtral*", DECODER},
    {"ministral*", DECODER},
    {"gemma*", DECODER},
    {"phi*", DECODER},
    {"olmo*", DECODER},
    {"cohere*", DECODER},
    {"stablelm", DECODER},
    {"granite*", DECODER},
    {"deepseek*", DECODER},
    {"glm*", DECODER},
    {"lfm*", DECODER},
    {"exaone*", DECODER},
    {"internlm*", DECODER},
    {"smollm*", DECODER},
    {"falcon*", OLD_DECODER},
    {"gpt*", OLD_DECODER},
    {"opt", OLD_DECODER},
    {"bloom", OLD_DECODER},
    {"mpt", OLD_DECODER},
    {"t5*", ENCODER_DECODER},
    {"mt5", ENCODER_DECODER},
    {"umt5", ENCODER_DECODER},
    {"longt5", ENCODER_DECODER},
    {"bart", ENCODER_DECODER},
    {"mbart", ENCODER_DECODER},
    {"m2m_100", ENCODER_DECODER},
    {"pegasus*", ENCODER_DECODER},
    {"clip*", IMAGES},
    {"chinese_clip*", IMAGES},
    {"siglip*", IMAGES},
    {"blip*", IMAGES},
    {"whisper", IMAGES},
    {NULL, NULL},
};
// clang-format on

static const char *lacks_find(const struct unsupported *table, const char *value) {
  for (; value && table->value; table++) {
    const size_t length = strlen(table->value);
    const bool open = table->value[length - 1] == '*';
    if (open ? !strncmp(value, table->value, length - 1) : !strcmp(value, table->value)) return table->lacks;
  }
  return NULL;
}

static bool kind_check(const char *folder, struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config_sentence_transformers.json", CONFIG_OPTIONAL, &file, error))
    return false;
  const char *kind = json_string_value(config_member(&file, "model_type"));
  const char *lacks = lacks_find(kinds, kind);
  if (lacks)
    error_set(error, ERROR_UNSUPPORTED,
              "%s: \"model_type\" is \"%s\": %s; nina runs a \"SentenceTransformer\"; %s", file.path, kind,
              lacks, SUPPORT_TABLE);
  config_file_free(&file);
  return !lacks;
}

/* Gives in *below the folder of the first module; "" if there is no list. The caller frees it. */
static bool modules_check_types(const char *folder, char **below, struct error *error) {
  struct config_file file;
  const char *lacks = NULL;
  size_t index;
  json_t *module;
  if (!config_list_read(folder, "modules.json", CONFIG_OPTIONAL, &file, error)) return false;
  json_array_foreach(file.root, index, module) {
    const char *type = json_string_value(json_object_get(module, "type"));
    if ((lacks = lacks_find(modules, type ? module_class(type) : NULL))) {
      error_set(error, ERROR_UNSUPPORTED,
                "%s: module %zu is %s: %s; nina runs a Transformer with its pooling; %s", file.path, index,
                type, lacks, SUPPORT_TABLE);
      break;
    }
  }
  const char *path = json_string_value(json_object_get(json_array_get(file.root, 0), "path"));
  *below = lacks ? NULL : strdup(path && config_name_is_plain(path) ? path : "");
  if (!lacks && !*below) error_set_memory(error, strlen(folder), "a path");
  config_file_free(&file);
  return *below != NULL;
}

/* Without modules.json the architecture tells a scorer from an encoder: its name, or NULL. */
static bool scorer_find(const char *folder, const struct config_file *config, const char **scorer,
                        struct error *error) {
  static const char ending[] = "ForSequenceClassification";
  const char *name = json_string_value(json_array_get(config_member(config, "architectures"), 0));
  const size_t length = name ? strlen(name) : 0;
  bool listed;
  *scorer = NULL;
  if (length < strlen(ending) || strcmp(name + length - strlen(ending), ending) != 0) return true;
  if (!look_in(folder, "modules.json", &listed, error)) return false;
  if (!listed) *scorer = name;
  return true;
}

/* sentence-transformers then opens the adapter's base model, whatever weights the folder has. */
static bool adapter_check(const char *place, struct error *error) {
  bool there;
  if (!look_in(place, "adapter_config.json", &there, error)) return false;
  return !there ||
         error_set(error, ERROR_UNSUPPORTED,
                   "%s/adapter_config.json: an adapter (PEFT) to a base model, which nina does not put "
                   "together; expected one model: make it with merge_and_unload() in Python, and save it",
                   place);
}

static bool config_check(const char *folder, const char *below, struct error *error) {
  struct config_file file;
  char *place = file_join(folder, below);
  if (!place) return error_set_memory(error, strlen(folder) + strlen(below) + 2, "a path");
  bool done =
      adapter_check(place, error) && config_file_read(place, "config.json", CONFIG_OPTIONAL, &file, error);
  free(place);
  if (!done) return false;
  const char *type = json_string_value(config_member(&file, "model_type"));
  const char *lacks = lacks_find(types, type), *scorer;
  done = scorer_find(folder, &file, &scorer, error);
  if (done && lacks)
    done = error_set(error, ERROR_UNSUPPORTED,
                     "%s: \"model_type\" is \"%s\": %s; nina runs " FAMILY_TYPES "; %s", file.path, type,
                     lacks, SUPPORT_TABLE);
  else if (done && scorer)
    done = error_set(error, ERROR_UNSUPPORTED, "%s: \"architectures\" is \"%s\": %s; %s", file.path, scorer,
                     SCORER, SUPPORT_TABLE);
  config_file_free(&file);
  return done;
}

bool support_check(const char *folder, struct error *error) {
  char *below = NULL;
  const bool done = kind_check(folder, error) && modules_check_types(folder, &below, error) &&
                    config_check(folder, below, error);
  free(below);
  return done;
}
