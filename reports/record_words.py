"""The words and sentences of records that have a translation: the data keep them, and here they are looked up.

A record speaks the language of the code. Its words are marked here for the catalogue, so that `_` finds them; of its
sentences with numbers those that a reader meets often are taken apart by their pattern and put together again.
"""

import re
from functools import cache

from harness.language import _, is_translated, noop

WORDS = (
    # how runs end, and what parity says
    noop("ok"), noop("missed_target"), noop("unsupported"), noop("diverged"), noop("out_of_memory"), noop("timeout"),
    noop("crashed"), noop("interrupted"), noop("pass"), noop("fail"), noop("not checked"),
    # verdicts, and what is read of the blocks
    noop("faster"), noop("slower"), noop("no difference shown"), noop("not comparable"), noop("equivalent"),
    noop("different"), noop("not shown"), noop("settled"), noop("never settled"), noop("too few blocks to tell"),
    noop("too noisy to say"), noop("bit-identical"), noop("differs"),
    # kinds of blocks, splits, metrics
    noop("first"), noop("calibration"), noop("steady"), noop("short"), noop("train"), noop("test"),
    noop("validation"), noop("accuracy"), noop("mean squared error"),
    # stages of a Boltzmann machine and of its net
    noop("bottom"), noop("top"), noop("joint"), noop("trained"), noop("composed"), noop("fine-tuned"),
    noop("fine-tuning"), noop("random start"), noop("linear probe"), noop("all labels"),
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
)
"""A field stands for a word or a number."""


def said(sentence: str) -> str:
    """Return a sentence of a record in the language in use, or as it is where the catalogue lacks it."""
    if not sentence or is_translated(sentence):
        return _(sentence) if sentence else ""
    for pattern in SENTENCES:
        if found := _expression(pattern).fullmatch(sentence):
            return _(pattern).format(**{name: _(value) for name, value in found.groupdict().items()})
    return sentence


def stage_name(name: str) -> str:
    """Return the name of a stage as it is shown: the parts of "fine-tuned, 100 labels" one by one."""
    return _(", ").join(said(part) for part in name.split(", "))


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return what a pattern's sentences look like; a field is a word or a number."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[\\w.,-]+)", re.escape(pattern)))
