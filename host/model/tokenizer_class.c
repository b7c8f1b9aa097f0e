#include "host/model/tokenizer_class.h"

#include <string.h>

enum tokenizer_class tokenizer_class_parse(const char *name) {
  static const struct {
    const char *name;
    enum tokenizer_class class;
  } known[] = {
      {"TokenizersBackend", CLASS_GENERIC},
      {"PreTrainedTokenizerFast", CLASS_GENERIC},
      {"PreTrainedTokenizer", CLASS_GENERIC},
      {"XLMRobertaTokenizer", CLASS_XLM_ROBERTA},
      {"XLMRobertaTokenizerFast", CLASS_XLM_ROBERTA},
      {"RobertaTokenizer", CLASS_ROBERTA},
      {"RobertaTokenizerFast", CLASS_ROBERTA},
      {"BertTokenizer", CLASS_BERT},
      {"BertTokenizerFast", CLASS_BERT},
      {"DistilBertTokenizer", CLASS_BERT},
      {"DistilBertTokenizerFast", CLASS_BERT},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(name, known[i].name)) return known[i].class;
  return CLASS_OTHER;
}

enum tokenizer_class tokenizer_class_of_family(enum family family) {
  switch (family) {
    case FAMILY_XLM_ROBERTA:
      return CLASS_XLM_ROBERTA;
    case FAMILY_ROBERTA:
      return CLASS_ROBERTA;
    case FAMILY_BERT:
    case FAMILY_DISTILBERT:
      return CLASS_BERT;
  }
  return CLASS_OTHER;
}

const char *special_token_key(enum special_token token) {
  static const char *const keys[SPECIAL_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                   "pad_token", "cls_token", "mask_token"};
  return keys[token];
}

const char *tokenizer_class_token(enum tokenizer_class class, enum special_token token) {
  static const char *const roberta[SPECIAL_TOKENS] = {"<s>",   "</s>", "<unk>", "</s>",
                                                      "<pad>", "<s>",  "<mask>"};
  static const char *const bert[SPECIAL_TOKENS] = {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
  switch (class) {
    case CLASS_BERT:
      return bert[token];
    case CLASS_XLM_ROBERTA:
    case CLASS_ROBERTA:
      return roberta[token];
    case CLASS_UNNAMED:
    case CLASS_GENERIC:
    case CLASS_OTHER:
      return NULL;
  }
  return NULL;
}
