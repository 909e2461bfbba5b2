# SPDX-License-Identifier: Apache-2.0
"""Awkward texts for check_tokenizers.py: fixed ones and a generator. All of it is made up."""

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r\n\r\n \r\n", " \n \n\n \t \t\t \n", "a", " a", "a ", " a ",
    "Hello, world!", " Hello  world  ", "I'm you're WE'LL it'S don't 'twas ''s",
    "患者男，65岁，因“反复咳嗽、咳痰10年，加重3天”入院。T 38.5℃，P 102次/分，R 24次/分，BP 150/90mmHg。",
    "WBC 12.5×10⁹/L，N 85.2%，CRP 56.3mg/L，PCT 0.8μg/L，血糖6.1mmol/L，SpO₂ 92%（吸氧2L/min）。",
    "予头孢哌酮舒巴坦3.0g q8h静滴，氨溴索30mg bid；复查PaO₂/FiO₂≥300。2025-03-01 08:30:00",
    "诊断：1、慢性阻塞性肺疾病急性加重期；2、Ⅱ型呼吸衰竭；3、高血压病3级（极高危）",
    "体温36.5°C～37.2°C，尿量1500ml/24h，肌酐88µmol/L，γ-GT 45U/L，α-羟丁酸",
    "👨‍👩‍👧‍👦 family 👩🏽‍⚕️ doctor 🏳️‍🌈 flag 🇨🇳 😶‍🌫️ 🦙.cpp ❤️ ☎️ 1️⃣",
    "for (int i = 0; i < n; i++) {\n\tx[i] += y[i] * 2.5e-3f;  // café\n}\n\n\n    return NULL;\n",
    "def f(x):\n    \"\"\"doc\"\"\"\n    return {'a': [1, 22, 333, 4444, 55555], 'b': None}\n\n",
    "<html><body class=\"x\">&nbsp;</body></html> http://example.org/a?b=c&d=%20#e",
    "0 00 000 0000 00000 000000 1234567890 3.14159 1,000,000 ١٢٣ ४५६ ½ ² ³ Ⅳ ①②③ １２３",
    "naïve café résumé Ångström Ǆ ß ẞ İstanbul ıI ﬁ ﬂ e\u0301 A\u030a o\u0308\u0304 ñ n\u0303",
    "שלום עולם مرحبا بالعالم \u202eRTL\u202c \u200fabc\u200e हिन्दी ไทย ខ្មែរ 한국어 조선말 \u1112\u1161\u11ab 日本語カタカナ ﾊﾝｶｸ",
    "\u00a0nbsp\u3000ideographic\u2003em\u200bzero\u200dzwj\ufeffbom\u2028line\u2029para\u0085nel\u1680ogham\u180e",
    "\u0000nul\u0001\u001f\u007f\u0080\u009f", "\ufffd\ufffe\uffff\U0010ffff", "\ue000\uf8ff private",
    "................ !!!!!!!! -------- ======== ________ ~~~~~~~~ ```` '''' \"\"\"\"",
    "a" * 300, " " * 300, "\n" * 100, "ab" * 200, "中" * 200, "1" * 100, "! " * 100, "\t " * 50,
    "supercalifragilisticexpialidocious" * 8, "x" + " " * 60 + "y" + "\n" * 9 + "z",
    "▁▁ ▁ a▁b _ ▁", "<0x0A> <0xE4><0xB8> ##ing [CLS] [UNK] <unk> <s> </s> <pad> <mask>",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|><think></think><|eot_id|><bos><eos><|user|>",
    " <|im_end|> <s> x </s> y<s>z", "ＦＵＬＬ　ｗｉｄｔｈ！？，。；：“”‘’（）【】《》、—…·￥",
    "㈱ ㎡ ㎎ ℃ ℉ № ™ © ® ‰ ∞ ≤ ≥ ≠ ± × ÷ √ ∑ → ← ↑ ↓ ⇒ Ω Å K", "ſ 'ſ K 'K ΟΔΟΣ ὈΔΥΣΣΕΎΣ ǅ ŉ",
    "𝒜𝓁𝓅𝒽𝒶 𠀀𪛖 𐍈 🀄 𝟘𝟙", "Ꙁꙁ ꭰ Ა ა 𞤀 ᵷ ʕ ƻ", "a\u0300\u0301\u0302\u0303b\u0315\u0300", "가각힣ㄱㅎ", "\u0e33\u0eb3",
]

INVALID = [b"\xff", b"abc\xfe\xffdef", b"\xe4\xbd", b"\xe4\xbd\xa0\xe5\xa5", b"\xc0\xaf", b"\xed\xa0\x80x", b"\xf4\x90\x80\x80",
           b"a\x80b\xbfc", b"\xf0\x9f\x98 \xf0\x9f\x98\x80", b"12\xff34\n\xe4\n"]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "     \t\n\r\u00a0\u3000",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "的一是不了人我在有他这为之大来以个中上们患者入院诊断治疗血压心率",
    "，。、；：？！“”‘’（）《》【】—…·", "éèêëàâäôöùûüçñåøæœßÉÀÖ", "αβγδμΩ°℃℉×÷±≤≥²³⁹₂½Ⅱ①",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя", "אבגדהוזחט\u05b0\u05b1ابتثجح\u064b\u064c", "अआइईउऊ\u093e\u093f\u094dกขคง\u0e34\u0e48",
    "あいうえおアイウエオーｱｲｳ", "가나다라마한국\u1100\u1161\u11a8", "😀😁👩👨🏽❤🇨🇳\u200d\ufe0f\u20e3", "\u0300\u0301\u0308\u0327\u0323",
    "\u200b\u200e\u200f\u2028\u2029\u0085\ufeff\u00ad", "𝒜𝟘𠀀𐍈", "▁_ ", "\u0000\u0001\u0007\u001b\u007f",
]
PHRASES = ["'s", "'RE", "'ll", " the", "ing", "  ", "\n\n", "\r\n", "    ", "http://", "://", "mmHg", "×10⁹/L", "μg/L", "患者", "1234", "。\n",
           "\t\t", "...", "<s>", "</s>", "<unk>", "##", "▁", "<0x0A>", "e\u0301", "👩‍⚕️"]


def random_text(generator, specials=()):
    """A text of up to some 200 characters: runs from one alphabet, phrases, sometimes a special token."""
    parts = []
    for _ in range(generator.randint(1, 24)):
        kind = generator.random()
        if kind < 0.70:
            alphabet = generator.choice(ALPHABETS)
            parts.append("".join(generator.choice(alphabet) for _ in range(generator.randint(1, 9))))
        elif kind < 0.93 or not specials:
            parts.append(generator.choice(PHRASES))
        else:
            parts.append(generator.choice(specials))
        if generator.random() < 0.3:
            parts.append(" ")
    return "".join(parts)
