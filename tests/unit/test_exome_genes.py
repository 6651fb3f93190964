"""Gene models and annotation: each region on both strands, by hand and by bedtools; counts and weights."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import InputError, StudyError
from genotransfer.exome.annotation import annotate_variants, read_annotation, write_annotation
from genotransfer.exome.gene_counts import (
    count_gene_alleles,
    find_variant_weights,
    read_gene_weights,
    weigh_inputs,
)
from genotransfer.exome.gene_models import read_gene_models
from genotransfer.genotypes import Genotypes
from genotransfer.randomness import make_generator
from tests.exome_support import need, run_pipe
from tests.genotype_support import make_samples

# Exons 1001-1100, 1201-1300, 1401-1500 (1-based); coding 1051-1450. PLUS, MINUS and NC are alike
# but for strand and coding part; each has 10 kb to itself.
EXONS = [(1000, 1100), (1200, 1300), (1400, 1500)]
END = ("cmpl", "cmpl", "0,0,0,")
GENES = [("PLUS", "+", 0, True), ("MINUS", "-", 10_000, True), ("NC", "+", 20_000, False)]


def write_refgene(path, genes=GENES, extra=(), with_bin=True):
    rows = []
    for name, strand, shift, coding in genes:
        starts, ends = ("".join(f"{exon[at] + shift}," for exon in EXONS) for at in (0, 1))
        cds = (1050 + shift, 1450 + shift) if coding else (1500 + shift, 1500 + shift)
        rows.append(
            [f"T_{name}", "chr7", strand, 1000 + shift, 1500 + shift, *cds, 3, starts, ends, 0, name, *END]
        )
    rows.extend(extra)
    lines = ["\t".join(map(str, [9, *row] if with_bin else row)) for row in rows]
    path.write_text("#bin\tname\n" + "\n".join(lines) + "\n")
    return path


def make_table(positions, alleles=("G", "A"), chromosome="7"):
    return pd.DataFrame(
        {
            "chromosome": chromosome,
            "id": [f"v{at}" for at in range(len(positions))],
            "cm": 0.0,
            "position": positions,
            "counted": alleles[0],
            "other": alleles[1],
        }
    )


# 1-based position in the gene: region on +, on -, without a coding part.
REGIONS = {
    0: ("upstream", "downstream", "upstream"),  # 1000: the base before the transcript is 1000
    1000: ("upstream", "downstream", "upstream"),
    1001: ("UTR5", "UTR3", "ncRNA_exonic"),
    1050: ("UTR5", "UTR3", "ncRNA_exonic"),
    1051: ("exonic", "exonic", "ncRNA_exonic"),
    1100: ("exonic", "exonic", "ncRNA_exonic"),
    1101: ("splicing", "splicing", "ncRNA_splicing"),
    1102: ("splicing", "splicing", "ncRNA_splicing"),
    1103: ("intronic", "intronic", "ncRNA_intronic"),
    1198: ("intronic", "intronic", "ncRNA_intronic"),
    1199: ("splicing", "splicing", "ncRNA_splicing"),
    1200: ("splicing", "splicing", "ncRNA_splicing"),
    1201: ("exonic", "exonic", "ncRNA_exonic"),
    1300: ("exonic", "exonic", "ncRNA_exonic"),
    1450: ("exonic", "exonic", "ncRNA_exonic"),
    1451: ("UTR3", "UTR5", "ncRNA_exonic"),
    1500: ("UTR3", "UTR5", "ncRNA_exonic"),
    1501: ("downstream", "upstream", "downstream"),
    2500: ("downstream", "upstream", "downstream"),
    2501: ("intergenic", "intergenic", "intergenic"),
}


@pytest.mark.parametrize("with_bin", [True, False])
@pytest.mark.parametrize("chromosome", ["7", "chr7"])
def test_every_region_on_both_strands(tmp_path, chromosome, with_bin):
    models = read_gene_models(write_refgene(tmp_path / "refGene.txt", with_bin=with_bin))
    inside = [position for position in REGIONS if position]
    for at, (name, _, shift, _) in enumerate(GENES):
        table = make_table([position + shift for position in inside], chromosome=chromosome)
        found = annotate_variants(table, models)
        assert found["region"].tolist() == [REGIONS[position][at] for position in inside]
        assert found["gene"][:-1].tolist() == [name] * (len(inside) - 1)
        assert (found["distance"][:-1] == ".").all()
    assert annotate_variants(make_table([1, 0 + 1]), models)["region"].tolist() == ["upstream"] * 2


def test_between_genes(tmp_path):
    models = read_gene_models(write_refgene(tmp_path / "refGene.txt"))
    found = annotate_variants(make_table([2501, 5000, 10_000, 50_000]), models, near=0)
    assert found["gene"].tolist() == ["PLUS;MINUS", "PLUS;MINUS", "PLUS;MINUS", "NC;NONE"]
    # The base after a transcript is 1 away from it, as its first base is from the one before.
    assert found["distance"].tolist() == ["1001;8500", "3500;6001", "8500;1001", "28500;NONE"]
    other = annotate_variants(make_table([5000], chromosome="8"), models)
    assert other[["region", "gene", "distance"]].to_numpy().tolist() == [
        ["intergenic", "NONE;NONE", "NONE;NONE"]
    ]


def test_precedence_and_joined_names(tmp_path):
    """An exon of one gene in the intron of another wins; equals are joined, genes in order of name."""
    single = [["T1", "chr7", "-", 1150, 1200, 1150, 1200, 1, "1150,", "1200,", 0, "INNER", "c", "c", "0,"]]
    twin = [["T2", "chr7", "+", 1040, 1100, 1040, 1100, 1, "1040,", "1100,", 0, "ALPHA", "c", "c", "0,"]]
    rna_rows = [["T3", "chr7", "+", 1000, 1600, 1600, 1600, 1, "1000,", "1600,", 0, "RNA", "c", "c", "-1,"]]
    genes = [GENES[0]]
    models = read_gene_models(write_refgene(tmp_path / "a", genes, single + twin))
    found = annotate_variants(make_table([1045, 1060, 1103, 1160, 1199]), models)
    assert found["region"].tolist() == ["exonic", "exonic", "intronic", "exonic", "exonic;splicing"]
    assert found["gene"].tolist() == ["ALPHA", "ALPHA,PLUS", "PLUS", "INNER", "INNER;PLUS"]
    models = read_gene_models(write_refgene(tmp_path / "b", genes, rna_rows))
    found = annotate_variants(make_table([1010, 1060, 1103, 1101, 1480, 1550]), models)
    assert found["region"].tolist() == [
        "ncRNA_exonic",
        "exonic",
        "ncRNA_exonic",
        "splicing",
        "ncRNA_exonic",
        "ncRNA_exonic",
    ]
    # A gene that has a coding transcript is coding: its other transcripts are left aside.
    isoform = [[*rna_row[:11], "PLUS", *rna_row[12:]] for rna_row in rna_rows]
    models = read_gene_models(write_refgene(tmp_path / "d", genes, isoform))
    found = annotate_variants(make_table([1010, 1103, 1550]), models)
    assert found["region"].tolist() == ["UTR5", "intronic", "downstream"]
    near = [["T4", "chr7", "-", 1900, 2000, 1900, 2000, 1, "1900,", "2000,", 0, "AFTER", "c", "c", "0,"]]
    near += [["T5", "chr7", "+", 1900, 2000, 1900, 2000, 1, "1900,", "2000,", 0, "BEFORE", "c", "c", "0,"]]
    models = read_gene_models(write_refgene(tmp_path / "c", genes, near))
    found = annotate_variants(make_table([1700]), models)
    assert found.loc[0, ["region", "gene"]].tolist() == ["upstream;downstream", "BEFORE;AFTER,PLUS"]


def test_alleles_of_several_bases(tmp_path):
    models = read_gene_models(write_refgene(tmp_path / "a", [GENES[0]]))

    def find(position, other, counted):
        return annotate_variants(make_table([position], (counted, other)), models)["region"].item()

    assert find(1050, "AC", "AT") == "exonic"  # the base that differs is 1051
    assert find(1099, "ACGTA", "A") == "exonic;splicing"  # 1100 to 1103 are gone
    assert find(1100, "ACG", "A") == "splicing"  # 1101 and 1102 are gone
    assert find(1100, "A", "ACG") == "exonic"  # an insertion after 1100
    assert find(995, "ACGTAC", "<DEL>") == "upstream"
    assert find(996, "ACGTAC", "<DEL>") == "UTR5"


def test_gtf_and_bed_are_the_same_genes(tmp_path):
    refgene = read_gene_models(write_refgene(tmp_path / "refGene.txt"))
    gtf, bed = [], []
    for name, strand, shift, coding in GENES:
        tags = f'gene_id "ID_{name}"; transcript_id "T_{name}"; gene_name "{name}";'
        for start, end in reversed(EXONS):
            gtf.append(["chr7", "x", "exon", start + 1 + shift, end + shift, ".", strand, ".", tags])
        if coding:
            parts = (
                [(1050, 1100), (1200, 1300), (1400, 1447)] if strand == "+" else [(1053, 1100), (1400, 1450)]
            )
            stop = (1447, 1450) if strand == "+" else (1050, 1053)
            for kind, spans in (("CDS", parts), ("stop_codon", [stop])):
                gtf.extend(
                    [["chr7", "x", kind, a + 1 + shift, b + shift, ".", strand, 0, tags] for a, b in spans]
                )
        cds = (1050 + shift, 1450 + shift) if coding else (1000 + shift, 1000 + shift)
        bed.append(
            ["chr7", 1000 + shift, 1500 + shift, name, 0, strand, *cds, 0, 3, "100,100,100,", "0,200,400,"]
        )
    positions = [position + shift for position in REGIONS if position for *_, shift, _ in GENES]
    expected = annotate_variants(make_table(positions), refgene)
    for path, rows in ((tmp_path / "g.gtf", gtf), (tmp_path / "g.bed", bed)):
        path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
        assert annotate_variants(make_table(positions), read_gene_models(path)).equals(expected), path
    (tmp_path / "four.bed").write_text("chr7\t100\t200\tG\nchr7\t300\t400\tG\n")
    found = annotate_variants(make_table([100, 101, 200, 201, 250]), read_gene_models(tmp_path / "four.bed"))
    assert found["region"].tolist() == ["upstream", "exonic", "exonic", "splicing", "intronic"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "7\tT\tchr7\t+\t10\t20\t10\t20\t2\t10,\t20,\t0\tG\n",
            "row 1: the row is none of a refgene file.*1 starts",
        ),
        ('chr7\tx\texon\t1\t9\t.\t+\t.\tgene_name "G";\n', "row 1.*transcript_id"),
        ("chr7\tten\ttwenty\n", "no known form"),
        ("#only a comment\n", "no rows"),
        ("chr7\t30\t20\tG\n", "ends before it starts"),
        ('chr7\tx\tgene\t1\t9\t.\t+\t.\tgene_id "G";\n', "no transcript"),
    ],
)
def test_bad_gene_models(tmp_path, text, message):
    (tmp_path / "genes").write_text(text)
    with pytest.raises(InputError, match=message):
        read_gene_models(tmp_path / "genes")


@need("bedtools")
def test_many_genes_are_those_of_bedtools(tmp_path):
    """Random overlapping transcripts: the genes of exons, introns and neighbourhoods by intersect."""
    draw = make_generator(3, "bedtools")
    rows, beds = [], {"exonic": [], "transcript": [], "splicing": []}
    for number in range(150):
        chromosome, strand = f"chr{draw.integers(1, 4)}", "+-"[draw.integers(2)]
        edges = np.sort(draw.choice(20_000, size=2 * draw.integers(1, 6), replace=False)) + 2000
        starts, ends, gene = edges[0::2], edges[1::2], f"G{number // 2}"
        low, high = int(starts[0]), int(ends[-1])
        row = [f"T{number}", chromosome, strand, low, high, low, high, len(starts)]
        row += ["".join(f"{one}," for one in part) for part in (starts, ends)]
        rows.append([*row, 0, gene, "c", "c", "0,"])
        beds["exonic"].extend((chromosome, a, b, gene) for a, b in zip(starts, ends, strict=True))
        for a, b in zip(ends[:-1], starts[1:], strict=True):
            beds["splicing"].extend(
                [(chromosome, a, min(a + 2, b), gene), (chromosome, max(b - 2, a), b, gene)]
            )
        beds["transcript"].append((chromosome, low, high, gene))
    models = read_gene_models(write_refgene(tmp_path / "refGene.txt", [], rows))
    table = pd.concat(
        [
            make_table(np.sort(draw.choice(24_000, 2000, replace=False)) + 1, chromosome=f"chr{at}")
            for at in range(1, 5)
        ],
        ignore_index=True,
    ).assign(id=lambda table: [f"v{at}" for at in range(len(table))])
    found = annotate_variants(table, models).set_index("id")
    points = "".join(
        f"{row.chromosome}\t{row.position - 1}\t{row.position}\t{row.id}\n" for row in table.itertuples()
    )
    (tmp_path / "v.bed").write_text(points)
    genes = {}
    for kind, intervals in beds.items():
        (tmp_path / "i.bed").write_text("".join("\t".join(map(str, one)) + "\n" for one in intervals))
        lines = run_pipe("bedtools intersect -wa -wb -a $1 -b $2", tmp_path / "v.bed", tmp_path / "i.bed")
        for line in lines.splitlines():
            fields = line.split("\t")
            genes.setdefault((kind, fields[3]), set()).add(fields[7])
    for name, row in found.iterrows():
        exonic, spliced, inside = (
            genes.get((kind, name), set()) for kind in ("exonic", "splicing", "transcript")
        )
        parts = [("exonic", exonic), ("splicing", spliced)] if exonic | spliced else [("intronic", inside)]
        expected = [(region, ",".join(sorted(part))) for region, part in parts if part]
        if not expected:
            assert row["region"] in ("upstream", "downstream", "upstream;downstream", "intergenic")
        else:
            assert row["region"] == ";".join(region for region, _ in expected)
            assert row["gene"] == ";".join(named for _, named in expected)
    between = found[found["region"] == "intergenic"]
    (tmp_path / "b.bed").write_text(
        "".join(
            f"{row.chromosome}\t{row.position - 1}\t{row.position}\t{row.Index}\n"
            for row in between.itertuples()
        )
    )
    (tmp_path / "i.bed").write_text(
        "".join("\t".join(map(str, one)) + "\n" for one in sorted(beds["transcript"]))
    )
    for side, option in ((0, "-id"), (1, "-iu")):
        script = f"bedtools closest -D ref {option} -t first -a $1 -b $2"
        for line in run_pipe(script, tmp_path / "b.bed", tmp_path / "i.bed").splitlines():
            fields = line.split("\t")
            distance = between.loc[fields[3], "distance"].split(";")[side]
            assert distance == ("NONE" if fields[4] == "." else str(abs(int(fields[8]))))


def test_annotation_is_written_and_read(tmp_path):
    models = read_gene_models(write_refgene(tmp_path / "refGene.txt"))
    found = annotate_variants(make_table([1, 1060, 5000]), models)
    write_annotation(tmp_path / "a.tsv", found)
    assert read_annotation(tmp_path / "a.tsv").equals(found)


def make_gene_genotypes(folder):
    annotation = make_table([10, 20, 30, 40, 50]).rename(
        columns={"counted": "alternative", "other": "reference"}
    )
    annotation["region"] = ["exonic", "exonic;splicing", "intronic", "intergenic", "upstream"]
    annotation["gene"] = ["A", "A,B;C", "B", "A;B", "C"]
    dosages = make_generator(1, "x").integers(-1, 3, (7, 5)).astype(np.int8)
    return Genotypes.from_dosages(
        folder / "g", dosages, make_table([10, 20, 30, 40, 50]), make_samples(7)
    ), annotation


def test_alleles_by_gene(tmp_path):
    genotypes, annotation = make_gene_genotypes(tmp_path)
    counts, genes = count_gene_alleles(genotypes, annotation)
    known = np.maximum(genotypes.read(), 0)
    assert genes == ["A", "B", "C"]
    expected = np.stack([known[:, [0, 1]].sum(1), known[:, [1, 2]].sum(1), known[:, 1]], axis=1)
    assert counts.tolist() == expected.tolist()
    only, genes = count_gene_alleles(genotypes, annotation, {"exonic"})
    assert genes == ["A", "B"]
    assert only.tolist() == np.stack([known[:, [0, 1]].sum(1), known[:, 1]], axis=1).tolist()
    with pytest.raises(StudyError, match="not that of these"):
        count_gene_alleles(genotypes.select(variants=np.arange(3)), annotation)
    with pytest.raises(StudyError, match="is in a gene"):
        count_gene_alleles(genotypes, annotation, {"UTR3"})


def test_weights_of_genes(tmp_path):
    _, annotation = make_gene_genotypes(tmp_path)
    (tmp_path / "w.tsv").write_text("gene\tweight\nA\t2\nB\t-3\n")
    weights = read_gene_weights(tmp_path / "w.tsv")
    found = find_variant_weights(annotation, weights, default=0.5)
    assert found.tolist() == [2, -3, -3, 0.5, 0.5]
    inputs = np.ones((2, 5), dtype=np.float32)
    assert weigh_inputs(inputs, found).tolist() == [found.tolist()] * 2
    for text, message in (
        ("gene,weight\nA,x\n", "row 2.*no number"),
        ("gene,weight\nA,1\nA,2\n", "row 3.*stood before"),
        ("name,weight\nA,1\n", "column gene"),
    ):
        (tmp_path / "w.tsv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_gene_weights(tmp_path / "w.tsv")
