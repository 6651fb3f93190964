"""The plan of a retraining: what is new, everyone brought together, and the study that is run on them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from genotransfer.candidates import CHAMPION_SCORE, SCORES_METHOD
from genotransfer.config import CohortFiles, GenotypeFiles, PhenotypeFiles, Study
from genotransfer.errors import InputError, StudyError
from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.files import replace_together
from genotransfer.phenotypes import MISSING_NUMBER, MISSING_WORDS, read_columns
from genotransfer.randomness import make_generator
from genotransfer.retraining.landing import OWN, PHENOTYPES, Landed, list_landed
from genotransfer.retraining.merging import Cohort, Merged, merge_cohorts
from genotransfer.retraining.state import Claim, claim, find_new, read_state, release
from genotransfer.stages.champions import require_effects
from genotransfer.storage import is_remote, join_uri, localise, stage_output
from genotransfer.study_files import parse_study
from genotransfer.tracking.client import find_uri
from genotransfer.tracking.registry import find_champion

Outcome = Literal["new", "nothing", "waiting", "busy"]
FINAL, ORIGIN, FIRST = "FD", "cohort", "study"
# Beside the table of everyone, that of those who learn and of FD, where not all learn.
LEARNING = "learning.tsv"


@dataclass(frozen=True)
class Landing:
    """What a retraining found.

    Attributes
    ----------
    run : its id.
    place : where the cohorts are.
    study : name of the study.
    outcome : ``new``: there is something to do; ``nothing`` new; ``waiting`` for more people; ``busy``,
        another retraining is at it.
    reason : in words.
    cohorts : digest by name of the new cohorts.
    waiting : names of cohorts that are not complete yet.
    n_new, n_final : people that are new, and those of them kept for FD.
    n_people : people of all cohorts.
    n_doubled : people that two cohorts had.
    """

    run: str
    place: str
    study: str
    outcome: Outcome
    reason: str
    cohorts: dict[str, str]
    waiting: list[str]
    n_new: int = 0
    n_final: int = 0
    n_people: int = 0
    n_doubled: int = 0

    @classmethod
    def read(cls, path: str | Path) -> Landing:
        """Read what `plan_retraining` wrote."""
        return cls(**json.loads(Path(path).read_text()))


def plan_retraining(
    text: str, run: str, planned: str | Path, landing: str | Path, summary: str | Path
) -> Landing:
    """Find what is new at the study's place, and plan a study on everyone there is.

    Where there is something to do, the place is claimed for the run until `finish_retraining`.

    Parameters
    ----------
    text : the study, YAML or JSON; ``retraining`` says where cohorts land.
    run : id of this run; given again, as when a task is tried again, it finds its own claim.
    planned : where the study to run is written, as JSON: the target's people are those of all cohorts,
        and a share of the new ones is FD. Without anything to do, the study as it stands.
    landing : where what was found is written, JSON.
    summary : where it is told, Markdown.

    Raises
    ------
    StudyError
        The study does not say where cohorts land, or has no real cohorts.
    InputError
        A cohort is malformed.
    """
    study = parse_study(text)
    settings = _check(study)
    place = _find_place(study)
    found: Landing
    busy = claim(place, run, study.retraining.claim_hours)
    if busy is not None:
        found = Landing(run, place, study.name, "busy", _tell_busy(place, busy), {}, [])
    else:
        try:
            found, study = _look(study, settings, run)
        except BaseException:
            release(place, run)
            raise
        if found.outcome != "new":
            release(place, run)
    with replace_together(planned, landing, summary) as [path, facts, told]:
        path.write_text(study.to_json(with_cluster=False))
        facts.write_text(json.dumps(asdict(found), indent=1))
        told.write_text(describe_landing(found))
    return found


def describe_landing(found: Landing) -> str:
    """Return what was found as Markdown."""
    lines = [f"# Retraining of {found.study}", "", found.reason]
    if found.waiting:
        lines += ["", f"Not complete yet (no _SUCCESS): {', '.join(found.waiting)}."]
    if found.outcome == "new":
        lines += [
            "",
            f"{found.n_people:,} people of {len(found.cohorts)} new and all earlier cohorts; {found.n_new:,} are "
            f"new, and {found.n_final:,} of them are FD. {found.n_doubled:,} were in two cohorts and count once.",
        ]
    return "\n".join([*lines, ""])


def _check(study: Study) -> GenotypeFiles:
    if not study.retraining.cohorts:
        raise StudyError(
            "The study does not say where cohorts land. Set retraining.cohorts to a folder or gs://."
        )
    if not isinstance(study.genotypes, GenotypeFiles) or not isinstance(study.phenotypes, PhenotypeFiles):
        raise StudyError(
            "A study is retrained on real cohorts. Set genotypes and phenotypes to kind 'files', see "
            "docs/how-to/retraining.md."
        )
    return study.genotypes


def _find_place(study: Study) -> str:
    place = study.retraining.cohorts
    return place if is_remote(place) else str(Path(place).absolute())


def _tell_busy(place: str, held: Claim) -> str:
    return (
        f"Another retraining ({held.run}) is at {place}, and this one ends. Where that one is dead, delete "
        f"{join_uri(place, OWN, 'running.json')}."
    )


def _look(study: Study, settings: GenotypeFiles, run: str) -> tuple[Landing, Study]:
    rule, place, iid_column = study.retraining, _find_place(study), settings.target.iid_column
    landed, waiting = list_landed(place)
    state = read_state(place)
    new, changed = find_new(landed, state)
    digests = {one.name: one.digest for one in new}

    def tell(outcome: Outcome, reason: str, **counts: int) -> Landing:
        return Landing(run, place, study.name, outcome, reason, digests, waiting, **counts)

    if not new:
        n_known = f"{len(landed)} known cohort{'' if len(landed) == 1 else 's'}"
        return tell(
            "nothing", f"Nothing new at {place}: {n_known}, all used before. Nothing was trained."
        ), study
    if changed:
        raise StudyError(
            f"Cohorts at {place} changed after they were used: {', '.join(changed)}. Restore them as they were, "
            "and land what is new as a cohort of its own; people whom models have learnt from must stay known."
        )
    champions = _find_champions(study)
    old = [one for one in landed if one.name in state.used]
    prefix = join_uri(place, OWN, "runs", run, "genotypes")
    with stage_output(prefix) as local:
        merged = _merge(study, settings, [*old, *new], local)
        people = merged.phenotypes
        known = _find_known(people, _list_columns(study)[0])
        is_new = people[ORIGIN].isin(digests).to_numpy() & known
        counts = {"n_new": int(is_new.sum()), "n_people": len(people), "n_doubled": merged.n_doubled}
        if is_new.sum() < rule.least_people:
            reason = (
                f"{is_new.sum()} new people with every phenotype; retraining waits for {rule.least_people} "
                f"(retraining.least_people); {merged.n_doubled:,} had ids that an earlier cohort has. Nothing was "
                "trained."
            )
            _remove(local)
            with suppress(OSError):  # of a bucket it is a scratch folder, which goes by itself
                local.parent.rmdir()
            return tell("waiting", reason, **counts), study
        final = _draw_final(study, people, is_new, iid_column)
        table = people.assign(**{FINAL: final.astype(int)})
        table.to_csv(local.with_name(PHENOTYPES), sep="\t", index=False)
        learns = known & ~final
        if champions:
            # A champion goes on with people who are new to it: the others would tell it that it is right.
            learns &= is_new
            table[learns | final].to_csv(local.with_name(LEARNING), sep="\t", index=False)
    counts["n_final"] = int(final.sum())
    reason = f"New: {', '.join(sorted(digests))}."
    planned = _make_study(study, prefix, int(learns.sum()), iid_column, champions)
    return tell("new", reason, **counts), planned


def _find_champions(study: Study) -> dict[str, str]:
    """Return the models to go on from, by phenotype, having checked that one can; none in mode full."""
    if study.retraining.mode != "fine-tune":
        return {}
    champions = {name: find_champion(study, name) for name in study.phenotype_names}
    for champion in champions.values():
        require_effects(champion, find_uri(study))
    return champions


def _merge(study: Study, settings: GenotypeFiles, landed: list[Landed], local: Path) -> Merged:
    """Bring the study's own people and those of all cohorts together."""
    files: CohortFiles = settings.target
    columns, binary = _list_columns(study)
    places = [(FIRST, settings.resolve(files.genotypes), settings.resolve(files.phenotypes))]
    places += [(one.name, one.genotypes, one.phenotypes) for one in landed]
    iid_column = files.iid_column
    scratch = [local.with_name(f"read-{number}") for number in range(len(places))]
    cohorts = []
    for (name, genotypes, phenotypes), beside in zip(places, scratch, strict=True):
        with localise(phenotypes) as path:
            table = read_columns(path, iid_column, columns)
            for column in binary:
                table[column] = code_binary(table[column], f"{phenotypes}, column {column!r}")
        cohorts.append(Cohort(name, open_genotypes(genotypes, beside), table))
    merged = merge_cohorts(
        cohorts,
        local,
        columns=columns,
        iid_column=iid_column,
        match_by=settings.match_by,
        ambiguous=settings.ambiguous,
    )
    for one in scratch:
        _remove(one)
    return merged


def _remove(prefix: Path) -> None:
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        path.unlink()


def _list_columns(study: Study) -> tuple[list[str], list[str]]:
    """Return the columns of the phenotypes, and those of them that are cases and controls."""
    assert isinstance(study.phenotypes, PhenotypeFiles)
    columns = list(dict.fromkeys(one.column for one in study.phenotypes.columns))
    return columns, [one.column for one in study.phenotypes.columns if one.threshold == "binary"]


def code_binary(values: pd.Series, place: str) -> pd.Series:
    """Return cases as 1, controls as 0 and others as NA, whichever of both codings a cohort uses.

    Parameters
    ----------
    values : text: 0 and 1; or PLINK's 1 and 2, with 0 for missing.
    place : of the values, for an error.

    Raises
    ------
    InputError
        The values do not tell which coding it is, or are of none.
    """
    numbers = pd.to_numeric(values.where(~values.str.lower().isin(MISSING_WORDS)), errors="coerce")
    found = set(numbers.dropna()) - {MISSING_NUMBER}
    if 2.0 in found and found <= {0.0, 1.0, 2.0}:
        return numbers.map({1.0: "0", 2.0: "1"}).fillna("NA")
    if 0.0 in found and found <= {0.0, 1.0}:
        return numbers.map({0.0: "0", 1.0: "1"}).fillna("NA")
    raise InputError(
        f"the values are {', '.join(f'{one:g}' for one in sorted(found)) or 'all missing'}: cases and controls "
        "cannot be told",
        file=place,
        remedy="Code controls 0 and cases 1, or controls 1 and cases 2, with both in each cohort",
    )


def _find_known(people: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return who has a value of every phenotype."""
    known = np.ones(len(people), dtype=bool)
    for name in columns:
        numbers = pd.to_numeric(
            people[name].where(~people[name].str.lower().isin(MISSING_WORDS)), errors="coerce"
        )
        known &= (numbers.notna() & (numbers != MISSING_NUMBER)).to_numpy()
    return known


def _draw_final(study: Study, people: pd.DataFrame, is_new: np.ndarray, iid_column: str) -> np.ndarray:
    """Return who is FD: a share of the new people, the same however often it is drawn."""
    at = np.flatnonzero(is_new)
    ids = people[iid_column].to_numpy(dtype=str)[at]
    generator = make_generator(study.seed, "retraining", *sorted(ids))
    chosen = generator.permutation(at[np.argsort(ids)])[
        : max(1, round(study.retraining.final_share * len(at)))
    ]
    final = np.zeros(len(people), dtype=bool)
    final[chosen] = True
    return final


def _make_study(
    study: Study, prefix: str, learning: int, iid_column: str, champions: dict[str, str]
) -> Study:
    """Return the study with everyone as its target, in splits of the shares it asks for.

    With champions to go on from, it does that alone, with those who are new.
    """
    rule = study.retraining
    ed, vd = max(1, round(rule.ed_share * learning)), max(1, round(rule.vd_share * learning))
    raw = json.loads(study.to_json())
    raw["genotypes"]["target"] = {
        "genotypes": prefix,
        "phenotypes": join_uri(prefix.rpartition("/")[0], LEARNING if champions else PHENOTYPES),
        "iid_column": iid_column,
        "final_column": FINAL,
    }
    raw["splits"]["target"] = {"TD": learning - ed - vd, "VD": vd, "ED": ed}
    raw["splits"]["final"] = None
    if champions:
        raw["transfer"]["methods"] = [SCORES_METHOD]
        raw["models"] |= {"scores": [CHAMPION_SCORE], "champions": champions}
    return parse_study(json.dumps(raw))
