"""An envelope as people read it: every step with every band, nothing left out."""

import json
from collections.abc import Iterator

from executor.check.envelope import Band, CoveredStep, Envelope
from executor.plan.render import one_line


def render_envelope(envelope: Envelope) -> str:
    """One block a step; what is not covered says so."""
    lines = [line for step in envelope.steps for line in _step(step)]
    for currency, most in sorted(envelope.sums.items()):
        lines.append(f"together at most {most} {currency or 'of no currency'}")
    return "\n".join(one_line(line) for line in lines)


def _step(step: CoveredStep) -> Iterator[str]:
    yield step.call
    marks = [step.effect.value, *(["cannot be undone"] if step.irreversible else [])]
    yield f"    {', '.join(marks)}; at most {step.calls} call{'' if step.calls == 1 else 's'}"
    if not step.is_sure:
        yield "    may need no approval: policy decides once it sees the values"
    for band in step.bands:
        source = f"  [{band.integrity.value}]" if band.integrity else ""
        yield f"    {band.at or 'all arguments'}: {_band(band)}{source}"
    if step.open_places:
        yield "    not covered as it stands: asked for by itself once its values are known"


def _band(band: Band) -> str:
    match band.kind:
        case "values":
            texts = [json.dumps(each, ensure_ascii=False) for each in band.values]
            return f"exactly {texts[0]}" if len(texts) == 1 else f"one of {', '.join(texts)}"
        case "amount":
            return f"at most {band.most} {band.currency or 'of no currency'} a call"
        case "any":
            return "anything"
        case "open":
            return "not known yet; say what may stand here to have it covered"
