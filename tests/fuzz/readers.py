"""Every reader of files from outside: valid files for it, how it is called, and what must hold of its value."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.plink import SUFFIXES
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_phenotype_table, read_phenotypes
from genotransfer.simulation.panel import read_hapgen_panel
from genotransfer.stages.commands import read_covariates
from genotransfer.study_files import load_study
from genotransfer.summary import SummaryStatistics, read_statistics
from tests.genotype_support import DATA, make_genotypes, make_variants
from tests.integration.support import COHORTS, TINY

Files = dict[str, bytes]


@dataclass(frozen=True)
class Reader:
    """A reader, as the fuzzing sees it.

    Attributes
    ----------
    seeds : makes valid sets of files, by name.
    read : reads the files of a folder and checks the value; what it writes goes to ``out`` in the folder.
    prepare : done with the damaged files before they are read, as whoever made them could have done.
    heavy : whether it needs TensorFlow or scikit-learn.
    """

    seeds: Callable[[], list[Files]]
    read: Callable[[Path], None]
    prepare: Callable[[Path], None] = field(default=lambda _: None)
    heavy: bool = False


def read_folder(folder: Path) -> Files:
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()
    }


# Genotypes


def check_genotypes(genotypes: Genotypes) -> None:
    dosages = genotypes.read()
    assert dosages.shape == (genotypes.n_samples, genotypes.n_variants) == genotypes.file_shape
    assert dosages.size
    assert set(np.unique(dosages)) <= {-1, 0, 1, 2}
    variants, samples = genotypes.variants, genotypes.samples
    assert variants["position"].dtype == np.int64
    assert variants["id"].is_unique
    assert samples["iid"].is_unique
    assert np.isfinite(variants["cm"].to_numpy(dtype=float)).all()
    for column in ("chromosome", "id", "counted", "other"):
        assert variants[column].map(lambda text: isinstance(text, str) and text).all()
    for column in ("fid", "iid", "father", "mother", "phenotype"):
        assert samples[column].map(lambda text: isinstance(text, str) and text).all()


def check_converted(folder: Path, name: str, **how: object) -> None:
    """Read a file into a fileset, which is whole or absent, and reads the same again."""
    try:
        genotypes = open_genotypes(folder / name, folder / "out" / "x", **how)
    except Exception:
        assert not (folder / "out").exists(), "something was left half-written"
        raise
    check_genotypes(genotypes)
    assert sorted(one.name for one in (folder / "out").iterdir()) == sorted(f"x{one}" for one in SUFFIXES)


@lru_cache
def make_plink() -> list[Files]:
    with TemporaryDirectory() as folder:
        make_genotypes(Path(folder) / "x", 5, 6)
        return [read_folder(Path(folder))]


def read_plink(folder: Path) -> None:
    check_genotypes(Genotypes.open(folder / "x"))


VCF = b"""##fileformat=VCFv4.2
##contig=<ID=1>
##contig=<ID=chr2>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="Dosage">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc
1\t5\trs1\tA\tC\t.\tPASS\tAF=0.5\tGT:DS\t0/1:1\t0/0:0\t./.:.
1\t9\t.\tA\tG,T\t.\t.\t.\tGT\t0|1\t1|2\t2|2
chr2\t10\trs2\tc\tt\t3\t.\t.\tGT\t1\t1/1\t0/1
chr2\t12\t.\tAT\tA\t.\t.\t.\tGT\t0/1\t0/0\t0/0
"""
GEN = b"""1 rs1 100 A C 1 0 0 0 1 0 0 0 1
1 rs2 200 A G 0.9 0.1 0 0 0 0 0.05 0.95 0
1 rs3 300 T G 0 0 1 0 0 1 1 0 0
"""
SAMPLE = b"""ID_1 ID_2 missing sex pheno
0 0 0 D B
f1 i1 0 1 0
f2 i2 0.1 2 1
f3 i3 0 0 NA
"""
PERSON = b"""# rsid\tchromosome\tposition\tgenotype
rs0\t1\t1000\tAC
rs1\t1\t1007\tGG
rs2\t1\t1014\t--
rs3\t1\t1021\tT
i7\tMT\t5\tDI
"""


def make_bcf() -> list[Files]:
    from cyvcf2 import VCF as Reading
    from cyvcf2 import Writer

    with TemporaryDirectory() as folder:
        (Path(folder) / "x.vcf").write_bytes(VCF)
        seeds = []
        for name, mode in (("x.bcf", "wb"), ("x.vcf.bgz", "wz")):
            source = Reading(str(Path(folder) / "x.vcf"))
            writer = Writer(str(Path(folder) / name), source, mode=mode)
            for record in source:
                writer.write_record(record)
            writer.close()
            source.close()
            with gzip.open(Path(folder) / name) as packed:
                seeds.append({name: packed.read()})
    return seeds


def read_named(folder: Path, *names: str) -> str:
    return next(name for name in names if (folder / name).exists())


def read_vcf(folder: Path) -> None:
    check_converted(folder, read_named(folder, "x.vcf", "x.vcf.gz", "x.bcf", "x.vcf.bgz"), monomorphic=True)


def read_oxford(folder: Path) -> None:
    check_converted(folder, read_named(folder, "x.gen", "x.gen.gz"))


def read_person(folder: Path) -> None:
    check_converted(folder, read_named(folder, "x.txt", "x.txt.gz"), reference=make_variants(4))


def read_reference(folder: Path) -> None:
    panel = read_hapgen_panel(
        *(folder / read_named(folder, f"x.{one}", f"x.{one}.gz") for one in ("hap", "legend", "map")),
        population="P",
        chromosome="21",
    )
    assert panel.haplotypes.shape[1] == len(panel.variants)
    assert set(np.unique(panel.haplotypes)) <= {0, 1}
    assert (np.diff(panel.variants["position"]) >= 0).all()
    assert (panel.variants["position"] >= 0).all()
    assert np.isfinite(panel.variants["cm"]).all()


HAPGEN = {
    "x.hap": b"0 1 1 0\n1 1 0 0\n0 0 0 1\n",
    "x.legend": b"rs position X0 X1\nrs1 100 A C\nrs2 200 G T\nrs3 300 A T\n",
    "x.map": b"position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n50 1.5 0\n250 1 0.002\n400 0 0.003\n",
}

# Tables


def check_statistics(read: SummaryStatistics) -> None:
    table = read.variants
    assert len(table)
    assert np.isfinite(table["beta"]).all()
    assert table["id"].is_unique
    assert (table["position"] >= 0).all()
    assert table["p"].dropna().between(0, 1).all()
    assert table["frequency"].dropna().between(0, 1).all()
    assert ((table["n"].dropna() >= 0) & np.isfinite(table["n"].dropna())).all()
    assert read.ready or ((table["se"] > 0) & np.isfinite(table["se"])).all()
    assert (table["counted"] != table["other"]).all()


def read_summary(folder: Path) -> None:
    [path] = [one for one in folder.iterdir() if one.is_file()]
    check_statistics(read_statistics(path))


GLM = b"""#CHROM\tPOS\tID\tREF\tALT\tA1\tOMITTED\tA1_FREQ\tTEST\tOBS_CT\tOR\tLOG(OR)_SE\tP\tERRCODE
1\t100\trs1\tA\tG\tG\tA\t0.25\tADD\t900\t2\t0.125\t0.001\t.
1\t200\trs2\tc\tt\tc\tt\t0.5\tADD\t901\t0.5\t0.25\tNA\t.
X\t300\trs3\tA\tC\tC\tA\t0\tADD\t900\tNA\tNA\tNA\tCONST_OMITTED_ALLELE
1\t600\t.\tA\tC\tC\tA\t0.1\tAGE\t900\t1\t0.1\t0.5\t.
"""
LINEAR = b"""#CHROM POS ID REF ALT A1 TEST OBS_CT BETA SE LOG10_P
1 100 rs1 A G G ADD 900 0.2 0.125 1.5
2 200 rs2 A G,T T ADD 900 0.2 0.125 1.5
"""
PGS = b"""###PGS CATALOG SCORING FILE
#pgs_id=PGS000001
#weight_type=beta
rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tis_interaction\thm_chr\thm_pos
rs1\t1\t100\tA\tG\t0.5\tFalse\t1\t150
rs2\t1\t200\tT\t\t-0.25\tFalse\t\t
\t1\t400\tT\tC\t0\tFalse\tchr2\t450
"""
SSF = b"""chromosome\tposition\teffect_allele\tother_allele\tbeta\tse\teffect_allele_frequency\tp_value\trsid\tn
1\t100\tA\tG\t0.5\t0.25\t0.3\t0.0455\trs1\t1000
2\t200\tT\tC\t-0.5\t0.125\t#NA\t0.001\trs2\t1000
"""
ODDS = b"""id,effect_allele,other_allele,odds_ratio,p
rs1,A,C,1.2,0.01
rs2,G,T,0.7,0.5
"""
GWAS = b"""##fileformat=VCFv4.2
##contig=<ID=1>
##FORMAT=<ID=ES,Number=A,Type=Float,Description="Effect">
##FORMAT=<ID=SE,Number=A,Type=Float,Description="Error">
##FORMAT=<ID=LP,Number=A,Type=Float,Description="-log10 p">
##FORMAT=<ID=AF,Number=A,Type=Float,Description="Frequency">
##FORMAT=<ID=SS,Number=A,Type=Integer,Description="People">
##SAMPLE=<ID=GWAS,TotalControls=100,TotalCases=50,StudyType="CaseControl">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tGWAS
1\t5\trs1\tA\tC\t.\tPASS\t.\tES:SE:LP:AF:SS\t0.5:0.1:2:0.25:900
1\t9\t.\tA\tG\t.\tPASS\t.\tES:SE:LP\t-0.5:0.2:1
"""
COHORT = b"""FID\tIID\theight\tsick
0\ti1\t160.5\t0
0\ti2\t171\t1
0\ti3\tNA\t1
0\ti4\t-9\t0
"""
LABELS = b"""FID\tIID\tphenotype\tsplit\tvalue
0\ti1\t1\tTD\t0.5
0\ti2\t2\tNA\t
"""


def read_cohort(folder: Path) -> None:
    [path] = [one for one in folder.iterdir() if one.is_file()]
    for column, threshold in (("sick", None), ("height", "mean"), ("height", 165.0)):
        read = read_phenotypes(path, column, threshold=threshold, samples=["i1", "i2", "i4"])
        assert set(read.table["phenotype"]) == {0, 1}
        assert np.isfinite(read.table["value"]).all()
        assert read.table["IID"].is_unique
        assert min(read.n_missing, read.n_not_genotyped, read.n_without_phenotype) >= 0


def read_labels(folder: Path) -> None:
    table = read_phenotype_table(folder / "x.tsv")
    assert set(table["phenotype"]) <= {0, 1}
    assert "value" not in table or table["value"].dtype == np.float64


def read_covars(folder: Path) -> None:
    [path] = [one for one in folder.iterdir() if one.is_file()]
    assert np.isfinite(read_covariates(path, pd.Series(["i1", "i2"]))).all()


# Settings


def read_study(folder: Path) -> None:
    study = load_study(folder / "x.yaml")
    assert json.loads(study.to_json())["name"] == study.name
    for name in (study.name, *study.phenotype_names):
        assert not set(name) & set("/\\.\n\x00 "), "no name of a file"


def as_seeds(*contents: bytes, name: str) -> Callable[[], list[Files]]:
    return lambda: [{name: content} for content in contents]


def shipped_studies() -> list[Files]:
    shipped = sorted((DATA.parents[1] / "pipelines" / "studies").glob("*.yaml"))
    texts = [TINY.encode(), COHORTS.encode(), *(one.read_bytes() for one in shipped)]
    return [{"x.yaml": text} for text in texts]


def both(content: bytes, name: str) -> list[Files]:
    """Return a file as it is and one that is packed when it has been damaged."""
    return [{name: content}, {f"{name}.gz": content}]


READERS: dict[str, Reader] = {
    "plink": Reader(make_plink, read_plink),
    "vcf": Reader(lambda: both(VCF, "x.vcf"), read_vcf),
    "bcf": Reader(make_bcf, read_vcf),
    "oxford": Reader(lambda: [one | {"x.sample": SAMPLE} for one in both(GEN, "x.gen")], read_oxford),
    "hapgen": Reader(lambda: [HAPGEN, {f"{name}.gz": one for name, one in HAPGEN.items()}], read_reference),
    "23andme": Reader(lambda: both(PERSON, "x.txt"), read_person),
    "plink2": Reader(as_seeds(GLM, LINEAR, name="x.glm.logistic"), read_summary),
    "pgs": Reader(lambda: both(PGS, "x.txt"), read_summary),
    "table": Reader(lambda: both(SSF, "x.tsv") + both(ODDS, "x.csv"), read_summary),
    "gwas-vcf": Reader(as_seeds(GWAS, name="x.vcf"), read_summary),
    "phenotypes": Reader(
        lambda: both(COHORT, "x.tsv") + both(COHORT.replace(b"\t", b","), "x.csv"), read_cohort
    ),
    "labels": Reader(as_seeds(LABELS, name="x.tsv"), read_labels),
    "covariates": Reader(
        as_seeds(
            b"FID\tIID\tage\tpc1\n0\ti1\t50\t0.1\n0\ti2\t60\t-0.2\n", b"IID,a\ni1,1\ni2,2\n", name="x.tsv"
        ),
        read_covars,
    ),
    "study": Reader(shipped_studies, read_study),
}
