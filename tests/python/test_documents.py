"""The documents as a site: every link between them leads somewhere."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(os.environ["TRIMTAB_SOURCE_DIR"])


def site(source, folder):
    return subprocess.run(
        [sys.executable, source / "scripts" / "site", folder], capture_output=True, text=True, check=False, cwd=source
    )


def test_site_is_made_and_no_link_is_broken(tmp_path):
    made = site(SOURCE, tmp_path / "site")
    assert made.returncode == 0, made.stderr
    assert "Trimtab" in (tmp_path / "site" / "index.html").read_text()
    page = (tmp_path / "site" / "docs" / "fit.html").read_text()
    assert 'href="../docs/networks.html"' in page
    assert "<table>" in page


def test_broken_links_are_named(tmp_path):
    repository = tmp_path / "repository"
    (repository / "scripts").mkdir(parents=True)
    (repository / "scripts" / "site").write_text((SOURCE / "scripts" / "site").read_text())
    (repository / "README.md").write_text("# A\n[b](b.md) [c](#a) [d](#nowhere) [e](https://example.com/none)\n")
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    made = site(repository, tmp_path / "site")
    assert made.returncode == 1
    assert made.stderr.splitlines() == [
        "scripts/site: broken link in README.md: b.md",
        "scripts/site: broken link in README.md: #nowhere (no such heading)",
    ]
