"""Promotion: challenger and champion on the same FD, one decision, and what it moves."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genotransfer.config import Study
from genotransfer.final_data import SHORT, hash_final, read_final
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.paired import compare_models
from genotransfer.prediction.match import match_model
from genotransfer.prediction.opened import load_bundle
from genotransfer.prediction.prints import find_learners
from genotransfer.prediction.scoring import score_genotypes
from genotransfer.randomness import make_generator
from genotransfer.stages.genotypes import open_population
from genotransfer.times import name_time
from genotransfer.tracking.client import connect, find_uri
from genotransfer.tracking.decisions import FIRST, Decision, judge, refuse_reused
from genotransfer.tracking.locks import lock_model
from genotransfer.tracking.registry import CHAMPION, Registered, fetch_bundle, find_alias, read_registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

HISTORY = "champion_history"
USED = "final."
# Tag of a version that a person has taken back.
ROLLED_BACK = "rolled_back"
# Of MLflow's 5,000 characters for a tag.
REMEMBERED = 40
# Share of the champion's variants that FD's genotypes must hold.
LEAST_MATCH = 0.9


def promote_models(
    study: Study,
    registered: str | Path,
    results_folder: str | Path,
    final_genotypes: str | Path,
    decisions: str | Path,
) -> list[Decision]:
    """Decide for each registered challenger whether it becomes the champion.

    A first model becomes the champion: there is none to compare it with. Otherwise both predict the
    people of FD, and the rule of the study's ``registry`` decides. Final data that decided before are
    refused, and so are those that hold people the champion has learnt from.

    Parameters
    ----------
    study : the study.
    registered : the versions, as `genotransfer.tracking.registry.register_models` wrote them.
    results_folder : what the final evaluation wrote: FD's people and labels.
    final_genotypes : folder of FD's fileset.
    decisions : where the decisions are written, JSON.

    Raises
    ------
    StudyError
        MLflow cannot be reached, or another promotion of a model does not end.
    """
    made: list[Decision] = []
    versions = read_registered(registered)
    if versions:
        uri = find_uri(study)
        with connect(uri) as client:
            for one in versions:
                people = read_final(results_folder, one.phenotype)
                with lock_model(client, one.name) as check:
                    decision = _decide(client, uri, study, one, people, open_population(final_genotypes))
                    carry_out(client, decision, check)
                made.append(decision)
    with replace_together(decisions) as [path]:
        path.write_text(json.dumps([asdict(one) for one in made], indent=1))
    return made


def _decide(
    client: MlflowClient, uri: str, study: Study, one: Registered, people: pd.DataFrame, final: Genotypes
) -> Decision:
    labels = people["label"].to_numpy(dtype=np.int8)
    sha256 = hash_final(list(people["IID"]), labels)
    champion = find_alias(client, one.name, CHAMPION)
    before = str(champion.version) if champion is not None else ""

    undecided = Decision(one.phenotype, one.name, one.version, "refused", "", before, sha256)
    if not study.registry.promote:
        return replace(
            undecided, outcome="off", reason="The study promotes nothing (registry.promote is false)."
        )
    tags = client.get_model_version(one.name, one.version).tags
    if before == one.version:
        if tags.get("decision") == "promoted":  # by an earlier try, which ended before it could say so
            return replace(undecided, outcome="promoted", reason=tags.get("decision_reason", ""))
        return replace(undecided, outcome="held", reason="This version is the champion already.")
    if ROLLED_BACK in tags:
        reason = (
            "A person has taken this version back. genotransfer rollback --to, or promote, makes it the "
            "champion again."
        )
        return replace(undecided, reason=reason)
    if champion is None:
        return replace(undecided, outcome="promoted", reason=FIRST)
    used_by = client.get_registered_model(one.name).tags.get(USED + sha256[:SHORT])
    allowed = any(sha256.startswith(named) for named in study.registry.reuse_final)
    if used_by is not None and used_by != one.version and not allowed:
        return replace(undecided, reason=refuse_reused(one.name, sha256, used_by))
    with tempfile.TemporaryDirectory() as temporary:
        folders = [
            fetch_bundle(f"models:/{one.name}/{version}", uri, Path(temporary) / version)
            for version in (before, one.version)
        ]
        first, second = (load_bundle(folder) for folder in folders)
        samples = final.select(samples=final.locate_samples(people["IID"]))
        rate = float(match_model(first.variants, samples.variants, ambiguous="keep").found.mean())
        if rate < LEAST_MATCH:
            reason = (
                f"FD's genotypes hold {rate:.1%} of the variants of the champion, version {before}, which would "
                f"look worse than it is. Take genotypes with at least {LEAST_MATCH:.0%} of them."
            )
            return replace(undecided, reason=reason)
        known = {before: find_learners(first, samples), one.version: find_learners(second, samples)}
        for version, count in known.items():
            if count:
                reason = (
                    f"{count} of FD's {len(people)} people taught version {version}, which would look better than "
                    "it is. Take people neither has learnt from."
                )
                return replace(undecided, reason=reason)
        generator = make_generator(study.seed, "promotion", one.name)
        comparison = compare_models(
            labels, score_genotypes(first, samples), score_genotypes(second, samples), generator
        )
    outcome, reason = judge(study.registry, comparison, before)
    if known[before] is None:
        reason += " Whether FD's people taught the champion could not be told: their variants differ."
    return replace(undecided, outcome=outcome, reason=reason, comparison=comparison)


def carry_out(client: MlflowClient, decision: Decision, check: Callable[[], None]) -> None:
    """Write a decision to the version, and move the alias last; what made a champion one stays written.

    Where a try ended between the two, the next one mends the history.

    Parameters
    ----------
    decision : of which `champion` is the version that is the champion now.
    check : of the lock that is held, see `genotransfer.tracking.locks.lock_model`.
    """
    if decision.outcome == "held":
        return
    if decision.outcome == "promoted" and decision.champion == decision.version:
        if decision.version not in [one["version"] for one in read_history(client, decision.name)]:
            check()
            move_champion(client, decision.name, decision.version, decision.reason)
        return
    check()
    tags = decision.to_tags() | {"decided_at": name_time()}
    for key in client.get_model_version(decision.name, decision.version).tags:
        if key not in tags and (key == "decided_on_final" or key.startswith("compared_")):
            client.delete_model_version_tag(decision.name, decision.version, key)  # of a decision before
    for key, value in tags.items():
        client.set_model_version_tag(decision.name, decision.version, key, value[:5000])
    found = client.get_model_version(decision.name, decision.version)
    told = (found.description or "").partition("\n\nDecision: ")[0]
    client.update_model_version(
        decision.name, decision.version, f"{told}\n\nDecision: {decision.outcome}. {decision.reason}"
    )
    if decision.outcome in ("promoted", "kept") and decision.final_sha256:
        client.set_registered_model_tag(decision.name, USED + decision.final_sha256[:SHORT], decision.version)
    if decision.outcome == "promoted":
        check()
        move_champion(client, decision.name, decision.version, decision.reason)


def move_champion(client: MlflowClient, name: str, version: str, reason: str) -> None:
    """Point the alias ``champion`` to a version, and remember it in the model's history."""
    history = read_history(client, name)
    client.set_registered_model_alias(name, CHAMPION, version)
    if ROLLED_BACK in client.get_model_version(name, version).tags:
        client.delete_model_version_tag(name, version, ROLLED_BACK)
    history.append({"version": version, "at": name_time(), "reason": reason[:200]})
    # The oldest are forgotten where a tag would hold no more.
    while len(json.dumps(history)) > 4900 or len(history) > REMEMBERED:
        history.pop(0)
    client.set_registered_model_tag(name, HISTORY, json.dumps(history))


def read_history(client: MlflowClient, name: str) -> list[dict[str, str]]:
    """Return the champions there have been, the oldest first: version, at (UTC), reason."""
    found = json.loads(client.get_registered_model(name).tags.get(HISTORY, "[]"))
    return [{str(key): str(value) for key, value in one.items()} for one in found]


def write_summary(decisions: list[Decision], path: str | Path) -> None:
    """Write the decisions as Markdown: a sentence for each model."""
    lines = [f"- **{one.name}** version {one.version}: {one.outcome}. {one.reason}" for one in decisions] or [
        "No model was registered (registry.enabled is false)."
    ]
    with replace_together(path) as [temporary]:
        temporary.write_text("\n".join(["# Champions and challengers", "", *lines, ""]))
