"""VCF files for the tests of exomes: one of every oddity, and the tools they are compared with."""

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from genotransfer.exome.control import control_exome
from genotransfer.exome.settings import ExomeSettings
from genotransfer.randomness import make_generator
from tests.genotype_support import DATA

HAIL = DATA / "exome" / "hail.vcf.gz"
# Every filter off: a test turns on what it is about.
NOTHING = {
    "quality": None,
    "drop_unseen": False,
    "depth": 0.0,
    "call_rate": 0.0,
    "excluded_chromosomes": (),
    "snps_only": False,
}
HEADER = """##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=LowQual,Description="Low">
##contig=<ID=chr1>
##contig=<ID=2>
##contig=<ID=X>
##contig=<ID=chrY>
##contig=<ID=MT>
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
##INFO=<ID=AF,Number=.,Type=Float,Description="Frequency">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=.,Type=Integer,Description="Depth of alleles">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
"""
ALLELES = [("A", "C"), ("a", "g"), ("T", "C,G"), ("AT", "A"), ("A", "ATT,C"), ("AC", "A,AT"), ("G", "T,*")]


def write_hard_vcf(
    path: Path,
    n_samples: int = 40,
    n_records: int = 160,
    *,
    half_calls: bool = True,
    plain: bool = False,
) -> Path:
    """Write a VCF with what files have: haploid and half calls, fields left out, three kinds of FORMAT.

    With `plain` nothing is phased or haploid, and DP is always in FORMAT.
    """
    draw = make_generator(5, "hard")
    lines = ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"])]
    lines[0] += "".join(f"\ts{at}" for at in range(n_samples))
    for record in range(n_records):
        reference, alternatives = ALLELES[draw.choice(len(ALLELES), p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])]
        n_alleles = 2 + alternatives.count(",")
        form = ("GT", "GT:DP", "GT:AD:DP")[
            draw.choice(3, p=[0.0 if plain else 0.1, 0.6, 0.4 if plain else 0.3])
        ]
        shallow, absent = draw.random() < 0.2, draw.choice([0.02, 0.1, 0.12])
        frequency = draw.choice([0.0, 0.01, 0.3])
        samples = []
        for _ in range(n_samples):
            carried = draw.integers(1, n_alleles, 2) * (draw.random(2) < frequency)
            alleles = ["." if draw.random() < absent / 2 else str(allele) for allele in carried]
            if not half_calls and "." in alleles:
                alleles = [".", "."]
            text = ("|" if not plain and draw.random() < 0.5 else "/").join(alleles)
            if not plain and draw.random() < 0.03:
                text = alleles[0]
            depth = "." if draw.random() < 0.05 else str(draw.poisson(6 if shallow else 12))
            if form != "GT" and draw.random() > 0.03:  # else left out
                text += f":1,2:{depth}" if "AD" in form else f":{depth}"
            samples.append(text)
        quality = draw.choice([".", "30", "30.5", "99"], p=[0.05, 0.1, 0.1, 0.75])
        chromosome = ("chr1", "2", "X", "chrY", "MT")[record * 5 // n_records]
        info = ("DP=5;AF=0.1", "AF=0.2;DP=900", ".")[record % 3]
        fields = [
            chromosome,
            str(100 + record),
            f"rs{record}" if record % 2 else ".",
            reference,
            alternatives,
        ]
        fields += [quality, draw.choice(["PASS", "LowQual", "."]), info, form]
        lines.append("\t".join([*fields, *samples]))
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


def list_files(folder: Path) -> dict[str, Path]:
    """Return the files to compare on: ours, Hail's, and those that GENOTRANSFER_EXOME_VCF names."""
    found = {
        "hard": write_hard_vcf(folder / "hard.vcf", half_calls=False),
        "plain": write_hard_vcf(folder / "plain.vcf", half_calls=False, plain=True),
        "hail": folder / "hail.vcf",
    }
    found["hail"].write_bytes(gzip.decompress(HAIL.read_bytes()))
    for at, name in enumerate(filter(None, os.environ.get("GENOTRANSFER_EXOME_VCF", "").split(":"))):
        found[f"given {at}"] = Path(name)
    return found


def need(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is absent."""
    absent = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(absent), reason=f"not on the PATH: {', '.join(absent)}; make oracles")


def run_pipe(script: str, *arguments: object) -> str:
    """Run a pipe of the shell, with arguments $1 on; return what it prints."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-ec", script, "pipe", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def filter_ours(path: Path, folder: Path, **settings: object):
    """Return our variants, {(chromosome, position, ref, alt): dosages}, and the result."""
    result = control_exome(path, folder / "ours", ExomeSettings(**(NOTHING | settings)))
    variants, dosages = result.genotypes.variants, result.genotypes.read()
    keys = zip(*(variants[name] for name in ("chromosome", "position", "other", "counted")), strict=True)
    return dict(zip(keys, dosages.T.tolist(), strict=True)), result


def parse_theirs(vcf: str) -> dict[tuple[str, int, str, str], list[int]]:
    """Return the variants of a VCF text whose records have one alternative each; the first of doubles."""
    found: dict[tuple[str, int, str, str], list[int]] = {}
    for fields in read_records(vcf):
        chromosome = re.sub("^chr", "", fields[0])
        alternative = "0" if fields[4] == "." else fields[4].upper()
        dosages = [count_copies(sample.split(":")[0]) for sample in fields[9:]]
        found.setdefault((chromosome, int(fields[1]), fields[3].upper(), alternative), dosages)
    return found


def read_records(vcf: str) -> list[list[str]]:
    """Return the fields of the records of a VCF text."""
    return [line.split("\t") for line in vcf.splitlines() if not line.startswith("#")]


def split_vcf(vcf: str) -> str:
    """Split the records of a VCF text by alternative; another alternative's allele is missing, as are half calls."""
    lines = [line for line in vcf.splitlines() if line.startswith("#")]
    for fields in read_records(vcf):
        for number, alternative in enumerate(fields[4].split(","), start=1):
            samples = []
            for sample in fields[9:]:
                call, *others = sample.split(":")
                alleles = [{"0": "0", str(number): "1"}.get(allele, ".") for allele in re.split("[/|]", call)]
                if "." in alleles:
                    alleles = ["."] * len(alleles)
                samples.append(":".join(["/".join(alleles), *others]))
            lines.append("\t".join([*fields[:4], alternative, *fields[5:9], *samples]))
    return "\n".join(lines) + "\n"


def count_copies(call: str) -> int:
    """Return the copies of the alternative in a genotype as a VCF writes it; -1 missing, haploid twice."""
    alleles = re.split("[/|]", call)
    return -1 if "." in alleles else sum(map(int, alleles)) * (3 - len(alleles))
