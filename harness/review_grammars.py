"""What made-up reviews are made of, in English and in Chinese; `harness/reviews.py` puts them together."""

from msgspec import Struct

from harness.text import Language


class Grammar(Struct, frozen=True, kw_only=True):
    """What reviews of one language are made of."""

    language: Language
    things: tuple[str, ...]
    """Groups of things that one review may name together, as words with blanks between them."""
    good: str
    bad: str
    very: tuple[str, ...]
    direct: tuple[str, ...]
    """Forms of a clause that gives the word."""
    negated: tuple[str, ...]
    """Forms of a clause that denies the word."""
    contrasts: tuple[str, ...]
    """Frames in which `{b}` decides and `{a}` says the opposite."""
    agreements: tuple[str, ...]
    """Frames in which `{a}` and `{b}` say the same."""
    singles: tuple[str, ...]
    """Frames with `{b}` alone."""
    openings: tuple[str, ...]
    """Sentences that say nothing about the label; they may stand before a review."""


ENGLISH = Grammar(
    language="en",
    things=(
        "room bed breakfast staff view pool",
        "food soup waiter dessert menu kitchen",
        "plot acting music ending dialogue camerawork",
        "screen battery camera sound keyboard charger",
    ),
    good="good nice fine lovely pleasant impressive charming likeable",
    bad="bad poor weak dull unpleasant disappointing annoying dreary",
    very=("", "", "very ", "really ", "so "),
    direct=(
        "the {thing} was {very}{word}",
        "the {thing} seemed {very}{word}",
        "I found the {thing} {very}{word}",
        "we thought that the {thing} was {very}{word}",
        "everybody called the {thing} {very}{word}",
    ),
    negated=(
        "the {thing} was not {very}{word}",
        "the {thing} wasn't {very}{word}",
        "the {thing} did not seem {very}{word}",
        "I never found the {thing} {very}{word}",
        "we did not think that the {thing} was {very}{word}",
        "nobody called the {thing} {very}{word}",
    ),
    contrasts=(
        "{a}, but {b}.",
        "although {a}, {b}.",
        "{b}, although {a}.",
        "even though {a}, {b}.",
        "{b}, even though {a}.",
        "{a}; however, {b}.",
    ),
    agreements=("{a}, and {b}.", "{a}; besides, {b}."),
    singles=("{b}.", "in short, {b}.", "all in all, {b}."),
    openings=(
        "A friend had told us about it.",
        "I had read about it in a newspaper.",
        "This was the second time for me.",
        "My sister wanted to know more.",
    ),
)

CHINESE = Grammar(
    language="zh",
    things=(
        "房间 服务 早餐 位置 环境 床铺",
        "菜品 味道 汤 甜点 气氛 装修",
        "剧情 音乐 演技 结尾 画面 台词",
        "屏幕 电池 外观 音质 做工 键盘",
    ),
    good="好 棒 出色 理想 完美 优秀 精致 到位",
    bad="差 烂 糟糕 差劲 粗糙 马虎 平庸 乏味",
    very=("很", "非常", "特别", "十分"),
    direct=(
        "{thing}{very}{word}",
        "{thing}显得{very}{word}",
        "我觉得{thing}{very}{word}",
        "大家都说{thing}{very}{word}",
        "{thing}确实{very}{word}",
    ),
    negated=(
        "{thing}并不是{very}{word}",
        "{thing}没有说的那么{word}",
        "{thing}算不上{very}{word}",
        "我不觉得{thing}{very}{word}",
        "没有人说{thing}{very}{word}",
        "{thing}没有想象中那么{word}",
    ),
    contrasts=(
        "虽然{a}，但是{b}。",
        "{a}，但是{b}。",
        "{a}，不过{b}。",
        "尽管{a}，{b}。",
        "{b}，虽然{a}。",
        "{b}，尽管{a}。",
    ),
    agreements=("{a}，而且{b}。", "不但{a}，而且{b}。"),
    singles=("{b}。", "总之{b}。", "总的来说，{b}。"),
    openings=("朋友推荐的。", "在网上看到的。", "这是第二次了。", "上个月买的单。"),
)
