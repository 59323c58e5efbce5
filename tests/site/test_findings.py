"""What checking found: marked in the chapters, listed on a page of its own."""

from conftest import parsed
from findings import KINDS, read

from chapters import all_chapters


def test_each_finding_is_listed_once_and_leads_to_its_place(site):
    listed = parsed(site / "findings.html")
    items = {
        item.a["href"]: item.get_text(" ")
        for item in listed.select("article li")
        if "#finding-" in (item.a or {}).get("href", "")
    }
    wanted = {
        f"{chapter.docname}.html#{finding.anchor}"
        for chapter in all_chapters()
        for finding in read(chapter)
    }
    assert set(items) == wanted
    assert f"{len(wanted)} so far" in listed.article.get_text()
    assert len(listed.select("article h2")) == len(KINDS)
    assert all("Checked by" in text for text in items.values())


def test_a_finding_is_a_box_in_its_chapter(site):
    for chapter in all_chapters():
        page = parsed(site / f"{chapter.docname}.html")
        boxes = {box["id"]: box for box in page.select("div.finding")}
        assert set(boxes) == {finding.anchor for finding in read(chapter)}
        for box in boxes.values():
            assert box.select("a[href*='#equation-']")
            assert ":kind:" not in box.get_text()
