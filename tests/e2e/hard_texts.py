"""Texts that are hard to tokenize, and a tokenizer that shows everything that happens to them.

This file alone makes the texts, so the golden files need only a checksum of the ids. scripts/make-golden-tokens computes the ids
with the reference (transformers), tests/e2e/test_tokens.py with nina.
"""

import json
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Any

BLOCK = 256  # code points per checksum
QUARTER = 64  # code points per text: few enough for a model's longest input
GROUP = 10  # mutated texts per checksum
MUTATED = 10_000

# All assigned characters are in planes 0 to 3 and in the tags, except private use and the variation selectors after the tags.
CODE_POINTS = [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000)]

# Beside, before and after other characters: alone, among letters, before a mark, after a character that the map replaces (½, ﬁ),
# after a space of two bytes, in a composition, after a virama, in a Hangul syllable, around a joiner.
TEMPLATES = (
    "{}",
    "a{}b",
    "{}\u0301",
    "½{}",
    "ﬁ{}x",
    "\u00a0{}",
    "e{}\u0301",
    "\u0915\u094d{}",
    "\u1100{}",
    "{}\u200d{}",
)

SPACES = (
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x85",
    "\u00a0",
    "\u2003",
    "\u200b",
    "\u2028",
    "\u3000",
    "\ufeff",
)
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
SCRIPTS = {
    "latin": (
        "L'ajuntament va aprovar la col·lecció d'enguany.",
        "Tiếng Việt có nhiều dấu: Hội đồng thành phố",
        "Łódź, Çeşme, ångström ÀÉÎÕÜ ǖ",
    ),
    "greek": ("Ἐν ἀρχῇ ἦν ὁ λόγος, καὶ ὁ λόγος ἦν πρὸς τὸν θεόν", "Η δημοτική βιβλιοθήκη ΆΈΉΊΌΎΏ ϊΐ ϋΰ"),
    "cyrillic": ("Городская библиотека открыта; ёлка, йод, ќе ѓ", "Їжак і ґанок: Київ, ў Мінску, ѷ"),
    "arabic": (
        "المكتبة العامة مفتوحة مع التَّشْكِيل، ١٢٣؟",
        "آب إلى أُمّ ؤئ لله ﷺ ﷲ ﻻ ﺑﺴﻢ",
        "שָׁלוֹם בַּיִת עִבְרִית",
    ),
    "devanagari": ("हिन्दी में पाठ क़ ज़ ड़ फ़ क्षत्रिय कि की श्री", "বাংলা বোঝো ড় য় கொ தமிழ் ക്ഷേത്രം"),
    "thai": ("ข้อความภาษาไทยไม่มีช่องว่าง กำลัง น้ำ ฤๅ", "ພາສາລາວ ຳ བོད་ཡིག ཧཱུྃ မြန်မာ"),
    "hangul": (
        "한국어 서울시 도서관은 열려 있습니다",
        "ᄒᆞᆫ글 \u1112\u1161\u11ab\u1100\u116e\u11a8 ㅋㅋ ﾡﾢ 각갂",
    ),
    "kana": (
        "日本語のテキスト、東京都。ガギグゲゴ パピプ",
        "ｶﾞｷﾞ ﾊﾟ ｱｲｳ ㌔㍿①㊙ は\u3099 神\ufe00 豈 這是繁體",
        "😀👍🏽👩\u200d🚀🇪🇸🇦🇩 1️⃣ ❤️ ☺︎",
    ),
}
MARKS = (
    "\u0300",
    "\u0301",
    "\u0302",
    "\u0308",
    "\u0323",
    "\u0327",
    "\u0338",
    "\u0341",
    "\u0344",
    "\u064b",
    "\u0651",
    "\u05b7",
    "\u093c",
    "\u094d",
    "\u093f",
    "\u0e33",
    "\u0e49",
    "\u0345",
    "\u3099",
    "\uff9e",
    "\uff9f",
    "\u11a8",
    "\u1161",
    "\u200d",
    "\u200c",
    "\ufe0f",
    "\u20e3",
    "\U0001f3fb",
    "\U000e0067",
    "\u0600",
    "\u1100",
    "\U0001f1e6",
)
STRANGE = (
    "½",
    "ﬁ",
    "ĳ",
    "´",
    "¨",
    "ª",
    "™",
    "㌔",
    "\ufdfa",
    "Ⅷ",
    "⑴",
    "\u00ad",
    "\x00",
    "\x01",
    "\x7f",
    "▁",
    "\ufffd",
    "\u2011",
    "＜",
    "ｓ",
    "＞",
    "\ue000",
    "\U0010ffff",
    "𝒜",
)


class Dice:
    """The random generator from Numerical Recipes: it gives the same numbers in every Python version."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def roll(self, below: int) -> int:
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) * below >> 24

    def pick(self, choices: Any) -> Any:
        return choices[self.roll(len(choices))]


def code_point_blocks() -> Iterator[tuple[int, list[str]]]:
    """Each block's first code point, and its texts. A line feed ends every cluster."""
    for start in range(0, 0xE1000, BLOCK):
        texts = []
        for first in range(start, start + BLOCK, QUARTER):
            points = [point for point in range(first, first + QUARTER) if point in ASSIGNABLE]
            if points:
                texts.append(
                    "\n".join(
                        template.replace("{}", chr(point)) for point in points for template in TEMPLATES
                    )
                )
        if texts:
            yield start, texts


ASSIGNABLE = frozenset(CODE_POINTS)


def mutate(dice: Dice, text: list[str], others: list[str]) -> None:
    at = dice.roll(len(text) + 1)
    match dice.roll(9):
        case 0 | 1 | 2:
            text[at:at] = [dice.pick(MARKS)] * (1 + dice.roll(3) // 2)
        case 3:
            text.insert(at, dice.pick(SPACES))
        case 4:
            text.insert(at, dice.pick(STRANGE))
        case 5:
            text.insert(at, dice.pick((*SPECIAL, *(token["content"] for token in ADDED))))
        case 6:
            del text[at : at + 1 + dice.roll(3)]
        case 7:
            text[at:at] = text[max(0, at - 1 - dice.roll(4)) : at]
        case 8:
            text.insert(at, dice.pick(others))


def mutated_texts() -> list[str]:
    """Texts in eight scripts, composed and decomposed, each with 0 to 11 changes."""
    dice = Dice(20)
    forms = [
        [unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD", "NFKC", "NFKD")]
        for texts in SCRIPTS.values()
    ]
    letters = sorted({letter for texts in forms for text in texts for letter in text})
    made = []
    for i in range(MUTATED):
        whole = dice.pick(forms[i % len(forms)])
        start = dice.roll(len(whole))
        text = list(whole[start : start + 1 + dice.roll(40)])
        for _ in range(dice.roll(12)):
            mutate(dice, text, letters)
        made.append("".join(text))
    return made


def added(content: str, **settings: bool) -> dict[str, Any]:
    off = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"content": content, **off, **settings}


# Tokens of every kind. Tokens that are not single characters come after the vocabulary.
ADDED = [
    added("[PREGUNTA]", special=True),
    added("[PASSATGE]", special=True),
    added("[nou]", normalized=True),
    added("ﬁx", normalized=True),
    added("<esquerra>", lstrip=True),
    added("<dreta>", rstrip=True, special=True),
    added("<tots dos>", lstrip=True, rstrip=True),
    added("mot", single_word=True),
    added("Ñu", single_word=True, normalized=True),
    added("<s", special=True),
    added("<s>>"),
    added("é"),
    added("の", normalized=True, lstrip=True),
]


def numbered(names: list[str], tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Added tokens, sorted by id: the place of a token's text among the pieces' names, or after them."""
    ids = {name: i for i, name in enumerate(dict.fromkeys([*names, *(token["content"] for token in tokens)]))}
    return sorted(({"id": ids[token["content"]], **token} for token in tokens), key=lambda token: token["id"])


def character_tokenizer(base: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer.json with every character as a piece: its ids spell the normalised text. `base` has the map."""
    names = [*SPECIAL[:4], "▁", *(chr(point) for point in CODE_POINTS if chr(point) != "▁"), SPECIAL[4]]
    tokens = [*(added(name, special=True, lstrip=name == "<mask>") for name in SPECIAL), *ADDED]
    vocabulary = [[name, 0.0 if name in SPECIAL else -1.0] for name in names]
    return base | {"added_tokens": numbered(names, tokens), "model": base["model"] | {"vocab": vocabulary}}


BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def wordpiece_tokenizer(base: dict[str, Any], lowercase: bool) -> dict[str, Any]:
    """The same of a WordPiece model, which has every character twice: at a word's beginning and after it."""
    letters = [chr(point) for point in CODE_POINTS if point and not chr(point).isspace()]
    tokens = [*(added(name, special=True) for name in BERT_SPECIAL), *ADDED]
    names = [*BERT_SPECIAL, *letters, *("##" + letter for letter in letters)]
    ids = {name: i for i, name in enumerate(dict.fromkeys(names))}
    normaliser = base["normalizer"] | {"lowercase": lowercase}
    processor = base["post_processor"]
    for name, special in processor["special_tokens"].items():
        special["ids"] = [ids[name]]
    model = base["model"] | {"vocab": ids}
    return base | {"added_tokens": numbered(names, tokens), "normalizer": normaliser, "model": model}


def byte_tokenizer(base: dict[str, Any]) -> dict[str, Any]:
    """A byte BPE whose pieces are all bytes and all pairs of bytes, so that the ids show where a text is cut into words."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = [chr(byte) for byte in printed] + [chr(256 + i) for i in range(len(others))]
    pairs = [(one, other) for one in letters for other in letters]
    names = [*SPECIAL[:4], *letters, *(one + other for one, other in pairs), SPECIAL[4]]
    tokens = [*(added(name, special=True, lstrip=name == "<mask>") for name in SPECIAL), *ADDED]
    ids = {name: i for i, name in enumerate(names)}
    # In an order in which neighbours compete: the second byte counts first.
    merges = sorted(pairs, key=lambda pair: (letters.index(pair[1]) * 37 % 256, letters.index(pair[0])))
    return base | {"added_tokens": numbered(names, tokens), "model": base["model"] | {"vocab": ids, "merges": merges}}


def character_models(golden: Any) -> list[dict[str, Any]]:
    """The models whose pieces are all the characters: the ending of their golden files, and what is other in the folder."""
    unigram, wordpiece = (
        json.loads((golden / model / "tokenizer.json").read_text()) for model in ("bert-mean-v6", "bert-cased")
    )

    def wordpiece_files(lowercase: bool) -> dict[str, Any]:
        return {
            "tokenizer.json": wordpiece_tokenizer(wordpiece, lowercase),
            "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase},
        }

    return [
        {"ending": "", "files": {"tokenizer.json": character_tokenizer(unigram)}},
        {"ending": "-bert", "files": wordpiece_files(True)},
        {"ending": "-bert-cased", "files": wordpiece_files(False)},
        {
            "ending": "-bytes",
            "files": {
                "tokenizer.json": byte_tokenizer(json.loads((golden / "roberta" / "tokenizer.json").read_text())),
                "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer"},
            },
        },
    ]


def checksum(ids: list[list[int]]) -> str:
    return f"{zlib.crc32(json.dumps(ids, separators=(',', ':')).encode()):08x}"


ADDED_TEXTS = [
    "[PREGUNTA] Quan obre?",
    "x[PASSATGE]y",
    "[PREGUNTA][PASSATGE]",
    "[nou] mot, motlle",
    "l’[nou]l",
    "</s> <mask>",
    "a <mask> b",
    " <unk>a<pad>",
    "[ESQUERRA]  [DRETA]",
    "a [ESQUERRA] b",
    "a  [DRETA]  b",
    "m[MOT]m [MOT] é[MOT]",
    "ﬁ[FI] [ﬁ]",
    "a<s>b",
    "＜s＞ ＜unk＞",
]


def added_token_folders(golden: Any) -> list[dict[str, Any]]:
    """Tokenizer folders that keep their added tokens in one file or another, as different versions of transformers save them."""
    pieces = 640
    one, two = (added(name, special=True) for name in ("[PREGUNTA]", "[PASSATGE]"))
    kinds = [
        one,
        two,
        added("[nou]", normalized=True),
        added("[ESQUERRA]", lstrip=True),
        added("[DRETA]", rstrip=True),
        added("[MOT]", single_word=True, normalized=True),
        added("[FI]", normalized=True),
    ]
    decoder = {str(pieces + i): token for i, token in enumerate(kinds)}
    named = {
        "0": added("<s>", special=True),
        "1": added("<pad>", special=True),
        "2": added("</s>", special=True),
        "3": added("<unk>", special=True),
        "639": added("<mask>", special=True, lstrip=True),
    }
    old, new = (
        json.loads((golden / model / "tokenizer_config.json").read_text())
        for model in ("xlmr-cls-v3", "bert-mean-v6")
    )
    whole = json.loads((golden / "bert-mean-v6" / "tokenizer.json").read_text())
    special_map = json.loads((golden / "xlmr-cls-v3" / "special_tokens_map.json").read_text())
    mask = {"content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False}
    ids = {token["content"]: pieces + i for i, token in enumerate(kinds)}

    def changed(name: str, model: str, files: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "model": model, "files": files}

    config, special, legacy = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
    return [
        changed("spm-plain", "xlmr-cls-v3", {}),
        changed("spm-decoder", "xlmr-cls-v3", {config: old | {"added_tokens_decoder": named | decoder}}),
        changed("spm-decoder-alone", "xlmr-cls-v3", {config: old | {"added_tokens_decoder": decoder}}),
        changed(
            "spm-decoder-and-extra",
            "xlmr-cls-v3",
            {
                config: old
                | {"added_tokens_decoder": named, "extra_special_tokens": ["[PREGUNTA]", "[PASSATGE]"]}
            },
        ),
        changed(
            "spm-legacy",
            "xlmr-cls-v3",
            {legacy: ids, special: special_map | {"additional_special_tokens": ["[PREGUNTA]", "[PASSATGE]"]}},
        ),
        changed("spm-legacy-alone", "xlmr-cls-v3", {legacy: {"<mask>": 639} | ids}),
        changed(
            "spm-extra",
            "xlmr-cls-v3",
            {config: old | {"additional_special_tokens": ["[PASSATGE]", "[PREGUNTA]"]}},
        ),
        changed("spm-map", "xlmr-cls-v3", {special: special_map | {"mask_token": mask}}),
        changed(
            "spm-other-mask",
            "xlmr-cls-v3",
            {special: special_map | {"mask_token": "[nou]"}, config: old | {"mask_token": "[nou]"}},
        ),
        changed("spm-own-token", "xlmr-cls-v3", {config: old | {"question_token": "[PREGUNTA]"}}),
        changed(
            "spm-split-special",
            "xlmr-cls-v3",
            {config: old | {"added_tokens_decoder": named | decoder, "split_special_tokens": True}},
        ),
        changed("json-decoder", "bert-mean-v6", {config: new | {"added_tokens_decoder": named | decoder}}),
        changed("json-legacy", "bert-mean-v6", {legacy: ids}),
        changed("json-class-of-the-model", "bert-mean-v6", {config: {}, "tokenizer.json": whole | {"added_tokens": []}}),
        changed(
            "json-saved-own-token",
            "bert-mean-v6",
            {config: new | {"model_specific_special_tokens": {"question_token": "[PREGUNTA]"}}},
        ),
        changed(
            "json-two-lists",
            "bert-mean-v6",
            {
                config: new | {"additional_special_tokens": ["[PASSATGE]"], "extra_special_tokens": []},
                special: {"extra_special_tokens": ["[PREGUNTA]"], "additional_special_tokens": ["[ESQUERRA]"]},
            },
        ),
        changed(
            "json-generic",
            "bert-mean-v6",
            {
                config: new
                | {
                    "tokenizer_class": "TokenizersBackend",
                    "extra_special_tokens": ["[PREGUNTA]", "[PASSATGE]"],
                }
            },
        ),
        changed(
            "json-generic-decoder",
            "bert-mean-v6",
            {
                config: new
                | {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": named | decoder}
            },
        ),
    ]


# Beside ADDED_TEXTS, for the folders of BERT's tokenizer.
BERT_TEXTS = [
    "[CLS] a [SEP][MASK]b [UNK][PAD]",
    "[cls] [Mask]",
    "l'Ajuntament d'ÀREA, NÚM. 3.500 €!",
    "\u0130stanbul \u00ecn\u0303 e\u0301",
    "的carrer中 한국어",
    "a\x0bb a\x85b \u200bc",
]


def bert_folders(golden: Any) -> list[dict[str, Any]]:
    """Folders of BERT's tokenizer, whose settings stand in one file or another."""
    old = json.loads((golden / "bert-uncased" / "tokenizer_config.json").read_text())
    new = json.loads((golden / "bert-cased" / "tokenizer_config.json").read_text())
    whole = json.loads((golden / "bert-cased" / "tokenizer.json").read_text())
    lower = whole | {"normalizer": whole["normalizer"] | {"lowercase": True}}
    pieces = {"bert-uncased": len((golden / "bert-uncased" / "vocab.txt").read_text().splitlines())}
    pieces["bert-cased"] = len(whole["model"]["vocab"])
    tokens = [
        added("[PREGUNTA]", special=True),
        added("[PASSATGE]", special=True),
        added("[nou]", normalized=True),
        added("[ESQUERRA]", lstrip=True),
        added("[MOT]", single_word=True, normalized=True),
        added("Ñu", normalized=True),
    ]
    extra = {"extra_special_tokens": ["[PREGUNTA]", "[PASSATGE]"]}
    config, file = "tokenizer_config.json", "tokenizer.json"

    def decoder(model: str) -> dict[str, Any]:
        return {"added_tokens_decoder": {str(pieces[model] + i): token for i, token in enumerate(tokens)}}

    def legacy(model: str) -> dict[str, Any]:
        return {"added_tokens.json": {token["content"]: pieces[model] + i for i, token in enumerate(tokens)}}

    def changed(name: str, model: str, files: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "model": model, "files": files}

    return [
        changed("vocab-plain", "bert-uncased", {}),
        changed("vocab-alone", "bert-uncased", {config: None, "special_tokens_map.json": None}),
        changed("vocab-cased", "bert-uncased", {config: old | {"do_lower_case": False}}),
        changed("vocab-cased-strip", "bert-uncased", {config: old | {"do_lower_case": False, "strip_accents": True}}),
        changed("vocab-accents", "bert-uncased", {config: old | {"strip_accents": False}}),
        changed("vocab-chinese", "bert-uncased", {config: old | {"tokenize_chinese_chars": False}}),
        changed("vocab-decoder", "bert-uncased", {config: old | decoder("bert-uncased")}),
        changed("vocab-legacy", "bert-uncased", legacy("bert-uncased")),
        changed("vocab-extra", "bert-uncased", {config: old | extra}),
        changed(
            "vocab-split-special",
            "bert-uncased",
            {config: old | decoder("bert-uncased") | {"split_special_tokens": True}},
        ),
        changed("wordpiece-plain", "bert-cased", {}),
        changed("wordpiece-decoder", "bert-cased", {config: new | decoder("bert-cased")}),
        changed("wordpiece-file-says-lower", "bert-cased", {file: lower}),
        changed(
            "wordpiece-generic",
            "bert-cased",
            {config: new | extra | {"tokenizer_class": "PreTrainedTokenizerFast"}, file: lower},
        ),
        changed(
            "wordpiece-generic-decoder",
            "bert-cased",
            {config: new | decoder("bert-cased") | {"tokenizer_class": "TokenizersBackend"}},
        ),
    ]


# Beside ADDED_TEXTS, for the folders of RoBERTa's tokenizer.
ROBERTA_TEXTS = [
    "",
    " ",
    "\n",
    "'s",
    " it's we'll l'home d'el",
    "a  b\n\nc \n d  ",
    "</s>el</s> carrer <s>",
    "x <mask> <mask>y",
    "[nou]a [nou] [PREGUNTA]del  carrer",
    "é字\u00a0\u3000 x",
    "el Ñu Ñus, en un",
]


def roberta_folders(golden: Any) -> list[dict[str, Any]]:
    """Folders of RoBERTa's tokenizer: both forms, and settings that the class takes from one file and other classes from another."""
    config = json.loads((golden / "roberta" / "tokenizer_config.json").read_text())
    whole = json.loads((golden / "roberta" / "tokenizer.json").read_text())
    vocabulary, merges = whole["model"]["vocab"], whole["model"]["merges"]
    pieces = len(vocabulary)
    # RoBERTa's own files have its special tokens "normalized".
    tokens = {vocabulary[name]: added(name, special=True, normalized=True) for name in SPECIAL[:4]}
    tokens[vocabulary["<mask>"]] = added("<mask>", special=True, lstrip=True)
    kinds = [
        added("[PREGUNTA]", special=True),
        added("[nou]", normalized=True),
        added("[ESQUERRA]", lstrip=True),
        added("[DRETA]", rstrip=True, normalized=True),
        added("[MOT]", single_word=True),
        added("Ñu", single_word=True, normalized=True),
        added(" en un", normalized=True),
    ]
    tokens |= {pieces + i: token for i, token in enumerate(kinds)}
    decoder = {"added_tokens_decoder": {str(place): token for place, token in tokens.items()}}
    lines = "#version: 0.2\n" + "".join(f"{one} {other}\n" for one, other in merges)
    old = {"tokenizer.json": None, "vocab.json": vocabulary, "merges.txt": lines}
    without_mask = old | {
        "tokenizer_config.json": {key: value for key, value in config.items() if key != "mask_token"},
        "vocab.json": {name: place for name, place in vocabulary.items() if name != "<mask>"},
    }
    twice = old | {
        "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer"},
        "special_tokens_map.json": {"bos_token": "<s>", "cls_token": added("<s>", lstrip=True), "eos_token": added("</s>", rstrip=True)},
    }
    prefix, generic = {"add_prefix_space": True}, {"tokenizer_class": "PreTrainedTokenizerFast"}
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {
            name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("<s>", "</s>")
        },
    }
    level = whole["pre_tokenizer"] | {"add_prefix_space": True, "trim_offsets": False}
    sequence = {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [level]},
        "post_processor": {"type": "Sequence", "processors": [level, template]},
    }

    def changed(name: str, settings: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "model": "roberta", "files": {"tokenizer_config.json": config | settings} | files}

    def json_with(**settings: Any) -> dict[str, Any]:
        return {"tokenizer.json": whole | {"pre_tokenizer": whole["pre_tokenizer"] | settings}}

    return [
        changed("bytes-plain", {}, {}),
        changed("bytes-merges", {}, old),
        changed("bytes-merges-prefix", prefix, old),
        changed("bytes-merges-decoder", decoder, old),
        changed("bytes-decoder-prefix", decoder | prefix, {}),
        changed("bytes-split-special", decoder | {"split_special_tokens": True}, {}),
        changed("bytes-file-says-prefix", {}, json_with(add_prefix_space=True)),
        changed("bytes-generic-prefix", generic, json_with(add_prefix_space=True)),
        changed("bytes-generic-whole", generic, json_with(use_regex=False)),
        changed("bytes-mask-is-no-piece", {}, without_mask),
        changed("bytes-later-name-counts", {}, twice),
        changed("bytes-mask-is-null", {"mask_token": None}, {"tokenizer.json": whole | {"added_tokens": []}}),
        changed("bytes-token-of-space", {"added_tokens_decoder": {str(pieces): added("\n", lstrip=True, rstrip=True)}}, {}),
        changed("bytes-generic-sequence", generic, {"tokenizer.json": whole | sequence}),
    ]


def file_bytes(content: Any) -> bytes:
    """What a folder's file holds: a text as it is, anything else as JSON."""
    return (content if isinstance(content, str) else json.dumps(content)).encode()


def folders_with_texts(golden: Any) -> list[tuple[dict[str, Any], list[str]]]:
    """All folders, and the texts whose ids the golden file has."""
    return [
        *((folder, ADDED_TEXTS) for folder in added_token_folders(golden)),
        *((folder, ADDED_TEXTS + BERT_TEXTS) for folder in bert_folders(golden)),
        *((folder, ADDED_TEXTS + ROBERTA_TEXTS) for folder in roberta_folders(golden)),
    ]
