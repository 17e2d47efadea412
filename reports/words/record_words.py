"""The words and sentences of records that have a translation: the data keep them, and here they are looked up.

A record speaks the language of the code. Its words are marked here for the catalogue, so that `_` finds them. Its
sentences with numbers are said by what they were made of (`sentences.py`). Records before schema 5 do not tell that:
of theirs, those that a reader meets often are taken apart by their pattern; no pattern is added to them.
"""

import re
from collections.abc import Callable
from functools import cache

from harness.language import Sentence, Words, _, is_translated, noop
from reports.words import sentences

WORDS = (
    # how runs end, and what parity says
    noop("ok"), noop("missed_target"), noop("unsupported"), noop("diverged"), noop("out_of_memory"), noop("timeout"),
    noop("crashed"), noop("interrupted"), noop("pass"), noop("fail"), noop("not checked"),
    # verdicts, and what is read of the blocks
    noop("faster"), noop("slower"), noop("no difference shown"), noop("not comparable"), noop("equivalent"),
    noop("equal"),
    noop("different"), noop("not shown"), noop("settled"), noop("never settled"), noop("too few blocks to tell"),
    noop("too noisy to say"), noop("bit-identical"), noop("differs"),
    # kinds of blocks, splits, metrics
    noop("first"), noop("calibration"), noop("steady"), noop("short"), noop("train"), noop("test"),
    noop("validation"), noop("accuracy"), noop("mean squared error"),
    # stages of a Boltzmann machine and of its net
    noop("bottom"), noop("top"), noop("joint"), noop("up-down"), noop("trained"), noop("composed"), noop("untied"),
    noop("fine-tuned"), noop("fine-tuning"), noop("random start"), noop("linear probe"), noop("all labels"),
    # settings of the frameworks
    noop("computed"), noop("flushed to zero"), noop("allocated as needed"), noop("channels last"), noop("as given"),
    noop("torch's choice"), noop("fused"),
    # starts of the estimate of log Z
    noop("uniform"), noop("base-rate"),
)  # fmt: skip

NAMES = (
    # of what was asked for
    noop("task"), noop("task version"), noop("backend"), noop("device"), noop("mode"), noop("preset"), noop("dataset"),
    noop("profile"), noop("settings"), noop("seed"), noop("repeat"), noop("timeout s"), noop("memory limit bytes"),
    noop("noise budget s"), noop("task fingerprint"), noop("dataset fingerprint"), noop("batch size"),
    noop("started at"),
    # of what was measured
    noop("import"), noop("build"), noop("load"), noop("first step"), noop("evaluate"), noop("total"),
    noop("host peak"), noop("device peak"), noop("device process"),
    noop("bound"), noop("bound is reliable"), noop("log z"), noop("pseudo log likelihood"),
    noop("mean field iterations"), noop("reconstruction error"), noop("bag of words accuracy"),
    noop("character counts accuracy"), noop("character counts bits per place"), noop("mean iou"),
    noop("bits per place"),
    noop("latency median s"), noop("latency p95 s"), noop("latency p99 s"), noop("latency first call s"),
    noop("inference batch size"), noop("inference examples per s"), noop("inference difference"),
    noop("inference disturbed blocks"), noop("flops per step"), noop("least bytes per step"), noop("flops per s"),
    noop("matmul flops per s"), noop("best matmul flops per s"), noop("best matmul library"),
    noop("copy bytes per s"), noop("best copy bytes per s"), noop("share of own matmul"),
    noop("share of best matmul"), noop("roofline flops per s"), noop("share of roofline"), noop("ceiling reason"),
    noop("joules"), noop("joules per 1000 examples"), noop("energy counters"), noop("energy reason"), noop("twin of"),
    noop("twin"), noop("twin loss difference"), noop("twin parameter difference"),
    noop("current"), noop("managed"), noop("config"),
)  # fmt: skip
"""Names of fields, their underscores made spaces."""

SENTENCES = (
    noop("parity was not checked (--no-parity)"),
    noop("stopped by the user; `--resume` runs it again"),
    noop("it was not computed: the preset has no temperatures for annealed importance sampling"),
    noop("this system has no RAPL counters (/sys/class/powercap/intel-rapl:*)"),
    noop("the device is the CPU"),
    noop("{framework}'s CPU allocator keeps no peak; see host_peak_bytes"),
    noop("{metric} {value}, the target is {target}"),
    noop("log Z is {uniform} from the uniform and {base} from the rates' base"),
    noop(
        "From the {start} start, all runs weigh no more than {count} equal ones (at least {least} are expected): "
        "log Z needs more temperatures, or more runs."
    ),
    noop("disturbed by other processes in each of {attempts} attempts: it may be higher"),
    noop("{count} labels"),
    noop("epoch {number}"),
    noop("0 (automatic: one per core that the process may use when TensorFlow starts)"),
    noop(
        "denormal numbers are computed, not flushed to zero as TensorFlow and MindSpore do by themselves; a recurrent "
        "net can run {times} times slower for it (seen with {version}): EVENBENCH_FLUSH_DENORMALS=1 flushes"
    ),
    # why a run is not comparable
    noop("it is the reference, which computes in float64"),
    noop("parity was not checked"),
    noop("parity was not checked: {sentence}"),
    noop("parity failed"),
    noop("parity failed: {sentence}"),
    noop("the run ended as {status}"),
    noop("no steady block was measured"),
    noop("the batch size is not known"),
    noop("too noisy to say: {count} of {blocks} steady blocks were disturbed by {sentence}"),
    noop("other processes"),
    noop("the hypervisor"),
    noop("the control group's quota"),
    noop("`synchronize` came back with {share} of the work still to do"),
    noop("mini-batches that it had not trained on before took {times} times as long: it remembers them"),
    noop("outputs that it had not given before took {times} times as long: it remembers them"),
    # how a run ended
    noop("took longer than its limit of {seconds} s (--timeout)"),
    noop("memory ran out: the process was ended by the system"),
    noop("memory ran out: {sentence}"),
    noop("the worker ended with signal {signal}: {sentence}"),
    noop("the worker ended with exit code {code}: {sentence}"),
    noop("{sentence}: lower the learning rate or look at the data"),
    noop("differs from the reference in {sentence}"),
)
"""A field stands for a word or a number; `sentence` for words that are looked up in turn, `path`, `names` for any."""
LONGEST = 2000
"""Characters of a sentence that may be one of ours."""
WORD = r"[\w.,%+-]+"

TRAPS = (
    noop("denormals"), noop("reduced precision"), noop("threads"), noop("noise"), noop("disk"), noop("numpy 2"),
    noop("slow convolutions"), noop("spinning threads"), noop("forced TF32"), noop("oneDNN precision"),
    noop("automatic XLA"), noop("sibling packages"), noop("blank in a path"), noop("container"), noop("no compiling"),
    noop("variables"),
)  # fmt: skip


def said(sentence: str, quote: Callable[[str], str] = str, *, made_of: Sentence | None = None) -> str:
    """Return a sentence of a record in the language in use; what the catalogue lacks is given to `quote`.

    `made_of` is what the record says beside it, where no frame was made of the record.
    """

    def look_up(words: Words) -> str:
        return said(str(words), quote)

    if is_translated(sentence):
        return _(sentence)
    if (known := made_of or sentences.noted().get(sentence)) and (found := sentences.said(known, look_up)) is not None:
        return found
    if len(sentence) > LONGEST:
        return quote(sentence)
    for pattern in SENTENCES:
        if match := _expression(pattern).fullmatch(sentence):
            fields = match.groupdict()
            return _(pattern).format(
                **{name: said(value, quote) if name == "sentence" else _(value) for name, value in fields.items()}
            )
    for between in ("; ", " and "):
        parts = sentence.split(between)
        if len(parts) > 1 and any(said(part) != part for part in parts):
            return _(between).join(said(part, quote) for part in parts)
    return quote(sentence)


def stage_name(name: str) -> str:
    """Return the name of a stage as it is shown: the parts of "fine-tuned, 100 labels" one by one."""
    return _(", ").join(said(part) for part in name.split(", "))


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return what a pattern's sentences look like."""

    def field(found: re.Match[str]) -> str:
        anything = found[1] in ("sentence", "path", "names")
        return f"(?P<{found[1]}>{'.+' if anything else WORD})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", field, re.escape(pattern)), re.DOTALL)
