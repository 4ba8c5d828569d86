"""A turn of speech as the reader writes it down, and remarks in it that state nothing."""

import re
from collections.abc import Iterable

from byheart.documents.languages.language import UNSPACED
from byheart.documents.pairs.question_words import ASKING

# The blank behind the colon is one at which no line breaks. It tells a turn from any other "Word: words": the reader
# has decided that somebody speaks, with times and names before it, which the text that it returns no longer shows.
TURN = re.compile(r"(?P<speaker>[^\n:]{1,60}):\u00a0(?=\S)")
_LOOKALIKE = re.compile(r"^([^\n:]{1,60}):\u00a0", re.MULTILINE)

_INTERJECTIONS = (
    r"um+|uh+|uhm+|er+|erm+|h+m+|mm+|mhm|uh-huh|ah+|oh+|o?kay|ok|yeah|yep|yup|nope|yes|no|right|sure|great|good|nice|wow|well|so|"
    r"cool|perfect|lovely|fine|alright|all right|exactly|absolutely|definitely|indeed|really|wonderful|excellent|fantastic|"
    r"amazing|awesome|brilliant|interesting|fascinating|true|correct|got it|i see|of course|certainly|thanks|thank you|"
    r"many thanks|please|sorry|hello|hi|hey|hi there|hello there|good (?:morning|afternoon|evening|night)|bye|goodbye|bye-bye|"
    r"cheers|you(?:['’]re)? welcome|no problem|my pleasure|the pleasure is mine|likewise|go ahead|go on|and|but|then|now|there|"
    r"everyone|everybody|all|guys|folks|again|very much|so much|a lot|too|same here|lol|haha+|"
    r"ja|nein|genau|klar|gut|danke|vielen dank|bitte|gern|gerne|hallo|tschüss|oui|non|merci|d['’]accord|bien sûr|bonjour|au revoir|"
    r"s[ií]|gracias|muchas gracias|claro|bueno|vale|hola|grazie|va bene|certo|ciao|obrigad[oa]|sim|não|olá|oi|nee|dank je|dank u|"
    r"tak|nie|dziękuję|да|нет|спасибо|хорошо|привет|嗯|好|好的|对|是|是的|谢谢|はい|ええ|そうですね|ありがとうございます|네|감사합니다"
)
_PHRASES = (
    r"(?:thanks|thank you)(?: (?:so|very) much)?(?:, [\w.’' -]{1,40}?,?)? (?:for (?:having|inviting|joining|coming|being|listening|watching|"
    r"tuning|your time|the (?:invitation|question|chat|info|update|help)|that|sharing|calling|taking the time)[^.!?]{0,40}|to (?:you|all|everyone|both)[^.!?]{0,20})"
    r"|(?:it(?:['’]s| is| was)|what) (?:an? )?(?:real |great |absolute )?(?:great|good|lovely|nice|wonderful|pleasure|honou?r|joy) (?:to )?(?:be(?:ing)? (?:here|back|with you)|"
    r"have you[^.!?]{0,30}|see(?:ing)? you|meet(?:ing)? you|talk(?:ing)? (?:to|with) you)[^.!?]{0,20}"
    r"|(?:(?:i(?:['’]m| am) )?(?:so |very )?(?:glad|happy|good|nice|great|pleased|delighted|sorry)) to (?:be (?:here|back)|have you|see you|meet you|hear(?: that| it)?|help)[^.!?]{0,20}"
    r"|let['’]?s (?:take (?:a|our|another) (?:short |quick |little |brief )?break|move on|get (?:started|going|into it|to it)|begin|go on|continue|dive in|see|start|jump in)"
    r"[^.!?]{0,20}|we(?:['’]ll| will) be (?:right )?back[^.!?]{0,40}|stay (?:tuned|with us)[^.!?]{0,20}|how are you(?: doing)?(?: today)?|"
    r"(?:i(?:['’]m| am) )?(?:doing )?(?:very |pretty )?(?:well|fine|good),? (?:thanks|thank you)|"
    r"that(?:['’]s| is| was| makes)(?: an?| so| very| really| such a)* (?:right|true|correct|great|fair|interesting|fascinating|amazing|good|excellent|tricky|hard|funny|lovely|wonderful|sense|it)"
    r"(?: (?:question|point|one|idea|answer|tip|advice|enough|news|story|to (?:hear|know)))?(?: (?:for|from) (?:today|me|us))?|(?:good|great|fair|excellent|interesting) (?:question|point|idea|tip|enough)|see you(?: [^.!?]{0,25})?|take care|have a (?:good|nice|great) \w+|"
    r"until (?:next time|then|next \w+)|(?:so )?let me (?:think|see)[^.!?]{0,20}|i(?:['’]d| would) (?:love|be happy|be glad) to|"
    r"(?:i )?(?:totally |completely |fully )?agree(?:d)?(?: (?:with (?:you|that)|completely))?|you know(?: what)?|as i (?:said|say)|can you hear me(?: now)?|you['’]re on mute|"
    r"i can hear you[^.!?]{0,15}|welcome(?: back)?(?: (?:everyone|everybody|all|to (?:the|our|this) (?:show|podcast|program(?:me)?|episode|channel|meeting)))?|not (?:at all|really|yet)|i (?:think|guess|suppose|know) so|"
    r"tell (?:me|us) more|(?:and )?(?:what|how) about you|(?:and )?(?:why|how|what|where|when|who)(?: (?:not|so|else|then|exactly|is that|about that|do you mean))?|"
    r"(?:and )?(?:after|before|besides) that|(?:is|was|does|did) (?:that|it)(?: right| so| true)?|(?:is there )?anything else(?: (?:to add|you[^.!?]{0,30}))?"
)
_NOTHING = re.compile(rf"(?:(?:{_PHRASES}|{_INTERJECTIONS})(?!\w)[\s,.!?…;:—–-]*)+", re.IGNORECASE)
_ANSWERS = re.compile(r"(?:yes|yeah|no|nope|ja|nein|oui|non|s[ií]|sim|não|да|нет|是|是的|はい|네)\b", re.IGNORECASE)
_HANGS = re.compile(  # "And in winter?", "Why not thirty?": nothing is asked without what was said before
    r"(?:and|or|but|so|und|aber|oder|et|mais|ou|y|pero|e|ma|mas)\b|(?:what|how) about\b|(?:why|how|warum|pourquoi) (?:not|so|else|nicht|pas)\b",
    re.IGNORECASE,
)
_EMOJI = re.compile(r"[\U0001f000-\U0001faff\u2190-\u2bff\ufe0f\u200d]+")
_GREETS = re.compile(  # with a name: "Hi Sam.", "Thank you, Dr. Wen."
    r"(?:Hi|Hello|Hey|Thanks|Thank you|Goodbye|Bye|Welcome(?: back)?|Good (?:morning|evening|afternoon))(?: again| so much| very much)?,? "
    r"(?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,2}[.!]?"
)
LONGEST_REMARK = 100  # characters; also bounds the search below


def write_turn(speaker: str, words: str) -> str:
    return f"{speaker}:\u00a0{words}"


def join_lines(lines: Iterable[str]) -> str:
    """Lines as one: with a blank between them, but none in scripts that have none."""
    joined = ""
    for line in (" ".join(line.split()) for line in lines):
        tight = bool(joined and line) and UNSPACED.match(joined[-1]) and UNSPACED.match(line[0])
        closed = bool(joined and line) and joined[-1] in "。、，！？」』）" and not line[0].isascii()
        joined += line if not joined or tight or closed else f" {line}" if line else ""
    return joined


def without_lookalikes(text: str) -> str:
    """The text where only the reader's own turns bear the mark of a turn."""
    return _LOOKALIKE.sub(r"\1: ", text) if ":\u00a0" in text else text


def is_small_talk(remark: str, asked: bool = False, alone: bool = False) -> bool:
    """Whether a sentence states nothing: "Right, right.", "Thanks for having me.", "Why?". Where one was `asked`, "Yes."
    does. `alone`: it is all that the speaker says."""
    words = " ".join(remark.split()).strip("\"“”'‘’([*_ ")
    if len(words) > LONGEST_REMARK or (asked and _ANSWERS.match(words)):
        return False
    single = len(words.split()) == 1 and not UNSPACED.search(words)
    if alone and single and (not asked or words.endswith("?")):
        return True  # "Bernardo?", "Fire!": nothing to ask about
    if words.endswith(("?", "？")) and len(words.split()) <= 4 and _HANGS.match(words):
        return not ASKING & {word.strip("?,").casefold() for word in words.split()[1:]}
    words = _EMOJI.sub("", words).strip()
    if _GREETS.fullmatch(words):
        return True
    return not any(map(str.isalnum, words)) or _NOTHING.fullmatch(words) is not None
