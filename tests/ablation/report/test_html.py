import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.ablation.report.document import (
    Code,
    Document,
    Fact,
    Facts,
    Figure,
    Heading,
    Link,
    Notice,
    Picture,
    Row,
    Table,
    Text,
)
from panoptic_heuristic.ablation.report.html import to_html
from panoptic_heuristic.ablation.report.markdown import to_markdown

HOSTILE = "<script>alert('a & b')</script> | \"q\" *b* `c` _d_ [e](f) x_y"


def png(width=8, height=2):
    content = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(content, format="PNG")
    return content.getvalue()


def document(text="plain"):
    return Document(
        f"title {text}",
        f"summary {text}",
        (
            Facts((Fact(f"label {text}", f"1 {text}", f"note {text}"), Fact("other", "2"))),
            Notice(f"notice {text}"),
            Heading("First part"),
            Text(f"paragraph {text}"),
            Table(("name", "some_number"), (Row((text, "1"), "best"), Row(("b", "2"))), caption=f"caption {text}"),
            Heading(f"Second {text}"),
            Heading("Smaller", 3),
            Table(("name", "x"), (Row(("a", "1")),), folded=f"all {text}"),
            Figure(
                (Picture("a.png", png(), f"alt {text}"), Picture("b.png", png(), "b", density=1)), f"says {text}", 2
            ),
        ),
    )


class Page(HTMLParser):
    """Tags, attributes and text; raises if a tag is closed that is not open."""

    VOID = {"meta", "img", "wbr"}

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_tags_are_closed_and_links_lead_somewhere():
    page = Page(to_html(document()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) == 2
    assert [attributes["href"] for attributes in page.all("a")] == [f"#{anchor}" for anchor in ids]


def test_text_of_users_stays_text():
    html = to_html(document(HOSTILE))
    page = Page(html)
    assert not page.all("script")
    assert "".join(page.text).count(HOSTILE) == 14
    assert page.all("img")[0]["alt"] == f"alt {HOSTILE}"


def test_nothing_comes_from_elsewhere():
    html = to_html(document())
    assert not re.search(r"(src|href)=\"(?!data:image/png;base64,|#)", html)
    assert not re.search(r"url\(|@import|<link|<script|https?:", html)


def test_pictures_are_inside_and_half_as_wide_as_their_pixels_unless_they_say_otherwise():
    images = Page(to_html(document())).all("img")
    assert [base64.b64decode(image["src"].partition(",")[2]) for image in images] == [png(), png()]
    assert [image["width"] for image in images] == ["4", "8"]


def test_marks_and_numbers_of_tables():
    html = to_html(document())
    assert '<tr class="best"><td>plain <span class="mark best">best</span></td><td class="number">1</td></tr>' in html
    assert '<th scope="col" class="number">some_<wbr>number</th>' in html
    assert "<details><summary>all plain</summary>" in html


@pytest.mark.parametrize(
    "names, key",
    [
        (("rank", "score", "PQ", "PQ things", "PQ best"), "PQ"),
        (("class", "PQ default", "PQ best", "difference"), "PQ best"),
        (("cause", "errors"), None),
    ],
)
def test_on_a_phone_the_rows_names_and_pq_stay_in_sight(names, key):
    html = to_html(Document("t", "s", (Table(names, (Row(tuple(f"{name}!" for name in names)),)),)))
    found = re.findall(r'<(t[hd])[^>]* class="number key">(.*?)</', html)
    assert found == ([("th", key), ("td", f"{key}!")] if key else [])
    narrow = re.search(r"@media \(max-width: 600px\) \{(.*?)\n\}", html, flags=re.DOTALL)[1]
    assert "tr > :first-child, tr > .key { position: sticky;" in narrow


def test_no_line_breaks_before_a_percent_sign():
    assert "<p>the 95&nbsp;% interval</p>" in to_html(Document("t", "s", (Text("the 95 % interval"),)))


def test_one_section_needs_no_navigation():
    assert "<nav" not in to_html(Document("t", "s", (Heading("One"), Text("x"))))


def test_code_stays_as_it_is_and_may_be_folded():
    lines = "KEY: <b>\n  - 95 % & more\n"
    assert "<pre>KEY: &lt;b&gt;\n  - 95 % &amp; more</pre>" in to_html(Document("t", "s", (Code(lines),)))
    folded = to_html(Document("t", "s", (Code(lines, "all <keys>"),)))
    assert "<details><summary>all &lt;keys&gt;</summary><pre>KEY: &lt;b&gt;" in folded
    Page(folded)


def test_a_link_leads_to_another_file():
    linked = Document("t", "s", (Link(HOSTILE, '../a "b" c.html'),))
    (link,) = Page(to_html(linked)).all("a")
    assert link["href"] == "../a%20%22b%22%20c.html"
    assert "".join(Page(to_html(linked)).text).count(HOSTILE) == 1
    assert to_markdown(linked).endswith("](../a%20%22b%22%20c.html)\n")


class TestMarkdown:
    def test_code_stays_as_it_is(self):
        text = to_markdown(Document("t", "s", (Code("a_b: *c*\n  - |\n"), Code("x ``` y", "folded"))))
        assert text.split("\n\n")[2:] == ["```\na_b: *c*\n  - |\n```", "````\nx ``` y\n````\n"]

    def test_the_whole(self):
        assert to_markdown(document()) == MARKDOWN

    @pytest.mark.parametrize(
        "text, expected",
        [
            ("overlap_threshold", "overlap_threshold"),
            ("[+0.5, +1.2] (95 %)", "[+0.5, +1.2] (95 %)"),
            ("a|b", "a\\|b"),
            ("*a* _b_ `c`", "\\*a\\* \\_b\\_ \\`c\\`"),
            ("[a](b) <c> &amp;", "[a]\\(b) &lt;c&gt; &amp;amp;"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("[a]: b", "[a]\\: b"),
            ("~~a~~", "\\~\\~a\\~\\~"),
            ("# a", "\\# a"),
            ("- a", "\\- a"),
            ("12. a", "12\\. a"),
            ("12.5 a", "12\\.5 a"),
            ("two\nlines", "two lines"),
        ],
    )
    def test_text_of_users_stays_text(self, text, expected):
        assert to_markdown(Document("t", "s", (Text(text),))).splitlines()[4] == expected


MARKDOWN = """\
# title plain

**summary plain**

- label plain: **1 plain** (note plain)
- other: **2**

> notice plain

## First part

paragraph plain

*caption plain*

| name | some_number |
| --- | ---: |
| plain (best) | 1 |
| b | 2 |

## Second plain

### Smaller

| name | x |
| --- | ---: |
| a | 1 |

![alt plain](a.png)
![b](b.png)

*says plain*
"""
