import pytest

from panoptic_heuristic.ablation.report.document import Document, Heading, Row, Table, Text
from panoptic_heuristic.ablation.report.latex import to_latex
from panoptic_heuristic.ablation.report.tables import csv_rows, tables_of


def table(*columns, words=1, marks=()):
    """A table of columns, each a name and cells."""
    header, *rows = zip(*columns, strict=True)
    marked = tuple(Row(row, mark) for row, mark in zip(rows, marks or [""] * len(rows), strict=True))
    return Table(header, marked, words=words)


class TestNames:
    def test_the_headings_above_a_table(self):
        one, two, three, four, five = (table((name, "a")) for name in "abcde")
        blocks = (one, Heading("R 50"), Heading("Best settings", 3), Text("x"), two, Heading("Classes", 3), three, four)
        found = tables_of(Document("t", "s", (*blocks, Heading("What was swept"), five)))
        assert found == {
            "opening": one, "r_50_best_settings": two, "r_50_classes_1": three, "r_50_classes_2": four,
            "what_was_swept": five,
        }  # fmt: skip

    def test_equal_names_are_numbered(self):
        one, two = table(("a", "1")), table(("b", "1"))
        assert tables_of(Document("t", "s", (Heading("A b"), one, Heading("a/B"), two))) == {"a_b_1": one, "a_b_2": two}


class TestCsv:
    def test_words_stay_and_numbers_are_plain(self):
        found = csv_rows(table(("class", "−, a", "–"), ("segments", "1,234", "−2"), ("PQ", "–", "+3.50")))
        assert found == [["class", "segments", "PQ"], ["−, a", "1234", ""], ["–", "-2", "+3.50"]]

    def test_a_number_with_its_interval_is_three(self):
        found = csv_rows(table(("stage", "a", "b", "c"), ("gain", "+1.00 [−0.50, +2.00]", "", "0")))
        assert found == [
            ["stage", "gain", "gain low", "gain high"], ["a", "+1.00", "-0.50", "+2.00"], ["b", "", "", ""],
            ["c", "0", "", ""],
        ]  # fmt: skip

    def test_an_interval_alone_is_two(self):
        found = csv_rows(table(("stage", "a", "b"), ("95 % interval", "[0.00, +40.00]", "")))
        assert found == [["stage", "95 % interval low", "95 % interval high"], ["a", "0.00", "+40.00"], ["b", "", ""]]

    def test_from_the_default_to_the_best(self):
        found = csv_rows(table(("class", "a", "b"), ("TP", "1,000 → 20", "– → 3")))
        assert found == [["class", "TP default", "TP best"], ["a", "1000", "20"], ["b", "", "3"]]

    def test_shares(self):
        assert csv_rows(table(("cause", "a", "b"), ("share", "12.5 %", ""))) == [
            ["cause", "share (%)"], ["a", "12.5"], ["b", ""],
        ]  # fmt: skip

    def test_marks(self):
        found = csv_rows(table(("rank", "1", "2"), words=0, marks=("best", "")))
        assert found == [["rank", "mark"], ["1", "best"], ["2", ""]]

    def test_no_rows(self):
        assert csv_rows(Table(("a", "b"), ())) == [["a", "b"]]


class TestLatex:
    def test_the_whole(self):
        one = Table(
            ("class_name", "PQ", "gain"),
            (Row(("all", "60.00", ""), "total"), Row(("cat", "50.00", "−1.00 [−2.00, +0.50]"), "best")),
            caption="95 % intervals.",
        )
        assert to_latex(one) == LATEX

    @pytest.mark.parametrize(
        "name, expected",
        [
            ("potted plant & 50% #1 $x_y {z}", r"potted plant \& 50\% \#1 \$x\_y \{z\}"),
            (r"C:\dir~^", r"C:\textbackslash{}dir\textasciitilde{}\textasciicircum{}"),
            ("a<b>|c \"d\" `e'", r"a$<$b$>$$|$c {''}d{''} \`{}e'"),
            ("[1] *", "{[}1] {*}"),
            ("wall--brick -> −1 → –", r"wall{-}{-}brick {-}$>$ $-$1 $\rightarrow$ --"),
            ("two\nlines", "two lines"),
            ("Bäume", "Bäume"),
        ],
    )
    def test_text_of_users_stays_text(self, name, expected):
        assert to_latex(table((name, "a"))).splitlines()[2] == expected + r" \\"
        assert to_latex(table(("a", name))).splitlines()[4] == expected + r" \\"

    def test_words_only(self):
        assert to_latex(table(("a", "x"), ("b", "y"), words=3)).startswith("\\begin{tabular}{ll}\n")


LATEX = r"""% 95 % intervals.
\begin{tabular}{lrr}
\hline
class\_name & PQ & gain \\
\hline
\textbf{all} & \textbf{60.00} &  \\
cat (best) & 50.00 & $-$1.00 {[}$-$2.00, +0.50] \\
\hline
\end{tabular}
"""
